/* The scalar head. */
#include "reference.h"

static void forward(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    const float *x, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++)
        y[r] = (float)(psw_reference_inner(d.C, x + r * d.C, p.w) + p.b[0]);
}

static void backward(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                     const float *x, const float *weight, struct psw_value_grad grad)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        for (int64_t i = 0; i < d.C; i++) {
            grad.x_bar[r * d.C + i] -= weight[r] * p.w[i];
            grad.w_bar[i] -= weight[r] * x[r * d.C + i];
        }
        grad.b_bar[0] -= weight[r];
    }
}

static void tangent(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    struct psw_value_param p_dot, const float *x, float *y)
{
    const float *x_dot = x + d.n_row * d.C;
    forward(exec, d, p, x, y);
    for (int64_t r = 0; r < d.n_row; r++)
        y[d.n_row + r] = (float)(psw_reference_inner(d.C, x_dot + r * d.C, p.w) +
                                 psw_reference_inner(d.C, x + r * d.C, p_dot.w) + p_dot.b[0]);
}

const struct psw_value_ops psw_reference_value = {
    .forward = forward, .backward = backward, .tangent = tangent};
