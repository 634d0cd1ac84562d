/* Weight rules against central differences of losses that are written here a second time, in
 * long double and without any care for overflow. */
#include <support/support.h>

#include <math.h>
#include <posweep/objective/pairwise.h>
#include <string.h>

static const struct psw_pair_opts OPTS = {
    .beta = 0.3, .gamma = 0.5, .epsilon = 0.1, .lambda = 5.0, .alpha = 0.7};

static struct psw_pair_opts opts_of(int method)
{
    struct psw_pair_opts opts = OPTS;
    opts.method = method;
    return opts;
}

/* ---- the twins: loss of one pair as a function of z+ and z- ---- */

struct twin_pair {
    long double z[2], ref[2], n[2];
};

static long double nlsig(long double x)
{
    return logl(1.0L + expl(-x));
}

static long double delta(const struct twin_pair *p)
{
    return (p->z[0] - p->ref[0]) - (p->z[1] - p->ref[1]);
}

static long double log_odds(long double z, long double n)
{
    const long double p = expl(z / n);
    return logl(p / (1.0L - p));
}

static long double twin_dpo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta * delta(p));
}

static long double twin_ipo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return powl(delta(p) - 1.0L / (2.0L * o->beta), 2.0L);
}

static long double twin_hinge(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return fmaxl(0.0L, 1.0L - o->beta * delta(p));
}

static long double twin_simpo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta / p->n[0] * p->z[0] - o->beta / p->n[1] * p->z[1] - o->gamma);
}

static long double twin_dpo_norm(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta * ((p->z[0] - p->ref[0]) / p->n[0] - (p->z[1] - p->ref[1]) / p->n[1]));
}

static long double twin_dpo_smooth(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    const long double h = o->beta * delta(p);
    return (1.0L - o->epsilon) * nlsig(h) + o->epsilon * nlsig(-h);
}

static long double twin_dpo_robust(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    const long double h = o->beta * delta(p);
    return ((1.0L - o->epsilon) * nlsig(h) - o->epsilon * nlsig(-h)) /
           (1.0L - 2.0L * o->epsilon);
}

static long double twin_dpop(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta * (delta(p) - o->lambda * fmaxl(0.0L, p->ref[0] - p->z[0])));
}

static long double twin_orpo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return -p->z[0] / p->n[0] +
           o->alpha * nlsig(log_odds(p->z[0], p->n[0]) - log_odds(p->z[1], p->n[1]));
}

static long double twin_cpo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta * (p->z[0] - p->z[1])) - o->alpha * p->z[0] / p->n[0];
}

static long double twin_rpo(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return nlsig(o->beta * delta(p)) - o->alpha * p->z[0] / p->n[0];
}

static long double twin_sft(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    (void)o;
    return -p->z[0];
}

static long double (*const TWINS[PSW_N_PAIRWISE])(const struct psw_pair_opts *,
                                                  const struct twin_pair *) = {
    [PSW_METHOD_DPO] = twin_dpo,
    [PSW_METHOD_IPO] = twin_ipo,
    [PSW_METHOD_HINGE] = twin_hinge,
    [PSW_METHOD_SIMPO] = twin_simpo,
    [PSW_METHOD_DPO_NORM] = twin_dpo_norm,
    [PSW_METHOD_DPO_SMOOTH] = twin_dpo_smooth,
    [PSW_METHOD_DPO_ROBUST] = twin_dpo_robust,
    [PSW_METHOD_DPOP] = twin_dpop,
    [PSW_METHOD_ORPO] = twin_orpo,
    [PSW_METHOD_CPO] = twin_cpo,
    [PSW_METHOD_RPO] = twin_rpo,
    [PSW_METHOD_SFT] = twin_sft,
};

/* ---- a batch of random pairs ---- */

enum { N_PAIR = 64 };

struct batch {
    double logp[N_PAIR * 2], ref[N_PAIR * 2];
    int64_t n_tok[N_PAIR * 2];
    double loss[N_PAIR], weight[N_PAIR * 2], nll[N_PAIR], omega[N_PAIR], score[N_PAIR * 2];
};

static struct psw_pair_in in_of(const struct batch *b)
{
    return (struct psw_pair_in){
        .n_pair = N_PAIR, .logp = b->logp, .ref = b->ref, .n_tok = b->n_tok};
}

static struct psw_pair_out out_of(struct batch *b)
{
    return (struct psw_pair_out){b->loss, b->weight, b->nll, b->omega, b->score};
}

static void batch_fill(struct batch *b)
{
    float x[N_PAIR * 2], y[N_PAIR * 2], n[N_PAIR * 2];
    support_fill(x, N_PAIR * 2, 1.0f, 1);
    support_fill(y, N_PAIR * 2, 1.0f, 2);
    support_fill(n, N_PAIR * 2, 1.0f, 3);
    memset(b, 0, sizeof *b);
    for (int i = 0; i < N_PAIR * 2; i++) {
        b->n_tok[i] = 8 + (int64_t)(7.99f * n[i]);
        b->logp[i] = (double)b->n_tok[i] * (-1.02 + (double)x[i]);
        b->ref[i] = b->logp[i] + 6.0 * (double)y[i];
    }
}

static struct twin_pair twin_of(const struct batch *b, int i)
{
    struct twin_pair p;
    for (int side = 0; side < 2; side++) {
        p.z[side] = b->logp[2 * i + side];
        p.ref[side] = b->ref[2 * i + side];
        p.n[side] = b->n_tok[2 * i + side];
    }
    return p;
}

/* Nearer than the difference's step to a kink of hinge or dpop, a derivative means nothing. */
static int near_kink(const struct psw_pair_opts *o, const struct twin_pair *p)
{
    return fabsl(p->z[0] - p->ref[0]) < 1e-3L || fabsl(1.0L - o->beta * delta(p)) < 1e-3L;
}

/* ---- tests ---- */

static void every_loss_equals_its_plain_formula(void **state)
{
    (void)state;
    struct batch b;
    batch_fill(&b);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = opts_of(m);
        const struct psw_pair_in in = in_of(&b);
        const struct psw_pair_out out = out_of(&b);
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        for (int i = 0; i < N_PAIR; i++) {
            const struct twin_pair p = twin_of(&b, i);
            assert_close(b.loss[i], (double)TWINS[m](&opts, &p), 1e-12);
        }
    }
}

static void every_weight_equals_minus_the_central_difference(void **state)
{
    (void)state;
    /* Error of the difference: step^2 / 6 * third derivative, which the penalty of dpop raises
     * to (beta (1 + lambda))^3 ~ 6 and the odds near p = 1 further. */
    const long double step = 1e-5L;
    const double tolerance = 1e-7;
    struct batch b;
    batch_fill(&b);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = opts_of(m);
        const struct psw_pair_in in = in_of(&b);
        const struct psw_pair_out out = out_of(&b);
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        for (int i = 0; i < N_PAIR; i++) {
            const struct twin_pair p = twin_of(&b, i);
            if (near_kink(&opts, &p)) continue;
            for (int side = 0; side < 2; side++) {
                struct twin_pair above = p, below = p;
                above.z[side] += step;
                below.z[side] -= step;
                const long double slope =
                    (TWINS[m](&opts, &above) - TWINS[m](&opts, &below)) / (2.0L * step);
                const double w = b.weight[2 * i + side] + (side == 0 ? b.nll[i] : 0.0);
                assert_close(w, (double)-slope, tolerance);
            }
        }
    }
}

static void a_dpo_pair_has_the_weights_of_its_margin(void **state)
{
    (void)state;
    const double logp[2] = {-3.0, -5.0}, ref[2] = {-4.0, -4.0}; /* margin 0.5 * 2 = 1 */
    const int64_t n_tok[2] = {4, 7};
    const struct psw_pair_opts opts = {.method = PSW_METHOD_DPO, .beta = 0.5};
    const struct psw_pair_in in = {.n_pair = 1, .logp = logp, .ref = ref, .n_tok = n_tok};
    double weight[2], score[2];
    const struct psw_pair_out out = {.weight = weight, .score = score};
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    assert_close(weight[0], 0.5 / (1.0 + exp(1.0)), 1e-15);
    assert_close(weight[0] + weight[1], 0.0, 1e-15);
    assert_close(score[0] - score[1], 1.0, 1e-15);
}

static void weights_turn_negative_where_the_loss_rises_with_the_margin(void **state)
{
    (void)state;
    const double logp[2] = {-1.0, -1000.0}, ref[2] = {-50.0, -50.0};
    const int64_t n_tok[2] = {10, 10};
    const struct psw_pair_in in = {.n_pair = 1, .logp = logp, .ref = ref, .n_tok = n_tok};
    double weight[2];
    const struct psw_pair_out out = {.weight = weight};
    struct psw_pair_opts opts = opts_of(PSW_METHOD_IPO);
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    assert_true(weight[0] < 0.0 && weight[1] > 0.0);
    opts = opts_of(PSW_METHOD_DPO_SMOOTH);
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    assert_close(weight[0], -OPTS.beta * OPTS.epsilon, 1e-12);
    opts = opts_of(PSW_METHOD_DPO_ROBUST); /* never falls below its floor */
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    assert_close(weight[0], OPTS.beta * OPTS.epsilon / (1.0 - 2.0 * OPTS.epsilon), 1e-12);
}

static void extreme_margins_stay_finite(void **state)
{
    (void)state;
    const double logp[] = {-1e3, -1e-3, -1e-3, -1e3, 0.0,  0.0,
                           -1e5, -1e5,  0.0,   -1e5, -1e5, 0.0};
    const double ref[12] = {0.0};
    const int64_t n_tok[] = {1, 1, 1, 1, 1, 1, 3, 200, 200, 3, 5, 5};
    const struct psw_pair_in in = {.n_pair = 6, .logp = logp, .ref = ref, .n_tok = n_tok};
    double loss[6], weight[12], nll[6], omega[6], score[12];
    const struct psw_pair_out out = {loss, weight, nll, omega, score};
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = opts_of(m);
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        for (int i = 0; i < 6; i++) assert_true(isfinite(loss[i]) && isfinite(nll[i]));
        for (int i = 0; i < 12; i++) assert_true(isfinite(weight[i]) && isfinite(score[i]));
    }
}

static void log_sigmoid_is_exact_at_both_ends(void **state)
{
    (void)state;
    assert_close(psw_log_sigmoid(-1e3), -1e3, 1e-15);
    assert_close(psw_log_sigmoid(0.0), -log(2.0), 1e-15);
    assert_true(fabs(psw_log_sigmoid(40.0) / -exp(-40.0) - 1.0) < 1e-14);
    assert_true(fabs(psw_sigmoid(-40.0) / exp(-40.0) - 1.0) < 1e-14);
    assert_true(psw_sigmoid(-1e3) == 0.0 && psw_sigmoid(1e3) == 1.0);
    assert_true(isnan(psw_sigmoid(NAN)) && isnan(psw_log_sigmoid(NAN)));
}

static void flat_weights_are_those_of_margin_zero(void **state)
{
    (void)state;
    const double b = OPTS.beta, e = OPTS.epsilon;
    const struct {
        int method;
        double omega;
    } expected[] = {
        {PSW_METHOD_DPO, b / 2},
        {PSW_METHOD_DPOP, b / 2},
        {PSW_METHOD_IPO, 1.0 / b},
        {PSW_METHOD_HINGE, b},
        {PSW_METHOD_SIMPO, b / (1.0 + exp(-OPTS.gamma))},
        {PSW_METHOD_DPO_NORM, b / 2},
        {PSW_METHOD_DPO_SMOOTH, b * (0.5 - e)},
        {PSW_METHOD_DPO_ROBUST, b * (0.5 + e / (1 - 2 * e))},
        {PSW_METHOD_ORPO, OPTS.alpha / 2},
        {PSW_METHOD_CPO, b / 2},
        {PSW_METHOD_RPO, b / 2},
        {PSW_METHOD_SFT, 1.0},
    };
    struct batch x;
    batch_fill(&x);
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
        const struct psw_pair_opts opts = opts_of(expected[k].method);
        const struct psw_pair_in in = in_of(&x);
        const struct psw_pair_out out = out_of(&x);
        assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_OK);
        for (int i = 0; i < N_PAIR; i++) assert_close(x.omega[i], expected[k].omega, 1e-14);
    }
}

static void flat_weights_keep_lengths_and_drop_the_penalty(void **state)
{
    (void)state;
    struct batch b;
    batch_fill(&b);
    const struct psw_pair_in in = in_of(&b);
    const struct psw_pair_out out = out_of(&b);
    struct psw_pair_opts opts = opts_of(PSW_METHOD_DPO_NORM);
    assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < 2 * N_PAIR; i++)
        assert_close(fabs(b.weight[i]), OPTS.beta / 2 / (double)b.n_tok[i], 1e-14);
    opts = opts_of(PSW_METHOD_DPOP);
    assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < 2 * N_PAIR; i++)
        assert_close(b.weight[i], i % 2 ? -OPTS.beta / 2 : OPTS.beta / 2, 1e-14);
    opts = opts_of(PSW_METHOD_ORPO);
    assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < 2 * N_PAIR; i++) {
        const double n = (double)b.n_tok[i];
        assert_close(fabs(b.weight[i]), OPTS.alpha / 2 / (n * (1 - exp(b.logp[i] / n))), 1e-9);
    }
}

static void a_method_reads_exactly_the_options_of_its_row(void **state)
{
    (void)state;
    struct batch b;
    batch_fill(&b);
    const struct psw_pair_in in = in_of(&b);
    const struct psw_pair_out out = out_of(&b);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        for (int use = PSW_USE_BETA; use <= PSW_USE_ALPHA; use++) {
            struct psw_pair_opts opts = opts_of(m);
            double before[N_PAIR];
            assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
            memcpy(before, b.loss, sizeof before);
            double *const option[] = {&opts.beta, &opts.gamma, &opts.epsilon, &opts.lambda,
                                      &opts.alpha};
            *option[use - PSW_USE_BETA] *= 1.25;
            assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
            const int changed = memcmp(before, b.loss, sizeof before) != 0;
            assert_int_equal(changed, psw_method_reads(m, use));
        }
    }
}

static void a_method_without_reference_does_not_touch_it(void **state)
{
    (void)state;
    struct batch b;
    batch_fill(&b);
    struct psw_pair_in in = in_of(&b);
    const struct psw_pair_out out = out_of(&b);
    in.ref = NULL;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        if (psw_method_row(m)->has_reference) continue;
        const struct psw_pair_opts opts = opts_of(m);
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        assert_int_equal(psw_objective_flat(&opts, &in, &out, NULL), PSW_OK);
    }
}

static void sft_ignores_the_rejected_response(void **state)
{
    (void)state;
    struct batch b;
    batch_fill(&b);
    const struct psw_pair_opts opts = opts_of(PSW_METHOD_SFT);
    const struct psw_pair_in in = in_of(&b);
    const struct psw_pair_out out = out_of(&b);
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < N_PAIR; i++) {
        assert_true(b.weight[2 * i] == 1.0 && b.weight[2 * i + 1] == 0.0 && b.nll[i] == 0.0);
        assert_close(b.loss[i], -b.logp[2 * i], 1e-15);
    }
}

static void nan_log_probabilities_come_out_as_nan(void **state)
{
    (void)state;
    const double logp[2] = {NAN, -1.0}, ref[2] = {-1.0, -1.0};
    const int64_t n_tok[2] = {2, 2};
    const struct psw_pair_in in = {.n_pair = 1, .logp = logp, .ref = ref, .n_tok = n_tok};
    double loss[1];
    const struct psw_pair_out out = {.loss = loss};
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = opts_of(m);
        assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
        assert_true(isnan(loss[0]));
    }
}

static void options_out_of_range_are_refused_by_name(void **state)
{
    (void)state;
    const struct {
        int method;
        struct psw_pair_opts opts;
        const char *text;
    } bad[] = {
        {PSW_METHOD_DPO, {.beta = 0.0}, "policy.beta is 0, expected number in (0, 1000]"},
        {PSW_METHOD_IPO, {.beta = NAN}, "policy.beta is nan"},
        {PSW_METHOD_CPO, {.beta = 1.0, .alpha = -1.0}, "policy.alpha is -1"},
        {PSW_METHOD_DPOP, {.beta = 1.0, .lambda = INFINITY}, "policy.lambda is inf"},
        {PSW_METHOD_DPO_ROBUST,
         {.beta = 1.0, .epsilon = 0.5},
         "policy.epsilon is 0.5, expected number in [0, 0.5)"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        struct psw_pair_opts opts = bad[k].opts;
        opts.method = bad[k].method;
        struct psw_error err;
        assert_int_equal(psw_pair_opts_check(&opts, &err), PSW_EINVAL);
        assert_non_null(strstr(err.text, bad[k].text));
    }
}

static void a_response_without_tokens_is_refused_and_nothing_written(void **state)
{
    (void)state;
    const double z[4] = {-1.0, -1.0, -1.0, -1.0};
    const int64_t n_tok[4] = {2, 2, 2, 0};
    const struct psw_pair_in in = {.n_pair = 2, .logp = z, .ref = z, .n_tok = n_tok};
    double loss[2] = {7.0, 7.0};
    const struct psw_pair_out out = {.loss = loss};
    const struct psw_pair_opts opts = opts_of(PSW_METHOD_DPO);
    struct psw_error err;
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "rejected response of pair 1"));
    assert_true(loss[0] == 7.0 && loss[1] == 7.0);
}

static void the_table_is_whole_and_names_find_their_rows(void **state)
{
    (void)state;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_method_row *info = psw_method_row(m);
        assert_non_null(info->name);
        assert_non_null(info->loss);
        assert_non_null(info->source);
        assert_int_equal(psw_method_find(info->name), m);
    }
    assert_int_equal(psw_method_find("DPO"), -1);
}

static void the_configuration_names_the_same_methods_and_defaults_are_in_range(void **state)
{
    (void)state;
    struct psw_config config;
    psw_config_default(&config);
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const char *name = psw_method_row(m)->name;
        assert_int_equal(psw_config_set(&config, "policy.method", name, NULL), PSW_OK);
        assert_string_equal(psw_config_method(&config), name);
        const struct psw_pair_opts opts = psw_pair_opts_of(&config);
        assert_int_equal(opts.method, m);
        assert_int_equal(psw_pair_opts_check(&opts, NULL), PSW_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_loss_equals_its_plain_formula),
        cmocka_unit_test(every_weight_equals_minus_the_central_difference),
        cmocka_unit_test(a_dpo_pair_has_the_weights_of_its_margin),
        cmocka_unit_test(weights_turn_negative_where_the_loss_rises_with_the_margin),
        cmocka_unit_test(extreme_margins_stay_finite),
        cmocka_unit_test(log_sigmoid_is_exact_at_both_ends),
        cmocka_unit_test(flat_weights_are_those_of_margin_zero),
        cmocka_unit_test(flat_weights_keep_lengths_and_drop_the_penalty),
        cmocka_unit_test(a_method_reads_exactly_the_options_of_its_row),
        cmocka_unit_test(a_method_without_reference_does_not_touch_it),
        cmocka_unit_test(sft_ignores_the_rejected_response),
        cmocka_unit_test(nan_log_probabilities_come_out_as_nan),
        cmocka_unit_test(options_out_of_range_are_refused_by_name),
        cmocka_unit_test(a_response_without_tokens_is_refused_and_nothing_written),
        cmocka_unit_test(the_table_is_whole_and_names_find_their_rows),
        cmocka_unit_test(the_configuration_names_the_same_methods_and_defaults_are_in_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
