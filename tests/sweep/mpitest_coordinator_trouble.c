/* Sweeps of fake work in which the machine is in the way or somebody asks to stop: nothing is
 * lost, nothing is repeated for ever, and who is to blame is named. */
#include "fake_work.h"

#include <posweep/comm/agree.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    const struct psw_task late[2] = {task_of(KIND_NOTHING), task_of(KIND_NOTHING)};
    for (int round = 0; round < 2; round++) {
        struct psw_ledger *l = round ? ledger_of(late, 2) : ledger_of(task, 6);
        struct psw_sweep_plan plan = plan_of(l, &d);
        plan.walltime.end_unix_s = psw_clock_unix_s() + 0.6;
        plan.walltime.margin_s = 1;
        plan.checkpoint_s = round ? 10 : 0.1;
        const psw_status rc = follow(&plan, NULL);
        if (rank() == 0 && round == 0)
            assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_INTERRUPTED);
        if (rank() == 0 && round == 1)
            assert_int_equal(psw_ledger_count(l, PSW_TASK_QUEUED), 2);
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

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_that_bring_nothing_are_repeated_but_not_for_ever),
        cmocka_unit_test(a_bad_rank_is_left_out_and_named_and_everything_is_done),
        cmocka_unit_test(the_rank_of_a_group_that_met_trouble_is_found),
        cmocka_unit_test(what_a_task_misses_is_made_again),
        cmocka_unit_test(nothing_but_trouble_stops_the_sweep_and_loses_nothing),
        cmocka_unit_test(a_stop_in_the_middle_saves_and_the_next_start_goes_on),
        cmocka_unit_test(a_signal_to_one_worker_stops_everybody),
        cmocka_unit_test(the_walltime_stops_what_runs_and_starts_nothing_that_cannot_end),
        cmocka_unit_test(a_full_disk_stops_the_sweep_and_loses_nothing),
        cmocka_unit_test(a_task_lost_by_too_many_starts_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
