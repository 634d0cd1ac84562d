/* Logits of one row, and the way back from their cotangents. */
#include "reference.h"

#include <math.h>

void psw_reference_logits(const struct psw_head_dims *d, const float *x, const float *w,
                          double *logit)
{
    for (int64_t v = 0; v < d->V; v++)
        logit[v] = psw_reference_inner(d->C, x, w + v * d->C) / d->temperature;
}

void psw_reference_logits_dot(const struct psw_head_dims *d, const float *x, const float *x_dot,
                              const float *w, const float *w_dot, double *dot)
{
    for (int64_t v = 0; v < d->V; v++)
        dot[v] = (psw_reference_inner(d->C, x_dot, w + v * d->C) +
                  psw_reference_inner(d->C, x, w_dot + v * d->C)) /
                 d->temperature;
}

void psw_reference_logits_back(const struct psw_head_dims *d, const double *bar, const float *x,
                               const float *w, float *x_bar, float *w_bar)
{
    for (int64_t i = 0; i < d->C; i++) {
        double sum = 0.0;
        for (int64_t v = 0; v < d->V; v++) {
            sum += bar[v] * w[v * d->C + i];
            w_bar[v * d->C + i] += (float)(bar[v] * x[i] / d->temperature);
        }
        x_bar[i] += (float)(sum / d->temperature);
    }
}

double psw_reference_log_sum(int64_t V, const double *logit)
{
    double top = -INFINITY, sum = 0.0;
    for (int64_t v = 0; v < V; v++) top = logit[v] > top ? logit[v] : top;
    for (int64_t v = 0; v < V; v++) sum += exp(logit[v] - top);
    return top + log(sum);
}
