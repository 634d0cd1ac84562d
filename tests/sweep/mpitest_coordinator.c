/* Sweeps of fake work on 1, 2, 4 and 5 ranks: every task once, in an order that keeps its
 * dependencies, in groups, with what it sends. */
#include "fake_work.h"

#include <posweep/bench/dispatch.h>
#include <posweep/sweep/stop.h>

#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Predicted to last long, in truth done at once. */
static void the_last_task_gets_the_ranks_that_it_can_use(void **state)
{
    (void)state;
    struct psw_task task[2] = {task_of(KIND_GROUP), task_of(KIND_GROUP)};
    int32_t most = 1;
    while (2 * most <= n_worker() && most < 4) most *= 2;
    task[0].cost = 1000;
    task[0].n_rank_most = 4;
    task[1].cost = 100; /* and can use no more than it asks for */
    task[1].n_dep = 1;
    task[1].dep[0] = 0;
    struct diary d = new_diary();
    struct psw_ledger *l = ledger_of(task, 2);
    struct psw_sweep_plan plan = plan_of(l, &d);
    plan.flops_per_s = 1;
    assert_int_equal(follow(&plan, NULL), PSW_OK);
    if (rank() == 0) {
        assert_int_equal(psw_ledger_count(l, PSW_TASK_DONE), 2);
        assert_int_equal(d.n_rank[0], most);
        assert_int_equal(d.n_rank[1], 1);
        assert_int_equal(d.n_bad, 0);
    }
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

/** Tasks are added: what the hooks saw. */
struct growth {
    struct diary d; /* first: of all other hooks */
    int n_look, n_ended, is_stopped;
    int32_t n_spare;
};

static int look_for_added(void *ctx, int32_t n_spare)
{
    struct growth *g = ctx;
    g->n_look++;
    g->n_spare = n_spare;
    if (g->is_stopped) psw_stop_request(15);
    return 1;
}

static void grown(void *ctx)
{
    ((struct growth *)ctx)->n_ended++;
}

/* One task, which works until it is asked to stop where ranks idle beside it. */
static void grow(struct growth *g, int is_stopped)
{
    const struct psw_task task = task_of(n_worker() > 1 ? KIND_PATIENT : KIND_NOTHING);
    struct psw_ledger *l = ledger_of(&task, 1);
    *g = (struct growth){.d = new_diary(), .is_stopped = is_stopped};
    struct psw_sweep_plan plan = plan_of(l, &g->d);
    plan.hooks.added.look = look_for_added;
    plan.hooks.added.ended = grown;
    assert_int_equal(follow(&plan, NULL), n_worker() > 1 ? PSW_ESTOP : PSW_OK);
    psw_stop_request(0);
    if (rank() == 0 && n_worker() > 1)
        assert_int_equal(psw_ledger_count(l, PSW_TASK_INTERRUPTED), 1);
    psw_ledger_destroy(l);
}

static void all_is_saved_for_added_tasks_where_ranks_idle(void **state)
{
    (void)state;
    struct growth g;
    grow(&g, 0);
    const int is_looked_for = rank() == 0 && n_worker() > 1;
    assert_int_equal(g.n_look, is_looked_for);
    assert_int_equal(g.n_ended, is_looked_for);
    if (is_looked_for) assert_int_equal(g.n_spare, n_worker() - 1);
}

static void a_stop_comes_before_added_tasks(void **state)
{
    (void)state;
    struct growth g;
    grow(&g, 1);
    assert_int_equal(g.n_look, rank() == 0 && n_worker() > 1);
    assert_int_equal(g.n_ended, 0);
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
        cmocka_unit_test(dependents_wait_for_what_is_safe),
        cmocka_unit_test(a_failing_task_is_a_result_and_blocks_its_dependents),
        cmocka_unit_test(groups_of_all_widths_work_inside),
        cmocka_unit_test(the_last_task_gets_the_ranks_that_it_can_use),
        cmocka_unit_test(more_ranks_than_there_are_is_refused_before_anything_starts),
        cmocka_unit_test(payloads_of_any_size_arrive_whole),
        cmocka_unit_test(all_is_saved_for_added_tasks_where_ranks_idle),
        cmocka_unit_test(a_stop_comes_before_added_tasks),
        cmocka_unit_test(dispatch_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
