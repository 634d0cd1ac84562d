/* One point of a trace. Everything lives between two marks of the arena; a measuring arena
 * walks through the same allocations. Collective calls are skipped then (psw_pass does so,
 * too). */
#include "trace_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/objective/metrics.h>
#include <posweep/trace/point.h>
#include <posweep/trace/reduce.h>

#include <math.h>
#include <string.h>

static const char *const DIRECTIONS[PSW_N_DIRECTION] = {"final_a", "final_b", "chosen", "adam"};

const char *psw_direction_name(enum psw_direction direction)
{
    return DIRECTIONS[direction];
}

struct psw_shards psw_trace_shards(const struct psw_tracer *t)
{
    return (struct psw_shards){
        .model = t->model,
        .team = t->team,
        .exec = t->exec,
        .arena = t->arena,
        .opts = {.share_prefix = t->share_prefix, .temperature = t->temperature}};
}

int psw_trace_is_dry(const struct psw_tracer *t)
{
    return psw_arena_is_measuring(t->arena);
}

/* Mean gradient of -log pi over the responses of a set, whole on every rank, at temperature 1.
 */
static void direction_of(const struct psw_tracer *t, struct psw_trace_set set, int chosen_only,
                         const float *param, float *v, double *mean_logp)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    pass.opts.temperature = 1.0;
    psw_shards_pack(&pass, set.example, set.n);
    double *weight = psw_arena_f64(t->arena, pass.n_seq);
    double *logp = psw_arena_f64(t->arena, pass.n_seq);
    int64_t n_used = 0;
    for (int64_t i = 0; weight && i < set.n; i++)
        n_used += chosen_only ? 1 : set.example[i]->n_seq;
    for (int64_t i = 0, q = 0; weight && i < set.n; i++)
        for (int s = 0; s < set.example[i]->n_seq; s++, q++) {
            weight[q] = chosen_only && s != PSW_CHOSEN ? 0.0 : 1.0 / (double)n_used;
            if (t->per_token) weight[q] /= set.example[i]->n_response[s];
        }
    psw_shards_nll(&pass, param, weight, t->tree);
    psw_shards_sum_logp(&pass, logp);
    if (!psw_trace_is_dry(t)) {
        const int64_t n_param = psw_model_n_param(t->model);
        float *sum = psw_tree_reduce(t->team->comm, t->tree);
        psw_slices_gather(t->team->comm, sum, n_param);
        memcpy(v, sum, sizeof(float) * (size_t)n_param);
        double mean = 0;
        for (int64_t q = 0; q < pass.n_seq; q++) mean += logp[q] * weight[q];
        if (mean_logp) *mean_logp = mean;
    }
    psw_arena_rewind(t->arena, mark);
}

static void probe_init(const struct psw_tracer *t, struct psw_probe *p)
{
    *p = (struct psw_probe){.n = t->probe.n};
    p->logp = psw_arena_f64(t->arena, 2 * p->n);
    p->logp_dot = psw_arena_f64(t->arena, 2 * p->n);
    p->n_falling = psw_arena_f64(t->arena, 2 * p->n);
    p->n_tok = psw_arena_i64(t->arena, 2 * p->n);
    p->cluster = psw_arena_alloc(t->arena, sizeof(uint64_t) * (size_t)p->n);
    p->coef = psw_arena_f64(t->arena, PSW_N_COMPONENT * 2 * p->n);
    for (int64_t i = 0; p->n_tok && i < p->n; i++) {
        const struct psw_example *e = t->probe.example[i];
        p->cluster[i] = e->prompt_key;
        for (int s = 0; s < 2; s++) p->n_tok[2 * i + s] = e->n_response[s];
    }
}

void psw_trace_tokens_init(struct psw_trace_tokens *tokens, struct psw_trace_set probe,
                           struct psw_arena *arena)
{
    tokens->n_row = psw_shards_n_row(probe.example, probe.n);
    tokens->logp = psw_arena_f32(arena, tokens->n_row);
    tokens->kappa = psw_arena_f32(arena, tokens->n_row);
    tokens->weight = psw_arena_f32(arena, tokens->n_row);
}

static void gather_tokens(struct psw_shards *pass, struct psw_trace_tokens *tokens)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *row = psw_arena_f64(pass->arena, tokens->n_row);
    psw_shards_gather(pass, PSW_ROW_LOGP, row);
    for (int64_t r = 0; row && r < tokens->n_row; r++) tokens->logp[r] = (float)row[r];
    psw_shards_gather(pass, PSW_ROW_LOGP_DOT, row);
    for (int64_t r = 0; row && r < tokens->n_row; r++) tokens->kappa[r] = (float)-row[r];
    psw_arena_rewind(pass->arena, mark);
}

/* Every token of a response has the response's weight. */
static void weigh_tokens(const struct psw_probe *p, struct psw_trace_tokens *tokens)
{
    const double *coef = p->coef + (int64_t)PSW_C_TOTAL * 2 * p->n;
    int64_t row = 0;
    for (int64_t q = 0; q < 2 * p->n; q++)
        for (int64_t r = 0; r < p->n_tok[q]; r++)
            tokens->weight[row++] = (float)(coef[q] / (double)p->n);
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
    psw_shards_sum_logp(&pass, p->logp);
    psw_shards_sum_logp_dot(&pass, p->logp_dot);
    psw_shards_count_falling(&pass, p->n_falling);
    if (tokens) gather_tokens(&pass, tokens);
    psw_arena_rewind(t->arena, mark);
}

/* G along the direction of the last tangent pass. */
static void reduce_g(const struct psw_tracer *t, const struct psw_probe *p, double *g,
                     double *g_se)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    double *kappa = psw_arena_f64(t->arena, 2 * p->n);
    for (int64_t i = 0; kappa && i < 2 * p->n; i++) kappa[i] = -p->logp_dot[i];
    const struct psw_reduce_in in = {.n_component = PSW_N_COMPONENT,
                                     .n_item = p->n,
                                     .n_side = 2,
                                     .exists = psw_components_of(t->opts.method),
                                     .coef = p->coef,
                                     .kappa = kappa,
                                     .cluster = p->cluster};
    psw_trace_reduce(&in, t->arena, g, g_se);
    psw_arena_rewind(t->arena, mark);
}

static psw_status probe_coefficients(const struct psw_tracer *t, const struct psw_trace_at *at,
                                     struct psw_probe *p, struct psw_trace_point *out,
                                     struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_pair_in in = {
        .n_pair = p->n, .logp = p->logp, .ref = t->probe_ref, .n_tok = p->n_tok};
    psw_status rc = psw_components_pairwise(
        &t->opts, &in, (struct psw_components_key){t->seed, at->checkpoint}, t->arena, p->coef,
        err);
    struct psw_pair_out o = {.loss = psw_arena_f64(t->arena, p->n),
                             .score = psw_arena_f64(t->arena, 2 * p->n),
                             .omega = psw_arena_f64(t->arena, p->n)};
    if (!psw_trace_is_dry(t) && rc == PSW_OK)
        rc = psw_objective_pairwise(&t->opts, &in, &o, err);
    if (!psw_trace_is_dry(t) && rc == PSW_OK) {
        const struct psw_pair_metrics m = psw_pair_metrics_of(&t->opts, &in, &o);
        out->probe_loss = m.loss;
        out->probe_margin = m.margin;
        out->probe_accuracy = m.accuracy;
        out->omega = m.omega;
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static psw_status measure_heldout(const struct psw_tracer *t, const float *param,
                                  struct psw_trace_point *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n = t->heldout.n;
    if (n == 0) return rc;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    struct psw_shards pass = psw_trace_shards(t);
    psw_shards_pack(&pass, t->heldout.example, n);
    double *logp = psw_arena_f64(t->arena, 2 * n);
    int64_t *n_tok = psw_arena_i64(t->arena, 2 * n);
    struct psw_pair_out o = {.loss = psw_arena_f64(t->arena, n),
                             .score = psw_arena_f64(t->arena, 2 * n),
                             .omega = psw_arena_f64(t->arena, n)};
    psw_shards_evaluate(&pass, param);
    psw_shards_sum_logp(&pass, logp);
    if (!psw_trace_is_dry(t)) {
        for (int64_t i = 0; i < 2 * n; i++)
            n_tok[i] = t->heldout.example[i / 2]->n_response[i % 2];
        const struct psw_pair_in in = {
            .n_pair = n, .logp = logp, .ref = t->heldout_ref, .n_tok = n_tok};
        rc = psw_objective_pairwise(&t->opts, &in, &o, err);
        const struct psw_pair_metrics m = psw_pair_metrics_of(&t->opts, &in, &o);
        out->heldout_loss = m.loss;
        out->heldout_margin = m.margin;
        out->heldout_accuracy = m.accuracy;
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static void fill_nan(struct psw_trace_point *out)
{
    double *x = (double *)out;
    for (size_t i = 0; i < sizeof *out / sizeof *x; i++) x[i] = NAN;
}

static void measure_directions(const struct psw_tracer *t, const struct psw_trace_at *at,
                               const float *v, struct psw_probe *p, struct psw_trace_point *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_param = psw_model_n_param(t->model), half = t->final.n / 2;
    float *u = psw_arena_f32(t->arena, n_param);
    double unused[PSW_N_COMPONENT];
    const struct psw_trace_set sets[] = {
        [PSW_DIR_FINAL_A] = {t->final.example, half},
        [PSW_DIR_FINAL_B] = {t->final.example + half, t->final.n - half},
        [PSW_DIR_CHOSEN] = t->chosen};
    for (int d = 0; d < PSW_N_DIRECTION; d++) {
        if (d == PSW_DIR_ADAM) {
            if (!at->preconditioner && !psw_trace_is_dry(t)) continue;
            for (int64_t i = 0; u && i < n_param; i++) u[i] = v[i] * at->preconditioner[i];
        } else {
            if (sets[d].n == 0) continue;
            direction_of(t, sets[d], d == PSW_DIR_CHOSEN, at->param, u, NULL);
        }
        probe_tangent(t, at->param, u, p, NULL);
        if (!psw_trace_is_dry(t)) reduce_g(t, p, out->g_dir[d], unused);
    }
    psw_arena_rewind(t->arena, mark);
}

static double mean_kappa(const struct psw_probe *p, int side)
{
    double sum = 0;
    for (int64_t i = 0; i < p->n; i++) sum -= p->logp_dot[2 * i + side] / (double)p->n;
    return sum;
}

static double share_positive(const struct psw_probe *p, int side)
{
    double n_positive = 0, n_tok = 0;
    for (int64_t i = 0; i < p->n; i++) {
        n_positive += p->n_falling[2 * i + side];
        n_tok += (double)p->n_tok[2 * i + side];
    }
    return n_positive / n_tok;
}

psw_status psw_trace_measure(const struct psw_tracer *t, const struct psw_trace_at *at,
                             struct psw_trace_point *out, struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const int64_t n_param = psw_model_n_param(t->model);
    psw_status rc = PSW_OK;
    struct psw_probe p;
    fill_nan(out);
    float *v = psw_arena_f32(t->arena, n_param);
    probe_init(t, &p);
    direction_of(t, t->final, 0, at->param, v, &out->final_logp);
    if (!psw_trace_is_dry(t)) out->v_norm = sqrt(psw_slices_dot(t->team->comm, v, v, n_param));
    probe_tangent(t, at->param, v, &p, at->tokens);
    PSW_TRY(probe_coefficients(t, at, &p, out, err));
    if (!psw_trace_is_dry(t)) {
        if (at->tokens) weigh_tokens(&p, at->tokens);
        reduce_g(t, &p, out->g, out->g_se);
        out->kappa_chosen = mean_kappa(&p, PSW_CHOSEN);
        out->kappa_rejected = mean_kappa(&p, PSW_REJECTED);
        out->kappa_chosen_positive = share_positive(&p, PSW_CHOSEN);
        out->kappa_rejected_positive = share_positive(&p, PSW_REJECTED);
        if (!isfinite(out->v_norm) || !isfinite(out->g[PSW_C_TOTAL]))
            PSW_TRY(psw_fail(
                err, PSW_EDIVERGED,
                "trace of checkpoint %lld: |v| is %g and G(total) %g; the run diverged",
                (long long)at->checkpoint, out->v_norm, out->g[PSW_C_TOTAL]));
    }
    PSW_TRY(measure_heldout(t, at->param, out, err));
    if (at->cosine) psw_trace_explicit(t, at, v, &p, out);
    if (at->directions) measure_directions(t, at, v, &p, out);
fail:
    psw_arena_rewind(t->arena, mark);
    return rc;
}
