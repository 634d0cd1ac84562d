/* RMS normalisation of the heads of queries and keys, where they stand. */
#include "cpu.h"
#include "rms_row.h"

/* Where head i of a token stands in its row: queries first, then keys. */
static int64_t head_at(const struct psw_qkv *l, int64_t i)
{
    return i < l->n_head ? l->q + i * l->q_step : l->k + (i - l->n_head) * l->kv_step;
}

static void forward(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_rmsnorm_saved saved, float *qkv)
{
    (void)exec;
    const int64_t n = d.qkv.n_head + d.qkv.n_kv_head, D = d.qkv.head_width;
    for (int64_t t = 0; t < d.n_tok; t++)
        for (int64_t i = 0; i < n; i++) {
            float *x = qkv + t * d.qkv.row + head_at(&d.qkv, i);
            const float rstd = saved.rstd[t * n + i] = rms_rstd(D, d.eps, x);
            rms_row_forward(D, i < d.qkv.n_head ? p.q : p.k, x, rstd,
                            saved.x_hat + (t * n + i) * D, x);
        }
}

static void backward(struct psw_exec *exec, struct psw_headnorm_dims d,
                     struct psw_headnorm_param p, struct psw_rmsnorm_saved saved,
                     float *qkv_bar, struct psw_headnorm_grad grad)
{
    (void)exec;
    const int64_t n = d.qkv.n_head + d.qkv.n_kv_head, D = d.qkv.head_width;
    for (int64_t t = 0; t < d.n_tok; t++)
        for (int64_t i = 0; i < n; i++) {
            const int is_q = i < d.qkv.n_head;
            const float *w = is_q ? p.q : p.k, *x_hat = saved.x_hat + (t * n + i) * D;
            const float rstd = saved.rstd[t * n + i];
            float *bar = qkv_bar + t * d.qkv.row + head_at(&d.qkv, i);
            const float along =
                rms_gain_backward(D, w, x_hat, bar, is_q ? grad.q_bar : grad.k_bar);
            for (int64_t j = 0; j < D; j++)
                bar[j] = rstd * PSW_FMAF(-along, x_hat[j], w[j] * bar[j]);
        }
}

static void tangent(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_headnorm_param p_dot, float *qkv)
{
    (void)exec;
    for (int64_t t = 0; t < d.n_tok; t++)
        for (int64_t i = 0; i < d.qkv.n_head + d.qkv.n_kv_head; i++) {
            const int is_q = i < d.qkv.n_head;
            float *x = qkv + t * d.qkv.row + head_at(&d.qkv, i);
            float *x_dot = x + d.n_tok * d.qkv.row;
            rms_row_tangent(d.qkv.head_width, d.eps, is_q ? p.q : p.k, is_q ? p_dot.q : p_dot.k,
                            x, x_dot, x, x_dot);
        }
}

const struct psw_headnorm_ops psw_cpu_headnorm = {
    .forward = forward, .backward = backward, .tangent = tangent};
