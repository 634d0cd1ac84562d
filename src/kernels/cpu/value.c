/* Rows times a vector: sums over columns in double, in order. */
#include "cpu.h"

#include <posweep/kernels/vecmath.h>

static double inner(int64_t n, const float *a, const float *b)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

static void forward(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    const float *x, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) y[r] = (float)(inner(d.C, x + r * d.C, p.w) + p.b[0]);
}

static void backward(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                     const float *x, const float *weight, struct psw_value_grad grad)
{
    (void)exec;
    double b_bar = 0.0;
    for (int64_t r = 0; r < d.n_row; r++) {
        psw_vec_axpy(d.C, -weight[r], p.w, grad.x_bar + r * d.C);
        psw_vec_axpy(d.C, -weight[r], x + r * d.C, grad.w_bar);
        b_bar -= weight[r];
    }
    grad.b_bar[0] += (float)b_bar;
}

static void tangent(struct psw_exec *exec, struct psw_value_dims d, struct psw_value_param p,
                    struct psw_value_param p_dot, const float *x, float *y)
{
    const float *x_dot = x + d.n_row * d.C;
    forward(exec, d, p, x, y);
    for (int64_t r = 0; r < d.n_row; r++)
        y[d.n_row + r] = (float)(inner(d.C, x_dot + r * d.C, p.w) +
                                 inner(d.C, x + r * d.C, p_dot.w) + p_dot.b[0]);
}

const struct psw_value_ops psw_cpu_value = {
    .forward = forward, .backward = backward, .tangent = tangent};
