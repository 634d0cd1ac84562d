/* Asking attempts to save themselves: one whose time is up, that is stopped early or is to go
 * on with more ranks; or everybody, and until when they may answer. */
#include "coordinator_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/sweep/regroup.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>

/* Kept free between giving up silent ranks and the end of the walltime; and the least patience.
 */
static const double REQUEUE_S = 15, SHORTEST_STOP_S = 5;
/* Between looks for added tasks, and what is left must take so many times what it costs to
 * begin them at once. */
static const double LOOK_EVERY_S = 2, GROWING_PAYS = 2;

/* Ask the group that working rank i leads. The request before was for a task that has ended:
 * its message is small, and has gone. */
static void ask(struct psw_coordinator *c, int32_t i)
{
    const int to = c->team.first_rank + i;
    PSW_MPI(MPI_Wait(&c->halt.sent[i], MPI_STATUS_IGNORE));
    c->halt.message[i] = (struct psw_msg_stop){.task = c->team.rank[i].task};
    PSW_MPI(MPI_Isend(&c->halt.message[i], sizeof c->halt.message[i], MPI_BYTE, to,
                      PSW_TAG_STOP, c->link.control, &c->halt.sent[i]));
}

static int is_asked(const struct psw_active *a)
{
    return a->is_over_time || a->is_cut_short || a->next_ranks > 0;
}

void psw_coordinator_stop_overdue(struct psw_coordinator *c)
{
    for (int32_t i = 0; c->plan.tasks.limit_s && !c->halt.is_on && i < c->team.n_rank; i++) {
        struct psw_active *a = &c->team.active[i];
        const int32_t task = c->team.rank[i].task;
        if (task < 0 || c->team.rank[i].n_group == 0 || is_asked(a) ||
            !(c->plan.tasks.limit_s[task] > 0) ||
            psw_clock_s() - a->start_s < c->plan.tasks.limit_s[task])
            continue;
        a->is_over_time = 1;
        if (!c->team.is_alone) ask(c, i);
    }
}

void psw_coordinator_cut_short(struct psw_coordinator *c, int32_t leader)
{
    struct psw_active *a = &c->team.active[leader];
    if (a->is_cut_short) return;
    const int was_asked = is_asked(a);
    a->is_cut_short = 1;
    if (!c->halt.is_on && !was_asked && !c->team.is_alone) ask(c, leader);
}

/* Somebody is saving itself, and gets its ranks first. */
static int is_regrouping(const struct psw_coordinator *c)
{
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->team.rank[r].task >= 0 && c->team.active[r].next_ranks > 0) return 1;
    return 0;
}

static void regroup(struct psw_coordinator *c, double now_s)
{
    c->time.next_regroup_s = now_s + PSW_REGROUP_EVERY_S;
    if (is_regrouping(c)) return;
    const struct psw_sched_in in = psw_coordinator_view_of_state(c);
    int32_t n = 0, leader = 0;
    double left_s = 0;
    const int32_t task = psw_regroup(&in, c->team.chosen, &n, &left_s);
    if (task < 0) return;
    while (c->team.rank[leader].task != task || c->team.rank[leader].n_group == 0) leader++;
    struct psw_active *a = &c->team.active[leader];
    a->next_ranks = n;
    psw_log(PSW_LOG_INFO,
            "%s: is to save itself and go on with %d ranks in place of %d: about "
            "%.0f s in place of %.0f s",
            psw_ledger_task(c->plan.ledger, task)->name, n, a->n_rank, left_s,
            c->team.rank[leader].free_s - now_s);
    ask(c, leader);
}

/* Ranks that idle or make a task faster than it asked for, without those that tasks will want.
 */
static int32_t n_spare(const struct psw_coordinator *c)
{
    int32_t n = 0, first, n_order;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        const struct psw_sched_rank *rank = &c->team.rank[r];
        if (rank->out) continue;
        if (rank->task < 0)
            n++;
        else if (rank->n_group > 0)
            n += rank->n_group - psw_ledger_task(c->plan.ledger, rank->task)->n_rank;
    }
    const int32_t *order = psw_ledger_order(c->plan.ledger, &first, &n_order);
    for (int32_t at = first; at < n_order && n > 0; at++)
        if (psw_ledger_state(c->plan.ledger, order[at]) == PSW_TASK_QUEUED)
            n -= psw_ledger_task(c->plan.ledger, order[at])->n_rank;
    return n;
}

/* What is under way takes much longer than to save it and to come back, and there is time. */
static int is_worth_growing(const struct psw_coordinator *c, double now_s)
{
    const double restart_s = c->time.restart_s > 0 ? c->time.restart_s : PSW_SCHED_RESTART_S;
    const double cost_s = restart_s + c->plan.replan_s,
                 left_s = c->time.eta_s - (now_s - c->time.eta_at_s);
    if (now_s + cost_s + c->plan.checkpoint_s > c->time.until_s) return 0;
    return isnan(left_s) || left_s > GROWING_PAYS * cost_s;
}

/* A rank that was left out or a task that was set aside in this call stays so to its end. */
static int is_in_trouble(const struct psw_coordinator *c)
{
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->health.is_out[r] && !c->health.is_known[r]) return 1;
    return psw_ledger_count(c->plan.ledger, PSW_TASK_INTERRUPTED) > 0;
}

static void look_for_added(struct psw_coordinator *c, double now_s)
{
    c->time.next_added_s = now_s + LOOK_EVERY_S;
    if (c->team.n_active == 0 || c->commit.n_end > 0 || is_regrouping(c) || is_in_trouble(c) ||
        !is_worth_growing(c, now_s))
        return;
    const int32_t n = n_spare(c);
    if (n < 1 || !c->plan.hooks.added.look(c->plan.hooks.ctx, n)) return;
    psw_coordinator_stop(c, "to begin runs that were added");
    c->halt.is_to_grow = 1;
    c->halt.until_s = INFINITY; /* a slow step is no reason to lose it */
}

void psw_coordinator_use_idle(struct psw_coordinator *c)
{
    const double now_s = psw_clock_s();
    if (c->halt.is_on || c->fatal != PSW_OK || c->team.is_alone) return;
    if (c->plan.hooks.added.look && now_s >= c->time.next_added_s) look_for_added(c, now_s);
    if (!c->halt.is_on && now_s >= c->time.next_regroup_s) regroup(c, now_s);
}

void psw_coordinator_stop(struct psw_coordinator *c, const char *why)
{
    if (c->halt.is_on && !c->halt.is_to_grow) return;
    const int was_asked = c->halt.is_on;
    c->halt.is_on = 1;
    c->halt.is_to_grow = 0;
    c->halt.why = why;
    c->halt.asked_s = psw_clock_s();
    c->halt.n_asked = c->team.n_active;
    /* In time for whoever requeues the job, but not before anybody could have answered. */
    const double now_s = c->halt.asked_s;
    const double end_s = c->time.start_s + c->plan.walltime.end_unix_s - c->time.start_unix_s;
    c->halt.until_s =
        fmin(now_s + c->plan.stop_s, fmax(now_s + SHORTEST_STOP_S, end_s - REQUEUE_S));
    psw_log(PSW_LOG_INFO, "stopping: %s", why);
    psw_commit_stop(c, why);
    psw_commit_sync(c);
    for (int32_t i = 0; i < c->team.n_rank && !was_asked; i++)
        if (c->team.rank[i].task >= 0 && c->team.rank[i].n_group > 0 &&
            !is_asked(&c->team.active[i]) && !c->team.is_alone)
            ask(c, i);
}

void psw_coordinator_tell_saved(struct psw_coordinator *c)
{
    if (c->halt.is_to_grow && c->fatal == PSW_OK && c->plan.hooks.added.ended)
        c->plan.hooks.added.ended(c->plan.hooks.ctx);
    if (!c->halt.is_on || c->halt.n_asked == 0 || c->fatal != PSW_OK) return;
    psw_commit_sync(c);
    psw_log(PSW_LOG_NOTE, "all groups saved in %.3f s (%d of them)",
            psw_clock_s() - c->halt.asked_s, c->halt.n_asked);
}
