/* Root-mean-square normalisation of heads. With x_hat = x rstd, head by head:
 *   backward  x_bar = rstd (u - x_hat mean(u x_hat)),  u = w y_bar
 *   tangent   x_hat_dot = rstd (x_dot - x_hat mean(x_dot x_hat)) */
#include "reference.h"

#include <math.h>

/* One kind of heads, queries or keys. */
struct kind {
    int64_t n, first, step; /* heads; where they stand in a row */
    int64_t before;         /* heads of the other kind that are saved before them */
};

enum { QUERIES, KEYS, N_KIND };

static struct kind kind_of(const struct psw_qkv *l, int kind)
{
    if (kind == QUERIES) return (struct kind){l->n_head, l->q, l->q_step, 0};
    return (struct kind){l->n_kv_head, l->k, l->kv_step, l->n_head};
}

/* Number of head h of token t among those that are saved. */
static int64_t saved_at(const struct psw_qkv *l, const struct kind *k, int64_t t, int64_t h)
{
    return t * (l->n_head + l->n_kv_head) + k->before + h;
}

static double rstd_of(const struct psw_headnorm_dims *d, const float *x)
{
    const int64_t D = d->qkv.head_width;
    return 1.0 / sqrt(psw_reference_inner(D, x, x) / (double)D + d->eps);
}

/* One head; returns 1 / its root mean square. */
static double head_forward(const struct psw_headnorm_dims *d, const float *w, float *x,
                           float *x_hat)
{
    const double rstd = rstd_of(d, x);
    for (int64_t i = 0; i < d->qkv.head_width; i++) {
        x_hat[i] = (float)(x[i] * rstd);
        x[i] = (float)(x[i] * rstd * w[i]);
    }
    return rstd;
}

static void forward(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_rmsnorm_saved saved, float *qkv)
{
    const float *gain[N_KIND] = {p.q, p.k};
    (void)exec;
    for (int which = 0; which < N_KIND; which++) {
        const struct kind k = kind_of(&d.qkv, which);
        for (int64_t t = 0; t < d.n_tok; t++)
            for (int64_t h = 0; h < k.n; h++) {
                const int64_t at = saved_at(&d.qkv, &k, t, h);
                saved.rstd[at] = (float)head_forward(&d, gain[which],
                                                     qkv + t * d.qkv.row + k.first + h * k.step,
                                                     saved.x_hat + at * d.qkv.head_width);
            }
    }
}

/* One head. */
static void head_backward(int64_t D, const float *w, const float *x_hat, double rstd,
                          float *bar, float *w_bar)
{
    double along = 0.0;
    for (int64_t i = 0; i < D; i++) along += (double)w[i] * bar[i] * x_hat[i] / (double)D;
    for (int64_t i = 0; i < D; i++) {
        w_bar[i] += bar[i] * x_hat[i];
        bar[i] = (float)(rstd * ((double)w[i] * bar[i] - x_hat[i] * along));
    }
}

static void backward(struct psw_exec *exec, struct psw_headnorm_dims d,
                     struct psw_headnorm_param p, struct psw_rmsnorm_saved saved,
                     float *qkv_bar, struct psw_headnorm_grad grad)
{
    const float *gain[N_KIND] = {p.q, p.k};
    float *gain_bar[N_KIND] = {grad.q_bar, grad.k_bar};
    (void)exec;
    for (int which = 0; which < N_KIND; which++) {
        const struct kind k = kind_of(&d.qkv, which);
        for (int64_t t = 0; t < d.n_tok; t++)
            for (int64_t h = 0; h < k.n; h++) {
                const int64_t at = saved_at(&d.qkv, &k, t, h);
                head_backward(d.qkv.head_width, gain[which],
                              saved.x_hat + at * d.qkv.head_width, saved.rstd[at],
                              qkv_bar + t * d.qkv.row + k.first + h * k.step, gain_bar[which]);
            }
    }
}

/* One head. */
static void head_tangent(const struct psw_headnorm_dims *d, const float *w, const float *w_dot,
                         float *x, float *x_dot)
{
    const int64_t D = d->qkv.head_width;
    const double rstd = rstd_of(d, x);
    const double along = psw_reference_inner(D, x_dot, x) * rstd / (double)D;
    for (int64_t i = 0; i < D; i++) {
        const double h = x[i] * rstd, h_dot = rstd * (x_dot[i] - h * along);
        x[i] = (float)(h * w[i]);
        x_dot[i] = (float)(h_dot * w[i] + h * w_dot[i]);
    }
}

static void tangent(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_headnorm_param p_dot, float *qkv)
{
    const float *gain[N_KIND] = {p.q, p.k}, *gain_dot[N_KIND] = {p_dot.q, p_dot.k};
    (void)exec;
    for (int which = 0; which < N_KIND; which++) {
        const struct kind k = kind_of(&d.qkv, which);
        for (int64_t t = 0; t < d.n_tok; t++)
            for (int64_t h = 0; h < k.n; h++) {
                float *x = qkv + t * d.qkv.row + k.first + h * k.step;
                head_tangent(&d, gain[which], gain_dot[which], x, x + d.n_tok * d.qkv.row);
            }
    }
}

const struct psw_headnorm_ops psw_reference_headnorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
