/* Group commit: what happens is told to the hooks in order; ends wait until a sync made them
 * safe, then the ledger moves and dependents wake. A sync is shared by the ends of commit_s,
 * unless somebody waits for one of them. What no end follows soon (starts, progress, results of
 * long runs) is made safe by the tick, for readers and for the next start. */
#include "coordinator_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A forecast may take a five-hundredth of the time. */
static const double FORECAST_EVERY_S = 2, FORECAST_WAIT = 500, SYNC_AFTER_S = 2;
/* A sync may take a tenth of the time, but nobody waits longer than this for company. */
static const double WINDOW_PER_SYNC = 10, LONGEST_WINDOW_S = 0.25;

struct psw_sched_in psw_coordinator_view_of_state(const struct psw_coordinator *c)
{
    return (struct psw_sched_in){.ledger = c->plan.ledger,
                                 .speed = &c->speed,
                                 .rank = c->team.rank,
                                 .n_rank = c->team.n_rank,
                                 .now_s = psw_clock_s(),
                                 .until_s = c->time.until_s,
                                 .alone = c->plan.tasks.suspect,
                                 .n_end = c->commit.n_end,
                                 .avoid = (const int32_t(*)[PSW_SCHED_AVOIDED])c->health.avoid,
                                 .checkpoint_s = c->plan.checkpoint_s,
                                 .restart_s = c->time.restart_s > 0 ? c->time.restart_s
                                                                    : PSW_SCHED_RESTART_S,
                                 .widen_s = c->plan.widen_s};
}

void psw_commit_fatal(struct psw_coordinator *c, const struct psw_error *err)
{
    if (c->fatal != PSW_OK) return;
    c->fatal = err->code != PSW_OK ? err->code : PSW_EINTERNAL;
    c->err = *err;
}

/* A hook returned this. */
static void check(struct psw_coordinator *c, psw_status rc, struct psw_error *err)
{
    if (rc == PSW_OK) return;
    err->code = rc;
    psw_commit_fatal(c, err);
}

void psw_commit_remark(struct psw_coordinator *c, const char *format, ...)
{
    char text[PSW_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->fatal != PSW_OK) psw_log(PSW_LOG_WARN, "%s", text); /* the journal takes no more */
    if (!c->plan.hooks.on_remark || c->fatal != PSW_OK) return;
    struct psw_error err = {0};
    psw_commit_touch(c);
    check(c, c->plan.hooks.on_remark(c->plan.hooks.ctx, text, &err), &err);
}

void psw_commit_stop(struct psw_coordinator *c, const char *why)
{
    if (!c->plan.hooks.on_stop || c->fatal != PSW_OK) return;
    struct psw_error err = {0};
    psw_commit_touch(c);
    check(c, c->plan.hooks.on_stop(c->plan.hooks.ctx, why, &err), &err);
}

typedef psw_status psw_rank_hook(void *ctx, const struct psw_attempt *, struct psw_error *);

/* Something befell working rank r at its task. */
static void tell_of_rank(struct psw_coordinator *c, psw_rank_hook *hook, int32_t r,
                         psw_status code, const char *text)
{
    if (!hook || c->fatal != PSW_OK) return;
    const int32_t rank = c->team.first_rank + r, task = c->team.rank[r].task;
    const struct psw_attempt attempt = {.task = task,
                                        .number = psw_ledger_n_attempt(c->plan.ledger, task),
                                        .state = PSW_TASK_ACTIVE,
                                        .code = code,
                                        .text = text,
                                        .n_rank = 1,
                                        .rank = &rank,
                                        .host = c->link.roster.host[rank]};
    struct psw_error err = {0};
    psw_commit_touch(c);
    check(c, hook(c->plan.hooks.ctx, &attempt, &err), &err);
}

void psw_commit_died(struct psw_coordinator *c, int32_t r, int for_memory)
{
    tell_of_rank(c, c->plan.hooks.on_lost.died, r, for_memory ? PSW_ENOMEM : PSW_OK, "");
}

void psw_commit_silent(struct psw_coordinator *c, int32_t r, const char *text)
{
    tell_of_rank(c, c->plan.hooks.on_lost.silent, r, PSW_OK, text);
}

void psw_commit_touch(struct psw_coordinator *c)
{
    if (!c->commit.is_dirty) c->commit.dirty_at_s = psw_clock_s();
    c->commit.is_dirty = 1;
}

void psw_commit_started(struct psw_coordinator *c, const struct psw_msg_assign *a)
{
    if (!c->plan.hooks.on_started || c->fatal != PSW_OK) return;
    const struct psw_attempt attempt = {.task = a->index,
                                        .number = a->attempt,
                                        .state = PSW_TASK_ACTIVE,
                                        .text = "",
                                        .n_rank = a->n_rank,
                                        .rank = a->rank,
                                        .host = c->link.roster.host[a->rank[0]]};
    struct psw_error err = {0};
    psw_commit_touch(c);
    check(c, c->plan.hooks.on_started(c->plan.hooks.ctx, &attempt, &err), &err);
}

int32_t psw_commit_assign(struct psw_coordinator *c, int32_t task, const void **note)
{
    size_t n_bytes = 0;
    struct psw_error err = {0};
    if (!c->plan.hooks.on_assign) return 0;
    check(c, c->plan.hooks.on_assign(c->plan.hooks.ctx, task, note, &n_bytes, &err), &err);
    PSW_ASSERT(n_bytes <= INT32_MAX);
    return (int32_t)n_bytes;
}

void psw_commit_payload(struct psw_coordinator *c, int32_t task, const void *bytes, size_t n)
{
    c->commit.n_payload_bytes += (int64_t)n;
    if (!c->plan.hooks.on_payload || c->fatal != PSW_OK) return;
    struct psw_error err = {0};
    psw_commit_touch(c);
    check(c, c->plan.hooks.on_payload(c->plan.hooks.ctx, task, bytes, n, &err), &err);
}

static void tell_end(struct psw_coordinator *c, const struct psw_end *end,
                     enum psw_task_state state)
{
    if (c->fatal != PSW_OK) return;
    struct psw_attempt attempt = {.task = end->task,
                                  .number = psw_ledger_n_attempt(c->plan.ledger, end->task),
                                  .state = state,
                                  .code = end->code,
                                  .text = end->text,
                                  .rank = c->team.chosen,
                                  .host = "",
                                  .duration_s = end->duration_s};
    if (end->leader >= 0) {
        attempt.host = c->link.roster.host[c->team.first_rank + end->leader];
        for (int32_t r = 0; r < c->team.n_rank; r++)
            if (c->team.rank[r].task == end->task)
                c->team.chosen[attempt.n_rank++] = c->team.first_rank + r;
    }
    struct psw_error err = {0};
    const struct psw_sweep_hooks *hooks = &c->plan.hooks;
    psw_commit_touch(c);
    if (hooks->on_ended) check(c, hooks->on_ended(hooks->ctx, &attempt, &err), &err);
}

void psw_commit_end(struct psw_coordinator *c, const struct psw_end *end, const char *text)
{
    if (c->commit.n_end == PSW_MAX_ENDS) psw_commit_ends(c, 1);
    if (c->commit.n_end == 0) c->commit.oldest_end_s = psw_clock_s();
    struct psw_end *kept = &c->commit.end[c->commit.n_end++];
    *kept = *end;
    snprintf(kept->text, sizeof kept->text, "%s", text ? text : "");
    const int to = psw_task_move(psw_ledger_state(c->plan.ledger, end->task), end->event);
    PSW_ASSERT(to >= 0);
    tell_end(c, kept, (enum psw_task_state)to);
}

void psw_commit_sync(struct psw_coordinator *c)
{
    if (!c->commit.is_dirty || c->fatal != PSW_OK) return;
    c->commit.is_dirty = 0;
    if (!c->plan.hooks.sync) return;
    struct psw_error err = {0};
    const double begin_s = psw_clock_s();
    check(c, c->plan.hooks.sync(c->plan.hooks.ctx, &err), &err);
    if (c->commit.n_end == 0) return; /* perhaps nothing had to be written: that says nothing */
    const double window_s = WINDOW_PER_SYNC * (psw_clock_s() - begin_s);
    c->commit.window_s = fmax(c->plan.commit_s, fmin(window_s, LONGEST_WINDOW_S));
}

/* Tasks that failed or diverged because something they depend on did. */
static void tell_blocked(struct psw_coordinator *c)
{
    for (int32_t t; (t = psw_ledger_next_blocked(c->plan.ledger)) >= 0;) {
        struct psw_end end = {
            .task = t, .event = PSW_TASK_BLOCKED, .code = PSW_EINVAL, .leader = -1};
        snprintf(end.text, sizeof end.text, "%s", psw_ledger_text(c->plan.ledger, t));
        tell_end(c, &end, psw_ledger_state(c->plan.ledger, t));
    }
}

static int is_due(const struct psw_coordinator *c)
{
    if (c->commit.n_end == 0) return 0;
    if (c->team.n_active == 0 && !c->team.is_alone) return 1;
    if (psw_clock_s() - c->commit.oldest_end_s >= c->commit.window_s) return 1;
    /* Ranks are idle although tasks are left: they may wait for one of these ends. */
    int32_t n_idle = 0, n_usable = 0;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        n_usable += !c->team.rank[r].out;
        n_idle += !c->team.rank[r].out && c->team.rank[r].task < 0;
    }
    if (n_idle == 0 || psw_ledger_count(c->plan.ledger, PSW_TASK_QUEUED) == 0)
        return n_idle == n_usable && psw_ledger_count(c->plan.ledger, PSW_TASK_QUEUED) == 0;
    const struct psw_sched_in in = psw_coordinator_view_of_state(c);
    int32_t n_rank;
    return psw_schedule_next(&in, c->team.chosen, &n_rank) < 0;
}

/* What a task depends on may be gone or damaged: whoever performs it again leaves it alone if
 * it is not. */
static void redo_dependencies(struct psw_coordinator *c, const struct psw_end *end)
{
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, end->task);
    if (end->event != PSW_TASK_LOST || (end->code != PSW_ENOENT && end->code != PSW_EDATA))
        return;
    for (int32_t d = 0; d < task->n_dep; d++) {
        const int32_t dep = task->dep[d];
        struct psw_error err = {0};
        if (psw_ledger_state(c->plan.ledger, dep) == PSW_TASK_DONE &&
            psw_ledger_apply(c->plan.ledger, dep, PSW_TASK_REDO, NULL, &err) != PSW_OK)
            psw_commit_fatal(c, &err);
    }
}

int psw_commit_ends(struct psw_coordinator *c, int now)
{
    tell_blocked(c);
    if (!now && !is_due(c)) return 0;
    psw_commit_sync(c);
    const int32_t n_end = c->commit.n_end;
    for (int32_t i = 0; i < n_end; i++) {
        const struct psw_end *end = &c->commit.end[i];
        struct psw_error err = {0};
        /* What could not be made safe is left for the next start. */
        const enum psw_task_event event =
            c->fatal != PSW_OK && end->leader >= 0 ? PSW_TASK_STOPPED : end->event;
        if (psw_ledger_apply(c->plan.ledger, end->task, event, end->text, &err) != PSW_OK)
            psw_commit_fatal(c, &err);
        else if (event == end->event)
            redo_dependencies(c, end);
    }
    c->commit.n_end = 0;
    tell_blocked(c);
    return n_end > 0;
}

/* The part of the sweep's cost that is done. */
static double part_done(const struct psw_coordinator *c)
{
    double all = 0, done = 0;
    for (int32_t i = 0; i < psw_ledger_n_task(c->plan.ledger); i++) {
        const enum psw_task_state state = psw_ledger_state(c->plan.ledger, i);
        const double cost = psw_ledger_task(c->plan.ledger, i)->cost;
        all += cost;
        if (state == PSW_TASK_QUEUED || state == PSW_TASK_INTERRUPTED)
            done += cost * (1 - psw_ledger_left(c->plan.ledger, i));
        else if (state != PSW_TASK_ACTIVE)
            done += cost;
    }
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->team.rank[r].task >= 0 && c->team.rank[r].n_group > 0)
            done += c->team.active[r].part *
                    psw_ledger_task(c->plan.ledger, c->team.rank[r].task)->cost;
    return all > 0 ? done / all : 1;
}

/* The forecast ages between simulations, which cost more than a tick should. */
static double eta(struct psw_coordinator *c, double now_s, int now)
{
    if (now || now_s >= c->time.next_forecast_s || isnan(c->time.eta_s)) {
        const struct psw_sched_in in = psw_coordinator_view_of_state(c);
        if (psw_schedule_forecast(&in, &c->time.eta_s, NULL) != PSW_OK) c->time.eta_s = NAN;
        const double end_s = psw_clock_s(), cost_s = end_s - now_s;
        c->time.next_forecast_s = end_s + fmax(FORECAST_EVERY_S, FORECAST_WAIT * cost_s);
        c->time.eta_at_s = now_s;
    }
    const double left_s = c->time.eta_s - (now_s - c->time.eta_at_s);
    return left_s < 0 ? 0 : left_s;
}

void psw_commit_tick(struct psw_coordinator *c, int now)
{
    const double now_s = psw_clock_s();
    if (!now && now_s < c->time.next_tick_s) return;
    c->time.next_tick_s = now_s + c->plan.tick_s;
    if (c->commit.is_dirty && now_s - c->commit.dirty_at_s >= SYNC_AFTER_S) psw_commit_sync(c);
    if (!c->plan.hooks.tick) return;
    struct psw_sweep_view view = {.part_done = part_done(c),
                                  .elapsed_s = now_s - c->time.start_s,
                                  .eta_s = eta(c, now_s, now),
                                  .flops_per_s =
                                      psw_speed_flops_per_s(&c->speed, -1) * c->team.n_rank,
                                  .n_active = c->team.n_active,
                                  .n_rank = c->team.n_rank,
                                  .stopping = c->halt.is_on,
                                  .n_payload_bytes = c->commit.n_payload_bytes};
    for (int s = 0; s < PSW_N_TASK_STATES; s++) {
        view.n_in[s] = psw_ledger_count(c->plan.ledger, (enum psw_task_state)s);
        view.n_task += view.n_in[s];
    }
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        view.n_idle += !c->team.rank[r].out && c->team.rank[r].task < 0;
        if (c->team.rank[r].task >= 0 && c->team.rank[r].n_group > 0)
            view.silent_s = fmax(view.silent_s, now_s - c->team.active[r].heard_s);
    }
    psw_commit_touch(c); /* a tick may tell, too */
    c->plan.hooks.tick(c->plan.hooks.ctx, &view);
}
