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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makespans_are_near_the_bound_where_predictions_are_right),
        cmocka_unit_test(the_bound_is_that_of_work_or_of_the_longest_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
