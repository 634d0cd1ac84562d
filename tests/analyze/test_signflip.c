#include <support/support.h>

#include <math.h>
#include <posweep/analyze/signflip.h>
#include <posweep/util/rng.h>
#include <stdlib.h>

enum { N_TABLE = 200, N_NULL = 2500, MOST = 40 };

static const double INF = INFINITY;

static double normal(int what, int table, int i)
{
    const struct psw_rng rng = {.seed = 7, .use = PSW_RNG_TEST, .step = (uint32_t)what};
    return psw_rng_normal(rng, (uint64_t)table, (uint32_t)i);
}

/** Kinds of data around 0: normal; differences of skewed values; those of scores in tenths. */
enum kind { NORMAL, SKEWED, TIED, N_KIND };

static double draw(enum kind kind, int table, int i)
{
    const double a = normal(10 + (int)kind, table, 2 * i),
                 b = normal(10 + (int)kind, table, 2 * i + 1);
    return kind == NORMAL ? a : kind == SKEWED ? exp(a) - exp(b) : rint(5 * a) / 10;
}

static struct psw_signflip test_of(const double *d, int64_t n, double alpha)
{
    struct psw_signflip t;
    assert_int_equal(psw_signflip_test(d, n, alpha, &t, NULL), PSW_OK);
    return t;
}

/** p by all patterns, one by one. */
static double p_by_enumeration(const double *d, int n, double centre)
{
    long hits = 0;
    double observed = 0;
    for (int i = 0; i < n; i++) observed += d[i] - centre;
    for (long mask = 0; mask < 1L << n; mask++) {
        double sum = 0;
        for (int i = 0; i < n; i++) sum += mask >> i & 1 ? centre - d[i] : d[i] - centre;
        hits += fabs(sum) >= fabs(observed) - 1e-9;
    }
    return (double)hits / (double)(1L << n);
}

static void p_is_that_of_all_patterns_one_by_one(void **state)
{
    (void)state;
    for (int table = 0; table < N_TABLE; table++) {
        double d[12];
        const int n = 1 + table % 12;
        for (int i = 0; i < n; i++)
            d[i] = draw((enum kind)(table % N_KIND), table, i) + 0.3 * (table % 5);
        assert_close(test_of(d, n, 0.05).p, p_by_enumeration(d, n, 0), 1e-12);
    }
}

static void the_interval_is_what_the_test_does_not_refuse(void **state)
{
    (void)state;
    for (int table = 0; table < N_TABLE; table++) {
        double d[10];
        const int n = 3 + table % 8;
        const double alpha = table % 2 ? 0.05 : 0.3;
        for (int i = 0; i < n; i++) d[i] = draw(NORMAL, table, i);
        const struct psw_interval ci = test_of(d, n, alpha).interval;
        if (psw_signflip_floor(n) > alpha) {
            assert_true(ci.lo == -INF && ci.hi == INF);
            continue;
        }
        assert_true(p_by_enumeration(d, n, ci.lo - 1e-6) <= alpha);
        assert_true(p_by_enumeration(d, n, ci.lo + 1e-6) > alpha);
        assert_true(p_by_enumeration(d, n, ci.hi - 1e-6) > alpha);
        assert_true(p_by_enumeration(d, n, ci.hi + 1e-6) <= alpha);
    }
}

static void drawn_patterns_agree_with_all_of_them(void **state)
{
    (void)state; /* 20 pairs exactly, and the same with a 21st of no weight, drawn */
    double d[21] = {0};
    for (int i = 0; i < 20; i++) d[i] = normal(1, 0, i) + 0.25;
    const struct psw_signflip exact = test_of(d, 20, 0.05), drawn = test_of(d, 21, 0.05);
    assert_true(exact.is_exact && !drawn.is_exact);
    assert_true(exact.p > 0.01 && exact.p < 0.2);
    /* four standard errors of a share of 19,999 draws */
    assert_true(fabs(drawn.p - exact.p) < 4 * sqrt(exact.p / PSW_SIGNFLIP_DRAWS));
    assert_close(drawn.p_floor, 1.0 / 20000, 1e-12);
    assert_close(drawn.coverage, 0.95, 1e-12);
    assert_close(drawn.p, test_of(d, 21, 0.05).p, 0); /* the same draws each time */
}

static void the_drawn_interval_is_where_the_drawn_test_turns(void **state)
{
    (void)state;
    double d[MOST], moved[MOST];
    for (int i = 0; i < MOST; i++) d[i] = normal(2, 0, i);
    const struct psw_interval ci = test_of(d, MOST, 0.05).interval;
    const double at[4] = {ci.lo - 1e-6, ci.lo + 1e-6, ci.hi - 1e-6, ci.hi + 1e-6};
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < MOST; i++) moved[i] = d[i] - at[k];
        assert_int_equal(test_of(moved, MOST, 0.05).p > 0.05, k == 1 || k == 2);
    }
    for (int i = 0; i < MOST; i++) moved[i] = 5;
    const struct psw_signflip same = test_of(moved, MOST, 0.05);
    assert_close(same.interval.lo, 5, 1e-12);
    assert_close(same.interval.hi, 5, 1e-12);
    assert_close(same.p, same.p_floor, 1e-15);
}

static void few_pairs_show_nothing_and_say_so(void **state)
{
    (void)state;
    const double d[6] = {1, 1.5, 2, 1.2, 1.1, 3};
    for (int n = 1; n <= 6; n++) {
        const struct psw_signflip t = test_of(d, n, 0.05);
        assert_close(t.p, ldexp(1, 1 - n), 1e-15);
        assert_close(t.p_floor, ldexp(1, 1 - n), 1e-15);
        assert_int_equal(isinf(t.interval.lo) != 0, n < 6);
        assert_int_equal(isinf(psw_signflip_mde(n, 0.05, 0.8)) != 0, n < 6);
        assert_close(t.coverage, n < 6 ? 1 : 0.96875, 1e-15);
    }
}

static void differences_of_zero_are_no_difference(void **state)
{
    (void)state;
    const double zero[8] = {0}, ties[6] = {0, 0, 0, 0, 0, 1};
    const struct psw_signflip t = test_of(zero, 8, 0.05), one = test_of(ties, 6, 0.05);
    assert_close(t.p, 1, 0);
    assert_close(t.share_above, 0.5, 0);
    assert_true(isnan(t.effect));
    assert_close(t.interval.lo, 0, 0);
    assert_close(one.p, 1, 0);
    assert_close(one.share_above, (1 + 2.5) / 6, 1e-15);
}

static void an_effect_is_corrected_for_small_samples(void **state)
{
    (void)state; /* Hedges' J with 9 degrees of freedom: 0.9139 (SciPy, by gamma functions) */
    const double d[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    const struct psw_signflip t = test_of(d, 10, 0.05);
    assert_close(t.effect, 5.5 / 3.0276503540974917 * 0.9138748, 1e-6);
    assert_true(isnan(test_of(d, 2, 0.05).effect));
}

static void what_is_no_sample_is_refused(void **state)
{
    (void)state;
    const double d[2] = {1, NAN};
    struct psw_signflip t = {.n = -7};
    assert_int_equal(psw_signflip_test(d, 2, 0.05, &t, NULL), PSW_EINVAL);
    assert_int_equal(psw_signflip_test(d, 0, 0.05, &t, NULL), PSW_EINVAL);
    assert_int_equal(psw_signflip_test(d, 1, 1, &t, NULL), PSW_EINVAL);
    assert_int_equal(t.n, -7);
}

/** Share of n_table samples around 0 whose interval covers 0. */
static double coverage_of(enum kind kind, int n, int n_table)
{
    int hits = 0;
    for (int table = 0; table < n_table; table++) {
        double d[20];
        for (int i = 0; i < n; i++) d[i] = draw(kind, table, i);
        const struct psw_interval ci = test_of(d, n, 0.05).interval;
        hits += ci.lo <= 1e-9 && ci.hi >= -1e-9;
    }
    return (double)hits / n_table;
}

static void the_interval_covers_what_it_says(void **state)
{
    (void)state; /* without ties exactly what is attainable, with ties more */
    static const struct {
        int n, n_table;
        double attainable, noise; /* four standard errors of a share of n_table */
    } CASES[] = {
        {6, N_NULL, 0.96875, 0.0139}, {10, N_NULL, 0.951172, 0.0172}, {20, 400, 0.95, 0.0436}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (int kind = NORMAL; kind < N_KIND; kind++) {
            const double covered = coverage_of((enum kind)kind, CASES[i].n, CASES[i].n_table);
            if (kind != TIED) assert_true(fabs(covered - CASES[i].attainable) < CASES[i].noise);
            assert_true(covered > CASES[i].attainable - CASES[i].noise);
        }
}

static void tables_without_a_difference_seldom_show_one(void **state)
{
    (void)state; /* 2,000 tables of three rows and eight pairs: at most 5 % with a p of 0.05 */
    int hits = 0;
    for (int table = 0; table < 2000; table++) {
        double p[3], holm[3], least = 1;
        for (int row = 0; row < 3; row++) {
            double d[8];
            for (int i = 0; i < 8; i++)
                d[i] = draw((enum kind)(row % N_KIND), table, 20 * row + i);
            p[row] = test_of(d, 8, 0.05).p;
        }
        assert_int_equal(psw_holm(p, 3, holm, NULL), PSW_OK);
        for (int row = 0; row < 3; row++) least = fmin(least, holm[row]);
        hits += least <= 0.05;
    }
    assert_true(hits <= 100);
    assert_true(hits > 40); /* it is no test that never finds anything */
}

static void holm_multiplies_and_never_falls(void **state)
{
    (void)state; /* R: p.adjust(c(.01, .04, .03, .005), "holm") */
    const double p[5] = {0.01, 0.04, NAN, 0.03, 0.005};
    const double expected[5] = {0.03, 0.06, NAN, 0.06, 0.02};
    double out[5];
    assert_int_equal(psw_holm(p, 5, out, NULL), PSW_OK);
    for (int i = 0; i < 5; i++)
        if (i != 2) assert_close(out[i], expected[i], 1e-15);
    assert_true(isnan(out[2]));
    const double one = 0.7;
    assert_int_equal(psw_holm(&one, 1, out, NULL), PSW_OK);
    assert_close(out[0], 0.7, 0);
}

/** Share of normal samples of mean `effect` and sd 1 that the test at alpha refuses. */
static double power_of(int n, double effect, double alpha, int n_table)
{
    int hits = 0;
    for (int table = 0; table < n_table; table++) {
        double d[20];
        for (int i = 0; i < n; i++) d[i] = effect + normal(3, table, i);
        hits += test_of(d, n, alpha).p <= alpha;
    }
    return (double)hits / n_table;
}

static void the_minimal_detectable_effect_is_detected_as_often_as_it_says(void **state)
{
    (void)state;
    static const int PAIRS[] = {6, 7, 8, 10, 12};
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        const double mde = psw_signflip_mde(PAIRS[i], 0.05, 0.8);
        /* at an effect 4 % off, power is 2.2 points off; four standard errors: 3.6 points */
        assert_close(power_of(PAIRS[i], mde, 0.05, 2000), 0.8, 0.022 + 0.036);
    }
    assert_close(psw_signflip_mde(6, 0.05, 0.8), 1.793, 1e-3); /* qnorm(0.8^(1/6)) */
    assert_true(isinf(psw_signflip_mde(5, 0.05, 0.8)));
    assert_true(psw_signflip_mde(100, 0.05, 0.8) < 0.29);
}

static void pairs_that_could_show_an_effect_are_counted(void **state)
{
    (void)state;
    assert_int_equal(psw_signflip_pairs_for(INFINITY, 0.05, 0.8), 6);
    assert_int_equal(psw_signflip_pairs_for(-5, 0.05, 0.8), 6);
    assert_int_equal(psw_signflip_pairs_for(1.1, 0.05, 0.8), 9);
    assert_int_equal(psw_signflip_pairs_for(0.01, 0.05, 0.8), -1);
    assert_int_equal(psw_signflip_pairs_for(0, 0.05, 0.8), -1);
    assert_int_equal(psw_signflip_pairs_for(NAN, 0.05, 0.8), -1);
    assert_int_equal(psw_signflip_pairs_for(5, 0.001, 0.8), 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_is_that_of_all_patterns_one_by_one),
        cmocka_unit_test(the_interval_is_what_the_test_does_not_refuse),
        cmocka_unit_test(drawn_patterns_agree_with_all_of_them),
        cmocka_unit_test(the_drawn_interval_is_where_the_drawn_test_turns),
        cmocka_unit_test(few_pairs_show_nothing_and_say_so),
        cmocka_unit_test(differences_of_zero_are_no_difference),
        cmocka_unit_test(an_effect_is_corrected_for_small_samples),
        cmocka_unit_test(what_is_no_sample_is_refused),
        cmocka_unit_test(the_interval_covers_what_it_says),
        cmocka_unit_test(tables_without_a_difference_seldom_show_one),
        cmocka_unit_test(holm_multiplies_and_never_falls),
        cmocka_unit_test(the_minimal_detectable_effect_is_detected_as_often_as_it_says),
        cmocka_unit_test(pairs_that_could_show_an_effect_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
