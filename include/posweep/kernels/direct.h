/* Straight to the cpu, for callers that do not hold a backend yet. */
#ifndef POSWEEP_KERNELS_DIRECT_H
#define POSWEEP_KERNELS_DIRECT_H

#include <posweep/kernels/backend.h>

#define PSW_CPU psw_backend_cpu.op

static inline void psw_embedding_forward(int64_t n_tok, int64_t C, const int32_t *token,
                                         const float *w, float *x)
{
    PSW_CPU.embedding->forward(NULL, n_tok, C, token, w, x);
}
static inline void psw_embedding_backward(int64_t n_tok, int64_t C, const int32_t *token,
                                          const float *x_bar, float *w_bar)
{
    PSW_CPU.embedding->backward(NULL, n_tok, C, token, x_bar, w_bar);
}
static inline void psw_embedding_tangent(int64_t n_tok, int64_t C, const int32_t *token,
                                         const float *w, const float *w_dot, float *x)
{
    PSW_CPU.embedding->tangent(NULL, n_tok, C, token, w, w_dot, x);
}
static inline void psw_layernorm_forward(struct psw_layernorm_dims d,
                                         struct psw_layernorm_param p, const float *x,
                                         struct psw_layernorm_saved saved, float *const *y)
{
    PSW_CPU.layernorm->forward(NULL, d, p, x, saved, y);
}
static inline void psw_layernorm_backward(struct psw_layernorm_dims d,
                                          struct psw_layernorm_param p,
                                          struct psw_layernorm_saved saved,
                                          const float *const *y_bar, float *x_bar,
                                          struct psw_layernorm_grad grad)
{
    PSW_CPU.layernorm->backward(NULL, d, p, saved, y_bar, x_bar, grad);
}
static inline void psw_layernorm_tangent(struct psw_layernorm_dims d,
                                         struct psw_layernorm_param p,
                                         struct psw_layernorm_param p_dot, const float *x,
                                         float *const *y)
{
    PSW_CPU.layernorm->tangent(NULL, d, p, p_dot, x, y);
}
static inline void psw_rmsnorm_forward(struct psw_rmsnorm_dims d, const float *w,
                                       const float *x, struct psw_rmsnorm_saved saved, float *y)
{
    PSW_CPU.rmsnorm->forward(NULL, d, w, x, saved, y);
}
static inline void psw_rmsnorm_backward(struct psw_rmsnorm_dims d, const float *w,
                                        struct psw_rmsnorm_saved saved, const float *y_bar,
                                        float *x_bar, float *w_bar)
{
    PSW_CPU.rmsnorm->backward(NULL, d, w, saved, y_bar, x_bar, w_bar);
}
static inline void psw_rmsnorm_tangent(struct psw_rmsnorm_dims d, const float *w,
                                       const float *w_dot, const float *x, float *y)
{
    PSW_CPU.rmsnorm->tangent(NULL, d, w, w_dot, x, y);
}
static inline void psw_linear_forward(struct psw_linear_dims d, struct psw_linear_param p,
                                      const float *x, float *y)
{
    PSW_CPU.linear->forward(NULL, d, p, x, y);
}
static inline void psw_linear_forward_add(struct psw_linear_dims d, struct psw_linear_param p,
                                          const float *x, float *y)
{
    PSW_CPU.linear->forward_add(NULL, d, p, x, y);
}
static inline void psw_linear_backward(struct psw_linear_dims d, struct psw_linear_param p,
                                       const float *x, const float *y_bar, float *x_bar,
                                       struct psw_linear_grad grad)
{
    PSW_CPU.linear->backward(NULL, d, p, x, y_bar, x_bar, grad);
}
static inline void psw_linear_tangent(struct psw_linear_dims d, struct psw_linear_param p,
                                      struct psw_linear_param p_dot, const float *x, float *y)
{
    PSW_CPU.linear->tangent(NULL, d, p, p_dot, x, y);
}
static inline void psw_linear_tangent_add(struct psw_linear_dims d, struct psw_linear_param p,
                                          struct psw_linear_param p_dot, const float *x,
                                          float *y)
{
    PSW_CPU.linear->tangent_add(NULL, d, p, p_dot, x, y);
}
static inline void psw_rotary_forward(struct psw_rotary_dims d, struct psw_rotary_table table,
                                      const int32_t *position, float *qkv)
{
    PSW_CPU.rotary->forward(NULL, d, table, position, qkv);
}
static inline void psw_rotary_backward(struct psw_rotary_dims d, struct psw_rotary_table table,
                                       const int32_t *position, float *qkv_bar)
{
    PSW_CPU.rotary->backward(NULL, d, table, position, qkv_bar);
}
static inline void psw_rotary_tangent(struct psw_rotary_dims d, struct psw_rotary_table table,
                                      const int32_t *position, float *qkv)
{
    PSW_CPU.rotary->tangent(NULL, d, table, position, qkv);
}
static inline void psw_attention_forward(struct psw_exec *exec, struct psw_qkv layout,
                                         const struct psw_batch *batch, const float *qkv,
                                         float *out, float *lse)
{
    PSW_CPU.attention->forward(exec, layout, batch, qkv, out, lse);
}
static inline void psw_attention_backward(struct psw_exec *exec, struct psw_qkv layout,
                                          const struct psw_batch *batch,
                                          struct psw_attention_saved saved, float *qkv_bar)
{
    PSW_CPU.attention->backward(exec, layout, batch, saved, qkv_bar);
}
static inline void psw_attention_tangent(struct psw_exec *exec, struct psw_qkv layout,
                                         const struct psw_batch *batch, const float *qkv,
                                         float *out)
{
    PSW_CPU.attention->tangent(exec, layout, batch, qkv, out);
}
static inline void psw_gelu_forward(int64_t n, const float *x, float *y, float *slope)
{
    PSW_CPU.gelu->forward(NULL, 1, n, x, y, slope);
}
static inline void psw_gelu_backward(int64_t n_row, int64_t n_col, const float *slope,
                                     float *bar, float *b_bar)
{
    PSW_CPU.gelu->backward(NULL, n_row, n_col, slope, bar, b_bar);
}
static inline void psw_gelu_tangent(int64_t n, float *x)
{
    PSW_CPU.gelu->tangent(NULL, 1, n, x);
}
static inline void psw_swiglu_forward(int64_t n_row, int64_t F, const float *gate_up, float *y)
{
    PSW_CPU.swiglu->forward(NULL, n_row, F, gate_up, y);
}
static inline void psw_swiglu_backward(int64_t n_row, int64_t F, const float *gate_up,
                                       const float *y_bar, float *gate_up_bar)
{
    PSW_CPU.swiglu->backward(NULL, n_row, F, gate_up, y_bar, gate_up_bar);
}
static inline void psw_swiglu_tangent(int64_t n_row, int64_t F, const float *gate_up, float *y)
{
    PSW_CPU.swiglu->tangent(NULL, n_row, F, gate_up, y);
}
static inline void psw_head_forward(struct psw_exec *exec, struct psw_head_dims d,
                                    struct psw_head_in in, float *logp, float *prob)
{
    PSW_CPU.head->forward(exec, d, in, logp, prob);
}
static inline void psw_head_backward(struct psw_exec *exec, struct psw_head_dims d,
                                     struct psw_head_in in, const float *weight,
                                     const float *prob, struct psw_head_grad grad)
{
    PSW_CPU.head->backward(exec, d, in, weight, prob, grad);
}
static inline void psw_head_nll(struct psw_exec *exec, struct psw_head_dims d,
                                struct psw_head_in in, const float *weight, float *logp,
                                struct psw_head_grad grad)
{
    PSW_CPU.head->nll(exec, d, in, weight, logp, grad);
}
static inline void psw_head_tangent(struct psw_exec *exec, struct psw_head_dims d,
                                    struct psw_head_in in, const float *w_dot, float *logp)
{
    PSW_CPU.head->tangent(exec, d, in, w_dot, logp);
}
static inline void psw_head_soft_nll(struct psw_exec *exec, struct psw_head_dims d,
                                     struct psw_head_in in, struct psw_soft_target target,
                                     const float *weight, float *soft,
                                     struct psw_head_grad grad)
{
    PSW_CPU.head->soft_nll(exec, d, in, &target, weight, soft, grad);
}
static inline void psw_head_soft_tangent(struct psw_exec *exec, struct psw_head_dims d,
                                         struct psw_head_in in, struct psw_soft_target target,
                                         const float *w_dot, float *logp, float *soft)
{
    PSW_CPU.head->soft_tangent(exec, d, in, &target, w_dot, logp, soft);
}
static inline void psw_entropy_forward(struct psw_exec *exec, struct psw_head_dims d,
                                       struct psw_head_in in, float *entropy)
{
    PSW_CPU.entropy->forward(exec, d, in, entropy);
}
static inline void psw_entropy_backward(struct psw_exec *exec, struct psw_head_dims d,
                                        struct psw_head_in in, const float *weight,
                                        struct psw_head_grad grad)
{
    PSW_CPU.entropy->backward(exec, d, in, weight, grad);
}
static inline void psw_entropy_tangent(struct psw_exec *exec, struct psw_head_dims d,
                                       struct psw_head_in in, const float *w_dot,
                                       float *entropy)
{
    PSW_CPU.entropy->tangent(exec, d, in, w_dot, entropy);
}
static inline void psw_value_forward(struct psw_value_dims d, struct psw_value_param p,
                                     const float *x, float *y)
{
    PSW_CPU.value->forward(NULL, d, p, x, y);
}
static inline void psw_value_backward(struct psw_value_dims d, struct psw_value_param p,
                                      const float *x, const float *weight,
                                      struct psw_value_grad grad)
{
    PSW_CPU.value->backward(NULL, d, p, x, weight, grad);
}
static inline void psw_value_tangent(struct psw_value_dims d, struct psw_value_param p,
                                     struct psw_value_param p_dot, const float *x, float *y)
{
    PSW_CPU.value->tangent(NULL, d, p, p_dot, x, y);
}

static inline int32_t psw_draw_token(const struct psw_draw_opts *opts, int64_t n_vocab,
                                     const float *logit, double u, float *weight, float *logp)
{
    int32_t token;
    PSW_CPU.draw->tokens(NULL, opts, n_vocab, logit,
                         (struct psw_draw_rows){1, NULL, &u, &token, logp}, weight);
    return token;
}

#undef PSW_CPU

#endif
