/* Medians of odd and even counts. */
#include <posweep/util/median.h>
#include <support/support.h>

static void median_of_an_odd_count_is_the_one_in_the_middle(void **state)
{
    (void)state;
    double x[] = {3, -1, 7};
    assert_true(psw_median(x, 3) == 3);
    assert_true(psw_median(x, 1) == -1); /* sorted now */
}

static void median_of_an_even_count_is_the_mean_of_two(void **state)
{
    (void)state;
    double x[] = {4, 1, 100, 2};
    assert_true(psw_median(x, 4) == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_of_an_odd_count_is_the_one_in_the_middle),
        cmocka_unit_test(median_of_an_even_count_is_the_mean_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
