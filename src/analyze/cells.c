/* Cells: grouping of runs and statistics over replicates. */
#include <posweep/analyze/cells.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- grouping ---- */

static int same_text(struct psw_results *r, const char *name, int64_t a, int64_t b)
{
    return strcmp(psw_results_text(r, name, a), psw_results_text(r, name, b)) == 0;
}

static int same_variant(struct psw_results *r, int64_t a, int64_t b)
{
    return same_text(r, "method", a, b) && same_text(r, "variant", a, b);
}

static int same_setting(struct psw_results *r, const char *name, int64_t a, int64_t b)
{
    const double *x = psw_results_f64(r, name);
    return x ? x[a] == x[b] : same_text(r, name, a, b);
}

/** Does the setting vary among the runs of the same method and variant? */
static int tells_apart(struct psw_results *r, const char *name, int64_t run)
{
    for (int64_t i = 0; i < psw_results_dim(r, "run"); i++)
        if (same_variant(r, i, run) && !same_setting(r, name, i, run)) return 1;
    return 0;
}

static void make_label(struct psw_results *r, int64_t run, char *out, size_t n_bytes)
{
    size_t used = (size_t)snprintf(out, n_bytes, "%s %s", psw_results_text(r, "method", run),
                                   psw_results_text(r, "variant", run));
    for (int i = 0; i < psw_results_n_leaf(r) && used < n_bytes; i++) {
        const char *name = psw_results_leaf(r, i);
        if (!tells_apart(r, name, run)) continue;
        const double *x = psw_results_f64(r, name);
        used += (size_t)(x ? snprintf(out + used, n_bytes - used, " %s=%g", name, x[run])
                           : snprintf(out + used, n_bytes - used, " %s=%s", name,
                                      psw_results_text(r, name, run)));
    }
}

/** Number the cells: of[run] is the cell of a run. Returns how many there are. */
static int64_t number_cells(struct psw_results *r, int64_t n_run, int64_t *of, int64_t *first)
{
    int64_t n_cell = 0;
    for (int64_t i = 0; i < n_run; i++) {
        int64_t c = 0;
        while (c < n_cell &&
               !(same_text(r, "group", first[c], i) && same_variant(r, first[c], i)))
            c++;
        if (c == n_cell) first[n_cell++] = i;
        of[i] = c;
    }
    return n_cell;
}

psw_status psw_cells_init(struct psw_results *results, struct psw_cells *out,
                          struct psw_error *err)
{
    const int64_t n_run = psw_results_dim(results, "run");
    const int64_t *status = psw_results_i64(results, "status");
    struct psw_cells cells = {0};
    if (n_run < 1 || !status || !psw_results_has(results, "group"))
        return psw_fail(err, PSW_EDATA, "the results file has no runs");
    int64_t *of = calloc((size_t)(2 * n_run), sizeof *of);
    if (of) cells.n_cell = number_cells(results, n_run, of, of + n_run);
    cells.run = calloc((size_t)n_run, sizeof *cells.run);
    cells.cell = calloc((size_t)n_run, sizeof *cells.cell);
    if (!of || !cells.run || !cells.cell) {
        psw_cells_clear(&cells);
        free(of);
        return psw_fail(err, PSW_ENOMEM, "show: %lld runs", (long long)n_run);
    }
    int64_t used = 0;
    for (int64_t c = 0; c < cells.n_cell; c++) {
        struct psw_cell *cell = &cells.cell[c];
        cell->run = cells.run + used;
        for (int64_t i = 0; i < n_run; i++)
            if (of[i] == c) {
                cells.run[used++] = i;
                cell->n_run++;
                cell->n_done += status[i] == PSW_OUTCOME_DONE;
            }
        make_label(results, cell->run[0], cell->label, sizeof cell->label);
    }
    free(of);
    *out = cells;
    return PSW_OK;
}

void psw_cells_clear(struct psw_cells *cells)
{
    free(cells->cell);
    free(cells->run);
    *cells = (struct psw_cells){0};
}

/* ---- statistics over replicates ---- */

/** Running mean and squared deviation (Welford), so that no buffer is needed. */
struct welford {
    int64_t n;
    double mean, squares, lo, hi;
};

static void add(struct welford *w, double x)
{
    if (!isfinite(x)) return;
    const double delta = x - w->mean;
    w->lo = w->n == 0 || x < w->lo ? x : w->lo;
    w->hi = w->n == 0 || x > w->hi ? x : w->hi;
    w->n++;
    w->mean += delta / (double)w->n;
    w->squares += delta * (x - w->mean);
}

static struct psw_stat stat_of(const struct welford *w)
{
    struct psw_stat s = {.n = w->n, .mean = NAN, .sd = NAN, .se = NAN};
    if (w->n > 0) s.mean = w->mean;
    if (w->n > 1) s.sd = sqrt(w->squares / (double)(w->n - 1));
    if (w->n > 1) s.se = s.sd / sqrt((double)w->n);
    return s;
}

static int is_done(struct psw_results *r, int64_t run)
{
    const int64_t *status = psw_results_i64(r, "status");
    return status && status[run] == PSW_OUTCOME_DONE;
}

/** G[run, checkpoint, component], NaN where there is none. */
static double g_at(struct psw_results *r, int64_t run, int64_t checkpoint, int64_t component)
{
    const double *g = psw_results_f64(r, "G");
    const int64_t n_checkpoint = psw_results_dim(r, "checkpoint");
    const int64_t n_component = psw_results_dim(r, "component");
    if (!g || component < 0) return NAN;
    return g[(run * n_checkpoint + checkpoint) * n_component + component];
}

static double step_at(struct psw_results *r, int64_t run, int64_t checkpoint)
{
    const int64_t *step = psw_results_i64(r, "step");
    const int64_t at = step ? step[run * psw_results_dim(r, "checkpoint") + checkpoint] : -1;
    return at < 0 ? NAN : (double)at;
}

void psw_cell_trace(struct psw_results *results, const struct psw_cell *cell, int64_t component,
                    struct psw_stat *out, double *step)
{
    for (int64_t k = 0; k < psw_results_dim(results, "checkpoint"); k++) {
        struct welford w = {0};
        step[k] = NAN;
        for (int64_t i = 0; i < cell->n_run; i++) {
            if (!is_done(results, cell->run[i])) continue;
            add(&w, g_at(results, cell->run[i], k, component));
            if (isnan(step[k])) step[k] = step_at(results, cell->run[i], k);
        }
        out[k] = stat_of(&w);
    }
}

/** Where pos and neg of one run cross; NaN: never. */
static double crossing_of(struct psw_results *r, int64_t run, int64_t pos, int64_t neg)
{
    double x[2] = {NAN, NAN}, a[2], b[2], at;
    for (int64_t k = 0; k < psw_results_dim(r, "checkpoint"); k++) {
        const double step = step_at(r, run, k);
        const double p = g_at(r, run, k, pos), n = g_at(r, run, k, neg);
        if (!isfinite(step) || !isfinite(p - n)) continue;
        x[0] = x[1], a[0] = a[1], b[0] = b[1];
        x[1] = step, a[1] = p, b[1] = n;
        if (!isnan(x[0]) && !isnan(at = psw_crossing(x, a, b, 2))) return at;
    }
    return NAN;
}

struct psw_stat psw_cell_crossing(struct psw_results *results, const struct psw_cell *cell)
{
    const int64_t pos = psw_results_component(results, "pos");
    const int64_t neg = psw_results_component(results, "neg");
    struct welford w = {0};
    for (int64_t i = 0; i < cell->n_run; i++)
        if (is_done(results, cell->run[i]))
            add(&w, crossing_of(results, cell->run[i], pos, neg));
    return stat_of(&w);
}

struct psw_stat psw_cell_sign_share(struct psw_results *results, const struct psw_cell *cell,
                                    int64_t component, struct psw_interval *range)
{
    struct welford w = {0};
    for (int64_t i = 0; i < cell->n_run; i++) {
        int64_t n = 0, n_positive = 0;
        for (int64_t k = 0; k < psw_results_dim(results, "checkpoint"); k++) {
            const double g = g_at(results, cell->run[i], k, component);
            n += isfinite(g) != 0;
            n_positive += g > 0;
        }
        if (is_done(results, cell->run[i]) && n > 0) add(&w, (double)n_positive / (double)n);
    }
    if (range) *range = (struct psw_interval){w.lo, w.hi};
    return stat_of(&w);
}

struct psw_stat psw_cell_metric(struct psw_results *results, const struct psw_cell *cell,
                                const char *name)
{
    const double *x = psw_results_f64(results, name);
    struct welford w = {0};
    for (int64_t i = 0; x && i < cell->n_run; i++)
        if (is_done(results, cell->run[i])) add(&w, x[cell->run[i]]);
    return stat_of(&w);
}
