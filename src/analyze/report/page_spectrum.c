/* The geometry of the sweep's directions, from the file that `posweep spectrum` writes: the map
 * of all trajectories, how v turns along training, and how many directions it takes. */
#include "page_internal.h"

#include <posweep/store/schema.h>

#include <math.h>
#include <stdlib.h>

/** Columns of a run in the JSON, each [run][checkpoint], of the cosines those with the first
 *  checkpoint. */
static const struct {
    const char *name, *dataset;
    int is_square;
} COLUMNS[] = {{"cosine", "cosine", 1}, {"rank", "effective_rank", 0}};

static json_t *cells_json(struct psw_results *s)
{
    json_t *cells = json_array();
    for (int64_t c = 0; c < psw_results_dim(s, "cell"); c++)
        json_array_append_new(cells, psw_html_json(psw_results_text(s, "cell", c)));
    return cells;
}

static json_t *steps_json(struct psw_results *s, int64_t run, int64_t n)
{
    const int64_t *step = psw_results_i64(s, "step");
    json_t *steps = json_array();
    for (int64_t k = 0; step && k < n; k++)
        json_array_append_new(steps, step[run * n + k] < 0 ? json_null()
                                                           : json_integer(step[run * n + k]));
    return steps;
}

/** What is known of each run, and the step of each checkpoint. */
static json_t *runs_json(struct psw_results *s)
{
    const int64_t n = psw_results_dim(s, "checkpoint");
    const int64_t *cell = psw_results_i64(s, "run_cell");
    json_t *runs = json_array();
    for (int64_t run = 0; cell && run < psw_results_dim(s, "run"); run++) {
        json_t *o = json_pack("{s:I, s:o}", "cell", (json_int_t)cell[run], "step",
                              steps_json(s, run, n));
        json_array_append_new(runs, o);
    }
    return runs;
}

static json_t *columns_json(struct psw_results *s)
{
    const int64_t n = psw_results_dim(s, "checkpoint"), n_run = psw_results_dim(s, "run");
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++) {
        const double *x = psw_results_f64(s, COLUMNS[i].dataset);
        struct psw_page_pack p = {0};
        if (x && psw_page_pack_init(&p, n_run, n)) {
            for (int64_t run = 0; run < n_run; run++)
                psw_page_pack_row(&p, run, x + run * n * (COLUMNS[i].is_square ? n : 1), NULL);
            json_object_set_new(o, COLUMNS[i].name, psw_page_pack_json(&p, 0));
        }
        psw_page_pack_clear(&p);
    }
    return o;
}

/** Places of the cells, [cell][checkpoint] of [x, y], null where there is none. */
static json_t *map_json(struct psw_results *s)
{
    const double *map = psw_results_f64(s, "map");
    const int64_t n = psw_results_dim(s, "checkpoint");
    json_t *cells = json_array();
    for (int64_t c = 0; map && c < psw_results_dim(s, "cell"); c++) {
        json_t *path = json_array();
        for (int64_t k = 0; k < n; k++) {
            const double *at = map + 2 * (c * n + k);
            json_array_append_new(path, isfinite(at[0]) && isfinite(at[1])
                                            ? json_pack("[f, f]", at[0], at[1])
                                            : json_null());
        }
        json_array_append_new(cells, path);
    }
    return cells;
}

json_t *psw_page_spectrum_json(const struct psw_page *page)
{
    struct psw_results *s = page->spectrum;
    const double *share = s ? psw_results_f64(s, "map_share") : NULL;
    if (!s || psw_results_dim(s, "axis") != 2) return json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:[f, f]}", "cells", cells_json(s), "runs",
                     runs_json(s), "columns", columns_json(s), "map", map_json(s), "share",
                     share && isfinite(share[0]) ? share[0] : 0.0,
                     share && isfinite(share[1]) ? share[1] : 0.0);
}

int psw_page_has_spectrum(const struct psw_page *page)
{
    return page->spectrum != NULL;
}
