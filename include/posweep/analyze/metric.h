/* Metrics: one number per run, by name.
 *
 *   score                     a final metric: any numeric dataset over `run` that was measured
 *   G.pos:mean                a functional of a trace: FAMILY.COMPONENT:FUNCTIONAL
 *   train_loss:last           of any numeric dataset along training, without a component
 *   crossing                  short for G.pos_minus_neg:crossing
 *
 * Families are G, Gv (G over the norm of v) and cosine; components those of the file and
 * pos_minus_neg; functionals and what they do are in `posweep help compare`. The last
 * checkpoint is no part of what lies along v: see traces.h. */
#ifndef POSWEEP_ANALYZE_METRIC_H
#define POSWEEP_ANALYZE_METRIC_H

#include <posweep/analyze/traces.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

enum { PSW_METRIC_BYTES = 96 };

/** The value of a metric in every run, whatever came of the run; NaN where there is none.
 *  along: "sampled" or "soft"; NULL: soft where every run with a trace has it.
 *  Shapes: out [n_run]. Errors: PSW_EINVAL when there is no such metric, with the nearest name;
 *  PSW_EDATA when the file has no dataset of it; PSW_ENOMEM. out is then untouched. */
psw_status psw_metric_values(struct psw_results *results, const struct psw_traces *traces,
                             const char *along, const char *name, double *out,
                             struct psw_error *err);

/** Whether more of it is better (1), less is (-1), or neither (0). */
int psw_metric_direction(const char *name);

/** Families, functionals and directions, for `posweep help compare`. */
void psw_metric_help(FILE *out);

#endif
