#include "fake_work.h"

#include <posweep/comm/agree.h>
#include <posweep/sweep/stop.h>
#include <posweep/sweep/worker.h>
#include <posweep/util/clock.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int may_have(const struct psw_task *task, int32_t n_rank)
{
    return n_rank == task->n_rank || (n_rank > task->n_rank && n_rank <= task->n_rank_most);
}

static psw_status in_group(MPI_Comm group, const struct psw_task *task, struct psw_error *err)
{
    int sum = psw_comm_rank(group) + 1;
    const int size = psw_comm_size(group);
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, group));
    if (!may_have(task, size) || sum != size * (size + 1) / 2)
        return psw_fail(err, PSW_EINTERNAL, "%d ranks, sum %d", size, sum);
    return PSW_OK;
}

static psw_status emit(struct psw_job *job, const struct psw_task *task, struct psw_error *err)
{
    const size_t n = (size_t)task->run;
    unsigned char *bytes = malloc(n + 1);
    if (!bytes) return psw_fail(err, PSW_ENOMEM, "%zu bytes", n);
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 31 + n);
    psw_job_emit(job, bytes, n);
    psw_job_emit(job, bytes, n);
    free(bytes);
    return PSW_OK;
}

static psw_status wait_for_stop(struct psw_job *job, struct psw_error *err)
{
    const double start_s = psw_clock_s();
    for (int step = 0; psw_clock_s() - start_s < 20; step++) {
        if (psw_job_should_stop(job)) return psw_fail(err, PSW_ESTOP, "at step %d", step);
        psw_job_progress(job, step, 1000);
        psw_clock_sleep_s(1e-3);
    }
    return psw_fail(err, PSW_EINTERNAL, "nobody said stop");
}

int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static psw_status perform(void *ctx, MPI_Comm group, const struct psw_task *task,
                          struct psw_job *job, struct psw_error *err)
{
    (void)ctx;
    const int is_last = psw_comm_rank(group) == psw_comm_size(group) - 1;
    switch ((enum kind)task->kind) {
    case KIND_NOTHING:
        return PSW_OK;
    case KIND_SLEEP:
        psw_clock_sleep_s(task->cost * 1e-3);
        return PSW_OK;
    case KIND_FAIL:
        return is_last ? psw_fail(err, PSW_EINVAL, "pairs.jsonl:7:3: broken") : PSW_OK;
    case KIND_FLAKY:
        return psw_job_attempt(job) == 1 ? psw_fail(err, PSW_EIO, "try again") : PSW_OK;
    case KIND_HOPELESS:
        return psw_fail(err, PSW_EIO, "never works");
    case KIND_BAD_RANK:
        psw_clock_sleep_s(1e-3);
        return rank() == 1 ? psw_fail(err, PSW_EIO, "stale file handle") : PSW_OK;
    case KIND_LONELY: {
        const int is_bad = rank() == psw_comm_size(MPI_COMM_WORLD) - 1;
        return psw_agree(group, is_bad ? psw_fail(err, PSW_EIO, "stale") : PSW_OK, err);
    }
    case KIND_GONE:
        return psw_job_attempt(job) == 1 ? psw_fail(err, PSW_ENOENT, "no sft.state") : PSW_OK;
    case KIND_DIVERGE:
        return psw_fail(err, PSW_EDIVERGED, "loss is nan at step 12");
    case KIND_FULL:
        return psw_fail(err, PSW_ENOSPC, "no room for the checkpoint");
    case KIND_GROUP:
        return in_group(group, task, err);
    case KIND_PAYLOAD:
        return emit(job, task, err);
    case KIND_PATIENT:
        return wait_for_stop(job, err);
    case KIND_SIGNAL:
        if (is_last) psw_stop_request(10);
        return wait_for_stop(job, err);
    }
    return psw_fail(err, PSW_EINTERNAL, "kind %d", task->kind);
}

static psw_status on_started(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    (void)err;
    struct diary *d = ctx;
    d->n_started[a->task]++;
    d->n_rank[a->task] = a->n_rank;
    const struct psw_task *task = psw_ledger_task(d->ledger, a->task);
    for (int32_t i = 0; i < task->n_dep; i++) /* done must mean safe */
        d->n_bad += psw_ledger_state(d->ledger, task->dep[i]) != PSW_TASK_DONE;
    for (int32_t i = 1; i < a->n_rank; i++) d->n_bad += a->rank[i] <= a->rank[i - 1];
    d->n_bad += !may_have(task, a->n_rank) || !a->host[0] || a->number < 1;
    return PSW_OK;
}

static psw_status on_payload(void *ctx, int32_t task, const void *bytes, size_t n,
                             struct psw_error *err)
{
    (void)err;
    struct diary *d = ctx;
    d->n_payload[task]++;
    d->n_bytes += n;
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) d->n_bad += b[i] != (unsigned char)(i * 31 + n);
    d->n_bad += (int)n != psw_ledger_task(d->ledger, task)->run;
    return PSW_OK;
}

static psw_status on_ended(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    struct diary *d = ctx;
    if (++d->n_end == d->stop_after) psw_stop_request(15);
    d->n_unsynced++;
    if (a->state != PSW_TASK_DONE) {
        d->n_failed[a->task]++;
        snprintf(d->text[a->task], sizeof d->text[0], "%s", a->text);
        return PSW_OK;
    }
    d->n_done[a->task]++;
    d->n_bad += psw_ledger_state(d->ledger, a->task) == PSW_TASK_DONE; /* not before the sync */
    if (d->fail_after >= 0 && d->n_end > d->fail_after)
        return psw_fail(err, PSW_ENOSPC, "journal: no space left");
    return PSW_OK;
}

static psw_status on_remark(void *ctx, const char *text, struct psw_error *err)
{
    (void)err;
    struct diary *d = ctx;
    d->n_remark++;
    snprintf(d->remark, sizeof d->remark, "%s", text);
    return PSW_OK;
}

static psw_status sync_hook(void *ctx, struct psw_error *err)
{
    (void)err;
    struct diary *d = ctx;
    d->n_sync++;
    d->n_unsynced = 0;
    return PSW_OK;
}

static void tick(void *ctx, const struct psw_sweep_view *view)
{
    struct diary *d = ctx;
    d->n_tick++;
    d->last = *view;
}

int n_worker(void)
{
    const int size = psw_comm_size(MPI_COMM_WORLD);
    return size == 1 ? 1 : size - 1;
}

struct psw_sweep_plan plan_of(struct psw_ledger *ledger, struct diary *d)
{
    d->ledger = ledger;
    return (struct psw_sweep_plan){.ledger = ledger,
                                   .work.perform = perform,
                                   .tick_s = 0.01,
                                   .hooks = {.ctx = d,
                                             .on_started = on_started,
                                             .on_payload = on_payload,
                                             .on_ended = on_ended,
                                             .on_remark = on_remark,
                                             .sync = sync_hook,
                                             .tick = tick}};
}

psw_status follow(const struct psw_sweep_plan *plan, struct psw_error *err)
{
    if (rank() > 0) return psw_sweep_serve(MPI_COMM_WORLD, &plan->work, err);
    const struct diary *d = plan->hooks.ctx;
    const psw_status rc = psw_sweep_coordinate(MPI_COMM_WORLD, plan, err);
    assert_int_equal(d->n_bad, 0);
    if (rc == PSW_OK || rc == PSW_ESTOP) assert_int_equal(d->n_unsynced, 0);
    return rc;
}

psw_status sweep(struct psw_ledger *ledger, struct diary *d, struct psw_error *err)
{
    const struct psw_sweep_plan plan = plan_of(ledger, d);
    return follow(&plan, err);
}

struct psw_ledger *ledger_of(const struct psw_task *task, int32_t n)
{
    struct psw_ledger *l = NULL;
    if (rank() == 0) assert_int_equal(psw_ledger_create(task, n, &l, NULL), PSW_OK);
    return l;
}

struct psw_task task_of(enum kind kind)
{
    return (struct psw_task){.kind = (int32_t)kind, .n_rank = 1, .cost = 1};
}

struct diary new_diary(void)
{
    psw_stop_request(0);
    return (struct diary){.fail_after = -1, .stop_after = -1};
}
