/* On-policy objectives as weight rules: scores, values and log-probabilities of a step's own
 * samples in, advantages, loss and -dL/dlog pi per token out.
 *
 * Everything is double and runs in index order, on every rank alike; a row is a response token.
 * The loss of a (mini)batch is complete here: weights carry the normaliser. */
#ifndef POSWEEP_OBJECTIVE_ONPOLICY_H
#define POSWEEP_OBJECTIVE_ONPOLICY_H

#include <posweep/config/config.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Responses as rows, prompt by prompt, sample by sample; every response has a row. A minibatch
 *  has its own rows, counted from 0. Borrowed. */
struct psw_rollout_rows {
    int64_t n_prompt, n_sample; /* responses per prompt */
    int64_t n_seq;              /* n_prompt * n_sample */
    int64_t n_row;
    const int64_t *seq_row; /* [n_seq + 1] rows of response s: [seq_row[s], seq_row[s + 1]);
                               the first is 0, the last n_row */
};

/** What the objective reads of a configuration. Plain numbers: defaults that depend on the
 *  method are resolved, terms that the method lacks are 0. */
struct psw_onpolicy_opts {
    int method;                 /* PSW_METHOD_PPO, GRPO or DAPO */
    double clip_low, clip_high; /* in (0, 1]; above 0 */
    double loss_kl_coef;        /* of the k3 term in the loss: grpo; 0 elsewhere */
    double entropy_coef;
    double value_coef, value_clip; /* value_clip 0: none */
    int shared_critic;             /* the value loss acts on the policy's own trunk */
};

struct psw_onpolicy_opts psw_onpolicy_opts_of(const struct psw_config *config);

/** Estimate of KL(pi || pi_ref) from one token drawn from pi, with d = log pi - log pi_ref:
 *  k1 = d, k2 = d^2 / 2, k3 = exp(-d) - 1 + d. kind: enum psw_kl_kind.
 *  k1 and k3 are unbiased, k2 is not. As terms of a loss, given the prefix, their
 *  expected gradients are others: of k1 it is 0, of k2 that of KL(pi || pi_ref), of k3 that of
 *  KL(pi_ref || pi).
 *  Source: Schulman 2020, Approximating KL divergence; Tang and Munos 2025,
 *  arXiv 2506.09477, for the gradients. */
double psw_kl_estimate(int kind, double logp, double ref);

/** Reward of every token: -kl_coef * estimate, plus the score at a response's last token.
 *  Shapes: score [n_seq]; logp, ref, reward [n_row]; logp and ref are not read when kl_coef
 *  is 0. */
void psw_reward_tokens(const struct psw_rollout_rows *rows, int kl_kind, double kl_coef,
                       const double *score, const double *logp, const double *ref,
                       double *reward);

/** Generalised advantage estimation within each response; the value behind its end is 0.
 *  delta_t = reward_t + discount V_{t+1} - V_t, A_t = sum_l (discount lambda)^l delta_{t+l},
 *  return = A + V. Shapes: reward, value, advantage, ret [n_row].
 *  Source: Schulman et al. 2016, arXiv 1506.02438, eq. 16. */
void psw_gae(const struct psw_rollout_rows *rows, double discount, double lambda,
             const double *reward, const double *value, double *advantage, double *ret);

struct psw_moments {
    double mean, deviation; /* of the sample, n - 1; 0 when n < 2 */
};
struct psw_moments psw_moments_of(int64_t n, const double *x);

/** out = (x - mean) / sqrt(deviation^2 + 1e-8); out may be x. All equal: all 0. */
void psw_whiten(int64_t n, const double *x, double *out);

/** grpo, dapo: score minus the mean of its prompt's scores, divided by their deviation + 1e-4
 *  when scaled; 0 where a prompt's scores are all equal. Shapes: score, advantage [n_seq]. */
void psw_group_advantage(const struct psw_rollout_rows *rows, int scaled, const double *score,
                         double *advantage);

/** Number of prompts whose scores are not all equal; is_mixed (may be NULL) [n_prompt]. */
int64_t psw_group_mixed(const struct psw_rollout_rows *rows, const double *score,
                        uint8_t *is_mixed);

/** Every row gets its response's value. Shapes: seq [n_seq], row [n_row]. */
void psw_rows_spread(const struct psw_rollout_rows *rows, const double *seq, double *row);

/** dapo's soft penalty: 0 up to max_new - buffer tokens, then falling linearly to -1 at
 *  max_new; 0 when buffer is 0. Source: Yu et al. 2025, eq. 13. */
double psw_overlong_penalty(int64_t n_token, int64_t max_new, int64_t buffer);

/** One (mini)batch. old: of the policy that sampled, by the same kind of forward pass, so that
 *  the ratio is exactly 1 on fresh rollouts. Shapes: all [n_row]; ref may be NULL when
 * loss_kl_coef is 0. */
struct psw_onpolicy_in {
    const struct psw_rollout_rows *rows;
    const double *logp, *old, *ref, *advantage;
};

/** Pointers may be NULL: not wanted. The gradient of the loss has weight + kl. */
struct psw_onpolicy_out {
    double *weight; /* [n_row] -dL/dlog pi of the clipped surrogate */
    double *kl;     /* [n_row] the same of the k3 term: loss_kl_coef (pi_ref/pi - 1) times the
                       normaliser; 0 where log pi - log pi_ref is rounding (pairwise.h) */
    double loss;    /* surrogate + KL term */
    double clip_fraction; /* share of rows whose gradient the clip removes */
    double approx_kl;     /* mean of (logp - old)^2 / 2 */
};

/** Clipped surrogate -min(rho A, clip(rho, 1 - clip_low, 1 + clip_high) A), rho = pi / old.
 *  Normaliser: ppo and dapo 1/n_row; grpo 1/(n_seq * length of the response).
 *  An advantage may be of either sign or 0; the clip counts strictly beyond its limits.
 *  Errors: PSW_EINVAL for options out of range, a response without rows, a missing ref;
 *          PSW_EDIVERGED for a log-probability, an advantage or a ratio that is not finite,
 *          with its row. Outputs are then untouched.
 *  Source: SCIENCE section 2; the rows of methods.def. */
psw_status psw_objective_onpolicy(const struct psw_onpolicy_opts *opts,
                                  const struct psw_onpolicy_in *in,
                                  struct psw_onpolicy_out *out,
                                  struct psw_error *err) PSW_MUST_CHECK;

/** Value loss value_coef * mean of max((V - R)^2, (clip(V, V_old +- value_clip) - R)^2) / 2.
 *  Where the clipped term is the larger one, V has no gradient. NaN in gives NaN out.
 *  Shapes: value, old, ret, weight [n_row]; weight: -dL/dV, may be NULL. Returns the loss.
 *  Source: Huang et al. 2024, arXiv 2403.17031, and its reference code. */
double psw_value_loss(const struct psw_onpolicy_opts *opts, int64_t n_row, const double *value,
                      const double *old, const double *ret, double *weight);

/** 1 - var(ret - value) / var(ret); NaN where the returns do not vary. */
double psw_explained_variance(int64_t n_row, const double *value, const double *ret);

#endif
