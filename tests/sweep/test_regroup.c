/* Which task under way gets more ranks, and what the forecast makes of it. */
#include <posweep/sweep/regroup.h>
#include <support/support.h>

#include <math.h>

enum { N_RANK = 8, MAX_TASKS = 4 };

/* Tasks on ranks of one node; speed 1 FLOP/s, so that costs are seconds. */
struct scene {
    struct psw_task task[MAX_TASKS];
    struct psw_ledger *ledger;
    struct psw_speed speed;
    struct psw_sched_rank rank[N_RANK];
    struct psw_sched_in in;
    int32_t chosen[2 * N_RANK], n_chosen;
    double left_s;
};

static void scene_init(struct scene *s, int32_t n_task)
{
    s->speed = (struct psw_speed){.prior_flops_per_s = 1};
    for (int32_t i = 0; i < n_task; i++) {
        s->task[i].n_rank = 1;
        s->task[i].n_rank_most = N_RANK;
        s->task[i].cost = 1000;
    }
    assert_int_equal(psw_ledger_create(s->task, n_task, &s->ledger, NULL), PSW_OK);
    for (int32_t r = 0; r < N_RANK; r++) s->rank[r] = (struct psw_sched_rank){.task = -1};
    s->in = (struct psw_sched_in){.ledger = s->ledger,
                                  .speed = &s->speed,
                                  .rank = s->rank,
                                  .n_rank = N_RANK,
                                  .until_s = INFINITY,
                                  .checkpoint_s = 60,
                                  .restart_s = 5};
}

/* The task works on n ranks from `first` on, and so much of it is left. */
static void begin(struct scene *s, int32_t task, int32_t first, int32_t n, double left_s)
{
    assert_int_equal(psw_ledger_apply(s->ledger, task, PSW_TASK_ASSIGNED, NULL, NULL), PSW_OK);
    for (int32_t r = first; r < first + n; r++)
        s->rank[r] = (struct psw_sched_rank){
            .task = task, .free_s = left_s, .n_group = r == first ? n : 0};
}

static int32_t ask(struct scene *s)
{
    return psw_regroup(&s->in, s->chosen, &s->n_chosen, &s->left_s);
}

static void the_last_task_gets_its_ranks_and_the_idle_ones(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_init(&s, 1);
    begin(&s, 0, 2, 2, 400);
    assert_int_equal(ask(&s), 0);
    assert_int_equal(s.n_chosen, 8);
    for (int32_t i = 0; i < 8; i++) assert_int_equal(s.chosen[i], i);
    assert_close(s.left_s, 5 + 400 / (1.8 * 1.8), 1e-9); /* two doublings of 1.8 each */
    psw_ledger_destroy(s.ledger);
}

static void no_more_ranks_are_taken_than_end_the_sweep_earlier(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_init(&s, 2);
    begin(&s, 0, 0, 1, 1000);
    begin(&s, 1, 1, 4, 600); /* more ranks for it there are not */
    assert_int_equal(ask(&s), 0);
    assert_int_equal(s.n_chosen, 2);
    psw_ledger_destroy(s.ledger);
}

static void tasks_that_end_alike_are_all_given_more(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_init(&s, 2);
    begin(&s, 0, 0, 2, 400);
    begin(&s, 1, 2, 2, 400);
    assert_int_equal(ask(&s), 0);
    assert_int_equal(s.n_chosen, 4);
    s.rank[4].task = s.rank[5].task = 0; /* it has them */
    s.rank[0].n_group = 4;
    s.rank[0].free_s = s.left_s;
    assert_int_equal(ask(&s), 1);
    assert_int_equal(s.n_chosen, 4);
    s.rank[0].n_group = 2;
    s.rank[0].free_s = s.rank[2].free_s = 400;
    s.rank[4].task = s.rank[5].task = -1;
    s.rank[6].out = s.rank[7].out = 1; /* enough for one only: nothing is gained */
    assert_int_equal(ask(&s), -1);
    psw_ledger_destroy(s.ledger);
}

/* Each spoils what would be done without it. */
static void a_task_keeps_its_ranks_where_more_do_not_pay_or_cannot_be(void **state)
{
    (void)state;
    for (int spoilt = 0; spoilt <= 9; spoilt++) {
        const uint8_t alone[1] = {1};
        const int32_t avoid[1][PSW_SCHED_AVOIDED] = {{3, -1}};
        struct scene s = {0};
        scene_init(&s, 1);
        begin(&s, 0, 0, 2, 400);
        if (spoilt == 1) s.rank[0].stays = 1;
        if (spoilt == 2) s.in.restart_s = 0;
        if (spoilt == 3) s.in.restart_s = 150; /* it saves 276 s, and counts twice */
        if (spoilt == 4) s.in.widen_s = 300;
        if (spoilt == 5) s.in.n_end = 1;
        if (spoilt == 6) s.in.until_s = 64;
        if (spoilt == 7) s.in.alone = alone;
        if (spoilt == 8) s.in.avoid = avoid;
        for (int i = 0; spoilt == 9 && i < 3; i++) {
            assert_int_equal(psw_ledger_apply(s.ledger, 0, PSW_TASK_WIDENED, NULL, NULL),
                             PSW_OK);
            assert_int_equal(psw_ledger_apply(s.ledger, 0, PSW_TASK_ASSIGNED, NULL, NULL),
                             PSW_OK);
        }
        assert_int_equal(ask(&s), spoilt ? -1 : 0);
        psw_ledger_destroy(s.ledger);
    }
}

static void only_ranks_of_its_node_are_given_to_a_task(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_init(&s, 1);
    begin(&s, 0, 0, 2, 400);
    for (int32_t r = 4; r < N_RANK; r++) s.rank[r].node = 4;
    assert_int_equal(ask(&s), 0);
    assert_int_equal(s.n_chosen, 4);
    assert_int_equal(s.chosen[3], 3);
    s.rank[1].node = 4; /* a group of two nodes stays as it is */
    assert_int_equal(ask(&s), -1);
    psw_ledger_destroy(s.ledger);
}

static void idle_ranks_are_kept_for_what_comes_next_unless_it_needs_the_task(void **state)
{
    (void)state;
    struct scene s = {0};
    s.task[2].n_dep = 1; /* needs 1 */
    s.task[2].dep[0] = 1;
    s.task[3].n_dep = 1; /* needs 0 */
    s.task[3].dep[0] = 0;
    scene_init(&s, 4);
    begin(&s, 0, 0, 1, 900);
    begin(&s, 1, 1, 4, 100);
    s.rank[5].out = 1;
    assert_int_equal(ask(&s), 0); /* one of the two is kept for 2 */
    assert_int_equal(s.n_chosen, 2);
    s.rank[6].out = 1;
    assert_int_equal(ask(&s), -1);
    psw_ledger_destroy(s.ledger);
}

static void the_forecast_counts_on_more_ranks_for_what_is_under_way(void **state)
{
    (void)state;
    struct scene s = {0};
    double with_s = 0, without_s = 0;
    scene_init(&s, 1);
    begin(&s, 0, 0, 1, 1000);
    assert_int_equal(psw_schedule_forecast(&s.in, &with_s, NULL), PSW_OK);
    s.in.restart_s = 0;
    assert_int_equal(psw_schedule_forecast(&s.in, &without_s, NULL), PSW_OK);
    assert_close(with_s, 5 + 1000 / (1.8 * 1.8 * 1.8), 1e-9);
    assert_close(without_s, 1000, 1e-9);
    psw_ledger_destroy(s.ledger);
}

static void a_task_that_was_stopped_for_it_gets_the_ranks_that_are_left(void **state)
{
    (void)state;
    struct scene s = {0};
    scene_init(&s, 2);
    begin(&s, 0, 0, 2, 400);
    begin(&s, 1, 2, 2, 400);
    psw_ledger_resume(s.ledger, 0, 0.5, 4);
    assert_int_equal(psw_ledger_apply(s.ledger, 0, PSW_TASK_WIDENED, NULL, NULL), PSW_OK);
    s.rank[0].task = s.rank[1].task = -1;
    assert_int_equal(psw_schedule_next(&s.in, s.chosen, &s.n_chosen), 0);
    assert_int_equal(s.n_chosen, 4); /* although 1 ends no earlier */
    for (int32_t r = 5; r < N_RANK; r++) s.rank[r].out = 1;
    assert_int_equal(psw_schedule_next(&s.in, s.chosen, &s.n_chosen), 0);
    assert_int_equal(s.n_chosen, 2);
    assert_close(psw_speed_left_s(&s.speed, s.ledger, 0, 2), 500 / 1.8, 1e-9);
    psw_ledger_destroy(s.ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_task_gets_its_ranks_and_the_idle_ones),
        cmocka_unit_test(no_more_ranks_are_taken_than_end_the_sweep_earlier),
        cmocka_unit_test(tasks_that_end_alike_are_all_given_more),
        cmocka_unit_test(a_task_keeps_its_ranks_where_more_do_not_pay_or_cannot_be),
        cmocka_unit_test(only_ranks_of_its_node_are_given_to_a_task),
        cmocka_unit_test(idle_ranks_are_kept_for_what_comes_next_unless_it_needs_the_task),
        cmocka_unit_test(the_forecast_counts_on_more_ranks_for_what_is_under_way),
        cmocka_unit_test(a_task_that_was_stopped_for_it_gets_the_ranks_that_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
