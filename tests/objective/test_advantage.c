/* Scores to advantages, against sums written from the definitions. */
#include <support/support.h>

#include "rollouts.h"
#include <math.h>
#include <string.h>

enum { V = 5 };

/* ---- estimators of the KL, in expectation over a vocabulary ---- */

static const long double LOGIT[V] = {0.3L, -1.1L, 0.9L, 2.0L, -0.4L};
static const long double LOGIT_REF[V] = {0.1L, 0.5L, -0.7L, 1.2L, 0.6L};

static void softmax(const long double *logit, long double *p)
{
    long double sum = 0.0L;
    for (int x = 0; x < V; x++) sum += expl(logit[x]);
    for (int x = 0; x < V; x++) p[x] = expl(logit[x]) / sum;
}

/* KL(softmax(a) || softmax(b)). */
static long double divergence(const long double *a, const long double *b)
{
    long double p[V], q[V], sum = 0.0L;
    softmax(a, p);
    softmax(b, q);
    for (int x = 0; x < V; x++) sum += p[x] * logl(p[x] / q[x]);
    return sum;
}

static double expected_estimate(int kind)
{
    long double p[V], q[V], sum = 0.0L;
    softmax(LOGIT, p);
    softmax(LOGIT_REF, q);
    for (int x = 0; x < V; x++)
        sum += p[x] * psw_kl_estimate(kind, (double)logl(p[x]), (double)logl(q[x]));
    return (double)sum;
}

/* Expected gradient with respect to logit j when the estimate itself is differentiated. */
static double expected_gradient(int kind, int j)
{
    const double h = 1e-5;
    long double p[V], q[V], sum = 0.0L;
    softmax(LOGIT, p);
    softmax(LOGIT_REF, q);
    for (int x = 0; x < V; x++) {
        const double logp = (double)logl(p[x]), ref = (double)logl(q[x]);
        const double slope =
            (psw_kl_estimate(kind, logp + h, ref) - psw_kl_estimate(kind, logp - h, ref)) /
            (2.0 * h);
        sum += p[x] * slope * ((x == j) - p[j]);
    }
    return (double)sum;
}

/* Gradient of KL(pi || ref), or of KL(ref || pi) when reversed, with respect to logit j. */
static double divergence_gradient(int reversed, int j)
{
    const long double h = 1e-5L;
    long double up[V], down[V];
    memcpy(up, LOGIT, sizeof up);
    memcpy(down, LOGIT, sizeof down);
    up[j] += h;
    down[j] -= h;
    const long double rise = reversed ? divergence(LOGIT_REF, up) - divergence(LOGIT_REF, down)
                                      : divergence(up, LOGIT_REF) - divergence(down, LOGIT_REF);
    return (double)(rise / (2.0L * h));
}

static void k1_and_k3_are_unbiased_and_k2_is_not(void **state)
{
    (void)state;
    const double exact = (double)divergence(LOGIT, LOGIT_REF);
    assert_close(expected_estimate(PSW_KL_K1), exact, 1e-14);
    assert_close(expected_estimate(PSW_KL_K3), exact, 1e-14);
    assert_true(fabs(expected_estimate(PSW_KL_K2) - exact) > 0.02 * exact);
}

/* Differences of step 1e-5 are good to 1e-9. */
static void
as_a_loss_k1_has_no_gradient_k2_that_of_the_kl_and_k3_that_of_the_reverse_kl(void **state)
{
    (void)state;
    for (int j = 0; j < V; j++) {
        assert_close(expected_gradient(PSW_KL_K1, j), 0.0, 1e-9);
        assert_close(expected_gradient(PSW_KL_K2, j), divergence_gradient(0, j), 1e-9);
        assert_close(expected_gradient(PSW_KL_K3, j), divergence_gradient(1, j), 1e-9);
    }
}

static void k3_keeps_its_digits_near_the_reference(void **state)
{
    (void)state;
    assert_close(psw_kl_estimate(PSW_KL_K3, -2.0, -2.0), 0.0, 0.0);
    assert_close(psw_kl_estimate(PSW_KL_K3, 1e-6, 0.0) / 0.5e-12, 1.0, 1e-5);
}

/* ---- rewards and GAE ---- */

static void a_token_is_paid_its_penalty_and_the_last_one_the_score(void **state)
{
    (void)state;
    struct rollouts r;
    double score[N_SEQ], reward[N_ROW];
    rollouts_init(&r, PSW_METHOD_PPO);
    for (int s = 0; s < N_SEQ; s++) score[s] = 1.0 + s;
    psw_reward_tokens(&r.rows, PSW_KL_K1, 0.05, score, r.logp, r.ref, reward);
    for (int64_t t = 0; t < N_ROW; t++) {
        const int64_t s = rollouts_seq_of(&r, t);
        const double end = t == r.seq_row[s + 1] - 1 ? score[s] : 0.0;
        assert_close(reward[t], end - 0.05 * (r.logp[t] - r.ref[t]), 1e-15);
    }
    psw_reward_tokens(&r.rows, PSW_KL_K1, 0.0, score, NULL, NULL, reward);
    assert_true(reward[0] == 0.0 && reward[2] == 1.0 && reward[3] == 2.0);
}

/* Advantage of row t as the sum over all later rows of its response. */
static double naive_gae(const struct rollouts *r, double discount, double lambda,
                        const double *reward, const double *value, int64_t t)
{
    const int64_t end = r->seq_row[rollouts_seq_of(r, t) + 1];
    double sum = 0.0;
    for (int64_t u = t; u < end; u++) {
        const double next = u + 1 < end ? value[u + 1] : 0.0;
        sum +=
            pow(discount * lambda, (double)(u - t)) * (reward[u] + discount * next - value[u]);
    }
    return sum;
}

static void gae_is_the_sum_of_discounted_errors_of_its_response(void **state)
{
    (void)state;
    const double cases[][2] = {{0.99, 0.95}, {1.0, 0.95}, {1.0, 1.0}, {0.9, 0.0}, {0.0, 1.0}};
    struct rollouts r;
    double advantage[N_ROW], ret[N_ROW];
    rollouts_init(&r, PSW_METHOD_PPO);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double discount = cases[k][0], lambda = cases[k][1];
        psw_gae(&r.rows, discount, lambda, r.raw, r.ref, advantage, ret);
        for (int64_t t = 0; t < N_ROW; t++) {
            const double expected = naive_gae(&r, discount, lambda, r.raw, r.ref, t);
            assert_close(advantage[t], expected, 1e-12);
            assert_close(ret[t], expected + r.ref[t], 1e-12);
        }
    }
}

static void gae_without_discount_or_lambda_returns_what_is_still_to_come(void **state)
{
    (void)state;
    struct rollouts r;
    double advantage[N_ROW], ret[N_ROW];
    rollouts_init(&r, PSW_METHOD_PPO);
    psw_gae(&r.rows, 1.0, 1.0, r.raw, r.ref, advantage, ret);
    for (int64_t t = 0; t < N_ROW; t++) {
        double to_come = 0.0;
        for (int64_t u = t; u < r.seq_row[rollouts_seq_of(&r, t) + 1]; u++) to_come += r.raw[u];
        assert_close(ret[t], to_come, 1e-12);
    }
}

/* ---- whitening and groups ---- */

static void moments_are_those_of_the_sample(void **state)
{
    (void)state;
    const double x[4] = {1e6 + 1.0, 1e6 + 2.0, 1e6 + 3.0, 1e6 + 6.0};
    const struct psw_moments m = psw_moments_of(4, x);
    assert_close(m.mean, 1e6 + 3.0, 1e-15);
    assert_close(m.deviation, sqrt(14.0 / 3.0), 1e-15);
    assert_true(psw_moments_of(1, x).mean == x[0] && psw_moments_of(1, x).deviation == 0.0);
    assert_true(psw_moments_of(0, x).mean == 0.0 && psw_moments_of(0, x).deviation == 0.0);
}

static void whitened_values_have_mean_0_and_deviation_1_also_in_place(void **state)
{
    (void)state;
    struct rollouts r;
    double out[N_ROW], sum = 0.0, square = 0.0;
    rollouts_init(&r, PSW_METHOD_PPO);
    for (int t = 0; t < N_ROW; t++) sum += r.raw[t];
    const double mean = sum / N_ROW;
    for (int t = 0; t < N_ROW; t++) square += (r.raw[t] - mean) * (r.raw[t] - mean);
    psw_whiten(N_ROW, r.raw, out);
    for (int t = 0; t < N_ROW; t++)
        assert_close(out[t], (r.raw[t] - mean) / sqrt(square / (N_ROW - 1) + 1e-8), 1e-13);
    const struct psw_moments m = psw_moments_of(N_ROW, out);
    assert_close(m.mean, 0.0, 1e-14);
    assert_close(m.deviation, 1.0, 1e-7); /* the 1e-8 under the root */
    psw_whiten(N_ROW, r.raw, r.raw);
    assert_memory_equal(out, r.raw, sizeof out);
}

static void equal_values_whiten_to_exactly_0(void **state)
{
    (void)state;
    double x[3] = {0.1, 0.1, 0.1}; /* whose sum over 3 is not 0.1 */
    psw_whiten(3, x, x);
    for (int i = 0; i < 3; i++) assert_true(x[i] == 0.0);
    x[0] = 7.0;
    psw_whiten(1, x, x);
    assert_true(x[0] == 0.0);
}

/* Prompt 0 is mixed, prompt 1 all equal, prompt 2 mixed by one score. */
static const double SCORE[N_SEQ] = {0.2, -1.0, 0.7, 2.5, 0.1, 0.1,
                                    0.1, 0.1,  0.3, 0.3, 0.3, 1.0};

static void group_advantages_compare_the_responses_to_one_prompt(void **state)
{
    (void)state;
    struct rollouts r;
    double scaled[N_SEQ], plain[N_SEQ];
    rollouts_init(&r, PSW_METHOD_GRPO);
    psw_group_advantage(&r.rows, 1, SCORE, scaled);
    psw_group_advantage(&r.rows, 0, SCORE, plain);
    for (int p = 0; p < N_PROMPT; p++) {
        double sum = 0.0, square = 0.0;
        for (int k = 0; k < N_SAMPLE; k++) sum += SCORE[p * N_SAMPLE + k];
        const double mean = sum / N_SAMPLE;
        for (int k = 0; k < N_SAMPLE; k++) square += pow(SCORE[p * N_SAMPLE + k] - mean, 2.0);
        const double deviation = sqrt(square / (N_SAMPLE - 1));
        for (int s = p * N_SAMPLE; s < (p + 1) * N_SAMPLE; s++) {
            assert_close(plain[s], SCORE[s] - mean, 1e-14);
            assert_close(scaled[s], (SCORE[s] - mean) / (deviation + 1e-4), 1e-12);
        }
    }
}

static void equal_scores_of_a_prompt_have_exactly_no_advantage_and_are_not_mixed(void **state)
{
    (void)state;
    struct rollouts r;
    double advantage[N_SEQ];
    uint8_t is_mixed[N_PROMPT];
    rollouts_init(&r, PSW_METHOD_DAPO);
    for (int scaled = 0; scaled < 2; scaled++) {
        psw_group_advantage(&r.rows, scaled, SCORE, advantage);
        for (int s = 4; s < 8; s++) assert_true(advantage[s] == 0.0);
    }
    assert_int_equal(psw_group_mixed(&r.rows, SCORE, is_mixed), 2);
    assert_true(is_mixed[0] == 1 && is_mixed[1] == 0 && is_mixed[2] == 1);
    assert_int_equal(psw_group_mixed(&r.rows, SCORE, NULL), 2);
}

static void every_row_gets_the_value_of_its_response(void **state)
{
    (void)state;
    struct rollouts r;
    double row[N_ROW];
    rollouts_init(&r, PSW_METHOD_GRPO);
    psw_rows_spread(&r.rows, SCORE, row);
    for (int64_t t = 0; t < N_ROW; t++) assert_true(row[t] == SCORE[rollouts_seq_of(&r, t)]);
}

/* ---- length and value ---- */

static void the_overlong_penalty_falls_linearly_over_its_buffer(void **state)
{
    (void)state;
    assert_true(psw_overlong_penalty(80, 100, 20) == 0.0);
    assert_close(psw_overlong_penalty(81, 100, 20), -0.05, 1e-15);
    assert_close(psw_overlong_penalty(90, 100, 20), -0.5, 1e-15);
    assert_true(psw_overlong_penalty(100, 100, 20) == -1.0);
    assert_true(psw_overlong_penalty(130, 100, 20) == -1.0);
    assert_true(psw_overlong_penalty(100, 100, 0) == 0.0);
}

static void explained_variance_is_1_when_perfect_and_0_when_constant(void **state)
{
    (void)state;
    const double ret[4] = {1.0, 2.0, 3.0, 6.0}, flat[4] = {5.0, 5.0, 5.0, 5.0};
    const double shifted[4] = {0.5, 1.5, 2.5, 5.5}, opposite[4] = {-1.0, -2.0, -3.0, -6.0};
    const double half[4] = {0.5, 1.0, 1.5, 3.0};
    assert_close(psw_explained_variance(4, ret, ret), 1.0, 0.0);
    assert_close(psw_explained_variance(4, shifted, ret), 1.0,
                 1e-15); /* a bias is no variance */
    assert_close(psw_explained_variance(4, flat, ret), 0.0, 1e-15);
    assert_close(psw_explained_variance(4, half, ret), 0.75, 1e-15);
    assert_close(psw_explained_variance(4, opposite, ret), -3.0, 1e-15);
    assert_true(isnan(psw_explained_variance(4, ret, flat)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(k1_and_k3_are_unbiased_and_k2_is_not),
        cmocka_unit_test(
            as_a_loss_k1_has_no_gradient_k2_that_of_the_kl_and_k3_that_of_the_reverse_kl),
        cmocka_unit_test(k3_keeps_its_digits_near_the_reference),
        cmocka_unit_test(a_token_is_paid_its_penalty_and_the_last_one_the_score),
        cmocka_unit_test(gae_is_the_sum_of_discounted_errors_of_its_response),
        cmocka_unit_test(gae_without_discount_or_lambda_returns_what_is_still_to_come),
        cmocka_unit_test(moments_are_those_of_the_sample),
        cmocka_unit_test(whitened_values_have_mean_0_and_deviation_1_also_in_place),
        cmocka_unit_test(equal_values_whiten_to_exactly_0),
        cmocka_unit_test(group_advantages_compare_the_responses_to_one_prompt),
        cmocka_unit_test(equal_scores_of_a_prompt_have_exactly_no_advantage_and_are_not_mixed),
        cmocka_unit_test(every_row_gets_the_value_of_its_response),
        cmocka_unit_test(the_overlong_penalty_falls_linearly_over_its_buffer),
        cmocka_unit_test(explained_variance_is_1_when_perfect_and_0_when_constant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
