/* The scalar head: value of a row, y = x w + b. */
#ifndef POSWEEP_KERNELS_VALUE_H
#define POSWEEP_KERNELS_VALUE_H

#include <stdint.h>

struct psw_value_dims {
    int64_t n_row, C;
};

/** w [C], b [1]; or the tangents of both. */
struct psw_value_param {
    const float *w, *b;
};

/** Where gradients are added. Shapes: x_bar [n_row][C], w_bar [C], b_bar [1]. */
struct psw_value_grad {
    float *x_bar, *w_bar, *b_bar;
};

struct psw_exec;

struct psw_value_ops {
    /** Shapes: x [n_row][C], y [n_row]. */
    void (*forward)(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    const float *x, float *y);

    /** Add the cotangents of sum_r weight[r] * (-y[r]). Shapes: x [n_row][C], weight [n_row].
     */
    void (*backward)(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                     const float *x, const float *weight, struct psw_value_grad grad);

    /** Value and tangent. Shapes: x dual [2][n_row][C], y dual [2][n_row]. */
    void (*tangent)(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    struct psw_value_param p_dot, const float *x, float *y);
};

#include <posweep/kernels/backend.h>

#endif
