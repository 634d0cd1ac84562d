/* Root-mean-square normalisation. With x_hat = x rstd:
 *   backward  x_bar += rstd (u - x_hat mean(u x_hat)),  u = w y_bar
 *   tangent   x_hat_dot = rstd (x_dot - x_hat mean(x_dot x_hat)) */
#include "reference.h"

#include <math.h>

static double rstd_of(const struct psw_rmsnorm_dims *d, const float *x)
{
    return 1.0 / sqrt(psw_reference_inner(d->C, x, x) / (double)d->C + d->eps);
}

static void forward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *x, struct psw_rmsnorm_saved saved, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const double rstd = rstd_of(&d, x + r * d.C);
        saved.rstd[r] = (float)rstd;
        for (int64_t i = 0; i < d.C; i++) {
            const double x_hat = x[r * d.C + i] * rstd;
            saved.x_hat[r * d.C + i] = (float)x_hat;
            y[r * d.C + i] = (float)(x_hat * w[i]);
        }
    }
}

static void backward(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                     struct psw_rmsnorm_saved saved, const float *y_bar, float *x_bar,
                     float *w_bar)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *x_hat = saved.x_hat + r * d.C, *bar = y_bar + r * d.C;
        double along = 0.0;
        for (int64_t i = 0; i < d.C; i++)
            along += (double)w[i] * bar[i] * x_hat[i] / (double)d.C;
        for (int64_t i = 0; i < d.C; i++) {
            const double u = (double)w[i] * bar[i];
            x_bar[r * d.C + i] += (float)(saved.rstd[r] * (u - x_hat[i] * along));
            w_bar[i] += bar[i] * x_hat[i];
        }
    }
}

static void tangent(struct psw_exec *exec, struct psw_rmsnorm_dims d, const float *w,
                    const float *w_dot, const float *x, float *y)
{
    const int64_t n = d.n_row * d.C;
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *row = x + r * d.C, *dot = row + n;
        const double rstd = rstd_of(&d, row);
        const double along = psw_reference_inner(d.C, dot, row) * rstd / (double)d.C;
        for (int64_t i = 0; i < d.C; i++) {
            const double h = row[i] * rstd, h_dot = rstd * (dot[i] - h * along);
            y[r * d.C + i] = (float)(h * w[i]);
            y[n + r * d.C + i] = (float)(h_dot * w[i] + h * w_dot[i]);
        }
    }
}

const struct psw_rmsnorm_ops psw_reference_rmsnorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
