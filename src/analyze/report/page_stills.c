/* The figures as pictures that stand by themselves: for paper, and for pages without a script.
 * What they show is what the page shows before anything is picked. */
#include "chart_internal.h"
#include "page_internal.h"

#include <posweep/analyze/picture.h>
#include <posweep/analyze/replicates.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 880, PANEL_H = 300, LEGEND_TOP = 8, MOST_CELLS = 64 };

static const struct psw_chart_pen GUIDE = {"#777777", "4 3", 1, 1, 0};

/** Limits of the data, grown a little so that no mark stands on an axis. */
struct limits {
    double lo, hi;
};

static void widen(struct limits *l, double x)
{
    if (!isfinite(x)) return;
    l->lo = fmin(l->lo, x);
    l->hi = fmax(l->hi, x);
}

static const struct limits NONE = {INFINITY, -INFINITY};

/** Cells of a method, or of all (NULL), that have a run that counts. Shapes: out [MOST_CELLS];
 *  returns how many. */
static int64_t cells_of(const struct psw_page *page, const char *method,
                        const struct psw_cell *out[MOST_CELLS])
{
    int64_t n = 0;
    for (int64_t c = 0; c < page->cells.n_cell && n < MOST_CELLS; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        const char *own = psw_results_text(page->results, "method", cell->run[0]);
        if (cell->n_used > 0 && (!method || !strcmp(method, own))) out[n++] = cell;
    }
    return n;
}

static double legend_of(const struct psw_page *page, FILE *out,
                        const struct psw_cell *const *cell, int64_t n)
{
    const char *name[MOST_CELLS];
    struct psw_chart_pen pen[MOST_CELLS];
    (void)page;
    for (int64_t i = 0; i < n; i++) {
        name[i] = cell[i]->label;
        pen[i] = (struct psw_chart_pen){psw_chart_colour(i), "none", 2.4, 1, 0};
    }
    return LEGEND_TOP + psw_chart_legend(out, 16, LEGEND_TOP, WIDE - 32, name, pen, n);
}

/** A picture whose body is drawn first, because its height is known at the end. */
static psw_status put_document(FILE *out, double width, double height, char *body,
                               size_t n_bytes, struct psw_error *err)
{
    if (!body) return psw_fail(err, PSW_ENOMEM, "picture");
    psw_chart_document(out, width, height);
    fwrite(body, 1, n_bytes, out);
    fputs("</svg>\n", out);
    free(body);
    return PSW_OK;
}

/* ---- G along training ---- */

static psw_status draw_traces(const struct psw_page *page, FILE *out, struct psw_error *err)
{
    const struct psw_picture_opts opts = {.selection = page->opts->selection};
    return psw_trace_draw(page->results, out, &opts, err);
}

/* ---- positive against negative ---- */

/** Medians of pos and neg over replicates along training. Shapes: pos, neg [n_checkpoint]. */
static void medians(const struct psw_page *page, const struct psw_cell *cell, double *pos,
                    double *neg)
{
    const struct psw_traces *t = &page->traces;
    for (int64_t k = 0; k < t->n_checkpoint; k++) {
        const struct psw_replicates p = psw_replicates_at(t, cell, t->pos, k, page->scratch);
        const struct psw_replicates n = psw_replicates_at(t, cell, t->neg, k, page->scratch);
        pos[k] = p.middle.n > 0 ? p.middle.median : NAN;
        neg[k] = n.middle.n > 0 ? n.middle.median : NAN;
    }
}

static void draw_path(const struct psw_page *page, const struct psw_chart *c,
                      const struct psw_cell *cell, int64_t colour, double *xy)
{
    const int64_t n = page->traces.n_checkpoint;
    double *pos = xy, *neg = xy + n;
    int64_t first = -1, last = -1;
    struct psw_chart_pen pen = {psw_chart_colour(colour), "none", 2.2, 1, 0};
    medians(page, cell, pos, neg);
    psw_chart_line(c, pos, neg, n, pen);
    for (int64_t k = 0; k < n; k++)
        if (isfinite(pos[k]) && isfinite(neg[k])) {
            first = first < 0 ? k : first;
            last = k;
        }
    if (last >= 0) psw_chart_point(c, pos[last], neg[last], 5, pen);
    pen.is_hollow = 1;
    if (first >= 0) psw_chart_point(c, pos[first], neg[first], 4, pen);
}

static void draw_phase_of(const struct psw_page *page, FILE *out, const char *method,
                          struct psw_chart c, double *xy)
{
    const struct psw_cell *cell[MOST_CELLS];
    const int64_t n = cells_of(page, method, cell), n_point = 2 * page->traces.n_checkpoint;
    struct limits l = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        medians(page, cell[i], xy, xy + page->traces.n_checkpoint);
        for (int64_t k = 0; k < n_point; k++) widen(&l, xy[k]);
    }
    c.out = out;
    c.title = method;
    c.x.title = "pos: G/\xe2\x80\x96v\xe2\x80\x96 of positive learning";
    c.y.title = "neg: G/\xe2\x80\x96v\xe2\x80\x96 of negative learning";
    c.x.lo = c.y.lo = l.lo;
    c.x.hi = c.y.hi = l.hi;
    psw_chart_begin(&c);
    const double ends[2] = {c.x.lo, c.x.hi}, zero[2] = {0, 0};
    psw_chart_line(&c, ends, ends, 2, GUIDE);
    psw_chart_line(&c, zero, ends, 2, (struct psw_chart_pen){"#777777", "none", 1, 1, 0});
    for (int64_t i = 0; i < n; i++) draw_path(page, &c, cell[i], i, xy);
    psw_chart_end(&c);
}

/** Distinct methods, in the order of the cells. Shapes: out [MOST_CELLS]. */
static int64_t methods_of(const struct psw_page *page, const char *out[MOST_CELLS])
{
    int64_t n = 0;
    for (int64_t c = 0; c < page->cells.n_cell && n < MOST_CELLS; c++) {
        const char *own = psw_results_text(page->results, "method", page->cells.cell[c].run[0]);
        int is_known = 0;
        for (int64_t i = 0; i < n; i++) is_known |= strcmp(out[i], own) == 0;
        if (!is_known) out[n++] = own;
    }
    return n;
}

static psw_status draw_phase(const struct psw_page *page, FILE *out, struct psw_error *err)
{
    enum { SIDE = WIDE / 2, HIGH = 420 };
    const char *method[MOST_CELLS];
    const struct psw_cell *cell[MOST_CELLS];
    const int64_t n = methods_of(page, method);
    char *body = NULL;
    size_t n_bytes = 0;
    double top = 0, *xy = calloc(2 * (size_t)page->traces.n_checkpoint + 1, sizeof *xy);
    FILE *f = open_memstream(&body, &n_bytes);
    for (int64_t i = 0; f && xy && i < n; i++) {
        if (i % 2 == 0) top += i ? HIGH : 0;
        struct psw_chart c = {.box.left = (double)(i % 2) * SIDE,
                              .box.top = top + 44,
                              .box.width = SIDE,
                              .box.height = HIGH - 44,
                              .index = (int)i};
        draw_phase_of(page, f, method[i], c, xy);
        const int64_t n_cell = cells_of(page, method[i], cell);
        const char *name[MOST_CELLS];
        struct psw_chart_pen pen[MOST_CELLS];
        for (int64_t k = 0; k < n_cell; k++) {
            name[k] = psw_results_text(page->results, "variant", cell[k]->run[0]);
            pen[k] = (struct psw_chart_pen){psw_chart_colour(k), "none", 2.4, 1, 0};
        }
        psw_chart_legend(f, c.box.left + 40, top + 8, SIDE - 50, name, pen, n_cell);
    }
    free(xy);
    if (!f || fclose(f) != 0) return psw_fail(err, PSW_ENOMEM, "picture");
    return put_document(out, WIDE, top + HIGH, body, n_bytes, err);
}

/* ---- what it came to ---- */

static void draw_scatter_of(const struct psw_page *page, FILE *out, struct psw_chart c,
                            const char *xname, const char *yname)
{
    const struct psw_cell *cell[MOST_CELLS];
    const int64_t n = cells_of(page, NULL, cell);
    const double *x = psw_results_f64(page->results, xname);
    const double *y = psw_results_f64(page->results, yname);
    struct limits of_x = NONE, of_y = NONE;
    if (!x || !y) return;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < cell[i]->n_run; k++)
            if (cell[i]->apart[k] == PSW_APART_NOT)
                widen(&of_x, x[cell[i]->run[k]]), widen(&of_y, y[cell[i]->run[k]]);
    c.out = out;
    c.x.lo = of_x.lo, c.x.hi = of_x.hi, c.y.lo = of_y.lo, c.y.hi = of_y.hi;
    psw_chart_begin(&c);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < cell[i]->n_run; k++)
            if (cell[i]->apart[k] == PSW_APART_NOT)
                psw_chart_point(
                    &c, x[cell[i]->run[k]], y[cell[i]->run[k]], 4,
                    (struct psw_chart_pen){psw_chart_colour(i), "none", 1.4, 0.35, 0});
    psw_chart_end(&c);
}

static psw_status draw_scatter(const struct psw_page *page, FILE *out, struct psw_error *err)
{
    const struct psw_cell *cell[MOST_CELLS];
    const int has_score = psw_results_has(page->results, "score");
    const char *y = has_score ? "score" : "reward_final",
               *title = has_score ? "score" : "reward";
    char *body = NULL;
    size_t n_bytes = 0;
    FILE *f = open_memstream(&body, &n_bytes);
    if (!f) return psw_fail(err, PSW_ENOMEM, "picture");
    const double top = legend_of(page, f, cell, cells_of(page, NULL, cell));
    struct psw_chart c = {
        .box.top = top, .box.width = WIDE / 2.0, .box.height = PANEL_H, .y.title = title};
    c.x.title = "KL to SFT, nat";
    draw_scatter_of(page, f, c, "kl_ref", y);
    c.box.left = WIDE / 2.0, c.index = 1;
    c.x.title = "length, tokens";
    draw_scatter_of(page, f, c, "length", y);
    if (fclose(f) != 0) return psw_fail(err, PSW_ENOMEM, "picture");
    return put_document(out, WIDE, top + PANEL_H, body, n_bytes, err);
}

/* ---- the table ---- */

static int has_parts(const struct psw_page *page)
{
    return psw_page_has_trace(page) && page->traces.pos >= 0 && page->traces.neg >= 0;
}

static int has_outcome(const struct psw_page *page)
{
    return page->n_used > 0 && (psw_results_has(page->results, "score") ||
                                psw_results_has(page->results, "reward_final"));
}

const struct psw_page_still PSW_PAGE_STILLS[] = {
    {"traces", psw_page_has_trace, draw_traces},
    {"phase", has_parts, draw_phase},
    {"forest", psw_page_has_comparison, psw_page_draw_forest},
    {"scatter", has_outcome, draw_scatter},
    {NULL, NULL, NULL}};
