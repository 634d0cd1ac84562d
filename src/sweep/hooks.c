/* What the coordinator tells, written into the journal. Only policy tasks are runs; of the
 * shared stages it keeps starts and ends, to know which of them kill their ranks. */
#include "run_internal.h"
#include "run_log.h"

#include <posweep/config/pack.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct psw_task *task_of(const struct psw_recorder *k, int32_t task)
{
    return &k->plan.task[task];
}

/* Whether the end of a task is the end of a run. */
static int is_run(const struct psw_task *task)
{
    return !psw_stage_is_shared((enum psw_stage_kind)task->kind);
}

/* What the journal calls a task: a run by its hash, a shared stage by its content. */
static uint64_t name_of(const struct psw_recorder *k, int32_t task)
{
    return psw_recorder_name(k, task);
}

/* Which data a run has, and how much of them was cut. A restart says it again. */
static psw_status append_data(struct psw_recorder *k, const struct psw_attempt *a,
                              struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    const struct psw_plan_data *p = psw_plan_data_of(&k->plan, task_of(k, a->task)->run);
    char hash[PSW_HASH_TEXT_BYTES], name[PSW_FIELD_BYTES];
    psw_record_put_text(r, "data_hash", psw_hash_text(p->origins_hash, hash));
    for (int l = 0; l < PSW_N_CUT_LIST; l++) {
        const char *list = psw_data_list_name((enum psw_data_list)l);
        snprintf(name, sizeof name, "data_cut_prompts_%s", list);
        if (!isnan(p->cut[l].prompts)) psw_record_put_f64(r, name, p->cut[l].prompts);
        snprintf(name, sizeof name, "data_cut_responses_%s", list);
        if (!isnan(p->cut[l].responses)) psw_record_put_f64(r, name, p->cut[l].responses);
    }
    rc = psw_journal_append_record(k->journal, PSW_J_PIECE, name_of(k, a->task), a->number, r,
                                   err);
    psw_record_destroy(r);
    return rc;
}

/* What a run's attempts work on: points of other data or another code for them count no more.
 */
static psw_status append_content(struct psw_recorder *k, const struct psw_attempt *a,
                                 struct psw_error *err)
{
    const struct psw_task *t = task_of(k, a->task);
    uint64_t before = 0;
    const psw_status rc = psw_journal_content(k->journal, name_of(k, a->task), &before, err);
    if (rc != PSW_OK || before == t->key) return rc;
    const struct psw_journal_entry e = {.type = PSW_J_CONTENT,
                                        .run = name_of(k, a->task),
                                        .attempt = a->number,
                                        .n_bytes = sizeof t->key};
    return psw_journal_append(k->journal, e, &t->key, err);
}

static psw_status on_started(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    const struct psw_task *t = task_of(k, a->task);
    psw_log(PSW_LOG_INFO, "%s: attempt %d on %d rank%s of %s", t->name, a->number, a->n_rank,
            a->n_rank == 1 ? "" : "s", a->host);
    char where[256];
    const int n = snprintf(where, sizeof where, "%.200s%c%d", a->host, 0, a->n_rank);
    const psw_status rc =
        psw_journal_append(k->journal,
                           (struct psw_journal_entry){.type = PSW_J_STARTED,
                                                      .run = name_of(k, a->task),
                                                      .attempt = a->number,
                                                      .n_bytes = (size_t)n},
                           where, err);
    if (rc != PSW_OK || !is_run(t)) return rc;
    const psw_status told = append_content(k, a, err);
    return told == PSW_OK ? append_data(k, a, err) : told;
}

/* The run of the task. Points that an earlier attempt left are not measured again. */
static psw_status on_assign(void *ctx, int32_t task, const void **note, size_t *n_bytes,
                            struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    const struct psw_task *t = task_of(k, task);
    const struct psw_run *run = &k->sweep->run[t->run];
    const int is_repeated = is_run(t) && psw_ledger_n_attempt(k->ledger, task) >= 2;
    struct psw_config_reader reader = {0};
    struct psw_config base, config = *psw_sweep_config(k->sweep, t->run, &reader);
    struct psw_assigned_run own = {.hash = run->hash,
                                   .data_hash = psw_plan_data_of(&k->plan, t->run)->hash,
                                   .n_checkpoint =
                                       is_repeated ? psw_stage_n_checkpoint(&config) : 0};
    uint8_t *grown =
        realloc(k->tasks.note, sizeof own + PSW_CONFIG_PACKED_BYTES + (size_t)own.n_checkpoint);
    if (!grown)
        return psw_fail(err, PSW_ENOMEM, "%lld checkpoints", (long long)own.n_checkpoint);
    k->tasks.note = grown;
    psw_config_default(&base);
    config.limits.frozen_weights =
        k->plan.run[t->run].frozen_on_node ? PSW_FROZEN_NODE : PSW_FROZEN_RANK;
    own.n_config_bytes = (int64_t)psw_config_pack(&config, &base, grown + sizeof own);
    memcpy(grown, &own, sizeof own);
    *note = grown;
    *n_bytes = sizeof own + (size_t)(own.n_config_bytes + own.n_checkpoint);
    if (!is_repeated) return PSW_OK;
    return psw_journal_points(k->journal, name_of(k, task), own.n_checkpoint,
                              grown + sizeof own + own.n_config_bytes, err);
}

static void append_quietly(struct psw_recorder *k, enum psw_journal_type type, int32_t task,
                           const void *payload, size_t n_bytes)
{
    const psw_status rc = psw_journal_append(
        k->journal,
        (struct psw_journal_entry){.type = type,
                                   .run = name_of(k, task),
                                   .attempt = psw_ledger_n_attempt(k->ledger, task),
                                   .n_bytes = n_bytes},
        payload, NULL);
    (void)rc;
}

/* For `posweep status` of another process; a missing line does no harm, so faults are left to
 * the next sync, which comes soon. The first of an attempt is always recorded: it says
 * where the attempt began, and a later place than that of the one before says that deaths in
 * between were not for ever. */
static void on_progress(void *ctx, int32_t task, double done, double total)
{
    struct psw_recorder *k = ctx;
    const double done_total[2] = {done, total}, now_s = psw_clock_s();
    const double share = total > 0 ? done / total : 0;
    struct psw_task_progress *p = &k->tasks.progress[task];
    const int is_first = p->attempt != psw_ledger_n_attempt(k->ledger, task);
    if (!is_first && !psw_is_worth_recording(p->last, share, now_s)) return;
    p->last = (struct psw_progress_mark){.at_s = now_s, .share = share};
    p->attempt = psw_ledger_n_attempt(k->ledger, task);
    append_quietly(k, PSW_J_PROGRESS, task, done_total, sizeof done_total);
    if (!is_first) return;
    if (p->began_at >= 0 && share > p->began_at + 1e-9) {
        append_quietly(k, PSW_J_ADVANCED, task, NULL, 0);
        k->tasks.suspect[task] = 0;
    }
    p->began_at = share;
}

static psw_status on_payload(void *ctx, int32_t task, const void *bytes, size_t n_bytes,
                             struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    return psw_journal_append(
        k->journal,
        (struct psw_journal_entry){.type = PSW_J_PIECE,
                                   .run = name_of(k, task),
                                   .attempt = psw_ledger_n_attempt(k->ledger, task),
                                   .n_bytes = n_bytes},
        bytes, err);
}

static psw_status append_done(struct psw_recorder *k, const struct psw_attempt *a,
                              struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    const struct psw_task *t = task_of(k, a->task);
    const struct psw_stage_cost *cost = psw_plan_cost(&k->plan, t->run, PSW_STAGE_POLICY);
    psw_record_put_f64(r, "wall_s", a->duration_s);
    psw_record_put_i64(r, "n_rank", a->n_rank);
    psw_record_put_f64(r, "flops", k->plan.run[t->run].flops[PSW_STAGE_POLICY]);
    psw_record_put_i64(r, "planned_bytes", (int64_t)cost->peak_bytes);
    rc = psw_journal_append_record(k->journal, PSW_J_DONE, name_of(k, a->task), a->number, r,
                                   err);
    psw_record_destroy(r);
    return rc;
}

static psw_status record_done(struct psw_recorder *k, const struct psw_attempt *a,
                              struct psw_error *err)
{
    const struct psw_task *t = task_of(k, a->task);
    char took[32];
    psw_log(PSW_LOG_INFO, "%s: done in %s", t->name, psw_clock_text(a->duration_s, took));
    k->snapshot.is_due = 1;
    if (!is_run(t))
        return psw_journal_append(
            k->journal, (struct psw_journal_entry){.type = PSW_J_STAGE, .run = t->key}, NULL,
            err);
    const psw_status rc = append_done(k, a, err);
    if (rc == PSW_OK) k->forget.run[k->forget.n++] = t->run;
    return rc;
}

/* What was said while it was worked on, for whoever asks why; nothing depends on it. */
static void append_log(struct psw_recorder *k, int32_t task)
{
    char text[PSW_RUN_LOG_BYTES];
    const size_t n = psw_run_log_tail(k->work_dir.path, name_of(k, task), text);
    if (n > 0) append_quietly(k, PSW_J_LOG, task, text, n);
}

/* Of the time that a run may take the next attempt has what is left; a moment of it always is.
 */
static void spend_limit(struct psw_recorder *k, const struct psw_attempt *a)
{
    double *limit_s = &k->tasks.limit_s[a->task];
    if (*limit_s > 0) *limit_s = fmax(*limit_s - a->duration_s, PSW_LEAST_LIMIT_S);
}

static psw_status record_failed(struct psw_recorder *k, const struct psw_attempt *a,
                                struct psw_error *err)
{
    static const enum psw_journal_type TYPE[PSW_N_TASK_STATES] = {
        [PSW_TASK_FAILED] = PSW_J_FAILED,      [PSW_TASK_DIVERGED] = PSW_J_DIVERGED,
        [PSW_TASK_TIMED_OUT] = PSW_J_TIMEOUT,  [PSW_TASK_CENSORED] = PSW_J_CENSORED,
        [PSW_TASK_QUEUED] = PSW_J_INTERRUPTED, [PSW_TASK_INTERRUPTED] = PSW_J_INTERRUPTED};
    const struct psw_task *t = task_of(k, a->task);
    const int is_widened = a->state == PSW_TASK_QUEUED && a->code == PSW_ESTOP;
    char stopped[PSW_STOP_TEXT_BYTES];
    const char *text = a->state == PSW_TASK_CENSORED
                           ? psw_early_stop_text(&k->early, name_of(k, a->task), stopped)
                           : a->text;
    psw_log(a->code == PSW_ESTOP ? PSW_LOG_INFO : PSW_LOG_WARN, "%s: %s: %s", t->name,
            is_widened                    ? "goes on with more ranks"
            : a->state == PSW_TASK_QUEUED ? "trouble of the machine, will be tried again"
                                          : psw_task_state_name(a->state),
            text);
    if (is_widened) spend_limit(k, a);
    k->snapshot.is_due |= is_run(t);
    if (a->code != PSW_ESTOP) append_log(k, a->task);
    return psw_journal_append(
        k->journal,
        (struct psw_journal_entry){.type = is_run(t) ? TYPE[a->state] : PSW_J_INTERRUPTED,
                                   .run = name_of(k, a->task),
                                   .attempt = a->number,
                                   .n_bytes = strlen(text)},
        text, err);
}

static psw_status on_rung(void *ctx, int32_t task, const double step_value[2], int *stops,
                          struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    return psw_early_stop_see(&k->early, k->journal, name_of(k, task),
                              psw_ledger_n_attempt(k->ledger, task), step_value, stops, err);
}

static psw_status on_ended(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    return a->state == PSW_TASK_DONE ? record_done(ctx, a, err) : record_failed(ctx, a, err);
}

static void on_over(void *ctx, const struct psw_sweep_use *use)
{
    struct psw_recorder *k = ctx;
    const double bound_s = psw_sweep_use_bound_s(use);
    snprintf(k->notes.makespan, sizeof k->notes.makespan,
             "%.1f s on %d rank%s, %.3f times the bound (work %.1f s, longest chain %.1f s)",
             use->makespan_s, use->n_rank, use->n_rank == 1 ? "" : "s",
             bound_s > 0 ? use->makespan_s / bound_s : 1, use->work_rank_s / use->n_rank,
             use->chain_s);
    psw_log(PSW_LOG_NOTE, "makespan %s; the coordinator took %.1f %% of a core",
            k->notes.makespan, 100 * use->cpu_s / fmax(use->makespan_s, 1e-9));
    k->notes.note[k->notes.n++] = (struct psw_results_note){"makespan", k->notes.makespan};
}

static psw_status on_remark(void *ctx, const char *text, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    psw_log(PSW_LOG_WARN, "%s", text);
    return psw_journal_append(
        k->journal, (struct psw_journal_entry){.type = PSW_J_REMARK, .n_bytes = strlen(text)},
        text, err);
}

static psw_status on_stop(void *ctx, const char *why, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    return psw_journal_append(
        k->journal, (struct psw_journal_entry){.type = PSW_J_STOP, .n_bytes = strlen(why)}, why,
        err);
}

static psw_status on_died(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    char text[512], memory[256];
    snprintf(text, sizeof text, "rank %d on %s died at work on %s: %s; %s", a->rank[0], a->host,
             task_of(k, a->task)->name,
             a->code == PSW_ENOMEM ? "killed for memory"
                                   : "a crash, or killed, perhaps for memory",
             psw_work_plan_memory_text(k->sweep, &k->plan, a->task, memory, sizeof memory));
    psw_log(PSW_LOG_ERROR, "%s", text);
    return psw_journal_append(k->journal,
                              (struct psw_journal_entry){.type = PSW_J_DIED,
                                                         .run = name_of(k, a->task),
                                                         .attempt = a->number,
                                                         .n_bytes = strlen(text)},
                              text, err);
}

static psw_status on_silent(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    return psw_journal_append(k->journal,
                              (struct psw_journal_entry){.type = PSW_J_SILENT,
                                                         .run = name_of(k, a->task),
                                                         .attempt = a->number,
                                                         .n_bytes = strlen(a->text)},
                              a->text, err);
}

static psw_status on_host(void *ctx, const char *host, const char *why, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    return psw_host_list_record(k->journal, host, why, err);
}

static const char *on_known(void *ctx, const char *host)
{
    struct psw_recorder *k = ctx;
    return psw_host_list_why(&k->before.hosts, host, k->before.host_why);
}

static void last_words(void *ctx)
{
    struct psw_error err = {0};
    if (psw_recorder_write(ctx, &err) != PSW_OK) psw_log(PSW_LOG_ERROR, "%s", err.text);
    psw_log(PSW_LOG_ERROR, "ending the job without the ranks that do not answer; everything "
                           "that was saved is safe: run the same command again");
}

static psw_status on_sync(void *ctx, struct psw_error *err)
{
    struct psw_recorder *k = ctx;
    struct psw_config_reader reader = {0};
    psw_status rc = psw_journal_sync(k->journal, err);
    if (rc != PSW_OK) return rc;
    for (int32_t i = 0; i < k->forget.n; i++) {
        const int32_t run = k->forget.run[i];
        struct psw_error ignored = {0};
        const struct psw_config *config = psw_sweep_config(k->sweep, run, &reader);
        if (psw_stage_end_run(k->work_dir.path, config, psw_plan_data_of(&k->plan, run)->hash,
                              &ignored) != PSW_OK)
            psw_log(PSW_LOG_WARN, "%s", ignored.text);
    }
    k->forget.n = 0;
    return PSW_OK;
}

/* For `posweep status` of another process, which has no estimator of its own. As with progress,
 * a fault is left to the next sync. */
static void tell_forecast(struct psw_recorder *k, const struct psw_sweep_view *view)
{
    const double now_s = psw_clock_s();
    const int is_known = isfinite(view->eta_s);
    if (is_known <= k->forecast.has_left &&
        !psw_is_worth_recording(k->forecast.last, view->part_done, now_s))
        return;
    k->forecast.has_left |= is_known;
    k->forecast.last = (struct psw_progress_mark){.at_s = now_s, .share = view->part_done};
    const struct psw_forecast forecast = {.part_done = view->part_done,
                                          .left_s = is_known ? view->eta_s : NAN,
                                          .n_active = view->n_active,
                                          .n_rank = view->n_rank};
    const psw_status rc = psw_journal_append(
        k->journal,
        (struct psw_journal_entry){.type = PSW_J_FORECAST, .n_bytes = sizeof forecast},
        &forecast, NULL);
    (void)rc;
}

static void show_progress(const struct psw_recorder *k, const struct psw_sweep_view *view)
{
    struct psw_run_summary runs;
    if (!k->opts->progress) return;
    psw_recorder_summary(k, &runs);
    k->opts->progress(view, &runs);
}

/* What was done before this start counts, too, as runs of the mean cost of those that are left.
 */
static double part_of_all(const struct psw_recorder *k, double part_done)
{
    const double n = (double)k->sweep->n_run, n_before = (double)k->before.n_ended;
    return (n_before + part_done * (n - n_before)) / n;
}

/** The results file is renewed as often as asked, but nothing is handed out meanwhile: writing
 * it may take a twentieth of the time at most. */
static void on_tick(void *ctx, const struct psw_sweep_view *of_this_start)
{
    struct psw_recorder *k = ctx;
    const double every_s = k->opts->snapshot_s > 0 ? k->opts->snapshot_s : 60;
    struct psw_sweep_view view = *of_this_start;
    view.part_done = part_of_all(k, view.part_done);
    tell_forecast(k, &view);
    show_progress(k, &view);
    const double begin_s = psw_clock_s();
    const double wait_s = fmax(every_s, 20 * k->snapshot.took_s);
    if (!k->snapshot.is_due || begin_s - k->snapshot.at_s < wait_s) return;
    struct psw_error err = {0};
    if (psw_recorder_write(k, &err) != PSW_OK) psw_log(PSW_LOG_WARN, "%s", err.text);
    k->snapshot.took_s = psw_clock_s() - begin_s;
}

/* A retry that has not begun is not known as one to whoever plans anew. */
static int on_spare(void *ctx, int32_t n_spare)
{
    struct psw_recorder *k = ctx;
    const struct psw_run_opts *o = k->opts;
    if (o->part.of) return o->part.look(o->part.ctx, n_spare);
    if (n_spare < k->sweep->configs.first.limits.ranks_per_run ||
        (o->retry_failed && psw_ledger_count(k->ledger, PSW_TASK_QUEUED) > 0))
        return 0;
    return psw_added_look(o->added, o->sweep_path, o->sets, o->n_sets, k->sweep, 0);
}

static void on_grown(void *ctx)
{
    struct psw_recorder *k = ctx;
    k->is_to_grow = 1;
}

struct psw_sweep_hooks psw_recorder_hooks(struct psw_recorder *k)
{
    return (struct psw_sweep_hooks){.ctx = k,
                                    .on_started = on_started,
                                    .on_assign = on_assign,
                                    .on_payload = on_payload,
                                    .on_ended = on_ended,
                                    .on_progress = on_progress,
                                    .on_rung = on_rung,
                                    .on_remark = on_remark,
                                    .on_stop = on_stop,
                                    .on_lost.died = on_died,
                                    .at_end.over = on_over,
                                    .on_lost.silent = on_silent,
                                    .on_lost.host = on_host,
                                    .on_lost.known = on_known,
                                    .at_end.given_up = last_words,
                                    .added.look =
                                        k->opts->added || k->opts->part.look ? on_spare : NULL,
                                    .added.ended = on_grown,
                                    .sync = on_sync,
                                    .tick = on_tick};
}
