/* Optimisers against PyTorch, and against a scalar twin over slices. */
#include <golden/adamw.h>
#include <support/support.h>

#include <math.h>
#include <posweep/optim/optimizer.h>
#include <string.h>

static struct psw_exec exec; /* cpu */

static const struct psw_optimizer_opts ADAMW = {
    .kind = PSW_OPTIMIZER_ADAMW, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-5, .weight_decay = 0.1};
static const struct psw_optimizer_opts SGD = {.kind = PSW_OPTIMIZER_SGD, .weight_decay = 0.1};

/* Five steps of a handful of roundings each: a few units in the last place of float32. */
static const double TOLERANCE = 5e-7;

static void five_steps_follow(const struct psw_optimizer_opts *opts,
                              const float expected[GOLDEN_STEPS][GOLDEN_N], float *m, float *v)
{
    float param[GOLDEN_N];
    memcpy(param, GOLDEN_START, sizeof param);
    for (int s = 0; s < GOLDEN_STEPS; s++) {
        const struct psw_update update = {
            .t = s + 1, .lr = GOLDEN_LR[s], .grad_scale = GOLDEN_GRAD_SCALE};
        const struct psw_optimizer_arrays arrays = {param, GOLDEN_GRAD[s], m, v};
        psw_optimizer_step(&exec, opts, update, (struct psw_slice){0, GOLDEN_N}, arrays);
        for (int i = 0; i < GOLDEN_N; i++)
            assert_close((double)param[i], (double)expected[s][i], TOLERANCE);
    }
}

static void adamw_follows_pytorch(void **state)
{
    (void)state;
    float m[GOLDEN_N] = {0}, v[GOLDEN_N] = {0};
    five_steps_follow(&ADAMW, GOLDEN_ADAMW, m, v);
    for (int i = 0; i < GOLDEN_N; i++) {
        assert_true(fabsf(m[i] - GOLDEN_M[i]) <= 1e-6f * fabsf(GOLDEN_M[i]) + 1e-12f);
        assert_true(fabsf(v[i] - GOLDEN_V[i]) <= 1e-6f * GOLDEN_V[i]);
    }
}

static void sgd_follows_pytorch_and_needs_no_state(void **state)
{
    (void)state;
    five_steps_follow(&SGD, GOLDEN_SGD, NULL, NULL);
}

enum { N = 103 };

struct arrays {
    float param[N], grad[N], m[N], v[N];
};

static void arrays_fill(struct arrays *a)
{
    support_fill(a->param, N, 1.0f, 1);
    support_fill(a->grad, N, 1.0f, 2);
    support_fill(a->m, N, 1.0f, 3);
    support_fill(a->v, N, 1.0f, 4);
    for (int i = 0; i < N; i++) a->v[i] = fabsf(a->v[i]);
}

static void step_over(const struct psw_optimizer_opts *opts, struct arrays *a, int64_t begin,
                      int64_t end)
{
    const struct psw_update update = {.t = 3, .lr = 0.01, .grad_scale = 0.25};
    psw_optimizer_step(&exec, opts, update, (struct psw_slice){begin, end},
                       (struct psw_optimizer_arrays){a->param, a->grad, a->m, a->v});
}

static void any_cut_into_slices_gives_the_same_bits(void **state)
{
    (void)state;
    const struct psw_optimizer_opts *kinds[] = {&ADAMW, &SGD};
    for (int k = 0; k < 2; k++) {
        struct arrays whole, cut;
        arrays_fill(&whole);
        arrays_fill(&cut);
        step_over(kinds[k], &whole, 0, N);
        step_over(kinds[k], &cut, 64, N);
        step_over(kinds[k], &cut, 0, 7);
        step_over(kinds[k], &cut, 7, 64);
        assert_memory_equal(&whole, &cut, sizeof whole);
    }
}

static void nothing_outside_the_slice_is_touched(void **state)
{
    (void)state;
    struct arrays before, after;
    arrays_fill(&before);
    arrays_fill(&after);
    step_over(&ADAMW, &after, 10, 11);
    for (int i = 0; i < N; i++)
        assert_int_equal(i != 10,
                         before.param[i] == after.param[i] && before.v[i] == after.v[i]);
}

static void the_preconditioner_is_what_a_step_divides_by(void **state)
{
    (void)state;
    struct psw_optimizer_opts opts = ADAMW;
    opts.weight_decay = 0.0;
    struct arrays a;
    float before[N], direction[N];
    arrays_fill(&a);
    memcpy(before, a.param, sizeof before);
    step_over(&opts, &a, 0, N);
    psw_optimizer_precondition(&exec, &opts, 3, (struct psw_slice){0, N}, a.v, a.m, direction);
    for (int i = 0; i < N; i++) { /* param -= lr m_hat / (sqrt(v_hat) + eps) */
        const double step = 0.01 / (1.0 - pow(0.9, 3.0)) * (double)direction[i];
        assert_close((double)a.param[i], (double)before[i] - step, 2e-7);
    }
}

static void the_preconditioner_works_in_place_and_is_one_for_sgd(void **state)
{
    (void)state;
    struct arrays a;
    float apart[N];
    arrays_fill(&a);
    psw_optimizer_precondition(&exec, &SGD, 3, (struct psw_slice){0, N}, NULL, a.grad, apart);
    assert_memory_equal(apart, a.grad, sizeof apart);
    psw_optimizer_precondition(&exec, &ADAMW, 3, (struct psw_slice){0, N}, a.v, a.grad, apart);
    psw_optimizer_precondition(&exec, &ADAMW, 3, (struct psw_slice){0, N}, a.v, a.grad, a.grad);
    assert_memory_equal(apart, a.grad, sizeof apart);
}

static void a_gradient_of_zero_moves_nothing_but_decay(void **state)
{
    (void)state;
    float param[1] = {2.0f}, grad[1] = {0.0f}, m[1] = {0.0f}, v[1] = {0.0f};
    const struct psw_update update = {.t = 1, .lr = 0.5, .grad_scale = 1.0};
    psw_optimizer_step(&exec, &ADAMW, update, (struct psw_slice){0, 1},
                       (struct psw_optimizer_arrays){param, grad, m, v});
    assert_close((double)param[0], 2.0 * (1.0 - 0.5 * 0.1), 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_follows_pytorch),
        cmocka_unit_test(sgd_follows_pytorch_and_needs_no_state),
        cmocka_unit_test(any_cut_into_slices_gives_the_same_bits),
        cmocka_unit_test(nothing_outside_the_slice_is_touched),
        cmocka_unit_test(the_preconditioner_is_what_a_step_divides_by),
        cmocka_unit_test(the_preconditioner_works_in_place_and_is_one_for_sgd),
        cmocka_unit_test(a_gradient_of_zero_moves_nothing_but_decay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
