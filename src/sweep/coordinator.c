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

static const double LONGEST_WAIT_S = 2e-3;
enum { MESSAGES_PER_PASS = 64 };
/* Between signs of life of a rank at work: a part of the silence that ends the job, but not so
 * often that thousands of ranks keep the coordinator busy. */
static const double BEAT = 0.1, SHORTEST_BEAT_S = 0.1, LONGEST_BEAT_S = 10;

/* ---- stopping ---- */

/* c->lost.dead: how many processes were killed for memory there, and ranks that were seen dead
 * when the signal came. What they worked on is told, so that a run that kills its rank is known
 * by it, and no other is suspected. */
static void note_dead(struct psw_coordinator *c, int32_t n_dead)
{
    for (int32_t i = 1; i <= n_dead; i++) {
        const int32_t r = c->lost.dead[i] - c->team.first_rank;
        if (r >= 0 && r < c->team.n_rank && c->team.rank[r].task >= 0)
            psw_commit_died(c, r, c->lost.dead[0] > 0);
    }
    if (n_dead > 0) psw_commit_sync(c);
}

static void look_whether_to_stop(struct psw_coordinator *c)
{
    if (c->halt.is_on && !c->halt.is_to_grow) return;
    if (c->fatal != PSW_OK)
        psw_coordinator_stop(c, "an error of the coordinator");
    else if (psw_stop_requested()) {
        c->lost.dead[0] = psw_link_oom_kills(&c->link);
        note_dead(c, psw_link_dead(&c->link, c->lost.dead + 1));
        psw_coordinator_stop(c, "asked by a signal");
    } else if (psw_clock_s() >= c->time.until_s) {
        c->halt.is_walltime = 1;
        psw_coordinator_stop(c, "the walltime is about to end");
    }
}

/* ---- messages and their effects ---- */

static void receive_payload(struct psw_coordinator *c, int source)
{
    struct psw_msg_payload m;
    PSW_MPI(MPI_Recv(&m, sizeof m, MPI_BYTE, source, PSW_TAG_PAYLOAD, c->link.control,
                     MPI_STATUS_IGNORE));
    const size_t n_bytes = (size_t)m.n_bytes;
    if (n_bytes > c->commit.n_buffer_bytes || !c->commit.buffer) {
        free(c->commit.buffer);
        c->commit.buffer = malloc(n_bytes + 1);
        if (!c->commit.buffer)
            psw_mpi_failed(MPI_ERR_NO_MEM, "malloc of a payload", __FILE__, __LINE__);
        c->commit.n_buffer_bytes = n_bytes;
    }
    psw_link_recv_bytes(&c->link, source, c->commit.buffer, n_bytes);
    psw_commit_payload(c, m.task, c->commit.buffer, n_bytes);
}

static void receive(struct psw_coordinator *c, const MPI_Status *status)
{
    const int source = status->MPI_SOURCE;
    struct psw_msg_progress progress;
    struct psw_msg_report report;
    struct psw_msg_rung rung;
    int n_dead = 0;
    psw_silence_heard(c, source - c->team.first_rank);
    switch (status->MPI_TAG) {
    case PSW_TAG_PROGRESS:
        PSW_MPI(MPI_Recv(&progress, sizeof progress, MPI_BYTE, source, PSW_TAG_PROGRESS,
                         c->link.control, MPI_STATUS_IGNORE));
        psw_report_progress(c, source - c->team.first_rank, progress.done, progress.total);
        return;
    case PSW_TAG_BEAT:
        PSW_MPI(MPI_Recv(NULL, 0, MPI_BYTE, source, PSW_TAG_BEAT, c->link.control,
                         MPI_STATUS_IGNORE));
        return;
    case PSW_TAG_RUNG:
        PSW_MPI(MPI_Recv(&rung, sizeof rung, MPI_BYTE, source, PSW_TAG_RUNG, c->link.control,
                         MPI_STATUS_IGNORE));
        psw_rung_reported(c, source - c->team.first_rank, &rung);
        return;
    case PSW_TAG_PAYLOAD:
        receive_payload(c, source);
        return;
    case PSW_TAG_REPORT:
        PSW_MPI(MPI_Recv(&report, sizeof report, MPI_BYTE, source, PSW_TAG_REPORT,
                         c->link.control, MPI_STATUS_IGNORE));
        psw_report_end(c, source - c->team.first_rank, &report);
        return;
    case PSW_TAG_BYE:
        PSW_MPI(MPI_Recv(NULL, 0, MPI_BYTE, source, PSW_TAG_BYE, c->link.control,
                         MPI_STATUS_IGNORE));
        c->lost.is_gone[source] = 1;
        c->lost.n_gone++;
        return;
    default:
        PSW_ASSERT(status->MPI_TAG == PSW_TAG_NOTE);
        PSW_MPI(MPI_Get_count(status, MPI_INT32_T, &n_dead));
        PSW_MPI(MPI_Recv(c->lost.dead, n_dead, MPI_INT32_T, source, PSW_TAG_NOTE,
                         c->link.control, MPI_STATUS_IGNORE));
        note_dead(c, n_dead - 1);
        psw_coordinator_stop(c, "asked by a signal");
    }
}

/* Take what has come; 1 if there was anything. */
static int take_messages(struct psw_coordinator *c)
{
    int n_taken = 0;
    for (; n_taken < MESSAGES_PER_PASS && !c->team.is_alone; n_taken++) {
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
    psw_report_progress(c, 0, done, total);
    psw_commit_tick(c, 0);
}

static void local_emit(struct psw_job *job, const void *bytes, size_t n_bytes)
{
    psw_commit_payload(job->self, job->task, bytes, n_bytes);
}

static void local_rung(struct psw_job *job, const double step_value[2])
{
    const struct psw_msg_rung m = {job->task, {step_value[0], step_value[1]}};
    psw_rung_reported(job->self, 0, &m);
}

static int local_stop_seen(struct psw_job *job)
{
    struct psw_coordinator *c = job->self;
    look_whether_to_stop(c);
    psw_coordinator_stop_overdue(c);
    return c->halt.is_on || c->team.active[0].is_over_time || c->team.active[0].is_cut_short;
}

static const struct psw_job_ops LOCAL = {local_progress, local_emit, local_stop_seen,
                                         local_rung, NULL};

static void perform_here(struct psw_coordinator *c, struct psw_msg_assign *a)
{
    struct psw_job job = {.ops = &LOCAL,
                          .self = c,
                          .group = c->link.self,
                          .is_leader = 1,
                          .task = a->index,
                          .attempt = a->attempt,
                          .note = psw_msg_assign_note(a),
                          .n_note = a->n_note};
    struct psw_error err = {0};
    const double start_s = psw_clock_s();
    const psw_status rc =
        c->plan.work.perform(c->plan.work.ctx, job.group, &a->task, &job, &err);
    struct psw_msg_report m = {
        .task = a->index, .code = (int32_t)rc, .duration_s = psw_clock_s() - start_s};
    if (rc != PSW_OK) memcpy(m.text, err.text, sizeof m.text);
    psw_report_end(c, 0, &m);
}

/* Put what goes with the assignment behind its ranks. */
static void add_note(struct psw_coordinator *c)
{
    const void *note = NULL;
    c->team.assign->n_note = 0;
    const int32_t n_note = psw_commit_assign(c, c->team.assign->index, &note);
    if (n_note == 0) return;
    struct psw_msg_assign *grown =
        realloc(c->team.assign, psw_msg_assign_bytes(c->link.roster.n_rank, n_note));
    if (!grown) psw_mpi_failed(MPI_ERR_NO_MEM, "realloc of a note", __FILE__, __LINE__);
    c->team.assign = grown;
    grown->n_note = n_note;
    memcpy(psw_msg_assign_note(grown), note, (size_t)n_note);
}

/* Give the task to the first n_rank of the chosen ranks. */
static void start_task(struct psw_coordinator *c, int32_t index, int32_t n_rank)
{
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, index);
    const double now_s = psw_clock_s();
    const double end_s = now_s + psw_speed_left_s(&c->speed, c->plan.ledger, index, n_rank);
    struct psw_error err = {0};
    if (psw_ledger_apply(c->plan.ledger, index, PSW_TASK_ASSIGNED, NULL, &err) != PSW_OK) {
        psw_commit_fatal(c, &err);
        return;
    }
    struct psw_msg_assign *a = c->team.assign;
    a->task = *task;
    a->beat_s = fmin(fmax(c->plan.silence.bound_s * BEAT, SHORTEST_BEAT_S), LONGEST_BEAT_S);
    a->index = index;
    a->attempt = psw_ledger_n_attempt(c->plan.ledger, index);
    a->n_rank = n_rank;
    for (int32_t i = 0; i < n_rank; i++) {
        const int32_t r = c->team.chosen[i];
        a->rank[i] = c->team.first_rank + r;
        c->team.rank[r].task = index;
        c->team.rank[r].free_s = end_s;
        c->team.rank[r].n_group = i == 0 ? n_rank : 0;
        c->team.rank[r].stays = 1;
        c->team.active[r] =
            (struct psw_active){.n_rank = n_rank,
                                .part = 1 - psw_ledger_left(c->plan.ledger, index),
                                .part_at_first = -1,
                                .start_s = now_s,
                                .heard_s = now_s};
    }
    c->team.n_active++;
    c->team.n_started++;
    psw_commit_started(c, a);
    add_note(c);
    a = c->team.assign;
    if (c->team.is_alone) {
        perform_here(c, a);
        return;
    }
    for (int32_t i = 0; i < a->n_rank; i++)
        psw_link_send(&c->link, a->rank[i], PSW_TAG_ASSIGN, a,
                      psw_msg_assign_bytes(a->n_rank, a->n_note));
}

/* Start what can be started; alone, one task at a time. 1 if anything was. */
static int hand_out(struct psw_coordinator *c)
{
    int n_started = 0;
    while (!c->halt.is_on && c->fatal == PSW_OK) {
        const struct psw_sched_in in = psw_coordinator_view_of_state(c);
        int32_t n_rank;
        const int32_t task = psw_schedule_next(&in, c->team.chosen, &n_rank);
        if (task < 0) break;
        start_task(c, task, n_rank);
        n_started++;
        if (c->team.is_alone) break;
    }
    return n_started > 0;
}

/* ---- the loop ---- */

/* Nothing runs, nothing waits for a sync, and nothing can be started. */
static int is_over(struct psw_coordinator *c)
{
    if (c->team.n_active > 0 || c->commit.n_end > 0) return 0;
    if (c->halt.is_on || c->fatal != PSW_OK) return 1;
    if (psw_ledger_count(c->plan.ledger, PSW_TASK_QUEUED) == 0) return 1;
    struct psw_sched_in in = psw_coordinator_view_of_state(c);
    int32_t n_rank;
    if (psw_schedule_next(&in, c->team.chosen, &n_rank) >= 0) return 0;
    in.until_s = INFINITY;
    if (psw_schedule_next(&in, c->team.chosen, &n_rank) < 0)
        return 1; /* they need what was set aside */
    c->halt.is_walltime = 1;
    psw_coordinator_stop(
        c, "no task that is left could finish or save itself before the walltime ends");
    return 1;
}

/* Attempts that earlier starts lost count, too. */
static void give_up_lost(struct psw_coordinator *c)
{
    for (int32_t i = 0; i < psw_ledger_n_task(c->plan.ledger); i++) {
        if (psw_ledger_state(c->plan.ledger, i) != PSW_TASK_QUEUED ||
            psw_ledger_n_wasted(c->plan.ledger, i) < c->plan.max_attempts)
            continue;
        const struct psw_end end = {
            .task = i, .event = PSW_TASK_GIVEN_UP, .code = PSW_EINTERNAL, .leader = -1};
        const char *text = psw_ledger_text(c->plan.ledger, i);
        psw_commit_end(
            c, &end,
            text[0] ? text
                    : "every attempt ended without a trace (killed, crashed or out of memory); "
                      "see the job's log, and limits.max_attempts");
    }
}

static void dismiss(struct psw_coordinator *c)
{
    const int32_t n_other = c->link.roster.n_rank - 1;
    const double until_s = psw_clock_s() + c->plan.stop_s;
    for (int32_t r = 0; r < c->link.roster.n_rank; r++)
        if (r != c->link.rank) psw_link_send(&c->link, r, PSW_TAG_DISMISS, NULL, 0);
    for (int n_miss = 0; c->lost.n_gone < n_other;) {
        if (take_messages(c)) continue;
        if (psw_clock_s() > until_s) psw_silence_give_up(c, 1);
        psw_back_off(&n_miss, LONGEST_WAIT_S);
    }
    for (int32_t i = 0; i < c->team.n_rank; i++)
        PSW_MPI(MPI_Wait(&c->halt.sent[i], MPI_STATUS_IGNORE));
}

/* A suspect that has lived long enough to have saved itself twice gets company: should it kill
 * its rank later, it will be seen to have advanced before. */
static void clear_suspects(struct psw_coordinator *c)
{
    for (int32_t r = 0; c->plan.tasks.suspect && r < c->team.n_rank; r++) {
        const int32_t task = c->team.rank[r].task;
        if (task >= 0 && c->plan.tasks.suspect[task] &&
            psw_clock_s() - c->team.active[r].start_s > 2 * c->plan.checkpoint_s)
            c->plan.tasks.suspect[task] = 0;
    }
}

static void coordinate(struct psw_coordinator *c)
{
    psw_use_begin(c);
    give_up_lost(c);
    psw_commit_ends(c, 1);
    psw_left_out_begin(c);
    int n_miss = 0;
    while (!is_over(c)) {
        int busy = take_messages(c);
        clear_suspects(c);
        psw_silence_tell(c);
        psw_coordinator_stop_overdue(c);
        look_whether_to_stop(c);
        busy |= hand_out(c);
        if (!busy) psw_coordinator_use_idle(c);
        busy |= psw_commit_ends(c, 0);
        psw_commit_tick(c, 0);
        if (c->halt.is_on && c->team.n_active > 0 && psw_clock_s() > c->halt.until_s)
            psw_silence_give_up(c, 0);
        if (busy)
            n_miss = 0;
        else
            psw_silence_look(c);
        if (!busy)
            psw_back_off(&n_miss, c->commit.n_end > 0
                                      ? fmin(LONGEST_WAIT_S, c->plan.commit_s / 4)
                                      : LONGEST_WAIT_S);
    }
    psw_coordinator_tell_saved(c);
    psw_commit_sync(c);
    psw_commit_tick(c, 1);
    psw_use_end(c);
    dismiss(c);
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
    if (c->lost.trouble[0] && (c->lost.is_hopeless || !c->halt.is_on))
        return psw_fail(err, PSW_EIO,
                        "%d stages are left because of trouble of the machine%s; the last: "
                        "%.800s. Nothing is lost: mend it and run the same command again",
                        n_left, c->lost.is_hopeless ? ", met on all ranks" : "",
                        c->lost.trouble);
    /* Another start would get as far: it must not be asked for again and again. */
    const double has_s = c->plan.walltime.end_unix_s - c->time.start_unix_s;
    if (c->halt.is_walltime && c->team.n_started == 0 && has_s < 0)
        return psw_fail(err, PSW_EINVAL,
                        "the job's end was %.0f s before its start, by the clock of this host: "
                        "set the clock right, or POSWEEP_END_TIME and SLURM_JOB_END_TIME",
                        -has_s);
    if (c->halt.is_walltime && c->team.n_started == 0)
        return psw_fail(
            err, PSW_EINVAL,
            "the job's %.0f s of walltime are too short to start any of the %d tasks "
            "left: a task needs %.0f s until it can save itself "
            "(limits.checkpoint_s), and the last %.0f s are kept free",
            has_s, n_left, c->plan.checkpoint_s, c->plan.walltime.margin_s);
    return psw_fail(err, PSW_ESTOP, "stopped (%s): %d tasks done, %d left for the next start",
                    c->halt.why ? c->halt.why : "no reason", psw_ledger_count(l, PSW_TASK_DONE),
                    n_left);
}

static psw_status coordinator_init(struct psw_coordinator *c, struct psw_error *err)
{
    const struct psw_roster *roster = &c->link.roster;
    c->team.is_alone = roster->n_rank == 1;
    c->team.first_rank = c->team.is_alone ? 0 : 1;
    c->team.n_rank = roster->n_rank - c->team.first_rank;
    psw_status rc = psw_schedule_check(c->plan.ledger, c->team.n_rank, err);
    if (rc != PSW_OK) return rc;
    const size_t n = (size_t)c->team.n_rank;
    c->team.rank = calloc(n, sizeof *c->team.rank);
    c->team.active = calloc(n, sizeof *c->team.active);
    c->halt.message = calloc(n, sizeof *c->halt.message);
    c->halt.sent = calloc(n, sizeof *c->halt.sent);
    c->team.chosen = calloc(2 * n, sizeof *c->team.chosen);
    c->team.chain_s =
        calloc((size_t)psw_ledger_n_task(c->plan.ledger) + 1, sizeof *c->team.chain_s);
    c->team.assign = calloc(1, psw_msg_assign_bytes(roster->n_rank, 0));
    c->commit.end = calloc(PSW_MAX_ENDS, sizeof *c->commit.end);
    c->lost.dead = calloc(1 + (size_t)roster->n_rank, sizeof *c->lost.dead);
    c->lost.is_gone = calloc((size_t)roster->n_rank, sizeof *c->lost.is_gone);
    c->lost.is_told = calloc(n, sizeof *c->lost.is_told);
    if (!c->team.rank || !c->team.active || !c->halt.message || !c->halt.sent ||
        !c->team.chosen || !c->team.chain_s || !c->team.assign || !c->commit.end ||
        !c->lost.is_gone || !c->lost.is_told || !c->lost.dead)
        return psw_fail(err, PSW_ENOMEM, "coordinator of %d ranks", c->team.n_rank);
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        c->halt.sent[r] = MPI_REQUEST_NULL;
        c->team.rank[r].task = -1;
        const int32_t node = roster->node[c->team.first_rank + r] - c->team.first_rank;
        c->team.rank[r].node = node < 0 ? 0 : node;
    }
    int32_t *node = calloc(n + 1, sizeof *node);
    if (!node) return psw_fail(err, PSW_ENOMEM, "coordinator of %d ranks", c->team.n_rank);
    for (int32_t r = 0; r < c->team.n_rank; r++) node[r] = c->team.rank[r].node;
    rc = psw_health_init(&c->health, node, c->team.n_rank, psw_ledger_n_task(c->plan.ledger),
                         err);
    free(node);
    return rc;
}

static void coordinator_clear(struct psw_coordinator *c)
{
    free(c->team.rank);
    free(c->team.active);
    free(c->halt.message);
    free(c->halt.sent);
    free(c->team.chosen);
    free(c->team.chain_s);
    free(c->team.assign);
    free(c->commit.end);
    free(c->lost.is_gone);
    free(c->lost.is_told);
    free(c->lost.dead);
    free(c->commit.buffer);
    psw_health_clear(&c->health);
}

static double or_default(double value, double otherwise)
{
    return value > 0 ? value : otherwise;
}

psw_status psw_sweep_coordinate(MPI_Comm comm, const struct psw_sweep_plan *plan,
                                struct psw_error *err)
{
    struct psw_coordinator c = {.plan = *plan, .time.eta_s = NAN};
    c.plan.max_attempts = plan->max_attempts > 0 ? plan->max_attempts : 3;
    c.plan.checkpoint_s = or_default(plan->checkpoint_s, 60);
    c.plan.stop_s = or_default(plan->stop_s, 60);
    c.plan.silence.bound_s = or_default(plan->silence.bound_s, 300);
    c.silence.longest_s = plan->silence.healthy_s;
    c.plan.walltime.margin_s = or_default(plan->walltime.margin_s, 60);
    c.plan.walltime.end_unix_s = or_default(plan->walltime.end_unix_s, psw_stop_end_unix_s());
    c.plan.commit_s = or_default(plan->commit_s, 0.005);
    c.plan.tick_s = or_default(plan->tick_s, 0.5);
    c.speed.prior_flops_per_s = plan->flops_per_s;
    c.commit.window_s = c.plan.commit_s;
    c.time.start_s = c.silence.looked_s = psw_clock_s();
    c.time.start_unix_s = psw_clock_unix_s();
    const double left_s = c.plan.walltime.end_unix_s - c.time.start_unix_s;
    c.plan.walltime.margin_s = fmin(c.plan.walltime.margin_s, left_s / 8);
    c.time.until_s = c.time.start_s + left_s - c.plan.walltime.margin_s;
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
