/* Exact GELU, x Phi(x). Forward leaves the slope, so backward is one multiplication. */
#ifndef POSWEEP_KERNELS_GELU_H
#define POSWEEP_KERNELS_GELU_H

#include <stdint.h>

struct psw_exec;

struct psw_gelu_ops {
    /** y = gelu(x), slope = gelu'(x); slope may be x itself. The bits of a row depend on that
     *  row alone. Shapes: [n_row][n_col]. */
    void (*forward)(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *x,
                    float *y, float *slope);

    /** Turn the cotangent of y into that of x, in place (x has no other reader, so there is
     *  nothing to add to), and add its column sums to b_bar, the bias before it.
     *  Shapes: slope, bar [n_row][n_col], b_bar [n_col] or NULL. */
    void (*backward)(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *slope,
                     float *bar, float *b_bar);

    /** Value and tangent in place. Shapes: x dual [2][n_row][n_col]. */
    void (*tangent)(struct psw_exec *exec, int64_t n_row, int64_t n_col, float *x);
};

#include <posweep/kernels/backend.h>

#endif
