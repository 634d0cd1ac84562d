/* Traces: G of a run along training as it is judged, with the error that counts and the scale
 * that makes seeds comparable.
 *
 * The error of G is the root of G_se squared (spread over the probe) plus G_se_final squared
 * (spread over D'). G_se_final is measured at some checkpoints only: between two of them it is
 * interpolated linearly over steps, outside it is that of the nearest. Where a file has none,
 * the error is G_se alone.
 *
 * Two directions: `sampled` is v of the final responses as they were drawn; `soft` has the same
 * expectation and less noise (G_soft, with its own errors and v_soft_norm).
 *
 * The last checkpoint of a run is no part of its trace: there the expectation of v is 0, so
 * whatever stands there is the noise of D'. */
#ifndef POSWEEP_ANALYZE_TRACES_H
#define POSWEEP_ANALYZE_TRACES_H

#include <posweep/store/along.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** In place of a component's index: pos_minus_neg where the file has it; else pos - neg, its
 *  error from theirs as if they were independent. */
enum { PSW_POS_MINUS_NEG = -2 };

/** The columns of one direction, [n_run][n_checkpoint][n_component] and, norm, [n_run]
 *  [n_checkpoint]; NULL where the file has none. Borrowed. */
struct psw_traces_columns {
    const double *g, *se, *se_final, *norm;
};

/** The traces of a file. Borrows all from the results. */
struct psw_traces {
    const int64_t *step; /* [n_run][n_checkpoint], -1: no such checkpoint */
    struct psw_traces_columns along[PSW_N_ALONG];
    int64_t n_run, n_checkpoint, n_component;
    int64_t pos, neg, pos_minus_neg; /* components; -1: not there */
};

/** Errors: PSW_EDATA when the file has no G. */
psw_status psw_traces_init(struct psw_results *results, struct psw_traces *out,
                           struct psw_error *err);

/** One point. NaN where there is no value. */
struct psw_trace_value {
    double step;
    double g, se;             /* G and its error */
    double scaled, scaled_se; /* the same over the norm of v, which is one for all components */
};

/** Point of a component (or PSW_POS_MINUS_NEG) at a checkpoint; all NaN at the last one. */
struct psw_trace_value psw_trace_at(const struct psw_traces *t, enum psw_along along,
                                    int64_t run, int64_t checkpoint, int64_t component);

/** Checkpoints of a run before its last. */
int64_t psw_trace_length(const struct psw_traces *t, int64_t run);

/** Whether a run has a trace of total along a direction. */
int psw_trace_has(const struct psw_traces *t, enum psw_along along, int64_t run, int64_t total);

#endif
