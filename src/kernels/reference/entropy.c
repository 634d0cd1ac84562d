/* Entropy of a row's distribution, H = -sum_v p[v] log p[v], with log p = logit - log sum exp:
 *   backward  of weight (-H):  logit_bar[v] = weight p[v] (log p[v] + H)
 *   tangent   H_dot = -sum_v p[v] (log p[v] + H) logit_dot[v] */
#include "reference.h"

#include <math.h>

/* Logits to log-probabilities, in place; returns H. A probability of 0 adds nothing. */
static double take(int64_t V, double *logit)
{
    const double log_sum = psw_reference_log_sum(V, logit);
    double entropy = 0.0;
    for (int64_t v = 0; v < V; v++) {
        logit[v] -= log_sum;
        const double p = exp(logit[v]);
        if (p > 0.0 || isnan(p)) entropy -= p * logit[v];
    }
    return entropy;
}

static void forward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *entropy)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    double *logp = psw_arena_f64(exec->scratch, d.V);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t r = 0; r < d.n_row; r++) {
        psw_reference_logits(&d, in.x + r * d.C, in.w, logp);
        entropy[r] = (float)take(d.V, logp);
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void backward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    double *logp = psw_arena_f64(exec->scratch, d.V);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t r = 0; r < d.n_row; r++) {
        psw_reference_logits(&d, in.x + r * d.C, in.w, logp);
        const double entropy = take(d.V, logp);
        for (int64_t v = 0; v < d.V; v++)
            logp[v] = weight[r] * exp(logp[v]) * (logp[v] + entropy);
        psw_reference_logits_back(&d, logp, in.x + r * d.C, in.w, grad.x_bar + r * d.C,
                                  grad.w_bar);
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *entropy)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    double *logp = psw_arena_f64(exec->scratch, d.V);
    double *dot = psw_arena_f64(exec->scratch, d.V);
    const int64_t n_row = psw_arena_is_measuring(exec->scratch) ? 0 : d.n_row;
    for (int64_t r = 0; r < n_row; r++) {
        const float *x = in.x + r * d.C;
        psw_reference_logits(&d, x, in.w, logp);
        psw_reference_logits_dot(&d, x, x + d.n_row * d.C, in.w, w_dot, dot);
        const double h = take(d.V, logp);
        double sum = 0.0;
        for (int64_t v = 0; v < d.V; v++) sum -= exp(logp[v]) * (logp[v] + h) * dot[v];
        entropy[r] = (float)h;
        entropy[d.n_row + r] = (float)sum;
    }
    psw_arena_rewind(exec->scratch, mark);
}

const struct psw_entropy_ops psw_reference_entropy = {
    .forward = forward, .backward = backward, .tangent = tangent};
