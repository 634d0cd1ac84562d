/* Labels of runs. Which settings vary is asked within a method and variant: what every run of a
 * variant has in common, the variant's name says. */
#include <posweep/sweep/label.h>

#include <posweep/config/leaf.h>
#include <posweep/config/leaves.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int same_variant(const struct psw_run *a, const struct psw_run *b)
{
    return !strcmp(a->method, b->method) && !strcmp(a->variant, b->variant);
}

/* Which settings differ between a run and the lead of its variant. */
static void find_varying(struct psw_labels *labels, struct psw_config_reader *lead, int64_t i)
{
    int n_leaf = 0;
    const struct psw_leaf *schema = psw_leaves(&n_leaf);
    const struct psw_sweep *sweep = labels->sweep;
    const int64_t k = labels->lead[i];
    const struct psw_config *a = psw_sweep_config(sweep, k, lead),
                            *b = psw_sweep_config(sweep, i, &labels->reader);
    uint8_t *varies = labels->varies + k * sweep->swept.n;
    for (int32_t s = 0; s < sweep->swept.n; s++)
        varies[s] |= !psw_leaf_equal(&schema[sweep->swept.leaf[s]], a, b);
}

psw_status psw_labels_init(const struct psw_sweep *sweep, struct psw_labels *out,
                           struct psw_error *err)
{
    const size_t n = (size_t)sweep->n_run;
    struct psw_config_reader reader = {0};
    *out = (struct psw_labels){.sweep = sweep,
                               .lead = calloc(n + 1, sizeof *out->lead),
                               .varies = calloc(n * (size_t)sweep->swept.n + 1, 1)};
    if (!out->lead || !out->varies) {
        psw_labels_clear(out);
        return psw_fail(err, PSW_ENOMEM, "labels of %lld runs", (long long)sweep->n_run);
    }
    for (int64_t i = 0; i < sweep->n_run; i++) {
        /* blocks keep a variant's runs together, so the search is short */
        int64_t k = i > 0 ? out->lead[i - 1] : 0;
        if (!same_variant(&sweep->run[k], &sweep->run[i]))
            for (k = 0; k < i && !same_variant(&sweep->run[k], &sweep->run[i]); k++) continue;
        out->lead[i] = k;
        find_varying(out, &reader, i);
    }
    return PSW_OK;
}

void psw_labels_clear(struct psw_labels *labels)
{
    free(labels->lead);
    free(labels->varies);
    *labels = (struct psw_labels){0};
}

/* Returns the length of what was, or would have been, written. */
static int write_settings(struct psw_labels *labels, int64_t i, char *out, int n_room)
{
    int n_leaf = 0, n = 0;
    const struct psw_leaf *schema = psw_leaves(&n_leaf);
    const struct psw_sweep *sweep = labels->sweep;
    const uint8_t *varies = labels->varies + labels->lead[i] * sweep->swept.n;
    const struct psw_config *config = psw_sweep_config(sweep, i, &labels->reader);
    for (int32_t s = 0; s < sweep->swept.n && n < n_room; s++) {
        const struct psw_leaf *leaf = &schema[sweep->swept.leaf[s]];
        char column[PSW_LEAF_COLUMN_BYTES], text[PSW_LEAF_TEXT_BYTES];
        if (!strcmp(leaf->path, "seed") || !varies[s]) continue;
        n += snprintf(out + n, (size_t)(n_room - n), "%s%s=%s", n ? " " : "",
                      psw_leaf_column(leaf, column), psw_leaf_text(leaf, config, text));
    }
    return n;
}

char *psw_label_settings(struct psw_labels *labels, int64_t i, char out[PSW_LABEL_BYTES])
{
    out[0] = 0;
    write_settings(labels, i, out, PSW_LABEL_BYTES);
    return out;
}

char *psw_label_text(struct psw_labels *labels, int64_t i, char out[PSW_LABEL_BYTES])
{
    const struct psw_run *r = &labels->sweep->run[i];
    int n = snprintf(out, PSW_LABEL_BYTES, "%s %s ", r->method, r->variant);
    const int n_settings = write_settings(labels, i, out + n, PSW_LABEL_BYTES - n);
    n += n_settings ? n_settings : -1; /* the blank before them serves the seed */
    if (n < PSW_LABEL_BYTES)
        snprintf(out + n, (size_t)(PSW_LABEL_BYTES - n), " seed %lld", (long long)r->seed);
    return out;
}
