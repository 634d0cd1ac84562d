/* Explicit gradients, one backward pass per component from one retained forward pass, at the
 * cosine cadence. For total and what adds up to it also: the derivative of every response of D'
 * along the gradient (one tangent pass, giving G_se_final), and a small step on a throw-away
 * copy. */
#include "trace_internal.h"

#include <posweep/trace/reduce.h>

#include <math.h>
#include <string.h>

/* Components along which a throw-away step is taken: total, and what adds up to it. total comes
 * first: its gradient sets eta. */
static int is_part(int component)
{
    static const uint32_t PARTS = 1u << PSW_C_TOTAL | 1u << PSW_C_POS | 1u << PSW_C_NEG |
                                  1u << PSW_C_NLL | 1u << PSW_C_KL | 1u << PSW_C_ENTROPY |
                                  1u << PSW_C_VALUE;
    return PARTS >> component & 1;
}

/* Mean over the responses of D' of x, each weighted as v weighs it, with its clustered error.
 */
static struct psw_mean final_mean(const struct psw_tracer *t, const double *x)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_seq = psw_shards_n_seq(t->final.example, t->final.n);
    double *y = psw_arena_f64(t->arena, n_seq);
    uint64_t *cluster = psw_arena_alloc(t->arena, sizeof *cluster * (size_t)n_seq);
    for (int64_t i = 0, q = 0; y && i < t->final.n; i++)
        for (int s = 0; s < t->final.example[i]->n_seq; s++, q++) {
            y[q] = t->per_token ? x[q] / t->final.example[i]->n_response[s] : x[q];
            cluster[q] = t->final.example[i]->prompt_key;
        }
    const struct psw_mean m = psw_cluster_mean(n_seq, y, cluster, t->arena);
    psw_arena_rewind(t->arena, mark);
    return m;
}

/* G_se_final: the spread over D' of <-grad log pi(y'), grad L>. */
static double error_through_final(const struct psw_tracer *t, const float *param,
                                  const float *grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.temperature = 1.0;
    psw_shards_pack(&pass, t->final.example, t->final.n);
    double *dot = psw_arena_f64(t->arena, pass.n_seq);
    psw_shards_tangent(&pass, param, grad);
    psw_shards_sum_logp_dot(&pass, dot);
    const double se = final_mean(t, dot).se;
    psw_arena_rewind(t->arena, mark);
    return se;
}

/* The step that makes total's part eta ||theta|| long. */
static double step_factor(const struct psw_tracer *t, const float *param, double grad_norm)
{
    const int64_t n_param = psw_model_n_param(t->model);
    const double size = sqrt(psw_slices_dot(t->team->comm, param, param, n_param));
    return grad_norm > 0 ? t->eta * size / grad_norm : 0;
}

/* A step against the gradient on a copy: predicted and realised change of the mean
 * log-probability of D'. */
static void throw_away_step(const struct psw_tracer *t, const float *param, int component,
                            const float *grad, struct psw_trace_point *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_param = psw_model_n_param(t->model);
    float *moved = psw_arena_f32(t->arena, n_param);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.temperature = 1.0;
    psw_shards_pack(&pass, t->final.example, t->final.n);
    double *logp = psw_arena_f64(t->arena, pass.n_seq);
    const float eta = (float)out->eta;
    for (int64_t i = 0; moved && i < n_param; i++) moved[i] = param[i] - eta * grad[i];
    psw_shards_evaluate(&pass, moved);
    psw_shards_sum_logp(&pass, logp);
    const double mean = final_mean(t, logp).mean;
    out->predicted[component] = out->eta * out->g_explicit[component];
    out->realised[component] = mean - out->final_logp;
    psw_arena_rewind(t->arena, mark);
}

void psw_trace_explicit(const struct psw_tracer *t, const struct psw_trace_at *at,
                        const float *v, const struct psw_probe *p, struct psw_trace_point *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_trace_kind *kind = psw_trace_kind_of(t);
    const uint32_t exists = kind->components(t);
    const int64_t n_param = psw_model_n_param(t->model);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.want = p->want;
    psw_shards_pack(&pass, t->probe.example, t->probe.n);
    psw_shards_forward(&pass, at->param);
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        if (!(exists & (1u << k))) continue;
        kind->gradient(t, &pass, at, p, k);
        float *grad = NULL;
        if (!psw_trace_is_dry(t)) {
            grad = psw_tree_reduce(t->team->comm, t->tree);
            out->grad_norm[k] = sqrt(psw_slices_dot(t->team->comm, grad, grad, n_param));
            out->g_explicit[k] = psw_slices_dot(t->team->comm, grad, v, n_param);
            const double size = out->grad_norm[k] * out->v_norm;
            out->cosine[k] = size > 0 ? out->g_explicit[k] / size : NAN;
            if (is_part(k)) psw_slices_gather(t->team->comm, grad, n_param);
            if (k == PSW_C_TOTAL) out->eta = step_factor(t, at->param, out->grad_norm[k]);
        }
        if (k == PSW_C_TOTAL) out->g_se_final[k] = error_through_final(t, at->param, grad);
        if (is_part(k)) throw_away_step(t, at->param, k, grad, out);
    }
    out->interaction = out->realised[PSW_C_TOTAL];
    for (int k = PSW_C_TOTAL + 1; k < PSW_N_COMPONENT; k++)
        if ((exists & (1u << k)) && is_part(k)) out->interaction -= out->realised[k];
    psw_arena_rewind(t->arena, mark);
}
