/* Layer normalisation, a row at a time: a row stays in the first-level cache over its passes.
 */
#include "cpu.h"

#include <posweep/kernels/vecmath.h>
#include <string.h>

enum { BLOCK = 512 };

/* x_hat = (x - mean) / sqrt(variance + eps); returns the reciprocal root. */
static float normalise(const struct psw_layernorm_dims *d, const float *x, float *x_hat)
{
    const float mean = psw_vec_sum(d->C, x) / (float)d->C;
    for (int64_t i = 0; i < d->C; i++) x_hat[i] = x[i] - mean;
    const float variance = psw_vec_dot(d->C, x_hat, x_hat) / (float)d->C;
    const float rstd = (float)(1.0 / sqrt((double)variance + d->eps));
    psw_vec_scale(d->C, rstd, x_hat);
    return rstd;
}

static void affine(int64_t C, const float *x_hat, const float *w, const float *b, float *y)
{
    for (int64_t i = 0; i < C; i++) y[i] = PSW_FMAF(x_hat[i], w[i], b[i]);
}

static void forward(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, const float *x,
                    struct psw_layernorm_saved saved, float *const *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        float *x_hat = saved.x_hat + r * d.C;
        saved.rstd[r] = normalise(&d, x + r * d.C, x_hat);
        for (int64_t k = 0; k < d.n_out; k++)
            affine(d.C, x_hat, p.w[k], p.b[k], y[k] + r * d.C);
    }
}

/* Cotangents of one output's gain and shift. */
static void affine_backward(int64_t C, const float *x_hat, const float *y_bar, float *w_bar,
                            float *b_bar)
{
    for (int64_t i = 0; i < C; i++) {
        w_bar[i] = PSW_FMAF(y_bar[i], x_hat[i], w_bar[i]);
        b_bar[i] += y_bar[i];
    }
}

/* One row on its way back: cotangents of its outputs, and columns [start, start + n) of that
 * of x_hat, sum_k w[k] y_bar[k], which is computed twice rather than stored. */
struct row_back {
    const struct psw_layernorm_param *p;
    const float *y_bar[PSW_LAYERNORM_OUTPUTS];
    int64_t n_out;
};

static void x_hat_bar(const struct row_back *row, int64_t start, int64_t n, float *u)
{
    const float *w0 = row->p->w[0] + start, *y0 = row->y_bar[0] + start;
    for (int64_t i = 0; i < n; i++) u[i] = w0[i] * y0[i];
    if (row->n_out == 1) return;
    const float *w1 = row->p->w[1] + start, *y1 = row->y_bar[1] + start;
    for (int64_t i = 0; i < n; i++) u[i] = PSW_FMAF(w1[i], y1[i], u[i]);
}

/* x_bar += rstd (u - mean(u) - x_hat mean(u x_hat)), u = x_hat_bar. */
static void normalise_backward(const struct row_back *row, int64_t C, const float *x_hat,
                               float rstd, float *x_bar)
{
    float u[BLOCK], sum = 0.0f, dot = 0.0f;
    for (int64_t start = 0; start < C; start += BLOCK) {
        const int64_t n = C - start < BLOCK ? C - start : BLOCK;
        x_hat_bar(row, start, n, u);
        sum += psw_vec_sum(n, u);
        dot += psw_vec_dot(n, u, x_hat + start);
    }
    const float mean = sum / (float)C, along = dot / (float)C;
    for (int64_t start = 0; start < C; start += BLOCK) {
        const int64_t n = C - start < BLOCK ? C - start : BLOCK;
        const float *h = x_hat + start;
        float *out = x_bar + start;
        if (C > BLOCK) x_hat_bar(row, start, n, u);
        for (int64_t i = 0; i < n; i++)
            out[i] = PSW_FMAF(rstd, PSW_FMAF(-along, h[i], u[i] - mean), out[i]);
    }
}

static void backward(struct psw_exec *exec, struct psw_layernorm_dims d,
                     struct psw_layernorm_param p, struct psw_layernorm_saved saved,
                     const float *const *y_bar, float *x_bar, struct psw_layernorm_grad grad)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++) {
        const float *x_hat = saved.x_hat + r * d.C;
        struct row_back row = {.p = &p, .n_out = d.n_out};
        for (int64_t k = 0; k < d.n_out; k++) {
            row.y_bar[k] = y_bar[k] + r * d.C;
            affine_backward(d.C, x_hat, row.y_bar[k], grad.w_bar[k], grad.b_bar[k]);
        }
        normalise_backward(&row, d.C, x_hat, saved.rstd[r], x_bar + r * d.C);
    }
}

/* In place: the tangent of x becomes that of x_hat. Here x_hat stands where x was. */
static void normalise_tangent(int64_t C, const float *x_hat, float rstd, float *x_dot)
{
    const float mean = psw_vec_sum(C, x_dot) / (float)C;
    const float along = psw_vec_dot(C, x_dot, x_hat) / (float)C;
    for (int64_t i = 0; i < C; i++)
        x_dot[i] = rstd * PSW_FMAF(-along, x_hat[i], x_dot[i] - mean);
}

static void tangent(struct psw_exec *exec, struct psw_layernorm_dims d,
                    struct psw_layernorm_param p, struct psw_layernorm_param p_dot,
                    const float *x, float *const *y)
{
    (void)exec;
    const int64_t n = d.n_row * d.C;
    const int64_t last = d.n_out - 1;
    for (int64_t r = 0; r < d.n_row; r++) {
        /* The last output's rows hold x_hat and its tangent until they are overwritten. */
        float *x_hat = y[last] + r * d.C, *x_hat_dot = x_hat + n;
        const float rstd = normalise(&d, x + r * d.C, x_hat);
        memcpy(x_hat_dot, x + n + r * d.C, (size_t)d.C * sizeof *x_hat_dot);
        normalise_tangent(d.C, x_hat, rstd, x_hat_dot);
        for (int64_t k = 0; k < d.n_out; k++) {
            float *value = y[k] + r * d.C, *dot = value + n;
            PSW_VECTOR_LOOP
            for (int64_t i = 0; i < d.C; i++) {
                const float h = x_hat[i], h_dot = x_hat_dot[i];
                value[i] = PSW_FMAF(h, p.w[k][i], p.b[k][i]);
                dot[i] = PSW_FMAF(h_dot, p.w[k][i], PSW_FMAF(h, p_dot.w[k][i], p_dot.b[k][i]));
            }
        }
    }
}

const struct psw_layernorm_ops psw_cpu_layernorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
