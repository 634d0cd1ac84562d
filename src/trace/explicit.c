/* Explicit gradients, one backward pass per component from one retained forward pass. At the
 * cosine cadence of all components, with a small step on a throw-away copy along total and what
 * adds up to it; where only the error through D' is wanted, of those that it needs. */
#include "trace_internal.h"

#include <math.h>
#include <posweep/kernels/backend.h>

/* Components along which a throw-away step is taken: total, and what adds up to it. total comes
 * first: its gradient sets eta. */
static const uint32_t PARTS = 1u << PSW_C_TOTAL | 1u << PSW_C_POS | 1u << PSW_C_NEG |
                              1u << PSW_C_NLL | 1u << PSW_C_KL | 1u << PSW_C_ENTROPY |
                              1u << PSW_C_VALUE;

static int is_part(int component)
{
    return PARTS >> component & 1;
}

/* The step that makes total's part eta ||theta|| long. */
static double step_factor(const struct psw_tracer *t, const float *param, double grad_norm)
{
    const int64_t n_param = psw_model_n_param(t->model);
    const double size = sqrt(psw_slices_dot(t->team->comm, t->exec, param, param, n_param));
    return grad_norm > 0 ? t->how.eta * size / grad_norm : 0;
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
    if (moved) { /* param - eta grad, both roundings */
        const struct psw_backend *backend = psw_exec_backend(t->exec);
        backend->buffer->copy(t->exec, n_param, grad, moved);
        backend->vector->scale(t->exec, n_param, -(float)out->step.eta, moved);
        backend->vector->add(t->exec, n_param, param, moved);
    }
    psw_shards_evaluate(&pass, moved);
    psw_shards_sum_logp(&pass, logp);
    const double mean = psw_trace_final_mean(t, logp).mean;
    out->step.predicted[component] = out->step.eta * out->gradient.g[component];
    out->step.realised[component] = mean - out->v.final_logp;
    psw_arena_rewind(t->arena, mark);
}

/* Norm and inner product with v. */
static void take_norms(const struct psw_tracer *t, const float *v, const float *grad, int k,
                       struct psw_trace_point *out)
{
    const int64_t n_param = psw_model_n_param(t->model);
    out->gradient.norm[k] = sqrt(psw_slices_dot(t->team->comm, t->exec, grad, grad, n_param));
    out->gradient.g[k] = psw_slices_dot(t->team->comm, t->exec, grad, v, n_param);
}

/* Sum of the norms of what a component is made of, where that may cancel; else 0. */
static double parts_norm(const struct psw_trace_point *out, uint32_t exists, int component)
{
    static const struct {
        int whole;
        uint32_t parts;
    } SUMS[] = {
        {PSW_C_TOTAL, PARTS & ~(1u << PSW_C_TOTAL)},
        {PSW_C_TOTAL_FLAT, (PARTS & ~(1u << PSW_C_TOTAL | 1u << PSW_C_POS | 1u << PSW_C_NEG)) |
                               1u << PSW_C_POS_FLAT | 1u << PSW_C_NEG_FLAT},
        {PSW_C_POS_MINUS_NEG, 1u << PSW_C_POS | 1u << PSW_C_NEG}};
    double sum = 0;
    for (size_t i = 0; i < sizeof SUMS / sizeof *SUMS; i++)
        for (int k = 0; SUMS[i].whole == component && k < PSW_N_COMPONENT; k++)
            if (SUMS[i].parts & exists & 1u << k) sum += out->gradient.norm[k];
    return sum;
}

/* With v's norm from its halves. A gradient that is what rounding leaves of parts that cancel
 * has no direction. */
static void take_cosines(uint32_t exists, struct psw_trace_point *out)
{
    static const double ROUNDING = 16 * 0x1p-23; /* of sums of float32 gradients */
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        const double norm = out->gradient.norm[k], size = norm * sqrt(fmax(0, out->v.halves));
        const double cosine = size > 0 ? out->gradient.g[k] / size : NAN;
        const int is_rounding = norm <= ROUNDING * parts_norm(out, exists, k);
        out->gradient.cosine[k] = fabs(cosine) <= 1 && !is_rounding ? cosine : NAN;
    }
}

void psw_trace_explicit(const struct psw_tracer *t, const struct psw_trace_kind *kind,
                        const struct psw_trace_at *at, const float *v,
                        const struct psw_probe *p, struct psw_trace_point *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const uint32_t exists = kind->components(t);
    struct psw_trace_error error;
    psw_trace_error_init(t, &error);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.want = p->want;
    psw_shards_pack(&pass, t->probe.example, t->probe.n);
    if (at->cosine || t->rollouts) psw_shards_forward(&pass, at->param);
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        const int in_error = psw_trace_error_needs(exists, k);
        /* top, mid and bot have no G where groups mean nothing */
        const int has_g = psw_trace_is_dry(t) || !isnan(out->g.at[k]);
        if (!(exists >> k & 1) || !has_g || !(at->cosine || in_error)) continue;
        kind->gradient(t, &pass, at, p, k);
        float *grad = NULL;
        if (!psw_trace_is_dry(t)) {
            grad = psw_tree_reduce(t->team->comm, t->tree);
            if (at->cosine) take_norms(t, v, grad, k, out);
            psw_slices_gather(t->team->comm, t->exec, grad, psw_model_n_param(t->model));
            if (k == PSW_C_TOTAL && at->cosine)
                out->step.eta = step_factor(t, at->param, out->gradient.norm[k]);
        }
        if (at->cosine && at->sketch)
            psw_trace_sketch_put(t, at->sketch, grad, psw_trace_sketch_row(at->sketch, k));
        if (in_error) psw_trace_error_take(t, at->param, grad, k, &error);
        if (at->cosine && is_part(k)) throw_away_step(t, at->param, k, grad, out);
    }
    if (at->cosine) take_cosines(exists, out);
    psw_trace_error_finish(t, exists, &error, out);
    if (at->cosine) out->step.interaction = out->step.realised[PSW_C_TOTAL];
    for (int k = PSW_C_TOTAL + 1; at->cosine && k < PSW_N_COMPONENT; k++)
        if ((exists & (1u << k)) && is_part(k)) out->step.interaction -= out->step.realised[k];
    psw_arena_rewind(t->arena, mark);
}
