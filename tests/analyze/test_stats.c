#include <support/support.h>

#include <math.h>
#include <posweep/analyze/stats.h>

static void moments_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    const double x[] = {1, -9, NAN, -9, 3, -9, INFINITY, -9, 5, -9};
    const struct psw_stat s = psw_stat_of(x, 5, 2);
    assert_int_equal(s.n, 3);
    assert_close(s.mean, 3, 1e-15);
    assert_close(s.sd, 2, 1e-15);
    assert_close(s.se, 2 / sqrt(3), 1e-15);
    assert_true(isnan(psw_stat_of(x, 1, 1).sd));
    assert_true(isnan(psw_stat_of(x, 0, 1).mean));
}

static void spread_of_a_sample_does_not_follow_one_run_away(void **state)
{
    (void)state;
    double odd[] = {3, NAN, 1, 551, INFINITY, 2, 4}, even[] = {4, 1, 3, 2}, none[] = {NAN};
    const struct psw_spread s = psw_spread_of(odd, 7);
    assert_int_equal(s.n, 5);
    assert_close(s.median, 3, 0);
    assert_close(s.least, 1, 0);
    assert_close(s.most, 551, 0);
    assert_close(psw_spread_of(even, 4).median, 2.5, 0);
    assert_close(psw_spread_of(even, 4).lower, 1.75,
                 1e-15); /* numpy.quantile([1, 2, 3, 4], 0.25) */
    assert_close(psw_spread_of(even, 4).upper, 3.25, 1e-15);
    assert_close(s.lower, 2, 0);
    assert_close(s.upper, 4, 0);
    assert_true(isnan(psw_spread_of(none, 1).upper));
    assert_int_equal(psw_spread_of(none, 1).n, 0);
    assert_true(isnan(psw_spread_of(none, 1).median));
}

static void t_quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_close(psw_t_quantile(0.975, 1), 12.7062047364, 1e-9); /* R: qt(0.975, 1) */
    assert_close(psw_t_quantile(0.975, 2), 4.30265272975, 1e-9);
    assert_close(psw_t_quantile(0.975, 8), 2.30600413520, 1e-9);
    assert_close(psw_t_quantile(0.95, 30), 1.69726088659, 1e-9);
    assert_close(psw_t_quantile(0.025, 5), -2.57058183564, 1e-9);
    assert_close(psw_t_quantile(0.5, 3), 0, 1e-12);
    assert_true(isnan(psw_t_quantile(0.5, 0)));
}

static void interval_of_a_mean_is_students(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3};
    const struct psw_interval i = psw_stat_interval(psw_stat_of(x, 3, 1), 0.95);
    assert_close(i.lo, 2 - 4.30265272975 / sqrt(3), 1e-9);
    assert_close(i.hi, 2 + 4.30265272975 / sqrt(3), 1e-9);
    assert_true(isnan(psw_stat_interval(psw_stat_of(x, 1, 1), 0.95).lo));
}

static void the_kth_is_that_of_the_sorted_sample(void **state)
{
    (void)state;
    for (int64_t k = 0; k < 7; k++) {
        double x[] = {3, -1, 3, INFINITY, 0, 3, -7};
        const double sorted[] = {-7, -1, 0, 3, 3, 3, INFINITY};
        assert_true(psw_stat_kth(x, 7, k) == sorted[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kth_is_that_of_the_sorted_sample),
        cmocka_unit_test(moments_leave_out_what_is_not_finite),
        cmocka_unit_test(spread_of_a_sample_does_not_follow_one_run_away),
        cmocka_unit_test(t_quantiles_are_those_of_the_tables),
        cmocka_unit_test(interval_of_a_mean_is_students),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
