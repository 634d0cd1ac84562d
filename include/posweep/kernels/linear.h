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

/** y = x W' + b. Shapes: x [n_row][n_in], y [n_row][n_out]. */
void psw_linear_forward(struct psw_linear_dims d, struct psw_linear_param p, const float *x,
                        float *y);

/** y += x W' + b: sums of maps, residual branches. Shapes as above. */
void psw_linear_forward_add(struct psw_linear_dims d, struct psw_linear_param p, const float *x,
                            float *y);

/** Add the cotangents of x (NULL: not wanted), w and b. Shapes: y_bar like y, x_bar like x. */
void psw_linear_backward(struct psw_linear_dims d, struct psw_linear_param p, const float *x,
                         const float *y_bar, float *x_bar, struct psw_linear_grad grad);

/** Value and tangent: y_dot = x_dot W' + x W_dot' + b_dot.
 *  Shapes: x dual [2][n_row][n_in], y dual [2][n_row][n_out]. */
void psw_linear_tangent(struct psw_linear_dims d, struct psw_linear_param p,
                        struct psw_linear_param p_dot, const float *x, float *y);

/** The same, added to what y holds. */
void psw_linear_tangent_add(struct psw_linear_dims d, struct psw_linear_param p,
                            struct psw_linear_param p_dot, const float *x, float *y);

#endif
