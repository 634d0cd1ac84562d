/* What a list of runs is as a whole: its hash and the settings that vary; two lists in one, and
 * a part of one. */
#include "config_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

const char *psw_run_set_variant(struct psw_sweep *sweep, const char *name)
{
    for (int32_t i = sweep->variants.n; i-- > 0;) /* mostly the last */
        if (!strcmp(sweep->variants.name[i], name)) return sweep->variants.name[i];
    char **grown = realloc(sweep->variants.name,
                           ((size_t)sweep->variants.n + 1) * sizeof *sweep->variants.name);
    if (!grown) return NULL;
    sweep->variants.name = grown;
    char *own = strdup(name);
    if (own) grown[sweep->variants.n++] = own;
    return own;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The hashes of the runs in ascending order; the caller frees. NULL: no memory. */
static uint64_t *sorted_hashes(const struct psw_sweep *sweep)
{
    uint64_t *hash = malloc(((size_t)sweep->n_run + 1) * sizeof *hash);
    for (int64_t i = 0; hash && i < sweep->n_run; i++) hash[i] = sweep->run[i].hash;
    if (hash) qsort(hash, (size_t)sweep->n_run, sizeof *hash, ascending);
    return hash;
}

psw_status psw_run_set_hash(struct psw_sweep *sweep, struct psw_error *err)
{
    uint64_t *hash = sorted_hashes(sweep);
    if (!hash) return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)sweep->n_run);
    sweep->hash = psw_hash_bytes(hash, (size_t)sweep->n_run * sizeof *hash, PSW_CFG_EPOCH);
    free(hash);
    return PSW_OK;
}

/* Where every run has model.from, that tells models apart; what follows from it would fill
 * names and tables with the same thing in other words. */
static int follows_from_model(const struct psw_sweep *sweep, const struct psw_leaf *leaf)
{
    struct psw_config_reader reader = {0};
    const int is_tokenizer = !strcmp(leaf->path, "data.tokenizer");
    if (!is_tokenizer &&
        (strncmp(leaf->path, "model.", 6) != 0 || !strcmp(leaf->path, "model.from") ||
         !strcmp(leaf->path, "model.context")))
        return 0;
    for (int64_t r = 0; r < sweep->n_run; r = psw_sweep_next_config(sweep, r + 1)) {
        const struct psw_config *c = psw_sweep_config(sweep, r, &reader);
        if (!c->model.from[0] ||
            (is_tokenizer && strcmp(c->data.tokenizer, c->model.from) != 0))
            return 0;
    }
    return 1;
}

/* Rows of leaves that are not the same for all runs. differs [leaves], all zeros. */
static void find_differing(const struct psw_sweep *sweep, uint8_t *differs)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config_reader first = {0}, other = {0};
    const struct psw_config *a = psw_sweep_config(sweep, 0, &first);
    for (int64_t r = 1; r < sweep->n_run; r++) {
        if (sweep->run[r].config == sweep->run[r - 1].config &&
            sweep->run[r].seed == sweep->run[r - 1].seed)
            continue;
        if (sweep->run[r].seed != sweep->run[0].seed) differs[psw_leaf_find("seed") - leaf] = 1;
        if (sweep->run[r].config == sweep->run[r - 1].config) continue;
        const struct psw_config *b = psw_sweep_config(sweep, r, &other);
        for (int i = 0; i < n; i++) differs[i] |= !psw_leaf_equal(&leaf[i], a, b);
    }
}

psw_status psw_run_set_swept(struct psw_sweep *sweep, struct psw_error *err)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    uint8_t *differs = calloc((size_t)n, 1);
    free(sweep->swept.leaf);
    sweep->swept.n = 0;
    sweep->swept.leaf = calloc((size_t)n, sizeof *sweep->swept.leaf);
    if (!differs || !sweep->swept.leaf) {
        free(differs);
        return psw_fail(err, PSW_ENOMEM, "%d leaves", n);
    }
    find_differing(sweep, differs);
    for (int i = 0; i < n; i++)
        if (differs[i] && (leaf[i].flags & PSW_CFG_AXIS) &&
            !follows_from_model(sweep, &leaf[i]))
            sweep->swept.leaf[sweep->swept.n++] = i;
    free(differs);
    return PSW_OK;
}

int psw_sweep_covers(const struct psw_sweep *a, const struct psw_sweep *b)
{
    uint64_t *hash = sorted_hashes(a);
    int64_t i = 0;
    while (hash && i < b->n_run &&
           bsearch(&b->run[i].hash, hash, (size_t)a->n_run, sizeof *hash, ascending))
        i++;
    free(hash);
    return i == b->n_run;
}

/* Room for n runs. */
static psw_status grow_runs(struct psw_sweep *sweep, int64_t n, struct psw_error *err)
{
    struct psw_run *grown = realloc(sweep->run, (size_t)n * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)n);
    sweep->run = grown;
    return PSW_OK;
}

/* Append the runs that are not there yet, as further blocks. there: sorted hashes. */
static psw_status append_runs(struct psw_sweep *into, const struct psw_sweep *more,
                              const uint64_t *there, struct psw_error *err)
{
    const int64_t n_before = into->n_run;
    struct psw_config_reader reader = {0};
    int64_t last = -1; /* the configuration of the run that was appended last */
    psw_status rc = grow_runs(into, n_before + more->n_run, err);
    for (int64_t i = 0; rc == PSW_OK && i < more->n_run; i++) {
        const struct psw_run *run = &more->run[i];
        if (bsearch(&run->hash, there, (size_t)n_before, sizeof *there, ascending)) continue;
        if (run->config != last)
            rc = psw_config_list_add(&into->configs, psw_sweep_config(more, i, &reader), err);
        last = run->config;
        into->run[into->n_run] = *run;
        into->run[into->n_run].variant = psw_run_set_variant(into, run->variant);
        if (!into->run[into->n_run].variant)
            return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)into->n_run);
        into->run[into->n_run].config = into->configs.n - 1;
        into->run[into->n_run++].block += into->n_block;
    }
    if (rc != PSW_OK || into->n_run <= PSW_MAX_RUNS) return rc;
    return psw_fail(err, PSW_EINVAL, "%s: more than %d runs", into->path, PSW_MAX_RUNS);
}

static psw_status append_text(struct psw_sweep *into, const struct psw_sweep *more,
                              struct psw_error *err)
{
    const int ends = into->n_text_bytes && into->text[into->n_text_bytes - 1] == '\n';
    char *grown = realloc(into->text, into->n_text_bytes + more->n_text_bytes + 8);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%zu bytes", more->n_text_bytes);
    into->text = grown;
    into->n_text_bytes +=
        (size_t)sprintf(grown + into->n_text_bytes, "%s---\n%s", ends ? "" : "\n", more->text);
    return PSW_OK;
}

psw_status psw_sweep_unite(struct psw_sweep *into, const struct psw_sweep *more,
                           struct psw_error *err)
{
    if (into->seed_plan.batch > 0 || more->seed_plan.batch > 0)
        return psw_fail(err, PSW_EINVAL,
                        "%s: replicates: a plan to add seeds is for a sweep file of one "
                        "document: expected a count",
                        more->path);
    if (into->configs.first.limits.backend != more->configs.first.limits.backend)
        return psw_fail(err, PSW_EINVAL,
                        "%s: limits.backend is not that of %s: runs that stand in one file "
                        "have one",
                        more->path, into->path);
    if (!psw_stop_rule_equal(&into->stop, &more->stop))
        return psw_fail(err, PSW_EINVAL,
                        "%s: stop: (rule \"%s\", grace %lld) is not that of %s (rule \"%s\", "
                        "grace %lld): runs that stand in one file have one rule; \"\" is none",
                        more->path, psw_stop_kind_name(more->stop.kind),
                        (long long)more->stop.grace, into->path,
                        psw_stop_kind_name(into->stop.kind), (long long)into->stop.grace);
    uint64_t *there = sorted_hashes(into);
    psw_status rc = there ? append_runs(into, more, there, err)
                          : psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)into->n_run);
    free(there);
    if (rc == PSW_OK) rc = append_text(into, more, err);
    for (int32_t i = 0; rc == PSW_OK && i < more->warnings.n; i++)
        rc = psw_sweep_add_warning(into, err, "%s", more->warnings.text[i]);
    into->n_block += more->n_block;
    if (more->n_seed > into->n_seed) into->n_seed = more->n_seed;
    if (rc == PSW_OK) rc = psw_run_set_hash(into, err);
    return rc == PSW_OK ? psw_run_set_swept(into, err) : rc;
}

psw_status psw_sweep_select(struct psw_sweep *sweep, const uint8_t *is_kept,
                            struct psw_error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < sweep->n_run; i++)
        if (is_kept[i]) sweep->run[n++] = sweep->run[i];
    sweep->n_run = n;
    return psw_run_set_hash(sweep, err);
}
