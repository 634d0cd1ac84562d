/* Weights of an objective over one checkpoint of a token table, and G from them. Where training
 * takes its numbers from a pass, this takes them from the table; the rest is the same code. */
#include "rescore_internal.h"

#include <posweep/objective/clustered_mean.h>

#include <math.h>
#include <string.h>

/* ---- pairs ---- */

/** Everything that the components of pairs are made of. Shapes: [n][2]. */
struct pairs {
    int64_t n;
    double *logp, *ref, *kappa, *coef; /* coef: [PSW_N_COMPONENT][n][2] */
    int64_t *n_tok;
    uint64_t *cluster; /* [n] */
};

static struct pairs take_pairs(int64_t n, struct psw_arena *arena)
{
    return (struct pairs){.n = n,
                          .logp = psw_arena_f64(arena, PSW_N_SIDE * n),
                          .ref = psw_arena_f64(arena, PSW_N_SIDE * n),
                          .kappa = psw_arena_f64(arena, PSW_N_SIDE * n),
                          .coef =
                              psw_arena_f64(arena, (int64_t)PSW_N_COMPONENT * PSW_N_SIDE * n),
                          .n_tok = psw_arena_i64(arena, PSW_N_SIDE * n),
                          .cluster = psw_arena_alloc(arena, sizeof(uint64_t) * (size_t)n)};
}

static psw_status fill_pairs(const struct psw_weigh_task *k, struct pairs *p,
                             struct psw_error *err)
{
    const struct psw_token_table *t = k->table;
    for (int64_t q = 0; q < PSW_N_SIDE * p->n; q++) {
        const int64_t s = k->span.begin + q, s0 = k->start.begin + q;
        p->n_tok[q] = t->first[s + 1] - t->first[s];
        if (t->first[s0 + 1] - t->first[s0] != p->n_tok[q])
            return psw_fail(err, PSW_EDATA,
                            "sequence %lld has another length than at checkpoint 0",
                            (long long)s);
        p->logp[q] = psw_token_sum(t, t->logp, s);
        p->ref[q] = psw_token_sum(t, t->logp, s0);
        p->kappa[q] = psw_token_sum(t, t->kappa, s);
    }
    for (int64_t i = 0; i < p->n; i++)
        p->cluster[i] = t->cluster ? (uint64_t)t->cluster[k->span.begin + PSW_N_SIDE * i] : 0;
    return PSW_OK;
}

/** Every token of a response has its weight; G is the mean over pairs. */
static void spread_pairs(const struct psw_weigh_task *k, const struct pairs *p)
{
    const double *coef = p->coef + (int64_t)k->component * PSW_N_SIDE * p->n;
    double *to = k->weight;
    for (int64_t q = 0; q < PSW_N_SIDE * p->n; q++)
        for (int64_t r = 0; r < p->n_tok[q]; r++) *to++ = coef[q] / (double)p->n;
}

/** In a measuring arena: what it takes for n pairs. */
static psw_status weigh_pairs(const struct psw_weigh_task *k, int64_t n,
                              struct psw_arena *arena, struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    const int is_dry = psw_arena_is_measuring(arena);
    struct pairs p = take_pairs(n, arena);
    psw_status rc = PSW_OK;
    if (!is_dry) PSW_TRY(fill_pairs(k, &p, err));
    const struct psw_pair_opts opts = psw_pair_opts_of(k->config);
    const struct psw_pair_in in = {.n_pair = n, .logp = p.logp, .ref = p.ref, .n_tok = p.n_tok};
    PSW_TRY(psw_components_pairwise(&opts, &in, k->key, arena, p.coef, err));
    if (!is_dry && k->weight) {
        spread_pairs(k, &p);
        goto fail;
    }
    const struct psw_reduce_in sum = {.n_component = PSW_N_COMPONENT,
                                      .n_item = n,
                                      .n_side = PSW_N_SIDE,
                                      .exists = psw_components_of(opts.method),
                                      .coef = p.coef,
                                      .kappa = p.kappa,
                                      .cluster = p.cluster};
    psw_component_reduce(&sum, arena, is_dry ? NULL : k->out->g, is_dry ? NULL : k->out->g_se);
fail:
    psw_arena_rewind(arena, mark);
    return rc;
}

/* ---- rollouts ---- */

/** Rollouts of a span as rows from 0 on. Shapes: seq_row [n_seq + 1]. */
static struct psw_rollout_rows rows_of(const struct psw_weigh_task *k, int64_t n_prompt,
                                       int64_t *seq_row)
{
    const int64_t n_seq = k->span.end - k->span.begin;
    const int64_t *first = k->table->first + k->span.begin;
    for (int64_t s = 0; s <= n_seq; s++) seq_row[s] = first[s] - first[0];
    return (struct psw_rollout_rows){.n_prompt = n_prompt,
                                     .n_sample = n_seq / n_prompt,
                                     .n_seq = n_seq,
                                     .n_row = seq_row[n_seq],
                                     .seq_row = seq_row};
}

/** n_prompt times what each prompt adds to G of a component. Shapes: coef [n_row], x
 * [n_prompt].
 */
static void add_up(const struct psw_rollout_rows *rows, const double *coef, const double *kappa,
                   double *x)
{
    for (int64_t i = 0; i < rows->n_prompt; i++) {
        double sum = 0;
        for (int64_t r = rows->seq_row[i * rows->n_sample];
             r < rows->seq_row[(i + 1) * rows->n_sample]; r++)
            sum += coef[r] * kappa[r];
        x[i] = (double)rows->n_prompt * sum;
    }
}

/** In a measuring arena: what it takes for n_prompt prompts and n_row rows. */
static psw_status weigh_rollouts(const struct psw_weigh_task *k, int64_t n_prompt,
                                 int64_t n_row, struct psw_arena *arena, struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    const int is_dry = psw_arena_is_measuring(arena);
    double *coef = psw_arena_f64(arena, (int64_t)PSW_N_COMPONENT * n_row);
    double *x = psw_arena_f64(arena, (int64_t)PSW_N_COMPONENT * n_prompt);
    double *ones = psw_arena_f64(arena, n_prompt);
    uint64_t *cluster = psw_arena_alloc(arena, sizeof *cluster * (size_t)n_prompt);
    int64_t *seq_row = psw_arena_i64(arena, n_row + 1); /* no response is without tokens */
    psw_status rc = PSW_OK;
    struct psw_rollout_rows rows = {.n_prompt = n_prompt, .n_seq = n_row, .n_row = n_row};
    if (!is_dry) rows = rows_of(k, n_prompt, seq_row);
    const struct psw_onpolicy_opts opts = psw_onpolicy_opts_of(k->config);
    const int64_t at = is_dry ? 0 : k->table->first[k->span.begin];
    const double *advantage = is_dry ? NULL : k->table->rollout.advantage + at;
    const struct psw_onpolicy_probe probe = {
        .rows = &rows,
        .advantage = advantage,
        .raw = advantage, /* raw is not in the table; the component is left out */
        .logp = is_dry ? NULL : k->table->logp + at,
        .ref = is_dry || !k->table->rollout.ref ? NULL : k->table->rollout.ref + at};
    PSW_TRY(psw_components_onpolicy(&opts, &probe, k->key, arena, coef, err));
    if (!is_dry && k->weight) {
        memcpy(k->weight, coef + (int64_t)k->component * n_row, sizeof *coef * (size_t)n_row);
        goto fail;
    }
    for (int c = 0; !is_dry && c < PSW_N_COMPONENT; c++)
        add_up(&rows, coef + c * n_row, k->table->kappa + at, x + c * n_prompt);
    for (int64_t i = 0; !is_dry && i < n_prompt; i++) {
        const int64_t s = k->span.begin + i * rows.n_sample;
        ones[i] = 1;
        cluster[i] = k->table->cluster ? (uint64_t)k->table->cluster[s] : 0;
    }
    const struct psw_reduce_in sum = {.n_component = PSW_N_COMPONENT,
                                      .n_item = n_prompt,
                                      .n_side = 1,
                                      .exists = psw_components_onpolicy_of(&opts) &
                                                ~(1u << PSW_C_RAW),
                                      .coef = x,
                                      .kappa = ones,
                                      .cluster = cluster};
    psw_component_reduce(&sum, arena, is_dry ? NULL : k->out->g, is_dry ? NULL : k->out->g_se);
fail:
    psw_arena_rewind(arena, mark);
    return rc;
}

/* ---- either ---- */

struct psw_weigh_task psw_weigh_task_of(struct psw_results *results,
                                        const struct psw_token_table *table,
                                        const struct psw_config *config, int64_t run,
                                        int64_t checkpoint)
{
    const int64_t *seed = psw_results_i64(results, "seed");
    return (struct psw_weigh_task){.table = table,
                                   .config = config,
                                   .span = psw_token_span_of(table, run, checkpoint),
                                   .start = psw_token_span_of(table, run, 0),
                                   .key = {(uint64_t)(seed ? seed[run] : 0), checkpoint}};
}

psw_status psw_weigh(const struct psw_weigh_task *task, struct psw_arena *arena,
                     struct psw_error *err)
{
    const struct psw_token_table *t = task->table;
    const int64_t n_seq = task->span.end - task->span.begin;
    int64_t n_item = 0, n_sample = PSW_N_SIDE;
    const int samples = psw_config_is_onpolicy(task->config);
    if (samples)
        for (n_sample = 1; n_sample < n_seq && t->item[task->span.begin + n_sample] == 0;)
            n_sample++;
    psw_status rc = psw_token_items(t, task->span, n_sample, &n_item, err);
    if (rc != PSW_OK) return rc;
    if (samples)
        return weigh_rollouts(
            task, n_item, t->first[task->span.end] - t->first[task->span.begin], arena, err);
    if (task->start.end - task->start.begin != n_seq)
        return psw_fail(err, PSW_EDATA, "%lld pairs, but not at checkpoint 0",
                        (long long)n_item);
    return weigh_pairs(task, n_item, arena, err);
}

/** Largest checkpoints of the table. */
struct largest {
    int64_t n_sequence, n_token;
};

static void layout(void *ctx, struct psw_arena *arena)
{
    const struct largest *most = ctx;
    struct psw_config config;
    struct psw_error unused;
    psw_config_default(&config);
    const struct psw_weigh_task k = {.config = &config};
    (void)!weigh_pairs(&k, most->n_sequence / 2, arena, &unused);
    config.policy.method = PSW_METHOD_PPO; /* its items are tokens, of which there are most */
    (void)!weigh_rollouts(&k, most->n_sequence, most->n_token, arena, &unused);
}

static struct largest largest_of(const struct psw_token_table *t)
{
    struct largest most = {0, 0};
    for (int64_t s = 0, n = 0; s < t->n_sequence; s = n) {
        const struct psw_token_span span = psw_token_span_of(t, t->run[s], t->checkpoint[s]);
        n = span.end;
        if (n - s > most.n_sequence) most.n_sequence = n - s;
        if (t->first[n] - t->first[s] > most.n_token) most.n_token = t->first[n] - t->first[s];
    }
    return most;
}

psw_status psw_weigh_arena(const struct psw_token_table *table, struct psw_arena **out,
                           struct psw_error *err)
{
    struct largest most = largest_of(table);
    struct psw_arena_bytes peak;
    const psw_status rc = psw_arena_plan(layout, &most, &peak, err);
    if (rc != PSW_OK) return rc;
    return psw_arena_create_over("rescore", &psw_host_memory, peak, out, err);
}
