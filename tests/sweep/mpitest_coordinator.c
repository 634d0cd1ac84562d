/* Sweeps of fake work on 1, 2 and 4 ranks. What the hooks saw is checked on rank 0, what the
 * ranks did inside the tasks; a wrong answer of a task is its failure, so it shows in the
 * ledger. */
#include <posweep/bench/dispatch.h>
#include <posweep/comm/agree.h>
#include <posweep/sweep/coordinator.h>
#include <posweep/sweep/stop.h>
#include <posweep/sweep/worker.h>
#include <posweep/util/clock.h>
#include <support/support.h>

#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TASKS = 128, PAYLOAD_BYTES = 5 << 20 };

enum kind {
    KIND_NOTHING,
    KIND_SLEEP,    /* cost = milliseconds */
    KIND_FAIL,     /* PSW_EINVAL on the last rank of the group */
    KIND_FLAKY,    /* PSW_EIO in its first attempt */
    KIND_HOPELESS, /* PSW_EIO always */
    KIND_BAD_RANK, /* PSW_EIO on rank 1 of all */
    KIND_LONELY,   /* its group is wanted whole; PSW_EIO on the last rank of all */
    KIND_GONE,     /* PSW_ENOENT in its first attempt */
    KIND_DIVERGE,
    KIND_FULL,    /* PSW_ENOSPC */
    KIND_GROUP,   /* an all-reduce over the group */
    KIND_PAYLOAD, /* emits `run` bytes, then as many again */
    KIND_PATIENT, /* works until told to stop */
    KIND_SIGNAL   /* its first attempt raises the stop flag of its own rank */
};

static psw_status in_group(MPI_Comm group, const struct psw_task *task, struct psw_error *err)
{
    int sum = psw_comm_rank(group) + 1;
    const int size = psw_comm_size(group);
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_INT, MPI_SUM, group));
    if (size != task->n_rank || sum != size * (size + 1) / 2)
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

static int rank(void)
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

/* ---- what the hooks saw, on rank 0 ---- */

struct diary {
    struct psw_ledger *ledger;
    int n_started[MAX_TASKS], n_done[MAX_TASKS], n_failed[MAX_TASKS], n_payload[MAX_TASKS];
    int n_rank[MAX_TASKS];
    int n_sync, n_unsynced, n_tick, n_bad;
    int fail_after; /* on_done returns an error after so many; -1 = never */
    int stop_after; /* a stop is asked for after so many ends; -1 = never */
    int n_end;
    size_t n_bytes;
    struct psw_sweep_view last;
    int n_remark;
    char text[MAX_TASKS][128], remark[256];
};

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
    d->n_bad += a->n_rank != task->n_rank || !a->host[0] || a->number < 1;
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

static void count_end(struct diary *d)
{
    if (++d->n_end == d->stop_after) psw_stop_request(15);
    d->n_unsynced++;
}

static psw_status on_done(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    struct diary *d = ctx;
    d->n_done[a->task]++;
    d->n_bad += psw_ledger_state(d->ledger, a->task) == PSW_TASK_DONE; /* not before the sync */
    count_end(d);
    if (d->fail_after >= 0 && d->n_end > d->fail_after)
        return psw_fail(err, PSW_ENOSPC, "journal: no space left");
    return PSW_OK;
}

static psw_status on_failed(void *ctx, const struct psw_attempt *a, struct psw_error *err)
{
    (void)err;
    struct diary *d = ctx;
    d->n_failed[a->task]++;
    snprintf(d->text[a->task], sizeof d->text[0], "%s", a->text);
    count_end(d);
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

static int n_worker(void)
{
    const int size = psw_comm_size(MPI_COMM_WORLD);
    return size == 1 ? 1 : size - 1;
}

/* Run a ledger (rank 0; NULL elsewhere) to its end. */
static psw_status sweep(struct psw_ledger *ledger, struct diary *d, struct psw_error *err)
{
    const struct psw_work work = {.perform = perform};
    if (rank() > 0) return psw_sweep_serve(MPI_COMM_WORLD, &work, err);
    d->ledger = ledger;
    const struct psw_sweep_plan plan = {.ledger = ledger,
                                        .work = work,
                                        .tick_s = 0.01,
                                        .hooks = {.ctx = d,
                                                  .on_started = on_started,
                                                  .on_payload = on_payload,
                                                  .on_done = on_done,
                                                  .on_failed = on_failed,
                                                  .on_remark = on_remark,
                                                  .sync = sync_hook,
                                                  .tick = tick}};
    const psw_status rc = psw_sweep_coordinate(MPI_COMM_WORLD, &plan, err);
    assert_int_equal(d->n_bad, 0);
    if (rc == PSW_OK || rc == PSW_ESTOP) assert_int_equal(d->n_unsynced, 0);
    return rc;
}

static struct psw_ledger *ledger_of(const struct psw_task *task, int32_t n)
{
    struct psw_ledger *l = NULL;
    if (rank() == 0) assert_int_equal(psw_ledger_create(task, n, &l, NULL), PSW_OK);
    return l;
}

static struct psw_task task_of(enum kind kind)
{
    return (struct psw_task){.kind = (int32_t)kind, .n_rank = 1, .cost = 1};
}

static struct diary new_diary(void)
{
    psw_stop_request(0);
    return (struct diary){.fail_after = -1, .stop_after = -1};
}

/* ---- tests ---- */

static void an_empty_sweep_ends_at_once(void **state)
{
    (void)state;
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(NULL, 0);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    psw_ledger_destroy(l);
}

static void every_task_is_started_and_done_once(void **state)
{
    (void)state;
    struct psw_task task[MAX_TASKS];
    for (int i = 0; i < MAX_TASKS; i++) task[i] = task_of(i % 8 ? KIND_NOTHING : KIND_SLEEP);
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, MAX_TASKS);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    for (int i = 0; i < MAX_TASKS && rank() == 0; i++) {
        assert_int_equal(d.n_started[i], 1);
        assert_int_equal(d.n_done[i], 1);
        assert_int_equal(psw_ledger_state(l, i), PSW_TASK_DONE);
    }
    if (rank() == 0) {
        assert_true(d.n_sync < MAX_TASKS); /* ends share a sync */
        assert_int_equal(d.last.n_in[PSW_TASK_DONE], MAX_TASKS);
        assert_close(d.last.part_done, 1, 1e-12);
        assert_close(d.last.eta_s, 0, 1e-12);
        assert_int_equal(d.last.n_idle, n_worker());
    }
    psw_ledger_destroy(l);
}

static void tasks_with_one_key_are_done_once(void **state)
{
    (void)state;
    struct psw_task task[9];
    for (int i = 0; i < 9; i++) {
        task[i] = task_of(KIND_NOTHING);
        task[i].key = i < 6 ? 7 + (uint64_t)(i % 2) : 0;
    }
    task[8].n_dep = 1;
    task[8].dep[0] = 5; /* a twin of 1 */
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 9);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    for (int i = 0; i < 9 && rank() == 0; i++) {
        assert_int_equal(d.n_started[i], i < 2 || i >= 6);
        assert_int_equal(psw_ledger_state(l, i), PSW_TASK_DONE);
    }
    psw_ledger_destroy(l);
}

static void dependents_wait_for_what_is_safe(void **state)
{
    (void)state;
    struct psw_task task[40];
    for (int i = 0; i < 40; i++) {
        task[i] = task_of(i % 3 ? KIND_NOTHING : KIND_SLEEP);
        for (int k = 1; k <= 2 && i >= k * 3; k++) task[i].dep[task[i].n_dep++] = i - k * 3;
    }
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 40);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK); /* on_started checks the order */
    if (rank() == 0) assert_int_equal(psw_ledger_count(l, PSW_TASK_DONE), 40);
    psw_ledger_destroy(l);
}

static void a_failing_task_is_a_result_and_blocks_its_dependents(void **state)
{
    (void)state;
    struct psw_task task[7];
    for (int i = 0; i < 7; i++) task[i] = task_of(KIND_NOTHING);
    task[1] = task_of(KIND_FAIL);
    snprintf(task[1].name, sizeof task[1].name, "sft of ab12");
    task[2] = task_of(KIND_DIVERGE);
    task[3].dep[task[3].n_dep++] = 1;
    task[4].dep[task[4].n_dep++] = 3;
    task[5].dep[task[5].n_dep++] = 2;
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 7);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    if (rank() == 0) {
        assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_FAILED);
        assert_int_equal(psw_ledger_state(l, 2), PSW_TASK_DIVERGED);
        assert_string_equal(d.text[1], "pairs.jsonl:7:3: broken");
        assert_string_equal(d.text[2], "loss is nan at step 12");
        for (int i = 3; i < 6; i++) {
            assert_int_equal(psw_ledger_state(l, i),
                             i == 5 ? PSW_TASK_DIVERGED : PSW_TASK_FAILED);
            assert_int_equal(d.n_started[i], 0);
            assert_int_equal(d.n_failed[i], 1);
        }
        assert_non_null(strstr(d.text[4], "sft of ab12"));
        assert_non_null(strstr(d.text[5], "task 2, which diverged: loss is nan"));
        assert_int_equal(psw_ledger_state(l, 6), PSW_TASK_DONE);
    }
    psw_ledger_destroy(l);
}

static void attempts_that_bring_nothing_are_repeated_but_not_for_ever(void **state)
{
    (void)state;
    const struct psw_task task[2] = {task_of(KIND_FLAKY), task_of(KIND_HOPELESS)};
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 2);
    struct psw_error err = {0};
    assert_int_equal(sweep(l, &d, &err), PSW_EIO);
    assert_non_null(strstr(err.text, "1 stages are left because of trouble of the machine"));
    assert_non_null(strstr(err.text, "never works"));
    if (rank() == 0) {
        assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_DONE);
        assert_int_equal(d.n_started[0], 2);
        assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_INTERRUPTED); /* never final */
        assert_int_equal(d.n_started[1], 3);
        assert_int_equal(d.n_failed[1], 3);
        assert_non_null(strstr(d.text[1], "the next start tries again"));
    }
    psw_ledger_destroy(l);
}

static void a_bad_rank_is_left_out_and_named_and_everything_is_done(void **state)
{
    (void)state;
    struct psw_task task[20];
    for (int i = 0; i < 20; i++) task[i] = task_of(KIND_BAD_RANK);
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 20);
    const psw_status rc = sweep(l, &d, NULL);
    if (n_worker() == 1) { /* rank 1 is the only one that works, or there is none */
        assert_int_equal(rc, psw_comm_size(MPI_COMM_WORLD) == 1 ? PSW_OK : PSW_EIO);
    } else if (rank() == 0) {
        int n_failed = 0;
        assert_int_equal(rc, PSW_OK);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(psw_ledger_state(l, i), PSW_TASK_DONE);
            n_failed += d.n_failed[i];
        }
        assert_int_equal(n_failed, 3);
        assert_int_equal(d.n_remark, 1);
        assert_non_null(strstr(d.remark, "rank 1 on "));
        assert_non_null(strstr(d.remark, "is left out"));
        assert_non_null(strstr(d.remark, "stale file handle"));
    }
    psw_ledger_destroy(l);
}

static void the_rank_of_a_group_that_met_trouble_is_found(void **state)
{
    (void)state;
    if (n_worker() != 4) return;
    struct psw_task task[8];
    for (int i = 0; i < 8; i++) {
        task[i] = task_of(KIND_LONELY);
        task[i].n_rank = 2;
    }
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 8);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    if (rank() == 0) {
        assert_int_equal(d.n_remark, 1);
        assert_non_null(strstr(d.remark, "rank 4 on "));
    }
    psw_ledger_destroy(l);
}

static void what_a_task_misses_is_made_again(void **state)
{
    (void)state;
    struct psw_task task[4] = {task_of(KIND_NOTHING), task_of(KIND_GONE), task_of(KIND_FLAKY),
                               task_of(KIND_NOTHING)};
    for (int i = 1; i < 4; i++) task[i].dep[task[i].n_dep++] = 0;
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 4);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    if (rank() == 0) {
        assert_int_equal(d.n_started[0], 2);
        assert_int_equal(d.n_started[1], 2);
        assert_int_equal(d.n_started[2], 2);
        assert_int_equal(d.n_started[3], 1);
    }
    psw_ledger_destroy(l);
}

static void nothing_but_trouble_stops_the_sweep_and_loses_nothing(void **state)
{
    (void)state;
    struct psw_task task[60];
    for (int i = 0; i < 60; i++) task[i] = task_of(KIND_HOPELESS);
    struct diary d = new_diary();
    struct psw_error err = {0};
    struct psw_ledger *l = ledger_of(task, 60);
    assert_int_equal(sweep(l, &d, &err), PSW_EIO);
    assert_non_null(strstr(err.text, "60 stages are left"));
    assert_non_null(strstr(err.text, "met on all ranks"));
    if (rank() == 0) {
        int n_started = 0;
        for (int i = 0; i < 60; i++) n_started += d.n_started[i];
        assert_in_range(n_started, 30, 30 + 5 * n_worker());
        assert_int_equal(psw_ledger_count(l, PSW_TASK_FAILED), 0);
    }
    psw_ledger_destroy(l);
}

static void groups_of_all_widths_work_inside(void **state)
{
    (void)state;
    struct psw_task task[60];
    int n_wide = 0;
    for (int i = 0; i < 60; i++) {
        task[i] = task_of(KIND_GROUP);
        task[i].n_rank = 1 << i % 3; /* 1, 2, 4 */
        while (task[i].n_rank > n_worker()) task[i].n_rank /= 2;
        task[i].cost = 1 + i % 5;
        n_wide += task[i].n_rank == 4;
    }
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 60);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    if (rank() == 0) assert_int_equal(psw_ledger_count(l, PSW_TASK_DONE), 60);
    assert_int_equal(n_wide, n_worker() >= 4 ? 20 : 0);
    psw_ledger_destroy(l);
}

static void more_ranks_than_there_are_is_refused_before_anything_starts(void **state)
{
    (void)state;
    struct psw_task task[2] = {task_of(KIND_NOTHING), task_of(KIND_GROUP)};
    task[1].n_rank = 8;
    struct diary d = new_diary();
    struct psw_error err = {0};
    struct psw_ledger *l = ledger_of(task, 2);
    assert_int_equal(sweep(l, &d, &err), PSW_EINVAL); /* the same on all ranks */
    assert_non_null(strstr(err.text, "asks for 8 ranks"));
    if (rank() == 0) assert_int_equal(d.n_started[0], 0);
    psw_ledger_destroy(l);
}

static void payloads_of_any_size_arrive_whole(void **state)
{
    (void)state;
    static const int32_t SIZES[] = {0, 1, 4095, 4096, 4097, 70000, PAYLOAD_BYTES};
    enum { N = sizeof SIZES / sizeof SIZES[0] };
    struct psw_task task[N];
    size_t n_bytes = 0;
    for (int i = 0; i < N; i++) {
        task[i] = task_of(KIND_PAYLOAD);
        task[i].run = SIZES[i];
        task[i].n_rank = i % 2 && n_worker() >= 2 ? 2 : 1;
        n_bytes += 2 * (size_t)SIZES[i];
    }
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, N);
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    for (int i = 0; i < N && rank() == 0; i++) assert_int_equal(d.n_payload[i], 2);
    if (rank() == 0) assert_int_equal(d.n_bytes, n_bytes);
    psw_ledger_destroy(l);
}

static void a_stop_in_the_middle_saves_and_the_next_start_goes_on(void **state)
{
    (void)state;
    struct psw_task task[20];
    for (int i = 0; i < 20; i++) task[i] = task_of(i % 7 == 3 ? KIND_PATIENT : KIND_SLEEP);
    if (n_worker() >= 2) task[3].n_rank = 2;
    task[3].cost = 100; /* first of all */
    struct diary d = new_diary();
    d.stop_after = n_worker() > 2 ? 2 : 1;
    if (n_worker() == 1) task[3].cost = 1;
    if (n_worker() <= 2) task[3].kind = KIND_SLEEP;
    struct psw_error err = {0};
    struct psw_ledger *l = ledger_of(task, 20);
    assert_int_equal(sweep(l, &d, &err), PSW_ESTOP);
    assert_non_null(strstr(err.text, "left for the next start"));
    if (rank() == 0) {
        assert_int_equal(psw_ledger_count(l, PSW_TASK_ACTIVE), 0);
        if (n_worker() > 2) assert_int_equal(psw_ledger_state(l, 3), PSW_TASK_INTERRUPTED);
        const int n_done = psw_ledger_count(l, PSW_TASK_DONE);
        assert_true(n_done >= 1 && n_done < 19);
        struct psw_ledger *next = ledger_of(task, 20);
        for (int i = 0; i < 20; i++) {
            const struct psw_task_past past = {.state = psw_ledger_state(l, i),
                                               .n_attempt = psw_ledger_n_attempt(l, i)};
            assert_int_equal(psw_ledger_restore(next, i, &past, NULL), PSW_OK);
        }
        psw_ledger_destroy(l);
        l = next;
    }
    for (int i = 0; i < 20; i++) task[i].kind = KIND_SLEEP;
    struct diary again = new_diary();
    assert_int_equal(sweep(l, &again, NULL), PSW_OK);
    for (int i = 0; i < 20 && rank() == 0; i++) {
        assert_int_equal(psw_ledger_state(l, i), PSW_TASK_DONE);
        assert_int_equal(d.n_done[i] + again.n_done[i], 1);
    }
    psw_ledger_destroy(l);
}

static void a_signal_to_one_worker_stops_everybody(void **state)
{
    (void)state;
    struct psw_task task[8];
    for (int i = 0; i < 8; i++) task[i] = task_of(KIND_PATIENT);
    task[0].kind = KIND_SIGNAL;
    task[0].cost = 100;
    if (n_worker() >= 2) task[0].n_rank = 2; /* the signal hits the one that does not lead */
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 8);
    const double start_s = psw_clock_s();
    assert_int_equal(sweep(l, &d, NULL), PSW_ESTOP);
    assert_true(psw_clock_s() - start_s < 10);
    if (rank() == 0) {
        assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_INTERRUPTED);
        assert_int_equal(psw_ledger_count(l, PSW_TASK_ACTIVE), 0);
    }
    psw_ledger_destroy(l);
}

static void the_walltime_stops_what_runs_and_starts_nothing_that_cannot_end(void **state)
{
    (void)state;
    struct psw_task task[6];
    for (int i = 0; i < 6; i++) task[i] = task_of(i == 0 ? KIND_PATIENT : KIND_SLEEP);
    task[0].cost = 1e6;
    struct diary d = new_diary();
    const struct psw_work work = {.perform = perform};
    const struct psw_task late[2] = {task_of(KIND_NOTHING), task_of(KIND_NOTHING)};
    for (int round = 0; round < 2; round++) {
        struct psw_ledger *l = round ? ledger_of(late, 2) : ledger_of(task, 6);
        psw_status rc;
        if (rank() == 0) {
            d.ledger = l;
            const struct psw_sweep_plan plan = {.ledger = l,
                                                .work = work,
                                                .hooks = {.ctx = &d, .on_started = on_started},
                                                .end_unix_s = psw_clock_unix_s() + 0.6,
                                                .margin_s = 1,
                                                .checkpoint_s = round ? 10 : 0.1};
            rc = psw_sweep_coordinate(MPI_COMM_WORLD, &plan, NULL);
            if (round == 0) assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_INTERRUPTED);
            if (round == 1) assert_int_equal(psw_ledger_count(l, PSW_TASK_QUEUED), 2);
        } else {
            rc = psw_sweep_serve(MPI_COMM_WORLD, &work, NULL);
        }
        /* With nothing started, going on later would be no better: not "more to do". */
        assert_int_equal(rc, round ? PSW_EINVAL : PSW_ESTOP);
        psw_ledger_destroy(l);
    }
}

static void a_full_disk_stops_the_sweep_and_loses_nothing(void **state)
{
    (void)state;
    struct psw_task task[30];
    for (int i = 0; i < 30; i++) task[i] = task_of(KIND_SLEEP);
    struct psw_error err = {0};
    struct diary d = new_diary();
    d.fail_after = 3;
    struct psw_ledger *l = ledger_of(task, 30);
    assert_int_equal(sweep(l, &d, &err), PSW_ENOSPC);
    assert_string_equal(err.text, "journal: no space left");
    if (rank() == 0) {
        assert_true(psw_ledger_count(l, PSW_TASK_DONE) <= 4);
        assert_int_equal(psw_ledger_count(l, PSW_TASK_FAILED), 0);
        assert_int_equal(psw_ledger_count(l, PSW_TASK_ACTIVE), 0);
    }
    psw_ledger_destroy(l);
    task[0] = task_of(KIND_FULL);
    task[0].cost = 100;
    d = new_diary();
    l = ledger_of(task, 30);
    assert_int_equal(sweep(l, &d, &err), PSW_ENOSPC);
    if (rank() == 0) assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_INTERRUPTED);
    psw_ledger_destroy(l);
}

static void a_task_lost_by_too_many_starts_is_given_up(void **state)
{
    (void)state;
    const struct psw_task task[2] = {task_of(KIND_NOTHING), task_of(KIND_NOTHING)};
    struct psw_ledger *l = ledger_of(task, 2);
    const struct psw_task_past past[2] = {{PSW_TASK_ACTIVE, 3, 2, NULL},
                                          {PSW_TASK_ACTIVE, 2, 1, NULL}};
    for (int i = 0; i < 2 && rank() == 0; i++)
        assert_int_equal(psw_ledger_restore(l, i, &past[i], NULL), PSW_OK);
    struct diary d = new_diary();
    assert_int_equal(sweep(l, &d, NULL), PSW_OK);
    if (rank() == 0) {
        assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_FAILED);
        assert_int_equal(d.n_failed[0], 1);
        assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_DONE);
    }
    psw_ledger_destroy(l);
}

static void dispatch_is_fast(void **state)
{
    (void)state;
    double mean_us = NAN;
    assert_int_equal(psw_bench_dispatch(MPI_COMM_WORLD, 1000, NULL, &mean_us, NULL), PSW_OK);
    assert_true(mean_us > 0 && mean_us < 20000); /* the real bar is posweep bench dispatch */
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_sweep_ends_at_once),
        cmocka_unit_test(every_task_is_started_and_done_once),
        cmocka_unit_test(tasks_with_one_key_are_done_once),
        cmocka_unit_test(dependents_wait_for_what_is_safe),
        cmocka_unit_test(a_failing_task_is_a_result_and_blocks_its_dependents),
        cmocka_unit_test(attempts_that_bring_nothing_are_repeated_but_not_for_ever),
        cmocka_unit_test(a_bad_rank_is_left_out_and_named_and_everything_is_done),
        cmocka_unit_test(the_rank_of_a_group_that_met_trouble_is_found),
        cmocka_unit_test(what_a_task_misses_is_made_again),
        cmocka_unit_test(nothing_but_trouble_stops_the_sweep_and_loses_nothing),
        cmocka_unit_test(groups_of_all_widths_work_inside),
        cmocka_unit_test(more_ranks_than_there_are_is_refused_before_anything_starts),
        cmocka_unit_test(payloads_of_any_size_arrive_whole),
        cmocka_unit_test(a_stop_in_the_middle_saves_and_the_next_start_goes_on),
        cmocka_unit_test(a_signal_to_one_worker_stops_everybody),
        cmocka_unit_test(the_walltime_stops_what_runs_and_starts_nothing_that_cannot_end),
        cmocka_unit_test(a_full_disk_stops_the_sweep_and_loses_nothing),
        cmocka_unit_test(a_task_lost_by_too_many_starts_is_given_up),
        cmocka_unit_test(dispatch_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
