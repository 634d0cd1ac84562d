/* A chart as SVG: axes with round ticks, and marks in the units of the data. For paper, and for
 * pages without a script. */
#ifndef PSW_CHART_INTERNAL_H
#define PSW_CHART_INTERNAL_H

#include <stdint.h>
#include <stdio.h>

/** Where it stands, and what its axes are. The limits become those of the outer ticks. */
struct psw_chart {
    FILE *out;
    struct {
        double left, top, width, height;
    } box; /* of the whole, with its titles */
    struct psw_chart_axis {
        double lo, hi;
        const char *title; /* escaped when it is written */
    } x, y;
    const char *title; /* likewise */
    int index;         /* of its clip path */
    int n_row;         /* more than 0: names stand in place of ticks of y */
};

/** How a mark is drawn. */
struct psw_chart_pen {
    const char *colour, *dash; /* "none", "7 3" */
    double width, opacity;
    int is_hollow; /* of points */
};

/** An SVG document of that size: its first line, and a white ground. */
void psw_chart_document(FILE *out, double width, double height);

/** Axes and titles; marks up to psw_chart_end are cut at the axes. */
void psw_chart_begin(struct psw_chart *c);
void psw_chart_end(const struct psw_chart *c);

/** Colour i of those that colour-blind readers tell apart; they repeat. */
const char *psw_chart_colour(int64_t i);

/** Shapes: x, y [n]; where one is not finite the line is broken. */
void psw_chart_line(const struct psw_chart *c, const double *x, const double *y, int64_t n,
                    struct psw_chart_pen pen);
void psw_chart_point(const struct psw_chart *c, double x, double y, double radius,
                     struct psw_chart_pen pen);
/** Words at the left of a row, which is y. */
void psw_chart_row(const struct psw_chart *c, double y, const char *text);
/** Names with their pens, side by side. Returns the height that they take. */
double psw_chart_legend(FILE *out, double left, double top, double width,
                        const char *const *name, const struct psw_chart_pen *pen, int64_t n);

#endif
