/* GELU, x Phi(x), whose slope is Phi(x) + x phi(x). */
#include "reference.h"

#include <math.h>

static double cumulative(double x)
{
    return 0.5 * erfc(-x * 0.70710678118654752);
}

static double slope_of(double x)
{
    return cumulative(x) + x * exp(-0.5 * x * x) * 0.39894228040143268;
}

static void forward(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *x,
                    float *y, float *slope)
{
    (void)exec;
    for (int64_t i = 0; i < n_row * n_col; i++) {
        const double v = x[i]; /* slope may be x itself */
        y[i] = (float)(v * cumulative(v));
        slope[i] = (float)slope_of(v);
    }
}

static void backward(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *slope,
                     float *bar, float *b_bar)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < n_col; i++) {
            bar[r * n_col + i] *= slope[r * n_col + i];
            if (b_bar) b_bar[i] += bar[r * n_col + i];
        }
}

static void tangent(struct psw_exec *exec, int64_t n_row, int64_t n_col, float *x)
{
    const int64_t n = n_row * n_col;
    (void)exec;
    for (int64_t i = 0; i < n; i++) {
        const double v = x[i];
        x[i] = (float)(v * cumulative(v));
        x[n + i] = (float)(slope_of(v) * x[n + i]);
    }
}

const struct psw_gelu_ops psw_reference_gelu = {
    .forward = forward, .backward = backward, .tangent = tangent};
