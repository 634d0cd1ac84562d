/* Labels of runs. Which settings vary is asked within a method and variant: what every run of a
 * variant has in common, the variant's name says. */
#include <posweep/sweep/label.h>

#include <posweep/config/leaf.h>
#include <posweep/config/leaves.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which swept settings tell runs of one method and variant apart. */
struct tellers {
    int64_t *lead;   /* [n_run] owned: the first run of the same method and variant */
    uint8_t *varies; /* [n_run][n_swept] owned: rows of leads only */
};

static void tellers_clear(struct tellers *t)
{
    free(t->lead);
    free(t->varies);
}

static int same_variant(const struct psw_run *a, const struct psw_run *b)
{
    return !strcmp(a->method, b->method) && !strcmp(a->variant, b->variant);
}

static psw_status tellers_find(const struct psw_sweep *sweep, struct tellers *t,
                               struct psw_error *err)
{
    int n_leaf = 0;
    const struct psw_leaf *schema = psw_leaves(&n_leaf);
    const int64_t n = sweep->n_run, n_swept = sweep->swept.n;
    struct psw_config_reader lead = {0}, own = {0};
    t->lead = calloc((size_t)n + 1, sizeof *t->lead);
    t->varies = calloc((size_t)(n * n_swept) + 1, 1);
    if (!t->lead || !t->varies)
        return psw_fail(err, PSW_ENOMEM, "labels of %lld runs", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        /* blocks keep a variant's runs together, so the search is short */
        int64_t k = i > 0 ? t->lead[i - 1] : 0;
        if (!same_variant(&sweep->run[k], &sweep->run[i]))
            for (k = 0; k < i && !same_variant(&sweep->run[k], &sweep->run[i]); k++) continue;
        t->lead[i] = k;
        const struct psw_config *a = psw_sweep_config(sweep, k, &lead),
                                *b = psw_sweep_config(sweep, i, &own);
        for (int64_t s = 0; s < n_swept; s++)
            if (!psw_leaf_equal(&schema[sweep->swept.leaf[s]], a, b))
                t->varies[k * n_swept + s] = 1;
    }
    return PSW_OK;
}

static void write_settings(const struct psw_sweep *sweep, const struct tellers *t, int64_t i,
                           const struct psw_config *config, char out[PSW_LABEL_BYTES])
{
    int n_leaf = 0, n = 0;
    const struct psw_leaf *schema = psw_leaves(&n_leaf);
    for (int32_t s = 0; s < sweep->swept.n && n < PSW_LABEL_BYTES; s++) {
        const struct psw_leaf *leaf = &schema[sweep->swept.leaf[s]];
        char column[PSW_LEAF_COLUMN_BYTES], text[PSW_LEAF_TEXT_BYTES];
        if (!strcmp(leaf->path, "seed") || !t->varies[t->lead[i] * sweep->swept.n + s])
            continue;
        n += snprintf(out + n, (size_t)(PSW_LABEL_BYTES - n), "%s%s=%s", n ? " " : "",
                      psw_leaf_column(leaf, column), psw_leaf_text(leaf, config, text));
    }
}

psw_status psw_labels_init(const struct psw_sweep *sweep, struct psw_labels *out,
                           struct psw_error *err)
{
    struct tellers tellers = {0};
    struct psw_config_reader reader = {0};
    *out = (struct psw_labels){calloc((size_t)sweep->n_run + 1, sizeof *out->settings)};
    psw_status rc = out->settings ? PSW_OK
                                  : psw_fail(err, PSW_ENOMEM, "labels of %lld runs",
                                             (long long)sweep->n_run);
    if (rc == PSW_OK) rc = tellers_find(sweep, &tellers, err);
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++)
        write_settings(sweep, &tellers, i, psw_sweep_config(sweep, i, &reader),
                       out->settings[i]);
    tellers_clear(&tellers);
    if (rc != PSW_OK) psw_labels_clear(out);
    return rc;
}

void psw_labels_clear(struct psw_labels *labels)
{
    free(labels->settings);
    *labels = (struct psw_labels){0};
}

char *psw_label_text(const struct psw_sweep *sweep, const struct psw_labels *labels, int64_t i,
                     char out[PSW_LABEL_BYTES])
{
    const struct psw_run *r = &sweep->run[i];
    const char *settings = labels->settings[i];
    snprintf(out, PSW_LABEL_BYTES, "%s %s%s%s seed %lld", r->method, r->variant,
             settings[0] ? " " : "", settings, (long long)r->seed);
    return out;
}
