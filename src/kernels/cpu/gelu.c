/* GELU in rows; the polynomials are in vecmath. */
#include <posweep/kernels/gelu.h>

#include <posweep/kernels/vecmath.h>

enum { BLOCK = 512 };

void psw_gelu_forward(int64_t n, const float *x, float *y, float *slope)
{
    psw_vec_gelu(n, x, y, slope);
}

void psw_gelu_backward(int64_t n_row, int64_t n_col, const float *slope, float *bar,
                       float *b_bar)
{
    for (int64_t r = 0; r < n_row; r++) {
        const float *s = slope + r * n_col;
        float *x = bar + r * n_col;
        for (int64_t i = 0; i < n_col; i++) x[i] *= s[i];
    }
    if (b_bar) psw_vec_add_rows(n_row, n_col, bar, b_bar);
}

void psw_gelu_tangent(int64_t n, float *x)
{
    float slope[BLOCK];
    for (int64_t start = 0; start < n; start += BLOCK) {
        const int64_t m = n - start < BLOCK ? n - start : BLOCK;
        float *value = x + start, *dot = x + n + start;
        psw_vec_gelu(m, value, value, slope);
        for (int64_t i = 0; i < m; i++) dot[i] *= slope[i];
    }
}
