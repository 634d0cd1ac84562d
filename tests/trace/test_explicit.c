/* G by one tangent pass against G by explicit gradients, for every method and component, on a
 * tiny model: the identities that everything rests on (SCIENCE section 1). */
#include <support/support.h>
#include <support/tiny.h>

#include <math.h>
#include <posweep/objective/clustered_mean.h>
#include <posweep/objective/components.h>
#include <string.h>

/** The tiny model, a direction v, and kappa along it. */
struct fixture {
    struct tiny tiny;
    float *v;
    double kappa[TINY_N_SEQ], kappa_size[TINY_N_SEQ]; /* sums of kappa and of |kappa| */
    double coef[PSW_N_COMPONENT][TINY_N_SEQ], g[PSW_N_COMPONENT], g_se[PSW_N_COMPONENT];
};

/* v = mean over pairs of -grad log pi(chosen): D' are the chosen responses. */
static void direction_set(struct fixture *f)
{
    struct tiny *t = &f->tiny;
    const double chosen[TINY_N_SEQ] = {1.0, 0.0, 1.0, 0.0, 1.0, 0.0};
    const struct psw_pair_opts opts = tiny_opts("sft");
    tiny_loss(t, &opts, t->param);
    tiny_backward(t, chosen);
    memcpy(f->v, t->grad, sizeof(float) * (size_t)t->n_param);
}

static void kappa_set(struct fixture *f)
{
    struct tiny *t = &f->tiny;
    const struct psw_pass pass = tiny_pass(t, t->param);
    psw_model_tangent(&pass, f->v, (struct psw_rows){.logp = t->row},
                      (struct psw_rows){.logp = t->weight}); /* weight: room for logp_dot */
    for (int64_t r = 0; r < t->batch.n_row; r++) t->weight[r] = -t->weight[r];
    psw_sequence_sums(TINY_N_SEQ, t->batch.seq_row, t->weight, f->kappa);
    for (int64_t r = 0; r < t->batch.n_row; r++) t->weight[r] = fabsf(t->weight[r]);
    psw_sequence_sums(TINY_N_SEQ, t->batch.seq_row, t->weight, f->kappa_size);
}

static void trace(struct fixture *f, const struct psw_pair_opts *opts)
{
    struct tiny *t = &f->tiny;
    const uint64_t cluster[TINY_N_PAIR] = {1, 2, 3};
    const struct psw_pair_in in = tiny_pairs(t);
    const struct psw_components_key key = {.seed = 1, .checkpoint = 0};
    assert_int_equal(psw_components_pairwise(opts, &in, key, t->scratch, f->coef[0], NULL),
                     PSW_OK);
    const struct psw_reduce_in reduce = {.n_component = PSW_N_COMPONENT,
                                         .n_item = TINY_N_PAIR,
                                         .n_side = PSW_N_SIDE,
                                         .exists = psw_components_of(opts->method),
                                         .coef = f->coef[0],
                                         .kappa = f->kappa,
                                         .cluster = cluster};
    assert_int_equal(psw_component_reduce(&reduce, t->scratch, f->g, f->g_se), TINY_N_PAIR);
}

static int setup_with(void **state, int share_prefix)
{
    static struct fixture f;
    tiny_init(&f.tiny, share_prefix);
    f.v = psw_arena_f32(f.tiny.arena, f.tiny.n_param);
    direction_set(&f);
    kappa_set(&f);
    *state = &f;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, 1);
}

static int setup_without_sharing(void **state)
{
    return setup_with(state, 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    tiny_clear(&f->tiny);
    return 0;
}

/* Of sum |w kappa|: relative to G it would be unbounded where G is near 0. */
static const double TOLERANCE = 1e-5;

/* All pairs: there is no top, mid and bot. */
static int has_equal_weights(int method)
{
    return method == PSW_METHOD_HINGE || method == PSW_METHOD_SFT;
}

static void every_component_equals_an_explicit_backward_pass(void **state)
{
    struct fixture *f = *state;
    struct tiny *t = &f->tiny;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = tiny_opts(psw_method_row(m)->name);
        tiny_loss(t, &opts, t->param);
        trace(f, &opts);
        for (int k = 0; k < PSW_N_COMPONENT; k++) {
            if (!(psw_components_of(m) & (1u << k))) continue;
            if (isnan(f->coef[k][0]) && has_equal_weights(m)) continue;
            double size = 0.0;
            for (int s = 0; s < TINY_N_SEQ; s++)
                size += fabs(f->coef[k][s]) * f->kappa_size[s] / TINY_N_PAIR;
            tiny_backward(t, f->coef[k]);
            const double explicit_g = tiny_dot(t, f->v, t->grad);
            assert_true(fabs(f->g[k] - explicit_g) <= TOLERANCE * size);
        }
    }
}

static void total_is_the_gradient_that_training_takes(void **state)
{
    struct fixture *f = *state;
    struct tiny *t = &f->tiny;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = tiny_opts(psw_method_row(m)->name);
        tiny_step(t, &opts);
        trace(f, &opts);
        const double norms =
            sqrt(tiny_dot(t, f->v, f->v)) * sqrt(tiny_dot(t, t->grad, t->grad));
        assert_close(f->g[PSW_C_TOTAL] / norms, tiny_dot(t, f->v, t->grad) / norms, TOLERANCE);
    }
}

static void g_of_the_likelihood_of_the_final_responses_is_the_square_of_v(void **state)
{
    struct fixture *f = *state;
    const struct psw_pair_opts opts = tiny_opts("dpo");
    tiny_loss(&f->tiny, &opts, f->tiny.param);
    trace(f, &opts);
    const double square = tiny_dot(&f->tiny, f->v, f->v);
    assert_close(f->g[PSW_C_SFT_CHOSEN] / square, 1.0, TOLERANCE);
}

static void parts_add_up_to_rounding(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < PSW_N_PAIRWISE; m++) {
        const struct psw_pair_opts opts = tiny_opts(psw_method_row(m)->name);
        tiny_loss(&f->tiny, &opts, f->tiny.param);
        trace(f, &opts);
        const double *g = f->g, nll = psw_method_row(m)->has_nll ? g[PSW_C_NLL] : 0.0;
        assert_close(g[PSW_C_POS] + g[PSW_C_NEG] + nll, g[PSW_C_TOTAL], 1e-13);
        if (!has_equal_weights(m))
            assert_close(g[PSW_C_TOP] + g[PSW_C_MID] + g[PSW_C_BOT], g[PSW_C_TOTAL], 1e-13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_component_equals_an_explicit_backward_pass),
        cmocka_unit_test(total_is_the_gradient_that_training_takes),
        cmocka_unit_test(g_of_the_likelihood_of_the_final_responses_is_the_square_of_v),
        cmocka_unit_test(parts_add_up_to_rounding),
    };
    const int n_failed = cmocka_run_group_tests(tests, setup, teardown);
    return n_failed + cmocka_run_group_tests(tests, setup_without_sharing, teardown);
}
