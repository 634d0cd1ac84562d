/* Comparison: metrics times contrasts, each a sign-flip test, then Holm over the family. */
#include "compare_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- metrics ---- */

/** The first of a group that has values is taken. */
static const struct {
    const char *name;
    int group;
} DEFAULTS[] = {{"score", 1},       {"reward_final", 1}, {"heldout_accuracy", 1},
                {"win_rate", 1},    {"kl_ref", 2},       {"length", 3},
                {"Gv.pos:mean", 4}, {"Gv.neg:mean", 5}};

static int has_value(struct psw_results *r, const char *name)
{
    const double *x = psw_results_f64(r, strchr(name, ':') ? "G" : name);
    const int64_t n_point = psw_results_dim(r, "checkpoint") * psw_results_dim(r, "component");
    const int64_t n = psw_results_dim(r, "run") * (strchr(name, ':') ? n_point : 1);
    for (int64_t i = 0; x && i < n; i++)
        if (isfinite(x[i])) return 1;
    return 0;
}

int psw_compare_defaults(struct psw_results *results, const char *out[PSW_COMPARE_METRICS])
{
    int n = 0, taken = 0;
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++) {
        if (DEFAULTS[i].group == taken || !has_value(results, DEFAULTS[i].name)) continue;
        if (strstr(DEFAULTS[i].name, "pos") && psw_results_component(results, "pos") < 0)
            continue;
        if (strstr(DEFAULTS[i].name, "neg") && psw_results_component(results, "neg") < 0)
            continue;
        out[n++] = DEFAULTS[i].name;
        taken = DEFAULTS[i].group;
    }
    return n;
}

/** Each name once. */
static psw_status add_metric(struct psw_comparison *c, const char *name, struct psw_error *err)
{
    for (int k = 0; k < c->n_metric; k++)
        if (strcmp(c->metric[k], name) == 0) return PSW_OK;
    if (c->n_metric == PSW_COMPARE_METRICS)
        return psw_fail(err, PSW_EINVAL, "more than %d metrics", PSW_COMPARE_METRICS);
    if (strlen(name) >= PSW_METRIC_BYTES)
        return psw_fail(err, PSW_EINVAL, "no metric \"%.40s...\": the name is too long", name);
    snprintf(c->metric[c->n_metric++], PSW_METRIC_BYTES, "%s", name);
    return PSW_OK;
}

/** Those of the families, then those that are asked for; without either, the defaults. */
static psw_status choose_metrics(struct psw_results *r, const struct psw_compare_opts *opts,
                                 struct psw_comparison *c, struct psw_error *err)
{
    const char *unasked[PSW_COMPARE_METRICS];
    psw_status rc = PSW_OK;
    int n = 0;
    c->metric = calloc(PSW_COMPARE_METRICS, sizeof *c->metric);
    if (!c->metric) return psw_fail(err, PSW_ENOMEM, "names of metrics");
    for (int f = 0; f < c->plan.n; f++)
        for (int i = 0; i < c->plan.family[f].n_metric; i++)
            PSW_TRY(add_metric(c, c->plan.family[f].metric[i], err));
    for (int i = 0; i < opts->n_metric; i++) PSW_TRY(add_metric(c, opts->metric[i], err));
    if (c->n_metric == 0) n = psw_compare_defaults(r, unasked);
    for (int i = 0; i < n; i++) PSW_TRY(add_metric(c, unasked[i], err));
    if (c->n_metric == 0)
        PSW_TRY(psw_fail(
            err, PSW_EDATA,
            "no run has a score, a KL, a length or a trace yet: nothing can be compared"));
fail:
    return rc;
}

/* ---- rows ---- */

/** What a comparison needs while it works. */
struct work {
    struct psw_results *results;
    double *value;      /* owned [n_run] */
    double *difference; /* owned [n_run] */
    int64_t *scratch;   /* owned [2 * n_run] */
};

/** Mean of the metric over the baseline's runs that are paired: what a difference is of. */
static double baseline_mean(const struct psw_contrast *contrast, const double *value)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < contrast->baseline->n_run; i++) {
        const double x = value[contrast->baseline->run[i]];
        if (contrast->baseline->apart[i] != PSW_APART_NOT || !isfinite(x)) continue;
        sum += x;
        n++;
    }
    return n > 0 ? sum / (double)n : NAN;
}

static int all_zero(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0) return 0;
    return 1;
}

/** The looks of a sequential plan, and its verdict. */
static psw_status take_looks(const struct work *w, const struct psw_comparison *c,
                             struct psw_compare_row *row, struct psw_error *err)
{
    static const enum psw_compare_verdict VERDICT[] = {
        [PSW_SEQUENTIAL_GO_ON] = PSW_COMPARE_GO_ON,
        [PSW_SEQUENTIAL_DIFFERS] = PSW_COMPARE_DIFFERS,
        [PSW_SEQUENTIAL_OPEN] = PSW_COMPARE_OPEN};
    const struct psw_sequential_opts opts = {.batch = c->batch,
                                             .max = c->max,
                                             .n_family =
                                                 psw_compare_family_size(c, row->judged.family),
                                             .alpha = c->alpha};
    const psw_status rc =
        psw_sequential_test(w->difference, row->pairs.n, &opts, &row->sequential, err);
    if (rc == PSW_OK) row->judged.verdict = VERDICT[row->sequential.decision];
    return rc;
}

static psw_status fill_row(const struct work *w, const struct psw_comparison *c,
                           struct psw_compare_row *row, struct psw_error *err)
{
    const double alpha = c->alpha;
    row->pairs =
        psw_contrast_pairs(w->results, row->contrast, w->value, w->difference, w->scratch);
    row->direction = psw_metric_direction(row->metric);
    row->baseline_mean = baseline_mean(row->contrast, w->value);
    row->mde = psw_signflip_mde(row->pairs.n, alpha, PSW_COMPARE_POWER);
    row->p_better = NAN;
    row->judged.verdict = PSW_COMPARE_NO_PAIRS;
    row->test = (struct psw_signflip){.mean = NAN,
                                      .median = NAN,
                                      .sd = NAN,
                                      .p = NAN,
                                      .p_floor = NAN,
                                      .interval = {NAN, NAN},
                                      .coverage = NAN,
                                      .share_above = NAN,
                                      .effect = NAN};
    if (row->pairs.of.n_censored + row->pairs.against.n_censored > 0)
        row->judged.verdict = PSW_COMPARE_CENSORED;
    if (row->pairs.n == 0 || row->judged.verdict == PSW_COMPARE_CENSORED) return PSW_OK;
    const psw_status rc =
        psw_signflip_test(w->difference, row->pairs.n, alpha, &row->test, err);
    if (rc != PSW_OK) return rc;
    row->p_better = row->direction < 0 ? 1 - row->test.share_above : row->test.share_above;
    const struct psw_prompt_pairs pairs = {.of = w->scratch,
                                           .against = w->scratch + row->contrast->cell->n_run,
                                           .n = row->pairs.n};
    const psw_status by_prompt =
        psw_compare_prompts(w->results, row->metric, &pairs, alpha, &row->prompts, err);
    if (by_prompt != PSW_OK) return by_prompt;
    if (c->batch > 0) return take_looks(w, c, row, err);
    row->judged.verdict =
        all_zero(w->difference, row->pairs.n) ? PSW_COMPARE_EQUAL : PSW_COMPARE_OPEN;
    return PSW_OK;
}

/** "; 3 of 6 runs of "cdpo" were stopped early"; "" where none was. */
static void stopped_words(const struct psw_cell *cell, const struct psw_run_counts *n,
                          char out[PSW_VERDICT_BYTES])
{
    out[0] = '\0';
    if (n->n_censored > 0)
        snprintf(out, PSW_VERDICT_BYTES, "; %lld of %lld runs of \"%.40s\" were stopped early",
                 (long long)n->n_censored, (long long)n->n_run, cell->label);
}

/** Refuse a comparison that can say nothing at all. */
static psw_status check(struct psw_results *r, const struct psw_comparison *c,
                        struct psw_error *err)
{
    int64_t most = 0;
    const int64_t *seed = psw_results_i64(r, "seed");
    for (int64_t i = 0; i < c->n_row; i++)
        if (c->row[i].pairs.n > most) most = c->row[i].pairs.n;
    if (most > 1) return PSW_OK;
    const struct psw_cell *of = c->row[0].contrast->cell;
    const struct psw_cell *against = c->row[0].contrast->baseline;
    const struct psw_pairs_of *pairs = &c->row[0].pairs;
    char stopped[2][PSW_VERDICT_BYTES];
    stopped_words(of, &pairs->of, stopped[0]);
    stopped_words(against, &pairs->against, stopped[1]);
    if (most == 1)
        return psw_fail(
            err, PSW_EINVAL,
            "one seed only: one difference says nothing of chance%s%s. A sweep with "
            "`replicates: 6` or more %scan be compared",
            stopped[0], stopped[1],
            stopped[0][0] || stopped[1][0] ? "and without `stop` " : "");
    for (int k = 0; k < 2; k++) {
        const struct psw_run_counts *n = k ? &pairs->against : &pairs->of;
        const struct psw_cell *cell = k ? against : of;
        if (cell->n_used > 0 && n->n_missing == cell->n_used)
            return psw_fail(err, PSW_EINVAL, "no run of \"%s\" has a value of %s", cell->label,
                            c->row[0].metric);
        if (n->n_apart > 0 && n->n_apart == n->n_run)
            return psw_fail(err, PSW_EINVAL,
                            "all %lld runs of \"%s\" went too far from their SFT model to be "
                            "compared (over-optimised: posweep show FILE --summary tells how "
                            "far). Train with fewer steps, a lower rate or a larger beta, or "
                            "take them in with --max-kl inf",
                            (long long)n->n_run, cell->label);
    }
    return psw_fail(
        err, PSW_EINVAL,
        "no common seeds: no seed has a finished run that counts both in \"%s\" (%lld "
        "of %lld runs count, the first has seed %lld) and in \"%s\" (%lld of %lld, "
        "seed %lld)%s%s",
        of->label, (long long)of->n_used, (long long)of->n_run,
        (long long)(seed ? seed[of->run[0]] : -1), against->label, (long long)against->n_used,
        (long long)against->n_run, (long long)(seed ? seed[against->run[0]] : -1), stopped[0],
        stopped[1]);
}

static psw_status fill(const struct work *w, const struct psw_traces *traces,
                       const struct psw_compare_opts *opts, struct psw_comparison *c,
                       struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n = c->pairing.n_contrast;
    for (int64_t i = 0; i < c->n_row; i++) psw_compare_place_row(w->results, c, i);
    for (int m = 0; m < c->n_metric; m++) {
        PSW_TRY(
            psw_metric_values(w->results, traces, opts->along, c->metric[m], w->value, err));
        for (int64_t i = 0; i < n; i++) PSW_TRY(fill_row(w, c, &c->row[m * n + i], err));
    }
    PSW_TRY(check(w->results, c, err));
    PSW_TRY(psw_compare_judge(c, err));
fail:
    return rc;
}

psw_status psw_compare(struct psw_results *results, const struct psw_compare_opts *opts,
                       struct psw_comparison *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_traces traces;
    const struct psw_selection all = {.max_kl = opts->max_kl, .along = opts->along};
    const size_t n_run = (size_t)psw_results_dim(results, "run");
    struct psw_comparison c = {.alpha = opts->alpha > 0 ? opts->alpha : PSW_COMPARE_ALPHA,
                               .batch = opts->batch,
                               .max = opts->max};
    struct work w = {.results = results};
    PSW_TRY(psw_traces_init(results, &traces, err));
    PSW_TRY(psw_cells_init(results, &traces, &all, &c.cells, err));
    PSW_TRY(psw_pairing_init(results, &c.cells, &opts->pairing, &c.pairing, err));
    PSW_TRY(psw_compare_families_init(results, opts->family, &c, err));
    PSW_TRY(choose_metrics(results, opts, &c, err));
    c.n_row = c.n_metric * c.pairing.n_contrast;
    c.row = calloc((size_t)c.n_row + 1, sizeof *c.row);
    w.value = calloc(n_run, sizeof *w.value);
    w.difference = calloc(n_run, sizeof *w.difference);
    w.scratch = calloc(2 * n_run, sizeof *w.scratch);
    if (!c.row || !w.value || !w.difference || !w.scratch)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "comparison of %lld rows", (long long)c.n_row));
    PSW_TRY(fill(&w, &traces, opts, &c, err));
fail:
    free(w.value);
    free(w.difference);
    free(w.scratch);
    if (rc == PSW_OK)
        *out = c;
    else
        psw_comparison_clear(&c);
    return rc;
}

void psw_comparison_clear(struct psw_comparison *comparison)
{
    free(comparison->row);
    free(comparison->metric);
    psw_family_plan_clear(&comparison->plan);
    psw_pairing_clear(&comparison->pairing);
    psw_cells_clear(&comparison->cells);
    *comparison = (struct psw_comparison){0};
}
