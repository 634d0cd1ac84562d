/* Root-mean-square normalisation, a row at a time: a row stays in the first-level cache over
 * its passes. */
#include "cpu.h"

#include <posweep/kernels/vecmath.h>

static float rstd_of(const struct psw_rmsnorm_dims *d, const float *x)
{
    const float square = psw_vec_dot(d->C, x, x) / (float)d->C;
    return (float)(1.0 / sqrt((double)square + d->eps));
}

static void forward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *x, struct psw_rmsnorm_saved saved, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *row = x + r * d.C, rstd = rstd_of(&d, row);
        float *x_hat = saved.x_hat + r * d.C, *out = y + r * d.C;
        saved.rstd[r] = rstd;
        for (int64_t i = 0; i < d.C; i++) x_hat[i] = rstd * row[i];
        for (int64_t i = 0; i < d.C; i++) out[i] = x_hat[i] * w[i];
    }
}

/* mean(w y_bar x_hat), and the cotangent of the gain. */
static float gain_backward(int64_t C, const float *w, const float *x_hat, const float *y_bar,
                           float *w_bar)
{
    enum { BLOCK = 512 };
    float u[BLOCK], dot = 0.0f;
    for (int64_t start = 0; start < C; start += BLOCK) {
        const int64_t n = C - start < BLOCK ? C - start : BLOCK;
        const float *bar = y_bar + start, *h = x_hat + start, *gain = w + start;
        float *out = w_bar + start;
        for (int64_t i = 0; i < n; i++) {
            out[i] = PSW_FMAF(bar[i], h[i], out[i]);
            u[i] = gain[i] * bar[i];
        }
        dot += psw_vec_dot(n, u, h);
    }
    return dot / (float)C;
}

static void backward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                     struct psw_rmsnorm_saved saved, const float *y_bar, float *x_bar,
                     float *w_bar)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *x_hat = saved.x_hat + r * d.C, *bar = y_bar + r * d.C;
        const float along = gain_backward(d.C, w, x_hat, bar, w_bar), rstd = saved.rstd[r];
        float *out = x_bar + r * d.C;
        for (int64_t i = 0; i < d.C; i++)
            out[i] = PSW_FMAF(rstd, PSW_FMAF(-along, x_hat[i], w[i] * bar[i]), out[i]);
    }
}

static void tangent(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *w_dot, const float *x, float *y)
{
    (void)exec;
    const int64_t n = d.n_row * d.C;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *row = x + r * d.C, *row_dot = row + n, rstd = rstd_of(&d, row);
        float *value = y + r * d.C, *dot = value + n;
        for (int64_t i = 0; i < d.C; i++) value[i] = rstd * row[i]; /* x_hat, for now */
        const float along = psw_vec_dot(d.C, row_dot, value) / (float)d.C;
        PSW_VECTOR_LOOP
        for (int64_t i = 0; i < d.C; i++) {
            const float h = value[i], h_dot = rstd * PSW_FMAF(-along, h, row_dot[i]);
            value[i] = h * w[i];
            dot[i] = PSW_FMAF(h_dot, w[i], h * w_dot[i]);
        }
    }
}

const struct psw_rmsnorm_ops psw_cpu_rmsnorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
