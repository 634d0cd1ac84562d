/* The directions that come from D': v over all of it and over its halves, v_soft, and what soft
 * targets are made of. */
#include "trace_internal.h"

#include <math.h>
#include <posweep/kernels/backend.h>

static void copy(const struct psw_tracer *t, int64_t n, const float *from, float *to)
{
    psw_exec_backend(t->exec)->buffer->copy(t->exec, n, from, to);
}

/* Weight of every response of a set in a mean over n_used responses; v has the mean over tokens
 * of each response where the tracer says so. */
static void weigh(const struct psw_tracer *t, struct psw_trace_set set, int chosen_only,
                  int64_t n_used, double *weight)
{
    for (int64_t i = 0, q = 0; weight && i < set.n; i++)
        for (int s = 0; s < set.example[i]->n_seq; s++, q++) {
            weight[q] = chosen_only && s != PSW_CHOSEN ? 0.0 : 1.0 / (double)n_used;
            if (t->how.per_token) weight[q] /= set.example[i]->n_response[s];
        }
}

/* The tree's gradient, whole on every rank; NULL in a dry walk. */
static float *complete(const struct psw_tracer *t)
{
    if (psw_trace_is_dry(t)) return NULL;
    float *sum = psw_tree_reduce(t->team->comm, t->tree);
    psw_slices_gather(t->team->comm, t->exec, sum, psw_model_n_param(t->model));
    return sum;
}

/* Sum over the responses of a set of -grad log pi / n_used, at temperature 1; valid until the
 * tree is used again. The same sum of log pi is added to *mean_logp. */
static float *gradient_over(const struct psw_tracer *t, struct psw_trace_set set,
                            int chosen_only, int64_t n_used, const float *param,
                            double *mean_logp)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.temperature = 1.0;
    psw_shards_pack(&pass, set.example, set.n);
    double *weight = psw_arena_f64(t->arena, pass.n_seq);
    double *logp = psw_arena_f64(t->arena, pass.n_seq);
    weigh(t, set, chosen_only, n_used, weight);
    psw_shards_nll(&pass, param, weight, t->tree);
    psw_shards_sum_logp(&pass, logp);
    for (int64_t q = 0; logp && q < pass.n_seq; q++) *mean_logp += logp[q] * weight[q];
    float *sum = complete(t);
    psw_arena_rewind(t->arena, mark);
    return sum;
}

void psw_trace_direction(const struct psw_tracer *t, struct psw_trace_set set, int chosen_only,
                         const float *param, float *v)
{
    double unused = 0;
    const int64_t n_used = chosen_only ? set.n : psw_shards_n_seq(set.example, set.n);
    const float *sum = gradient_over(t, set, chosen_only, n_used, param, &unused);
    if (sum) copy(t, psw_model_n_param(t->model), sum, v);
}

void psw_trace_v(const struct psw_tracer *t, const struct psw_trace_at *at, float *v,
                 struct psw_trace_point *out)
{
    const float *param = at->param;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_param = psw_model_n_param(t->model), n = t->final.n, half = n / 2;
    const struct psw_trace_set a = {t->final.example, half},
                               b = {t->final.example + half, n - half};
    const int64_t n_a = psw_shards_n_seq(a.example, a.n),
                  n_b = psw_shards_n_seq(b.example, b.n);
    float *v_a = psw_arena_f32(t->arena, n_param);
    double mean_logp = 0;
    const float *sum = half ? gradient_over(t, a, 0, n_a + n_b, param, &mean_logp) : NULL;
    if (sum)
        copy(t, n_param, sum, v_a);
    else if (v_a)
        psw_exec_backend(t->exec)->buffer->fill(t->exec, n_param, 0.0f, v_a);
    sum = gradient_over(t, b, 0, n_a + n_b, param, &mean_logp);
    if (sum) {
        const double n_seq = (double)(n_a + n_b),
                     scale = n_seq * n_seq / (double)n_a / (double)n_b;
        copy(t, n_param, v_a, v);
        psw_exec_backend(t->exec)->vector->add(t->exec, n_param, sum, v);
        out->v.norm = sqrt(psw_slices_dot(t->team->comm, t->exec, v, v, n_param));
        if (half)
            out->v.halves = scale * psw_slices_dot(t->team->comm, t->exec, v_a, sum, n_param);
        out->v.final_logp = mean_logp;
    }
    if (at->sketch) {
        psw_trace_sketch_put(t, at->sketch, v_a, at->sketch->v_half);
        psw_trace_sketch_put(t, at->sketch, v, at->sketch->v);
    }
    psw_arena_rewind(t->arena, mark);
}

double psw_trace_final_logp(const struct psw_tracer *t, const float *param)
{
    struct psw_trace_point point = {.v.final_logp = NAN};
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_trace_at at = {.param = param};
    psw_trace_v(t, &at, psw_arena_f32(t->arena, psw_model_n_param(t->model)), &point);
    psw_arena_rewind(t->arena, mark);
    return point.v.final_logp;
}

struct psw_shards psw_trace_final_shards(const struct psw_tracer *t)
{
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.temperature = 1.0;
    pass.opts.want = PSW_WANT_LOGP;
    if (t->soft) {
        pass.opts.want |= PSW_WANT_SOFT;
        pass.opts.soft =
            (struct psw_soft_target){t->soft->hidden, t->soft->head, t->soft->draw};
    }
    psw_shards_pack(&pass, t->final.example, t->final.n);
    return pass;
}

void psw_trace_v_soft(const struct psw_tracer *t, const float *param, float *v_soft)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_final_shards(t);
    double *weight = psw_arena_f64(t->arena, pass.n_seq);
    weigh(t, t->final, 0, pass.n_seq, weight);
    psw_shards_soft_nll(&pass, param, weight, t->tree);
    const float *sum = complete(t);
    if (sum) copy(t, psw_model_n_param(t->model), sum, v_soft);
    psw_arena_rewind(t->arena, mark);
}

void psw_trace_soft_init(const struct psw_tracer *t, const float *param,
                         struct psw_draw_opts draw, struct psw_trace_soft *out)
{
    const struct psw_model_layout *layout = psw_model_layout(t->model);
    const int64_t C = layout->d.C, n_head = layout->d.V * C;
    struct psw_tracer hard = *t; /* the target is not yet there */
    hard.soft = NULL;
    const struct psw_arena_mark before = psw_arena_mark(t->arena);
    const int64_t n_row = psw_trace_final_shards(&hard).local.n_row;
    psw_arena_rewind(t->arena, before);
    out->draw = draw;
    out->hidden = psw_arena_f32(t->arena, n_row * C);
    out->head = psw_arena_f32(t->arena, n_head);
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_final_shards(&hard);
    psw_shards_hidden(&pass, param, out->hidden);
    psw_arena_rewind(t->arena, mark);
    if (out->head) copy(t, n_head, param + layout->head, out->head);
}
