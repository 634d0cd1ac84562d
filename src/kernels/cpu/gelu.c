/* GELU in rows; the polynomials are in vecmath. */
#include "cpu.h"
#include <posweep/kernels/vecmath.h>

enum { BLOCK = 512 };

static void forward(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *x,
                    float *y, float *slope)
{
    (void)exec;
    for (int64_t at = 0; at < n_row * n_col; at += n_col)
        psw_vec_gelu(n_col, x + at, y + at, slope + at);
}

static void backward(struct psw_exec *exec, int64_t n_row, int64_t n_col, const float *slope,
                     float *bar, float *b_bar)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++) {
        const float *s = slope + r * n_col;
        float *x = bar + r * n_col;
        for (int64_t i = 0; i < n_col; i++) x[i] *= s[i];
    }
    if (b_bar) psw_vec_add_rows(n_row, n_col, bar, b_bar);
}

static void tangent(struct psw_exec *exec, int64_t n_row, int64_t n_col, float *x)
{
    float slope[BLOCK];
    const int64_t n = n_row * n_col;
    (void)exec;
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t m = n - start < BLOCK ? n - start : BLOCK;
        float *value = x + start, *dot = x + n + start;
        psw_vec_gelu(m, value, value, slope);
        for (int64_t i = 0; i < m; i++) dot[i] *= slope[i];
    }
}

const struct psw_gelu_ops psw_cpu_gelu = {
    .forward = forward, .backward = backward, .tangent = tangent};
