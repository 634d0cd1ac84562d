/* The results recorder of rank 0. The journal is the truth: what it knows as ended is never
 * repeated; what was under way continues from its saved state. */
#include "run_internal.h"

#include <posweep/config/model_dir.h>
#include <posweep/objective/components.h>
#include <posweep/sweep/label.h>
#include <posweep/sweep/provenance.h>
#include <posweep/sweep/scheduler.h>
#include <posweep/sweep/unasked.h>
#include <posweep/trace/point.h>
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
static psw_status check_output(const char *path, struct psw_error *err)
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
    psw_leaf_text(psw_leaf_find("limits.backend"), &k->sweep->run[0].config, to->backend);
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
    psw_status rc = psw_journal_path(k->opts->out_path, path, err);
    const int64_t n = k->sweep->n_run;
    uint64_t *hash = calloc((size_t)n + 1, sizeof *hash);
    char(*text)[PSW_LABEL_BYTES] = calloc((size_t)n + 1, sizeof *text);
    const char **label = calloc((size_t)n + 1, sizeof *label);
    struct psw_labels labels = {0};
    if (rc == PSW_OK) rc = psw_labels_init(k->sweep, &labels, err);
    if (!hash || !text || !label)
        rc = psw_fail(err, PSW_ENOMEM, "journal of %lld runs", (long long)n);
    for (int64_t i = 0; rc == PSW_OK && i < n; i++) {
        hash[i] = k->sweep->run[i].hash;
        label[i] = psw_label_text(k->sweep, &labels, i, text[i]);
    }
    join_notes(k, notes, sizeof notes);
    const struct psw_journal_opts o = {.sweep_name = k->sweep->name,
                                       .spec_hash = k->sweep->hash,
                                       .spec_text = k->sweep->text,
                                       .provenance = notes,
                                       .n_run = n,
                                       .run = hash,
                                       .label = label};
    if (rc == PSW_OK) rc = psw_journal_open(path, &o, &k->journal, err);
    free(hash);
    free(text);
    free(label);
    psw_labels_clear(&labels);
    return rc;
}

static int has_ended(const struct psw_recorder *k, enum psw_outcome outcome)
{
    return outcome == PSW_OUTCOME_DONE ||
           (!k->opts->retry_failed && psw_outcome_is_end(outcome));
}

static void find_ended(struct psw_recorder *k)
{
    for (int64_t i = 0; i < k->sweep->n_run; i++)
        k->before.ended[i] =
            (uint8_t)has_ended(k, psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL));
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
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        const struct psw_config_model *model = &k->sweep->run[i].config.model;
        if (k->before.ended[i] || !model->from[0] || model->weights) continue;
        const psw_status rc = psw_model_dir_tensors(model->from, ignored, err);
        if (rc != PSW_OK) return psw_error_prefix(err, "model.from"), rc;
    }
    return PSW_OK;
}

psw_status psw_recorder_open(struct psw_recorder *k, const struct psw_run_opts *opts,
                             int n_worker, int n_worker_node, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *k = (struct psw_recorder){.opts = opts, .snapshot.at_s = psw_clock_s()};
    PSW_TRY(psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, &k->sweep, err));
    collect_notes(k);
    PSW_TRY(check_output(opts->out_path, err));
    for (int32_t i = 0; i < k->sweep->warnings.n; i++)
        psw_log(PSW_LOG_WARN, "%s", k->sweep->warnings.text[i]);
    k->before.ended = calloc((size_t)k->sweep->n_run + 1, sizeof *k->before.ended);
    k->forget.run = calloc((size_t)k->sweep->n_run + 1, sizeof *k->forget.run);
    if (!k->before.ended || !k->forget.run)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "sweep of %lld runs", (long long)k->sweep->n_run));
    PSW_TRY(psw_path(k->work_dir.path, sizeof k->work_dir.path, err,
                     opts->work_dir ? "%s" : "%s.work",
                     opts->work_dir ? opts->work_dir : opts->out_path));
    PSW_TRY(open_journal(k, err));
    find_ended(k);
    PSW_TRY(check_weights(k, err));
    PSW_TRY(tell_unasked(k, err));
    if (memchr(k->before.ended, 0, (size_t)k->sweep->n_run)) PSW_TRY(check_provenance(k, err));
    PSW_TRY(psw_work_plan_check_generated(k->sweep, k->before.ended, n_worker_node, err));
    PSW_TRY(psw_work_plan_init(k->sweep, k->before.ended, &k->plan, err));
    k->plan.n_rank_node = n_worker_node;
    if (k->plan.data_text[0]) psw_log(PSW_LOG_INFO, "data: %s", k->plan.data_text);
    if (k->plan.cut_text[0]) psw_log(PSW_LOG_WARN, "data: %s", k->plan.cut_text);
    if (k->plan.less_text[0]) psw_log(PSW_LOG_WARN, "%s", k->plan.less_text);
    PSW_TRY(psw_data_sets_compare(&k->plan.data, k->journal, opts->accept_changed.data, err));
    PSW_TRY(psw_data_sets_record(&k->plan.data, k->journal, err));
    PSW_TRY(psw_work_plan_check_memory(k->sweep, &k->plan, n_worker_node, err));
    PSW_TRY(psw_ledger_create(k->plan.task, k->plan.n_task, &k->ledger, err));
    PSW_TRY(psw_schedule_check(k->ledger, n_worker, err));
    PSW_TRY(psw_recorder_restore(k, err));
    PSW_TRY(psw_file_make_dir(k->work_dir.path, err));
    rc = psw_owner_claim(k->work_dir.path, opts->out_path, &k->work_dir.is_new, err);
fail:
    return rc;
}

void psw_recorder_undo(struct psw_recorder *k)
{
    if (!k->journal) return;
    if (k->work_dir.is_new) psw_owner_release(k->work_dir.path);
    if (!k->opts->work_dir) rmdir(k->work_dir.path); /* stays when anything is in it */
    psw_journal_discard(k->journal);
    k->journal = NULL;
}

void psw_recorder_close(struct psw_recorder *k)
{
    psw_ledger_destroy(k->ledger);
    psw_journal_close(k->journal);
    psw_work_plan_clear(&k->plan);
    psw_sweep_destroy(k->sweep);
    free(k->before.ended);
    free(k->forget.run);
    free(k->tasks.progress);
    free(k->tasks.suspect);
    free(k->tasks.limit_s);
    free(k->tasks.is_measured);
    *k = (struct psw_recorder){0};
}

psw_status psw_recorder_write(struct psw_recorder *k, struct psw_error *err)
{
    const char *component[PSW_N_COMPONENT], *direction[PSW_N_DIRECTION];
    for (int i = 0; i < PSW_N_COMPONENT; i++)
        component[i] = psw_component_name((enum psw_component)i);
    for (int i = 0; i < PSW_N_DIRECTION; i++)
        direction[i] = psw_direction_name((enum psw_direction)i);
    const struct psw_results_axes axes = {component, direction, PSW_N_COMPONENT,
                                          PSW_N_DIRECTION};
    struct psw_results_layout *plan = NULL;
    psw_status rc = psw_results_layout_create(k->sweep, &axes, &plan, err);
    if (rc != PSW_OK) return rc;
    plan->note = k->notes.note;
    plan->n_note = k->notes.n;
    rc = psw_results_write(k->opts->out_path, plan, k->journal, err);
    psw_results_layout_destroy(plan);
    k->snapshot.is_due = 0;
    k->snapshot.at_s = psw_clock_s();
    return rc;
}

void psw_recorder_summary(const struct psw_recorder *k, struct psw_run_summary *out)
{
    *out = (struct psw_run_summary){.n_run = k->sweep->n_run, .n_unasked = k->before.n_unasked};
    for (int64_t i = 0; i < k->sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(k->journal, k->sweep->run[i].hash, NULL);
        out->n_done += o == PSW_OUTCOME_DONE;
        out->n_failed += o == PSW_OUTCOME_FAILED;
        out->n_diverged += o == PSW_OUTCOME_DIVERGED;
        out->n_timeout += o == PSW_OUTCOME_TIMEOUT;
        out->n_before += k->before.ended[i];
    }
}
