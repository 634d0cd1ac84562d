/* Charts as SVG, written with fixed digits, so the same numbers give the same bytes. */
#include "chart_internal.h"
#include "page_internal.h"

#include <posweep/analyze/ticks.h>

#include <math.h>
#include <string.h>

enum {
    PAD_LEFT = 62,
    PAD_RIGHT = 14,
    PAD_TOP = 34,
    PAD_BOTTOM = 48,
    N_TICK = 5,
    ROW_LEFT = 240
};

void psw_chart_document(FILE *out, double width, double height)
{
    fprintf(out,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' "
            "height='%.0f' font-family='system-ui, sans-serif' font-size='12' "
            "fill='#222222'>\n<rect width='100%%' height='100%%' fill='#ffffff'/>\n",
            width, height, width, height);
}

const char *psw_chart_colour(int64_t i)
{
    static const char *const COLOURS[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#222222", "#999999"};
    return COLOURS[(uint64_t)i % (sizeof COLOURS / sizeof *COLOURS)];
}

static double pad_left(const struct psw_chart *c)
{
    return c->n_row > 0 ? ROW_LEFT : PAD_LEFT;
}

static double x_of(const struct psw_chart *c, double x)
{
    const double room = c->box.width - pad_left(c) - PAD_RIGHT;
    return c->box.left + pad_left(c) + room * (x - c->x.lo) / (c->x.hi - c->x.lo);
}

static double y_of(const struct psw_chart *c, double y)
{
    const double room = c->box.height - PAD_TOP - PAD_BOTTOM;
    return c->box.top + PAD_TOP + room * (c->y.hi - y) / (c->y.hi - c->y.lo);
}

static struct psw_ticks round_limits(double *lo, double *hi)
{
    const struct psw_ticks ticks = psw_ticks_over(*lo, *hi, N_TICK);
    *lo = psw_tick(&ticks, ticks.first);
    *hi = psw_tick(&ticks, ticks.last);
    return ticks;
}

static void put_text(const struct psw_chart *c, double x, double y, const char *how,
                     const char *text)
{
    if (!text) return;
    fprintf(c->out, "<text x='%.1f' y='%.1f' %s>", x, y, how);
    psw_html_text(c->out, text);
    fputs("</text>\n", c->out);
}

static void draw_x_axis(const struct psw_chart *c, const struct psw_ticks *ticks)
{
    for (long i = ticks->first; i <= ticks->last; i++) {
        const double x = x_of(c, psw_tick(ticks, i));
        fprintf(c->out,
                "<path d='M%.1f %.1fV%.1f' stroke='%s'/>\n<text x='%.1f' y='%.1f' "
                "text-anchor='middle'>%.*f</text>\n",
                x, y_of(c, c->y.lo) + 4, c->n_row > 0 ? y_of(c, c->y.hi) : y_of(c, c->y.lo),
                c->n_row > 0 && i != 0 ? "#e6e6e6" : "#777777", x, y_of(c, c->y.lo) + 17,
                i == 0 ? 0 : ticks->digits, psw_tick(ticks, i));
    }
    put_text(c, 0.5 * (x_of(c, c->x.lo) + x_of(c, c->x.hi)), y_of(c, c->y.lo) + 35,
             "text-anchor='middle'", c->x.title);
}

static void draw_y_axis(const struct psw_chart *c, const struct psw_ticks *ticks)
{
    char turned[96];
    const double x = c->box.left + 15, y = 0.5 * (y_of(c, c->y.lo) + y_of(c, c->y.hi));
    for (long i = ticks->first; i <= ticks->last; i++) {
        const double at = y_of(c, psw_tick(ticks, i));
        fprintf(c->out,
                "<path d='M%.1f %.1fH%.1f' stroke='%s'/>\n<text x='%.1f' y='%.1f' "
                "text-anchor='end'>%.*f</text>\n",
                x_of(c, c->x.lo), at, x_of(c, c->x.hi), i == 0 ? "#777777" : "#e6e6e6",
                x_of(c, c->x.lo) - 7, at + 4, i == 0 ? 0 : ticks->digits, psw_tick(ticks, i));
    }
    snprintf(turned, sizeof turned, "text-anchor='middle' transform='rotate(-90 %.1f %.1f)'", x,
             y);
    put_text(c, x, y, turned, c->y.title);
}

void psw_chart_begin(struct psw_chart *c)
{
    const struct psw_ticks of_x = round_limits(&c->x.lo, &c->x.hi);
    put_text(c, c->box.left + (c->n_row > 0 ? 8 : pad_left(c)), c->box.top + 22,
             "font-weight='600'", c->title);
    if (c->n_row > 0) {
        c->y.lo = -0.5, c->y.hi = c->n_row - 0.5;
    } else {
        const struct psw_ticks of_y = round_limits(&c->y.lo, &c->y.hi);
        draw_y_axis(c, &of_y);
    }
    draw_x_axis(c, &of_x);
    fprintf(c->out,
            "<clipPath id='k%d'><rect x='%.1f' y='%.1f' width='%.1f' height='%.1f'/></clipPath>"
            "\n<g clip-path='url(#k%d)'>\n",
            c->index, x_of(c, c->x.lo) - 4, y_of(c, c->y.hi) - 4,
            x_of(c, c->x.hi) - x_of(c, c->x.lo) + 8, y_of(c, c->y.lo) - y_of(c, c->y.hi) + 8,
            c->index);
}

void psw_chart_end(const struct psw_chart *c)
{
    fputs("</g>\n", c->out);
}

void psw_chart_line(const struct psw_chart *c, const double *x, const double *y, int64_t n,
                    struct psw_chart_pen pen)
{
    int is_begun = 0;
    fprintf(c->out,
            "<path fill='none' stroke='%s' stroke-width='%.1f' stroke-opacity='%.2f' "
            "stroke-dasharray='%s' stroke-linejoin='round' d='",
            pen.colour, pen.width, pen.opacity, pen.dash);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i])) {
            is_begun = 0;
            continue;
        }
        fprintf(c->out, "%s%.1f %.1f", is_begun ? "L" : "M", x_of(c, x[i]), y_of(c, y[i]));
        is_begun = 1;
    }
    fputs("'/>\n", c->out);
}

void psw_chart_point(const struct psw_chart *c, double x, double y, double radius,
                     struct psw_chart_pen pen)
{
    if (!isfinite(x) || !isfinite(y)) return;
    fprintf(c->out,
            "<circle cx='%.1f' cy='%.1f' r='%.1f' stroke='%s' stroke-width='%.1f' fill='%s' "
            "fill-opacity='%.2f'/>\n",
            x_of(c, x), y_of(c, y), radius, pen.colour, pen.width,
            pen.is_hollow ? "#ffffff" : pen.colour, pen.opacity);
}

void psw_chart_row(const struct psw_chart *c, double y, const char *text)
{
    put_text(c, c->box.left + 8, y_of(c, y) + 4, "", text);
}

double psw_chart_legend(FILE *out, double left, double top, double width,
                        const char *const *name, const struct psw_chart_pen *pen, int64_t n)
{
    enum { LINE = 20 };
    double x = left, y = top;
    for (int64_t i = 0; i < n; i++) {
        const double own = 52 + 6.4 * (double)strlen(name[i]);
        if (x > left && x + own > left + width) {
            x = left;
            y += LINE;
        }
        fprintf(out,
                "<path d='M%.0f %.0fh24' stroke='%s' stroke-width='2.4' "
                "stroke-dasharray='%s'/><text x='%.0f' y='%.0f'>",
                x, y + 10, pen[i].colour, pen[i].dash, x + 30, y + 14);
        psw_html_text(out, name[i]);
        fputs("</text>\n", out);
        x += own;
    }
    return y + LINE - top;
}
