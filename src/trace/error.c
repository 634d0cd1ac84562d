/* The error of G through the finite D': the derivative of every response of D' along the
 * gradient of a component, by one tangent pass; their spread over prompts is the error of the
 * inner product of that gradient with v. Likewise of what soft targets give.
 *
 * pos and neg have a pass each. Their contrast is their difference, response by response, and
 * total their sum where nothing else is in the loss; otherwise total has a pass, too. */
#include "trace_internal.h"

#include <math.h>

static const uint32_t EXTRA =
    1u << PSW_C_NLL | 1u << PSW_C_KL | 1u << PSW_C_ENTROPY | 1u << PSW_C_VALUE;

int psw_trace_error_needs(uint32_t exists, int component)
{
    if (component == PSW_C_TOTAL) return (exists & EXTRA) != 0;
    return component == PSW_C_POS || component == PSW_C_NEG;
}

struct psw_mean psw_trace_final_mean(const struct psw_tracer *t, const double *x)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_seq = psw_shards_n_seq(t->final.example, t->final.n);
    double *y = psw_arena_f64(t->arena, n_seq);
    uint64_t *cluster = psw_arena_alloc(t->arena, sizeof *cluster * (size_t)n_seq);
    for (int64_t i = 0, q = 0; y && i < t->final.n; i++)
        for (int s = 0; s < t->final.example[i]->n_seq; s++, q++) {
            y[q] = t->how.per_token ? x[q] / t->final.example[i]->n_response[s] : x[q];
            cluster[q] = t->final.example[i]->prompt_key;
        }
    const struct psw_mean m = psw_cluster_mean(n_seq, y, cluster, t->arena);
    psw_arena_rewind(t->arena, mark);
    return m;
}

void psw_trace_error_init(const struct psw_tracer *t, struct psw_trace_error *e)
{
    e->n_seq = psw_shards_n_seq(t->final.example, t->final.n);
    e->hard = psw_arena_f64(t->arena, PSW_N_ERROR * e->n_seq);
    e->soft = psw_arena_f64(t->arena, PSW_N_ERROR * e->n_seq);
}

void psw_trace_error_take(const struct psw_tracer *t, const float *param, const float *grad,
                          int component, struct psw_trace_error *e)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_final_shards(t);
    const int64_t at = component * e->n_seq;
    psw_shards_tangent(&pass, param, grad);
    psw_shards_sum_logp_dot(&pass, e->hard ? e->hard + at : NULL);
    if (t->soft) psw_shards_sum_soft_dot(&pass, e->soft ? e->soft + at : NULL);
    psw_arena_rewind(t->arena, mark);
}

/* Standard errors of total, pos, neg and the contrast. */
static void spread(const struct psw_tracer *t, int has_total, int64_t n, double *x, double *se)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    double *total = x, *pos = x ? x + PSW_C_POS * n : NULL;
    double *neg = x ? x + PSW_C_NEG * n : NULL; /* NULL: the arena measures */
    double *contrast = psw_arena_f64(t->arena, n);
    for (int64_t q = 0; contrast && q < n; q++) {
        if (!has_total) total[q] = pos[q] + neg[q];
        contrast[q] = pos[q] - neg[q];
    }
    se[PSW_C_TOTAL] = psw_trace_final_mean(t, total).se;
    se[PSW_C_POS] = psw_trace_final_mean(t, pos).se;
    se[PSW_C_NEG] = psw_trace_final_mean(t, neg).se;
    se[PSW_C_POS_MINUS_NEG] = psw_trace_final_mean(t, contrast).se;
    psw_arena_rewind(t->arena, mark);
}

void psw_trace_error_finish(const struct psw_tracer *t, uint32_t exists,
                            struct psw_trace_error *e, struct psw_trace_point *out)
{
    static const int HAVE[] = {PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG, PSW_C_POS_MINUS_NEG};
    const int has_total = psw_trace_error_needs(exists, PSW_C_TOTAL);
    spread(t, has_total, e->n_seq, e->hard, out->g.se_final);
    if (!t->soft) return;
    spread(t, has_total, e->n_seq, e->soft, out->soft.se_final);
    /* Where v_soft is exactly 0, what the tangent finds is rounding. */
    for (int i = 0; i < 4; i++)
        if (out->v.soft_norm == 0) out->soft.se_final[HAVE[i]] = 0;
}
