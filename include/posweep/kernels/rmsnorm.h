/* Root-mean-square normalisation, y = x / sqrt(mean(x^2) + eps) w: no mean is taken off, and
 * there is no shift.
 *
 * The bits of a row depend on that row alone, so that decoding may take rows in any number.
 *  Source: Zhang & Sennrich 2019, eq. 4, with eps inside the root as in Hugging Face's
 *          LlamaRMSNorm. */
#ifndef POSWEEP_KERNELS_RMSNORM_H
#define POSWEEP_KERNELS_RMSNORM_H

#include <stdint.h>

struct psw_rmsnorm_dims {
    int64_t n_row, C;
    double eps;
};

/** What backward needs of forward. */
struct psw_rmsnorm_saved {
    float *x_hat; /* [n_row][C] normalised input */
    float *rstd;  /* [n_row] 1 / sqrt(mean(x^2) + eps) */
};

struct psw_exec;

struct psw_rmsnorm_ops {
    /** y = x_hat w. Shapes: w [C], x, y [n_row][C]. */
    void (*forward)(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *x, struct psw_rmsnorm_saved saved, float *y);

    /** Add the cotangents of x and w. Shapes: y_bar, x_bar [n_row][C], w_bar [C]. */
    void (*backward)(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                     struct psw_rmsnorm_saved saved, const float *y_bar, float *x_bar,
                     float *w_bar);

    /** Value and tangent. Shapes: x, y dual [2][n_row][C]. */
    void (*tangent)(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *w_dot, const float *x, float *y);
};

#include <posweep/kernels/backend.h>

#endif
