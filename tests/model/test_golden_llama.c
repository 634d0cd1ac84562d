/* llama against numbers from PyTorch; tests/golden/llama.py tells how they were made. */
#include <support/support.h>

#include <golden/llama.h>
#include <math.h>
#include <posweep/model/model.h>
#include <posweep/model/sample.h>
#include <string.h>

/* Float rounding against double: relative to values of order one to ten, and to the sum of the
 * absolute terms of an inner product. */
static const double TOLERANCE = 1e-4;

enum { T = 12, PROMPT = 5, VOCAB = 19, N_NEW = 7 };

/* A prompt with two responses. */
static const struct psw_segment SEGMENT[] = {{0, 5, -1}, {5, 4, 0}, {9, 3, 0}};
static const int32_t POSITION[T] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7};

struct fixture {
    struct psw_model *model;
    struct psw_arena *arena;
    struct psw_exec exec;
    struct psw_batch batch;
    struct psw_pass pass;
    int32_t token[T], source[T], target[T];
    float weight[T];
    float *param, *direction, *grad;
};

/* 0.5 sin(phase + 0.7 tensor + 1.31 element + 0.017 element^2), the formula of the script. */
static float *filled(const struct fixture *f, double phase, double gain)
{
    int64_t n_tensor = 0;
    const struct psw_tensor *t = psw_model_table(f->model, &n_tensor);
    const int64_t n_param = psw_model_n_param(f->model);
    float *out = psw_arena_f32(f->arena, n_param);
    memset(out, 0, (size_t)n_param * sizeof *out);
    for (int64_t i = 0; i < n_tensor; i++) {
        const double mean = strstr(t[i].name, "norm.weight") ? gain : 0.0;
        for (int64_t j = 0; j < psw_tensor_n_elem(&t[i]); j++) {
            const double e = (double)j;
            const double angle = phase + 0.7 * (double)i + 1.31 * e + 0.017 * e * e;
            out[t[i].offset + j] = (float)((double)(float)(0.5 * sin(angle)) + mean);
        }
    }
    return out;
}

static void setup(struct fixture *f, int tied)
{
    const struct psw_model_dims dims = {.family = PSW_FAMILY_LLAMA,
                                        .n_layer = 2,
                                        .width = 24,
                                        .n_head = 4,
                                        .n_kv_head = 2,
                                        .hidden = 40,
                                        .n_vocab = VOCAB,
                                        .context = 16,
                                        .rotary_base = 10000,
                                        .norm_eps = 1e-5,
                                        .tied = tied};
    *f = (struct fixture){.batch = {.n_tok = T,
                                    .n_seg = 3,
                                    .n_seq = 2,
                                    .n_row = T,
                                    .max_path = 9,
                                    .position = POSITION,
                                    .segment = SEGMENT}};
    for (int32_t t = 0; t < T; t++) {
        f->token[t] = (5 * t + t * t) % VOCAB;
        f->target[t] = (3 * t + 1) % VOCAB;
        f->source[t] = t;
        f->weight[t] = (float)((t * 7) % 5 - 2) / 4.0f;
    }
    f->batch.token = f->token;
    f->batch.row_source = f->source;
    f->batch.row_target = f->target;
    assert_int_equal(psw_model_create(&dims, &f->model, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("golden", 8 << 20, &f->arena, NULL), PSW_OK);
    f->exec = (struct psw_exec){.n_thread = 1, .scratch = f->arena};
    f->param = filled(f, 1.0, 1.0);
    f->direction = filled(f, 2.0, 0.0);
    f->grad = psw_arena_f32(f->arena, psw_model_n_param(f->model));
    memset(f->grad, 0, (size_t)psw_model_n_param(f->model) * sizeof *f->grad);
    f->pass = (struct psw_pass){
        .model = f->model, .exec = &f->exec, .param = f->param, .batch = &f->batch};
}

static void teardown(struct fixture *f)
{
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model);
}

/* Tensor by tensor: the inner product of the gradient with the direction. */
static void assert_gradient(const struct fixture *f, const double *golden)
{
    int64_t n_tensor = 0;
    const struct psw_tensor *t = psw_model_table(f->model, &n_tensor);
    for (int64_t i = 0; i < n_tensor; i++) {
        double dot = 0.0, scale = 0.0;
        for (int64_t j = t[i].offset; j < t[i].offset + psw_tensor_n_elem(&t[i]); j++) {
            dot += (double)f->grad[j] * f->direction[j];
            scale += fabs((double)f->grad[j] * f->direction[j]);
        }
        assert_true(fabs(dot - golden[i]) <= TOLERANCE * scale);
    }
}

static void log_probabilities_gradients_and_tangents_equal_those_of_pytorch(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct fixture f;
        float logp[T], at[T], dot[T];
        setup(&f, tied);
        psw_model_nll(&f.pass, psw_act_create(f.model, &f.batch, f.arena, 0), f.weight, logp,
                      f.grad);
        psw_model_tangent(&f.pass, f.direction, (struct psw_rows){.logp = at},
                          (struct psw_rows){.logp = dot});
        for (int t = 0; t < T; t++) {
            assert_close(logp[t], LLAMA_LOGP[tied][t], TOLERANCE);
            assert_close(at[t], LLAMA_LOGP[tied][t], TOLERANCE);
            assert_close(dot[t], LLAMA_TANGENT[tied][t], TOLERANCE);
        }
        assert_gradient(&f, LLAMA_GRAD[tied]);
        teardown(&f);
    }
}

static void assert_response(double temperature, const int32_t *token, const double *logp)
{
    struct fixture f;
    int32_t drawn[N_NEW], n_drawn;
    float drawn_logp[N_NEW];
    setup(&f, 0);
    const struct psw_example prompt = {.prompt = f.token, .n_prompt = PROMPT};
    const struct psw_example *const at = &prompt;
    const struct psw_sample_opts opts = {.temperature = temperature,
                                         .top_p = 1.0,
                                         .max_new = N_NEW,
                                         .eos = -1,
                                         .rng = {.seed = 11, .use = PSW_RNG_TEST}};
    const struct psw_sample_in in = {
        .prompt = &at, .n_prompt = 1, .n_sample = 1, .opts = &opts};
    const struct psw_sample_out out = {drawn, &n_drawn, drawn_logp};
    assert_int_equal(psw_model_sample(f.model, &f.exec, f.param, &in, &out, NULL), PSW_OK);
    assert_int_equal(n_drawn, N_NEW);
    assert_memory_equal(drawn, token, sizeof drawn);
    for (int t = 0; t < N_NEW; t++) assert_close(drawn_logp[t], logp[t], TOLERANCE);
    teardown(&f);
}

static void sampled_tokens_and_their_log_probabilities_equal_those_of_pytorch(void **state)
{
    (void)state;
    assert_response(0.0, LLAMA_GREEDY, LLAMA_GREEDY_LOGP);
    assert_response(0.8, LLAMA_DRAWN, LLAMA_DRAWN_LOGP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_gradients_and_tangents_equal_those_of_pytorch),
        cmocka_unit_test(sampled_tokens_and_their_log_probabilities_equal_those_of_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
