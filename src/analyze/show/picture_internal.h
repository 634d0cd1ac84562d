/* What the two files of the picture share: which components stand in which panel and how, and
 * what a panel needs to be drawn. */
#ifndef PSW_PICTURE_INTERNAL_H
#define PSW_PICTURE_INTERNAL_H

#include "../analyze_internal.h"

#include <posweep/analyze/picture.h>
#include <posweep/analyze/ticks.h>

enum {
    PSW_PANEL_W = 440,
    PSW_PANEL_H = 280,
    PSW_PANEL_LEFT = 66,
    PSW_PANEL_RIGHT = 16,
    PSW_PANEL_TOP = 48,
    PSW_PANEL_BOTTOM = 48,
    PSW_N_PANEL_GROUP = 5,
    PSW_MAX_GROUP_LINE = 7
};

/** A component as a line. */
struct psw_panel_line {
    const char *component, *colour, *dash, *title;
};

/** The components that share a panel. */
struct psw_panel_group {
    const char *title;
    struct psw_panel_line line[PSW_MAX_GROUP_LINE]; /* ended by component NULL, or full */
};

/** The groups; the first is the default view. */
extern const struct psw_panel_group PSW_PANEL_GROUPS[PSW_N_PANEL_GROUP];

/** Data limits of a panel; empty (hi < lo) where it has no data. */
struct psw_panel_scale {
    double x_max, lo, hi;
};

/** What drawing needs. */
struct psw_painter {
    FILE *out;
    struct psw_results *results;
    const struct psw_picture_opts *opts;
    struct psw_traces traces;
    double *scratch; /* owned, [most replicates of a cell] */
};

/** A panel: what it shows and where it stands. */
struct psw_panel {
    const struct psw_cell *cell;
    const struct psw_panel_group *group;
    struct psw_panel_scale scale;
    double left, top;
    int index; /* of its clip path */
};

/** Limits of the seeds that count, with the zero line: all of their medians, and single seeds
 * up to the span of the medians beyond, so that none owns the scale. */
struct psw_panel_scale psw_panel_limits(const struct psw_painter *p,
                                        const struct psw_cell *cell,
                                        const struct psw_panel_group *group);

void psw_panel_draw(const struct psw_painter *p, const struct psw_panel *panel);

/** Text with the characters that XML reserves written as entities; at most n_most characters,
 *  then "…". */
void psw_panel_text(FILE *out, const char *text, int n_most);

/** Index of a line's component in the file; -1: not there. */
int64_t psw_panel_component(const struct psw_painter *p, const struct psw_panel_line *line);

#endif
