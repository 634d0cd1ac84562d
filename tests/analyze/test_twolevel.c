#include <support/support.h>

#include <math.h>
#include <posweep/analyze/twolevel.h>
#include <posweep/util/rng.h>

enum { MOST_SEEDS = 10, N_PROMPT = 5, N_SAMPLE = 1000 };

static double normal(int what, int64_t item, int64_t position)
{
    const struct psw_rng rng = {.seed = 11, .use = PSW_RNG_TEST, .step = (uint32_t)what};
    return psw_rng_normal(rng, (uint64_t)item, (uint32_t)position);
}

/** Samples of n seeds with N_PROMPT prompts each, of which a share of the variance of a seed's
 * mean is between seeds; truth 0. Returns the share of intervals that hold it. */
static double coverage_of(int64_t n, double share, int what)
{
    double value[MOST_SEEDS * N_PROMPT];
    int64_t first[MOST_SEEDS + 1];
    int n_held = 0;
    for (int64_t i = 0; i <= n; i++) first[i] = i * N_PROMPT;
    for (int64_t sample = 0; sample < N_SAMPLE; sample++) {
        struct psw_twolevel r;
        for (int64_t s = 0; s < n; s++)
            for (int64_t p = 0; p < N_PROMPT; p++)
                value[s * N_PROMPT + p] =
                    sqrt(share) * normal(what, sample, s) +
                    sqrt((1 - share) * N_PROMPT) *
                        normal(what, sample, MOST_SEEDS + s * N_PROMPT + p);
        assert_int_equal(psw_twolevel_interval(value, first, n, 0.05, &r, NULL), PSW_OK);
        n_held += r.interval.lo <= 0 && 0 <= r.interval.hi;
    }
    return (double)n_held / N_SAMPLE;
}

static void a_95_per_cent_interval_covers_in_93_to_97(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        double share;
    } CASES[] = {{3, 0.5}, {6, 0}, {6, 0.5}, {6, 0.9}, {10, 0.5}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const double held = coverage_of(CASES[i].n, CASES[i].share, (int)i);
        assert_true(held >= 0.93 && held <= 0.97);
    }
}

/** |t| of one resample of 3 seeds with 2 prompts each: base-3 digits choose seeds, bits
 * prompts. */
static double t_of(const double value[6], int seeds, int prompts, double observed)
{
    double mean[3], sum = 0, squares = 0;
    for (int i = 0; i < 3; i++, seeds /= 3, prompts /= 4) {
        const double *own = value + 2 * (seeds % 3);
        mean[i] = (own[prompts % 2] + own[prompts / 2 % 2]) / 2;
        sum += mean[i];
    }
    for (int i = 0; i < 3; i++) squares += pow(mean[i] - sum / 3, 2);
    return fabs(sum / 3 - observed) / sqrt(squares / 2 / 3);
}

static void its_width_is_a_quantile_over_all_resamples(void **state)
{
    (void)state;
    static const double VALUE[6] = {0.3, 1.1, -0.4, 2.0, 0.9, 1.6};
    static const int64_t FIRST[4] = {0, 2, 4, 6};
    const double mean[3] = {0.7, 0.8, 1.25};
    const double observed = (0.7 + 0.8 + 1.25) / 3;
    struct psw_twolevel r;
    double squares = 0;
    assert_int_equal(psw_twolevel_interval(VALUE, FIRST, 3, 0.2, &r, NULL), PSW_OK);
    assert_close(r.mean, observed, 1e-15);
    assert_close((r.interval.lo + r.interval.hi) / 2, observed, 1e-12);
    for (int i = 0; i < 3; i++) squares += pow(mean[i] - observed, 2);
    const double h = (r.interval.hi - observed) / sqrt(squares / 2 / 3);
    int n_below = 0;
    for (int seeds = 0; seeds < 27; seeds++)
        for (int prompts = 0; prompts < 64; prompts++)
            n_below += t_of(VALUE, seeds, prompts, observed) <= h * (1 + 1e-9);
    /* A quantile of 1999 draws: its place has a standard error of sqrt(0.8 0.2 / 1999). */
    assert_close((double)n_below / (27 * 64), 0.8, 4 * 0.009);
    assert_int_equal(r.n_seed, 3);
    assert_int_equal(r.n_prompt, 6);
}

static void seeds_without_spread_between_prompts_leave_three_unbounded(void **state)
{
    (void)state;
    static const double VALUE[6] = {1, 1, 2, 2, 3, 3}, EQUAL[4] = {1, 1, 1, 1},
                        HIDDEN[4] = {0, 2, 2, 0};
    static const int64_t FIRST[4] = {0, 2, 4, 6};
    struct psw_twolevel r;
    assert_int_equal(psw_twolevel_interval(VALUE, FIRST, 3, 0.05, &r, NULL), PSW_OK);
    assert_true(r.interval.lo == -INFINITY && r.interval.hi == INFINITY); /* 1/9 > 0.05 */
    assert_int_equal(psw_twolevel_interval(VALUE, FIRST, 3, 0.2, &r, NULL), PSW_OK);
    assert_true(r.interval.lo > -INFINITY && r.interval.hi < INFINITY && r.interval.lo < 2);
    assert_int_equal(psw_twolevel_interval(EQUAL, FIRST, 2, 0.05, &r, NULL), PSW_OK);
    assert_true(r.interval.lo == 1 && r.interval.hi == 1);
    assert_int_equal(psw_twolevel_interval(HIDDEN, FIRST, 2, 0.05, &r, NULL), PSW_OK);
    assert_true(r.interval.lo == -INFINITY); /* equal means, but nobody knows how sure */
}

static void one_seed_says_nothing_and_faults_are_refused(void **state)
{
    (void)state;
    static const double VALUE[3] = {1, 2, NAN};
    static const int64_t ONE[2] = {0, 2}, EMPTY[3] = {0, 2, 2}, BAD[3] = {0, 2, 3};
    struct psw_twolevel r;
    struct psw_error err;
    assert_int_equal(psw_twolevel_interval(VALUE, ONE, 1, 0.05, &r, NULL), PSW_OK);
    assert_true(r.mean == 1.5 && isnan(r.interval.lo) && isnan(r.interval.hi));
    assert_int_equal(psw_twolevel_interval(VALUE, EMPTY, 2, 0.05, &r, &err), PSW_EINVAL);
    assert_string_equal(err.text, "two-level bootstrap: seed 1 has no prompt");
    assert_int_equal(psw_twolevel_interval(VALUE, BAD, 2, 0.05, &r, &err), PSW_EINVAL);
    assert_string_equal(err.text, "two-level bootstrap: value 2 is nan");
    assert_int_equal(psw_twolevel_interval(VALUE, ONE, 1, 1, &r, &err), PSW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_95_per_cent_interval_covers_in_93_to_97),
        cmocka_unit_test(its_width_is_a_quantile_over_all_resamples),
        cmocka_unit_test(seeds_without_spread_between_prompts_leave_three_unbounded),
        cmocka_unit_test(one_seed_says_nothing_and_faults_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
