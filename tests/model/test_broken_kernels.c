/* A self-test against a backend of which one function is wrong by a hundredth fails, whichever
 * function that is. */
#include "support/support.h"

#include <posweep/kernels/backend.h>
#include <posweep/model/selftest.h>

/* A backend whose rows can be changed. */
struct rows {
    struct psw_backend backend;
    struct psw_buffer_ops buffer;
    struct psw_embedding_ops embedding;
    struct psw_layernorm_ops layernorm;
    struct psw_rmsnorm_ops rmsnorm;
    struct psw_headnorm_ops headnorm;
    struct psw_linear_ops linear;
    struct psw_rotary_ops rotary;
    struct psw_attention_ops attention;
    struct psw_gelu_ops gelu;
    struct psw_swiglu_ops swiglu;
    struct psw_head_ops head;
    struct psw_entropy_ops entropy;
    struct psw_value_ops value;
    struct psw_draw_ops draw;
};

static void copy_cpu(struct rows *r)
{
    const struct psw_backend *cpu = &psw_backend_cpu;
    r->backend = *cpu;
#define ROW(name)                                                                              \
    r->name = *cpu->op.name;                                                                   \
    r->backend.op.name = &r->name;
    ROW(embedding)
    ROW(layernorm)
    ROW(rmsnorm)
    ROW(headnorm)
    ROW(linear)
    ROW(rotary)
    ROW(attention)
    ROW(gelu)
    ROW(swiglu)
    ROW(head)
    ROW(entropy)
    ROW(value)
    ROW(draw)
#undef ROW
    r->buffer = *cpu->buffer;
    r->backend.buffer = &r->buffer;
}

static void spoil(const struct psw_exec *exec, int64_t n, float *x)
{
    if (psw_arena_is_measuring(exec->scratch)) return;
    for (int64_t i = 0; i < n; i++) x[i] *= 1.01f;
}

/* A wrong twin of a function: what it does, and then n floats of x a hundredth too large. */
#define WRONG_OF(at, op, fn, args, call, n, x)                                                 \
    static void wrong_##op##_##fn args                                                         \
    {                                                                                          \
        at fn call;                                                                            \
        spoil(exec, n, x);                                                                     \
    }                                                                                          \
    static void set_##op##_##fn(struct rows *r)                                                \
    {                                                                                          \
        r->op.fn = wrong_##op##_##fn;                                                          \
    }
#define WRONG(row, ...) WRONG_OF(psw_backend_cpu.op.row->, row, __VA_ARGS__)

/* clang-format off */
WRONG_OF(psw_backend_cpu.buffer->, buffer, gather,
      (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *row, const float *from, float *to),
      (exec, n, C, row, from, to), n * C, to)
WRONG_OF(psw_backend_cpu.buffer->, buffer, scatter_add,
      (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *row, const float *from, float *to),
      (exec, n, C, row, from, to), C, to + row[0] * C)

WRONG(embedding, forward,
      (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *w, float *x),
      (exec, n, C, token, w, x), n * C, x)
WRONG(embedding, backward,
      (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *x_bar, float *w_bar),
      (exec, n, C, token, x_bar, w_bar), C, w_bar + token[0] * C)
WRONG(embedding, tangent,
      (struct psw_exec *exec, int64_t n, int64_t C, const int32_t *token, const float *w, const float *w_dot, float *x),
      (exec, n, C, token, w, w_dot, x), n * C, x + n * C)

WRONG(layernorm, forward,
      (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p, const float *x,
       struct psw_layernorm_saved saved, float *const *y),
      (exec, d, p, x, saved, y), d.n_row * d.C, y[0])
WRONG(layernorm, backward,
      (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p,
       struct psw_layernorm_saved saved, const float *const *y_bar, float *x_bar, struct psw_layernorm_grad grad),
      (exec, d, p, saved, y_bar, x_bar, grad), d.n_row * d.C, x_bar)
WRONG(layernorm, tangent,
      (struct psw_exec *exec, struct psw_layernorm_dims d, struct psw_layernorm_param p,
       struct psw_layernorm_param p_dot, const float *x, float *const *y),
      (exec, d, p, p_dot, x, y), d.n_row * d.C, y[0] + d.n_row * d.C)

WRONG(rmsnorm, forward,
      (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, const float *x,
       struct psw_rmsnorm_saved saved, float *y),
      (exec, d, w, x, saved, y), d.n_row * d.C, y)
WRONG(rmsnorm, backward,
      (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, struct psw_rmsnorm_saved saved,
       const float *y_bar, float *x_bar, float *w_bar),
      (exec, d, w, saved, y_bar, x_bar, w_bar), d.n_row * d.C, x_bar)
WRONG(rmsnorm, tangent,
      (struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w, const float *w_dot, const float *x, float *y),
      (exec, d, w, w_dot, x, y), d.n_row * d.C, y + d.n_row * d.C)

WRONG(headnorm, forward,
      (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
       struct psw_rmsnorm_saved saved, float *qkv),
      (exec, d, p, saved, qkv), d.qkv.head_width, qkv)
WRONG(headnorm, backward,
      (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
       struct psw_rmsnorm_saved saved, float *qkv_bar, struct psw_headnorm_grad grad),
      (exec, d, p, saved, qkv_bar, grad), d.qkv.head_width, grad.k_bar)
WRONG(headnorm, tangent,
      (struct psw_exec *exec, struct psw_headnorm_dims d, struct psw_headnorm_param p,
       struct psw_headnorm_param p_dot, float *qkv),
      (exec, d, p, p_dot, qkv), d.n_tok * d.qkv.row, qkv + d.n_tok * d.qkv.row)

#define LINEAR (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p, const float *x, float *y)
#define LINEAR_DOT (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p, \
                    struct psw_linear_param p_dot, const float *x, float *y)
WRONG(linear, forward, LINEAR, (exec, d, p, x, y), d.n_row * d.n_out, y)
WRONG(linear, forward_add, LINEAR, (exec, d, p, x, y), d.n_row * d.n_out, y)
WRONG(linear, backward,
      (struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p, const float *x,
       const float *y_bar, float *x_bar, struct psw_linear_grad grad),
      (exec, d, p, x, y_bar, x_bar, grad), d.n_out * d.n_in, grad.w_bar)
WRONG(linear, tangent, LINEAR_DOT, (exec, d, p, p_dot, x, y), d.n_row * d.n_out, y + d.n_row * d.n_out)
WRONG(linear, tangent_add, LINEAR_DOT, (exec, d, p, p_dot, x, y), d.n_row * d.n_out, y + d.n_row * d.n_out)
WRONG(linear, decode, LINEAR, (exec, d, p, x, y), d.n_row * d.n_out, y)
WRONG(linear, decode_add, LINEAR, (exec, d, p, x, y), d.n_row * d.n_out, y)

#define ROTARY (struct psw_exec *exec, struct psw_rotary_dims d, struct psw_rotary_table table, \
                const int32_t *position, float *x)
WRONG(rotary, forward, ROTARY, (exec, d, table, position, x), d.n_tok * d.qkv.row, x)
WRONG(rotary, backward, ROTARY, (exec, d, table, position, x), d.n_tok * d.qkv.row, x)
WRONG(rotary, tangent, ROTARY, (exec, d, table, position, x), d.n_tok * d.qkv.row, x + d.n_tok * d.qkv.row)

WRONG(attention, forward,
      (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch, const float *qkv,
       float *out, float *lse),
      (exec, layout, batch, qkv, out, lse), batch->n_tok * layout.n_head * layout.head_width, out)
WRONG(attention, backward,
      (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
       struct psw_attention_saved saved, float *qkv_bar),
      (exec, layout, batch, saved, qkv_bar), batch->n_tok * layout.row, qkv_bar)
WRONG(attention, tangent,
      (struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch, const float *qkv, float *out),
      (exec, layout, batch, qkv, out), batch->n_tok * layout.n_head * layout.head_width,
      out + batch->n_tok * layout.n_head * layout.head_width)
WRONG(attention, cache_put,
      (struct psw_exec *exec, const struct psw_decode_cache *cache, struct psw_decode_rows rows,
       struct psw_qkv layout, const float *qkv),
      (exec, cache, rows, layout, qkv), 100, cache->data + rows.slot[0] * cache->stride)
WRONG(attention, cache_copy,
      (struct psw_exec *exec, const struct psw_decode_cache *cache, int64_t from_slot, int64_t n_position, int64_t to_slot),
      (exec, cache, from_slot, n_position, to_slot), 100, cache->data + to_slot * cache->stride)
WRONG(attention, decode,
      (struct psw_exec *exec, const struct psw_decode_cache *cache, struct psw_decode_rows rows,
       struct psw_qkv layout, const float *qkv, float *score, float *out),
      (exec, cache, rows, layout, qkv, score, out), rows.n_row * layout.n_head * layout.head_width, out)

WRONG(gelu, forward,
      (struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *x, float *y, float *slope),
      (exec, n_row, n_col, x, y, slope), n_row * n_col, y)
WRONG(gelu, backward,
      (struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *slope, float *bar, float *b_bar),
      (exec, n_row, n_col, slope, bar, b_bar), n_row * n_col, bar)
WRONG(gelu, tangent, (struct psw_exec *exec, int64_t n_row, int64_t n_col, float *x),
      (exec, n_row, n_col, x), n_row * n_col, x + n_row * n_col)

WRONG(swiglu, forward, (struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up, float *y),
      (exec, n_row, F, gate_up, y), n_row * F, y)
WRONG(swiglu, backward,
      (struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up, const float *y_bar, float *gate_up_bar),
      (exec, n_row, F, gate_up, y_bar, gate_up_bar), n_row * F, gate_up_bar)
WRONG(swiglu, tangent, (struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up, float *y),
      (exec, n_row, F, gate_up, y), n_row * F, y + n_row * F)

#define HEAD struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in
WRONG(head, forward, (HEAD, float *logp, float *prob), (exec, d, in, logp, prob), d.n_row, logp)
WRONG(head, backward, (HEAD, const float *weight, const float *prob, struct psw_head_grad grad),
      (exec, d, in, weight, prob, grad), d.n_row * d.C, grad.x_bar)
WRONG(head, nll, (HEAD, const float *weight, float *logp, struct psw_head_grad grad),
      (exec, d, in, weight, logp, grad), d.n_row * d.C, grad.x_bar)
WRONG(head, tangent, (HEAD, const float *w_dot, float *logp), (exec, d, in, w_dot, logp), d.n_row, logp + d.n_row)
WRONG(head, soft_nll,
      (HEAD, const struct psw_soft_target *target, const float *weight, float *soft, struct psw_head_grad grad),
      (exec, d, in, target, weight, soft, grad), d.n_row * d.C, grad.x_bar)
WRONG(head, soft_tangent,
      (HEAD, const struct psw_soft_target *target, const float *w_dot, float *logp, float *soft),
      (exec, d, in, target, w_dot, logp, soft), d.n_row, soft + d.n_row)

WRONG(entropy, forward, (HEAD, float *entropy), (exec, d, in, entropy), d.n_row, entropy)
WRONG(entropy, backward, (HEAD, const float *weight, struct psw_head_grad grad),
      (exec, d, in, weight, grad), d.n_row * d.C, grad.x_bar)
WRONG(entropy, tangent, (HEAD, const float *w_dot, float *entropy), (exec, d, in, w_dot, entropy),
      d.n_row, entropy + d.n_row)

WRONG(value, forward,
      (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p, const float *x, float *y),
      (exec, d, p, x, y), d.n_row, y)
WRONG(value, backward,
      (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p, const float *x,
       const float *weight, struct psw_value_grad grad),
      (exec, d, p, x, weight, grad), d.C, grad.w_bar)
WRONG(value, tangent,
      (struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
       struct psw_value_param p_dot, const float *x, float *y),
      (exec, d, p, p_dot, x, y), d.n_row, y + d.n_row)

WRONG(draw, tokens,
      (struct psw_exec *exec, const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
       struct psw_draw_rows rows, float *weight),
      (exec, opts, n_vocab, logit, rows, weight), rows.logp ? rows.n_row : 0, rows.logp)
/* clang-format on */

static const struct {
    enum psw_family family;
    const char *name;
    void (*set)(struct rows *r);
} CASES[] = {
#define CASE(family, op, fn) {PSW_FAMILY_##family, #op "." #fn, set_##op##_##fn},
#define TRIPLE(family, row)                                                                    \
    CASE(family, row, forward) CASE(family, row, backward) CASE(family, row, tangent)
    /* clang-format off */
    CASE(GPT_NEOX, buffer, gather) CASE(GPT_NEOX, buffer, scatter_add)
    TRIPLE(GPT_NEOX, embedding) TRIPLE(GPT_NEOX, layernorm) TRIPLE(LLAMA, rmsnorm) TRIPLE(QWEN3, headnorm)
    TRIPLE(GPT_NEOX, linear) CASE(GPT_NEOX, linear, forward_add) CASE(GPT_NEOX, linear, tangent_add)
    CASE(GPT_NEOX, linear, decode) CASE(GPT_NEOX, linear, decode_add)
    TRIPLE(GPT_NEOX, rotary) TRIPLE(GPT_NEOX, attention) CASE(LLAMA, attention, cache_put)
    CASE(LLAMA, attention, cache_copy) CASE(GPT_NEOX, attention, decode)
    TRIPLE(GPT_NEOX, gelu) TRIPLE(LLAMA, swiglu)
    TRIPLE(GPT_NEOX, head) CASE(GPT_NEOX, head, nll) CASE(GPT_NEOX, head, soft_nll)
    CASE(GPT_NEOX, head, soft_tangent) TRIPLE(GPT_NEOX, entropy) TRIPLE(GPT_NEOX, value)
    CASE(GPT_NEOX, draw, tokens)
    /* clang-format on */
};

static void a_backend_with_one_wrong_function_fails(void **state)
{
    (void)state;
    int n_missed = 0;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct rows rows;
        copy_cpu(&rows);
        CASES[i].set(&rows);
        const struct psw_selftest_opts opts = {
            .dims = psw_selftest_dims(CASES[i].family), .backend = &rows.backend, .seed = 1};
        if (psw_selftest(&opts, NULL) == PSW_EINTERNAL) continue;
        print_error("a wrong %s goes unnoticed\n", CASES[i].name);
        n_missed++;
    }
    assert_int_equal(n_missed, 0);
}

static void a_copy_of_a_backend_and_every_backend_pass(void **state)
{
    (void)state;
    struct rows rows;
    copy_cpu(&rows);
    for (int i = -1; i < 0 || psw_backend_name(i); i++)
        for (enum psw_family family = 0; family < PSW_N_FAMILY; family++) {
            struct psw_error err = {0};
            const struct psw_selftest_opts opts = {
                .dims = psw_selftest_dims(family),
                .backend = i < 0 ? &rows.backend : psw_backend_find(psw_backend_name(i)),
                .seed = 3};
            if (psw_selftest(&opts, &err) != PSW_OK) fail_msg("%s", err.text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_with_one_wrong_function_fails),
        cmocka_unit_test(a_copy_of_a_backend_and_every_backend_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
