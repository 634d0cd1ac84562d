/* Whose trouble it is: the rank's, the task's, or everybody's. */
#include "health.h"

#include <support/support.h>

enum { N_RANK = 3, N_TASK = 40 };
static const int32_t APART[N_RANK] = {0, 1, 2}; /* a node each */

/** 'x': the task met trouble on the rank; 'o': a success there. */
struct step {
    char what;
    int32_t task, rank;
};

static void live(struct psw_health *h, const struct step *step)
{
    assert_int_equal(psw_health_init(h, APART, N_RANK, N_TASK, NULL), PSW_OK);
    for (; step->what; step++)
        if (step->what == 'x')
            psw_health_trouble(h, step->task, step->rank);
        else
            psw_health_success(h, step->task, &step->rank, 1);
}

static void ranks_are_left_out_for_what_others_can_do(void **state)
{
    static const struct {
        const char *what;
        struct step step[16];
        int out[N_RANK];
    } ROWS[] = {
        {"two are not enough", {{'x', 0, 0}, {'x', 1, 0}}, {0}},
        {"three in a row", {{'x', 0, 0}, {'x', 1, 0}, {'x', 2, 0}}, {1}},
        {"a success in between", {{'x', 0, 0}, {'x', 1, 0}, {'o', 3, 0}, {'x', 2, 0}}, {0}},
        {"successes of others say nothing",
         {{'x', 0, 0}, {'x', 1, 0}, {'o', 3, 1}, {'x', 2, 0}},
         {1}},
        {"one task thrice is one task", {{'x', 0, 0}, {'x', 0, 0}, {'x', 0, 0}}, {0}},
        {"tasks that fail elsewhere, too, are not the rank's fault",
         {{'x', 0, 0}, {'x', 1, 0}, {'x', 0, 1}, {'x', 2, 0}},
         {0}},
        {"found out later, it is let in again",
         {{'x', 0, 0}, {'x', 1, 0}, {'x', 2, 0}, {'x', 0, 1}},
         {0}},
        {"two bad ranks are found out by the third",
         {{'x', 0, 0},
          {'x', 0, 1},
          {'o', 0, 2},
          {'x', 1, 1},
          {'x', 1, 0},
          {'o', 1, 2},
          {'x', 2, 0},
          {'x', 2, 1},
          {'o', 2, 2}},
         {1, 1, 0}},
        {"the last one stays",
         {{'x', 0, 0},
          {'x', 1, 0},
          {'x', 2, 0},
          {'x', 3, 1},
          {'x', 4, 1},
          {'x', 5, 1},
          {'x', 6, 2},
          {'x', 7, 2},
          {'x', 8, 2},
          {'x', 9, 2}},
         {1, 1, 0}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct psw_health h;
        live(&h, ROWS[i].step);
        for (int r = 0; r < N_RANK; r++)
            if (h.is_out[r] != ROWS[i].out[r]) fail_msg("%s: rank %d", ROWS[i].what, r);
        psw_health_clear(&h);
    }
}

static void a_task_avoids_the_last_two_ranks_that_failed_it(void **state)
{
    (void)state;
    struct psw_health h;
    live(&h, (const struct step[]){{'x', 5, 0}, {'x', 5, 0}, {'x', 5, 2}, {0}});
    assert_int_equal(h.avoid[5][0], 2);
    assert_int_equal(h.avoid[5][1], 0);
    assert_int_equal(h.avoid[4][0], -1);
    psw_health_clear(&h);
}

static void a_node_is_left_out_for_what_its_ranks_meet_together(void **state)
{
    (void)state;
    static const int32_t NODE[5] = {0, 0, 0, 3, 3};
    const int32_t good = 1;
    struct psw_health h;
    assert_int_equal(psw_health_init(&h, NODE, 5, N_TASK, NULL), PSW_OK);
    for (int32_t i = 0; i < 2; i++) psw_health_trouble(&h, i, i);
    psw_health_success(&h, 9, &good, 1); /* in between */
    for (int32_t i = 2; i < 5; i++) psw_health_trouble(&h, i, i % 2);
    assert_int_equal(h.is_out[0] + h.is_out[1] + h.is_out[2], 1); /* rank 0, for itself */
    psw_health_trouble(&h, 5, 1);
    for (int32_t r = 0; r < 5; r++) assert_int_equal(h.is_out[r], r < 3);
    assert_true(h.is_node_out[0] && !h.is_node_out[3]);
    for (int32_t i = 6; i < 20; i++) psw_health_trouble(&h, i, 3 + i % 2);
    assert_false(h.is_node_out[3]); /* the last one stays */
    assert_int_equal(h.is_out[3] + h.is_out[4], 1);
    psw_health_success(&h, 21, &good, 1); /* what still ran there */
    assert_false(h.is_out[1] || h.is_out[2] || h.is_node_out[0]);
    psw_health_clear(&h);
}

static void a_rank_that_is_known_to_be_bad_stays_out_whatever_its_node_does(void **state)
{
    (void)state;
    static const int32_t ONE_NODE[N_RANK] = {0, 0, 0};
    const int32_t good = 1;
    struct psw_health h;
    assert_int_equal(psw_health_init(&h, ONE_NODE, N_RANK, N_TASK, NULL), PSW_OK);
    psw_health_leave_out(&h, 0);
    psw_health_success(&h, 0, &good, 1);
    assert_true(h.is_out[0]);
    for (int32_t i = 1; i < 12; i++) psw_health_trouble(&h, i, 1 + i % 2);
    assert_true(h.is_out[0]);
    assert_int_equal(h.is_out[1] + h.is_out[2], 1); /* one of the others stays */
    psw_health_clear(&h);
}

static void nothing_but_trouble_is_hopeless_until_a_success(void **state)
{
    (void)state;
    struct psw_health h;
    assert_int_equal(psw_health_init(&h, APART, N_RANK, N_TASK, NULL), PSW_OK);
    int n = 0;
    for (; !psw_health_is_hopeless(&h); n++) {
        assert_true(n < 100);
        psw_health_trouble(&h, n % N_TASK, n % N_RANK);
    }
    assert_true(n > 3 * N_RANK * PSW_HEALTH_ROW);
    const int32_t rank = 1;
    psw_health_success(&h, 3, &rank, 1);
    assert_false(psw_health_is_hopeless(&h));
    psw_health_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_left_out_for_what_others_can_do),
        cmocka_unit_test(a_task_avoids_the_last_two_ranks_that_failed_it),
        cmocka_unit_test(a_node_is_left_out_for_what_its_ranks_meet_together),
        cmocka_unit_test(a_rank_that_is_known_to_be_bad_stays_out_whatever_its_node_does),
        cmocka_unit_test(nothing_but_trouble_is_hopeless_until_a_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
