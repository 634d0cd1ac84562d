#include <support/support.h>

#include <math.h>
#include <posweep/analyze/apart.h>

enum { MOST = 8 };

static enum psw_apart verdict[MOST];

/** Judge n ended runs; the last `n_unended` of them have not ended. */
static void judge(const double *kl, int n, int n_unended, double max_kl)
{
    double scratch[MOST];
    for (int i = 0; i < n; i++)
        verdict[i] = i < n - n_unended ? PSW_APART_NOT : PSW_APART_UNENDED;
    psw_apart_judge(kl, n, max_kl, scratch, verdict);
}

static void a_kl_above_the_limit_is_set_apart(void **state)
{
    (void)state;
    judge((double[]){9, 4.9, 3, 197}, 4, 0, PSW_MAX_KL); /* median 6.95: no ratio */
    assert_int_equal(verdict[0], PSW_APART_KL);
    assert_int_equal(verdict[1], PSW_APART_NOT);
    assert_int_equal(verdict[2], PSW_APART_NOT);
    assert_int_equal(verdict[3], PSW_APART_KL);
    judge((double[]){9}, 1, 0, PSW_MAX_KL);
    assert_int_equal(verdict[0], PSW_APART_KL);
}

static void ten_times_the_median_is_set_apart(void **state)
{
    (void)state;
    judge((double[]){0.1, 0.12, 0.09, 1.3, 0.11}, 5, 0, PSW_MAX_KL);
    for (int i = 0; i < 5; i++)
        assert_int_equal(verdict[i], i == 3 ? PSW_APART_RATIO : PSW_APART_NOT);
    judge((double[]){0.1, 0.12, 2}, 3, 0, PSW_MAX_KL);
    assert_int_equal(verdict[2], PSW_APART_RATIO);
}

static void a_tiny_kl_is_not_set_apart_for_its_ratio(void **state)
{
    (void)state;
    judge((double[]){0.001, 0.002, 0.4}, 3, 0, PSW_MAX_KL);
    assert_int_equal(verdict[2], PSW_APART_NOT);
    judge((double[]){-0.001, -0.002, 3}, 3, 0, PSW_MAX_KL); /* an estimate may be negative */
    assert_int_equal(verdict[2], PSW_APART_NOT);
}

static void the_ratio_needs_three_runs(void **state)
{
    (void)state;
    judge((double[]){0.01, 4}, 2, 0, PSW_MAX_KL);
    assert_int_equal(verdict[0], PSW_APART_NOT);
    assert_int_equal(verdict[1], PSW_APART_NOT);
}

static void unended_runs_and_unknown_kls_stay_out_of_it(void **state)
{
    (void)state;
    judge((double[]){0.1, NAN, 0.1, 4, 99}, 5, 1, PSW_MAX_KL);
    assert_int_equal(verdict[1], PSW_APART_NOT);
    assert_int_equal(verdict[3], PSW_APART_RATIO);
    assert_int_equal(verdict[4], PSW_APART_UNENDED);
}

static void no_limit_sets_none_apart(void **state)
{
    (void)state;
    judge((double[]){0.1, 0.1, 400}, 3, 0, INFINITY);
    assert_int_equal(verdict[2], PSW_APART_NOT);
    judge((double[]){4, 30, 50}, 3, 0, 40);
    assert_int_equal(verdict[1], PSW_APART_NOT);
    assert_int_equal(verdict[2], PSW_APART_KL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kl_above_the_limit_is_set_apart),
        cmocka_unit_test(ten_times_the_median_is_set_apart),
        cmocka_unit_test(a_tiny_kl_is_not_set_apart_for_its_ratio),
        cmocka_unit_test(the_ratio_needs_three_runs),
        cmocka_unit_test(unended_runs_and_unknown_kls_stay_out_of_it),
        cmocka_unit_test(no_limit_sets_none_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
