/* Cells: grouping of runs and statistics over replicates. Finding a dataset by name is a
 * search, so every function does it once, and runs are grouped by sorting: a file may have
 * 100,000. */
#include <posweep/analyze/cells.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- grouping ---- */

/** What places a run among the cells. Borrows the texts. */
struct row {
    const char *method, *variant, *group;
    int64_t run;
};

static int compare_variants(const struct row *x, const struct row *y)
{
    const int order = strcmp(x->method, y->method);
    return order ? order : strcmp(x->variant, y->variant);
}

static int compare_cells(const struct row *x, const struct row *y)
{
    const int order = compare_variants(x, y);
    return order ? order : strcmp(x->group, y->group);
}

static int by_cell(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    const int order = compare_cells(x, y);
    return order ? order : x->run < y->run ? -1 : x->run > y->run;
}

static int by_first_run(const void *a, const void *b)
{
    const struct psw_cell *x = a, *y = b;
    return x->run[0] < y->run[0] ? -1 : x->run[0] > y->run[0];
}

/** Whether a setting differs among the runs of one method and variant. Shapes: row [n]. */
static int varies(struct psw_results *r, const char *name, const struct row *row, int64_t n)
{
    const double *x = psw_results_f64(r, name);
    const char *first = psw_results_text(r, name, row[0].run);
    for (int64_t i = 0; i < n; i++) {
        const int64_t run = row[i].run;
        if (x ? x[run] != x[row[0].run] : strcmp(psw_results_text(r, name, run), first) != 0)
            return 1;
    }
    return 0;
}

/** Shapes: is_told [n_leaf]. */
static void make_label(struct psw_results *r, const struct row *row, const char *is_told,
                       char *out, size_t n_bytes)
{
    size_t used = (size_t)snprintf(out, n_bytes, "%s %s", row->method, row->variant);
    for (int i = 0; i < psw_results_n_leaf(r) && used < n_bytes; i++) {
        if (!is_told[i]) continue;
        const char *name = psw_results_leaf(r, i);
        const double *x = psw_results_f64(r, name);
        used += (size_t)(x ? snprintf(out + used, n_bytes - used, " %s=%g", name, x[row->run])
                           : snprintf(out + used, n_bytes - used, " %s=%s", name,
                                      psw_results_text(r, name, row->run)));
    }
}

/** The cells of one method and variant, whose rows are sorted. Shapes: row, run [n];
 *  is_told [n_leaf], scratch. */
static void add_cells(struct psw_results *r, const struct row *row, int64_t *run, int64_t n,
                      char *is_told, struct psw_cells *cells)
{
    const int64_t *status = psw_results_i64(r, "status");
    for (int i = 0; i < psw_results_n_leaf(r); i++)
        is_told[i] = (char)varies(r, psw_results_leaf(r, i), row, n);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || compare_cells(&row[i - 1], &row[i]) != 0) {
            struct psw_cell *next = &cells->cell[cells->n_cell++];
            next->run = run + i;
            make_label(r, &row[i], is_told, next->label, sizeof next->label);
        }
        struct psw_cell *cell = &cells->cell[cells->n_cell - 1];
        run[i] = row[i].run;
        cell->n_run++;
        cell->n_done += status[run[i]] == PSW_OUTCOME_DONE;
    }
}

psw_status psw_cells_init(struct psw_results *results, struct psw_cells *out,
                          struct psw_error *err)
{
    const int64_t n_run = psw_results_dim(results, "run");
    struct psw_cells cells = {0};
    if (n_run < 1 || !psw_results_i64(results, "status") || !psw_results_has(results, "group"))
        return psw_fail(err, PSW_EDATA, "the results file has no runs");
    struct row *row = calloc((size_t)n_run, sizeof *row);
    char *is_told = calloc((size_t)psw_results_n_leaf(results) + 1, 1);
    cells.run = calloc((size_t)n_run, sizeof *cells.run);
    cells.cell = calloc((size_t)n_run, sizeof *cells.cell);
    if (!row || !is_told || !cells.run || !cells.cell) {
        psw_cells_clear(&cells);
        free(row);
        free(is_told);
        return psw_fail(err, PSW_ENOMEM, "show: %lld runs", (long long)n_run);
    }
    for (int64_t i = 0; i < n_run; i++)
        row[i] = (struct row){psw_results_text(results, "method", i),
                              psw_results_text(results, "variant", i),
                              psw_results_text(results, "group", i), i};
    qsort(row, (size_t)n_run, sizeof *row, by_cell);
    for (int64_t at = 0, end; at < n_run; at = end) {
        for (end = at + 1; end < n_run && compare_variants(&row[at], &row[end]) == 0;) end++;
        add_cells(results, row + at, cells.run + at, end - at, is_told, &cells);
    }
    qsort(cells.cell, (size_t)cells.n_cell, sizeof *cells.cell, by_first_run);
    free(row);
    free(is_told);
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

/** The datasets that statistics need; NULL where there is none. Borrowed from the results. */
struct columns {
    const int64_t *status; /* [n_run] */
    const int64_t *step;   /* [n_run][n_checkpoint] */
    const double *g;       /* [n_run][n_checkpoint][n_component] */
    int64_t n_checkpoint, n_component;
};

static struct columns columns_of(struct psw_results *r)
{
    return (struct columns){.status = psw_results_i64(r, "status"),
                            .step = psw_results_i64(r, "step"),
                            .g = psw_results_f64(r, "G"),
                            .n_checkpoint = psw_results_dim(r, "checkpoint"),
                            .n_component = psw_results_dim(r, "component")};
}

static int is_done(const struct columns *c, int64_t run)
{
    return c->status && c->status[run] == PSW_OUTCOME_DONE;
}

/** G[run, checkpoint, component], NaN where there is none. */
static double g_at(const struct columns *c, int64_t run, int64_t checkpoint, int64_t component)
{
    if (!c->g || component < 0) return NAN;
    return c->g[(run * c->n_checkpoint + checkpoint) * c->n_component + component];
}

static double step_at(const struct columns *c, int64_t run, int64_t checkpoint)
{
    const int64_t at = c->step ? c->step[run * c->n_checkpoint + checkpoint] : -1;
    return at < 0 ? NAN : (double)at;
}

void psw_cell_trace(struct psw_results *results, const struct psw_cell *cell, int64_t component,
                    struct psw_stat *out, double *step)
{
    const struct columns c = columns_of(results);
    for (int64_t k = 0; k < c.n_checkpoint; k++) {
        struct welford w = {0};
        step[k] = NAN;
        for (int64_t i = 0; i < cell->n_run; i++) {
            if (!is_done(&c, cell->run[i])) continue;
            add(&w, g_at(&c, cell->run[i], k, component));
            if (isnan(step[k])) step[k] = step_at(&c, cell->run[i], k);
        }
        out[k] = stat_of(&w);
    }
}

/** Where pos and neg of one run cross; NaN: never. */
static double crossing_of(const struct columns *c, int64_t run, int64_t pos, int64_t neg)
{
    double x[2] = {NAN, NAN}, a[2], b[2], at;
    for (int64_t k = 0; k < c->n_checkpoint; k++) {
        const double step = step_at(c, run, k);
        const double p = g_at(c, run, k, pos), n = g_at(c, run, k, neg);
        if (!isfinite(step) || !isfinite(p - n)) continue;
        x[0] = x[1], a[0] = a[1], b[0] = b[1];
        x[1] = step, a[1] = p, b[1] = n;
        if (!isnan(x[0]) && !isnan(at = psw_crossing(x, a, b, 2))) return at;
    }
    return NAN;
}

struct psw_stat psw_cell_crossing(struct psw_results *results, const struct psw_cell *cell)
{
    const struct columns c = columns_of(results);
    const int64_t pos = psw_results_component(results, "pos");
    const int64_t neg = psw_results_component(results, "neg");
    struct welford w = {0};
    for (int64_t i = 0; i < cell->n_run; i++)
        if (is_done(&c, cell->run[i])) add(&w, crossing_of(&c, cell->run[i], pos, neg));
    return stat_of(&w);
}

struct psw_stat psw_cell_sign_share(struct psw_results *results, const struct psw_cell *cell,
                                    int64_t component, struct psw_interval *range)
{
    const struct columns c = columns_of(results);
    struct welford w = {0};
    for (int64_t i = 0; i < cell->n_run; i++) {
        int64_t n = 0, n_positive = 0;
        for (int64_t k = 0; k < c.n_checkpoint; k++) {
            const double g = g_at(&c, cell->run[i], k, component);
            n += isfinite(g) != 0;
            n_positive += g > 0;
        }
        if (is_done(&c, cell->run[i]) && n > 0) add(&w, (double)n_positive / (double)n);
    }
    if (range) *range = (struct psw_interval){w.lo, w.hi};
    return stat_of(&w);
}

struct psw_stat psw_cell_metric(struct psw_results *results, const struct psw_cell *cell,
                                const char *name)
{
    const struct columns c = columns_of(results);
    const double *x = psw_results_f64(results, name);
    struct welford w = {0};
    for (int64_t i = 0; x && i < cell->n_run; i++)
        if (is_done(&c, cell->run[i])) add(&w, x[cell->run[i]]);
    return stat_of(&w);
}
