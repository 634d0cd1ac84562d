/* Cells: grouping of runs. Finding a dataset by name is a search, so every function does it
 * once, and runs are grouped by sorting: a file may have 100,000. */
#include <posweep/analyze/cells.h>

#include <posweep/config/nearest.h>

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
        char text[PSW_SETTING_BYTES];
        if (!is_told[i]) continue;
        used += (size_t)snprintf(out + used, n_bytes - used, " %s=%s", psw_results_leaf(r, i),
                                 psw_results_leaf_text(r, i, row->run, text));
    }
}

/** The cells of one method and variant, whose rows are sorted, into `cells`, which has room.
 *  Shapes: row [n]; is_told [n_leaf], scratch. */
static void add_cells(struct psw_results *r, const struct row *row, int64_t n, char *is_told,
                      struct psw_cells *cells, int64_t *n_run)
{
    const int64_t *status = psw_results_i64(r, "status");
    for (int i = 0; i < psw_results_n_leaf(r); i++)
        is_told[i] = (char)varies(r, psw_results_leaf(r, i), row, n);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || compare_cells(&row[i - 1], &row[i]) != 0) {
            struct psw_cell *next = &cells->cell[cells->n_cell++];
            next->run = cells->run + *n_run;
            next->apart = cells->apart + *n_run;
            make_label(r, &row[i], is_told, next->label, sizeof next->label);
        }
        struct psw_cell *cell = &cells->cell[cells->n_cell - 1];
        const int is_done = status[row[i].run] == PSW_OUTCOME_DONE;
        cells->run[*n_run] = row[i].run;
        cells->apart[(*n_run)++] = is_done ? PSW_APART_NOT : PSW_APART_UNENDED;
        cell->n_run++;
        cell->n_done += is_done;
    }
}

/* ---- selection ---- */

/** Distinct values of a text over the rows, which are sorted by it up to a common front.
 * Shapes: out [n]. */
static int64_t distinct(const struct row *row, int64_t n, int of_variant, const char **out)
{
    int64_t n_name = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *name = of_variant ? row[i].variant : row[i].method;
        int is_known = 0;
        for (int64_t k = 0; k < n_name && !is_known; k++) is_known = strcmp(out[k], name) == 0;
        if (!is_known) out[n_name++] = name;
    }
    return n_name;
}

/** "no variant "typo"; did you mean "top"? The file has flat, top". */
static psw_status refuse(const char *what, const char *wanted, const char *const *name,
                         int64_t n_name, struct psw_error *err)
{
    char did[PSW_DID_BYTES], all[512] = "";
    size_t used = 0;
    for (int64_t i = 0; i < n_name && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", name[i]);
    psw_did_you_mean(psw_nearest(wanted, name, (int)n_name), did);
    return psw_fail(err, PSW_EINVAL, "no %s \"%s\"%s The file has %s", what, wanted,
                    did[0] ? did : ".", all);
}

/** Keep the rows of the selection, in place. Shapes: row, names [*n]. */
static psw_status select_rows(const struct psw_selection *selection, struct row *row,
                              int64_t *n, const char **names, struct psw_error *err)
{
    const char *const wanted[2] = {selection->method, selection->variant};
    static const char *const WHAT[2] = {"method", "variant"};
    for (int k = 0; k < 2; k++) {
        int64_t n_kept = 0;
        if (!wanted[k]) continue;
        const int64_t n_name = distinct(row, *n, k, names);
        for (int64_t i = 0; i < *n; i++)
            if (strcmp(k ? row[i].variant : row[i].method, wanted[k]) == 0)
                row[n_kept++] = row[i];
        if (n_kept == 0) return refuse(WHAT[k], wanted[k], names, n_name, err);
        *n = n_kept;
    }
    return PSW_OK;
}

/** Which replicates count, and along which direction: soft where all that have a trace have it.
 *  Returns how many have one along it. Shapes: scratch [2 * n_run]. */
static int64_t judge(struct psw_results *r, const struct psw_traces *traces,
                     const struct psw_selection *selection, struct psw_cell *cell,
                     enum psw_apart *apart, double *scratch)
{
    const double *kl = psw_results_f64(r, "kl_ref");
    const int64_t total = psw_results_component(r, "total");
    const double max_kl = selection->max_kl > 0 ? selection->max_kl : PSW_MAX_KL;
    int64_t n_along[PSW_N_ALONG] = {0};
    for (int64_t i = 0; i < cell->n_run; i++) scratch[i] = kl ? kl[cell->run[i]] : NAN;
    psw_apart_judge(scratch, cell->n_run, max_kl, scratch + cell->n_run, apart);
    for (int64_t i = 0; i < cell->n_run; i++) {
        cell->n_used += apart[i] == PSW_APART_NOT;
        if (apart[i] == PSW_APART_UNENDED) continue;
        for (int a = 0; a < PSW_N_ALONG; a++)
            n_along[a] += psw_trace_has(traces, a, cell->run[i], total);
    }
    const int has_soft =
        n_along[PSW_ALONG_SOFT] > 0 && n_along[PSW_ALONG_SOFT] == n_along[PSW_ALONG_SAMPLED];
    cell->along = has_soft ? PSW_ALONG_SOFT : PSW_ALONG_SAMPLED;
    for (int a = 0; selection->along && a < PSW_N_ALONG; a++)
        if (strcmp(selection->along, psw_along_name(a)) == 0) cell->along = a;
    return n_along[cell->along];
}

static psw_status check_along(const struct psw_selection *selection, struct psw_error *err)
{
    const char *names[PSW_N_ALONG];
    char did[PSW_DID_BYTES];
    for (int a = 0; a < PSW_N_ALONG; a++) {
        names[a] = psw_along_name(a);
        if (!selection->along || strcmp(selection->along, names[a]) == 0) return PSW_OK;
    }
    psw_did_you_mean(psw_nearest(selection->along, names, PSW_N_ALONG), did);
    return psw_fail(err, PSW_EINVAL, "no direction \"%s\"%s There are sampled and soft",
                    selection->along, did[0] ? did : ".");
}

/** What grouping needs while it works. */
struct work {
    struct row *row;    /* owned [n_run] */
    const char **names; /* owned [n_run] */
    char *is_told;      /* owned [n_leaf] */
    double *scratch;    /* owned [2 * n_run] */
    int64_t n;          /* selected rows */
};

static int reserve(struct work *w, struct psw_cells *cells, int64_t n_run, int n_leaf)
{
    w->row = calloc((size_t)n_run, sizeof *w->row);
    w->names = calloc((size_t)n_run, sizeof *w->names);
    w->is_told = calloc((size_t)n_leaf + 1, 1);
    w->scratch = calloc(2 * (size_t)n_run, sizeof *w->scratch);
    cells->run = calloc((size_t)n_run, sizeof *cells->run);
    cells->apart = calloc((size_t)n_run, sizeof *cells->apart);
    cells->cell = calloc((size_t)n_run, sizeof *cells->cell);
    return w->row && w->names && w->is_told && w->scratch && cells->run && cells->apart &&
           cells->cell;
}

static void group(struct psw_results *r, struct work *w, struct psw_cells *cells)
{
    int64_t n_run = 0;
    for (int64_t at = 0, end; at < w->n; at = end) {
        for (end = at + 1; end < w->n && compare_variants(&w->row[at], &w->row[end]) == 0;)
            end++;
        add_cells(r, w->row + at, end - at, w->is_told, cells, &n_run);
    }
}

psw_status psw_cells_init(struct psw_results *results, const struct psw_traces *traces,
                          const struct psw_selection *selection, struct psw_cells *out,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct work w = {.n = psw_results_dim(results, "run")};
    struct psw_cells cells = {0};
    int64_t n_trace = 0;
    if (w.n < 1 || !psw_results_i64(results, "status") || !psw_results_has(results, "group"))
        return psw_fail(err, PSW_EDATA, "the results file has no runs");
    PSW_TRY(check_along(selection, err));
    if (!reserve(&w, &cells, w.n, psw_results_n_leaf(results)))
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "show: %lld runs", (long long)w.n));
    for (int64_t i = 0; i < w.n; i++)
        w.row[i] = (struct row){psw_results_text(results, "method", i),
                                psw_results_text(results, "variant", i),
                                psw_results_text(results, "group", i), i};
    PSW_TRY(select_rows(selection, w.row, &w.n, w.names, err));
    qsort(w.row, (size_t)w.n, sizeof *w.row, by_cell);
    group(results, &w, &cells);
    for (int64_t c = 0; c < cells.n_cell; c++)
        n_trace += judge(results, traces, selection, &cells.cell[c],
                         cells.apart + (cells.cell[c].run - cells.run), w.scratch);
    if (n_trace == 0 && selection->along)
        PSW_TRY(psw_fail(err, PSW_EDATA, "no finished run has a trace along v %s",
                         selection->along));
    qsort(cells.cell, (size_t)cells.n_cell, sizeof *cells.cell, by_first_run);
fail:
    if (rc == PSW_OK)
        *out = cells;
    else
        psw_cells_clear(&cells);
    free(w.row);
    free(w.names);
    free(w.is_told);
    free(w.scratch);
    return rc;
}

void psw_cells_clear(struct psw_cells *cells)
{
    free(cells->cell);
    free(cells->run);
    free(cells->apart);
    *cells = (struct psw_cells){0};
}
