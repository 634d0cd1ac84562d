/* What the parts of a trace point share inside this module. */
#ifndef POSWEEP_TRACE_INTERNAL_H
#define POSWEEP_TRACE_INTERNAL_H

#include <posweep/trace/point.h>

/** Everything of the probe that the coefficients need, and the coefficients themselves. */
struct psw_probe {
    int64_t n;
    double *logp, *logp_dot; /* [n][2] */
    double *n_falling;       /* [n][2] tokens with kappa > 0 */
    int64_t *n_tok;          /* [n][2] */
    uint64_t *cluster;       /* [n] */
    double *coef;            /* [PSW_N_COMPONENT][n][2] */
};

/** A pass with the tracer's settings, not yet packed. */
struct psw_shards psw_trace_shards(const struct psw_tracer *t);

/** Only sizes are wanted: the arena measures. */
int psw_trace_is_dry(const struct psw_tracer *t);

/** What explicit gradients tell: norms, cosines, the error of G through D', realised steps.
 *  MPI: Collective (team->comm). */
void psw_trace_explicit(const struct psw_tracer *t, const struct psw_trace_at *at,
                        const float *v, const struct psw_probe *p, struct psw_trace_point *out);

#endif
