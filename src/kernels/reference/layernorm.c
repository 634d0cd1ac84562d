/* Layer normalisation. With x_hat = (x - mean) rstd:
 *   backward  x_bar += rstd (u - mean(u) - x_hat mean(u x_hat)),  u = sum_k w[k] y_bar[k]
 *   tangent   x_hat_dot = rstd (x_dot - mean(x_dot) - x_hat mean(x_dot x_hat)) */
#include "reference.h"

#include <math.h>

/* Mean and 1 / sqrt(variance + eps) of a row. */
static void moments(const struct psw_layernorm_dims *d, const float *x, double *mean,
                    double *rstd)
{
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < d->C; i++) sum += x[i];
    *mean = sum / (double)d->C;
    for (int64_t i = 0; i < d->C; i++) square += (x[i] - *mean) * (x[i] - *mean);
    *rstd = 1.0 / sqrt(square / (double)d->C + d->eps);
}

static void forward(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, const float *x,
                    struct psw_layernorm_saved saved, float *const *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        double mean, rstd;
        moments(&d, x + r * d.C, &mean, &rstd);
        saved.rstd[r] = (float)rstd;
        for (int64_t i = 0; i < d.C; i++) {
            const double x_hat = (x[r * d.C + i] - mean) * rstd;
            saved.x_hat[r * d.C + i] = (float)x_hat;
            for (int64_t k = 0; k < d.n_out; k++)
                y[k][r * d.C + i] = (float)(x_hat * p.w[k][i] + p.b[k][i]);
        }
    }
}

/* u of row r, column i. */
static double x_hat_bar(const struct psw_layernorm_dims *d, const struct psw_layernorm_param *p,
                        const float *const *y_bar, int64_t r, int64_t i)
{
    double u = 0.0;
    for (int64_t k = 0; k < d->n_out; k++) u += (double)p->w[k][i] * y_bar[k][r * d->C + i];
    return u;
}

static void backward(struct psw_exec *exec, struct psw_layernorm_dims d,
                     struct psw_layernorm_param p, struct psw_layernorm_saved saved,
                     const float *const *y_bar, float *x_bar, struct psw_layernorm_grad grad)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *x_hat = saved.x_hat + r * d.C;
        double mean = 0.0, along = 0.0;
        for (int64_t i = 0; i < d.C; i++) {
            const double u = x_hat_bar(&d, &p, y_bar, r, i);
            mean += u / (double)d.C;
            along += u * x_hat[i] / (double)d.C;
        }
        for (int64_t i = 0; i < d.C; i++) {
            const double u = x_hat_bar(&d, &p, y_bar, r, i);
            x_bar[r * d.C + i] += (float)(saved.rstd[r] * (u - mean - x_hat[i] * along));
            for (int64_t k = 0; k < d.n_out; k++) {
                grad.w_bar[k][i] += y_bar[k][r * d.C + i] * x_hat[i];
                grad.b_bar[k][i] += y_bar[k][r * d.C + i];
            }
        }
    }
}

static void tangent(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, struct psw_layernorm_param p_dot,
                    const float *x, float *const *y)
{
    const int64_t n = d.n_row * d.C;
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *row = x + r * d.C, *dot = row + n;
        double mean, rstd, mean_dot = 0.0, along = 0.0;
        moments(&d, row, &mean, &rstd);
        for (int64_t i = 0; i < d.C; i++) {
            mean_dot += dot[i] / (double)d.C;
            along += dot[i] * (row[i] - mean) * rstd / (double)d.C;
        }
        for (int64_t i = 0; i < d.C; i++) {
            const double h = (row[i] - mean) * rstd;
            const double h_dot = rstd * (dot[i] - mean_dot - h * along);
            for (int64_t k = 0; k < d.n_out; k++) {
                float *out = y[k] + r * d.C + i;
                out[0] = (float)(h * p.w[k][i] + p.b[k][i]);
                out[n] = (float)(h_dot * p.w[k][i] + h * p_dot.w[k][i] + p_dot.b[k][i]);
            }
        }
    }
}

const struct psw_layernorm_ops psw_reference_layernorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
