/* Root-mean-square normalisation, a row at a time: a row stays in the first-level cache over
 * its passes. */
#include "cpu.h"
#include "rms_row.h"

static void forward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *x, struct psw_rmsnorm_saved saved, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *row = x + r * d.C;
        saved.rstd[r] = rms_rstd(d.C, d.eps, row);
        rms_row_forward(d.C, w, row, saved.rstd[r], saved.x_hat + r * d.C, y + r * d.C);
    }
}

static void backward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                     struct psw_rmsnorm_saved saved, const float *y_bar, float *x_bar,
                     float *w_bar)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *x_hat = saved.x_hat + r * d.C, *bar = y_bar + r * d.C;
        const float along = rms_gain_backward(d.C, w, x_hat, bar, w_bar), rstd = saved.rstd[r];
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
    for (int64_t r = 0; r < d.n_row; r++)
        rms_row_tangent(d.C, d.eps, w, w_dot, x + r * d.C, x + n + r * d.C, y + r * d.C,
                        y + n + r * d.C);
}

const struct psw_rmsnorm_ops psw_cpu_rmsnorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
