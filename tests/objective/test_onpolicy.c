/* The clipped surrogate, its KL term and the value loss against central differences of losses
 * written a second time, in long double and as the papers print them. */
#include <support/support.h>

#include "rollouts.h"
#include <math.h>
#include <posweep/objective/components.h>
#include <string.h>

enum { FIRST = PSW_METHOD_PPO, LAST = PSW_METHOD_DAPO };

struct result {
    double weight[N_ROW], kl[N_ROW];
    struct psw_onpolicy_out out;
};

static struct psw_onpolicy_in in_of(const struct rollouts *r)
{
    return (struct psw_onpolicy_in){.rows = &r->rows,
                                    .logp = r->logp,
                                    .old = r->old,
                                    .ref = r->ref,
                                    .advantage = r->advantage};
}

static void evaluate(const struct rollouts *r, const struct psw_onpolicy_opts *opts,
                     struct result *y)
{
    const struct psw_onpolicy_in in = in_of(r);
    y->out = (struct psw_onpolicy_out){.weight = y->weight, .kl = y->kl};
    assert_int_equal(psw_objective_onpolicy(opts, &in, &y->out, NULL), PSW_OK);
}

/* Loss of a batch whose row `moved` has its log-probability changed by h. */
static long double twin_loss(const struct rollouts *r, const struct psw_onpolicy_opts *o,
                             int64_t moved, long double h)
{
    long double loss = 0.0L;
    for (int64_t t = 0; t < N_ROW; t++) {
        const long double logp = (long double)r->logp[t] + (t == moved ? h : 0.0L);
        const long double ratio = expl(logp - r->old[t]), a = r->advantage[t];
        const long double cut = fminl(fmaxl(ratio, 1.0L - o->clip_low), 1.0L + o->clip_high);
        const long double inverse = expl(r->ref[t] - logp);
        const long double kl = inverse - logl(inverse) - 1.0L;
        loss += rollouts_norm(r, o->method, t) *
                (-fminl(ratio * a, cut * a) + o->loss_kl_coef * kl);
    }
    return loss;
}

/* Differences of step 1e-6 in long double are good to 1e-11 of the slope. */
static void weights_are_the_gradient_of_the_loss_for_every_method(void **state)
{
    (void)state;
    struct rollouts r;
    struct result y;
    const long double h = 1e-6L;
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        rollouts_init(&r, m);
        evaluate(&r, &opts, &y);
        assert_close(y.out.loss, (double)twin_loss(&r, &opts, -1, 0.0L), 1e-14);
        for (int64_t t = 0; t < N_ROW; t++) {
            const long double slope =
                (twin_loss(&r, &opts, t, h) - twin_loss(&r, &opts, t, -h)) / (2.0L * h);
            assert_close(N_ROW * (y.weight[t] + y.kl[t]), (double)(-N_ROW * slope), 1e-9);
        }
        assert_true(y.out.clip_fraction > 0.1 && y.out.clip_fraction < 0.9);
    }
}

static void the_kl_term_has_weights_of_its_own(void **state)
{
    (void)state;
    struct rollouts r;
    struct result y;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    rollouts_init(&r, PSW_METHOD_GRPO);
    evaluate(&r, &opts, &y);
    for (int64_t t = 0; t < N_ROW; t++)
        assert_close(y.kl[t] / rollouts_norm(&r, PSW_METHOD_GRPO, t),
                     0.4 * (exp(r.ref[t] - r.logp[t]) - 1.0), 1e-14);
    memset(r.advantage, 0, sizeof r.advantage);
    memcpy(r.logp, r.ref, sizeof r.logp); /* at the reference the term has no gradient */
    evaluate(&r, &opts, &y);
    for (int64_t t = 0; t < N_ROW; t++) assert_true(y.kl[t] == 0.0 && y.weight[t] == 0.0);
    assert_true(y.out.loss == 0.0);
}

static void the_clip_removes_only_what_would_go_further(void **state)
{
    (void)state;
    const struct {
        double ratio, advantage, kept; /* kept: weight and minus the loss where not clipped */
        int is_clipped;
    } cases[] = {
        {1.29, 2.0, 2.58, 0},  {1.31, 2.0, 2.6, 1},  {0.5, 2.0, 1.0, 0}, {0.81, -2.0, -1.62, 0},
        {0.79, -2.0, -1.6, 1}, {1.9, -2.0, -3.8, 0}, {3.0, 0.0, 0.0, 0},
    };
    const int64_t seq_row[2] = {0, 1};
    const struct psw_rollout_rows rows = {
        .n_prompt = 1, .n_sample = 1, .n_seq = 1, .n_row = 1, .seq_row = seq_row};
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_DAPO);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const double old = -1.5, logp = old + log(cases[k].ratio);
        double weight;
        const struct psw_onpolicy_in in = {
            .rows = &rows, .logp = &logp, .old = &old, .advantage = &cases[k].advantage};
        struct psw_onpolicy_out out = {.weight = &weight};
        assert_int_equal(psw_objective_onpolicy(&opts, &in, &out, NULL), PSW_OK);
        assert_close(weight, cases[k].is_clipped ? 0.0 : cases[k].kept, 1e-14);
        assert_close(out.loss, -cases[k].kept, 1e-14);
        assert_true(out.clip_fraction == (double)cases[k].is_clipped);
    }
}

static void fresh_rollouts_weigh_their_advantage_exactly(void **state)
{
    (void)state;
    struct rollouts r;
    struct result y;
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        rollouts_init(&r, m);
        memcpy(r.old, r.logp, sizeof r.old);
        evaluate(&r, &opts, &y);
        for (int64_t t = 0; t < N_ROW; t++)
            assert_close(y.weight[t], r.advantage[t] * rollouts_norm(&r, m, t), 1e-16);
        assert_true(y.out.clip_fraction == 0.0 && y.out.approx_kl == 0.0);
    }
}

static void ppo_and_dapo_weigh_tokens_alike_and_grpo_responses(void **state)
{
    (void)state;
    struct rollouts r;
    struct result y;
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_onpolicy_opts opts = rollouts_opts(m);
        rollouts_init(&r, m);
        memcpy(r.old, r.logp, sizeof r.old);
        for (int t = 0; t < N_ROW; t++) r.advantage[t] = 1.0;
        evaluate(&r, &opts, &y);
        for (int s = 0; s < N_SEQ; s++) {
            double sum = 0.0;
            const int64_t n_tok = r.seq_row[s + 1] - r.seq_row[s];
            for (int64_t t = r.seq_row[s]; t < r.seq_row[s + 1]; t++) sum += y.weight[t];
            const double share = m == PSW_METHOD_GRPO ? 1.0 / N_SEQ : (double)n_tok / N_ROW;
            assert_close(sum, share, 1e-15);
        }
    }
}

static void clip_fraction_and_kl_are_means_over_rows(void **state)
{
    (void)state;
    struct rollouts r;
    struct result y;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    double square = 0.0;
    int n_clipped = 0;
    rollouts_init(&r, PSW_METHOD_GRPO);
    evaluate(&r, &opts, &y);
    for (int t = 0; t < N_ROW; t++) {
        const double step = r.logp[t] - r.old[t], a = r.advantage[t];
        square += step * step / 2.0;
        n_clipped += (a > 0.0 && step > log(1.3)) || (a < 0.0 && step < log(0.8));
    }
    assert_close(y.out.approx_kl, square / N_ROW, 1e-14);
    assert_close(y.out.clip_fraction, (double)n_clipped / N_ROW, 1e-15);
}

/* ---- what is refused ---- */

static void assert_refused(const struct rollouts *r, const struct psw_onpolicy_opts *opts,
                           psw_status code, const char *part)
{
    struct psw_error err = {0};
    struct psw_onpolicy_in in = in_of(r);
    double weight[N_ROW] = {7.0};
    struct psw_onpolicy_out out = {.weight = weight, .loss = 7.0};
    assert_int_equal(psw_objective_onpolicy(opts, &in, &out, &err), code);
    if (!strstr(err.text, part)) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
    assert_true(weight[0] == 7.0 && out.loss == 7.0);
}

static void a_value_that_is_not_finite_is_refused_with_its_row(void **state)
{
    (void)state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    const struct {
        size_t offset;
        double value;
        const char *text;
    } cases[] = {
        {offsetof(struct rollouts, logp), NAN, "grpo: the log-probability of row 17 is"},
        {offsetof(struct rollouts, old), -INFINITY, "old log-probability of row 17 is -inf"},
        {offsetof(struct rollouts, ref), NAN, "reference log-probability of row 17"},
        {offsetof(struct rollouts, advantage), INFINITY, "advantage of row 17 is inf"},
        {offsetof(struct rollouts, old), -900.0, "ratio to the old policy of row 17 is inf"},
        {offsetof(struct rollouts, ref), 800.0, "of the reference to the policy of row 17"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct rollouts r;
        rollouts_init(&r, PSW_METHOD_GRPO);
        memcpy((char *)&r + cases[k].offset + 17 * sizeof(double), &cases[k].value,
               sizeof(double));
        assert_refused(&r, &opts, PSW_EDIVERGED, cases[k].text);
    }
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    struct rollouts r;
    struct psw_onpolicy_opts opts;
    const struct {
        size_t offset;
        double value;
        const char *text;
    } cases[] = {
        {offsetof(struct psw_onpolicy_opts, clip_low), 0.0, "policy.clip_low is 0"},
        {offsetof(struct psw_onpolicy_opts, clip_low), 1.5, "expected number in (0, 1]"},
        {offsetof(struct psw_onpolicy_opts, clip_high), NAN, "policy.clip_high is"},
        {offsetof(struct psw_onpolicy_opts, clip_high), 0.0, "upper clip 0"},
        {offsetof(struct psw_onpolicy_opts, clip_high), INFINITY, "clip_high is inf"},
        {offsetof(struct psw_onpolicy_opts, loss_kl_coef), -1.0, "KL coefficient -1"},
        {offsetof(struct psw_onpolicy_opts, entropy_coef), -1.0, "entropy_coef"},
        {offsetof(struct psw_onpolicy_opts, value_coef), -1.0, "value_coef"},
        {offsetof(struct psw_onpolicy_opts, value_clip), -1.0, "value_clip"},
    };
    rollouts_init(&r, PSW_METHOD_PPO);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        opts = rollouts_opts(PSW_METHOD_PPO);
        memcpy((char *)&opts + cases[k].offset, &cases[k].value, sizeof(double));
        assert_refused(&r, &opts, PSW_EINVAL, cases[k].text);
    }
    opts = rollouts_opts(PSW_METHOD_DPO);
    assert_refused(&r, &opts, PSW_EINVAL, "no on-policy method 0");
    opts.method = PSW_N_METHOD;
    assert_refused(&r, &opts, PSW_EINVAL, "no on-policy method");
}

static void a_response_without_tokens_and_a_missing_reference_are_refused(void **state)
{
    (void)state;
    struct rollouts r;
    struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_GRPO);
    rollouts_init(&r, PSW_METHOD_GRPO);
    struct psw_onpolicy_in in = in_of(&r);
    struct psw_onpolicy_out out = {0};
    in.ref = NULL;
    assert_int_equal(psw_objective_onpolicy(&opts, &in, &out, NULL), PSW_EINVAL);
    opts.loss_kl_coef = 0.0;
    assert_int_equal(psw_objective_onpolicy(&opts, &in, &out, NULL), PSW_OK);
    r.seq_row[5] = r.seq_row[4];
    assert_refused(&r, &opts, PSW_EINVAL, "response 4 has no tokens");
    r.rows.n_seq = 0;
    assert_refused(&r, &opts, PSW_EINVAL, "no responses");
}

static void the_pairwise_objectives_refuse_on_policy_methods(void **state)
{
    (void)state;
    const double logp[2] = {-1.0, -2.0};
    const int64_t n_tok[2] = {1, 1};
    const struct psw_pair_in in = {.n_pair = 1, .logp = logp, .ref = logp, .n_tok = n_tok};
    const struct psw_pair_out out = {0};
    for (int m = FIRST; m <= LAST; m++) {
        const struct psw_pair_opts opts = {.method = m, .beta = 0.1};
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_EINVAL);
        assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_EINVAL);
        assert_int_equal(psw_method_reads(m, PSW_USE_ROLLOUTS), 1);
    }
    for (int m = 0; m < PSW_N_PAIRWISE; m++)
        assert_int_equal(psw_method_reads(m, PSW_USE_ROLLOUTS), 0);
}

static void options_come_from_the_configuration_with_the_defaults_of_the_method(void **state)
{
    (void)state;
    struct psw_config c;
    psw_config_default(&c);
    c.policy.critic = PSW_CRITIC_SHARED;
    c.policy.method = PSW_METHOD_PPO;
    struct psw_onpolicy_opts o = psw_onpolicy_opts_of(&c);
    assert_true(o.clip_low == 0.2 && o.clip_high == 0.2 && o.loss_kl_coef == 0.0);
    assert_true(o.shared_critic && o.value_coef == 0.1 && o.value_clip == 0.2);
    c.policy.method = PSW_METHOD_GRPO;
    o = psw_onpolicy_opts_of(&c);
    assert_true(o.clip_high == 0.2 && o.loss_kl_coef == 0.04);
    assert_true(!o.shared_critic && o.value_coef == 0.0);
    c.policy.method = PSW_METHOD_DAPO;
    o = psw_onpolicy_opts_of(&c);
    assert_true(o.clip_high == 0.28 && o.loss_kl_coef == 0.0 && !o.shared_critic);
}

/* ---- the value loss ---- */

static long double twin_value(const struct psw_onpolicy_opts *o, const double *value,
                              const double *old, const double *ret, int moved, long double h)
{
    long double sum = 0.0L;
    for (int t = 0; t < N_ROW; t++) {
        const long double v = value[t] + (t == moved ? h : 0.0L);
        const long double clip = o->value_clip > 0.0 ? o->value_clip : 1e9L;
        const long double cut = fminl(fmaxl(v, old[t] - clip), old[t] + clip);
        sum += fmaxl((v - ret[t]) * (v - ret[t]), (cut - ret[t]) * (cut - ret[t]));
    }
    return o->value_coef * sum / 2.0L / N_ROW;
}

static void value_weights_are_the_gradient_of_the_value_loss(void **state)
{
    (void)state;
    struct rollouts r;
    double weight[N_ROW];
    struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_PPO);
    const long double h = 1e-6L;
    rollouts_init(&r, PSW_METHOD_PPO); /* logp, old, raw serve as values, old values, returns */
    for (int clips = 1; clips >= 0; clips--) {
        int n_stopped = 0;
        opts.value_clip = clips ? 0.2 : 0.0;
        const double loss = psw_value_loss(&opts, N_ROW, r.logp, r.old, r.raw, weight);
        assert_close(loss, (double)twin_value(&opts, r.logp, r.old, r.raw, -1, 0.0L), 1e-14);
        assert_true(psw_value_loss(&opts, N_ROW, r.logp, r.old, r.raw, NULL) == loss);
        for (int t = 0; t < N_ROW; t++) {
            const long double slope = (twin_value(&opts, r.logp, r.old, r.raw, t, h) -
                                       twin_value(&opts, r.logp, r.old, r.raw, t, -h)) /
                                      (2.0L * h);
            assert_close(N_ROW * weight[t], (double)(-N_ROW * slope), 1e-9);
            n_stopped += weight[t] == 0.0;
        }
        assert_true(clips ? n_stopped > 5 && n_stopped < N_ROW - 5 : n_stopped == 0);
    }
}

static void a_value_that_is_nan_shows_in_the_value_loss(void **state)
{
    (void)state;
    const struct psw_onpolicy_opts opts = rollouts_opts(PSW_METHOD_PPO);
    const double x = 1.0, nan_value = NAN;
    assert_true(isnan(psw_value_loss(&opts, 1, &nan_value, &x, &x, NULL)));
    assert_true(isnan(psw_value_loss(&opts, 1, &x, &x, &nan_value, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_the_gradient_of_the_loss_for_every_method),
        cmocka_unit_test(the_kl_term_has_weights_of_its_own),
        cmocka_unit_test(the_clip_removes_only_what_would_go_further),
        cmocka_unit_test(fresh_rollouts_weigh_their_advantage_exactly),
        cmocka_unit_test(ppo_and_dapo_weigh_tokens_alike_and_grpo_responses),
        cmocka_unit_test(clip_fraction_and_kl_are_means_over_rows),
        cmocka_unit_test(a_value_that_is_not_finite_is_refused_with_its_row),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(a_response_without_tokens_and_a_missing_reference_are_refused),
        cmocka_unit_test(the_pairwise_objectives_refuse_on_policy_methods),
        cmocka_unit_test(options_come_from_the_configuration_with_the_defaults_of_the_method),
        cmocka_unit_test(value_weights_are_the_gradient_of_the_value_loss),
        cmocka_unit_test(a_value_that_is_nan_shows_in_the_value_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
