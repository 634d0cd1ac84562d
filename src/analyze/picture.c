/* Traces as SVG: one panel per cell on a common scale, three lines with bands. Written as text
 * with fixed digits, so the same results give the same bytes. */
#include <posweep/analyze/picture.h>

#include <posweep/analyze/cells.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PANEL_W = 400,
    PANEL_H = 270,
    LEFT = 64,
    RIGHT = 14,
    TOP = 34,
    BOTTOM = 46,
    HEAD = 84,
    MAX_ROW = 2, /* panels beside each other */
    N_LINE = 3
};

/** The lines, in colours that colour-blind readers tell apart (Okabe and Ito). */
static const struct {
    const char *component, *colour, *dash, *title;
} LINES[N_LINE] = {{"total", "#222222", "none", "total"},
                   {"pos", "#0072b2", "none", "positive (chosen; A ≥ 0)"},
                   {"neg", "#d55e00", "6 3", "negative (rejected; A &lt; 0)"}};

/** Data limits of all panels, and where a panel stands. */
struct frame {
    double x_max, y_lo, y_hi;
    double left, top;
};

struct painter {
    FILE *out;
    struct psw_results *results;
    int64_t n_checkpoint;
    struct psw_stat *trace; /* owned */
    double *step;           /* owned */
    struct frame frame;
    int own_scales; /* panels differ too much in size to share the vertical scale */
};

static const double SHARE_UP_TO = 4;

/* ---- scales ---- */

static double x_of(const struct painter *p, double step)
{
    return p->frame.left + LEFT + (PANEL_W - LEFT - RIGHT) * step / p->frame.x_max;
}

static double y_of(const struct painter *p, double g)
{
    const double share = (g - p->frame.y_lo) / (p->frame.y_hi - p->frame.y_lo);
    return p->frame.top + PANEL_H - BOTTOM - (PANEL_H - TOP - BOTTOM) * share;
}

/** 1, 2 or 5 times a power of ten, so that about n steps cover the span. */
static double nice_step(double span, int n)
{
    const double raw = span / n, power = pow(10, floor(log10(raw)));
    const double m = raw / power;
    return power * (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10);
}

static void escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : "&amp;";
        if (*text == '<' || *text == '>' || *text == '&')
            fputs(entity, out);
        else
            fputc(*text, out);
    }
}

static void load(struct painter *p, const struct psw_cell *cell, int line)
{
    psw_cell_trace(p->results, cell, psw_results_component(p->results, LINES[line].component),
                   p->trace, p->step);
}

static double band(struct psw_stat s)
{
    return isfinite(s.se) ? s.se : 0;
}

/** Limits of one cell, at least the zero line; 0 if it has no trace. */
static int limits_of(struct painter *p, const struct psw_cell *cell, struct frame *f)
{
    int any = 0;
    for (int line = 0; line < N_LINE; line++) {
        load(p, cell, line);
        for (int64_t k = 0; k < p->n_checkpoint; k++) {
            if (p->trace[k].n == 0 || !isfinite(p->step[k])) continue;
            any = 1;
            f->x_max = fmax(f->x_max, p->step[k]);
            f->y_lo = fmin(f->y_lo, p->trace[k].mean - band(p->trace[k]));
            f->y_hi = fmax(f->y_hi, p->trace[k].mean + band(p->trace[k]));
        }
    }
    return any;
}

static void round_limits(struct frame *f)
{
    if (!(f->x_max > 0)) f->x_max = 1;
    if (!(f->y_hi > f->y_lo)) f->y_hi = f->y_lo + 1;
    const double step = nice_step(f->y_hi - f->y_lo, 5);
    f->y_lo = step * floor(f->y_lo / step);
    f->y_hi = step * ceil(f->y_hi / step);
}

/** Limits of all cells together, and whether they may share a scale. 0 if there is no trace. */
static int find_limits(struct painter *p, const struct psw_cells *cells)
{
    int any = 0;
    double least = INFINITY, most = 0;
    for (int64_t c = 0; c < cells->n_cell; c++) {
        struct frame own = {0};
        if (!limits_of(p, &cells->cell[c], &own)) continue;
        any = 1;
        least = fmin(least, own.y_hi - own.y_lo);
        most = fmax(most, own.y_hi - own.y_lo);
        p->frame.x_max = fmax(p->frame.x_max, own.x_max);
        p->frame.y_lo = fmin(p->frame.y_lo, own.y_lo);
        p->frame.y_hi = fmax(p->frame.y_hi, own.y_hi);
    }
    p->own_scales = most > SHARE_UP_TO * least;
    round_limits(&p->frame);
    return any;
}

/* ---- drawing ---- */

static void draw_axes(const struct painter *p, const char *title)
{
    const struct frame *f = &p->frame;
    const double dx = nice_step(f->x_max, 5), dy = nice_step(f->y_hi - f->y_lo, 5);
    fprintf(p->out, "<text x='%.1f' y='%.1f' font-weight='600'>", f->left + LEFT, f->top + 22);
    escape(p->out, title);
    fputs("</text>\n", p->out);
    for (double g = f->y_lo; g < f->y_hi + 0.5 * dy; g += dy) {
        const double y = y_of(p, g), shown = fabs(g) < 1e-9 * dy ? 0 : g;
        fprintf(p->out, "<path d='M%.1f %.1fH%.1f' stroke='%s'/>\n", x_of(p, 0), y,
                x_of(p, f->x_max), shown == 0 ? "#888888" : "#e4e4e4");
        fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='end'>%.4g</text>\n",
                x_of(p, 0) - 7, y + 4, shown);
    }
    for (double x = 0; x < f->x_max * 1.0001; x += dx) {
        fprintf(p->out, "<path d='M%.1f %.1fv4' stroke='#888888'/>\n", x_of(p, x),
                y_of(p, f->y_lo));
        fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='middle'>%.4g</text>\n",
                x_of(p, x), y_of(p, f->y_lo) + 18, x);
    }
    fprintf(p->out, "<text x='%.1f' y='%.1f' text-anchor='middle'>training step</text>\n",
            0.5 * (x_of(p, 0) + x_of(p, f->x_max)), y_of(p, f->y_lo) + 36);
    const double x = f->left + 16, y = 0.5 * (y_of(p, f->y_lo) + y_of(p, f->y_hi));
    fprintf(p->out,
            "<text x='%.1f' y='%.1f' text-anchor='middle' transform='rotate(-90 %.1f %.1f)'>"
            "alignment G</text>\n",
            x, y, x, y);
}

/** A band of one standard error, then the line; gaps in the data are bridged. */
static void draw_line(struct painter *p, int line)
{
    int n = 0;
    fprintf(p->out, "<path fill='%s' fill-opacity='0.16' d='", LINES[line].colour);
    for (int64_t k = 0; k < p->n_checkpoint; k++)
        if (p->trace[k].n > 0)
            fprintf(p->out, "%s%.1f %.1f", n++ ? "L" : "M", x_of(p, p->step[k]),
                    y_of(p, p->trace[k].mean + band(p->trace[k])));
    for (int64_t k = p->n_checkpoint - 1; k >= 0; k--)
        if (p->trace[k].n > 0)
            fprintf(p->out, "L%.1f %.1f", x_of(p, p->step[k]),
                    y_of(p, p->trace[k].mean - band(p->trace[k])));
    fprintf(p->out,
            "Z'/>\n<path fill='none' stroke='%s' stroke-width='2' "
            "stroke-dasharray='%s' stroke-linejoin='round' d='",
            LINES[line].colour, LINES[line].dash);
    n = 0;
    for (int64_t k = 0; k < p->n_checkpoint; k++)
        if (p->trace[k].n > 0)
            fprintf(p->out, "%s%.1f %.1f", n++ ? "L" : "M", x_of(p, p->step[k]),
                    y_of(p, p->trace[k].mean));
    fputs("'/>\n", p->out);
}

static void draw_head(struct painter *p)
{
    static const int AT[N_LINE] = {0, 90, 290};
    fprintf(p->out, "<text x='%d' y='24' font-size='16' font-weight='600'>", LEFT);
    escape(p->out, psw_results_attr(p->results, "/", "title"));
    fprintf(p->out,
            ": does a training step move toward the final responses?</text>\n"
            "<text x='%d' y='76' fill='#555555'>mean over seeds, "
            "band: 1 standard error%s</text>\n",
            LEFT, p->own_scales ? "; each panel has its own scale" : "");
    for (int i = 0; i < N_LINE; i++)
        fprintf(p->out,
                "<path d='M%d 50h26' stroke='%s' stroke-width='2' stroke-dasharray='%s'/>"
                "<text x='%d' y='54'>%s</text>\n",
                LEFT + AT[i], LINES[i].colour, LINES[i].dash, LEFT + AT[i] + 32,
                LINES[i].title);
}

static void draw_panel(struct painter *p, const struct psw_cell *cell)
{
    char title[256];
    snprintf(title, sizeof title, "%s  (%lld seed%s)", cell->label, (long long)cell->n_done,
             cell->n_done == 1 ? "" : "s");
    struct frame own = {.left = p->frame.left, .top = p->frame.top};
    limits_of(p, cell, &own);
    round_limits(&own);
    p->frame.x_max = own.x_max; /* runs differ in length */
    if (p->own_scales) p->frame = own;
    draw_axes(p, title);
    for (int line = 0; line < N_LINE; line++) {
        load(p, cell, line);
        int any = 0;
        for (int64_t k = 0; k < p->n_checkpoint; k++) any |= p->trace[k].n > 0;
        if (any) draw_line(p, line);
    }
}

static void draw(struct painter *p, const struct psw_cells *cells)
{
    const int64_t n_row = cells->n_cell < MAX_ROW ? cells->n_cell : MAX_ROW;
    const double width = (double)(n_row < 2 ? 2 : n_row) * PANEL_W;
    const double height = HEAD + (double)((cells->n_cell + n_row - 1) / n_row) * PANEL_H;
    fprintf(p->out,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' "
            "height='%.0f' font-family='system-ui, sans-serif' font-size='12' "
            "fill='#222222'>\n<rect width='100%%' height='100%%' fill='#ffffff'/>\n",
            width, height, width, height);
    draw_head(p);
    for (int64_t c = 0; c < cells->n_cell; c++) {
        p->frame.left = (double)(c % n_row) * PANEL_W;
        p->frame.top = HEAD + (double)(c / n_row) * PANEL_H;
        draw_panel(p, &cells->cell[c]);
    }
    fputs("</svg>\n", p->out);
}

psw_status psw_trace_svg(struct psw_results *results, const char *path, struct psw_error *err)
{
    struct psw_cells cells = {0};
    struct painter p = {.results = results};
    char *text = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_cells_init(results, &cells, err);
    if (rc != PSW_OK) return rc;
    p.n_checkpoint = psw_results_dim(results, "checkpoint");
    p.trace = calloc((size_t)p.n_checkpoint + 1, sizeof *p.trace);
    p.step = calloc((size_t)p.n_checkpoint + 1, sizeof *p.step);
    p.out = open_memstream(&text, &n_bytes);
    if (!p.trace || !p.step || !p.out)
        rc = psw_fail(err, PSW_ENOMEM, "%s: picture", path);
    else if (!find_limits(&p, &cells))
        rc = psw_fail(err, PSW_EDATA, "%s: no finished run has a trace yet", path);
    else
        draw(&p, &cells);
    if (p.out) fclose(p.out);
    const struct psw_file_part part = {text, n_bytes};
    if (rc == PSW_OK) rc = psw_file_write(path, &part, 1, err);
    free(text);
    free(p.trace);
    free(p.step);
    psw_cells_clear(&cells);
    return rc;
}
