/* What the parts of a trace point share inside this module. */
#ifndef POSWEEP_TRACE_INTERNAL_H
#define POSWEEP_TRACE_INTERNAL_H

#include <posweep/objective/clustered_mean.h>
#include <posweep/trace/point.h>
#include <posweep/trace/sketch.h>

/** Everything of the probe that the coefficients need, and the coefficients themselves. */
struct psw_probe {
    int64_t n;
    unsigned want; /* PSW_WANT_*: what passes over the probe compute; 0: log-probabilities */
    uint64_t *cluster; /* [n] */
    struct {
        double *logp, *logp_dot; /* [n][2] */
        double *n_falling;       /* [n][2] tokens with kappa > 0 */
        int64_t *n_tok;          /* [n][2] */
        double *coef;            /* [PSW_N_COMPONENT][n][2] */
    } pairs;
    /* Rollouts: quantities of every row, minus their derivatives along v, and the weights
     * -dL/d(quantity). Entropy and value enter into total, total_flat and their own component.
     */
    struct {
        int64_t n;
        double *logp, *value;                        /* [n] */
        double *kappa, *entropy_kappa, *value_kappa; /* [n] */
        double *coef;                                /* [PSW_N_COMPONENT][n] */
        double *entropy_weight, *value_weight;       /* [n] */
        double mean_entropy;
    } rows;
};

/** How a kind of probe is measured: pairs (probe_pairs.c) or a step's own samples
 * (probe_rollouts.c). */
struct psw_trace_kind {
    uint32_t (*components)(const struct psw_tracer *t); /* bits 1 << component */
    void (*init)(const struct psw_tracer *t, struct psw_probe *p);
    /* One tangent pass over the probe; fills the tokens' logp and kappa if they are wanted.
     * MPI: Collective (team->comm). */
    void (*tangent)(const struct psw_tracer *t, const float *param, const float *v,
                    struct psw_probe *p, struct psw_trace_tokens *tokens);
    psw_status (*coefficients)(const struct psw_tracer *t, const struct psw_trace_at *at,
                               struct psw_probe *p, struct psw_trace_point *out,
                               struct psw_error *err);
    /* G along the direction of the last tangent pass. */
    void (*reduce)(const struct psw_tracer *t, const struct psw_probe *p, double *g,
                   double *g_se);
    void (*summarise)(const struct psw_tracer *t, const struct psw_trace_at *at,
                      const struct psw_probe *p, struct psw_trace_point *out);
    /* MPI: Collective (team->comm). */
    psw_status (*heldout)(const struct psw_tracer *t, const float *param,
                          struct psw_trace_point *out, struct psw_error *err);
    /* Push the component's gradient on the probe into the tree: after a forward pass, but for
     * pairs without at->cosine. */
    void (*gradient)(const struct psw_tracer *t, struct psw_shards *pass,
                     const struct psw_trace_at *at, const struct psw_probe *p, int component);
};
extern const struct psw_trace_kind PSW_TRACE_PAIRS, PSW_TRACE_ROLLOUTS;

/** Log-probabilities and kappa of every token after a tangent pass.
 *  MPI: Collective (team->comm). */
void psw_trace_gather_tokens(struct psw_shards *pass, struct psw_trace_tokens *tokens);

/** A pass with the tracer's settings, not yet packed. */
struct psw_shards psw_trace_shards(const struct psw_tracer *t);

/** Only sizes are wanted: the arena measures. */
int psw_trace_is_dry(const struct psw_tracer *t);

/** A pass over D' at temperature 1, packed, with soft targets if the tracer has them. */
struct psw_shards psw_trace_final_shards(const struct psw_tracer *t);

/** Mean gradient of -log pi over the responses of a set (the first of each item where
 *  chosen_only), whole on every rank, at temperature 1.
 *  MPI: Collective (team->comm). */
void psw_trace_direction(const struct psw_tracer *t, struct psw_trace_set set, int chosen_only,
                         const float *param, float *v);

/** v, as the sum of what the two halves of D' give; its norm, the inner product of the halves
 *  (NaN with one item) and the mean log-probability of D'. Of at: where, and the sketches of v.
 *  MPI: Collective (team->comm). */
void psw_trace_v(const struct psw_tracer *t, const struct psw_trace_at *at, float *v,
                 struct psw_trace_point *out);

/** v_soft; the tracer has soft targets. MPI: Collective (team->comm). */
void psw_trace_v_soft(const struct psw_tracer *t, const float *param, float *v_soft);

/** Mean over the responses of D' of x, each weighted as v weighs it, with its clustered error.
 */
struct psw_mean psw_trace_final_mean(const struct psw_tracer *t, const double *x);

/** Derivatives of the responses of D' along gradients of total, pos and neg, in the arena. */
enum { PSW_N_ERROR = PSW_C_NEG + 1 };
struct psw_trace_error {
    int64_t n_seq;
    double *hard, *soft; /* [PSW_N_ERROR][n_seq] */
};
void psw_trace_error_init(const struct psw_tracer *t, struct psw_trace_error *e);

/** Whether psw_trace_error_take is wanted for a component. */
int psw_trace_error_needs(uint32_t exists, int component);

/** One tangent pass over D' along a gradient that is whole on every rank.
 *  MPI: Collective (team->comm). */
void psw_trace_error_take(const struct psw_tracer *t, const float *param, const float *grad,
                          int component, struct psw_trace_error *e);

/** g_se_final and g_soft_se_final of total, pos, neg and pos_minus_neg. */
void psw_trace_error_finish(const struct psw_tracer *t, uint32_t exists,
                            struct psw_trace_error *e, struct psw_trace_point *out);

/** What explicit gradients tell: norms, cosines and realised steps where at->cosine, and the
 *  error of G through D'. MPI: Collective (team->comm). */
void psw_trace_explicit(const struct psw_tracer *t, const struct psw_trace_kind *kind,
                        const struct psw_trace_at *at, const float *v,
                        const struct psw_probe *p, struct psw_trace_point *out);

#endif
