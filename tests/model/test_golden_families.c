/* Every family and its variants against numbers from PyTorch; tests/golden/families.py tells
 * how they were made. */
#include <support/support.h>

#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/model/model.h>
#include <posweep/model/sample.h>

#include <golden/families.h>
#include <string.h>

static const struct psw_backend *backend; /* under test */

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

static void setup(struct fixture *f, const struct golden_case *golden)
{
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
    f->batch.row.source = f->source;
    f->batch.row.target = f->target;
    assert_int_equal(psw_model_create(&golden->dims, &f->model, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("golden", 8 << 20, &f->arena, NULL), PSW_OK);
    f->exec = (struct psw_exec){.n_thread = 1, .backend = backend, .scratch = f->arena};
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

static int is_near(const char *name, const char *what, double a, double golden, double scale)
{
    if (fabs(a - golden) <= TOLERANCE * scale) return 1;
    print_error("%s, %s: %.9g for %.9g\n", name, what, a, golden);
    return 0;
}

static double scale_of(double x)
{
    return fmax(fabs(x), 1.0);
}

/* Tensor by tensor: the inner product of the gradient with the direction. */
static int n_bad_gradient(const struct fixture *f, const struct golden_case *golden)
{
    int64_t n_tensor = 0;
    int n_bad = 0;
    const struct psw_tensor *t = psw_model_table(f->model, &n_tensor);
    assert_int_equal(n_tensor, golden->n_tensor);
    for (int64_t i = 0; i < n_tensor; i++) {
        double dot = 0.0, scale = 0.0;
        for (int64_t j = t[i].offset; j < t[i].offset + psw_tensor_n_elem(&t[i]); j++) {
            dot += (double)f->grad[j] * f->direction[j];
            scale += fabs((double)f->grad[j] * f->direction[j]);
        }
        n_bad += !is_near(golden->name, t[i].name, dot, golden->grad[i], scale);
    }
    return n_bad;
}

static void log_probabilities_gradients_and_tangents_equal_those_of_pytorch(void **state)
{
    (void)state;
    int n_bad = 0;
    for (size_t i = 0; i < sizeof GOLDEN_CASES / sizeof *GOLDEN_CASES; i++) {
        const struct golden_case *g = &GOLDEN_CASES[i];
        struct fixture f;
        float logp[T], at[T], dot[T];
        setup(&f, g);
        psw_model_nll(&f.pass, psw_act_create(f.model, &f.batch, f.arena, 0), f.weight, logp,
                      f.grad);
        psw_model_tangent(&f.pass, f.direction, (struct psw_rows){.logp = at},
                          (struct psw_rows){.logp = dot});
        for (int t = 0; t < T; t++) {
            const double golden = g->logp[t], golden_dot = g->tangent[t];
            n_bad += !is_near(g->name, "forward", logp[t], golden, scale_of(golden));
            n_bad += !is_near(g->name, "value", at[t], golden, scale_of(golden));
            n_bad += !is_near(g->name, "tangent", dot[t], golden_dot, scale_of(golden_dot));
        }
        n_bad += n_bad_gradient(&f, g);
        teardown(&f);
    }
    assert_int_equal(n_bad, 0);
}

/* A response, drawn through the cache. */
static void assert_response(const struct golden_case *g, double temperature,
                            const int32_t *token, const double *logp)
{
    struct fixture f;
    int32_t drawn[N_NEW], n_drawn;
    float drawn_logp[N_NEW];
    setup(&f, g);
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
    for (int t = 0; t < N_NEW; t++) {
        assert_int_equal(drawn[t], token[t]);
        assert_true(is_near(g->name, "response", drawn_logp[t], logp[t], scale_of(logp[t])));
    }
    teardown(&f);
}

static void sampled_tokens_and_their_log_probabilities_equal_those_of_pytorch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GOLDEN_CASES / sizeof *GOLDEN_CASES; i++) {
        const struct golden_case *g = &GOLDEN_CASES[i];
        assert_response(g, 0.0, g->greedy, g->greedy_logp);
        assert_response(g, 0.8, g->drawn, g->drawn_logp);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_probabilities_gradients_and_tangents_equal_those_of_pytorch),
        cmocka_unit_test(sampled_tokens_and_their_log_probabilities_equal_those_of_pytorch),
    };
    int rc = 0;
    for (int i = 0; psw_backend_name(i); i++) {
        backend = psw_backend_find(psw_backend_name(i));
        rc |= cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
    }
    return rc;
}
