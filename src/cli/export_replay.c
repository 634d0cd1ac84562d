/* posweep export --replay: a run whose models were not kept is trained again, alone, as a sweep
 * of its own beside the folder that is to be made; what came out is held against the results
 * file, value by value, and only then exported. Where that sweep is stopped or killed, the same
 * command goes on with it. */
#include "cli_internal.h"
#include "export_model.h"

#include <posweep/analyze/replay.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/sweep/provenance.h>
#include <posweep/sweep/run.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/folder.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { DIFFERENCE_BYTES = 1024 };

/** A replay, on rank 0. */
struct replay {
    const struct psw_export_replay *opts;
    const struct psw_export_model *model;
    struct psw_kept_run *run; /* owned */
    struct psw_cli_notes notes;
    struct psw_config config;
    char folder[PSW_PATH_BYTES];       /* its sweep */
    char path[PSW_PATH_BYTES];         /* the results file in it */
    char sweep_path[PSW_PATH_BYTES];   /* where relative paths of its settings start */
    char difference[DIFFERENCE_BYTES]; /* what decides bits, then and now; "": the same */
    const char *backend;
};

/* ---- what is to be done ---- */

/** The sweep of one run. Owns: free(*out). */
static psw_status make_text(const struct replay *r, int ranks, char **out,
                            struct psw_error *err)
{
    const struct psw_export_model *m = r->model;
    const int is_last = m->step < 0 || m->step == r->config.policy.train.steps;
    if (asprintf(out,
                 "name: replay\nlimits: {keep: %s, backend: %s, ranks_per_run: %d}\nbase: %s\n",
                 is_last ? "final" : "checkpoints", r->backend, ranks, r->run->config) >= 0)
        return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "the sweep of one run");
}

static psw_status read_config(struct replay *r, struct psw_error *err)
{
    char *text = NULL;
    struct psw_sweep *sweep = NULL;
    if (!r->run->config[0])
        return psw_fail(err, PSW_EDATA,
                        "%s does not hold the settings of its runs (an older version wrote it)",
                        r->model->path);
    psw_status rc = make_text(r, 1, &text, err);
    if (rc == PSW_OK) rc = psw_sweep_parse(r->sweep_path, text, strlen(text), &sweep, err);
    if (rc == PSW_OK) {
        r->config = sweep->configs.first;
        psw_hash_text(sweep->run[0].hash, r->run->run); /* another version may differ */
    } else {
        psw_error_prefix(err, "--sweep-dir %s", r->opts->sweep_dir ? r->opts->sweep_dir : ".");
    }
    psw_sweep_destroy(sweep);
    free(text);
    return rc;
}

static psw_status check_wish(const struct replay *r, struct psw_error *err)
{
    const struct psw_export_model *m = r->model;
    const int64_t steps = r->config.policy.train.steps, every = r->config.trace.every;
    if (!r->run->is_done)
        return psw_fail(err, PSW_EINVAL,
                        "%s: the run %s is not done, so there is nothing that a "
                        "replay could be held against",
                        m->path, r->run->name);
    if (!strcmp(m->stage, "reward") && !psw_config_needs_reward_model(&r->config))
        return psw_fail(err, PSW_EINVAL, "%s: the run %s has no reward model", m->path,
                        r->run->name);
    if (m->step >= 0 && (m->step > steps || (m->step % every != 0 && m->step != steps)))
        return psw_fail(
            err, PSW_EINVAL,
            "step %lld: the run %s has checkpoints at multiples of %lld (trace.every) "
            "and at its end, %lld",
            (long long)m->step, r->run->name, (long long)every, (long long)steps);
    if (psw_folder_is_taken(m->out))
        return psw_fail(err, PSW_EBUSY, "%s: is there already, and nothing is overwritten",
                        m->out);
    return PSW_OK;
}

/** Before hours of work: would this machine give the same bits? */
static psw_status check_machine(struct replay *r, struct psw_error *err)
{
    const int n =
        psw_provenance_compare(r->run->provenance, r->notes.note, r->notes.n,
                               PSW_PROVENANCE_CPU, r->difference, sizeof r->difference);
    if (n == 0 || r->opts->accept_cpu) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "%s: a replay here would not have the same bits: %s. Run it where the sweep "
        "ran, or say --accept-changed-cpu",
        r->model->path, r->difference);
}

static psw_status name_files(struct replay *r, struct psw_error *err)
{
    psw_status rc = psw_path(r->folder, sizeof r->folder, err, "%s.replay", r->model->out);
    if (rc == PSW_OK) rc = psw_path(r->path, sizeof r->path, err, "%s/replay.h5", r->folder);
    if (rc == PSW_OK)
        rc = psw_path(r->sweep_path, sizeof r->sweep_path, err, "%s/replay.yaml",
                      r->opts->sweep_dir ? r->opts->sweep_dir : ".");
    return rc;
}

static psw_status prepare(struct replay *r, struct psw_error *err)
{
    psw_status rc = name_files(r, err);
    r->backend = strstr(r->run->provenance, "\nbackend=reference\n") ? "reference" : "cpu";
    psw_cli_notes_collect(&r->notes);
    if (rc == PSW_OK) rc = read_config(r, err);
    if (rc == PSW_OK) rc = check_wish(r, err);
    if (rc == PSW_OK) rc = check_machine(r, err);
    if (rc == PSW_OK) rc = psw_file_make_dir(r->folder, err);
    return rc;
}

/* ---- the sweep ---- */

/** As many ranks as can share the run. */
static int ranks_per_run(const struct psw_config *c, int n_worker)
{
    const int64_t shards[] = {c->sft.shards, c->reward.train.shards, c->policy.train.shards};
    for (int n = 1;; n *= 2)
        for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
            if (2 * n > n_worker || shards[i] % (2 * n) != 0) return n;
}

/** MPI: Collective (MPI_COMM_WORLD). Same on all ranks: the result. May differ: r (rank 0's
 *  counts). */
static psw_status train(struct replay *r, int rank, struct psw_error *err)
{
    const int n_rank = psw_comm_size(MPI_COMM_WORLD);
    char *text = NULL;
    struct psw_run_summary summary = {0};
    psw_status rc = PSW_OK;
    if (rank == 0)
        rc = make_text(r, ranks_per_run(&r->config, n_rank > 1 ? n_rank - 1 : 1), &text, err);
    else
        psw_cli_notes_collect(&r->notes);
    rc = psw_agree(MPI_COMM_WORLD, rc, err);
    const struct psw_run_opts opts = {.sweep_path = r->sweep_path,
                                      .sweep_text = text,
                                      .out_path = r->path,
                                      .retry_failed = 1,
                                      .accept_changed.cpu = r->opts->accept_cpu,
                                      .note = r->notes.note,
                                      .n_note = r->notes.n,
                                      .progress = psw_cli_show_progress};
    if (rc == PSW_OK) rc = psw_sweep_run(MPI_COMM_WORLD, &opts, &summary, err);
    psw_log_progress(NULL, 0);
    free(text);
    if (rc == PSW_OK && summary.n_done != 1)
        rc = psw_fail(err, PSW_EDATA,
                      "the run, trained again, did not end as it did before: posweep status %s",
                      r->path);
    return rc;
}

/* ---- is it the same run? ---- */

static int64_t row_of(struct psw_results *results, const char *hash)
{
    for (int64_t i = 0; i < psw_results_dim(results, "run"); i++)
        if (strcmp(psw_results_text(results, "run", i), hash) == 0) return i;
    return -1;
}

static psw_status judge_replay(const struct replay *r, const struct psw_replay_check *c,
                               struct psw_error *err)
{
    char text[DIFFERENCE_BYTES];
    if (c->n_different == 0) {
        printf("The run, trained again, is the same: all %lld values of %lld datasets, bit for "
               "bit\n",
               (long long)c->n_value, (long long)c->n_dataset);
        return PSW_OK;
    }
    snprintf(
        text, sizeof text,
        "%lld of %lld values differ, the first in `%s`; most in `%s`, %.9g before and %.9g "
        "now; the final parameters are %s%s%.400s",
        (long long)c->n_different, (long long)c->n_value, c->first, c->largest, c->was, c->is,
        !c->has_model      ? "not known"
        : c->is_same_model ? "the same"
                           : "other ones",
        r->difference[0] ? ". Changed: " : "", r->difference);
    if (!r->opts->accept_cpu)
        return psw_fail(err, PSW_EDATA,
                        "the run, trained again, is another one: %s. It stays in %s; "
                        "--accept-changed-cpu exports it all the same",
                        text, r->folder);
    psw_log(PSW_LOG_WARN, "the run, trained again, is another one: %s", text);
    return PSW_OK;
}

static psw_status compare_files(struct psw_results *before, void *ctx, struct psw_error *err)
{
    const struct replay *r = ctx;
    struct psw_results *now = NULL;
    struct psw_replay_check c;
    psw_status rc = psw_results_open(r->path, &now, err);
    const int64_t was = r->run->row, is = rc == PSW_OK ? row_of(now, r->run->run) : -1;
    if (rc == PSW_OK && is < 0)
        rc = psw_fail(err, PSW_EDATA, "%s: has no run %s", r->path, r->run->run);
    if (rc == PSW_OK) rc = psw_replay_compare(before, was, now, is, &c, err);
    if (rc == PSW_OK) rc = psw_results_fault(now, err);
    if (rc == PSW_OK) rc = judge_replay(r, &c, err);
    psw_results_close(now);
    return rc;
}

static int export_it(struct replay *r)
{
    char folder[PSW_PATH_BYTES];
    struct psw_error err = {0};
    struct psw_export_model m = *r->model;
    m.path = r->path;
    m.work_dir = NULL;
    const int status = psw_cli_read("export", r->model->path, compare_files, r);
    if (status != EX_OK) return status;
    psw_status rc = psw_cli_find_model(&m, r->run, folder, &err);
    if (rc == PSW_OK) rc = psw_cli_export_folder(&m, folder, &err);
    if (rc != PSW_OK) return psw_cli_fail(&err);
    printf("%s: the %s model of %s\n", m.out, m.stage, r->run->name);
    if (psw_file_remove_tree(r->folder, &err) != PSW_OK)
        psw_log(PSW_LOG_WARN, "left behind, may be removed: %s", err.text);
    return EX_OK;
}

/** What is kept needs no replay: the status of its export, else -1. */
static int export_kept(const struct replay *r)
{
    char folder[PSW_PATH_BYTES];
    struct psw_error err = {0};
    if (psw_cli_find_model(r->model, r->run, folder, &err) != PSW_OK) return -1;
    if (psw_cli_export_folder(r->model, folder, &err) != PSW_OK) return psw_cli_fail(&err);
    printf("%s: the %s model of %s, which was kept: nothing was trained\n", r->model->out,
           r->model->stage, r->run->name);
    return EX_OK;
}

/** On rank 0, before MPI is there. -1: there is something to train; else the end. */
static int look(struct replay *r)
{
    struct psw_error err = {0};
    int status = psw_cli_find_run("export", r->model, &r->run);
    if (status != EX_OK) return status;
    status = export_kept(r);
    if (status >= 0) return status;
    return prepare(r, &err) == PSW_OK ? -1 : psw_cli_fail(&err);
}

int psw_cli_export_replay(const struct psw_export_replay *opts)
{
    struct replay r = {.opts = opts, .model = opts->model};
    struct psw_error err = {0};
    int rank = 0, status = -1;
    psw_log_setup(PSW_LOG_NOTE, "");
    psw_stop_install();
    psw_blas_pin(1);
    if (psw_launch_read().rank == 0) status = look(&r);
    psw_status rc = psw_cli_mpi_begin(&rank, &err);
    if (rc != PSW_OK) return rank == 0 ? psw_cli_fail(&err) : psw_status_exit(rc);
    PSW_MPI(MPI_Bcast(&status, 1, MPI_INT, 0, MPI_COMM_WORLD));
    if (status < 0) rc = train(&r, rank, &err);
    PSW_MPI(MPI_Finalize());
    if (rc == PSW_ESTOP && rank == 0)
        printf("stopped early, everything is saved: run the same command again\n");
    else if (rc != PSW_OK && rank == 0)
        psw_cli_fail(&err);
    if (rc != PSW_OK)
        status = psw_status_exit(rc);
    else if (status < 0)
        status = rank == 0 ? export_it(&r) : EX_OK;
    psw_cli_kept_run_free(r.run);
    return status;
}
