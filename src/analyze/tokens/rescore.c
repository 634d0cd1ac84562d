/* Which runs of a file can be weighed by an objective, and all their checkpoints. */
#include "../cell_keys.h"
#include "rescore_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    if (!t->rollout.advantage || !t->rollout.ref || !isfinite(t->rollout.advantage[at]) ||
        !isfinite(t->rollout.ref[at]))
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

psw_status psw_rescore_check(struct psw_results *r, const struct psw_token_table *t,
                             int64_t run, const struct psw_config *config,
                             struct psw_error *err)
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
    struct psw_weigh_task task =
        psw_weigh_task_of(w->results, &w->table, config, run, checkpoint);
    if (task.span.begin == task.span.end) return PSW_OK;
    *p = (struct psw_rescored_point){.run = run, .checkpoint = checkpoint};
    task.out = p;
    const psw_status rc = psw_weigh(&task, w->arena, err);
    for (int c = 0; !w->table.cluster && c < PSW_N_COMPONENT; c++) p->g_se[c] = NAN;
    w->out->n_point++;
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
    if (rc == PSW_OK &&
        psw_rescore_check(w->results, &w->table, run, &config, &why) != PSW_OK) {
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

static psw_status take_memory(struct work *w, struct psw_error *err)
{
    const size_t n_run = (size_t)psw_results_dim(w->results, "run");
    const size_t n_point = n_run * (size_t)psw_results_dim(w->results, "checkpoint");
    w->out->point = calloc(n_point + 1, sizeof *w->out->point);
    w->out->scored = calloc(n_run + 1, sizeof *w->out->scored);
    if (!w->out->point || !w->out->scored)
        return psw_fail(err, PSW_ENOMEM, "rescore: %zu points", n_point);
    return psw_weigh_arena(&w->table, &w->arena, err);
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
