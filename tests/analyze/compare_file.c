#include "compare_file.h"

#include <math.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const COMPONENTS[] = {"total", "pos", "neg"};

static void must(psw_status rc, const struct psw_error *err)
{
    if (rc == PSW_OK) return;
    fprintf(stderr, "compare_file: %s\n", err->text);
    abort();
}

static void *room(int64_t n, size_t n_bytes)
{
    void *p = calloc((size_t)n + 1, n_bytes);
    if (!p) abort();
    return p;
}

static uint64_t hash_of(int64_t run)
{
    return 0x1000 + (uint64_t)run;
}

static void append_done(struct psw_journal *j, uint64_t hash, const struct cf_run *run,
                        struct psw_record *r)
{
    struct psw_error err;
    const double g[3] = {run->pos + run->neg, run->pos, run->neg}, se[3] = {0.1, 0.1, 0.1};
    const int8_t finding = (int8_t)run->finding;
    for (int k = 0; k < CF_CHECKPOINTS; k++) {
        psw_record_clear(r);
        psw_record_put_i64(r, "checkpoint", k);
        psw_record_put_i64(r, "step", 10 * k);
        psw_record_put_labels(r, "component", COMPONENTS, 3);
        psw_record_put(r, "G", PSW_F64, psw_shape_1d(3), g);
        psw_record_put(r, "G_se", PSW_F64, psw_shape_1d(3), se);
        psw_record_put_f64(r, "v_norm", 2);
        must(psw_journal_append_record(j, PSW_J_PIECE, hash, 1, r, &err), &err);
    }
    psw_record_clear(r);
    if (!isnan(run->score)) psw_record_put_f64(r, "score", run->score);
    if (!isnan(run->kl)) psw_record_put_f64(r, "kl_ref", run->kl);
    psw_record_put(r, "final_degenerate", PSW_I8, (struct psw_shape){.n_dim = 0}, &finding);
    must(psw_journal_append_record(j, PSW_J_DONE, hash, 1, r, &err), &err);
}

static void append_run(struct psw_journal *j, uint64_t hash, const struct cf_run *run,
                       struct psw_record *r)
{
    static const char WHY[] = "made up";
    struct psw_error err;
    const struct psw_journal_entry started = {
        .type = PSW_J_STARTED, .run = hash, .attempt = 1, .n_bytes = 5};
    const struct psw_journal_entry ended = {
        .type = run->outcome == PSW_OUTCOME_FAILED     ? PSW_J_FAILED
                : run->outcome == PSW_OUTCOME_CENSORED ? PSW_J_CENSORED
                                                       : PSW_J_DIVERGED,
        .run = hash,
        .attempt = 1,
        .n_bytes = strlen(WHY)};
    if (run->outcome == PSW_OUTCOME_QUEUED) return;
    must(psw_journal_append(j, started, "node1", &err), &err);
    if (run->outcome == PSW_OUTCOME_DONE)
        append_done(j, hash, run, r);
    else
        must(psw_journal_append(j, ended, WHY, &err), &err);
}

static uint64_t group_of(const struct cf_run *run)
{
    uint64_t group = (uint64_t)(1e6 * run->beta);
    for (const char *at = run->method; *at; at++) group = 31 * group + (uint64_t)*at;
    for (const char *at = run->variant; *at; at++) group = 31 * group + (uint64_t)*at;
    return group;
}

static struct psw_journal *begin(const uint64_t *hash, int64_t n_run, const char *path)
{
    char journal_path[PSW_PATH_BYTES];
    struct psw_journal *journal = NULL;
    struct psw_error err;
    const struct psw_journal_opts opts = {.sweep_name = "made_up",
                                          .spec_hash = 0xabc,
                                          .spec_text = "name: made_up\n",
                                          .provenance = "slurm_job=none",
                                          .n_run = n_run,
                                          .run = hash,
                                          .lock_wait_s = -1};
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, &opts, &journal, &err), &err);
    return journal;
}

void cf_write(const struct cf_run *run, int64_t n_run, const char *path)
{
    struct psw_results_run *row = room(n_run, sizeof *row);
    uint64_t *hash = room(n_run, sizeof *hash);
    double *beta = room(n_run, sizeof *beta);
    const char **reweight = room(n_run, sizeof *reweight);
    struct psw_record *r = NULL;
    struct psw_error err;
    for (int64_t i = 0; i < n_run; i++) {
        hash[i] = hash_of(i);
        beta[i] = run[i].beta;
        reweight[i] = strcmp(run[i].variant, "flat") == 0 ? "off" : "on";
        row[i] = (struct psw_results_run){.hash = hash[i],
                                          .group = group_of(&run[i]),
                                          .seed = run[i].seed,
                                          .method = run[i].method,
                                          .variant = run[i].variant};
    }
    const struct psw_results_leaf leaf[] = {
        {.path = "policy.beta", .type = PSW_F64, .f64 = beta, .unit = "1", .long_name = "beta"},
        {.path = "policy.reweight", .type = PSW_TEXT, .str = reweight}};
    const struct psw_results_layout layout = {.name = "made_up",
                                              .spec_text = "name: made_up\n",
                                              .spec_hash = 0xabc,
                                              .run = row,
                                              .n_run = n_run,
                                              .leaf = leaf,
                                              .n_leaf = 2,
                                              .axes.component = COMPONENTS,
                                              .axes.n_component = 3};
    struct psw_journal *journal = begin(hash, n_run, path);
    must(psw_record_create(&r, &err), &err);
    for (int64_t i = 0; i < n_run; i++) append_run(journal, hash[i], &run[i], r);
    must(psw_journal_sync(journal, &err), &err);
    must(psw_results_write(path, &layout, journal, &err), &err);
    psw_journal_close(journal);
    psw_record_destroy(r);
    free(row);
    free(hash);
    free(beta);
    free(reweight);
}
