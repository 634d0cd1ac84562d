/* Layer normalisation with one or two affine outputs.
 *
 * gpt_neox normalises the same input twice, for attention and for the MLP, with different
 * gains: mean and variance are shared, so one kernel gives both. The bits of a row depend on
 * that row alone, so that decoding may take rows in any number. */
#ifndef POSWEEP_KERNELS_LAYERNORM_H
#define POSWEEP_KERNELS_LAYERNORM_H

#include <stdint.h>

enum { PSW_LAYERNORM_OUTPUTS = 2 };

struct psw_layernorm_dims {
    int64_t n_row, C;
    int64_t n_out; /* affine outputs, 1 or 2 */
    double eps;
};

/** Gains and shifts, [C] each, one per output. */
struct psw_layernorm_param {
    const float *w[PSW_LAYERNORM_OUTPUTS], *b[PSW_LAYERNORM_OUTPUTS];
};

struct psw_layernorm_grad {
    float *w_bar[PSW_LAYERNORM_OUTPUTS], *b_bar[PSW_LAYERNORM_OUTPUTS];
};

/** What backward needs of forward. */
struct psw_layernorm_saved {
    float *x_hat; /* [n_row][C] normalised input */
    float *rstd;  /* [n_row] 1 / sqrt(variance + eps) */
};

struct psw_exec;

struct psw_layernorm_ops {
    /** y[k] = x_hat w[k] + b[k]. Shapes: x, y[k] [n_row][C]. */
    void (*forward)(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, const float *x,
                    struct psw_layernorm_saved saved, float *const *y);

    /** Add the cotangents of x, w[k] and b[k]. Shapes: y_bar[k], x_bar [n_row][C]. */
    void (*backward)(struct psw_exec *exec, struct psw_layernorm_dims d,
                     struct psw_layernorm_param p, struct psw_layernorm_saved saved,
                     const float *const *y_bar, float *x_bar, struct psw_layernorm_grad grad);

    /** Value and tangent. Shapes: x, y[k] dual [2][n_row][C]. */
    void (*tangent)(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, struct psw_layernorm_param p_dot,
                    const float *x, float *const *y);
};

#include <posweep/kernels/backend.h>

#endif
