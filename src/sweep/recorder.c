/* The results recorder of rank 0. The journal is the truth: what it knows as ended is never
 * repeated; what was under way continues from its saved state. */
#include "outputs.h"
#include "run_internal.h"

#include <posweep/config/model_dir.h>
#include <posweep/sweep/asked.h>
#include <posweep/sweep/provenance.h>
#include <posweep/sweep/scheduler.h>
#include <posweep/sweep/shared.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Found before hours of work, not after: can the results file be written there, and would it
 * replace something that cannot be made again? Results can only be continued by their journal.
 */
psw_status psw_run_check_output(const char *path, struct psw_error *err)
{
    char journal[PSW_PATH_BYTES], copy[PSW_PATH_BYTES];
    struct stat info;
    psw_status rc = psw_journal_path(path, journal, err);
    if (rc != PSW_OK) return rc;
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    if (stat(folder, &info) != 0 || !S_ISDIR(info.st_mode))
        return psw_fail(
            err, PSW_ENOENT,
            "%s: there is no folder %s; create it, or choose another output with -o", path,
            folder);
    if (access(folder, W_OK | X_OK) != 0)
        return psw_fail(err, PSW_EPERM,
                        "%s: the folder %s may not be written; choose another output with -o",
                        path, folder);
    if (stat(path, &info) != 0) return PSW_OK;
    if (!S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EINVAL, "%s: is not a file; choose another output with -o",
                        path);
    if (psw_file_exists(journal)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "%s: exists, but its journal %s does not, so it would be replaced and not "
                    "continued. Move it away, or choose another output with -o",
                    path, journal);
}

/* What the caller says, and the backend that the sweep asks for. */
static void collect_notes(struct psw_recorder *k)
{
    struct psw_start_notes *to = &k->notes;
    to->n = k->opts->n_note;
    PSW_ASSERT(to->n + 1 < PSW_MAX_START_NOTES);
    if (to->n) memcpy(to->note, k->opts->note, sizeof *to->note * (size_t)to->n);
    psw_leaf_text(psw_leaf_find("limits.backend"), &k->sweep->configs.first, to->backend);
    to->note[to->n++] = (struct psw_results_note){"backend", to->backend};
}

static void join_notes(const struct psw_recorder *k, char *out, size_t n_bytes)
{
    size_t at = 0;
    for (int i = 0; i < k->notes.n && at < n_bytes; i++)
        at += (size_t)snprintf(out + at, n_bytes - at, "%s=%s\n", k->notes.note[i].key,
                               k->notes.note[i].value);
    if (k->opts->accept_changed.cpu && at < n_bytes)
        snprintf(out + at, n_bytes - at, "accept_changed_cpu=yes\n");
}

static psw_status open_journal(struct psw_recorder *k, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], notes[4096] = "";
    struct psw_outputs_spec spec = {0};
    psw_status rc = psw_journal_path(k->opts->out_path, path, err);
    if (rc == PSW_OK) rc = psw_outputs_spec_init(k->sweep, &spec, err);
    join_notes(k, notes, sizeof notes);
    spec.opts.provenance = notes;
    if (k->opts->part.of) spec.opts.lock_wait_s = -1; /* there are others */
    if (rc == PSW_OK) rc = psw_journal_open(path, &spec.opts, &k->journal, err);
    psw_outputs_spec_clear(&spec);
    return rc;
}

static int has_ended(const struct psw_recorder *k, enum psw_outcome outcome)
{
    if (outcome == PSW_OUTCOME_CENSORED) return k->sweep->stop.kind != PSW_STOP_NEVER;
    return outcome == PSW_OUTCOME_DONE ||
           (!k->opts->retry_failed && psw_outcome_is_end(outcome));
}

static void find_ended(struct psw_recorder *k)
{
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        k->before.ended[i] =
            (uint8_t)has_ended(k, psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL));
        k->before.n_ended += k->before.ended[i];
    }
}

/* Results that are there already count on the bits of the machine that made them. */
static psw_status check_provenance(const struct psw_recorder *k, struct psw_error *err)
{
    const psw_status rc = psw_provenance_check(k->journal, k->notes.note, k->notes.n,
                                               k->opts->accept_changed.cpu, err);
    if (rc != PSW_OK) psw_error_prefix(err, "%s", k->opts->out_path);
    return rc;
}

/* Rows that leave the results file are not lost, and somebody may look for them. */
static psw_status tell_unasked(struct psw_recorder *k, struct psw_error *err)
{
    const psw_status rc = psw_sweep_unasked(k->sweep, k->journal, &k->before.n_unasked, err);
    if (rc == PSW_OK && k->before.n_unasked > 0)
        psw_log(
            PSW_LOG_WARN,
            "%s: %lld finished run%s of earlier starts %s not asked for now: left out of it, "
            "kept in its journal, and back without work when asked for again. For another "
            "file use -o",
            k->opts->out_path, (long long)k->before.n_unasked,
            k->before.n_unasked == 1 ? "" : "s", k->before.n_unasked == 1 ? "is" : "are");
    return rc;
}

/* A folder with config.json alone can be planned. */
static psw_status check_weights(const struct psw_recorder *k, struct psw_error *err)
{
    char ignored[PSW_CFG_PATH];
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        const struct psw_config_model *model = &psw_sweep_config(k->sweep, i, &reader)->model;
        if (k->before.ended[i] || !model->from[0] || model->weights) continue;
        const psw_status rc = psw_model_dir_tensors(model->from, ignored, err);
        if (rc != PSW_OK) return psw_error_prefix(err, "model.from"), rc;
    }
    return PSW_OK;
}

static psw_status read_sweep(const struct psw_run_opts *opts, struct psw_sweep **out,
                             struct psw_error *err)
{
    if (opts->sweep_text) return psw_sweep_reread(opts->sweep_path, opts->sweep_text, out, err);
    if (opts->added) psw_added_begin(opts->added, opts->sweep_path);
    return psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, out, err);
}

/* Of the sweep only the runs of a part. */
static psw_status keep_part(struct psw_recorder *k, struct psw_error *err)
{
    const size_t n = (size_t)k->opts->part.n_run;
    uint64_t *run = malloc((n + 1) * sizeof *run);
    uint8_t *is_kept = calloc((size_t)k->sweep->n_run + 1, 1);
    psw_status rc = run && is_kept ? PSW_OK : psw_fail(err, PSW_ENOMEM, "part of %zu runs", n);
    if (rc == PSW_OK) {
        memcpy(run, k->opts->part.run, n * sizeof *run);
        psw_hashes_sort(run, (int64_t)n);
        for (int64_t i = 0; i < k->sweep->n_run; i++)
            is_kept[i] = (uint8_t)psw_hashes_have(run, (int64_t)n, k->sweep->run[i].hash);
        rc = psw_sweep_select(k->sweep, is_kept, err);
    }
    if (rc == PSW_OK && k->sweep->n_run != k->opts->part.n_run)
        rc = psw_fail(err, PSW_EINVAL, "%s: does not ask for every run of its part",
                      k->opts->sweep_path);
    free(run);
    free(is_kept);
    return rc;
}

/* Jobs that share a sweep know of each other, but not of one that does not. */
static psw_status check_not_shared(const char *path, struct psw_error *err)
{
    if (!psw_shared_is(path)) return PSW_OK;
    return psw_fail(
        err, PSW_EBUSY,
        "%s: is being computed in parts, in %s.parts: go on with the same command and "
        "--shared, alone or in several jobs",
        path, path);
}

psw_status psw_recorder_open(struct psw_recorder *k, const struct psw_run_opts *opts,
                             int n_worker, int n_worker_node, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *k = (struct psw_recorder){.opts = opts, .snapshot.at_s = psw_clock_s()};
    PSW_TRY(read_sweep(opts, &k->sweep, err));
    collect_notes(k);
    PSW_TRY(psw_run_check_output(opts->out_path, err));
    PSW_TRY(opts->part.of ? keep_part(k, err) : check_not_shared(opts->out_path, err));
    PSW_TRY(psw_work_plan_keep_index(k->sweep, opts->part.of ? opts->part.of : opts->out_path,
                                     err));
    for (int32_t i = 0; i < k->sweep->warnings.n && !opts->part.of && !opts->sweep_text; i++)
        psw_log(PSW_LOG_WARN, "%s", k->sweep->warnings.text[i]);
    k->before.ended = calloc((size_t)k->sweep->n_run + 1, sizeof *k->before.ended);
    k->forget.run = calloc((size_t)k->sweep->n_run + 1, sizeof *k->forget.run);
    if (!k->before.ended || !k->forget.run)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "sweep of %lld runs", (long long)k->sweep->n_run));
    PSW_TRY(psw_path(k->work_dir.path, sizeof k->work_dir.path, err,
                     opts->work.dir ? "%s" : "%s.work",
                     opts->work.dir ? opts->work.dir : opts->out_path));
    PSW_TRY(open_journal(k, err));
    PSW_TRY(psw_early_stop_init(k->sweep, k->journal, &k->early, err));
    find_ended(k);
    PSW_TRY(check_weights(k, err));
    PSW_TRY(tell_unasked(k, err));
    if (memchr(k->before.ended, 0, (size_t)k->sweep->n_run)) PSW_TRY(check_provenance(k, err));
    PSW_TRY(psw_work_plan_check_generated(k->sweep, k->before.ended, n_worker_node, err));
    PSW_TRY(psw_work_plan_init(k->sweep, k->before.ended, &k->plan, err));
    k->plan.n_rank_node = n_worker_node;
    psw_work_plan_place_frozen(k->sweep, &k->plan, n_worker_node);
    if (k->plan.data_text[0]) psw_log(PSW_LOG_INFO, "data: %s", k->plan.data_text);
    if (k->plan.cut_text[0]) psw_log(PSW_LOG_WARN, "data: %s", k->plan.cut_text);
    if (k->plan.less_text[0]) psw_log(PSW_LOG_WARN, "%s", k->plan.less_text);
    PSW_TRY(psw_data_sets_compare(&k->plan.data, k->journal, opts->accept_changed.data, err));
    PSW_TRY(psw_data_sets_record(&k->plan.data, k->journal, err));
    PSW_TRY(psw_work_plan_check_memory(k->sweep, &k->plan, n_worker_node, err));
    PSW_TRY(psw_ledger_create(k->plan.task, k->plan.n_task, &k->ledger, err));
    PSW_TRY(psw_schedule_check(k->ledger, n_worker, err));
    PSW_TRY(psw_recorder_restore(k, err));
    PSW_TRY(psw_host_list_read(k->journal,
                               psw_clock_unix_s() - k->sweep->configs.first.limits.left_out_s,
                               &k->before.hosts, err));
    PSW_TRY(psw_file_make_dir(k->work_dir.path, err));
    rc = psw_owner_claim(k->work_dir.path, opts->part.of ? opts->part.of : opts->out_path,
                         &k->work_dir.is_new, err);
fail:
    return rc;
}

void psw_recorder_undo(struct psw_recorder *k)
{
    if (!k->journal) return;
    if (k->work_dir.is_new) psw_owner_release(k->work_dir.path);
    if (!k->opts->work.dir) rmdir(k->work_dir.path); /* stays when anything is in it */
    psw_journal_discard(k->journal);
    k->journal = NULL;
}

void psw_recorder_close(struct psw_recorder *k)
{
    psw_ledger_destroy(k->ledger);
    psw_journal_close(k->journal);
    psw_work_plan_clear(&k->plan);
    psw_sweep_destroy(k->sweep);
    psw_early_stop_clear(&k->early);
    psw_host_list_clear(&k->before.hosts);
    free(k->before.ended);
    free(k->forget.run);
    free(k->tasks.progress);
    free(k->tasks.suspect);
    free(k->tasks.limit_s);
    free(k->tasks.note);
    *k = (struct psw_recorder){0};
}

psw_status psw_recorder_write(struct psw_recorder *k, struct psw_error *err)
{
    const psw_status rc = psw_outputs_write(k->opts->out_path, k->sweep, k->notes.note,
                                            k->notes.n, k->journal, err);
    k->snapshot.is_due = 0;
    k->snapshot.at_s = psw_clock_s();
    return rc;
}

void psw_recorder_summary(const struct psw_recorder *k, struct psw_run_summary *out)
{
    *out = (struct psw_run_summary){.n_run = k->sweep->n_run,
                                    .n_before = k->before.n_ended,
                                    .n_unasked = k->before.n_unasked};
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL);
        out->n_done += o == PSW_OUTCOME_DONE;
        out->n_failed += o == PSW_OUTCOME_FAILED;
        out->n_diverged += o == PSW_OUTCOME_DIVERGED;
        out->n_censored += o == PSW_OUTCOME_CENSORED;
        out->n_timeout += o == PSW_OUTCOME_TIMEOUT;
    }
}
