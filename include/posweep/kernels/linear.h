/* Linear maps: y = x W' + b, rows times the transpose of a [n_out][n_in] weight. */
#ifndef POSWEEP_KERNELS_LINEAR_H
#define POSWEEP_KERNELS_LINEAR_H

#include <stdint.h>

struct psw_linear_dims {
    int64_t n_row, n_in, n_out;
};

/** One map: weight w [n_out][n_in], bias b [n_out] or NULL. Also used for tangents. */
struct psw_linear_param {
    const float *w, *b;
};

/** Where its gradients are added: w_bar like w, b_bar like b; NULL: not wanted. */
struct psw_linear_grad {
    float *w_bar, *b_bar;
};

struct psw_exec;

struct psw_linear_ops {
    /** y = x W' + b. Shapes: x [n_row][n_in], y [n_row][n_out]. */
    void (*forward)(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    const float *x, float *y);

    /** y += x W' + b: sums of maps, residual branches. Shapes as above. */
    void (*forward_add)(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, const float *x, float *y);

    /** Add the cotangents of x (NULL: not wanted), w and b.
     *  Shapes: y_bar like y, x_bar like x. */
    void (*backward)(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                     const float *x, const float *y_bar, float *x_bar,
                     struct psw_linear_grad grad);

    /** Value and tangent: y_dot = x_dot W' + x W_dot' + b_dot.
     *  Shapes: x dual [2][n_row][n_in], y dual [2][n_row][n_out]. */
    void (*tangent)(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    struct psw_linear_param p_dot, const float *x, float *y);

    /** The same, added to what y holds. */
    void (*tangent_add)(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, struct psw_linear_param p_dot,
                        const float *x, float *y);

    /** forward and forward_add for decoding: few rows, and the bits of a row depend on that row
     *  and the weights alone, not on the rows beside it. */
    void (*decode)(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                   const float *x, float *y);
    void (*decode_add)(struct psw_exec *exec, struct psw_linear_dims d,
                       struct psw_linear_param p, const float *x, float *y);
};

#include <posweep/kernels/backend.h>

#endif
