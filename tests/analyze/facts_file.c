#include "facts_file.h"

#include <math.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const COMPONENTS[FF_COMPONENTS] = {"total", "pos",   "neg",   "top",  "mid",
                                                      "bot",   "rand1", "rand2", "rand3"};
static const char *const DIRECTIONS[] = {"chosen"};

static void must(psw_status rc, const struct psw_error *err)
{
    if (rc == PSW_OK) return;
    fprintf(stderr, "facts_file: %s\n", err->text);
    abort();
}

static uint64_t hash_of(int run)
{
    return 0x0123456789abcd00 + (uint64_t)run;
}

static const struct psw_schema_row *row_of(const struct ff_fact *f)
{
    const struct psw_schema_row *row = psw_schema_row_find(f->name);
    if (!row) fprintf(stderr, "facts_file: no dataset %s\n", f->name), abort();
    return row;
}

static void put(struct psw_record *r, const char *name, struct psw_shape shape, const double *x)
{
    const struct psw_schema_row *row = psw_schema_row_find(name);
    if (row->type == PSW_F64)
        psw_record_put(r, name, PSW_F64, shape, x);
    else
        psw_record_put_i64(r, name, (int64_t)x[0]);
}

static void put_at_checkpoint(struct psw_record *r, const struct ff_fact *f, int k)
{
    const char *dims = row_of(f)->dims;
    if (strcmp(dims, "run checkpoint") == 0)
        put(r, f->name, (struct psw_shape){0}, &f->v[f->n > 1 ? k : 0]);
    if (strncmp(dims, "run checkpoint ", 15) != 0) return;
    double x[FF_COMPONENTS];
    for (int c = 0; c < FF_COMPONENTS; c++) {
        x[c] = c < 3 ? f->v[f->n == 3 * FF_CHECKPOINTS ? 3 * k + c : c] : NAN;
        if (f->n == FF_COMPONENTS) x[c] = f->v[c];
    }
    put(r, f->name,
        strstr(dims, "direction") ? psw_shape_2d(1, FF_COMPONENTS)
                                  : psw_shape_1d(FF_COMPONENTS),
        x);
}

static void append_checkpoints(struct psw_journal *j, const struct ff_run *run, int i)
{
    static const struct ff_fact DEFAULTS[] = {{"G", 3, {1, 0.5, 0.5}},
                                              {"G_se", 3, {0.1, 0.1, 0.1}}};
    struct psw_record *r = NULL;
    struct psw_error err;
    must(psw_record_create(&r, &err), &err);
    for (int k = 0; k < FF_CHECKPOINTS; k++) {
        psw_record_clear(r);
        psw_record_put_i64(r, "checkpoint", k);
        psw_record_put_i64(r, "step", 20 * k);
        psw_record_put_labels(r, "component", COMPONENTS, FF_COMPONENTS);
        psw_record_put_labels(r, "direction", DIRECTIONS, 1);
        for (int f = 0; f < FF_MOST_FACTS && run->fact[f].name; f++)
            put_at_checkpoint(r, &run->fact[f], k);
        for (int f = 0; f < 2; f++)
            if (!psw_record_get(r, DEFAULTS[f].name)) put_at_checkpoint(r, &DEFAULTS[f], k);
        must(psw_journal_append_record(j, PSW_J_PIECE, hash_of(i), 1, r, &err), &err);
    }
    psw_record_destroy(r);
}

static void append_log(struct psw_journal *j, const struct ff_run *run, int i)
{
    struct psw_record *r = NULL;
    struct psw_error err;
    double x[FF_LOGS];
    int64_t step[FF_LOGS];
    must(psw_record_create(&r, &err), &err);
    for (int k = 0; k < FF_LOGS; k++) step[k] = k + 1;
    psw_record_put(r, "train_step", PSW_I64, psw_shape_1d(FF_LOGS), step);
    for (int f = 0; f < FF_MOST_FACTS && run->fact[f].name; f++) {
        const struct ff_fact *fact = &run->fact[f];
        if (strcmp(row_of(fact)->dims, "run log_step") != 0) continue;
        for (int k = 0; k < FF_LOGS; k++)
            x[k] = fact->v[0] + (fact->v[1] - fact->v[0]) * k / (FF_LOGS - 1) +
                   (k % 2 ? fact->v[2] : -fact->v[2]);
        psw_record_put(r, fact->name, PSW_F64, psw_shape_1d(FF_LOGS), x);
    }
    if (!psw_record_get(r, "train_loss")) {
        for (int k = 0; k < FF_LOGS; k++) x[k] = 0.7 - 0.01 * k;
        psw_record_put(r, "train_loss", PSW_F64, psw_shape_1d(FF_LOGS), x);
    }
    must(psw_journal_append_record(j, PSW_J_PIECE, hash_of(i), 1, r, &err), &err);
    psw_record_destroy(r);
}

static void append_end(struct psw_journal *j, const struct ff_run *run, int i)
{
    static const char MESSAGE[] = "step 31: the loss is not a number";
    struct psw_record *r = NULL;
    struct psw_error err;
    const struct psw_journal_entry end = {
        .type = run->end, .run = hash_of(i), .attempt = 1, .n_bytes = strlen(MESSAGE)};
    if (run->end) {
        must(psw_journal_append(j, end, MESSAGE, &err), &err);
        return;
    }
    must(psw_record_create(&r, &err), &err);
    for (int f = 0; f < FF_MOST_FACTS && run->fact[f].name; f++)
        if (strcmp(row_of(&run->fact[f])->dims, "run") == 0)
            put(r, run->fact[f].name, (struct psw_shape){0}, run->fact[f].v);
    must(psw_journal_append_record(j, PSW_J_DONE, hash_of(i), 1, r, &err), &err);
    psw_record_destroy(r);
}

/** "": none is told. */
static const char *config_of(void *ctx, int64_t run)
{
    const char *config = ((const struct ff_run *)ctx)[run].config;
    return config ? config : "";
}

void ff_write(const char *path, const struct ff_run *run, int n_run)
{
    struct psw_results_run rows[FF_MOST_RUNS];
    char journal_path[PSW_PATH_BYTES], labels[FF_MOST_RUNS * 64] = "";
    size_t n = 0;
    uint64_t hash[FF_MOST_RUNS];
    struct psw_journal *journal = NULL;
    struct psw_error err;
    for (int i = 0; i < n_run; i++) {
        uint64_t group = 5381;
        for (const char *at = run[i].variant; *at; at++) group = 31 * group + (uint64_t)*at;
        for (const char *at = run[i].method; *at; at++) group = 31 * group + (uint64_t)*at;
        hash[i] = hash_of(i);
        n += (size_t)snprintf(labels + n, sizeof labels - n, "%s%s %s seed %lld", i ? "\n" : "",
                              run[i].method, run[i].variant, (long long)run[i].seed);
        rows[i] = (struct psw_results_run){.hash = hash[i],
                                           .group = group,
                                           .seed = run[i].seed,
                                           .method = run[i].method,
                                           .variant = run[i].variant};
    }
    const struct psw_journal_opts opts = {.sweep_name = "facts",
                                          .spec_hash = 0xfac75,
                                          .spec_text = "name: facts\n",
                                          .provenance = "slurm_job=none",
                                          .n_run = n_run,
                                          .run = hash,
                                          .label = labels,
                                          .lock_wait_s = -1};
    const struct psw_results_layout layout = {
        .name = "facts",
        .spec_text = "name: facts\n",
        .spec_hash = 0xfac75,
        .run = rows,
        .n_run = n_run,
        .configs = {config_of, (void *)run},
        .axes = {COMPONENTS, DIRECTIONS, FF_COMPONENTS, 1}};
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, &opts, &journal, &err), &err);
    for (int i = 0; i < n_run; i++) {
        const struct psw_journal_entry started = {
            .type = PSW_J_STARTED, .run = hash[i], .attempt = 1, .n_bytes = 5};
        must(psw_journal_append(journal, started, "node1", &err), &err);
        append_log(journal, &run[i], i);
        append_checkpoints(journal, &run[i], i);
        append_end(journal, &run[i], i);
    }
    must(psw_journal_sync(journal, &err), &err);
    must(psw_results_write(path, &layout, journal, &err), &err);
    psw_journal_close(journal);
}
