/* The scheduler: order, nodes, reservations, walltime, and the invariants that hold for random
 * graphs in simulated time. */
#include <posweep/sweep/scheduler.h>
#include <posweep/util/rng.h>
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 16, MAX_TASKS = 200 };

/* A sweep at rest on ranks of which `per_node` share a machine; speed 1 FLOP/s. */
struct stage {
    struct psw_ledger *ledger;
    struct psw_speed speed;
    struct psw_sched_rank rank[MAX_RANKS];
    struct psw_sched_in in;
    int32_t chosen[2 * MAX_RANKS], n_chosen;
};

static void stage_init(struct stage *s, const struct psw_task *task, int32_t n_task,
                       int32_t n_rank, int32_t per_node)
{
    *s = (struct stage){.speed = {.prior_flops_per_s = 1}};
    struct psw_error err = {0};
    if (psw_ledger_create(task, n_task, &s->ledger, &err) != PSW_OK) fail_msg("%s", err.text);
    for (int32_t r = 0; r < n_rank; r++)
        s->rank[r] = (struct psw_sched_rank){.node = r / per_node, .task = -1};
    s->in = (struct psw_sched_in){.ledger = s->ledger,
                                  .speed = &s->speed,
                                  .rank = s->rank,
                                  .n_rank = n_rank,
                                  .until_s = INFINITY,
                                  .checkpoint_s = INFINITY};
}

/* Take the next assignment; -1 if there is none. */
static int32_t start(struct stage *s)
{
    const int32_t t = psw_schedule_next(&s->in, s->chosen, &s->n_chosen);
    if (t < 0) return t;
    const struct psw_task *task = psw_ledger_task(s->ledger, t);
    assert_int_equal(psw_ledger_apply(s->ledger, t, PSW_TASK_ASSIGNED, NULL, NULL), PSW_OK);
    for (int32_t i = 0; i < s->n_chosen; i++) {
        struct psw_sched_rank *r = &s->rank[s->chosen[i]];
        assert_int_equal(r->task, -1);
        if (i > 0) assert_true(s->chosen[i] > s->chosen[i - 1]);
        r->task = t;
        r->free_s = s->in.now_s + psw_speed_predict_s(&s->speed, task, s->n_chosen);
    }
    return t;
}

static void end(struct stage *s, int32_t task)
{
    assert_int_equal(psw_ledger_apply(s->ledger, task, PSW_TASK_FINISHED, NULL, NULL), PSW_OK);
    for (int32_t r = 0; r < s->in.n_rank; r++)
        if (s->rank[r].task == task) s->rank[r].task = -1;
}

static struct psw_task task_of(double cost, int32_t n_rank)
{
    return (struct psw_task){.cost = cost, .n_rank = n_rank};
}

static void the_longest_predicted_task_goes_first(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(2, 1), task_of(9, 1), task_of(5, 1)};
    struct stage s;
    stage_init(&s, task, 3, 2, 2);
    assert_int_equal(start(&s), 1);
    assert_int_equal(start(&s), 2);
    assert_int_equal(start(&s), -1); /* no rank is idle */
    end(&s, 2);
    assert_int_equal(start(&s), 0);
    psw_ledger_destroy(s.ledger);
}

static void ranks_of_one_node_go_together(void **state)
{
    (void)state;
    const struct psw_task task[4] = {task_of(9, 1), task_of(32, 4), task_of(14, 2),
                                     task_of(6, 1)};
    struct stage s;
    stage_init(&s, task, 4, 8, 4);
    assert_int_equal(start(&s), 0); /* node 0 or 1: equally full */
    assert_int_equal(s.chosen[0], 0);
    assert_int_equal(start(&s), 1);
    for (int32_t i = 0; i < 4; i++) assert_int_equal(s.chosen[i], 4 + i);
    assert_int_equal(start(&s), 2);
    assert_int_equal(s.chosen[0], 1);
    assert_int_equal(s.chosen[1], 2);
    assert_int_equal(start(&s), 3);
    assert_int_equal(s.chosen[0], 3);
    psw_ledger_destroy(s.ledger);
}

static void a_narrow_task_takes_the_fullest_node(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(18, 2), task_of(8, 1), task_of(28, 4)};
    struct stage s;
    stage_init(&s, task, 3, 8, 4);
    start(&s);
    assert_int_equal(start(&s), 1);
    assert_int_equal(s.rank[s.chosen[0]].node, 0); /* beside the first one */
    assert_int_equal(start(&s), 2);                /* so that this one has a node of its own */
    for (int32_t i = 0; i < 4; i++) assert_int_equal(s.rank[s.chosen[i]].node, 1);
    psw_ledger_destroy(s.ledger);
}

static void a_wide_task_is_overtaken_only_by_what_does_not_delay_it(void **state)
{
    (void)state;
    /* On 4 ranks: 0 and 1 run until 10; 2 wants all four and is promised t = 10. */
    const struct psw_task task[6] = {task_of(1000, 1), task_of(999, 1), task_of(998 * 4, 4),
                                     task_of(900, 1),  task_of(8, 1),   task_of(12, 1)};
    struct stage s;
    stage_init(&s, task, 6, 4, 4);
    for (int32_t t = 0; t < 2; t++) {
        assert_int_equal(psw_ledger_apply(s.ledger, t, PSW_TASK_ASSIGNED, NULL, NULL), PSW_OK);
        s.rank[t].task = t;
        s.rank[t].free_s = 10;
    }
    assert_int_equal(start(&s), 4);  /* ends at 8 */
    assert_int_equal(start(&s), -1); /* 3 and 5 would end after 10 */
    s.in.now_s = 11;                 /* 0 and 1 are overdue: nobody knows until when */
    end(&s, 4);
    assert_int_equal(start(&s), -1);
    end(&s, 0);
    end(&s, 1);
    assert_int_equal(start(&s), 2);
    psw_ledger_destroy(s.ledger);
}

static void ranks_that_a_wide_task_does_not_need_are_used(void **state)
{
    (void)state;
    /* On 4 ranks: 0 holds three of them until 10; 1 wants two; one more is spare at 10. */
    const struct psw_task task[3] = {task_of(1e4, 1), task_of(5e3, 2), task_of(2e3, 1)};
    struct stage s;
    stage_init(&s, task, 3, 4, 4);
    assert_int_equal(psw_ledger_apply(s.ledger, 0, PSW_TASK_ASSIGNED, NULL, NULL), PSW_OK);
    for (int32_t r = 0; r < 3; r++)
        s.rank[r] = (struct psw_sched_rank){.task = 0, .free_s = 10};
    assert_int_equal(start(&s), 2); /* 2000 s long, but on the rank to spare */
    psw_ledger_destroy(s.ledger);
}

static void without_a_known_speed_nothing_overtakes_on_trust(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(1e4, 1), task_of(5e3, 2), task_of(1, 1)};
    struct stage s;
    stage_init(&s, task, 3, 2, 2);
    s.speed.prior_flops_per_s = 0;
    assert_int_equal(start(&s), 0);
    assert_int_equal(start(&s), -1);
    psw_ledger_destroy(s.ledger);
}

static void nothing_starts_that_can_neither_end_nor_be_saved(void **state)
{
    (void)state;
    const struct psw_task task[2] = {task_of(100, 1), task_of(10, 1)};
    struct stage s;
    stage_init(&s, task, 2, 4, 4);
    s.in.now_s = 1000;
    s.in.until_s = 1050;
    assert_int_equal(start(&s), 1); /* ends at 1010 */
    assert_int_equal(start(&s), -1);
    s.in.checkpoint_s = 20; /* now the long one can be saved in time */
    assert_int_equal(start(&s), 0);
    psw_ledger_destroy(s.ledger);
}

static void speed_is_learnt_per_kind_and_follows_changes(void **state)
{
    (void)state;
    struct psw_speed speed = {.prior_flops_per_s = 3};
    struct psw_task a = task_of(100, 1), b = task_of(100, 1);
    b.kind = 1;
    assert_close(psw_speed_flops_per_s(&speed, 0), 3, 1e-12);
    psw_speed_learn(&speed, &a, 1, 10);
    assert_close(psw_speed_flops_per_s(&speed, 0), 10, 1e-12);
    assert_close(psw_speed_flops_per_s(&speed, 1), 10, 1e-12); /* the best guess */
    psw_speed_learn(&speed, &b, 1, 100);
    assert_close(psw_speed_flops_per_s(&speed, 1), 1, 1e-12);
    assert_close(psw_speed_predict_s(&speed, &a, 1), 10, 1e-12);
    for (int i = 0; i < 300; i++)
        psw_speed_learn(&speed, &a, 1, 50); /* the machine slowed down */
    assert_close(psw_speed_flops_per_s(&speed, 0), 2, 1e-4);
    psw_speed_learn(&speed, &a, 1, 0); /* a clock that stood still teaches nothing */
    assert_close(psw_speed_flops_per_s(&speed, 0), 2, 1e-4);
}

/* Seen on one rank and on four; twice as many are assumed to be 1.8 times as fast. */
static void groups_are_predicted_as_groups_of_the_nearest_size_were_seen(void **state)
{
    (void)state;
    struct psw_speed speed = {0};
    const struct psw_task task = task_of(100, 1);
    psw_speed_learn(&speed, &task, 1, 100);
    psw_speed_learn(&speed, &task, 4, 80); /* hardly any faster */
    assert_close(psw_speed_predict_s(&speed, &task, 1), 100, 1e-12);
    assert_close(psw_speed_predict_s(&speed, &task, 2), 100 / 1.8, 1e-12);
    assert_close(psw_speed_predict_s(&speed, &task, 4), 80, 1e-12);
    assert_close(psw_speed_predict_s(&speed, &task, 16), 80 / 1.8 / 1.8, 1e-12);
}

static void two_ranks_are_predicted_to_be_faster_but_not_twice(void **state)
{
    (void)state;
    const struct psw_speed speed = {.prior_flops_per_s = 1};
    const struct psw_task one = task_of(100, 1), two = task_of(100, 2);
    const double ratio =
        psw_speed_predict_s(&speed, &one, 1) / psw_speed_predict_s(&speed, &two, 2);
    assert_true(ratio > 1.5 && ratio < 2);
}

static void the_makespan_of_a_known_graph_is_known(void **state)
{
    (void)state;
    /* 0 (10 s) before four of 5 s each, on two ranks: 10 + 2 * 5. */
    struct psw_task task[5] = {task_of(10, 1), task_of(5, 1), task_of(5, 1), task_of(5, 1),
                               task_of(5, 1)};
    for (int i = 1; i < 5; i++) task[i].n_dep = 1;
    struct stage s;
    stage_init(&s, task, 5, 2, 2);
    double makespan_s = 0;
    assert_int_equal(psw_schedule_makespan(s.ledger, 2, 2, 1, &makespan_s, NULL), PSW_OK);
    assert_close(makespan_s, 20, 1e-12);
    assert_int_equal(psw_schedule_makespan(s.ledger, 4, 4, 1, &makespan_s, NULL), PSW_OK);
    assert_close(makespan_s, 15, 1e-12);
    assert_int_equal(psw_schedule_makespan(s.ledger, 1, 1, 2, &makespan_s, NULL), PSW_OK);
    assert_close(makespan_s, 15, 1e-12);
    assert_int_equal(psw_schedule_makespan(s.ledger, 1, 1, 0, &makespan_s, NULL), PSW_OK);
    assert_true(isnan(makespan_s)); /* unknown speed */
    psw_ledger_destroy(s.ledger);
}

static void a_task_wider_than_the_machine_is_refused_with_advice(void **state)
{
    (void)state;
    struct psw_task task[1] = {task_of(10, 4)};
    strcpy(task[0].name, "policy of ab12");
    struct stage s;
    stage_init(&s, task, 1, 2, 2);
    double makespan_s = 0;
    struct psw_error err = {0};
    assert_int_equal(psw_schedule_makespan(s.ledger, 2, 2, 1, &makespan_s, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "policy of ab12"));
    assert_non_null(strstr(err.text, "mpirun -n 5"));
    assert_non_null(strstr(err.text, "limits.ranks_per_run"));
    psw_ledger_destroy(s.ledger);
}

/* ---- random graphs ---- */

static int32_t random_graph(uint64_t seed, struct psw_task task[MAX_TASKS], int32_t n_rank)
{
    const struct psw_rng rng = {.seed = seed, .use = PSW_RNG_TEST};
    const int32_t n = 1 + (int32_t)psw_rng_below(rng, 0, 0, MAX_TASKS);
    for (int32_t i = 0; i < n; i++) {
        const uint64_t item = (uint64_t)i + 1;
        task[i] = task_of(1 + 99 * psw_rng_uniform(rng, item, 0), 1);
        while (task[i].n_rank * 2 <= n_rank &&
               psw_rng_below(rng, item, 10u + (uint32_t)task[i].n_rank, 3) == 0)
            task[i].n_rank *= 2;
        const int32_t n_dep = i ? (int32_t)psw_rng_below(rng, item, 1, PSW_TASK_DEPS + 1) : 0;
        for (int32_t d = 0; d < n_dep; d++)
            task[i].dep[task[i].n_dep++] =
                (int32_t)psw_rng_below(rng, item, 2 + (uint32_t)d, (uint64_t)i);
    }
    return n;
}

/* End whatever ends next; durations are as predicted times a random factor. */
static int32_t end_next(struct stage *s, const double end_s[MAX_TASKS])
{
    int32_t next = -1;
    for (int32_t r = 0; r < s->in.n_rank; r++) {
        const int32_t t = s->rank[r].task;
        if (t >= 0 && (next < 0 || end_s[t] < end_s[next])) next = t;
    }
    if (next < 0) return -1;
    s->in.now_s = fmax(s->in.now_s, end_s[next]);
    end(s, next);
    return next;
}

/* Runs a random graph to its end; start() checks the assignments themselves. */
static void play(uint64_t seed, int32_t n_rank, int32_t per_node, double noise)
{
    struct psw_task task[MAX_TASKS];
    double end_s[MAX_TASKS] = {0}, area = 0;
    const int32_t n = random_graph(seed, task, n_rank);
    const struct psw_rng rng = {.seed = seed, .use = PSW_RNG_TEST, .step = 1};
    struct stage s;
    stage_init(&s, task, n, n_rank, per_node);
    do {
        for (int32_t t; (t = start(&s)) >= 0;) {
            for (int32_t d = 0; d < task[t].n_dep; d++)
                assert_int_equal(psw_ledger_state(s.ledger, task[t].dep[d]), PSW_TASK_DONE);
            const double factor = 1 + noise * psw_rng_uniform(rng, (uint64_t)t, 0);
            const double duration_s =
                factor * psw_speed_predict_s(&s.speed, &task[t], task[t].n_rank);
            end_s[t] = s.in.now_s + duration_s;
            area += duration_s * task[t].n_rank;
        }
    } while (end_next(&s, end_s) >= 0);
    for (int32_t i = 0; i < n; i++) {
        assert_int_equal(psw_ledger_state(s.ledger, i), PSW_TASK_DONE);
        assert_int_equal(psw_ledger_n_attempt(s.ledger, i), 1);
    }
    assert_true(s.in.now_s >= area / n_rank * (1 - 1e-12));
    if (noise == 0) { /* the forecast is what happens when predictions come true */
        struct stage again;
        double makespan_s = 0;
        stage_init(&again, task, n, n_rank, per_node);
        assert_int_equal(
            psw_schedule_makespan(again.ledger, n_rank, n_rank, 1, &makespan_s, NULL), PSW_OK);
        assert_close(makespan_s, s.in.now_s, 1e-9);
        psw_ledger_destroy(again.ledger);
    }
    psw_ledger_destroy(s.ledger);
}

static void random_graphs_are_done_completely_in_order_and_as_forecast(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        play(seed, 1 + (int32_t)(seed % MAX_RANKS), 1 + (int32_t)(seed % 5), 0);
        play(seed, 1 + (int32_t)(seed % MAX_RANKS), 4, 2);
    }
}

static void a_stream_of_narrow_tasks_does_not_starve_a_wide_one(void **state)
{
    (void)state;
    /* 100 narrow tasks of random length on 4 ranks, all shorter than the wide one is wide:
     * the wide one is in the middle of the order and must start when its turn comes. */
    struct psw_task task[101];
    for (int i = 0; i < 100; i++) task[i] = task_of(20 - 0.1 * i, 1);
    task[100] = task_of(15.05 * 4, 4);
    double end_s[MAX_TASKS] = {0}, started_s = -1, turn_s = -1, longest_s = 0;
    struct stage s;
    stage_init(&s, task, 101, 4, 4);
    do {
        for (int32_t t; (t = start(&s)) >= 0;) {
            const double duration_s = psw_speed_predict_s(&s.speed, &task[t], task[t].n_rank);
            end_s[t] = s.in.now_s + duration_s;
            if (t == 100) started_s = s.in.now_s;
            if (t == 49) turn_s = s.in.now_s; /* the last that is longer */
            if (turn_s < 0) longest_s = duration_s;
        }
    } while (end_next(&s, end_s) >= 0);
    assert_true(turn_s >= 0 && started_s >= turn_s);
    assert_true(started_s - turn_s <= longest_s + 1e-9);
    psw_ledger_destroy(s.ledger);
}

static void a_task_avoids_the_ranks_that_failed_it_while_others_can_work(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(9, 1), task_of(5, 1), task_of(4, 1)};
    int32_t avoid[3][PSW_SCHED_AVOIDED] = {{0, -1}, {-1, -1}, {-1, -1}};
    struct stage s;
    stage_init(&s, task, 3, 4, 2);
    s.in.avoid = (const int32_t(*)[PSW_SCHED_AVOIDED])avoid;
    assert_int_equal(start(&s), 0);
    assert_int_equal(s.chosen[0], 2); /* on the other node, too */
    psw_ledger_destroy(s.ledger);

    stage_init(&s, task, 3, 2, 2);
    s.in.avoid = (const int32_t(*)[PSW_SCHED_AVOIDED])avoid;
    s.rank[1].out = 1;
    assert_int_equal(start(&s), 0); /* there is no other */
    assert_int_equal(s.chosen[0], 0);
    psw_ledger_destroy(s.ledger);

    stage_init(&s, task, 3, 2, 2);
    s.in.avoid = (const int32_t(*)[PSW_SCHED_AVOIDED])avoid;
    assert_int_equal(start(&s), 0);
    assert_int_equal(s.chosen[0], 1);
    assert_int_equal(psw_ledger_apply(s.ledger, 0, PSW_TASK_LOST, NULL, NULL), PSW_OK);
    s.rank[1].task = -1;
    avoid[0][0] = 1;
    avoid[0][1] = 0; /* both have failed it: not the last one */
    s.rank[0].task = -1;
    assert_int_equal(start(&s), 0);
    assert_int_equal(s.chosen[0], 0);
    psw_ledger_destroy(s.ledger);
}

static void a_task_that_waits_for_another_rank_delays_nobody(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(9, 1), task_of(5, 1), task_of(4, 1)};
    const int32_t avoid[3][PSW_SCHED_AVOIDED] = {{-1, -1}, {0, -1}, {-1, -1}};
    struct stage s;
    stage_init(&s, task, 3, 2, 2);
    s.in.avoid = avoid;
    s.rank[0].out = 1;
    assert_int_equal(start(&s), 0);
    assert_int_equal(s.chosen[0], 1); /* busy */
    s.rank[0].out = 0;
    assert_int_equal(start(&s), 2); /* 1 waits for rank 1 */
    assert_int_equal(s.chosen[0], 0);
    end(&s, 0);
    assert_int_equal(start(&s), 1);
    assert_int_equal(s.chosen[0], 1);
    psw_ledger_destroy(s.ledger);
}

static void a_rank_that_is_left_out_gets_nothing(void **state)
{
    (void)state;
    const struct psw_task task[3] = {task_of(9, 2), task_of(5, 1), task_of(4, 1)};
    struct stage s;
    stage_init(&s, task, 3, 2, 2);
    s.rank[0].out = 1;
    assert_int_equal(start(&s), 1); /* 0 can never start, and holds no promise */
    assert_int_equal(s.chosen[0], 1);
    assert_int_equal(start(&s), -1);
    end(&s, 1);
    assert_int_equal(start(&s), 2);
    end(&s, 2);
    assert_int_equal(start(&s), -1);
    psw_ledger_destroy(s.ledger);
}

static void suspects_run_last_and_one_at_a_time(void **state)
{
    (void)state;
    const struct psw_task task[4] = {task_of(9, 1), task_of(8, 1), task_of(2, 1),
                                     task_of(1, 1)};
    const uint8_t alone[4] = {1, 1, 0, 0};
    struct stage s;
    stage_init(&s, task, 4, 3, 3);
    s.in.alone = alone;
    assert_int_equal(start(&s), 2);
    assert_int_equal(start(&s), 3);
    assert_int_equal(start(&s), -1);
    end(&s, 3);
    assert_int_equal(start(&s), -1);
    end(&s, 2);
    assert_int_equal(start(&s), 0);
    assert_int_equal(start(&s), -1);
    end(&s, 0);
    assert_int_equal(start(&s), 1);
    psw_ledger_destroy(s.ledger);
}

static void a_suspect_waits_for_ends_that_the_ledger_does_not_know_yet(void **state)
{
    (void)state;
    const struct psw_task task[1] = {task_of(9, 1)};
    const uint8_t alone[1] = {1};
    struct stage s;
    stage_init(&s, task, 1, 2, 2);
    s.in.alone = alone;
    s.in.n_end = 1;
    assert_int_equal(start(&s), -1);
    s.in.n_end = 0;
    assert_int_equal(start(&s), 0);
    psw_ledger_destroy(s.ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_predicted_task_goes_first),
        cmocka_unit_test(ranks_of_one_node_go_together),
        cmocka_unit_test(a_narrow_task_takes_the_fullest_node),
        cmocka_unit_test(a_wide_task_is_overtaken_only_by_what_does_not_delay_it),
        cmocka_unit_test(ranks_that_a_wide_task_does_not_need_are_used),
        cmocka_unit_test(without_a_known_speed_nothing_overtakes_on_trust),
        cmocka_unit_test(nothing_starts_that_can_neither_end_nor_be_saved),
        cmocka_unit_test(speed_is_learnt_per_kind_and_follows_changes),
        cmocka_unit_test(groups_are_predicted_as_groups_of_the_nearest_size_were_seen),
        cmocka_unit_test(two_ranks_are_predicted_to_be_faster_but_not_twice),
        cmocka_unit_test(the_makespan_of_a_known_graph_is_known),
        cmocka_unit_test(a_task_wider_than_the_machine_is_refused_with_advice),
        cmocka_unit_test(random_graphs_are_done_completely_in_order_and_as_forecast),
        cmocka_unit_test(a_stream_of_narrow_tasks_does_not_starve_a_wide_one),
        cmocka_unit_test(a_task_avoids_the_ranks_that_failed_it_while_others_can_work),
        cmocka_unit_test(a_task_that_waits_for_another_rank_delays_nobody),
        cmocka_unit_test(a_rank_that_is_left_out_gets_nothing),
        cmocka_unit_test(suspects_run_last_and_one_at_a_time),
        cmocka_unit_test(a_suspect_waits_for_ends_that_the_ledger_does_not_know_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
