/* Traces as SVG: where the panels stand, which of them share a scale, and the words at the
 * head. Written as text with fixed digits, so the same results give the same bytes. */
#include "picture_internal.h"

#include <posweep/util/file.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MARGIN = 24,
    LEGEND_LINE = 20,
    ROW_LABEL = 26, /* above a row, when it has one */
    PANELS_PER_ROW = 2
};

/** Panels of one method (of one cell with `all`) share the vertical scale unless their spans
 *  differ by more than this. */
static const double SHARE_UP_TO = 4;

/** The panels of the picture: a cell by cell, and the groups that have data. */
struct layout {
    struct psw_panel_scale *scale; /* owned [n_group][n_cell] */
    const struct psw_panel_group *group[PSW_N_PANEL_GROUP];
    int n_group;
    int own_scales;          /* some panel has one */
    int64_t per_row, n_cell; /* panels beside each other; cells */
};

/* ---- scales ---- */

static int has_data(struct psw_panel_scale s)
{
    return s.hi >= s.lo;
}

/** First cell after `at` with another method. */
static int64_t end_of_method(const struct psw_painter *p, const struct psw_cells *cells,
                             int64_t at)
{
    const char *method = psw_results_text(p->results, "method", cells->cell[at].run[0]);
    int64_t end = at + 1;
    while (end < cells->n_cell &&
           !strcmp(method, psw_results_text(p->results, "method", cells->cell[end].run[0])))
        end++;
    return end;
}

/** Give n panels, `stride` apart, one vertical scale if they are of a size. Returns 1 if not.
 */
static int share_scale(struct psw_panel_scale *scale, int64_t n, int64_t stride)
{
    double least = INFINITY, most = 0, lo = 0, hi = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!has_data(scale[i * stride])) continue;
        const double span = scale[i * stride].hi - scale[i * stride].lo;
        least = fmin(least, span);
        most = fmax(most, span);
        lo = fmin(lo, scale[i * stride].lo);
        hi = fmax(hi, scale[i * stride].hi);
    }
    if (most > SHARE_UP_TO * least) return 1;
    for (int64_t i = 0; i < n; i++)
        if (has_data(scale[i * stride])) scale[i * stride].lo = lo, scale[i * stride].hi = hi;
    return 0;
}

/** Limits of all panels; the groups that no cell has are left out. */
static psw_status plan(const struct psw_painter *p, const struct psw_cells *cells,
                       struct layout *out, struct psw_error *err)
{
    out->n_cell = cells->n_cell;
    out->scale = calloc((size_t)cells->n_cell * PSW_N_PANEL_GROUP, sizeof *out->scale);
    if (!out->scale)
        return psw_fail(err, PSW_ENOMEM, "picture: %lld panels", (long long)cells->n_cell);
    for (int g = 0; g < (p->opts->all ? PSW_N_PANEL_GROUP : 1); g++) {
        int any = 0;
        for (int64_t c = 0; c < cells->n_cell; c++) {
            struct psw_panel_scale *s = &out->scale[out->n_group * cells->n_cell + c];
            *s = psw_panel_limits(p, &cells->cell[c], &PSW_PANEL_GROUPS[g]);
            any |= has_data(*s);
        }
        if (any) out->group[out->n_group++] = &PSW_PANEL_GROUPS[g];
    }
    for (int64_t c = 0, end; c < cells->n_cell && !p->opts->all; c = end) {
        end = end_of_method(p, cells, c);
        out->own_scales |= share_scale(out->scale + c, end - c, 1);
    }
    for (int64_t c = 0; c < cells->n_cell && p->opts->all; c++)
        out->own_scales |= share_scale(out->scale + c, out->n_group, cells->n_cell);
    if (out->n_group == 0) return psw_fail(err, PSW_EDATA, "no finished run has a trace yet");
    out->per_row = p->opts->all                     ? out->n_group
                   : cells->n_cell < PANELS_PER_ROW ? cells->n_cell
                                                    : PANELS_PER_ROW;
    return PSW_OK;
}

/* ---- drawing ---- */

/** The lines of a group, with their names. Returns where the next one stands. */
static double draw_legend(const struct psw_painter *p, const struct layout *l, int group,
                          double y)
{
    double x = MARGIN;
    if (p->opts->all) {
        fprintf(p->out, "<text x='%d' y='%.0f' fill='#555555'>%s:</text>\n", MARGIN, y,
                l->group[group]->title);
        x += 230;
    }
    for (int i = 0; i < PSW_MAX_GROUP_LINE && l->group[group]->line[i].component; i++) {
        const struct psw_panel_line *line = &l->group[group]->line[i];
        if (psw_panel_component(p, line) < 0) continue;
        fprintf(p->out,
                "<path d='M%.0f %.0fh26' stroke='%s' stroke-width='2.2' "
                "stroke-dasharray='%s'/><text x='%.0f' y='%.0f'>%s</text>\n",
                x, y - 4, line->colour, line->dash, x + 32, y, line->title);
        x += 56 + 6.3 * (double)strlen(line->title);
    }
    return y + LEGEND_LINE;
}

static void draw_sentence(const struct psw_painter *p, double y, const char *text)
{
    fprintf(p->out, "<text x='%d' y='%.0f' fill='#444444'>%s</text>\n", MARGIN, y, text);
}

/** Which direction the traces are along, of the cells that have one. */
static const char *direction_of(const struct psw_cells *cells)
{
    int n[PSW_N_ALONG] = {0};
    for (int64_t c = 0; c < cells->n_cell; c++)
        n[cells->cell[c].along] += cells->cell[c].n_used > 0;
    return n[PSW_ALONG_SOFT] == 0
               ? "v is sampled: from the final responses (D') as they were drawn."
           : n[PSW_ALONG_SAMPLED] == 0
               ? "v is soft: at each prefix of the final responses (D') the expectation over "
                 "the "
                 "next token, which has less noise."
               : "v is soft where a method, variant and setting has it, else sampled from D'.";
}

/** Title, legend, and how to read it. Returns its height. */
static double draw_head(const struct psw_painter *p, const struct psw_cells *cells,
                        const struct layout *l)
{
    double y = 60;
    fprintf(p->out, "<text x='%d' y='30' font-size='17' font-weight='600'>", MARGIN);
    psw_panel_text(p->out, psw_results_attr(p->results, "/", "title"), 40);
    fputs(": does a training step move toward the final responses?</text>\n", p->out);
    for (int g = 0; g < l->n_group; g++) y = draw_legend(p, l, g, y);
    y += 6;
    draw_sentence(p, y,
                  "Above 0, a step on this part of the loss makes the policy's own final "
                  "responses more likely; below 0, less likely.");
    draw_sentence(
        p, y += 18,
        "Thin: single seeds. Bold: their median. Point filled: most seeds differ from "
        "0 by more than 2 standard errors; hollow: not known to differ.");
    draw_sentence(p, y += 18, direction_of(cells));
    fprintf(p->out, "<text x='%d' y='%.0f' fill='#444444'>", MARGIN, y += 18);
    fprintf(p->out,
            "The last checkpoint is left out: there the true G is 0. Seeds are cut where they "
            "leave a panel.%s%s</text>\n",
            l->own_scales ? " Scales differ between panels." : "",
            p->opts->all ? " Dotted: over-optimised runs, in no median." : "");
    return y + 14;
}

/** A panel per cell, each method in a new row. Returns the height. */
static double draw_cells(const struct psw_painter *p, const struct psw_cells *cells,
                         const struct layout *l, double top)
{
    int64_t column = 0;
    for (int64_t c = 0, end = 0; c < cells->n_cell; c++) {
        if (c == end) {
            end = end_of_method(p, cells, c);
            if (column > 0) top += PSW_PANEL_H;
            column = 0;
        } else if (column == l->per_row) {
            top += PSW_PANEL_H;
            column = 0;
        }
        psw_panel_draw(p, &(struct psw_panel){.cell = &cells->cell[c],
                                              .group = l->group[0],
                                              .scale = l->scale[c],
                                              .left = (double)column++ * PSW_PANEL_W,
                                              .top = top,
                                              .index = (int)c});
    }
    return top + PSW_PANEL_H;
}

/** A row per cell, a panel per group. Returns the height. */
static double draw_rows(const struct psw_painter *p, const struct psw_cells *cells,
                        const struct layout *l, double top)
{
    for (int64_t c = 0; c < cells->n_cell; c++) {
        fprintf(p->out,
                "<path d='M%d %.0fH%.0f' stroke='#cccccc'/>\n"
                "<text x='%d' y='%.0f' font-size='14' font-weight='600'>",
                MARGIN, top + 2, (double)l->per_row * PSW_PANEL_W - MARGIN, MARGIN, top + 22);
        psw_panel_text(p->out, cells->cell[c].label, 190);
        fputs("</text>\n", p->out);
        top += ROW_LABEL;
        for (int g = 0; g < l->n_group; g++) {
            const struct psw_panel_scale scale = l->scale[g * cells->n_cell + c];
            if (!has_data(scale) && g > 0) continue;
            psw_panel_draw(p, &(struct psw_panel){.cell = &cells->cell[c],
                                                  .group = l->group[g],
                                                  .scale = scale,
                                                  .left = (double)g * PSW_PANEL_W,
                                                  .top = top,
                                                  .index = (int)c * PSW_N_PANEL_GROUP + g});
        }
        top += PSW_PANEL_H;
    }
    return top;
}

/** Errors: PSW_ENOMEM: the picture is not whole. */
static psw_status draw(struct psw_painter *p, const struct psw_cells *cells,
                       const struct layout *l, FILE *out, struct psw_error *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    const double page = (double)(l->per_row < 2 ? 2 : l->per_row) * PSW_PANEL_W;
    p->out = open_memstream(&text, &n_bytes); /* the height is known at the end */
    if (!p->out) return psw_fail(err, PSW_ENOMEM, "picture");
    const double top = draw_head(p, cells, l);
    const double bottom =
        p->opts->all ? draw_rows(p, cells, l, top) : draw_cells(p, cells, l, top);
    const int is_whole = fclose(p->out) == 0;
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' "
            "height='%.0f' font-family='system-ui, sans-serif' font-size='12' "
            "fill='#222222'>\n<rect width='100%%' height='100%%' fill='#ffffff'/>\n",
            page, bottom, page, bottom);
    fwrite(text, 1, n_bytes, out);
    fputs("</svg>\n", out);
    free(text);
    if (is_whole && fflush(out) == 0 && !ferror(out)) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "picture of %zu bytes", n_bytes);
}

static psw_status reserve(struct psw_painter *p, const struct psw_cells *cells,
                          struct psw_error *err)
{
    int64_t n = 1;
    for (int64_t c = 0; c < cells->n_cell; c++)
        n = cells->cell[c].n_run > n ? cells->cell[c].n_run : n;
    p->scratch = calloc((size_t)n, sizeof *p->scratch);
    return p->scratch ? PSW_OK : psw_fail(err, PSW_ENOMEM, "picture: %lld runs", (long long)n);
}

psw_status psw_trace_draw(struct psw_results *results, FILE *out,
                          const struct psw_picture_opts *opts, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_cells cells = {0};
    struct layout l = {0};
    struct psw_painter p = {.results = results, .opts = opts};
    PSW_TRY(psw_traces_init(results, &p.traces, err));
    PSW_TRY(psw_cells_init(results, &p.traces, &opts->selection, &cells, err));
    PSW_TRY(reserve(&p, &cells, err));
    PSW_TRY(plan(&p, &cells, &l, err));
    PSW_TRY(draw(&p, &cells, &l, out, err));
fail:
    free(l.scale);
    free(p.scratch);
    psw_cells_clear(&cells);
    return rc;
}

psw_status psw_trace_svg(struct psw_results *results, const char *path,
                         const struct psw_picture_opts *opts, struct psw_error *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (!out) return psw_fail(err, PSW_ENOMEM, "%s: picture", path);
    psw_status rc = psw_trace_draw(results, out, opts, err);
    if (fclose(out) != 0 && rc == PSW_OK) rc = psw_fail(err, PSW_ENOMEM, "%s: picture", path);
    const struct psw_file_part part = {text, n_bytes};
    if (rc == PSW_OK) rc = psw_file_write(path, &part, 1, err);
    free(text);
    return rc;
}
