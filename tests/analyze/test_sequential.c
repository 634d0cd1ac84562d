#include <support/support.h>

#include <math.h>
#include <posweep/analyze/sequential.h>
#include <posweep/analyze/signflip.h>
#include <posweep/util/rng.h>

enum { N_TABLE = 2000, MOST = 40 };

static double normal(int what, int table, int i)
{
    const struct psw_rng rng = {.seed = 21, .use = PSW_RNG_TEST, .step = (uint32_t)what};
    return psw_rng_normal(rng, (uint64_t)table, (uint32_t)i);
}

static struct psw_sequential test_of(const double *d, int64_t n,
                                     const struct psw_sequential_opts *opts)
{
    struct psw_sequential s;
    assert_int_equal(psw_sequential_test(d, n, opts, &s, NULL), PSW_OK);
    return s;
}

static const struct psw_sequential_opts TWELVE = {
    .batch = 3, .max = 12, .n_family = 1, .alpha = 0.05};

static void of_all_signs_no_more_than_alpha_find_something(void **state)
{
    (void)
        state; /* exact: every assignment of signs to given magnitudes, as if each were seen */
    static const double SIZE[10] = {1, 2.5, 0.3, 4, 1.7, 1.1, 0.9, 3.2, 2.2, 0.6};
    static const double TIED[10] = {1, 1, 1, 1, 1, 2, 2, 2, 0, 0};
    for (int64_t batch = 1; batch <= 10; batch += 3)
        for (int is_tied = 0; is_tied < 2; is_tied++) {
            const struct psw_sequential_opts opts = {
                .batch = batch, .max = 10, .n_family = 1, .alpha = 0.1};
            int hits = 0;
            for (int signs = 0; signs < 1 << 10; signs++) {
                double d[10];
                for (int i = 0; i < 10; i++)
                    d[i] = (is_tied ? TIED : SIZE)[i] * (signs >> i & 1 ? -1 : 1);
                hits += test_of(d, 10, &opts).decision == PSW_SEQUENTIAL_DIFFERS;
            }
            assert_true(hits <= 102);
            if (!is_tied) assert_true(hits >= 96); /* it spends what it may */
        }
}

static void later_pairs_change_no_earlier_decision(void **state)
{
    (void)state;
    for (int is_drawn = 0; is_drawn < 2; is_drawn++) {
        struct psw_sequential_opts opts = TWELVE;
        if (is_drawn) opts.batch = 6, opts.max = 30;
        for (int table = 0; table < (is_drawn ? 4 : 100); table++) {
            double d[MOST];
            struct psw_sequential found = {0};
            for (int i = 0; i < 30; i++) d[i] = 1 + normal(1, table, i);
            for (int64_t n = 0; n <= opts.max; n++) {
                const struct psw_sequential s = test_of(d, n, &opts);
                if (found.decision == PSW_SEQUENTIAL_DIFFERS) {
                    assert_int_equal(s.decision, PSW_SEQUENTIAL_DIFFERS);
                    assert_int_equal(s.n_used, found.n_used);
                }
                found = s;
            }
            assert_true(found.decision != PSW_SEQUENTIAL_GO_ON);
        }
    }
}

static void looking_early_costs_no_false_finding(void **state)
{
    (void)state; /* beside it: the plain test at each look, which finds too much */
    int hits = 0, naive = 0;
    for (int table = 0; table < N_TABLE; table++) {
        double d[12];
        int is_found = 0;
        for (int i = 0; i < 12; i++) /* differences of skewed values */
            d[i] = exp(normal(2, table, 2 * i)) - exp(normal(2, table, 2 * i + 1));
        hits += test_of(d, 12, &TWELVE).decision == PSW_SEQUENTIAL_DIFFERS;
        for (int64_t n = 6; n <= 12; n += 2) {
            struct psw_signflip t;
            assert_int_equal(psw_signflip_test(d, n, 0.05, &t, NULL), PSW_OK);
            is_found |= t.p <= 0.05;
        }
        naive += is_found;
    }
    assert_true(hits <= N_TABLE / 20);
    assert_true(hits > N_TABLE / 50);
    assert_true(naive > N_TABLE * 6 / 100);
}

static void a_family_shares_one_error_rate(void **state)
{
    (void)state; /* three comparisons with one baseline, none of which differs */
    struct psw_sequential_opts opts = TWELVE;
    int hits = 0;
    opts.n_family = 3;
    for (int table = 0; table < N_TABLE; table++) {
        int is_found = 0;
        for (int row = 0; row < 3; row++) {
            double d[12];
            for (int i = 0; i < 12; i++)
                d[i] = normal(3, table, 13 * (row + 1) + i) - normal(3, table, i);
            is_found |= test_of(d, 12, &opts).decision == PSW_SEQUENTIAL_DIFFERS;
        }
        hits += is_found;
    }
    assert_true(hits <= N_TABLE / 20);
    assert_true(hits > N_TABLE / 100);
}

static void a_large_effect_is_found_before_the_last_look(void **state)
{
    (void)state;
    int hits = 0;
    int64_t n_used = 0;
    for (int table = 0; table < 500; table++) {
        double d[12];
        for (int i = 0; i < 12; i++) d[i] = 2 + normal(4, table, i);
        const struct psw_sequential s = test_of(d, 12, &TWELVE);
        hits += s.decision == PSW_SEQUENTIAL_DIFFERS;
        n_used += s.n_used;
    }
    assert_true(hits > 495);
    assert_true(n_used < 500 * 10); /* on average; a fixed sample would take 12 */
}

static void it_says_what_the_next_look_takes(void **state)
{
    (void)state;
    const struct psw_sequential_opts opts = {
        .batch = 5, .max = 12, .n_family = 1, .alpha = 0.05};
    const double d[14] = {1, -1, 1, -1, 0, 1, -1, 1, -1, 0, 1, -1, 50, 50};
    static const int64_t NEXT[] = {5, 5, 5, 5, 5, 10, 10, 10, 10, 10, 12, 12, 0, 0, 0};
    for (int64_t n = 0; n <= 14; n++) {
        const struct psw_sequential s = test_of(d, n, &opts);
        assert_int_equal(s.n_next, NEXT[n]);
        assert_int_equal(s.decision, n < 12 ? PSW_SEQUENTIAL_GO_ON : PSW_SEQUENTIAL_OPEN);
    }
    assert_int_equal(test_of(d, 14, &opts).n_used, 12);
    assert_int_equal(test_of(d, 14, &opts).n_look, 3);
    assert_true(isinf(test_of(d, 5, &opts).boundary)); /* 16 classes, a third of 0.05 */
}

static void what_is_no_plan_is_refused(void **state)
{
    (void)state;
    const double d[3] = {1, NAN, 2};
    struct psw_sequential s = {.n_look = -7};
    struct psw_sequential_opts opts = TWELVE;
    assert_int_equal(psw_sequential_test(d, 3, &opts, &s, NULL), PSW_EINVAL);
    opts.max = 2;
    assert_int_equal(psw_sequential_test(d, 1, &opts, &s, NULL), PSW_EINVAL);
    opts = TWELVE, opts.n_family = 0;
    assert_int_equal(psw_sequential_test(d, 1, &opts, &s, NULL), PSW_EINVAL);
    assert_int_equal(s.n_look, -7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_all_signs_no_more_than_alpha_find_something),
        cmocka_unit_test(later_pairs_change_no_earlier_decision),
        cmocka_unit_test(looking_early_costs_no_false_finding),
        cmocka_unit_test(a_family_shares_one_error_rate),
        cmocka_unit_test(a_large_effect_is_found_before_the_last_look),
        cmocka_unit_test(it_says_what_the_next_look_takes),
        cmocka_unit_test(what_is_no_plan_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
