/* The passes of the transformer against a naive twin in double precision: log-probabilities,
 * entropies and values, their gradients and tangents on prefix trees, and the memory they plan.
 */
#include <support/support.h>

#include <math.h>
#include <posweep/model/model.h>
#include <stdlib.h>
#include <string.h>
#include <support/naive_model.h>

/* Float rounding through two layers stays near 1e-6 at values of order one; the factor 10 is
 * for sums over tokens. */
static const double LOGP_TOLERANCE = 1e-5, GRAD_TOLERANCE = 1e-4;

enum { MAX_TOK = 400, MAX_SEG = 16, MAX_OUT = NAIVE_N * MAX_TOK };

/* A hand-made batch: every token of a segment predicts the next (its own id + 1, say). */
struct fixture {
    struct psw_batch batch;
    struct psw_segment segment[MAX_SEG];
    int32_t token[MAX_TOK], position[MAX_TOK], source[MAX_TOK], target[MAX_TOK];
    struct psw_model *model;
    struct psw_arena *memory, *scratch;
    struct psw_exec exec;
    float *param;      /* owned */
    double *param_f64; /* owned: the same values */
    int64_t n_param;
};

struct tree_rule {
    int64_t length;
    int32_t parent;
};

/* A prompt with two answers, an answer to the first of them (its parent is not next to it), a
 * lone sequence, and a chain of touching segments. */
static const struct tree_rule TREE[] = {{5, -1}, {3, 0}, {4, 0}, {2, 1},
                                        {7, -1}, {1, 4}, {2, 5}};
/* Blocks of 64 queries: crossed inside a segment, and by an ancestor that is far. */
static const struct tree_rule LONG_TREE[] = {{70, -1}, {65, 0}, {80, 0}, {10, 1}, {130, 2}};

static void build_batch(struct fixture *f, const struct tree_rule *rule, int64_t n_seg)
{
    struct psw_batch *b = &f->batch;
    int64_t end_position[MAX_SEG];
    for (int64_t s = 0; s < n_seg; s++) {
        const int32_t parent = rule[s].parent;
        int64_t position = parent < 0 ? 0 : end_position[parent];
        f->segment[s] = (struct psw_segment){b->n_tok, rule[s].length, parent};
        for (int64_t i = 0; i < rule[s].length; i++, b->n_tok++) {
            f->token[b->n_tok] = (int32_t)((b->n_tok * 7 + s) % 11);
            f->position[b->n_tok] = (int32_t)position++;
        }
        end_position[s] = position;
        if (position > b->max_path) b->max_path = position;
    }
    for (int64_t t = 1; t < b->n_tok; t += 2, b->n_row++) {
        f->source[b->n_row] = (int32_t)t;
        f->target[b->n_row] = (int32_t)((t * 5) % 11);
    }
    f->source[b->n_row] = f->source[0]; /* two rows may read one token */
    f->target[b->n_row++] = 3;
    b->n_seg = n_seg;
    b->segment = f->segment;
    b->token = f->token;
    b->position = f->position;
    b->row.source = f->source;
    b->row.target = f->target;
}

static struct fixture *fixture_create(const struct tree_rule *rule, int64_t n_seg, int tied)
{
    const struct psw_model_dims dims = {.n_layer = 2,
                                        .width = 24,
                                        .n_head = 3,
                                        .hidden = 40,
                                        .n_vocab = 11,
                                        .context = 320,
                                        .rotary_dims = 4,
                                        .rotary_base = 100,
                                        .norm_eps = 1e-5,
                                        .init_std = 0.3,
                                        .tied = tied,
                                        .value = 1};
    struct fixture *f = calloc(1, sizeof *f);
    build_batch(f, rule, n_seg);
    assert_int_equal(psw_model_create(&dims, &f->model, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("memory", 64 << 20, &f->memory, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("scratch", 64 << 20, &f->scratch, NULL), PSW_OK);
    f->exec = (struct psw_exec){.n_thread = 1, .scratch = f->scratch};
    f->n_param = psw_model_n_param(f->model);
    f->param = calloc((size_t)f->n_param, sizeof *f->param);
    f->param_f64 = calloc((size_t)f->n_param, sizeof *f->param_f64);
    psw_model_init(f->model, &(struct psw_exec){0}, 5, f->param);
    for (int64_t i = 0; i < f->n_param; i++) { /* biases and gains off their special values */
        f->param[i] += 0.1f * sinf((float)i);
        f->param_f64[i] = f->param[i];
    }
    return f;
}

static void fixture_destroy(struct fixture *f)
{
    psw_model_destroy(f->model);
    psw_arena_destroy(f->memory);
    psw_arena_destroy(f->scratch);
    free(f->param);
    free(f->param_f64);
    free(f);
}

static struct psw_pass pass_of(struct fixture *f)
{
    return (struct psw_pass){
        .model = f->model, .exec = &f->exec, .param = f->param, .batch = &f->batch};
}

static float *floats(struct fixture *f, int64_t n)
{
    float *x = psw_arena_f32(f->memory, n);
    memset(x, 0, (size_t)n * sizeof *x);
    return x;
}

/* All quantities in one array, [NAIVE_N][n_row]. */
static struct psw_rows rows_in(const struct fixture *f, float *x)
{
    const int64_t n = f->batch.n_row;
    return (struct psw_rows){x, x + NAIVE_ENTROPY * n, x + NAIVE_VALUE * n, NULL};
}

/* Those of a mask of quantities. */
static struct psw_row_weights weights_in(const struct fixture *f, const float *x, unsigned mask)
{
    const int64_t n = f->batch.n_row;
    return (struct psw_row_weights){mask & 1 ? x : NULL,
                                    mask & 2 ? x + NAIVE_ENTROPY * n : NULL,
                                    mask & 4 ? x + NAIVE_VALUE * n : NULL};
}

/* Derivatives of the naive quantities along v, by central difference in double: the error is
 * about 1e-9 at this step. Shapes: dot [NAIVE_N][n_row]. */
static void naive_tangent(struct fixture *f, const float *v, double temperature, double *dot)
{
    const double step = 1e-5;
    double *moved = calloc((size_t)f->n_param, sizeof *moved), plus[MAX_OUT], minus[MAX_OUT];
    for (int64_t i = 0; i < f->n_param; i++) moved[i] = f->param_f64[i] + step * v[i];
    naive_model_rows(f->model, moved, &f->batch, temperature, plus);
    for (int64_t i = 0; i < f->n_param; i++) moved[i] = f->param_f64[i] - step * v[i];
    naive_model_rows(f->model, moved, &f->batch, temperature, minus);
    for (int64_t i = 0; i < NAIVE_N * f->batch.n_row; i++)
        dot[i] = (plus[i] - minus[i]) / (2.0 * step);
    free(moved);
}

static void check_forward(const struct tree_rule *rule, int64_t n_seg, int tied)
{
    struct fixture *f = fixture_create(rule, n_seg, tied);
    struct psw_pass pass = pass_of(f);
    struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 0);
    float *out = floats(f, NAIVE_N * f->batch.n_row);
    double naive[MAX_OUT];
    for (int i = 0; i < 2; i++) {
        pass.temperature = i == 0 ? 1.0 : 0.7;
        psw_model_forward(&pass, act, rows_in(f, out));
        naive_model_rows(f->model, f->param_f64, &f->batch, pass.temperature, naive);
        for (int64_t k = 0; k < NAIVE_N * f->batch.n_row; k++)
            assert_close(out[k], naive[k], LOGP_TOLERANCE);
    }
    fixture_destroy(f);
}

static void rows_on_a_tree_equal_the_naive_twin(void **state)
{
    (void)state;
    check_forward(TREE, 7, 0);
    check_forward(TREE, 7, 1);
}

static void rows_over_many_query_blocks_equal_the_naive_twin(void **state)
{
    (void)state;
    check_forward(LONG_TREE, 5, 0);
}

enum { N_MASK = 4 };
static const unsigned MASKS[N_MASK] = {1, 2, 4, 7}; /* each quantity, then all in one pass */

/* The inner product of tensor t of a gradient and v against the naive derivatives. */
static void check_tensor(const struct fixture *f, const struct psw_tensor *t, const float *grad,
                         const float *v, struct psw_row_weights weight, const double *dot)
{
    const float *const weights[NAIVE_N] = {weight.logp, weight.entropy, weight.value};
    const int64_t n_row = f->batch.n_row, n = t->n_row * (t->n_col ? t->n_col : 1);
    double naive = 0.0, scale = 0.0, fast = 0.0;
    for (int q = 0; q < NAIVE_N; q++)
        for (int64_t r = 0; weights[q] && r < n_row; r++) {
            naive -= (double)weights[q][r] * dot[q * n_row + r];
            scale += fabs((double)weights[q][r] * dot[q * n_row + r]);
        }
    for (int64_t j = t->offset; j < t->offset + n; j++) fast += (double)grad[j] * v[j];
    assert_true(fabs(fast - naive) <= GRAD_TOLERANCE * (scale + 1e-3));
}

/* Per tensor: the gradients along a random direction of that tensor against the naive twin. */
static void gradient_of_every_tensor_equals_finite_differences(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct fixture *f = fixture_create(TREE, 7, tied);
        struct psw_pass pass = pass_of(f);
        pass.temperature = 0.8;
        struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 0);
        const int64_t n_out = NAIVE_N * f->batch.n_row;
        float *out = floats(f, n_out), *weight = floats(f, n_out), *v = floats(f, f->n_param);
        float *grad[N_MASK];
        support_fill(weight, n_out, 1.0f, 3);
        psw_model_forward(&pass, act, rows_in(f, out));
        for (int k = 0; k < N_MASK; k++) {
            grad[k] = floats(f, f->n_param);
            psw_model_backward(&pass, act, weights_in(f, weight, MASKS[k]), grad[k]);
        }
        int64_t n_tensor = 0;
        const struct psw_tensor *t = psw_model_table(f->model, &n_tensor);
        for (int64_t i = 0; i < n_tensor; i++) {
            double dot[MAX_OUT];
            memset(v, 0, (size_t)f->n_param * sizeof *v);
            support_fill(v + t[i].offset, t[i].n_row * (t[i].n_col ? t[i].n_col : 1), 1.0f,
                         (uint64_t)i);
            naive_tangent(f, v, pass.temperature, dot);
            for (int k = 0; k < N_MASK; k++)
                check_tensor(f, &t[i], grad[k], v, weights_in(f, weight, MASKS[k]), dot);
        }
        fixture_destroy(f);
    }
}

static void tangent_equals_finite_differences_and_values_equal_forward(void **state)
{
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        struct fixture *f = fixture_create(TREE, 7, tied);
        struct psw_pass pass = pass_of(f);
        pass.temperature = 1.3;
        struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 0);
        const int64_t n_out = NAIVE_N * f->batch.n_row;
        float *forward = floats(f, n_out), *at = floats(f, n_out), *dot = floats(f, n_out);
        float *v = floats(f, f->n_param);
        double naive[MAX_OUT];
        support_fill(v, f->n_param, 0.1f, 9);
        psw_model_forward(&pass, act, rows_in(f, forward));
        psw_model_tangent(&pass, v, rows_in(f, at), rows_in(f, dot));
        naive_tangent(f, v, pass.temperature, naive);
        for (int64_t k = 0; k < n_out; k++) {
            assert_close(at[k], forward[k], LOGP_TOLERANCE);
            assert_close(dot[k], naive[k], GRAD_TOLERANCE);
        }
        fixture_destroy(f);
    }
}

/* SCIENCE, identity 2: sum_t w_t kappa_t = <v, grad L>; v here is itself a gradient. The same
 * for weights of entropies and values. */
static void tangent_along_a_gradient_equals_the_explicit_inner_product(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(LONG_TREE, 5, 0);
    struct psw_pass pass = pass_of(f);
    struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 0);
    const int64_t n_out = NAIVE_N * f->batch.n_row;
    float *at = floats(f, n_out), *dot = floats(f, n_out), *weight = floats(f, n_out);
    float *v = floats(f, f->n_param), *grad = floats(f, f->n_param);
    for (int64_t k = 0; k < n_out; k++) weight[k] = 1.0f / (float)f->batch.n_row;
    psw_model_forward(&pass, act, rows_in(f, at));
    psw_model_backward(&pass, act, weights_in(f, weight, 7), v);
    support_fill(weight, n_out, 1.0f, 8);
    psw_model_backward(&pass, act, weights_in(f, weight, 7), grad);
    psw_model_tangent(&pass, v, rows_in(f, at), rows_in(f, dot));
    double by_token = 0.0, scale = 0.0, inner = 0.0;
    for (int64_t k = 0; k < n_out; k++) {
        by_token -= (double)weight[k] * dot[k];
        scale += fabs((double)weight[k] * dot[k]);
    }
    for (int64_t i = 0; i < f->n_param; i++) inner += (double)v[i] * grad[i];
    assert_true(fabs(by_token - inner) <= 1e-5 * scale);
    fixture_destroy(f);
}

/* Backward of log-probabilities after a forward pass that did not want them, with room for
 * logits: nothing may be read that was not written. */
static void weights_need_no_forward_of_their_quantity(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(TREE, 7, 0);
    struct psw_pass pass = pass_of(f);
    struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 1);
    const int64_t n_out = NAIVE_N * f->batch.n_row;
    float *out = floats(f, n_out), *weight = floats(f, n_out), *grad[2];
    support_fill(weight, n_out, 1.0f, 4);
    for (int i = 0; i < 2; i++) {
        const struct psw_rows all = rows_in(f, out);
        grad[i] = floats(f, f->n_param);
        psw_model_forward(&pass, act, i == 0 ? all : (struct psw_rows){.value = all.value});
        psw_model_backward(&pass, act, weights_in(f, weight, 7), grad[i]);
    }
    for (int64_t i = 0; i < f->n_param; i++) assert_close(grad[1][i], grad[0][i], 1e-5);
    fixture_destroy(f);
}

/* All ways to a gradient: nll, backward without and with kept logits, backward again. */
static void every_way_to_the_gradient_gives_the_same(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(TREE, 7, 1);
    struct psw_pass pass = pass_of(f);
    const int64_t n_row = f->batch.n_row;
    float *logp = floats(f, n_row), *weight = floats(f, n_row), *fused_logp = floats(f, n_row);
    float *fused = floats(f, f->n_param);
    support_fill(weight, n_row, 1.0f, 4);
    psw_model_nll(&pass, psw_act_create(f->model, &f->batch, f->memory, 0), weight, fused_logp,
                  fused);
    for (int keep = 0; keep < 2; keep++) {
        struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, keep);
        psw_model_forward(&pass, act, (struct psw_rows){.logp = logp});
        for (int again = 0; again < 2; again++) {
            float *grad = floats(f, f->n_param);
            psw_model_backward(&pass, act, (struct psw_row_weights){.logp = weight}, grad);
            for (int64_t i = 0; i < f->n_param; i++) assert_close(grad[i], fused[i], 1e-5);
        }
        assert_memory_equal(logp, fused_logp, (size_t)n_row * sizeof *logp);
    }
    fixture_destroy(f);
}

/* The same two answers with a shared prompt and with a prompt each. */
static void sharing_a_prompt_changes_nothing_but_rounding(void **state)
{
    (void)state;
    static const struct tree_rule SHARED[] = {{6, -1}, {3, 0}, {5, 0}};
    static const struct tree_rule APART[] = {{6, -1}, {3, 0}, {6, -1}, {5, 2}};
    struct fixture *f = fixture_create(SHARED, 3, 0), *g = fixture_create(APART, 4, 0);
    memcpy(g->token, f->token, 9 * sizeof *g->token);          /* prompt, first answer */
    memcpy(g->token + 9, f->token, 6 * sizeof *g->token);      /* prompt again */
    memcpy(g->token + 15, f->token + 9, 5 * sizeof *g->token); /* second answer */
    f->batch.n_row = g->batch.n_row = 5;
    for (int32_t r = 0; r < 5; r++) {
        f->source[r] = 9 + r;
        g->source[r] = 15 + r;
        f->target[r] = g->target[r] = r;
    }
    struct psw_pass shared = pass_of(f), apart = pass_of(g);
    float *weight = floats(f, 5), *a = floats(f, 5), *b = floats(f, 5);
    float *grad_a = floats(f, f->n_param), *grad_b = floats(f, f->n_param);
    support_fill(weight, 5, 1.0f, 6);
    psw_model_nll(&shared, psw_act_create(f->model, &f->batch, f->memory, 0), weight, a,
                  grad_a);
    psw_model_nll(&apart, psw_act_create(f->model, &g->batch, f->memory, 0), weight, b, grad_b);
    for (int r = 0; r < 5; r++) assert_close(a[r], b[r], LOGP_TOLERANCE);
    for (int64_t i = 0; i < f->n_param; i++) assert_close(grad_a[i], grad_b[i], GRAD_TOLERANCE);
    fixture_destroy(f);
    fixture_destroy(g);
}

/* One of the passes to plan: nll, then forward with backward and tangent of several sets of
 * quantities. */
static void any_pass(const struct psw_pass *pass, struct psw_act *act, int which, float *x,
                     float *grad)
{
    const unsigned mask = which ? MASKS[which - 1] : 0;
    const struct psw_rows rows = {mask & 1 ? x : NULL, mask & 2 ? x : NULL, mask & 4 ? x : NULL,
                                  NULL};
    const struct psw_row_weights weight = {rows.logp, rows.entropy, rows.value};
    if (which == 0) {
        psw_model_nll(pass, act, x, x, grad);
        return;
    }
    psw_model_forward(pass, act, rows);
    psw_model_backward(pass, act, weight, grad);
    psw_model_tangent(pass, grad, rows, rows);
}

/* A planning pass over a measuring arena reaches exactly the real peak, for every pass. */
static void a_measuring_arena_reaches_the_real_peak_without_memory(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(LONG_TREE, 5, 0);
    const int64_t n_row = f->batch.n_row;
    float *x = floats(f, n_row), *grad = floats(f, f->n_param);
    const struct psw_batch shape = {
        .n_tok = f->batch.n_tok, .n_row = n_row, .max_path = f->batch.max_path};
    for (int which = 0; which <= N_MASK; which++) {
        size_t peak[2], act_bytes[2];
        for (int real = 0; real < 2; real++) {
            struct psw_arena *arena = NULL, *memory = NULL;
            if (real) {
                assert_int_equal(psw_arena_create("real", peak[0], &arena, NULL), PSW_OK);
                assert_int_equal(psw_arena_create("act", act_bytes[0], &memory, NULL), PSW_OK);
            } else {
                assert_int_equal(psw_arena_create_measuring("plan", &arena, NULL), PSW_OK);
                assert_int_equal(psw_arena_create_measuring("act", &memory, NULL), PSW_OK);
            }
            struct psw_exec exec = {.n_thread = 1, .scratch = arena};
            struct psw_pass pass = pass_of(f);
            pass.exec = &exec;
            if (!real) pass.batch = &shape, pass.param = NULL;
            struct psw_act *act = psw_act_create(f->model, pass.batch, memory, 0);
            assert_int_equal(act == NULL, !real);
            any_pass(&pass, act, which, x, grad);
            peak[real] = psw_arena_peak_bytes(arena);
            act_bytes[real] = psw_arena_peak_bytes(memory);
            assert_int_equal(psw_arena_used_bytes(arena), 0);
            psw_arena_destroy(arena);
            psw_arena_destroy(memory);
        }
        assert_int_equal(peak[0], peak[1]);
        assert_int_equal(act_bytes[0], act_bytes[1]);
    }
    fixture_destroy(f);
}

static void the_same_inputs_give_the_same_bits(void **state)
{
    (void)state;
    struct fixture *f = fixture_create(LONG_TREE, 5, 1);
    struct psw_pass pass = pass_of(f);
    const int64_t n_row = f->batch.n_row;
    struct psw_act *act = psw_act_create(f->model, &f->batch, f->memory, 0);
    float *logp = floats(f, n_row), *weight = floats(f, n_row);
    float *first = floats(f, f->n_param);
    support_fill(weight, n_row, 1.0f, 4);
    psw_model_nll(&pass, act, weight, logp, first);
    psw_arena_alloc(f->scratch, 4160); /* other addresses */
    float *second = floats(f, f->n_param);
    psw_model_nll(&pass, act, weight, logp, second);
    assert_memory_equal(first, second, (size_t)f->n_param * sizeof *first);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_on_a_tree_equal_the_naive_twin),
        cmocka_unit_test(rows_over_many_query_blocks_equal_the_naive_twin),
        cmocka_unit_test(gradient_of_every_tensor_equals_finite_differences),
        cmocka_unit_test(tangent_equals_finite_differences_and_values_equal_forward),
        cmocka_unit_test(tangent_along_a_gradient_equals_the_explicit_inner_product),
        cmocka_unit_test(weights_need_no_forward_of_their_quantity),
        cmocka_unit_test(every_way_to_the_gradient_gives_the_same),
        cmocka_unit_test(sharing_a_prompt_changes_nothing_but_rounding),
        cmocka_unit_test(a_measuring_arena_reaches_the_real_peak_without_memory),
        cmocka_unit_test(the_same_inputs_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
