/* The rows of the reference backend, and the few lines that its files share.
 *
 * Every operation is written out as its manual says it, one number after another: plain loops,
 * sums in double, results rounded to float once, libm. Slow, and meant to be: it is what other
 * backends are compared with, and where somebody who writes one begins to read. A file here has
 * the name of its twin in cpu. */
#ifndef POSWEEP_KERNELS_REFERENCE_H
#define POSWEEP_KERNELS_REFERENCE_H

#include <posweep/kernels/backend.h>

extern const struct psw_buffer_ops psw_reference_buffer;
extern const struct psw_vector_ops psw_reference_vector;
extern const struct psw_embedding_ops psw_reference_embedding;
extern const struct psw_layernorm_ops psw_reference_layernorm;
extern const struct psw_rmsnorm_ops psw_reference_rmsnorm;
extern const struct psw_headnorm_ops psw_reference_headnorm;
extern const struct psw_linear_ops psw_reference_linear;
extern const struct psw_rotary_ops psw_reference_rotary;
extern const struct psw_attention_ops psw_reference_attention;
extern const struct psw_gelu_ops psw_reference_gelu;
extern const struct psw_swiglu_ops psw_reference_swiglu;
extern const struct psw_head_ops psw_reference_head;
extern const struct psw_entropy_ops psw_reference_entropy;
extern const struct psw_value_ops psw_reference_value;
extern const struct psw_draw_ops psw_reference_draw;

/** sum_i x[i] y[i] */
static inline double psw_reference_inner(int64_t n, const float *x, const float *y)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * y[i];
    return sum;
}

/** logit[v] = x w[v] / temperature, and with x_dot its tangent too. Shapes: x [C], w [V][C]. */
void psw_reference_logits(const struct psw_head_dims *d, const float *x, const float *w,
                          double *logit);
void psw_reference_logits_dot(const struct psw_head_dims *d, const float *x, const float *x_dot,
                              const float *w, const float *w_dot, double *dot);

/** x_bar += bar w / temperature, w_bar += bar' x / temperature. Shapes: bar [V]. */
void psw_reference_logits_back(const struct psw_head_dims *d, const double *bar, const float *x,
                               const float *w, float *x_bar, float *w_bar);

/** log sum_v exp(logit[v]) */
double psw_reference_log_sum(int64_t V, const double *logit);

/** The distribution that tokens are drawn from; prob may be logit. Returns -1, and sets all to
 *  NaN, when a logit is NaN or +infinity. */
int psw_reference_distribution(const struct psw_draw_opts *opts, int64_t V, const float *logit,
                               float *prob);

#endif
