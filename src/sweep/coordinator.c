/* The coordinator. One loop: take messages, look whether to stop, hand out tasks, make ends
 * safe, tell how it goes, sleep. An end is told to the journal at once, but moves the ledger
 * only after a sync; ends that come close together share one. Alone (one rank), handing out a
 * task means performing it; everything else is the same code. */
#include "coordinator_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/sweep/coordinator.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/cast.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const double LONGEST_NAP_S = 2e-3;
enum { MESSAGES_PER_PASS = 64 };

/* What an attempt's status means for the task. */
static const struct {
    enum psw_task_event event;
    int stops_sweep;
} OUTCOMES[PSW_N_STATUS] = {
    [PSW_OK] = {PSW_TASK_FINISHED, 0},     [PSW_EINVAL] = {PSW_TASK_BROKE, 0},
    [PSW_ENOENT] = {PSW_TASK_BROKE, 0},    [PSW_EDATA] = {PSW_TASK_BROKE, 0},
    [PSW_EIO] = {PSW_TASK_LOST, 0},        [PSW_ENOSPC] = {PSW_TASK_STOPPED, 1},
    [PSW_EPERM] = {PSW_TASK_BROKE, 0},     [PSW_ENOMEM] = {PSW_TASK_LOST, 0},
    [PSW_EBUSY] = {PSW_TASK_LOST, 0},      [PSW_EDIVERGED] = {PSW_TASK_BLEW_UP, 0},
    [PSW_ESTOP] = {PSW_TASK_STOPPED, 0},   [PSW_EUNSUP] = {PSW_TASK_BROKE, 0},
    [PSW_EINTERNAL] = {PSW_TASK_BROKE, 0},
};

/* ---- stopping ---- */

static void begin_stop(struct psw_coordinator *c, const char *why)
{
    if (c->stopping) return;
    c->stopping = 1;
    c->why = why;
    psw_log(PSW_LOG_INFO, "stopping: %s", why);
    psw_book_sync(c);
    for (int32_t i = 0; i < c->n_rank; i++) {
        if (c->rank[i].task < 0 || !c->active[i].is_leader || c->is_alone) continue;
        const int to = c->first_rank + i;
        c->stop[i] = (struct psw_msg_stop){.task = c->rank[i].task};
        PSW_MPI(MPI_Isend(&c->stop[i], sizeof c->stop[i], MPI_BYTE, to, PSW_TAG_STOP,
                          c->link.control, &c->stop_sent[i]));
    }
}

static void look_whether_to_stop(struct psw_coordinator *c)
{
    if (c->stopping) return;
    if (c->fatal != PSW_OK)
        begin_stop(c, "an error of the coordinator");
    else if (psw_stop_requested())
        begin_stop(c, "asked by a signal");
    else if (psw_clock_s() >= c->until_s) {
        c->is_walltime = 1;
        begin_stop(c, "the walltime is about to end");
    }
}

/* ---- messages and their effects ---- */

static void on_progress(struct psw_coordinator *c, int32_t leader, double done, double total)
{
    struct psw_active *a = &c->active[leader];
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, c->rank[leader].task);
    const double now_s = psw_clock_s(), part = total > 0 ? fmin(done / total, 1.0) : 0;
    a->heard_s = now_s;
    if (a->part_at_first < 0) {
        a->part_at_first = part;
        a->first_s = now_s;
    }
    a->part = part;
    if (c->plan.hooks.on_progress) {
        psw_book_touch(c);
        c->plan.hooks.on_progress(c->plan.hooks.ctx, c->rank[leader].task, done, total);
    }
    const double gained = part - a->part_at_first;
    if (gained < 0.02) return;
    const double left_s = (now_s - a->first_s) * (1 - part) / gained;
    for (int32_t r = 0; r < c->n_rank; r++)
        if (c->rank[r].task == c->rank[leader].task) c->rank[r].free_s = now_s + left_s;
    if (!(psw_speed_flops_per_s(&c->speed, task->kind) > 0)) {
        struct psw_speed first = {0};
        struct psw_task gain = *task;
        gain.cost *= gained;
        psw_speed_learn(&first, &gain, now_s - a->first_s);
        c->speed.prior_flops_per_s = psw_speed_flops_per_s(&first, task->kind);
    }
}

static void learn_speed(struct psw_coordinator *c, int32_t leader, double duration_s)
{
    const struct psw_active *a = &c->active[leader];
    struct psw_task task = *psw_ledger_task(c->plan.ledger, c->rank[leader].task);
    const int is_resumed = psw_ledger_n_attempt(c->plan.ledger, c->rank[leader].task) > 1;
    if (is_resumed && a->part_at_first > 0) { /* only what this attempt did counts */
        task.cost *= 1 - a->part_at_first;
        duration_s = psw_clock_s() - a->first_s;
    }
    psw_speed_learn(&c->speed, &task, duration_s);
}

/* The group of `leader` is idle again and its task has ended this way. */
static void on_report(struct psw_coordinator *c, int32_t leader, const struct psw_msg_report *m)
{
    const psw_status code =
        (unsigned)m->code < PSW_N_STATUS ? (psw_status)m->code : PSW_EINTERNAL;
    struct psw_end end = {.task = m->task,
                          .event = OUTCOMES[code].event,
                          .code = code,
                          .duration_s = m->duration_s,
                          .leader = leader};
    if (code == PSW_OK) learn_speed(c, leader, m->duration_s);
    if (end.event == PSW_TASK_LOST &&
        psw_ledger_n_wasted(c->plan.ledger, m->task) + 1 >= c->plan.max_attempts)
        end.event = PSW_TASK_GIVEN_UP;
    psw_book_end(c, &end, m->text);
    for (int32_t r = 0; r < c->n_rank; r++)
        if (c->rank[r].task == m->task) c->rank[r].task = -1;
    c->n_active--;
    if (OUTCOMES[code].stops_sweep && c->fatal == PSW_OK) {
        c->fatal = psw_fail(&c->err, code, "task %d (%s): %s", m->task,
                            psw_ledger_task(c->plan.ledger, m->task)->name, m->text);
    }
    if (code == PSW_ESTOP) begin_stop(c, "a task was asked to stop");
}

static void receive_payload(struct psw_coordinator *c, int source)
{
    struct psw_msg_payload m;
    PSW_MPI(MPI_Recv(&m, sizeof m, MPI_BYTE, source, PSW_TAG_PAYLOAD, c->link.control,
                     MPI_STATUS_IGNORE));
    const size_t n_bytes = (size_t)m.n_bytes;
    if (n_bytes > c->n_buffer_bytes || !c->buffer) {
        free(c->buffer);
        c->buffer = malloc(n_bytes + 1);
        if (!c->buffer)
            psw_mpi_failed(MPI_ERR_NO_MEM, "malloc of a payload", __FILE__, __LINE__);
        c->n_buffer_bytes = n_bytes;
    }
    psw_link_recv_bytes(&c->link, source, c->buffer, n_bytes);
    psw_book_payload(c, m.task, c->buffer, n_bytes);
}

static void receive(struct psw_coordinator *c, const MPI_Status *status)
{
    const int source = status->MPI_SOURCE;
    struct psw_msg_progress progress;
    struct psw_msg_report report;
    switch (status->MPI_TAG) {
    case PSW_TAG_PROGRESS:
        PSW_MPI(MPI_Recv(&progress, sizeof progress, MPI_BYTE, source, PSW_TAG_PROGRESS,
                         c->link.control, MPI_STATUS_IGNORE));
        on_progress(c, source - c->first_rank, progress.done, progress.total);
        return;
    case PSW_TAG_PAYLOAD:
        receive_payload(c, source);
        return;
    case PSW_TAG_REPORT:
        PSW_MPI(MPI_Recv(&report, sizeof report, MPI_BYTE, source, PSW_TAG_REPORT,
                         c->link.control, MPI_STATUS_IGNORE));
        on_report(c, source - c->first_rank, &report);
        return;
    default:
        PSW_ASSERT(status->MPI_TAG == PSW_TAG_NOTE);
        PSW_MPI(MPI_Recv(NULL, 0, MPI_BYTE, source, PSW_TAG_NOTE, c->link.control,
                         MPI_STATUS_IGNORE));
        begin_stop(c, "asked by a signal");
    }
}

/* Take what has come; 1 if there was anything. */
static int take_messages(struct psw_coordinator *c)
{
    int n_taken = 0;
    for (; n_taken < MESSAGES_PER_PASS && !c->is_alone; n_taken++) {
        int there = 0;
        MPI_Status status;
        PSW_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, c->link.control, &there, &status));
        if (!there) break;
        receive(c, &status);
    }
    return n_taken > 0;
}

/* ---- handing out ---- */

static void local_progress(struct psw_job *job, double done, double total)
{
    struct psw_coordinator *c = job->self;
    on_progress(c, 0, done, total);
    psw_book_tick(c, 0);
}

static void local_emit(struct psw_job *job, const void *bytes, size_t n_bytes)
{
    psw_book_payload(job->self, job->task, bytes, n_bytes);
}

static int local_stop_seen(struct psw_job *job)
{
    struct psw_coordinator *c = job->self;
    look_whether_to_stop(c);
    return c->stopping;
}

static const struct psw_job_ops LOCAL = {local_progress, local_emit, local_stop_seen};

static void perform_here(struct psw_coordinator *c, const struct psw_msg_assign *a)
{
    struct psw_job job = {.ops = &LOCAL,
                          .self = c,
                          .group = c->link.self,
                          .is_leader = 1,
                          .task = a->index,
                          .attempt = a->attempt};
    struct psw_error err = {0};
    const double start_s = psw_clock_s();
    const psw_status rc =
        c->plan.work.perform(c->plan.work.ctx, job.group, &a->task, &job, &err);
    struct psw_msg_report m = {
        .task = a->index, .code = (int32_t)rc, .duration_s = psw_clock_s() - start_s};
    if (rc != PSW_OK) memcpy(m.text, err.text, sizeof m.text);
    on_report(c, 0, &m);
}

/* Give the task to the chosen ranks. */
static void start_task(struct psw_coordinator *c, int32_t index)
{
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, index);
    const double now_s = psw_clock_s();
    const double end_s = now_s + psw_speed_predict_s(&c->speed, task);
    struct psw_error err = {0};
    if (psw_ledger_apply(c->plan.ledger, index, PSW_TASK_ASSIGNED, NULL, &err) != PSW_OK) {
        psw_book_fatal(c, &err);
        return;
    }
    struct psw_msg_assign *a = c->assign;
    a->task = *task;
    a->index = index;
    a->attempt = psw_ledger_n_attempt(c->plan.ledger, index);
    a->n_rank = task->n_rank;
    for (int32_t i = 0; i < task->n_rank; i++) {
        const int32_t r = c->chosen[i];
        a->rank[i] = c->first_rank + r;
        c->rank[r].task = index;
        c->rank[r].free_s = end_s;
        c->active[r] =
            (struct psw_active){.is_leader = i == 0, .part_at_first = -1, .heard_s = now_s};
    }
    c->n_active++;
    c->n_started++;
    psw_book_started(c, a);
    if (c->is_alone) {
        perform_here(c, a);
        return;
    }
    for (int32_t i = 0; i < a->n_rank; i++)
        psw_link_send(&c->link, a->rank[i], PSW_TAG_ASSIGN, a, psw_msg_assign_bytes(a->n_rank));
}

/* Start what can be started; alone, one task at a time. 1 if anything was. */
static int hand_out(struct psw_coordinator *c)
{
    int n_started = 0;
    while (!c->stopping && c->fatal == PSW_OK) {
        const struct psw_sched_in in = psw_coordinator_view_of_state(c);
        const int32_t task = psw_schedule_next(&in, c->chosen);
        if (task < 0) break;
        start_task(c, task);
        n_started++;
        if (c->is_alone) break;
    }
    return n_started > 0;
}

/* ---- the loop ---- */

/* Nothing runs, nothing waits for a sync, and nothing can be started. */
static int is_over(struct psw_coordinator *c)
{
    if (c->n_active > 0 || c->n_end > 0) return 0;
    if (c->stopping || c->fatal != PSW_OK) return 1;
    if (psw_ledger_count(c->plan.ledger, PSW_TASK_QUEUED) == 0) return 1;
    const struct psw_sched_in in = psw_coordinator_view_of_state(c);
    if (psw_schedule_next(&in, c->chosen) >= 0) return 0;
    c->is_walltime = 1;
    begin_stop(c, "no task that is left could finish or save itself before the walltime ends");
    return 1;
}

/* Attempts that earlier starts lost count, too. */
static void give_up_lost(struct psw_coordinator *c)
{
    for (int32_t i = 0; i < psw_ledger_n_task(c->plan.ledger); i++) {
        if (psw_ledger_primary(c->plan.ledger, i) != i ||
            psw_ledger_state(c->plan.ledger, i) != PSW_TASK_QUEUED ||
            psw_ledger_n_wasted(c->plan.ledger, i) < c->plan.max_attempts)
            continue;
        const struct psw_end end = {
            .task = i, .event = PSW_TASK_GIVEN_UP, .code = PSW_EINTERNAL, .leader = -1};
        psw_book_end(c, &end,
                     "every attempt ended without a trace (killed, crashed or out of memory); "
                     "see the job's log, and limits.max_attempts");
    }
}

static void coordinate(struct psw_coordinator *c)
{
    give_up_lost(c);
    psw_book_commit(c, 1);
    int n_miss = 0;
    while (!is_over(c)) {
        int busy = take_messages(c);
        look_whether_to_stop(c);
        busy |= hand_out(c);
        busy |= psw_book_commit(c, 0);
        psw_book_tick(c, 0);
        if (busy)
            n_miss = 0;
        else
            psw_nap(&n_miss,
                    c->n_end > 0 ? fmin(LONGEST_NAP_S, c->plan.commit_s / 4) : LONGEST_NAP_S);
    }
    psw_book_sync(c);
    psw_book_tick(c, 1);
    for (int32_t r = 0; r < c->link.roster.n_rank; r++)
        if (r != c->link.rank) psw_link_send(&c->link, r, PSW_TAG_DISMISS, NULL, 0);
    PSW_MPI(MPI_Waitall(c->n_rank, c->stop_sent, MPI_STATUSES_IGNORE));
}

/* How the sweep ended. */
static psw_status verdict(struct psw_coordinator *c, struct psw_error *err)
{
    if (c->fatal != PSW_OK) {
        if (err) *err = c->err;
        return c->fatal;
    }
    const struct psw_ledger *l = c->plan.ledger;
    const int32_t n_left =
        psw_ledger_count(l, PSW_TASK_QUEUED) + psw_ledger_count(l, PSW_TASK_INTERRUPTED);
    if (n_left == 0) return PSW_OK;
    /* Another start would get as far: it must not be asked for again and again. */
    if (c->is_walltime && c->n_started == 0)
        return psw_fail(
            err, PSW_EINVAL,
            "the job's %.0f s of walltime are too short to start any of the %d tasks "
            "left: a task needs %.0f s until it can save itself "
            "(limits.checkpoint_s), and the last %.0f s are kept free",
            c->plan.end_unix_s - c->start_unix_s, n_left, c->plan.checkpoint_s,
            c->plan.margin_s);
    return psw_fail(err, PSW_ESTOP, "stopped (%s): %d tasks done, %d left for the next start",
                    c->why ? c->why : "no reason", psw_ledger_count(l, PSW_TASK_DONE), n_left);
}

static psw_status coordinator_init(struct psw_coordinator *c, struct psw_error *err)
{
    const struct psw_roster *roster = &c->link.roster;
    c->is_alone = roster->n_rank == 1;
    c->first_rank = c->is_alone ? 0 : 1;
    c->n_rank = roster->n_rank - c->first_rank;
    psw_status rc = psw_schedule_check(c->plan.ledger, c->n_rank, err);
    if (rc != PSW_OK) return rc;
    const size_t n = (size_t)c->n_rank;
    c->rank = calloc(n, sizeof *c->rank);
    c->active = calloc(n, sizeof *c->active);
    c->stop = calloc(n, sizeof *c->stop);
    c->stop_sent = calloc(n, sizeof *c->stop_sent);
    c->chosen = calloc(2 * n, sizeof *c->chosen);
    c->assign = calloc(1, psw_msg_assign_bytes(roster->n_rank));
    c->end = calloc(PSW_MAX_ENDS, sizeof *c->end);
    if (!c->rank || !c->active || !c->stop || !c->stop_sent || !c->chosen || !c->assign ||
        !c->end)
        return psw_fail(err, PSW_ENOMEM, "coordinator of %d ranks", c->n_rank);
    for (int32_t r = 0; r < c->n_rank; r++) {
        c->stop_sent[r] = MPI_REQUEST_NULL;
        c->rank[r].task = -1;
        const int32_t node = roster->node[c->first_rank + r] - c->first_rank;
        c->rank[r].node = node < 0 ? 0 : node;
    }
    return PSW_OK;
}

static void coordinator_clear(struct psw_coordinator *c)
{
    free(c->rank);
    free(c->active);
    free(c->stop);
    free(c->stop_sent);
    free(c->chosen);
    free(c->assign);
    free(c->end);
    free(c->buffer);
}

static double or_default(double value, double otherwise)
{
    return value > 0 ? value : otherwise;
}

psw_status psw_sweep_coordinate(MPI_Comm comm, const struct psw_sweep_plan *plan,
                                struct psw_error *err)
{
    struct psw_coordinator c = {.plan = *plan};
    c.plan.max_attempts = plan->max_attempts > 0 ? plan->max_attempts : 3;
    c.plan.checkpoint_s = or_default(plan->checkpoint_s, 60);
    c.plan.margin_s = or_default(plan->margin_s, 60);
    c.plan.end_unix_s = or_default(plan->end_unix_s, psw_stop_end_unix_s());
    c.plan.commit_s = or_default(plan->commit_s, 0.005);
    c.plan.tick_s = or_default(plan->tick_s, 0.5);
    c.speed.prior_flops_per_s = plan->flops_per_s;
    c.commit_window_s = c.plan.commit_s;
    c.start_s = psw_clock_s();
    c.start_unix_s = psw_clock_unix_s();
    const double left_s = c.plan.end_unix_s - c.start_unix_s;
    c.plan.margin_s = fmin(c.plan.margin_s, left_s / 8);
    c.until_s = c.start_s + left_s - c.plan.margin_s;
    psw_status rc = psw_link_open(comm, &c.link, err);
    if (rc != PSW_OK) return rc;
    PSW_ASSERT(c.link.rank == 0);
    rc = psw_agree(c.link.control, coordinator_init(&c, err), err);
    if (rc == PSW_OK) {
        coordinate(&c);
        rc = verdict(&c, err);
    }
    coordinator_clear(&c);
    return psw_link_close(&c.link, rc, err);
}
