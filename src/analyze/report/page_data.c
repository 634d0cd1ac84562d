/* The numbers of the figures, as JSON; long columns are packed. */
#include "page_internal.h"

#include <posweep/store/record.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_LOGGED = 120,    /* points of a training curve */
    LEAST_LOGGED = 40,    /* the same in a sweep of many runs */
    LOGGED_OF_ALL = 30000 /* and of all runs together, between the two */
};

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/** Names are our own: short, without what JSON escapes. */
static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

/* ---- traces ---- */

/** Components of the page: those of the file, then pos - neg where it has none of its own. */
static int64_t n_component_of(const struct psw_page *page)
{
    const struct psw_traces *t = &page->traces;
    return t->n_component + (t->pos >= 0 && t->neg >= 0 && t->pos_minus_neg < 0);
}

static json_t *traces_json(const struct psw_page *page, enum psw_along along)
{
    const struct psw_traces *t = &page->traces;
    const int64_t n_component = n_component_of(page), n = t->n_checkpoint;
    struct psw_page_pack p;
    double *x = page->scratch, *se = x + n;
    json_t *o = NULL;
    if (psw_page_pack_init(&p, t->n_run * n_component, n)) {
        for (int64_t row = 0; row < p.n_row; row++) {
            const int64_t run = row / n_component, c = row % n_component;
            for (int64_t k = 0; k < n; k++) {
                const struct psw_trace_value v =
                    psw_trace_at(t, along, run, k, c < t->n_component ? c : PSW_POS_MINUS_NEG);
                x[k] = v.scaled, se[k] = v.scaled_se;
            }
            psw_page_pack_row(&p, row, x, se);
        }
        o = psw_page_pack_json(&p, 1);
    }
    psw_page_pack_clear(&p);
    return o;
}

/** Checkpoints at which any cosine was measured, as a rule few. Shapes: out [n_checkpoint], as
 *  doubles; returns how many. */
static int64_t measured_at(const struct psw_traces *t, const double *cosine, double *out)
{
    int64_t n = 0;
    for (int64_t k = 0; k < t->n_checkpoint; k++)
        for (int64_t i = 0; i < t->n_run * t->n_component; i++) {
            const int64_t run = i / t->n_component, c = i % t->n_component;
            if (!isfinite(cosine[(run * t->n_checkpoint + k) * t->n_component + c])) continue;
            out[n++] = (double)k;
            break;
        }
    return n;
}

/** The cosine of v and each component's gradient where it was measured; NULL: memory is short.
 */
static json_t *cosine_json(const struct psw_page *page, const double *cosine)
{
    const struct psw_traces *t = &page->traces;
    const int64_t n_component = n_component_of(page);
    double *x = page->scratch, *at = x + t->n_checkpoint;
    const int64_t n = measured_at(t, cosine, at);
    struct psw_page_pack p;
    json_t *o = NULL, *kept = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(kept, json_integer((json_int_t)at[i]));
    if (psw_page_pack_init(&p, t->n_run * n_component, n)) {
        for (int64_t row = 0; row < p.n_row; row++) {
            const int64_t run = row / n_component, c = row % n_component;
            for (int64_t i = 0; i < n; i++) {
                const int64_t k = (int64_t)at[i];
                x[i] = c < t->n_component && k < psw_trace_length(t, run)
                           ? cosine[(run * t->n_checkpoint + k) * t->n_component + c]
                           : NAN;
            }
            psw_page_pack_row(&p, row, x, NULL);
        }
        o = psw_page_pack_json(&p, 0);
    }
    psw_page_pack_clear(&p);
    if (json_object_set_new(o, "at", kept) == 0) return o;
    json_decref(o);
    return NULL;
}

/** Any column [run][n_from], every `stride`-th element of a row. */
static json_t *column_json(const double *x, int64_t n_run, int64_t n_from, int64_t stride,
                           double *scratch)
{
    struct psw_page_pack p;
    json_t *o = NULL;
    if (psw_page_pack_init(&p, n_run, (n_from + stride - 1) / stride)) {
        for (int64_t run = 0; run < n_run; run++) {
            for (int64_t i = 0; i < p.n; i++) scratch[i] = x[run * n_from + i * stride];
            psw_page_pack_row(&p, run, scratch, NULL);
        }
        o = psw_page_pack_json(&p, 0);
    }
    psw_page_pack_clear(&p);
    return o;
}

static int has_values(const double *x, int64_t n)
{
    for (int64_t i = 0; x && i < n; i++)
        if (isfinite(x[i])) return 1;
    return 0;
}

static int add_traces(const struct psw_page *page, json_t *root)
{
    const struct psw_traces *t = &page->traces;
    json_t *names = json_array(), *traces = json_object(), *norms = json_object();
    int ok = 1;
    for (int64_t c = 0; c < t->n_component; c++)
        ok &= !json_array_append_new(
            names, psw_html_json(psw_results_text(page->results, "component", c)));
    if (n_component_of(page) > t->n_component)
        ok &= !json_array_append_new(names, json_string("pos_minus_neg"));
    for (int a = 0; a < PSW_N_ALONG && t->n_checkpoint > 0; a++) {
        if (!t->along[a].g || !t->along[a].norm) continue;
        ok &= set(traces, psw_along_name(a), traces_json(page, a));
        ok &= set(norms, psw_along_name(a),
                  column_json(t->along[a].norm, t->n_run, t->n_checkpoint, 1, page->scratch));
    }
    const double *cosine = psw_results_f64(page->results, "cosine");
    if (has_values(cosine, t->n_run * t->n_checkpoint * t->n_component))
        ok &= set(root, "cosine", cosine_json(page, cosine));
    return set(root, "components", names) & set(root, "traces", traces) &
           set(root, "norms", norms) & ok;
}

/* ---- curves ---- */

/** What is logged along training, and what at checkpoints. */
static const struct {
    const char *name, *title;
} CURVES[] = {{"train_score", "score of the rollouts"},
              {"reward_margin", "margin of the implicit rewards"},
              {"reward_chosen", "implicit reward, chosen"},
              {"reward_rejected", "implicit reward, rejected"},
              {"reward_accuracy", "accuracy of the implicit rewards"},
              {"logp_chosen", "log-probability, chosen"},
              {"logp_rejected", "log-probability, rejected"},
              {"train_loss", "loss"},
              {"train_kl", "KL to SFT"},
              {"train_entropy", "entropy"},
              {"train_length", "length of the rollouts"},
              {"clip_fraction", "share of clipped tokens"},
              {"value_loss", "loss of the critic"},
              {"grad_norm", "norm of the gradient"},
              {"trace_score", "score of the evaluation"},
              {"trace_reward", "reward of the evaluation"},
              {"trace_length", "length of the evaluation"},
              {"trace_kl", "KL to SFT on the evaluation"},
              {"trace_heldout_loss", "held-out loss"},
              {"trace_heldout_accuracy", "held-out accuracy"},
              {"trace_heldout_margin", "held-out margin"}};

/** Every how many-th point of a log is kept. */
static int64_t stride_of(const struct psw_page *page, int64_t n_log)
{
    const int64_t n_run = psw_results_dim(page->results, "run");
    int64_t most = n_run > 0 ? LOGGED_OF_ALL / n_run : MOST_LOGGED;
    most = most < LEAST_LOGGED ? LEAST_LOGGED : most > MOST_LOGGED ? MOST_LOGGED : most;
    return (n_log + most - 1) / most;
}

static int add_curves(const struct psw_page *page, json_t *root)
{
    json_t *curves = json_object();
    const int64_t n_run = psw_results_dim(page->results, "run");
    int ok = 1;
    for (size_t i = 0; i < sizeof CURVES / sizeof *CURVES; i++) {
        const int at_checkpoint = strncmp(CURVES[i].name, "trace_", 6) == 0;
        const int64_t n =
            psw_results_dim(page->results, at_checkpoint ? "checkpoint" : "log_step");
        const double *x = psw_results_f64(page->results, CURVES[i].name);
        if (!has_values(x, n_run * n)) continue;
        const int64_t stride = at_checkpoint ? 1 : stride_of(page, n);
        json_t *o = column_json(x, n_run, n, stride, page->scratch);
        ok &= o && set(o, "title", json_string(CURVES[i].title)) &&
              set(o, "at", json_string(at_checkpoint ? "step" : "train_step"));
        ok &= set(curves, CURVES[i].name, o);
    }
    return set(root, "curves", curves) & ok;
}

/* ---- runs and cells ---- */

/** Steps of a cell's replicates, which share them: those of the run that has most. */
static json_t *steps_json(const int64_t *step, int64_t n, int64_t stride,
                          const struct psw_cell *cell)
{
    json_t *steps = json_array();
    for (int64_t k = 0; step && k < n; k += stride) {
        int64_t at = -1;
        for (int64_t i = 0; i < cell->n_run && at < 0; i++) at = step[cell->run[i] * n + k];
        json_array_append_new(steps, at < 0 ? json_null() : json_integer(at));
    }
    return steps;
}

static int add_cells(const struct psw_page *page, json_t *root)
{
    json_t *cells = json_array();
    const int64_t n_log = psw_results_dim(page->results, "log_step");
    const int64_t *logged = psw_results_i64(page->results, "train_step");
    int ok = 1;
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        json_t *o = json_object(), *run = json_array(), *apart = json_array();
        for (int64_t i = 0; i < cell->n_run; i++) {
            json_array_append_new(run, json_integer(cell->run[i]));
            json_array_append_new(apart, json_integer(cell->apart[i]));
        }
        ok &=
            set(o, "label", psw_html_json(cell->label)) &
            set(o, "method",
                psw_html_json(psw_results_text(page->results, "method", cell->run[0]))) &
            set(o, "variant",
                psw_html_json(psw_results_text(page->results, "variant", cell->run[0]))) &
            set(o, "along", json_string(psw_along_name(cell->along))) & set(o, "run", run) &
            set(o, "apart", apart) &
            set(o, "step", steps_json(page->traces.step, page->traces.n_checkpoint, 1, cell)) &
            set(o, "train_step",
                steps_json(logged, n_log, n_log > 0 ? stride_of(page, n_log) : 1, cell));
        ok &= !json_array_append_new(cells, o);
    }
    return set(root, "cells", cells) & ok;
}

/** Final metrics: one number a run. */
static const struct {
    const char *name, *title;
} METRICS[] = {{"score", "score"},
               {"score_sft", "score of SFT"},
               {"win_rate", "win rate"},
               {"reward_final", "reward"},
               {"kl_ref", "KL to SFT"},
               {"length", "length"},
               {"heldout_accuracy", "held-out accuracy"},
               {"heldout_loss", "held-out loss"},
               {"eos_rate", "share that ends"},
               {"repetition_rate", "share that repeats itself"},
               {"final_distinct_2", "distinct pairs of D'"},
               {"wall_s", "seconds"}};

static int add_metrics(const struct psw_page *page, json_t *root)
{
    json_t *metrics = json_object(), *seeds = json_array();
    const int64_t n_run = psw_results_dim(page->results, "run");
    const int64_t *seed = psw_results_i64(page->results, "seed");
    int ok = 1;
    for (int64_t r = 0; r < n_run; r++)
        ok &= !json_array_append_new(seeds, json_integer(seed ? seed[r] : r));
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        const double *x = psw_results_f64(page->results, METRICS[i].name);
        json_t *o = json_object(), *values = json_array();
        for (int64_t r = 0; has_values(x, n_run) && r < n_run; r++)
            ok &= !json_array_append_new(values, number(x[r]));
        ok &= set(o, "title", json_string(METRICS[i].title)) & set(o, "value", values);
        ok &= json_array_size(values) == 0 ? (json_decref(o), 1)
                                           : set(metrics, METRICS[i].name, o);
    }
    return set(root, "metrics", metrics) & set(root, "seed", seeds) & ok;
}

psw_status psw_page_data(const struct psw_page *page, struct psw_error *err)
{
    json_t *root = json_object();
    const int ok =
        set(root, "title", psw_html_json(psw_results_attr(page->results, "/", "title"))) &&
        add_cells(page, root) && add_metrics(page, root) && add_traces(page, root) &&
        add_curves(page, root) && set(root, "compare", psw_page_compare_json(page)) &&
        set(root, "bands", psw_page_bands_json(page)) &&
        set(root, "spectrum", psw_page_spectrum_json(page));
    const psw_status rc = ok ? psw_html_script(page->out, root, err)
                             : psw_fail(err, PSW_ENOMEM, "the data of the page");
    json_decref(root);
    return rc;
}
