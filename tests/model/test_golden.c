/* The model against numbers from PyTorch; tests/golden/gpt_neox.py tells how they were made. */
#include <support/support.h>

#include <golden/gpt_neox.h>
#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/model/model.h>
#include <stdlib.h>
#include <string.h>

static const struct psw_backend *backend; /* under test */

enum { T = 12, VOCAB = 19 };

/* 0.5 sin(phase + 0.7 tensor + 1.31 element + 0.017 element^2), the formula of the script. */
static void fill(const struct psw_model *model, double phase, double gain, float *out)
{
    int64_t n_tensor = 0;
    const struct psw_tensor *t = psw_model_table(model, &n_tensor);
    for (int64_t i = 0; i < n_tensor; i++) {
        const double mean = strstr(t[i].name, "norm.weight") ? gain : 0.0;
        const int64_t n = t[i].n_row * (t[i].n_col ? t[i].n_col : 1);
        for (int64_t j = 0; j < n; j++) {
            const double e = (double)j;
            const double angle = phase + 0.7 * (double)i + 1.31 * e + 0.017 * e * e;
            out[t[i].offset + j] = (float)(mean + 0.5 * sin(angle));
        }
    }
}

/* Tensor by tensor: the inner product of the gradient with the direction. */
static void assert_gradient_equals_golden(const struct psw_model *model, const float *grad,
                                          const float *direction)
{
    int64_t n_tensor = 0;
    const struct psw_tensor *tensor = psw_model_table(model, &n_tensor);
    assert_int_equal(n_tensor, sizeof GOLDEN_GRAD / sizeof GOLDEN_GRAD[0]);
    for (int64_t i = 0; i < n_tensor; i++) {
        const int64_t n = tensor[i].n_row * (tensor[i].n_col ? tensor[i].n_col : 1);
        double dot = 0.0, scale = 0.0;
        for (int64_t j = tensor[i].offset; j < tensor[i].offset + n; j++) {
            dot += (double)grad[j] * direction[j];
            scale += fabs((double)grad[j] * direction[j]);
        }
        assert_true(fabs(dot - GOLDEN_GRAD[i]) <= 1e-5 * scale);
    }
}

/* Float rounding against double: a few 1e-6 of values of order one to ten. */
static void log_probabilities_and_gradients_equal_those_of_pytorch(void **state)
{
    (void)state;
    const struct psw_model_dims dims = {.n_layer = 2,
                                        .width = 24,
                                        .n_head = 3,
                                        .hidden = 96,
                                        .n_vocab = VOCAB,
                                        .context = T,
                                        .rotary_dims = 4,
                                        .rotary_base = 10000,
                                        .norm_eps = 1e-5};
    int32_t token[T], position[T], target[T];
    float weight[T], logp[T];
    for (int32_t t = 0; t < T; t++) {
        token[t] = (5 * t + t * t) % VOCAB;
        target[t] = (3 * t + 1) % VOCAB;
        position[t] = t;
        weight[t] = (float)((t * 7) % 5 - 2) / 4.0f;
    }
    const struct psw_segment segment = {0, T, -1};
    const struct psw_batch batch = {.n_tok = T,
                                    .n_seg = 1,
                                    .n_seq = 1,
                                    .n_row = T,
                                    .max_path = T,
                                    .token = token,
                                    .position = position,
                                    .segment = &segment,
                                    .row.source = position,
                                    .row.target = target};
    struct psw_model *model = NULL;
    struct psw_arena *arena = NULL;
    assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("golden", 8 << 20, &arena, NULL), PSW_OK);
    const int64_t n_param = psw_model_n_param(model);
    float *param = psw_arena_f32(arena, n_param), *grad = psw_arena_f32(arena, n_param);
    float *direction = psw_arena_f32(arena, n_param);
    memset(param, 0, (size_t)n_param * sizeof *param);
    memset(grad, 0, (size_t)n_param * sizeof *grad);
    fill(model, 1.0, 1.0, param);
    fill(model, 2.0, 0.0, direction);

    struct psw_exec exec = {.n_thread = 1, .backend = backend, .scratch = arena};
    const struct psw_pass pass = {
        .model = model, .exec = &exec, .param = param, .batch = &batch};
    psw_model_nll(&pass, psw_act_create(model, &batch, arena, 0), weight, logp, grad);
    for (int t = 0; t < T; t++) assert_close(logp[t], GOLDEN_LOGP[t], 1e-5);

    assert_gradient_equals_golden(model, grad, direction);
    psw_arena_destroy(arena);
    psw_model_destroy(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_and_gradients_equal_those_of_pytorch),
    };
    int rc = 0;
    for (int i = 0; psw_backend_name(i); i++) {
        backend = psw_backend_find(psw_backend_name(i));
        rc |= cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
    }
    return rc;
}
