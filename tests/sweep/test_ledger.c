/* The ledger: its table of moves, its order, twins, cascades and what a journal restores. */
#include <posweep/sweep/ledger.h>
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct psw_task task_of(double cost)
{
    return (struct psw_task){.n_rank = 1, .cost = cost};
}

static struct psw_ledger *ledger_of(const struct psw_task *task, int32_t n)
{
    struct psw_ledger *l = NULL;
    struct psw_error err = {0};
    if (psw_ledger_create(task, n, &l, &err) != PSW_OK) fail_msg("%s", err.text);
    return l;
}

static void apply(struct psw_ledger *l, int32_t task, enum psw_task_event event)
{
    assert_int_equal(psw_ledger_apply(l, task, event, "because", NULL), PSW_OK);
}

static void an_end_stands_unless_a_result_is_found_or_lost(void **state)
{
    (void)state;
    for (int e = 0; e < PSW_N_TASK_EVENTS; e++) {
        const int found = e == PSW_TASK_FOUND ? PSW_TASK_DONE : -1;
        const int redo = e == PSW_TASK_REDO ? PSW_TASK_QUEUED : -1;
        assert_int_equal(psw_task_move(PSW_TASK_DONE, (enum psw_task_event)e), redo);
        assert_int_equal(psw_task_move(PSW_TASK_FAILED, (enum psw_task_event)e), found);
        assert_int_equal(psw_task_move(PSW_TASK_DIVERGED, (enum psw_task_event)e), found);
        assert_int_equal(psw_task_move(PSW_TASK_TIMED_OUT, (enum psw_task_event)e), -1);
    }
}

static void only_assignment_makes_a_task_active(void **state)
{
    (void)state;
    for (int s = 0; s < PSW_N_TASK_STATES; s++)
        for (int e = 0; e < PSW_N_TASK_EVENTS; e++)
            if (psw_task_move((enum psw_task_state)s, (enum psw_task_event)e) ==
                PSW_TASK_ACTIVE)
                assert_true(s == PSW_TASK_QUEUED && e == PSW_TASK_ASSIGNED);
}

static void every_state_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int a = 0; a < PSW_N_TASK_STATES; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(psw_task_state_name((enum psw_task_state)a),
                                    psw_task_state_name((enum psw_task_state)b));
    assert_string_equal(psw_task_state_name((enum psw_task_state)99), "unknown");
}

static void an_illegal_move_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    const struct psw_task task[1] = {task_of(1)};
    struct psw_ledger *l = ledger_of(task, 1);
    struct psw_error err = {0};
    assert_int_equal(psw_ledger_apply(l, 0, PSW_TASK_FINISHED, NULL, &err), PSW_EINTERNAL);
    assert_non_null(strstr(err.text, "task 0 is queued"));
    assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_QUEUED);
    psw_ledger_destroy(l);
}

static void assigning_before_the_dependencies_are_done_is_refused(void **state)
{
    (void)state;
    struct psw_task task[2] = {task_of(1), task_of(1)};
    task[1].n_dep = 1;
    struct psw_ledger *l = ledger_of(task, 2);
    assert_int_equal(psw_ledger_apply(l, 1, PSW_TASK_ASSIGNED, NULL, NULL), PSW_EINTERNAL);
    assert_false(psw_ledger_is_ready(l, 1));
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 0, PSW_TASK_FINISHED);
    assert_true(psw_ledger_is_ready(l, 1));
    apply(l, 1, PSW_TASK_ASSIGNED);
    psw_ledger_destroy(l);
}

static void tasks_that_cannot_be_are_refused_by_name(void **state)
{
    (void)state;
    struct psw_task bad[6];
    for (int i = 0; i < 6; i++) bad[i] = task_of(1);
    bad[0].n_rank = 3;
    bad[1].cost = NAN;
    bad[2].n_dep = 1;
    bad[2].dep[0] = 7;
    bad[3].n_dep = PSW_TASK_DEPS + 1;
    bad[4].kind = -1;
    bad[5].n_dep = 1;
    bad[5].dep[0] = 0; /* itself */
    static const char *const SAYS[] = {"power of two", "FLOPs",    "depends on task 7",
                                       "at most",      "negative", "depends on task 0"};
    for (int i = 0; i < 6; i++) {
        struct psw_error err = {0};
        struct psw_ledger *l = NULL;
        assert_int_equal(psw_ledger_create(&bad[i], 1, &l, &err), PSW_EINVAL);
        assert_non_null(strstr(err.text, SAYS[i]));
        assert_null(l);
    }
}

static void a_circle_is_refused(void **state)
{
    (void)state;
    struct psw_task task[3] = {task_of(1), task_of(1), task_of(1)};
    for (int i = 0; i < 3; i++) {
        task[i].n_dep = 1;
        task[i].dep[0] = (i + 2) % 3;
    }
    struct psw_error err = {0};
    struct psw_ledger *l = NULL;
    assert_int_equal(psw_ledger_create(task, 3, &l, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "circle"));
}

static void the_head_of_the_costliest_chain_comes_first(void **state)
{
    (void)state;
    struct psw_task task[4] = {task_of(50), task_of(1), task_of(60), task_of(4)};
    task[2].n_dep = 1;
    task[2].dep[0] = 1; /* 1 -> 2: 61 */
    task[3].n_rank = 1;
    struct psw_ledger *l = ledger_of(task, 4);
    int32_t first, n;
    const int32_t *order = psw_ledger_order(l, &first, &n);
    const int32_t expected[] = {1, 2, 0, 3};
    assert_int_equal(n, 4);
    assert_int_equal(first, 0);
    assert_memory_equal(order, expected, sizeof expected);
    psw_ledger_destroy(l);
}

static void the_first_of_the_order_goes_back_when_an_attempt_is_lost(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(3), task_of(2), task_of(1)};
    struct psw_ledger *l = ledger_of(task, 3);
    int32_t first, n;
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 1, PSW_TASK_ASSIGNED);
    psw_ledger_order(l, &first, &n);
    assert_int_equal(first, 2);
    apply(l, 0, PSW_TASK_LOST);
    psw_ledger_order(l, &first, &n);
    assert_int_equal(first, 0);
    assert_int_equal(psw_ledger_n_wasted(l, 0), 1);
    assert_int_equal(psw_ledger_n_attempt(l, 0), 1);
    psw_ledger_destroy(l);
}

static void a_task_that_is_widened_is_queued_again_and_nothing_is_held_against_it(void **state)
{
    (void)state;
    const struct psw_task task[2] = {task_of(3), task_of(2)};
    struct psw_ledger *l = ledger_of(task, 2), *copy = NULL;
    apply(l, 0, PSW_TASK_ASSIGNED);
    assert_true(psw_ledger_left(l, 0) == 1 && psw_ledger_next_ranks(l, 0) == 0);
    psw_ledger_resume(l, 0, 0.25, 4);
    apply(l, 0, PSW_TASK_WIDENED);
    assert_int_equal(psw_ledger_clone(l, &copy, NULL), PSW_OK);
    assert_true(psw_ledger_is_ready(copy, 0));
    assert_int_equal(psw_ledger_n_wasted(copy, 0), 0);
    assert_int_equal(psw_ledger_n_widened(copy, 0), 1);
    assert_int_equal(psw_ledger_next_ranks(copy, 0), 4);
    apply(copy, 0, PSW_TASK_ASSIGNED);
    assert_true(psw_ledger_left(copy, 0) == 0.75);
    assert_int_equal(psw_ledger_next_ranks(copy, 0), 0); /* it has had them */
    assert_int_equal(psw_ledger_n_attempt(copy, 0), 2);
    psw_ledger_destroy(copy);
    psw_ledger_destroy(l);
}

static void the_narrowest_queued_task_is_known(void **state)
{
    (void)state;
    struct psw_task task[3] = {task_of(3), task_of(2), task_of(1)};
    task[0].n_rank = task[2].n_rank = 4;
    task[1].n_rank = 2;
    struct psw_ledger *l = ledger_of(task, 3), *copy = NULL;
    assert_int_equal(psw_ledger_fewest_ranks(l), 2);
    apply(l, 1, PSW_TASK_ASSIGNED);
    assert_int_equal(psw_ledger_fewest_ranks(l), 4);
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 2, PSW_TASK_ASSIGNED);
    assert_int_equal(psw_ledger_fewest_ranks(l), INT32_MAX);
    assert_int_equal(psw_ledger_clone(l, &copy, NULL), PSW_OK);
    apply(copy, 2, PSW_TASK_LOST);
    assert_int_equal(psw_ledger_fewest_ranks(copy), 4);
    assert_int_equal(psw_ledger_fewest_ranks(l), INT32_MAX);
    psw_ledger_destroy(copy);
    psw_ledger_destroy(l);
}

static void a_bad_end_blocks_all_that_depends_on_it_and_names_the_culprit(void **state)
{
    (void)state;
    struct psw_task task[5];
    for (int i = 0; i < 5; i++) task[i] = task_of(1);
    strcpy(task[0].name, "sft");
    for (int i = 1; i < 4; i++) {
        task[i].n_dep = 1;
        task[i].dep[0] = i - 1;
    }
    struct psw_ledger *l = ledger_of(task, 5);
    apply(l, 0, PSW_TASK_ASSIGNED);
    assert_int_equal(psw_ledger_next_blocked(l), -1);
    apply(l, 0, PSW_TASK_BLEW_UP);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(psw_ledger_next_blocked(l), i);
        assert_int_equal(psw_ledger_state(l, i), PSW_TASK_DIVERGED);
        assert_string_equal(psw_ledger_text(l, i),
                            "needs task 0 (sft), which diverged: because");
    }
    assert_int_equal(psw_ledger_next_blocked(l), -1);
    assert_int_equal(psw_ledger_state(l, 4), PSW_TASK_QUEUED);
    psw_ledger_destroy(l);
}

static void the_past_is_restored_as_the_journal_tells_it(void **state)
{
    (void)state;
    struct psw_task task[6];
    for (int i = 0; i < 6; i++) task[i] = task_of(1);
    task[4].n_dep = task[5].n_dep = 1;
    task[4].dep[0] = 0;
    task[5].dep[0] = 1;
    const struct psw_task_past past[6] = {
        {PSW_TASK_DONE, 1, 0, NULL},   {PSW_TASK_FAILED, 2, 1, "broken pairs"},
        {PSW_TASK_ACTIVE, 2, 1, NULL}, {PSW_TASK_INTERRUPTED, 4, 0, NULL},
        {PSW_TASK_QUEUED, 0, 0, NULL}, {PSW_TASK_FAILED, 0, 0, "needs task 1"},
    };
    struct psw_ledger *l = ledger_of(task, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(psw_ledger_restore(l, i, &past[i], NULL), PSW_OK);
    assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_DONE);
    assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_FAILED);
    assert_string_equal(psw_ledger_text(l, 1), "broken pairs");
    assert_int_equal(psw_ledger_n_wasted(l, 2), 2);
    assert_true(psw_ledger_is_ready(l, 2));
    assert_int_equal(psw_ledger_n_attempt(l, 3), 4);
    assert_true(psw_ledger_is_ready(l, 3));
    assert_true(psw_ledger_is_ready(l, 4));
    assert_int_equal(psw_ledger_state(l, 5), PSW_TASK_FAILED);
    assert_int_equal(psw_ledger_next_blocked(l), -1); /* the journal knows all of it */
    assert_int_equal(psw_ledger_restore(l, 0, &past[0], NULL), PSW_EINVAL); /* twice */
    psw_ledger_destroy(l);
}

static void restoring_only_the_culprit_blocks_the_rest_anew(void **state)
{
    (void)state;
    struct psw_task task[3] = {task_of(1), task_of(1), task_of(1)};
    task[1].n_dep = task[2].n_dep = 1;
    const struct psw_task_past failed = {PSW_TASK_FAILED, 1, 0, "broken"};
    const struct psw_task_past done = {PSW_TASK_DONE, 1, 0, NULL};
    struct psw_ledger *l = ledger_of(task, 3);
    assert_int_equal(psw_ledger_restore(l, 0, &failed, NULL), PSW_OK);
    assert_int_equal(psw_ledger_restore(l, 2, &done, NULL), PSW_OK); /* its result exists */
    assert_int_equal(psw_ledger_state(l, 2), PSW_TASK_DONE);
    assert_int_equal(psw_ledger_next_blocked(l), 1);
    assert_int_equal(psw_ledger_next_blocked(l), -1);
    psw_ledger_destroy(l);
}

static void a_clone_is_independent(void **state)
{
    (void)state;
    const struct psw_task task[2] = {task_of(1), task_of(2)};
    struct psw_ledger *l = ledger_of(task, 2), *copy = NULL;
    apply(l, 1, PSW_TASK_ASSIGNED);
    assert_int_equal(psw_ledger_clone(l, &copy, NULL), PSW_OK);
    apply(copy, 1, PSW_TASK_FINISHED);
    assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_ACTIVE);
    assert_int_equal(psw_ledger_count(copy, PSW_TASK_DONE), 1);
    psw_ledger_destroy(l);
    psw_ledger_destroy(copy);
    psw_ledger_destroy(NULL);
}

static void a_result_that_is_gone_is_waited_for_again(void **state)
{
    (void)state;
    struct psw_task task[4] = {task_of(1), task_of(1), task_of(1), task_of(1)};
    for (int i = 1; i < 4; i++) task[i].dep[task[i].n_dep++] = 0;
    struct psw_ledger *l = ledger_of(task, 4);
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 0, PSW_TASK_FINISHED);
    apply(l, 1, PSW_TASK_ASSIGNED); /* works with it */
    apply(l, 2, PSW_TASK_ASSIGNED); /* finds it gone */
    apply(l, 2, PSW_TASK_LOST);
    apply(l, 0, PSW_TASK_REDO);
    assert_true(psw_ledger_is_ready(l, 0));
    assert_false(psw_ledger_is_ready(l, 2));
    assert_false(psw_ledger_is_ready(l, 3));
    apply(l, 1, PSW_TASK_LOST);
    assert_false(psw_ledger_is_ready(l, 1));
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 0, PSW_TASK_FINISHED);
    for (int i = 1; i < 4; i++) assert_true(psw_ledger_is_ready(l, i));
    psw_ledger_destroy(l);
}

static void what_is_set_aside_is_no_failure_of_what_needs_it(void **state)
{
    (void)state;
    struct psw_task task[2] = {task_of(1), task_of(1)};
    task[1].dep[task[1].n_dep++] = 0;
    struct psw_ledger *l = ledger_of(task, 2);
    apply(l, 0, PSW_TASK_ASSIGNED);
    apply(l, 0, PSW_TASK_SET_ASIDE);
    assert_int_equal(psw_ledger_state(l, 0), PSW_TASK_INTERRUPTED);
    assert_int_equal(psw_ledger_state(l, 1), PSW_TASK_QUEUED);
    assert_false(psw_ledger_is_ready(l, 1));
    assert_int_equal(psw_ledger_next_blocked(l), -1);
    psw_ledger_destroy(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_that_is_gone_is_waited_for_again),
        cmocka_unit_test(what_is_set_aside_is_no_failure_of_what_needs_it),
        cmocka_unit_test(an_end_stands_unless_a_result_is_found_or_lost),
        cmocka_unit_test(only_assignment_makes_a_task_active),
        cmocka_unit_test(every_state_has_a_name_of_its_own),
        cmocka_unit_test(an_illegal_move_is_refused_and_changes_nothing),
        cmocka_unit_test(assigning_before_the_dependencies_are_done_is_refused),
        cmocka_unit_test(tasks_that_cannot_be_are_refused_by_name),
        cmocka_unit_test(a_circle_is_refused),
        cmocka_unit_test(the_head_of_the_costliest_chain_comes_first),
        cmocka_unit_test(the_first_of_the_order_goes_back_when_an_attempt_is_lost),
        cmocka_unit_test(a_task_that_is_widened_is_queued_again_and_nothing_is_held_against_it),
        cmocka_unit_test(the_narrowest_queued_task_is_known),
        cmocka_unit_test(a_bad_end_blocks_all_that_depends_on_it_and_names_the_culprit),
        cmocka_unit_test(the_past_is_restored_as_the_journal_tells_it),
        cmocka_unit_test(restoring_only_the_culprit_blocks_the_rest_anew),
        cmocka_unit_test(a_clone_is_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
