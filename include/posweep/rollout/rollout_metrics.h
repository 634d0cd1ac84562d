/* What is logged of a step on the policy's own samples. */
#ifndef POSWEEP_ROLLOUT_ROLLOUT_METRICS_H
#define POSWEEP_ROLLOUT_ROLLOUT_METRICS_H

#include <posweep/rollout/rollout.h>

/** By the names of the schema. */
enum psw_rollout_metric {
    PSW_ROLLOUT_LOSS,
    PSW_ROLLOUT_SCORE,
    PSW_ROLLOUT_SCORE_DEVIATION,
    PSW_ROLLOUT_MIXED,
    PSW_ROLLOUT_KL,
    PSW_ROLLOUT_KL_COEF,
    PSW_ROLLOUT_ENTROPY,
    PSW_ROLLOUT_CLIP_FRACTION,
    PSW_ROLLOUT_APPROX_KL,
    PSW_ROLLOUT_VALUE_LOSS,
    PSW_ROLLOUT_EXPLAINED,
    PSW_ROLLOUT_ADVANTAGE_MEAN,
    PSW_ROLLOUT_ADVANTAGE_DEVIATION,
    PSW_ROLLOUT_LENGTH,
    PSW_ROLLOUT_EOS_RATE,
    PSW_ROLLOUT_GRAD_NORM,
    PSW_ROLLOUT_PARAM_NORM,
    PSW_ROLLOUT_LR,
    PSW_ROLLOUT_SHARE,
    PSW_ROLLOUT_TOKENS_PER_S,
    PSW_ROLLOUT_N_METRIC
};
extern const char *const PSW_ROLLOUT_METRICS[PSW_ROLLOUT_N_METRIC + 1];

/** Sums over the updates of a step. */
struct psw_rollout_sums {
    double n_update; /* done */
    double loss, clip_fraction, approx_kl, value_loss, grad_norm, lr;
    double param_norm; /* after the last one */
    int has_values;    /* there is a critic */
};

/** Fill all but kl_coef, the share of sampling and tokens per second, which the caller knows.
 *  Shapes: metric [PSW_ROLLOUT_N_METRIC]. MPI: Local. */
void psw_rollout_metrics(const struct psw_rollout *r, const struct psw_rollout_sums *sums,
                         int32_t eos, double *metric);

#endif
