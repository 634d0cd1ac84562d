/* The rows of the cpu backend, and what its files share. */
#ifndef POSWEEP_KERNELS_CPU_H
#define POSWEEP_KERNELS_CPU_H

#include <posweep/kernels/backend.h>

extern const struct psw_buffer_ops psw_cpu_buffer;
extern const struct psw_vector_ops psw_cpu_vector;
extern const struct psw_embedding_ops psw_cpu_embedding;
extern const struct psw_layernorm_ops psw_cpu_layernorm;
extern const struct psw_rmsnorm_ops psw_cpu_rmsnorm;
extern const struct psw_headnorm_ops psw_cpu_headnorm;
extern const struct psw_linear_ops psw_cpu_linear;
extern const struct psw_rotary_ops psw_cpu_rotary;
extern const struct psw_attention_ops psw_cpu_attention;
extern const struct psw_gelu_ops psw_cpu_gelu;
extern const struct psw_swiglu_ops psw_cpu_swiglu;
extern const struct psw_head_ops psw_cpu_head;
extern const struct psw_entropy_ops psw_cpu_entropy;
extern const struct psw_value_ops psw_cpu_value;
extern const struct psw_draw_ops psw_cpu_draw;

/** Parts of rows that have files of their own. */
void psw_cpu_linear_decode(struct psw_exec *exec, struct psw_linear_dims d,
                           struct psw_linear_param p, const float *x, float *y);
void psw_cpu_linear_decode_add(struct psw_exec *exec, struct psw_linear_dims d,
                               struct psw_linear_param p, const float *x, float *y);

int64_t psw_cpu_cache_capacity(int64_t n_position);
int64_t psw_cpu_cache_n_elem(int64_t n_kv_head, int64_t head_width, int64_t capacity);
void psw_cpu_cache_put(struct psw_exec *exec, const struct psw_decode_cache *cache,
                       struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv);
void psw_cpu_cache_copy(struct psw_exec *exec, const struct psw_decode_cache *cache,
                        int64_t from_slot, int64_t n_position, int64_t to_slot);
void psw_cpu_attention_decode(struct psw_exec *exec, const struct psw_decode_cache *cache,
                              struct psw_decode_rows rows, struct psw_qkv layout,
                              const float *qkv, float *score, float *out);

void psw_cpu_head_soft_nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                           const struct psw_soft_target *target, const float *weight,
                           float *soft, struct psw_head_grad grad);
void psw_cpu_head_soft_tangent(struct psw_exec *exec, struct psw_head_dims d,
                               struct psw_head_in in, const struct psw_soft_target *target,
                               const float *w_dot, float *logp, float *soft);

/** The distribution that tokens are drawn from: temperature, cuts, then shares of what is left;
 *  one token has it all when the temperature is 0. log_sum (or NULL): log of the sum of
 *  exp(logit / temperature) over all tokens (temperature 1 when that is 0), cuts aside.
 *  Shapes: logit, prob [n_vocab]; prob may be logit.
 *  Errors: -1 when a logit is NaN or +infinity; prob is then NaN, and log_sum too. */
int psw_cpu_distribution(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                         float *prob, double *log_sum);

#endif
