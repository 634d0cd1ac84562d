/* Weights of an objective over a run's token table, and G from them. Where training takes its
 * numbers from a pass, this takes them from the table; the rest is the same code. */
#include "pairing_internal.h"
#include "rescore_internal.h"

#include <posweep/analyze/tokens.h>
#include <posweep/objective/clustered_mean.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** One point to be computed. */
struct task {
    const struct psw_token_table *table;
    const struct psw_config *config;
    struct psw_token_span span, start; /* of the checkpoint, and of checkpoint 0 */
    struct psw_components_key key;
    struct psw_rescored_point *out;
};

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

static psw_status fill_pairs(const struct task *k, struct pairs *p, struct psw_error *err)
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

/** In a measuring arena: what it takes for n pairs. */
static psw_status weigh_pairs(const struct task *k, int64_t n, struct psw_arena *arena,
                              struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    const int is_dry = psw_arena_is_measuring(arena);
    struct pairs p = take_pairs(n, arena);
    psw_status rc = PSW_OK;
    if (!is_dry) PSW_TRY(fill_pairs(k, &p, err));
    const struct psw_pair_opts opts = psw_pair_opts_of(k->config);
    const struct psw_pair_in in = {.n_pair = n, .logp = p.logp, .ref = p.ref, .n_tok = p.n_tok};
    PSW_TRY(psw_components_pairwise(&opts, &in, k->key, arena, p.coef, err));
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
static struct psw_rollout_rows rows_of(const struct task *k, int64_t n_prompt, int64_t *seq_row)
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
static psw_status weigh_rollouts(const struct task *k, int64_t n_prompt, int64_t n_row,
                                 struct psw_arena *arena, struct psw_error *err)
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
    const double *advantage = is_dry ? NULL : k->table->advantage + at;
    const struct psw_onpolicy_probe probe = {
        .rows = &rows,
        .advantage = advantage,
        .raw = advantage, /* raw is not in the table; the component is left out */
        .logp = is_dry ? NULL : k->table->logp + at,
        .ref = is_dry || !k->table->ref ? NULL : k->table->ref + at};
    PSW_TRY(psw_components_onpolicy(&opts, &probe, k->key, arena, coef, err));
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

/* ---- runs ---- */

/** Whether a run's own loss has a term. */
static int has_own(struct psw_results *r, int64_t run, const char *component)
{
    const double *g = psw_results_f64(r, "G");
    const int64_t c = psw_results_component(r, component);
    const int64_t n = psw_results_dim(r, "checkpoint"), m = psw_results_dim(r, "component");
    for (int64_t k = 0; g && c >= 0 && k < n; k++)
        if (isfinite(g[(run * n + k) * m + c])) return 1;
    return 0;
}

/** Refuse what the table of a run that samples cannot tell. */
static psw_status check_rollouts(struct psw_results *r, const struct psw_token_table *t,
                                 int64_t run, int own, const struct psw_config *config,
                                 struct psw_error *err)
{
    const char *name = psw_config_method(config), *own_name = psw_method_row(own)->name;
    const int own_critic = psw_method_reads(own, PSW_USE_CRITIC);
    const int64_t at = t->first[psw_token_span_of(t, run, 0).begin];
    if (own_critic != psw_method_reads(config->policy.method, PSW_USE_CRITIC))
        return psw_fail(err, PSW_EINVAL,
                        "the advantages of %s come from a critic, those of %s do not, and the "
                        "table has but those of the run",
                        own_critic ? own_name : name, own_critic ? name : own_name);
    if (!t->advantage || !t->ref || !isfinite(t->advantage[at]) || !isfinite(t->ref[at]))
        return psw_fail(
            err, PSW_EINVAL,
            "its advantages are not in the file: older versions did not store them");
    if (config->policy.entropy_coef > 0)
        return psw_fail(err, PSW_EINVAL,
                        "the table has no kappa of entropies; without that term: "
                        "--objective %s,entropy_coef=0",
                        name);
    if (has_own(r, run, "value") && config->policy.value_coef > 0)
        return psw_fail(err, PSW_EINVAL,
                        "the table has no kappa of values, and the critic shares the policy's "
                        "trunk; without that term: --objective %s,value_coef=0",
                        name);
    return PSW_OK;
}

/** Refuse what the table of a run cannot tell, with the reason. */
static psw_status check_run(struct psw_results *r, const struct psw_token_table *t, int64_t run,
                            const struct psw_config *config, struct psw_error *err)
{
    const char *own_name = psw_results_text(r, "method", run);
    const char *name = psw_config_method(config);
    const int own = psw_method_find(own_name), samples = psw_config_is_onpolicy(config);
    const int64_t *step = psw_results_i64(r, "step");
    const struct psw_token_span start = psw_token_span_of(t, run, 0);
    if (own < 0)
        return psw_fail(err, PSW_EINVAL, "this version does not know the method %.40s",
                        own_name);
    if (start.begin == start.end || !step || step[run * psw_results_dim(r, "checkpoint")] != 0)
        return psw_fail(err, PSW_EINVAL, "checkpoint 0, the reference, has no tokens yet");
    if (samples && own < PSW_N_PAIRWISE)
        return psw_fail(err, PSW_EINVAL,
                        "%s weighs samples by their advantage, and the tokens of a %s run are "
                        "pairs of the data: runs of %s have them",
                        name, own_name, name);
    if (!samples && own >= PSW_N_PAIRWISE)
        return psw_fail(err, PSW_EINVAL,
                        "%s weighs chosen and rejected responses, and the tokens of a %s run "
                        "are its own samples: runs that learn from pairs have them",
                        name, own_name);
    return samples ? check_rollouts(r, t, run, own, config, err) : PSW_OK;
}

/** What all runs share while they are worked on. */
struct work {
    struct psw_results *results;
    struct psw_token_table table;
    struct psw_objective_request request;
    struct psw_arena *arena; /* owned */
    struct psw_rescore *out;
};

static psw_status weigh_point(const struct work *w, const struct psw_config *config,
                              int64_t run, int64_t checkpoint, struct psw_error *err)
{
    struct psw_rescored_point *p = &w->out->point[w->out->n_point];
    const int64_t *seed = psw_results_i64(w->results, "seed");
    const struct task k = {.table = &w->table,
                           .config = config,
                           .span = psw_token_span_of(&w->table, run, checkpoint),
                           .start = psw_token_span_of(&w->table, run, 0),
                           .key = {(uint64_t)(seed ? seed[run] : 0), checkpoint},
                           .out = p};
    const int64_t n_seq = k.span.end - k.span.begin;
    int64_t n_item = 0;
    psw_status rc = PSW_OK;
    if (n_seq == 0) return PSW_OK;
    *p = (struct psw_rescored_point){.run = run, .checkpoint = checkpoint};
    if (psw_config_is_onpolicy(config)) {
        int64_t n_sample = 1;
        while (n_sample < n_seq && w->table.item[k.span.begin + n_sample] == 0) n_sample++;
        PSW_TRY(psw_token_items(&w->table, k.span, n_sample, &n_item, err));
        const int64_t n_row = w->table.first[k.span.end] - w->table.first[k.span.begin];
        PSW_TRY(weigh_rollouts(&k, n_item, n_row, w->arena, err));
    } else {
        PSW_TRY(psw_token_items(&w->table, k.span, PSW_N_SIDE, &n_item, err));
        if (k.start.end - k.start.begin != n_seq)
            PSW_TRY(psw_fail(err, PSW_EDATA, "%lld pairs, but not at checkpoint 0",
                             (long long)n_item));
        PSW_TRY(weigh_pairs(&k, n_item, w->arena, err));
    }
    for (int c = 0; !w->table.cluster && c < PSW_N_COMPONENT; c++) p->g_se[c] = NAN;
    w->out->n_point++;
fail:
    if (rc != PSW_OK) psw_error_prefix(err, "checkpoint %lld", (long long)checkpoint);
    return rc;
}

static psw_status weigh_run(struct work *w, int64_t run, struct psw_error *err)
{
    struct psw_config config;
    struct psw_error why = {0};
    struct psw_rescored_run *s = &w->out->scored[w->out->n_scored];
    *s = (struct psw_rescored_run){.run = run, .first = w->out->n_point};
    psw_status rc =
        psw_objective_for_run(&w->request, w->results, run, &config, s->objective, err);
    if (rc == PSW_OK && check_run(w->results, &w->table, run, &config, &why) != PSW_OK) {
        if (w->out->n_refused++ == 0) memcpy(w->out->refused, why.text, sizeof w->out->refused);
        return PSW_OK;
    }
    for (int64_t k = 0; rc == PSW_OK && k < psw_results_dim(w->results, "checkpoint"); k++)
        rc = weigh_point(w, &config, run, k, err);
    s->n = w->out->n_point - s->first;
    w->out->n_scored++;
    if (rc != PSW_OK) psw_error_prefix(err, "run %s", psw_results_text(w->results, "run", run));
    return rc;
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
    const struct task k = {.config = &config};
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

static psw_status take_memory(struct work *w, struct psw_error *err)
{
    struct largest most = largest_of(&w->table);
    struct psw_arena_bytes peak;
    const size_t n_run = (size_t)psw_results_dim(w->results, "run");
    const size_t n_point = n_run * (size_t)psw_results_dim(w->results, "checkpoint");
    w->out->point = calloc(n_point + 1, sizeof *w->out->point);
    w->out->scored = calloc(n_run + 1, sizeof *w->out->scored);
    if (!w->out->point || !w->out->scored)
        return psw_fail(err, PSW_ENOMEM, "rescore: %zu points", n_point);
    const psw_status rc = psw_arena_plan(layout, &most, &peak, err);
    if (rc != PSW_OK) return rc;
    return psw_arena_create_over("rescore", &psw_host_memory, peak, &w->arena, err);
}

/** Mark the runs of the selected cells. Shapes: is_wanted [n_run]. */
static psw_status select_runs(struct psw_results *r, const struct psw_cells *cells,
                              const char *where, char *is_wanted, struct psw_error *err)
{
    struct psw_cell_keys keys = {0};
    char *is_kept = malloc((size_t)cells->n_cell + 1);
    psw_status rc = PSW_OK;
    if (!is_kept) return psw_fail(err, PSW_ENOMEM, "%lld cells", (long long)cells->n_cell);
    memset(is_kept, 1, (size_t)cells->n_cell + 1);
    PSW_TRY(psw_cell_keys_init(r, cells, &keys, err));
    if (where) PSW_TRY(psw_cell_keys_where(&keys, where, -1, -1, is_kept, err));
    for (int64_t c = 0; c < cells->n_cell; c++)
        for (int64_t i = 0; is_kept[c] && i < cells->cell[c].n_run; i++)
            is_wanted[cells->cell[c].run[i]] = 1;
fail:
    psw_cell_keys_clear(&keys);
    free(is_kept);
    return rc;
}

psw_status psw_rescore(struct psw_results *results, const struct psw_rescore_opts *opts,
                       struct psw_rescore *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_traces traces;
    struct psw_rescore result = {0};
    struct work w = {.results = results, .out = &result};
    const struct psw_selection all = {.max_kl = opts->max_kl};
    const int64_t n_run = psw_results_dim(results, "run");
    char *is_wanted = calloc((size_t)n_run + 1, 1);
    if (!is_wanted) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)n_run));
    PSW_TRY(psw_objective_request_parse(opts->objective, &w.request, err));
    PSW_TRY(psw_token_table_init(results, &w.table, err));
    PSW_TRY(psw_traces_init(results, &traces, err));
    PSW_TRY(psw_cells_init(results, &traces, &all, &result.cells, err));
    PSW_TRY(select_runs(results, &result.cells, opts->where, is_wanted, err));
    PSW_TRY(take_memory(&w, err));
    for (int64_t run = 0; run < n_run; run++)
        if (is_wanted[run]) PSW_TRY(weigh_run(&w, run, err));
    if (result.n_scored == 0)
        PSW_TRY(psw_fail(
            err, PSW_EINVAL, "none of the %lld selected runs can be weighed by %s: %s",
            (long long)result.n_refused, psw_config_method(&w.request.config), result.refused));
fail:
    free(is_wanted);
    psw_arena_destroy(w.arena);
    psw_token_table_clear(&w.table);
    if (rc == PSW_OK)
        *out = result;
    else
        psw_rescore_clear(&result);
    return rc;
}

void psw_rescore_clear(struct psw_rescore *rescore)
{
    free(rescore->point);
    free(rescore->scored);
    psw_cells_clear(&rescore->cells);
    *rescore = (struct psw_rescore){0};
}

const struct psw_rescored_run *psw_rescored_run_of(const struct psw_rescore *rescore,
                                                   int64_t run)
{
    int64_t lo = 0, hi = rescore->n_scored;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        if (rescore->scored[mid].run < run)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < rescore->n_scored && rescore->scored[lo].run == run ? &rescore->scored[lo]
                                                                    : NULL;
}
