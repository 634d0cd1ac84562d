#include "compare_file.h"
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/bands.h>
#include <posweep/util/file.h>
#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_POINT = 16, MOST = 24 };

/** Normal traces around 0 with a spread that grows along them. rho: of neighbours. */
static void draw(double *x, int64_t n, double rho, int table)
{
    const struct psw_rng rng = {.seed = 5, .use = PSW_RNG_TEST, .step = (uint32_t)table};
    for (int64_t i = 0; i < n; i++) {
        double z = 0;
        for (int64_t k = 0; k < N_POINT; k++) {
            const double e = psw_rng_normal(rng, (uint64_t)i, (uint32_t)k);
            z = k ? rho * z + sqrt(1 - rho * rho) * e : e;
            x[i * N_POINT + k] = z * (1 + 0.2 * (double)k);
        }
    }
}

static struct psw_band band_of(const double *x, int64_t n)
{
    struct psw_band b;
    assert_int_equal(psw_band_of_curves(x, n, N_POINT, 0.05, &b, NULL), PSW_OK);
    return b;
}

/** Share of tables whose band holds 0 at every point. */
static double coverage_of(int64_t n, double rho, int n_table)
{
    int hits = 0;
    for (int table = 0; table < n_table; table++) {
        double x[MOST * N_POINT];
        draw(x, n, rho, table);
        struct psw_band b = band_of(x, n);
        int is_inside = 1;
        for (int64_t k = 0; k < N_POINT; k++) is_inside &= b.lo[k] <= 0 && b.hi[k] >= 0;
        hits += is_inside;
        psw_band_clear(&b);
    }
    return (double)hits / n_table;
}

static void bands_cover_whole_traces(void **state)
{
    (void)state; /* what is asked for, 93 to 97 %; two standard errors of the smallest: 1.4 % */
    static const struct {
        int n, n_table;
    } CASES[] = {{6, 2000}, {10, 1000}, {20, 500}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (int is_smooth = 0; is_smooth < 2; is_smooth++) {
            const double covered =
                coverage_of(CASES[i].n, is_smooth ? 0.9 : 0, CASES[i].n_table);
            if (!(covered >= 0.93 && covered <= 0.97))
                fail_msg("n = %d, smooth %d: %.4f", CASES[i].n, is_smooth, covered);
        }
}

/** The factor by every pattern of signs, its mirror too, written out. */
static double naive_factor(const double *x, int n)
{
    double t[1 << 7], mean[N_POINT];
    const int n_pattern = 1 << n;
    for (int k = 0; k < N_POINT; k++) {
        mean[k] = 0;
        for (int i = 0; i < n; i++) mean[k] += x[i * N_POINT + k] / n;
    }
    for (int p = 0; p < n_pattern; p++) {
        t[p] = 0;
        for (int k = 0; k < N_POINT; k++) {
            double y[7], m = 0, square = 0;
            for (int i = 0; i < n; i++) {
                y[i] = (p >> i & 1 ? -1 : 1) * (x[i * N_POINT + k] - mean[k]);
                m += y[i] / n;
            }
            for (int i = 0; i < n; i++) square += (y[i] - m) * (y[i] - m);
            t[p] = fmax(t[p], fabs(m) / sqrt(square / n / (n - 1)));
        }
    }
    int n_above = 0;
    double best = INFINITY; /* least value that at most 5 % of the patterns exceed */
    for (int p = 0; p < n_pattern; p++) {
        n_above = 0;
        for (int q = 0; q < n_pattern; q++) n_above += t[q] > t[p] * (1 + 1e-12);
        if (n_above <= 0.05 * n_pattern && t[p] < best) best = t[p];
    }
    return best;
}

static void the_factor_is_that_of_all_patterns(void **state)
{
    (void)state;
    for (int table = 0; table < 20; table++) {
        double x[MOST * N_POINT];
        const int n = 6 + table % 2;
        draw(x, n, 0.5, 100 + table);
        struct psw_band b = band_of(x, n);
        assert_close(b.factor, naive_factor(x, n), 1e-9);
        psw_band_clear(&b);
    }
}

static void few_traces_have_no_band(void **state)
{
    (void)state;
    double x[MOST * N_POINT];
    draw(x, 5, 0.5, 1);
    struct psw_band b = band_of(x, 5), none;
    assert_true(isinf(b.factor) && isinf(b.lo[0]) && isinf(b.hi[3]));
    psw_band_clear(&b);
    assert_int_equal(psw_band_of_curves(x, 1, N_POINT, 0.05, &none, NULL), PSW_EINVAL);
    assert_int_equal(psw_band_of_curves(x, 5, 0, 0.05, &none, NULL), PSW_EINVAL);
}

static void points_where_all_traces_meet_say_nothing_of_the_others(void **state)
{
    (void)state;
    double x[MOST * N_POINT];
    draw(x, 8, 0.5, 2);
    for (int i = 0; i < 8; i++) x[i * N_POINT + 3] = 7;
    struct psw_band b = band_of(x, 8);
    assert_true(isfinite(b.factor));
    assert_close(b.lo[3], 7, 1e-12);
    assert_close(b.hi[3], 7, 1e-12);
    psw_band_clear(&b);
}

/* ---- of a file ---- */

static void a_band_of_paired_differences_leaves_out_what_seeds_share(void **state)
{
    (void)state;
    struct cf_run run[16];
    char folder[256], path[300];
    struct psw_results *results = NULL;
    struct psw_traces t;
    struct psw_cells cells;
    struct psw_pairing pairing;
    struct psw_band of, own;
    const struct psw_selection all = {0};
    const struct psw_pairing_opts opts = {.baseline = "vanilla"};
    for (int i = 0; i < 16; i++)
        run[i] = (struct cf_run){.method = "dpo",
                                 .variant = i < 8 ? "vanilla" : "flat",
                                 .seed = 1 + i % 8,
                                 .beta = 0.1,
                                 .outcome = i == 3 ? PSW_OUTCOME_FAILED : PSW_OUTCOME_DONE,
                                 .score = 1,
                                 .kl = 0.1,
                                 .pos = 10 * (i % 8) + (i < 8 ? 0 : 1 + 0.1 * (i % 3)),
                                 .neg = 0};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    cf_write(run, 16, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_traces_init(results, &t, NULL), PSW_OK);
    assert_int_equal(psw_cells_init(results, &t, &all, &cells, NULL), PSW_OK);
    assert_int_equal(psw_pairing_init(results, &cells, &opts, &pairing, NULL), PSW_OK);
    assert_int_equal(
        psw_band_of_contrast(results, &t, pairing.contrast, t.pos, 0.05, &of, NULL), PSW_OK);
    assert_int_equal(psw_band_of_cell(&t, pairing.contrast->cell, t.pos, 0.05, &own, NULL),
                     PSW_OK);
    assert_int_equal(of.n, 7);
    assert_int_equal(own.n, 8);
    assert_int_equal(of.n_point, CF_CHECKPOINTS - 1); /* the last is no part of a trace */
    assert_close(of.step[2], 20, 0);
    assert_close(of.mean[1], (7 + 0.1 * 6) / 7 / 2, 1e-12); /* over a norm of 2 */
    assert_true(of.lo[0] > 0.4 && of.hi[0] < 0.7);
    assert_true(own.lo[0] < 10 && own.hi[0] > 25);
    psw_band_clear(&of);
    psw_band_clear(&own);
    psw_pairing_clear(&pairing);
    psw_cells_clear(&cells);
    psw_results_close(results);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_cover_whole_traces),
        cmocka_unit_test(the_factor_is_that_of_all_patterns),
        cmocka_unit_test(few_traces_have_no_band),
        cmocka_unit_test(points_where_all_traces_meet_say_nothing_of_the_others),
        cmocka_unit_test(a_band_of_paired_differences_leaves_out_what_seeds_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
