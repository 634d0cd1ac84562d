/* The worker: sleep, perform, report. The job functions are here, too, because most jobs run on
 * workers; what differs for a coordinator that works itself is behind psw_job_ops. */
#include "sweep_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const double PROGRESS_EVERY_S = 0.5, LONGEST_WAIT_S = 2e-3;
/* Of the time between two looks this part of the bound counts at most: who was held up, perhaps
 * together with the coordinator, waits on. The ranks give up one after the other, so that one
 * of them says why. */
static const double COUNTED = 0.25, ONE_BY_ONE_S = 0.2;

struct worker {
    struct psw_link link;
    const struct psw_work *work;   /* borrowed */
    struct psw_msg_assign *assign; /* owned: the last one */
    int n_assign_bytes;            /* room for it */
    int noted;                     /* the coordinator knows that this rank got a signal */
    struct {
        double at_s, looked_s, bound_s; /* the last sign, the last look; bound 0: no sign yet */
    } alive;                            /* the coordinator */
    int32_t *dead;                      /* owned, [1 + n_mate] kills for memory, then ranks */
};

int32_t psw_job_attempt(const struct psw_job *job)
{
    return job->attempt;
}

const void *psw_job_note(const struct psw_job *job, int32_t *n_bytes)
{
    *n_bytes = job->n_note;
    return job->note;
}

void psw_job_beat(struct psw_job *job)
{
    if (!job->ops->beat) return;
    const double now_s = psw_clock_s();
    if (now_s < job->next_beat_s) return;
    job->next_beat_s = now_s + job->beat_s;
    job->ops->beat(job);
}

void psw_job_progress(struct psw_job *job, double done, double total)
{
    psw_job_beat(job);
    if (!job->is_leader) return;
    const double now_s = psw_clock_s();
    if (now_s < job->next_progress_s) return;
    job->next_progress_s = now_s + PROGRESS_EVERY_S;
    job->ops->progress(job, done, total);
}

void psw_job_emit(struct psw_job *job, const void *bytes, size_t n_bytes)
{
    if (job->is_leader) job->ops->emit(job, bytes, n_bytes);
}

void psw_job_rung(struct psw_job *job, int64_t step, double value)
{
    const double step_value[2] = {(double)step, value};
    if (job->is_leader) job->ops->rung(job, step_value);
}

int psw_job_stop_seen(struct psw_job *job)
{
    psw_job_beat(job);
    if (!job->stopping) job->stopping = job->ops->stop_seen(job);
    return job->stopping;
}

int psw_job_should_stop(struct psw_job *job)
{
    int stop = psw_job_stop_seen(job);
    if (psw_comm_size(job->group) > 1) PSW_MPI(MPI_Bcast(&stop, 1, MPI_INT, 0, job->group));
    job->stopping = stop;
    return stop;
}

static void send_progress(struct psw_job *job, double done, double total)
{
    struct worker *w = job->self;
    const struct psw_msg_progress m = {.task = job->task, .done = done, .total = total};
    psw_link_send(&w->link, 0, PSW_TAG_PROGRESS, &m, sizeof m);
}

static void send_payload(struct psw_job *job, const void *bytes, size_t n_bytes)
{
    struct worker *w = job->self;
    const struct psw_msg_payload m = {.task = job->task, .n_bytes = (int64_t)n_bytes};
    psw_link_send(&w->link, 0, PSW_TAG_PAYLOAD, &m, sizeof m);
    psw_link_send_bytes(&w->link, bytes, n_bytes);
}

static void send_rung(struct psw_job *job, const double step_value[2])
{
    struct worker *w = job->self;
    const struct psw_msg_rung m = {job->task, {step_value[0], step_value[1]}};
    psw_link_send(&w->link, 0, PSW_TAG_RUNG, &m, sizeof m);
}

static void receive_alive(struct worker *w)
{
    PSW_MPI(MPI_Recv(&w->alive.bound_s, 1, MPI_DOUBLE, 0, PSW_TAG_ALIVE, w->link.control,
                     MPI_STATUS_IGNORE));
    w->alive.at_s = w->alive.looked_s = psw_clock_s();
}

/* End the job without a coordinator that gives no sign of life. To be called with none waiting.
 */
static void look_for_coordinator(struct worker *w)
{
    const double now_s = psw_clock_s(), bound_s = w->alive.bound_s;
    if (bound_s <= 0) return;
    w->alive.at_s += fmax(0, now_s - w->alive.looked_s - COUNTED * bound_s);
    w->alive.looked_s = now_s;
    const double silent_s = now_s - w->alive.at_s;
    if (silent_s < bound_s + fmin(w->link.rank * ONE_BY_ONE_S, bound_s)) return;
    psw_log(
        PSW_LOG_ERROR,
        "rank 0, the coordinator, has not been heard of for %.0f s: the job ends without it "
        "(limits.silent_s); everything that was saved is safe: run the same command again",
        silent_s);
    psw_mpi_give_up(psw_status_exit(PSW_ESTOP));
}

static void send_beat(struct psw_job *job)
{
    struct worker *w = job->self;
    psw_link_send(&w->link, 0, PSW_TAG_BEAT, NULL, 0);
    for (int there = 1; there;) {
        PSW_MPI(MPI_Iprobe(0, PSW_TAG_ALIVE, w->link.control, &there, MPI_STATUS_IGNORE));
        if (there) receive_alive(w);
    }
    look_for_coordinator(w);
}

/* A signal may reach some ranks only; the coordinator tells the others. */
static void note_signal(struct worker *w)
{
    if (w->noted || !psw_stop_requested()) return;
    w->noted = 1;
    const int32_t n_dead = psw_link_dead(&w->link, w->dead + 1);
    w->dead[0] = psw_link_oom_kills(&w->link);
    psw_link_send(&w->link, 0, PSW_TAG_NOTE, w->dead, sizeof *w->dead * (size_t)(1 + n_dead));
}

static int look_for_stop(struct psw_job *job)
{
    struct worker *w = job->self;
    note_signal(w);
    if (!job->is_leader) return 0;
    int there = 0, stop = psw_stop_requested() != 0;
    PSW_MPI(MPI_Iprobe(0, PSW_TAG_STOP, w->link.control, &there, MPI_STATUS_IGNORE));
    if (there) {
        struct psw_msg_stop m;
        PSW_MPI(MPI_Recv(&m, sizeof m, MPI_BYTE, 0, PSW_TAG_STOP, w->link.control,
                         MPI_STATUS_IGNORE));
        stop |= m.task == job->task;
    }
    return stop;
}

static const struct psw_job_ops REMOTE = {send_progress, send_payload, look_for_stop, send_rung,
                                          send_beat};

static MPI_Comm make_group(struct worker *w)
{
    const struct psw_msg_assign *a = w->assign;
    if (a->n_rank == 1) return w->link.self;
    MPI_Group all, some;
    MPI_Comm group = MPI_COMM_NULL;
    PSW_MPI(MPI_Comm_group(w->link.control, &all));
    PSW_MPI(MPI_Group_incl(all, a->n_rank, a->rank, &some));
    PSW_MPI(MPI_Comm_create_group(w->link.control, some, PSW_TAG_GROUP, &group));
    PSW_MPI(MPI_Group_free(&some));
    PSW_MPI(MPI_Group_free(&all));
    return group;
}

static void perform(struct worker *w)
{
    struct psw_msg_assign *a = w->assign;
    MPI_Comm group = make_group(w);
    struct psw_job job = {.ops = &REMOTE,
                          .self = w,
                          .group = group,
                          .is_leader = a->rank[0] == w->link.rank,
                          .task = a->index,
                          .attempt = a->attempt,
                          .note = psw_msg_assign_note(a),
                          .n_note = a->n_note,
                          .beat_s = a->beat_s};
    struct psw_error err = {0};
    const double start_s = psw_clock_s();
    psw_status rc = w->work->perform(w->work->ctx, group, &a->task, &job, &err);
    rc = psw_agree(group, rc, &err);
    if (job.is_leader) {
        struct psw_msg_report m = {
            .task = a->index,
            .code = (int32_t)rc,
            .culprit = a->rank[err.origin > 0 && err.origin <= a->n_rank ? err.origin - 1 : 0],
            .duration_s = psw_clock_s() - start_s};
        if (rc != PSW_OK) memcpy(m.text, err.text, sizeof m.text);
        const size_t n_text = strnlen(m.text, sizeof m.text - 1) + 1;
        psw_link_send(&w->link, 0, PSW_TAG_REPORT, &m,
                      offsetof(struct psw_msg_report, text) + n_text);
    }
    if (a->n_rank > 1) PSW_MPI(MPI_Comm_free(&group));
}

static void receive_assignment(struct worker *w, const MPI_Status *status)
{
    int n_bytes = 0;
    PSW_MPI(MPI_Get_count(status, MPI_BYTE, &n_bytes));
    if (n_bytes > w->n_assign_bytes) {
        free(w->assign);
        w->assign = malloc((size_t)n_bytes);
        if (!w->assign)
            psw_mpi_failed(MPI_ERR_NO_MEM, "malloc of an assignment", __FILE__, __LINE__);
        w->n_assign_bytes = n_bytes;
    }
    PSW_MPI(MPI_Recv(w->assign, n_bytes, MPI_BYTE, 0, PSW_TAG_ASSIGN, w->link.control,
                     MPI_STATUS_IGNORE));
}

/* Receive one message of the coordinator; 0 when dismissed. */
static int obey(struct worker *w, const MPI_Status *status)
{
    struct psw_msg_stop late;
    switch (status->MPI_TAG) {
    case PSW_TAG_ASSIGN:
        receive_assignment(w, status);
        perform(w);
        return 1;
    case PSW_TAG_STOP: /* for a task that has ended in the meantime */
        PSW_MPI(MPI_Recv(&late, sizeof late, MPI_BYTE, 0, PSW_TAG_STOP, w->link.control,
                         MPI_STATUS_IGNORE));
        return 1;
    case PSW_TAG_ALIVE:
        receive_alive(w);
        return 1;
    default:
        PSW_ASSERT(status->MPI_TAG == PSW_TAG_DISMISS);
        PSW_MPI(MPI_Recv(NULL, 0, MPI_BYTE, 0, PSW_TAG_DISMISS, w->link.control,
                         MPI_STATUS_IGNORE));
        psw_link_send(&w->link, 0, PSW_TAG_BYE, NULL, 0);
        return 0;
    }
}

psw_status psw_sweep_serve(MPI_Comm comm, const struct psw_work *work, struct psw_error *err)
{
    struct worker w = {.work = work};
    psw_status rc = psw_link_open(comm, &w.link, err);
    if (rc != PSW_OK) return rc;
    PSW_ASSERT(w.link.rank > 0);
    w.dead = calloc(1 + (size_t)w.link.n_mate, sizeof *w.dead);
    if (!w.dead) rc = psw_fail(err, PSW_ENOMEM, "worker of %d ranks", w.link.n_mate);
    if ((rc = psw_agree(w.link.control, rc, err)) == PSW_OK) {
        for (int n_miss = 0, serving = 1; serving;) {
            int there = 0;
            MPI_Status status;
            PSW_MPI(MPI_Iprobe(0, MPI_ANY_TAG, w.link.control, &there, &status));
            if (there) {
                serving = obey(&w, &status);
                n_miss = 0;
                continue;
            }
            note_signal(&w);
            look_for_coordinator(&w);
            psw_back_off(&n_miss, LONGEST_WAIT_S);
        }
    }
    free(w.assign);
    free(w.dead);
    return psw_link_close(&w.link, rc, err);
}
