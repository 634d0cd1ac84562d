/* Probes of preference pairs: every token of a response has the response's weight, so sums over
 * the tokens of each response are all that is kept. */
#include "trace_internal.h"

#include <posweep/objective/clustered_mean.h>
#include <posweep/objective/metrics.h>

#include <math.h>

static uint32_t components(const struct psw_tracer *t)
{
    return psw_components_of(t->pairs.opts.method);
}

static void probe_init(const struct psw_tracer *t, struct psw_probe *p)
{
    *p = (struct psw_probe){.n = t->probe.n};
    p->pairs.logp = psw_arena_f64(t->arena, 2 * p->n);
    p->pairs.logp_dot = psw_arena_f64(t->arena, 2 * p->n);
    p->pairs.n_falling = psw_arena_f64(t->arena, 2 * p->n);
    p->pairs.n_tok = psw_arena_i64(t->arena, 2 * p->n);
    p->cluster = psw_arena_alloc(t->arena, sizeof(uint64_t) * (size_t)p->n);
    p->pairs.coef = psw_arena_f64(t->arena, PSW_N_COMPONENT * 2 * p->n);
    for (int64_t i = 0; p->pairs.n_tok && i < p->n; i++) {
        const struct psw_example *e = t->probe.example[i];
        p->cluster[i] = e->prompt_key;
        for (int s = 0; s < 2; s++) p->pairs.n_tok[2 * i + s] = e->n_response[s];
    }
}

/* One tangent pass over the probe along v: fills logp and logp_dot, and the tokens if wanted.
 */
static void probe_tangent(const struct psw_tracer *t, const float *param, const float *v,
                          struct psw_probe *p, struct psw_trace_tokens *tokens)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    psw_shards_pack(&pass, t->probe.example, t->probe.n);
    psw_shards_tangent(&pass, param, v);
    psw_shards_sum_logp(&pass, p->pairs.logp);
    psw_shards_sum_logp_dot(&pass, p->pairs.logp_dot);
    psw_shards_count_falling(&pass, p->pairs.n_falling);
    if (tokens) psw_trace_gather_tokens(&pass, tokens);
    psw_arena_rewind(t->arena, mark);
}

/* G along the direction of the last tangent pass. */
static void reduce_g(const struct psw_tracer *t, const struct psw_probe *p, double *g,
                     double *g_se)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    double *kappa = psw_arena_f64(t->arena, 2 * p->n);
    for (int64_t i = 0; kappa && i < 2 * p->n; i++) kappa[i] = -p->pairs.logp_dot[i];
    const struct psw_reduce_in in = {.n_component = PSW_N_COMPONENT,
                                     .n_item = p->n,
                                     .n_side = 2,
                                     .exists = components(t),
                                     .coef = p->pairs.coef,
                                     .kappa = kappa,
                                     .cluster = p->cluster};
    psw_component_reduce(&in, t->arena, g, g_se);
    psw_arena_rewind(t->arena, mark);
}

/* Every token of a response has the response's weight. */
static void weigh_tokens(const struct psw_probe *p, struct psw_trace_tokens *tokens)
{
    const double *coef = p->pairs.coef + (int64_t)PSW_C_TOTAL * 2 * p->n;
    int64_t row = 0;
    for (int64_t q = 0; q < 2 * p->n; q++)
        for (int64_t r = 0; r < p->pairs.n_tok[q]; r++)
            tokens->weight[row++] = (float)(coef[q] / (double)p->n);
}

/* Which pairs have the same response on both sides; in the arena. */
static const uint8_t *equal_responses(const struct psw_tracer *t,
                                      const struct psw_trace_set *set)
{
    uint8_t *is_equal = psw_arena_alloc(t->arena, (size_t)set->n);
    for (int64_t i = 0; is_equal && i < set->n; i++)
        is_equal[i] = (uint8_t)psw_response_equal(set->example[i], 0, set->example[i], 1);
    return is_equal;
}

static psw_status probe_coefficients(const struct psw_tracer *t, const struct psw_trace_at *at,
                                     struct psw_probe *p, struct psw_trace_point *out,
                                     struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_pair_in in = {.n_pair = p->n,
                                   .logp = p->pairs.logp,
                                   .ref = t->pairs.ref,
                                   .n_tok = p->pairs.n_tok,
                                   .is_equal = equal_responses(t, &t->probe)};
    psw_status rc = psw_components_pairwise(
        &t->pairs.opts, &in, (struct psw_components_key){t->how.seed, at->checkpoint}, t->arena,
        p->pairs.coef, err);
    struct psw_pair_out o = {.loss = psw_arena_f64(t->arena, p->n),
                             .score = psw_arena_f64(t->arena, 2 * p->n),
                             .omega = psw_arena_f64(t->arena, p->n)};
    if (!psw_trace_is_dry(t) && rc == PSW_OK)
        rc = psw_objective_pairwise(&t->pairs.opts, &in, &o, err);
    if (!psw_trace_is_dry(t) && rc == PSW_OK) {
        const struct psw_pair_metrics m = psw_pair_metrics_of(&t->pairs.opts, &in, &o);
        out->probe.loss = m.loss;
        out->probe.margin = m.margin;
        out->probe.accuracy = m.accuracy;
        out->omega = m.omega;
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static psw_status measure_heldout(const struct psw_tracer *t, const float *param,
                                  struct psw_trace_point *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n = t->pairs.heldout.n;
    if (n == 0) return rc;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    psw_shards_pack(&pass, t->pairs.heldout.example, n);
    double *logp = psw_arena_f64(t->arena, 2 * n);
    int64_t *n_tok = psw_arena_i64(t->arena, 2 * n);
    const uint8_t *is_equal = equal_responses(t, &t->pairs.heldout);
    struct psw_pair_out o = {.loss = psw_arena_f64(t->arena, n),
                             .score = psw_arena_f64(t->arena, 2 * n),
                             .omega = psw_arena_f64(t->arena, n)};
    psw_shards_evaluate(&pass, param);
    psw_shards_sum_logp(&pass, logp);
    if (!psw_trace_is_dry(t)) {
        for (int64_t i = 0; i < 2 * n; i++)
            n_tok[i] = t->pairs.heldout.example[i / 2]->n_response[i % 2];
        const struct psw_pair_in in = {.n_pair = n,
                                       .logp = logp,
                                       .ref = t->pairs.heldout_ref,
                                       .n_tok = n_tok,
                                       .is_equal = is_equal};
        rc = psw_objective_pairwise(&t->pairs.opts, &in, &o, err);
        const struct psw_pair_metrics m = psw_pair_metrics_of(&t->pairs.opts, &in, &o);
        out->heldout.loss = m.loss;
        out->heldout.margin = m.margin;
        out->heldout.accuracy = m.accuracy;
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static double mean_kappa(const struct psw_probe *p, int side)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) sum -= p->pairs.logp_dot[2 * i + side] / (double)p->n;
    return sum;
}

static double share_positive(const struct psw_probe *p, int side)
{
    double n_positive = 0, n_tok = 0;
    for (int64_t i = 0; i < p->n; i++) {
        n_positive += p->pairs.n_falling[2 * i + side];
        n_tok += (double)p->pairs.n_tok[2 * i + side];
    }
    return n_positive / n_tok;
}

static void summarise(const struct psw_tracer *t, const struct psw_trace_at *at,
                      const struct psw_probe *p, struct psw_trace_point *out)
{
    (void)t;
    if (at->tokens) weigh_tokens(p, at->tokens);
    out->kappa.chosen = mean_kappa(p, PSW_CHOSEN);
    out->kappa.rejected = mean_kappa(p, PSW_REJECTED);
    out->kappa.chosen_positive = share_positive(p, PSW_CHOSEN);
    out->kappa.rejected_positive = share_positive(p, PSW_REJECTED);
}

static void gradient(const struct psw_tracer *t, struct psw_shards *pass,
                     const struct psw_trace_at *at, const struct psw_probe *p, int component)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    double *weight = psw_arena_f64(t->arena, 2 * p->n);
    for (int64_t q = 0; weight && q < 2 * p->n; q++)
        weight[q] = p->pairs.coef[(int64_t)component * 2 * p->n + q] / (double)p->n;
    if (at->cosine)
        psw_shards_backward(pass, at->param, weight, t->tree);
    else /* few components: activations of all shards are not kept for them */
        psw_shards_nll(pass, at->param, weight, t->tree);
    psw_arena_rewind(t->arena, mark);
}

const struct psw_trace_kind PSW_TRACE_PAIRS = {.components = components,
                                               .init = probe_init,
                                               .tangent = probe_tangent,
                                               .coefficients = probe_coefficients,
                                               .reduce = reduce_g,
                                               .summarise = summarise,
                                               .heldout = measure_heldout,
                                               .gradient = gradient};
