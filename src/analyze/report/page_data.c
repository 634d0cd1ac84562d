/* The numbers of the figures, as JSON, but for the long columns, which page_blocks.c packs. */
#include "page_internal.h"

#include <posweep/store/record.h>

#include <math.h>

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/** Names are our own: short, without what JSON escapes. */
static int set(json_t *object, const char *name, json_t *value)
{
    return json_object_set_new(object, name, value) == 0;
}

/* ---- traces and curves: what there is; the columns are blocks ---- */

static int add_traces(const struct psw_page *page, json_t *root)
{
    const struct psw_traces *t = &page->traces;
    json_t *names = json_array(), *alongs = json_array();
    int ok = 1;
    for (int64_t c = 0; c < psw_page_n_component(page); c++)
        ok &= !json_array_append_new(names, psw_html_json(psw_page_component(page, c)));
    for (int a = 0; a < PSW_N_ALONG; a++)
        if (psw_page_has_along(page, a))
            ok &= !json_array_append_new(alongs, json_string(psw_along_name(a)));
    return set(root, "components", names) & set(root, "alongs", alongs) & ok &
           set(root, "cosine_at", psw_page_cosine_at(page)) &
           set(root, "n_checkpoint", json_integer(t->n_checkpoint));
}

static int add_curves(const struct psw_page *page, json_t *root)
{
    json_t *curves = json_object();
    int ok = 1;
    for (const struct psw_page_curve *c = PSW_PAGE_CURVES; c->name; c++) {
        if (!psw_page_has_curve(page, c)) continue;
        json_t *o = json_object();
        ok &= set(o, "title", json_string(c->title)) &&
              set(o, "at", json_string(c->at_checkpoint ? "step" : "train_step"));
        ok &= set(curves, c->name, o);
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
                steps_json(logged, n_log, n_log > 0 ? psw_page_stride(page, n_log) : 1, cell));
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
        for (int64_t r = 0; psw_page_has_values(x, n_run) && r < n_run; r++)
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
        set(root, "spectrum", psw_page_spectrum_json(page));
    const psw_status rc = ok ? psw_html_script(page->out, root, err)
                             : psw_fail(err, PSW_ENOMEM, "the data of the page");
    json_decref(root);
    return rc;
}
