/* Pictures: traces as SVG, drawn by hand so that they need nothing but a viewer. */
#ifndef POSWEEP_ANALYZE_PICTURE_H
#define POSWEEP_ANALYZE_PICTURE_H

#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

struct psw_picture_opts {
    int all; /* 0: a panel per cell with total, pos and neg. 1: a row per cell with a panel for
                each group of components, and the runs that are set apart, dotted */
    struct psw_selection selection;
};

/** The picture of psw_trace_svg into an open stream. Errors: those of psw_trace_svg but of
 * files; something may then have been written. */
psw_status psw_trace_draw(struct psw_results *results, FILE *out,
                          const struct psw_picture_opts *opts, struct psw_error *err);

/** G over the norm of v along training: thin lines for seeds, bold for their median, its points
 *  filled where most seeds have a sign that is there; written atomically.
 *  Errors: PSW_EDATA when no run has a trace; those of psw_cells_init and psw_file_write. */
psw_status psw_trace_svg(struct psw_results *results, const char *path,
                         const struct psw_picture_opts *opts, struct psw_error *err);

#endif
