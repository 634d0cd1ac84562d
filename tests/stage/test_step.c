/* A whole preference step on a tiny model: forward, weights, backward, clipping, update.
 * Against PyTorch's autograd of losses written from the papers (golden/step.py, in double), and
 * against central differences of our own loss. */
#include <golden/step.h>
#include <support/support.h>
#include <support/tiny.h>

#include <math.h>
#include <posweep/optim/optimizer.h>
#include <posweep/optim/schedule.h>

/* A forward pass in float32 is some tens of operations deep, on terms of order 1; sums have up
 * to five tokens. Measured: 1e-7 relative; other BLAS add in other orders. */
static const double LOGP_TOLERANCE = 2e-6;

/* Of the gradient's norm. The weights' errors follow from those of the log-probabilities,
 * backward's own are of the same order. */
static const double GRAD_TOLERANCE = 4e-6;

static struct tiny TINY;

static int setup(void **state)
{
    tiny_init(&TINY, 1);
    *state = &TINY;
    return 0;
}

static int setup_without_sharing(void **state)
{
    tiny_init(&TINY, 0);
    *state = &TINY;
    return 0;
}

static int teardown(void **state)
{
    tiny_clear(*state);
    return 0;
}

static double norm_of(const struct tiny *t)
{
    return sqrt(tiny_dot(t, t->grad, t->grad));
}

static void log_probabilities_equal_those_of_pytorch(void **state)
{
    struct tiny *t = *state;
    const struct psw_pair_opts opts = tiny_opts("dpo");
    tiny_loss(t, &opts, t->param);
    for (int s = 0; s < TINY_N_SEQ; s++) {
        assert_close(t->logp[s], STEP_LOGP[s / 2][s % 2], LOGP_TOLERANCE);
        assert_close(t->logp_ref[s], STEP_LOGP_REF[s / 2][s % 2], LOGP_TOLERANCE);
    }
}

static void loss_and_gradient_of_every_method_equal_autograd(void **state)
{
    struct tiny *t = *state;
    for (int m = 0; m < STEP_N_METHOD; m++) {
        const struct psw_pair_opts opts = tiny_opts(STEP_GOLDEN[m].method);
        const double norm = STEP_GOLDEN[m].norm;
        assert_close(tiny_step(t, &opts), STEP_GOLDEN[m].loss, GRAD_TOLERANCE);
        assert_close(norm_of(t) / norm, 1.0, GRAD_TOLERANCE);
        for (int k = 0; k < STEP_N_PLACE; k++) {
            const int64_t at =
                psw_model_find(t->model, STEP_PLACE[k].tensor)->offset + STEP_PLACE[k].index;
            assert_close((double)t->grad[at] / norm, STEP_GOLDEN[m].grad[k] / norm,
                         GRAD_TOLERANCE);
        }
    }
}

static void a_clipped_sgd_step_of_every_method_lands_where_pytorch_lands(void **state)
{
    struct tiny *t = *state;
    const struct psw_optimizer_opts sgd = {.kind = PSW_OPTIMIZER_SGD};
    for (int m = 0; m < STEP_N_METHOD; m++) {
        const struct psw_pair_opts opts = tiny_opts(STEP_GOLDEN[m].method);
        tiny_step(t, &opts);
        const struct psw_update update = {
            .t = 1, .lr = STEP_LR, .grad_scale = psw_clip_factor(norm_of(t), STEP_CLIP)};
        const struct psw_optimizer_arrays arrays = {.param = t->param, .grad = t->grad};
        psw_optimizer_step(&sgd, update, (struct psw_slice){0, t->n_param}, arrays);
        assert_close(tiny_loss(t, &opts, t->param), STEP_GOLDEN[m].loss_after, GRAD_TOLERANCE);
        tiny_parameters(t, STEP_SEED, t->param);
    }
}

/* Central difference of fourth order of the mean loss along one parameter. */
static double difference(struct tiny *t, const struct psw_pair_opts *opts, int64_t at,
                         float step)
{
    const float start = t->param[at];
    double loss[4], offset[4] = {-2.0, -1.0, 1.0, 2.0};
    for (int k = 0; k < 4; k++) {
        t->param[at] = start + (float)offset[k] * step;
        offset[k] = (double)t->param[at];
        loss[k] = tiny_loss(t, opts, t->param);
    }
    t->param[at] = start;
    const double near = (loss[2] - loss[1]) / (offset[2] - offset[1]);
    const double far = (loss[3] - loss[0]) / (offset[3] - offset[0]);
    return (4.0 * near - far) / 3.0;
}

static void the_gradient_of_a_dpo_step_equals_central_differences(void **state)
{
    struct tiny *t = *state;
    const struct psw_pair_opts opts = tiny_opts("dpo");
    /* The loss errs by about 1e-6 (LOGP_TOLERANCE, beta 1/2, a mean of three), which the step
     * divides; truncation is step^4. Both against a norm of 3.3. */
    const float step = 1e-2f;
    const double tolerance = 4e-5;
    float place[20];
    support_fill(place, 20, 0.5f, 77);
    tiny_step(t, &opts);
    const double norm = norm_of(t);
    int64_t n_tensor;
    const struct psw_tensor *table = psw_model_table(t->model, &n_tensor);
    for (int k = 0; k < 20; k++) {
        const struct psw_tensor *x = &table[k * 7 % n_tensor];
        const int64_t n = x->n_row * (x->n_col ? x->n_col : 1);
        const int64_t at = x->offset + (int64_t)(((double)place[k] + 0.5) * (double)n);
        assert_close(difference(t, &opts, at, step) / norm, (double)t->grad[at] / norm,
                     tolerance);
    }
}

int main(void)
{
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(log_probabilities_equal_those_of_pytorch),
        cmocka_unit_test(loss_and_gradient_of_every_method_equal_autograd),
        cmocka_unit_test(a_clipped_sgd_step_of_every_method_lands_where_pytorch_lands),
        cmocka_unit_test(the_gradient_of_a_dpo_step_equals_central_differences),
    };
    const struct CMUnitTest apart[] = {
        cmocka_unit_test(log_probabilities_equal_those_of_pytorch),
        cmocka_unit_test(loss_and_gradient_of_every_method_equal_autograd),
    };
    const int n_failed = cmocka_run_group_tests(shared, setup, teardown);
    return n_failed + cmocka_run_group_tests(apart, setup_without_sharing, teardown);
}
