/* The scheduler keeps ranks busy, also where few runs take most of the time. */
#include <support/support.h>

#include <posweep/bench/makespan.h>

static void makespans_are_near_the_bound_where_predictions_are_right(void **state)
{
    (void)state;
    static const double MOST = 1.05; /* what a sweep is promised */
    for (int tail = 0; tail < PSW_N_TAIL; tail++) {
        const struct psw_bench_makespan_opts o = {
            .n_run = 2000, .n_rank = 256, .tail = (enum psw_bench_tail)tail};
        struct psw_bench_makespan_result r;
        assert_int_equal(psw_bench_makespan(&o, &r, NULL), PSW_OK);
        const double ratio = r.makespan_s / r.bound_s;
        /* Minutes do not divide evenly: 7.8 of them per rank, so 8 and the shared stage. */
        const double most = tail == PSW_TAIL_MINUTES ? 1.08 : MOST;
        if (!(ratio >= 1 - 1e-9 && ratio <= most))
            fail_msg("%s: %g times the bound", psw_bench_tail_name(o.tail), ratio);
    }
}

static void the_bound_is_that_of_work_or_of_the_longest_chain(void **state)
{
    (void)state;
    const struct psw_bench_makespan_opts wide = {.n_run = 8, .n_rank = 100};
    const struct psw_bench_makespan_opts narrow = {.n_run = 8, .n_rank = 1};
    struct psw_bench_makespan_result r;
    assert_int_equal(psw_bench_makespan(&wide, &r, NULL), PSW_OK);
    assert_true(r.bound_s == 75 && r.makespan_s == 75); /* shared 15 s, then all at once */
    assert_int_equal(psw_bench_makespan(&narrow, &r, NULL), PSW_OK);
    assert_true(r.bound_s == 15 + 8 * 60 && r.makespan_s == r.bound_s);
}

/* Where runs are widened; relative to where they are not. */
static double widened(struct psw_bench_makespan_opts o)
{
    struct psw_bench_makespan_result narrow, wide;
    assert_int_equal(psw_bench_makespan(&o, &narrow, NULL), PSW_OK);
    o.n_rank_most = 8;
    assert_int_equal(psw_bench_makespan(&o, &wide, NULL), PSW_OK);
    return wide.makespan_s / narrow.makespan_s;
}

/* What the scheduler assumes is 0.9. Predictions that are wrong may cost a twentieth. */
static void
widening_gains_on_average_and_costs_nothing_where_predictions_are_right(void **state)
{
    (void)state;
    static const int64_t RUNS[] = {1, 3, 4, 9, 10, 17, 40, 100, 500},
                         RANKS[] = {2, 4, 8, 16, 64};
    static const double EFFICIENCIES[] = {0.9, 0.75, 0.6}, MEANS[] = {0.8, 0.85, 0.95};
    enum { N_RUNS = sizeof RUNS / sizeof *RUNS, N_RANKS = sizeof RANKS / sizeof *RANKS };
    for (int e = 0; e < 3; e++) {
        double sum = 0;
        for (int i = 0; i < PSW_N_TAIL * N_RUNS * N_RANKS; i++) {
            struct psw_bench_makespan_opts o = {.n_run = RUNS[i % N_RUNS],
                                                .n_rank = RANKS[i / N_RUNS % N_RANKS],
                                                .tail =
                                                    (enum psw_bench_tail)(i / N_RUNS / N_RANKS),
                                                .efficiency = EFFICIENCIES[e]};
            const double ratio = widened(o);
            assert_true(ratio <= 1.001);
            sum += ratio;
            o.error = 0.5;
            if (e < 2) assert_true(widened(o) <= 1.05);
        }
        assert_true(sum / (PSW_N_TAIL * N_RUNS * N_RANKS) < MEANS[e]);
    }
}

/* 2,000 runs on 1,024 ranks, the longest of which takes longer than all others on their ranks.
 */
static void the_longest_run_gets_all_the_ranks_that_it_can_use(void **state)
{
    (void)state;
    struct psw_bench_makespan_opts o = {
        .n_run = 2000, .n_rank = 1024, .tail = PSW_TAIL_PARETO, .efficiency = 0.9};
    const double ratio = widened(o), eight_ranks = 1 / (1.8 * 1.8 * 1.8);
    assert_true(ratio >= 0.99 * eight_ranks && ratio < 1.1 * eight_ranks);
    o.error = 0.5; /* what was taken for shorter than it is gets them on its way */
    assert_true(widened(o) < 1.2 * eight_ranks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makespans_are_near_the_bound_where_predictions_are_right),
        cmocka_unit_test(the_bound_is_that_of_work_or_of_the_longest_chain),
        cmocka_unit_test(
            widening_gains_on_average_and_costs_nothing_where_predictions_are_right),
        cmocka_unit_test(the_longest_run_gets_all_the_ranks_that_it_can_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
