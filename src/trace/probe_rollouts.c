/* Probes of a step's own samples: every token has a weight of its own, and the entropy and the
 * value of a row may have one too. At fresh rollouts the ratio is 1 and nothing is clipped. */
#include "trace_internal.h"

#include <posweep/objective/clustered_mean.h>

#include <math.h>

static uint32_t components(const struct psw_tracer *t)
{
    return psw_components_onpolicy_of(&t->rollouts->opts);
}

static unsigned want_of(const struct psw_onpolicy_opts *opts)
{
    unsigned want = PSW_WANT_LOGP;
    if (opts->entropy_coef > 0) want |= PSW_WANT_ENTROPY;
    if (opts->shared_critic) want |= PSW_WANT_VALUE;
    return want;
}

static void probe_init(const struct psw_tracer *t, struct psw_probe *p)
{
    const int64_t n = t->probe.n, n_row = psw_shards_n_row(t->probe.example, n);
    *p = (struct psw_probe){.n = n,
                            .want = want_of(&t->rollouts->opts),
                            .rows.n = n_row,
                            .rows.logp = psw_arena_f64(t->arena, n_row),
                            .rows.value = psw_arena_f64(t->arena, n_row),
                            .rows.kappa = psw_arena_f64(t->arena, n_row),
                            .rows.entropy_kappa = psw_arena_f64(t->arena, n_row),
                            .rows.value_kappa = psw_arena_f64(t->arena, n_row),
                            .rows.coef = psw_arena_f64(t->arena, PSW_N_COMPONENT * n_row),
                            .rows.entropy_weight = psw_arena_f64(t->arena, n_row),
                            .rows.value_weight = psw_arena_f64(t->arena, n_row),
                            .cluster = psw_arena_alloc(t->arena, sizeof(uint64_t) * (size_t)n),
                            .rows.mean_entropy = NAN};
    for (int64_t i = 0; p->cluster && i < n; i++)
        p->cluster[i] = t->probe.example[i]->prompt_key;
}

/* Minus the derivative of a quantity of every row. */
static void gather_kappa(struct psw_shards *pass, enum psw_row_value dot, double *kappa,
                         int64_t n_row)
{
    psw_shards_gather(pass, dot, kappa);
    for (int64_t r = 0; kappa && r < n_row; r++) kappa[r] = -kappa[r];
}

static void tangent(const struct psw_tracer *t, const float *param, const float *v,
                    struct psw_probe *p, struct psw_trace_tokens *tokens)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.want = p->want;
    psw_shards_pack(&pass, t->probe.example, t->probe.n);
    psw_shards_tangent(&pass, param, v);
    psw_shards_gather(&pass, PSW_ROW_LOGP, p->rows.logp);
    gather_kappa(&pass, PSW_ROW_LOGP_DOT, p->rows.kappa, p->rows.n);
    if (p->want & PSW_WANT_ENTROPY) {
        psw_shards_gather(&pass, PSW_ROW_ENTROPY, p->rows.entropy_kappa);
        double sum = 0;
        for (int64_t r = 0; p->rows.entropy_kappa && r < p->rows.n; r++)
            sum += p->rows.entropy_kappa[r];
        p->rows.mean_entropy = sum / (double)p->rows.n;
        gather_kappa(&pass, PSW_ROW_ENTROPY_DOT, p->rows.entropy_kappa, p->rows.n);
    }
    if (p->want & PSW_WANT_VALUE) {
        psw_shards_gather(&pass, PSW_ROW_VALUE, p->rows.value);
        gather_kappa(&pass, PSW_ROW_VALUE_DOT, p->rows.value_kappa, p->rows.n);
    }
    if (tokens) psw_trace_gather_tokens(&pass, tokens);
    psw_arena_rewind(t->arena, mark);
}

static psw_status coefficients(const struct psw_tracer *t, const struct psw_trace_at *at,
                               struct psw_probe *p, struct psw_trace_point *out,
                               struct psw_error *err)
{
    const struct psw_trace_rollouts *r = t->rollouts;
    const struct psw_onpolicy_probe probe = {.rows = &r->rows,
                                             .advantage = r->advantage,
                                             .raw = r->raw,
                                             .logp = p->rows.logp,
                                             .ref = r->ref};
    const struct psw_components_key key = {t->how.seed, at->checkpoint};
    const psw_status rc =
        psw_components_onpolicy(&r->opts, &probe, key, t->arena, p->rows.coef, err);
    if (psw_trace_is_dry(t) || rc != PSW_OK) return rc;
    for (int64_t i = 0; i < p->rows.n; i++)
        p->rows.entropy_weight[i] = r->opts.entropy_coef / (double)p->rows.n;
    if (p->want & PSW_WANT_VALUE)
        psw_value_loss(&r->opts, p->rows.n, p->rows.value, p->rows.value, r->ret,
                       p->rows.value_weight);
    out->entropy = p->rows.mean_entropy;
    return PSW_OK;
}

/* Which quantities beside log pi a component weighs. */
static unsigned parts_of(const struct psw_probe *p, int component)
{
    const int whole = component == PSW_C_TOTAL || component == PSW_C_TOTAL_FLAT;
    unsigned parts = PSW_WANT_LOGP;
    if (whole || component == PSW_C_ENTROPY) parts |= p->want & PSW_WANT_ENTROPY;
    if (whole || component == PSW_C_VALUE) parts |= p->want & PSW_WANT_VALUE;
    return parts;
}

/* What the rows [begin, end) contribute to G of a component. */
static double contribution(const struct psw_probe *p, int component, int64_t begin, int64_t end)
{
    const double *coef = p->rows.coef + component * p->rows.n;
    const unsigned parts = parts_of(p, component);
    double sum = 0;
    for (int64_t r = begin; r < end; r++) {
        sum += coef[r] * p->rows.kappa[r];
        if (parts & PSW_WANT_ENTROPY)
            sum += p->rows.entropy_weight[r] * p->rows.entropy_kappa[r];
        if (parts & PSW_WANT_VALUE) sum += p->rows.value_weight[r] * p->rows.value_kappa[r];
    }
    return sum;
}

/* G is a sum over prompts; psw_component_reduce takes means, hence the factor. */
static void reduce(const struct psw_tracer *t, const struct psw_probe *p, double *g,
                   double *g_se)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_rollout_rows *rows = &t->rollouts->rows;
    double *x = psw_arena_f64(t->arena, PSW_N_COMPONENT * p->n);
    double *ones = psw_arena_f64(t->arena, p->n);
    const uint32_t exists = components(t);
    for (int64_t i = 0; x && i < p->n; i++) {
        const int64_t begin = rows->seq_row[i * rows->n_sample];
        const int64_t end = rows->seq_row[(i + 1) * rows->n_sample];
        ones[i] = 1;
        for (int k = 0; k < PSW_N_COMPONENT; k++)
            x[k * p->n + i] =
                exists >> k & 1 ? (double)p->n * contribution(p, k, begin, end) : 0;
    }
    const struct psw_reduce_in in = {.n_component = PSW_N_COMPONENT,
                                     .n_item = p->n,
                                     .n_side = 1,
                                     .exists = exists,
                                     .coef = x,
                                     .kappa = ones,
                                     .cluster = p->cluster};
    psw_component_reduce(&in, t->arena, g, g_se);
    psw_arena_rewind(t->arena, mark);
}

static void summarise(const struct psw_tracer *t, const struct psw_trace_at *at,
                      const struct psw_probe *p, struct psw_trace_point *out)
{
    double n[2] = {0, 0}, n_positive[2] = {0, 0};
    for (int64_t r = 0; r < p->rows.n; r++) {
        const int negative = t->rollouts->advantage[r] < 0;
        n[negative]++;
        n_positive[negative] += p->rows.kappa[r] > 0;
    }
    out->kappa.pos_positive = n_positive[0] / n[0];
    out->kappa.neg_positive = n_positive[1] / n[1];
    for (int64_t r = 0; at->tokens && r < p->rows.n; r++)
        at->tokens->weight[r] = (float)p->rows.coef[PSW_C_TOTAL * p->rows.n + r];
}

/* Held-out pairs mean nothing to a method that knows no pairs. */
static psw_status heldout(const struct psw_tracer *t, const float *param,
                          struct psw_trace_point *out, struct psw_error *err)
{
    (void)t, (void)param, (void)out, (void)err;
    return PSW_OK;
}

static void gradient(const struct psw_tracer *t, struct psw_shards *pass,
                     const struct psw_trace_at *at, const struct psw_probe *p, int component)
{
    const unsigned parts = parts_of(p, component);
    const struct psw_shards_weights weight = {
        .logp = p->rows.coef ? p->rows.coef + component * p->rows.n : NULL,
        .entropy = parts & PSW_WANT_ENTROPY ? p->rows.entropy_weight : NULL,
        .value = parts & PSW_WANT_VALUE ? p->rows.value_weight : NULL};
    psw_shards_backward_rows(pass, at->param, weight, t->tree);
}

const struct psw_trace_kind PSW_TRACE_ROLLOUTS = {.components = components,
                                                  .init = probe_init,
                                                  .tangent = tangent,
                                                  .coefficients = coefficients,
                                                  .reduce = reduce,
                                                  .summarise = summarise,
                                                  .heldout = heldout,
                                                  .gradient = gradient};
