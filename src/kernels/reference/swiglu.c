/* SwiGLU, silu(gate) up, with silu(x) = x s, s = 1 / (1 + exp(-x)), whose slope is
 * s + x s (1 - s). */
#include "reference.h"

#include <math.h>

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double slope_of(double x)
{
    const double s = sigmoid(x);
    return s + x * s * (1.0 - s);
}

static void forward(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < F; i++) {
            const double gate = gate_up[2 * r * F + i], up = gate_up[(2 * r + 1) * F + i];
            y[r * F + i] = (float)(gate * sigmoid(gate) * up);
        }
}

static void backward(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                     const float *y_bar, float *gate_up_bar)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < F; i++) {
            const double gate = gate_up[2 * r * F + i], up = gate_up[(2 * r + 1) * F + i];
            const double bar = y_bar[r * F + i];
            gate_up_bar[2 * r * F + i] = (float)(bar * slope_of(gate) * up);
            gate_up_bar[(2 * r + 1) * F + i] = (float)(bar * gate * sigmoid(gate));
        }
}

static void tangent(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y)
{
    const float *gate_up_dot = gate_up + n_row * 2 * F;
    forward(exec, n_row, F, gate_up, y);
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < F; i++) {
            const int64_t g = 2 * r * F + i, u = g + F;
            y[(n_row + r) * F + i] =
                (float)(slope_of(gate_up[g]) * gate_up_dot[g] * gate_up[u] +
                        gate_up[g] * sigmoid(gate_up[g]) * gate_up_dot[u]);
        }
}

const struct psw_swiglu_ops psw_reference_swiglu = {
    .forward = forward, .backward = backward, .tangent = tangent};
