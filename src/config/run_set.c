/* What a list of runs is as a whole: its hash and the settings that vary; two lists in one, and
 * a part of one. */
#include "config_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

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
    const int is_tokenizer = !strcmp(leaf->path, "data.tokenizer");
    if (!is_tokenizer &&
        (strncmp(leaf->path, "model.", 6) != 0 || !strcmp(leaf->path, "model.from") ||
         !strcmp(leaf->path, "model.context")))
        return 0;
    for (int64_t r = 0; r < sweep->n_run; r++) {
        const struct psw_config *c = &sweep->run[r].config;
        if (!c->model.from[0] ||
            (is_tokenizer && strcmp(c->data.tokenizer, c->model.from) != 0))
            return 0;
    }
    return 1;
}

psw_status psw_run_set_swept(struct psw_sweep *sweep, struct psw_error *err)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    free(sweep->swept.leaf);
    sweep->swept.n = 0;
    sweep->swept.leaf = calloc((size_t)n, sizeof *sweep->swept.leaf);
    if (!sweep->swept.leaf) return psw_fail(err, PSW_ENOMEM, "%d leaves", n);
    for (int i = 0; i < n; i++) {
        int64_t r = 1;
        if (!(leaf[i].flags & PSW_CFG_AXIS) || follows_from_model(sweep, &leaf[i])) continue;
        while (r < sweep->n_run &&
               psw_leaf_equal(&leaf[i], &sweep->run[0].config, &sweep->run[r].config))
            r++;
        if (r < sweep->n_run) sweep->swept.leaf[sweep->swept.n++] = i;
    }
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

/* Append the runs that are not there yet, as further blocks. */
static psw_status append_runs(struct psw_sweep *into, const struct psw_sweep *more,
                              struct psw_error *err)
{
    const int64_t n_before = into->n_run, n_most = n_before + more->n_run;
    uint64_t *there = sorted_hashes(into);
    struct psw_run *grown = realloc(into->run, (size_t)n_most * sizeof *grown);
    if (grown) into->run = grown;
    if (!there || !grown) {
        free(there);
        return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)n_most);
    }
    for (int64_t i = 0; i < more->n_run; i++) {
        if (bsearch(&more->run[i].hash, there, (size_t)n_before, sizeof *there, ascending))
            continue;
        into->run[into->n_run] = more->run[i];
        into->run[into->n_run++].block += into->n_block;
    }
    free(there);
    if (into->n_run <= PSW_MAX_RUNS) return PSW_OK;
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
    if (into->run[0].config.limits.backend != more->run[0].config.limits.backend)
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
    psw_status rc = append_runs(into, more, err);
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
