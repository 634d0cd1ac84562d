/* `posweep why`, the half of it that the results file alone can tell: what a run is and came
 * to, its settings, and its diagnosis. The other half is psw_progress_why. */
#ifndef POSWEEP_ANALYZE_WHY_H
#define POSWEEP_ANALYZE_WHY_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

/** Tell of a run, given as psw_run_find takes it. with_life: also its outcome, attempts, hosts,
 *  message and settings, which else the journal tells better.
 *  Errors: those of psw_run_find; PSW_EIO. */
psw_status psw_why(FILE *out, struct psw_results *results, const char *words, int with_life,
                   struct psw_error *err);

#endif
