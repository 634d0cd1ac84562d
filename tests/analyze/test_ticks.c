#include <support/support.h>

#include <math.h>
#include <posweep/analyze/ticks.h>

static void check(double lo, double hi, double step, long first, long last, int digits)
{
    const struct psw_ticks t = psw_ticks_over(lo, hi, 5);
    assert_close(t.step / step, 1, 1e-12);
    assert_int_equal(t.first, first);
    assert_int_equal(t.last, last);
    assert_int_equal(t.digits, digits);
}

static void ticks_stand_at_one_two_or_five(void **state)
{
    (void)state;
    check(0, 400, 100, 0, 4, 0);
    check(0, 60, 10, 0, 6, 0);
    check(-0.309, 0.651, 0.2, -2, 4, 1);
    check(-0.0007, 0.0041, 0.001, -1, 5, 3);
    check(3.7, 551, 100, 0, 6, 0);
    check(-2.4, -0.1, 0.5, -5, 0, 1);
    check(0, 25e6, 5e6, 0, 5, 0);
}

static void an_end_on_a_tick_gets_no_further_one(void **state)
{
    (void)state;
    check(-0.1, 0.3, 0.1, -1, 3, 1); /* 0.3 / 0.1 is not 3 in binary */
    check(0.15, 0.4, 0.05, 3, 8, 2);
}

static void zero_is_exactly_zero(void **state)
{
    (void)state;
    const struct psw_ticks t = psw_ticks_over(-0.3, 0.6, 9);
    assert_true(t.first <= 0 && 0 <= t.last);
    assert_true(psw_tick(&t, 0) == 0 && !signbit(psw_tick(&t, 0)));
    assert_close(psw_tick(&t, 3), 0.3, 1e-15);
}

static void ticks_of_no_range_are_finite(void **state)
{
    (void)state;
    const double bad[][2] = {{0, 0}, {5, 5}, {NAN, NAN}, {0, INFINITY}, {3, 2}};
    for (int i = 0; i < 5; i++) {
        const struct psw_ticks t = psw_ticks_over(bad[i][0], bad[i][1], 5);
        assert_true(t.step > 0 && isfinite(t.step));
        assert_true(t.last > t.first && t.last - t.first < 20);
    }
}

static void unit_is_a_power_of_a_thousand_where_numbers_are_out_of_hand(void **state)
{
    (void)state;
    assert_close(psw_unit_for(0.65), 1, 0);
    assert_close(psw_unit_for(0.01), 1, 0);
    assert_close(psw_unit_for(999), 1, 0);
    assert_close(psw_unit_for(0.004), 1e-3, 1e-18);
    assert_close(psw_unit_for(2e-5), 1e-6, 1e-18);
    assert_close(psw_unit_for(4321), 1e3, 0);
    assert_close(psw_unit_for(0), 1, 0);
    assert_close(psw_unit_for(NAN), 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_stand_at_one_two_or_five),
        cmocka_unit_test(an_end_on_a_tick_gets_no_further_one),
        cmocka_unit_test(zero_is_exactly_zero),
        cmocka_unit_test(ticks_of_no_range_are_finite),
        cmocka_unit_test(unit_is_a_power_of_a_thousand_where_numbers_are_out_of_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
