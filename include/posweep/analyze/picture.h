/* Pictures: traces as SVG, drawn by hand so that they need nothing but a viewer. */
#ifndef POSWEEP_ANALYZE_PICTURE_H
#define POSWEEP_ANALYZE_PICTURE_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>

/** One panel per cell (method, variant, settings): mean G of total, pos and neg along training,
 *  with a band of one standard error across seeds; written atomically.
 *  Errors: PSW_EDATA when no run has a trace; those of psw_file_write. */
psw_status psw_trace_svg(struct psw_results *results, const char *path, struct psw_error *err);

#endif
