/* Score intervals: that of a share with ties holds its level, is Wilson's without them, and
 * narrower with them. Coverage is computed by summing over all outcomes, not simulated. */
#include <support/support.h>

#include <math.h>
#include <posweep/util/interval.h>

static void wilson_interval_is_that_of_the_formula(void **state)
{
    (void)state;
    const struct psw_interval i =
        psw_wilson_interval(8, 10, 0.95); /* R: prop.test, no correction */
    assert_close(i.lo, 0.4901625, 1e-6);
    assert_close(i.hi, 0.9433178, 1e-6);
    assert_close(psw_wilson_interval(0, 10, 0.95).lo, 0, 1e-15);
    assert_close(psw_wilson_interval(10, 10, 0.95).hi, 1, 1e-15);
    assert_close(psw_wilson_interval(0, 0, 0.95).hi, 1, 0);
}

static void normal_quantiles_are_those_of_the_tables(void **state)
{
    (void)state;
    assert_close(psw_normal_quantile(0.975), 1.959963984540054, 1e-14);
    assert_close(psw_normal_quantile(0.5), 0, 1e-15);
    assert_close(psw_normal_quantile(0.001), -3.090232306167813, 1e-13);
    assert_true(isnan(psw_normal_quantile(0)));
    assert_true(isnan(psw_normal_quantile(1)));
}

static void without_ties_the_interval_is_wilsons(void **state)
{
    (void)state;
    for (int n = 1; n <= 50; n += 7)
        for (int win = 0; win <= n; win++) {
            const struct psw_interval a = psw_tied_interval(win, 0, n, 0.95);
            const struct psw_interval b = psw_wilson_interval(win, n, 0.95);
            assert_close(a.lo, b.lo, 1e-9);
            assert_close(a.hi, b.hi, 1e-9);
        }
    assert_close(psw_tied_interval(0, 0, 0, 0.95).hi, 1, 0);
}

static void losses_mirror_wins(void **state)
{
    (void)state;
    const struct psw_interval a = psw_tied_interval(30, 14, 64, 0.95);
    const struct psw_interval b = psw_tied_interval(20, 14, 64, 0.95);
    assert_close(a.lo, 1 - b.hi, 1e-12);
    assert_close(a.hi, 1 - b.lo, 1e-12);
}

static void ties_make_the_interval_narrower(void **state)
{
    (void)state; /* a share of 0.7, 256 prompts, 16 and 60 % ties */
    const struct psw_interval wilson = psw_wilson_interval(0.7 * 256, 256, 0.95);
    const struct psw_interval few = psw_tied_interval(0.62 * 256, 0.16 * 256, 256, 0.95);
    const struct psw_interval many = psw_tied_interval(0.4 * 256, 0.6 * 256, 256, 0.95);
    assert_true((wilson.hi - wilson.lo) / (few.hi - few.lo) > 1.08);
    assert_true((wilson.hi - wilson.lo) / (many.hi - many.lo) > 1.6);
    assert_true(many.lo < 0.7 && 0.7 < many.hi);
}

static void ties_alone_leave_a_doubt(void **state)
{
    (void)state; /* 3.84 of (64 + 3.84): the difference that none of 64 would show */
    const struct psw_interval i = psw_tied_interval(0, 64, 64, 0.95);
    const double z2 = 1.959963984540054 * 1.959963984540054;
    assert_close(i.hi, 0.5 + 0.5 * z2 / (64 + z2), 1e-9);
    assert_close(i.lo, 1 - i.hi, 1e-9);
}

/* Chance that the interval holds p, over all outcomes of n trials. */
static double coverage(int n, double p, double tie)
{
    const double log_win = log(p - tie / 2), log_tie = log(tie), log_loss = log1p(-p - tie / 2);
    double sum = 0;
    for (int b = 0; b <= n; b++)
        for (int t = 0; b + t <= n; t++) {
            const int c = n - b - t;
            const double chance = exp(lgamma(n + 1) - lgamma(b + 1) - lgamma(t + 1) -
                                      lgamma(c + 1) + b * log_win + t * log_tie + c * log_loss);
            if (chance < 1e-12) continue;
            const struct psw_interval i = psw_tied_interval(b, t, n, 0.95);
            if (i.lo <= p && p <= i.hi) sum += chance;
        }
    return sum;
}

static void the_interval_with_ties_holds_its_level(void **state)
{
    (void)state;
    static const double SHARE[] = {0.5, 0.6, 0.69, 0.8, 0.9}, TIE[] = {0.16, 0.6};
    for (int n = 64; n <= 256; n *= 4)
        for (int t = 0; t < 2; t++)
            for (int k = 0; k < 5; k++) {
                if (SHARE[k] + TIE[t] / 2 >= 1) continue; /* no such trial */
                const double c = coverage(n, SHARE[k], TIE[t]);
                if (!(c >= 0.93 && c <= 0.975))
                    fail_msg("n %d, share %g, ties %g: %g", n, SHARE[k], TIE[t], c);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wilson_interval_is_that_of_the_formula),
        cmocka_unit_test(normal_quantiles_are_those_of_the_tables),
        cmocka_unit_test(without_ties_the_interval_is_wilsons),
        cmocka_unit_test(losses_mirror_wins),
        cmocka_unit_test(ties_make_the_interval_narrower),
        cmocka_unit_test(ties_alone_leave_a_doubt),
        cmocka_unit_test(the_interval_with_ties_holds_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
