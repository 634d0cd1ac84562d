/* What ranks report of an attempt: how far it is, and how it ended. Trouble of the machine
 * (files of the work folder, memory) is never a task's end: it is tried again, elsewhere first,
 * and in the end left for the next start; only trouble of the task itself is a result. */
#include "coordinator_internal.h"
#include "fault.h"

#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

void psw_report_progress(struct psw_coordinator *c, int32_t leader, double done, double total)
{
    struct psw_active *a = &c->team.active[leader];
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, c->team.rank[leader].task);
    const double now_s = psw_clock_s(), part = total > 0 ? fmin(done / total, 1.0) : 0;
    psw_silence_heard(c, leader);
    if (a->part_at_first < 0) {
        a->part_at_first = part;
        a->first_s = now_s;
        /* To save itself takes less than to begin. */
        c->time.restart_s = fmax(c->time.restart_s, 2 * (now_s - a->start_s));
    }
    a->part = part;
    if (c->plan.hooks.on_progress) {
        psw_commit_touch(c);
        c->plan.hooks.on_progress(c->plan.hooks.ctx, c->team.rank[leader].task, done, total);
    }
    const double gained = part - a->part_at_first;
    if (gained < 0.02) return;
    const double left_s = (now_s - a->first_s) * (1 - part) / gained;
    c->team.rank[leader].stays = 0;
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->team.rank[r].task == c->team.rank[leader].task)
            c->team.rank[r].free_s = now_s + left_s;
    if (!(psw_speed_flops_per_s(&c->speed, task->kind) > 0)) {
        struct psw_speed first = {0};
        struct psw_task gain = *task;
        gain.cost *= gained;
        psw_speed_learn(&first, &gain, a->n_rank, now_s - a->first_s);
        c->speed.prior_flops_per_s = psw_speed_flops_per_s(&first, task->kind);
    }
}

static void learn_speed(struct psw_coordinator *c, int32_t leader, double duration_s)
{
    const struct psw_active *a = &c->team.active[leader];
    struct psw_task task = *psw_ledger_task(c->plan.ledger, c->team.rank[leader].task);
    const int32_t index = c->team.rank[leader].task;
    const int is_resumed = psw_ledger_n_attempt(c->plan.ledger, index) > 1 ||
                           psw_ledger_left(c->plan.ledger, index) < 1;
    if (is_resumed && a->part_at_first > 0) { /* only what this attempt did counts */
        task.cost *= 1 - a->part_at_first;
        duration_s = psw_clock_s() - a->first_s;
    }
    psw_speed_learn(&c->speed, &task, a->n_rank, duration_s);
}

/* Ranks that are left out, or let in again, since this attempt's end. */
static void apply_health(struct psw_coordinator *c)
{
    const struct psw_roster *roster = &c->link.roster;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        if (c->team.rank[r].out == c->health.is_out[r]) continue;
        c->team.rank[r].out = c->health.is_out[r];
        psw_left_out_changed(c, r);
        const int32_t rank = c->team.first_rank + r, node = c->health.node[r];
        const int is_by_node = c->health.n_charge[r] < PSW_HEALTH_ROW;
        if (c->team.rank[r].out && c->health.is_node_out[node] && is_by_node)
            psw_commit_remark(c,
                              "rank %d on %s is left out with its node: %d tasks met trouble "
                              "there; the last: %.700s",
                              rank, roster->host[rank], c->health.n_node_charge[node],
                              c->lost.trouble);
        else if (c->team.rank[r].out)
            psw_commit_remark(c,
                              "rank %d on %s is left out: %d tasks in a row met trouble there; "
                              "the last: %.700s",
                              rank, roster->host[rank], PSW_HEALTH_ROW, c->lost.trouble);
        else
            psw_commit_remark(c,
                              "rank %d on %s gets work again: its tasks failed elsewhere, too",
                              rank, roster->host[rank]);
    }
    if (c->lost.is_hopeless || !psw_health_is_hopeless(&c->health)) return;
    c->lost.is_hopeless = 1;
    psw_coordinator_stop(c, "the last attempts, on all ranks, met trouble of the machine");
}

/* Of the group that worked on the task. */
static void note_success(struct psw_coordinator *c, int32_t task)
{
    int32_t n = 0;
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->team.rank[r].task == task) c->team.chosen[n++] = r;
    psw_health_success(&c->health, task, c->team.chosen, n);
    for (int32_t i = 0; i < n; i++) psw_left_out_works(c, c->team.chosen[i]);
    apply_health(c);
}

/* Trouble of the machine: who had it, and whether this start tries once more. */
static void note_trouble(struct psw_coordinator *c, const struct psw_msg_report *m,
                         struct psw_end *end, char text[PSW_ERROR_TEXT_BYTES])
{
    const int32_t n_lost = psw_ledger_n_wasted(c->plan.ledger, m->task) + 1;
    int32_t culprit = m->culprit - c->team.first_rank;
    if (culprit < 0 || culprit >= c->team.n_rank) culprit = end->leader;
    const int32_t rank = c->team.first_rank + culprit;
    snprintf(c->lost.trouble, sizeof c->lost.trouble, "rank %d on %s: %.900s", rank,
             c->link.roster.host[rank], m->text);
    snprintf(text, PSW_ERROR_TEXT_BYTES, "%s", c->lost.trouble);
    if (n_lost >= c->plan.max_attempts) {
        end->event = PSW_TASK_SET_ASIDE;
        snprintf(text, PSW_ERROR_TEXT_BYTES,
                 "trouble of the machine in %d attempts, the next start tries again; the last: "
                 "%.900s",
                 n_lost, c->lost.trouble);
    }
    psw_health_trouble(&c->health, m->task, culprit);
}

/* Who was told to stop because its time is up has not been asked to stop for another reason. */
static enum psw_fault fault_of(const struct psw_coordinator *c, int32_t leader, psw_status code)
{
    const struct psw_active *a = &c->team.active[leader];
    if (code != PSW_ESTOP || c->halt.is_on) return psw_fault_of(code);
    return a->is_cut_short   ? PSW_FAULT_CENSORED
           : a->is_over_time ? PSW_FAULT_TIMEOUT
           : a->next_ranks   ? PSW_FAULT_WIDENED
                             : psw_fault_of(code);
}

/* The next attempt has more ranks, and only what is left to do. */
static void note_widened(struct psw_coordinator *c, int32_t leader,
                         const struct psw_msg_report *m, char text[PSW_ERROR_TEXT_BYTES])
{
    const struct psw_active *a = &c->team.active[leader];
    psw_ledger_resume(c->plan.ledger, m->task, a->part, a->next_ranks);
    snprintf(text, PSW_ERROR_TEXT_BYTES, "saved, to go on with %d ranks in place of %d: %.800s",
             a->next_ranks, a->n_rank, m->text);
}

void psw_report_end(struct psw_coordinator *c, int32_t leader, const struct psw_msg_report *m)
{
    char text[PSW_ERROR_TEXT_BYTES];
    const psw_status code =
        (unsigned)m->code < PSW_N_STATUS ? (psw_status)m->code : PSW_EINTERNAL;
    const struct psw_fault_policy *policy = psw_fault_policy(fault_of(c, leader, code));
    struct psw_end end = {.task = m->task,
                          .event = policy->event,
                          .code = code,
                          .duration_s = m->duration_s,
                          .leader = leader};
    snprintf(text, sizeof text, "%s", m->text);
    psw_use_count(c, m->task, c->team.active[leader].n_rank, m->duration_s);
    if (code == PSW_OK) learn_speed(c, leader, m->duration_s);
    if (end.event == PSW_TASK_OVERRAN)
        snprintf(text, sizeof text,
                 "longer than limits.run_s: %.800s; it is saved, and goes on with "
                 "--retry-failed",
                 m->text);
    if (end.event == PSW_TASK_LOST) note_trouble(c, m, &end, text);
    if (end.event == PSW_TASK_WIDENED) note_widened(c, leader, m, text);
    psw_commit_end(c, &end, text);
    if (policy->event == PSW_TASK_LOST)
        apply_health(c);
    else if (code == PSW_OK || code == PSW_EDIVERGED)
        note_success(c, m->task);
    for (int32_t r = 0; r < c->team.n_rank; r++)
        if (c->team.rank[r].task == m->task) c->team.rank[r].task = -1;
    c->team.n_active--;
    if (policy->stops_sweep && c->fatal == PSW_OK) {
        c->fatal = psw_fail(&c->err, code, "task %d (%s): %s", m->task,
                            psw_ledger_task(c->plan.ledger, m->task)->name, m->text);
    }
    if (policy->event == PSW_TASK_STOPPED && code == PSW_ESTOP && !c->halt.is_on)
        psw_coordinator_stop(c, "a task was asked to stop");
}
