#include "traces_file.h"

#include <math.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const COMPONENTS[] = {"total", "pos", "neg", "pos_minus_neg"};

static void must(psw_status rc, const struct psw_error *err)
{
    if (rc == PSW_OK) return;
    fprintf(stderr, "traces_file: %s\n", err->text);
    abort();
}

static uint64_t hash_of(int run)
{
    return 0x100 + (uint64_t)run;
}

struct psw_journal *tf_begin(const struct tf_file *file, const char *path)
{
    char journal_path[PSW_PATH_BYTES], labels[TF_MOST_RUNS * 64] = "";
    size_t n = 0;
    uint64_t hash[TF_MOST_RUNS];
    struct psw_journal *journal = NULL;
    struct psw_error err;
    for (int i = 0; i < file->n_run; i++) {
        n +=
            (size_t)snprintf(labels + n, sizeof labels - n, "%sdpo %s seed=%lld", i ? "\n" : "",
                             file->run[i].variant, (long long)file->run[i].seed);
        hash[i] = hash_of(i);
    }
    const struct psw_journal_opts opts = {.sweep_name = "made_up",
                                          .spec_hash = 0xabc,
                                          .spec_text = "name: made_up\n",
                                          .provenance = "slurm_job=none",
                                          .n_run = file->n_run,
                                          .run = hash,
                                          .label = labels,
                                          .lock_wait_s = -1};
    must(psw_journal_path(path, journal_path, &err), &err);
    must(psw_journal_open(journal_path, &opts, &journal, &err), &err);
    return journal;
}

static void put(struct psw_record *r, const char *name, const double g[4], int n)
{
    psw_record_put(r, name, PSW_F64, psw_shape_1d(n), g);
}

static void append_checkpoint(const struct tf_file *f, struct psw_journal *j, int run, int k,
                              struct psw_record *r)
{
    struct psw_error err;
    const double pos = f->run[run].pos[k], neg = f->run[run].neg[k];
    const int n = isnan(f->se_difference) ? 3 : 4;
    const double g[4] = {pos + neg, pos, neg, pos - neg};
    const double se[4] = {f->se, f->se, f->se, f->se_difference};
    const double se_final[4] = {f->se_final[k], f->se_final[k], f->se_final[k], f->se_final[k]};
    const double soft_se[4] = {f->soft_se, f->soft_se, f->soft_se, f->soft_se};
    double soft[4];
    for (int i = 0; i < 4; i++) soft[i] = f->soft * g[i];
    psw_record_clear(r);
    psw_record_put_i64(r, "checkpoint", k);
    psw_record_put_i64(r, "step", 20 * k);
    psw_record_put_labels(r, "component", COMPONENTS, n);
    put(r, "G", g, n);
    put(r, "G_se", se, n);
    if (!isnan(f->se_final[k])) put(r, "G_se_final", se_final, n);
    if (f->norm > 0) psw_record_put_f64(r, "v_norm", f->norm);
    if (f->soft > 0) {
        put(r, "G_soft", soft, n);
        put(r, "G_soft_se", soft_se, n);
        psw_record_put_f64(r, "v_soft_norm", f->soft * f->norm);
    }
    must(psw_journal_append_record(j, PSW_J_PIECE, hash_of(run), 1, r, &err), &err);
}

static void append_run(const struct tf_file *f, struct psw_journal *j, int i)
{
    static const char MESSAGE[] = "step 31: the loss is not a number";
    struct psw_record *r = NULL;
    struct psw_error err;
    const struct tf_run *run = &f->run[i];
    const struct psw_journal_entry started = {
        .type = PSW_J_STARTED, .run = hash_of(i), .attempt = 1, .n_bytes = 5};
    const struct psw_journal_entry diverged = {
        .type = PSW_J_DIVERGED, .run = hash_of(i), .attempt = 1, .n_bytes = strlen(MESSAGE)};
    must(psw_record_create(&r, &err), &err);
    must(psw_journal_append(j, started, "node1", &err), &err);
    if (run->is_diverged) {
        must(psw_journal_append(j, diverged, MESSAGE, &err), &err);
    } else {
        for (int k = 0; k < TF_CHECKPOINTS; k++) append_checkpoint(f, j, i, k, r);
        psw_record_clear(r);
        psw_record_put_f64(r, "score", 1.5 + 0.1 * (double)run->seed);
        psw_record_put_f64(r, "win_rate", 0.6);
        psw_record_put_f64(r, "length", 395 + 0.1 * (double)run->seed);
        psw_record_put_f64(r, "length_sft", 8 + 1e-7 * (double)run->seed);
        psw_record_put_f64(r, "kl_ref", run->kl);
        psw_record_put_f64(r, "final_cut_rate", run->cut_rate);
        const int8_t finding = (int8_t)run->finding;
        psw_record_put(r, "final_degenerate", PSW_I8, (struct psw_shape){.n_dim = 0}, &finding);
        must(psw_journal_append_record(j, PSW_J_DONE, hash_of(i), 1, r, &err), &err);
    }
    psw_record_destroy(r);
}

void tf_write(const struct tf_file *file, const char *path)
{
    struct psw_results_run run[TF_MOST_RUNS];
    struct psw_error err;
    struct psw_journal *journal = tf_begin(file, path);
    for (int i = 0; i < file->n_run; i++) {
        uint64_t group = 0;
        for (const char *at = file->run[i].variant; *at; at++) group = 31 * group + *at;
        append_run(file, journal, i);
        run[i] = (struct psw_results_run){.hash = hash_of(i),
                                          .group = group,
                                          .seed = file->run[i].seed,
                                          .method = "dpo",
                                          .variant = file->run[i].variant};
    }
    must(psw_journal_sync(journal, &err), &err);
    const struct psw_results_layout plan = {.name = "made_up",
                                            .spec_text = "name: made_up\n",
                                            .spec_hash = 0xabc,
                                            .run = run,
                                            .n_run = file->n_run,
                                            .axes.component = COMPONENTS,
                                            .axes.n_component =
                                                isnan(file->se_difference) ? 3 : 4};
    must(psw_results_write(path, &plan, journal, &err), &err);
    psw_journal_close(journal);
}
