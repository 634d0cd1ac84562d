/* The rules of early stopping as functions of numbers. */
#include "../../src/sweep/early_stop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

static void asha_keeps_the_best_third_of_nine(void **state)
{
    (void)state;
    double threshold;
    /* eight at the rung: with the ninth, three of nine go on */
    for (int own = 1; own <= 9; own++) {
        double other[8];
        int n = 0;
        for (int i = 1; i <= 9; i++)
            if (i != own) other[n++] = i;
        assert_int_equal(psw_asha_stops(other, 8, own, 0, 3, &threshold), own < 7);
        if (own < 7) assert_float_equal(threshold, 7, 0);
        assert_int_equal(psw_asha_stops(other, 8, own, 1, 3, &threshold), own > 3);
        if (own > 3) assert_float_equal(threshold, 3, 0);
    }
}

static void asha_lets_all_go_on_while_there_are_few(void **state)
{
    (void)state;
    double threshold, other[] = {5, 6};
    assert_int_equal(psw_asha_stops(other, 1, -1, 0, 3, &threshold), 0);
    assert_true(isnan(threshold));
    assert_int_equal(psw_asha_stops(other, 2, -1, 0, 3, &threshold), 1);
}

static void asha_takes_a_tie_for_as_good_and_nan_for_worst(void **state)
{
    (void)state;
    double threshold, equal[] = {2, 2, 2, NAN}, bad[] = {NAN, NAN, NAN};
    assert_int_equal(psw_asha_stops(equal, 4, 2, 0, 3, &threshold), 0);
    assert_int_equal(psw_asha_stops(equal, 4, NAN, 1, 3, &threshold), 1);
    assert_float_equal(threshold, 2, 0);
    assert_int_equal(psw_asha_stops(bad, 3, NAN, 0, 2, &threshold), 0);
}

static void median_stops_what_is_strictly_below_the_median(void **state)
{
    (void)state;
    double threshold, average[] = {4, 1, 3, 2};
    assert_int_equal(psw_median_stops(average, 4, 2.4, 0, 4, &threshold), 1);
    assert_float_equal(threshold, 2.5, 0);
    assert_int_equal(psw_median_stops(average, 4, 2.5, 0, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, 2.5, 1, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, 2.6, 1, 4, &threshold), 1);
    assert_int_equal(psw_median_stops(average, 3, -9, 0, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, NAN, 0, 4, &threshold), 1);
}

static void rungs_are_where_the_papers_have_them(void **state)
{
    (void)state;
    const struct psw_stop_rule asha = {.kind = PSW_STOP_ASHA, .grace = 10, .reduction = 3},
                               median = {.kind = PSW_STOP_MEDIAN, .grace = 10};
    const int64_t expected[] = {10, 30, 90, 0};
    int64_t step = 0;
    for (int i = 0; i < 4; i++) {
        step = psw_stop_next_rung(&asha, step, 270);
        assert_int_equal(step, expected[i]);
    }
    assert_int_equal(psw_stop_next_rung(&median, 0, 100), 10);
    assert_int_equal(psw_stop_next_rung(&median, 10, 100), 20);
    assert_int_equal(psw_stop_next_rung(&median, 90, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asha_keeps_the_best_third_of_nine),
        cmocka_unit_test(asha_lets_all_go_on_while_there_are_few),
        cmocka_unit_test(asha_takes_a_tie_for_as_good_and_nan_for_worst),
        cmocka_unit_test(median_stops_what_is_strictly_below_the_median),
        cmocka_unit_test(rungs_are_where_the_papers_have_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
