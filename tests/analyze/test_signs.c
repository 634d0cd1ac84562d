#include <support/support.h>

#include <math.h>
#include <posweep/analyze/signs.h>
#include <posweep/util/rng.h>

enum { N = 20, N_TRACE = 36 };

static void a_sign_counts_beyond_two_errors(void **state)
{
    (void)state;
    assert_int_equal(psw_sign_of(0.21, 0.1), PSW_SIGN_ABOVE);
    assert_int_equal(psw_sign_of(0.19, 0.1), PSW_SIGN_OPEN);
    assert_int_equal(psw_sign_of(-0.19, 0.1), PSW_SIGN_OPEN);
    assert_int_equal(psw_sign_of(-0.21, 0.1), PSW_SIGN_BELOW);
    assert_int_equal(psw_sign_of(0, 0), PSW_SIGN_OPEN); /* a component that is not there */
    assert_int_equal(psw_sign_of(1, NAN), PSW_SIGN_UNKNOWN);
    assert_int_equal(psw_sign_of(NAN, 0.1), PSW_SIGN_UNKNOWN);
    assert_int_equal(psw_sign_of(1, INFINITY), PSW_SIGN_UNKNOWN);
}

static void shares_add_up_to_one_over_what_is_known(void **state)
{
    (void)state;
    const double value[] = {3, 1, -3, 5, NAN, 4}, se[] = {1, 1, 1, 1, 1, NAN};
    const struct psw_shares s = psw_shares_of(value, se, 6);
    assert_int_equal(s.n, 4);
    assert_close(s.above, 0.5, 0);
    assert_close(s.open, 0.25, 0);
    assert_close(s.below, 0.25, 0);
    assert_int_equal(psw_shares_of(value, se, 0).n, 0);
    assert_true(isnan(psw_shares_of(value, se, 0).above));
}

static void noise_within_its_errors_does_not_cross(void **state)
{
    (void)state;
    int n_change = 0;
    for (uint32_t t = 0; t < N_TRACE; t++) {
        double x[N], d[N], se[N];
        for (uint32_t k = 0; k < N; k++) {
            x[k] = 20 * k;
            se[k] = 0.1 + psw_rng_uniform((struct psw_rng){7, PSW_RNG_TEST, t}, k, 0);
            d[k] =
                (4 * psw_rng_uniform((struct psw_rng){7, PSW_RNG_TEST, t}, k, 1) - 2) * se[k];
            n_change += k > 0 && (d[k] > 0) != (d[k - 1] > 0);
        }
        const struct psw_crossing c = psw_crossing_of(x, d, se, N);
        assert_int_equal(c.first, PSW_SIGN_OPEN);
        assert_true(isnan(c.lo) && isnan(c.hi));
    }
    assert_true(n_change > N_TRACE); /* the sign of the bare difference changes all the time */
}

/** Share of traces of pure noise that cross. rho: correlation of neighbours. */
static double crossing_rate(double rho)
{
    enum { N_NOISE = 10000 };
    double x[N], d[N], se[N];
    int n_cross = 0;
    for (uint32_t t = 0; t < N_NOISE; t++) {
        for (uint32_t k = 0; k < N; k++) {
            const double fresh = psw_rng_normal((struct psw_rng){8, PSW_RNG_TEST, t}, k, 0);
            x[k] = k;
            se[k] = 1;
            d[k] = k > 0 ? rho * d[k - 1] + sqrt(1 - rho * rho) * fresh : fresh;
        }
        n_cross += psw_crossing_of(x, d, se, N).first != PSW_SIGN_OPEN;
    }
    return (double)n_cross / N_NOISE;
}

static void noise_alone_crosses_as_rarely_as_the_manual_says(void **state)
{
    (void)state;
    const double error = 4 * sqrt(0.13 * 0.87 / 10000); /* 4 standard errors of 10,000 traces */
    assert_true(fabs(crossing_rate(0) - 0.13) < error);
    assert_true(fabs(crossing_rate(0.9) - 0.003) < 4 * sqrt(0.003 / 10000));
}

static void crossing_lies_between_the_last_and_the_first_sign(void **state)
{
    (void)state;
    const double x[] = {0, 20, 40, 60, 80, 100}, se[] = {1, 1, 1, 1, 1, 1};
    const double d[] = {5, 4, 1, -1, -3, -6}, up[] = {-5, -4, 1, -1, 3, 6};
    struct psw_crossing c = psw_crossing_of(x, d, se, 6);
    assert_int_equal(c.first, PSW_SIGN_ABOVE);
    assert_close(c.lo, 20, 0);
    assert_close(c.hi, 80, 0);
    c = psw_crossing_of(x, up, se, 6);
    assert_int_equal(c.first, PSW_SIGN_BELOW);
    assert_close(c.hi, 80, 0);
    assert_int_equal(psw_crossing_of(x, d, se, 4).first, PSW_SIGN_OPEN); /* not yet beyond 2 */
}

static void a_late_sign_after_none_is_no_crossing(void **state)
{
    (void)state;
    const double x[] = {0, 20, 40}, d[] = {1, -1, -5}, se[] = {1, 1, 1};
    assert_int_equal(psw_crossing_of(x, d, se, 3).first, PSW_SIGN_OPEN);
}

static void the_first_of_several_crossings_counts(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3}, d[] = {3, -3, 3, -3}, se[] = {1, 1, 1, 1};
    const struct psw_crossing c = psw_crossing_of(x, d, se, 4);
    assert_int_equal(c.first, PSW_SIGN_ABOVE);
    assert_close(c.lo, 0, 0);
    assert_close(c.hi, 1, 0);
}

static void points_without_an_error_decide_nothing(void **state)
{
    (void)state;
    const double x[] = {0, 20, 40, 60}, d[] = {5, 4, -5, -5};
    const double none[] = {NAN, NAN, NAN, NAN}, some[] = {1, NAN, NAN, 1};
    assert_int_equal(psw_crossing_of(x, d, none, 4).first, PSW_SIGN_OPEN);
    const struct psw_crossing c = psw_crossing_of(x, d, some, 4);
    assert_close(c.lo, 0, 0);
    assert_close(c.hi, 60, 0);
    assert_int_equal(psw_crossing_of(x, d, some, 0).first, PSW_SIGN_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sign_counts_beyond_two_errors),
        cmocka_unit_test(shares_add_up_to_one_over_what_is_known),
        cmocka_unit_test(noise_within_its_errors_does_not_cross),
        cmocka_unit_test(noise_alone_crosses_as_rarely_as_the_manual_says),
        cmocka_unit_test(crossing_lies_between_the_last_and_the_first_sign),
        cmocka_unit_test(a_late_sign_after_none_is_no_crossing),
        cmocka_unit_test(the_first_of_several_crossings_counts),
        cmocka_unit_test(points_without_an_error_decide_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
