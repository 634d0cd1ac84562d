/* Log metrics of a batch of pairs. */
#include <support/support.h>

#include <math.h>
#include <posweep/objective/metrics.h>

static void means_are_over_pairs_and_a_tie_counts_half(void **state)
{
    (void)state;
    const double logp[] = {-1.0, -2.0, -4.0, -1.0, -3.0, -3.0};
    const double ref[] = {-2.0, -2.0, -2.0, -2.0, -3.0, -3.0};
    const int64_t n_tok[] = {1, 1, 1, 1, 1, 1};
    const struct psw_pair_opts opts = {.method = PSW_METHOD_DPO, .beta = 0.5};
    const struct psw_pair_in in = {.n_pair = 3, .logp = logp, .ref = ref, .n_tok = n_tok};
    double loss[3], omega[3], score[6];
    const struct psw_pair_out out = {.loss = loss, .omega = omega, .score = score};
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    const struct psw_pair_metrics m = psw_pair_metrics_of(&opts, &in, &out);
    assert_close(m.accuracy, 0.5, 1e-15); /* one right, one wrong, one tie */
    assert_close(m.tie, 1.0 / 3.0, 1e-15);
    assert_close(m.reward_chosen, 0.5 * (1.0 - 2.0 + 0.0) / 3.0, 1e-15);
    assert_close(m.reward_rejected, 0.5 * (0.0 + 1.0 + 0.0) / 3.0, 1e-15);
    assert_close(m.margin, m.reward_chosen - m.reward_rejected, 1e-15);
    assert_close(m.logp_chosen, -8.0 / 3.0, 1e-15);
    assert_close(m.logp_rejected, -2.0, 1e-15);
    assert_close(m.loss, (log1p(exp(-0.5)) + log1p(exp(1.5)) + log(2.0)) / 3.0, 1e-15);
    assert_close(m.omega, (omega[0] + omega[1] + omega[2]) / 3.0, 1e-15);
}

static void no_pairs_have_no_metrics(void **state)
{
    (void)state;
    const struct psw_pair_opts opts = {.method = PSW_METHOD_DPO, .beta = 0.5};
    const struct psw_pair_in in = {.n_pair = 0};
    const struct psw_pair_out out = {0};
    assert_true(isnan(psw_pair_metrics_of(&opts, &in, &out).accuracy));
}

/* The policy is the reference, computed in another batch: nobody is right or wrong yet. */
static void a_margin_within_float32_rounding_is_a_tie(void **state)
{
    (void)state;
    const double logp[] = {-100.000001, -80.0, -100.01, -80.0};
    const double ref[] = {-100.0, -80.000002, -100.0, -80.0};
    const int64_t n_tok[] = {20, 20, 20, 20};
    const int method[] = {PSW_METHOD_DPO, PSW_METHOD_DPOP, PSW_METHOD_DPO_NORM};
    for (int k = 0; k < 3; k++) {
        const struct psw_pair_opts opts = {.method = method[k], .beta = 0.1, .lambda = 50};
        const struct psw_pair_in in = {.n_pair = 2, .logp = logp, .ref = ref, .n_tok = n_tok};
        double loss[2], omega[2], score[4];
        const struct psw_pair_out out = {.loss = loss, .omega = omega, .score = score};
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        assert_close(psw_pair_metrics_of(&opts, &in, &out).accuracy, 0.25, 1e-15);
        assert_close(psw_pair_metrics_of(&opts, &in, &out).tie, 0.5, 1e-15);
    }
}

/* Whatever the last bits say, and also where no reference tells how large they are. */
static void equal_responses_tie(void **state)
{
    (void)state;
    const double logp[] = {-10.0, -10.000001, -10.0, -12.0};
    const double ref[] = {-10.0, -12.0, -10.0, -10.0};
    const int64_t n_tok[] = {5, 5, 5, 5};
    const uint8_t is_equal[] = {1, 0};
    const int method[] = {PSW_METHOD_DPO, PSW_METHOD_SIMPO, PSW_METHOD_CPO, PSW_METHOD_ORPO};
    for (int k = 0; k < 4; k++) {
        const struct psw_pair_opts opts = {.method = method[k], .beta = 0.1, .alpha = 1};
        const struct psw_pair_in in = {
            .n_pair = 2, .logp = logp, .ref = ref, .n_tok = n_tok, .is_equal = is_equal};
        double loss[2], omega[2], score[4];
        const struct psw_pair_out out = {.loss = loss, .omega = omega, .score = score};
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        assert_close(psw_pair_metrics_of(&opts, &in, &out).accuracy, 0.75, 1e-15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_margin_within_float32_rounding_is_a_tie),
        cmocka_unit_test(equal_responses_tie),
        cmocka_unit_test(means_are_over_pairs_and_a_tie_counts_half),
        cmocka_unit_test(no_pairs_have_no_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
