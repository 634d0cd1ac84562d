/* Pairwise objectives as weight rules: log-probabilities of the chosen and the rejected
 * response in, the loss and -dL/dlog pi per token out.
 *
 * Every method scores a response (s+ and s-: log-ratio to the reference, log-probability,
 * either per token, or log-odds), takes the margin d = s+ - s-, and has loss f(d). Its pair
 * weight is omega = -f'(d), and w+ = omega ds+/dz+, w- = -omega ds-/dz-, the same for every
 * token of a response. An NLL term, where the method has one, is kept apart.
 *
 * Weights belong to the loss of one pair. The loss of a batch is the mean over its pairs: the
 * division by the number of pairs of the *whole* batch is left to the caller, who alone knows
 * it (shards). Everything is double; NaN in gives NaN out. */
#ifndef POSWEEP_OBJECTIVE_PAIRWISE_H
#define POSWEEP_OBJECTIVE_PAIRWISE_H

#include <posweep/config/config.h>
#include <posweep/objective/scalars.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Options of the pairwise objectives; each method reads those its row names. */
struct psw_pair_opts {
    int method;     /* enum psw_method */
    double beta;    /* > 0; strength of the margin */
    double gamma;   /* target margin of simpo, >= 0 */
    double epsilon; /* assumed share of flipped labels, in [0, 0.5) */
    double lambda;  /* penalty of dpop, >= 0 */
    double alpha; /* weight of the NLL term (cpo, rpo) or of the odds-ratio term (orpo), >= 0 */
};

/** The options of a configured run. */
struct psw_pair_opts psw_pair_opts_of(const struct psw_config *config);

/** Errors: PSW_EINVAL with the option's name and value when the method reads an option that is
 *  out of its range. */
psw_status psw_pair_opts_check(const struct psw_pair_opts *opts, struct psw_error *err);

/** Index of the two responses of a pair. */
enum { PSW_CHOSEN = 0, PSW_REJECTED = 1, PSW_N_SIDE = 2 };

/** A batch of pairs. Borrowed pointers. */
struct psw_pair_in {
    int64_t n_pair;
    const double *logp;      /* [n_pair][2] log pi(y|x), summed over response tokens, nat */
    const double *ref;       /* [n_pair][2] the reference's; NULL where has_reference is 0 */
    const int64_t *n_tok;    /* [n_pair][2] response tokens, EOS counted, >= 1 */
    const uint8_t *is_equal; /* [n_pair] both responses are the same tokens; for metrics only,
                                NULL: none are */
};

/** What comes out. Any pointer may be NULL: that part is then not written. */
struct psw_pair_out {
    double *loss;   /* [n_pair] loss of each pair, with its NLL term */
    double *weight; /* [n_pair][2] +W+ and -W-: w = -dL/dlog pi of each token, without NLL */
    double *nll;    /* [n_pair] what the NLL term adds to w on each token of the chosen one */
    double *omega;  /* [n_pair] pair weight omega = -dL/dd */
    double *score;  /* [n_pair][2] implicit rewards; their difference is the method's margin */
};

/** Loss and weights of each pair.
 *  Shapes: see the structs. Units: nat.
 *  Errors: PSW_EINVAL for an option out of range or a response without tokens; outputs are then
 *          untouched.
 *  Source: SCIENCE section 2 and CONTRACT; the row of a method names its paper. */
psw_status psw_objective_pairwise(const struct psw_pair_opts *opts,
                                  const struct psw_pair_in *in, const struct psw_pair_out *out,
                                  struct psw_error *err);

/** The same with reweighting removed: omega has its value at margin 0 for every pair (beta/2
 * for dpo and dpop, 1/beta for ipo, beta for hinge, beta sigma(gamma) for simpo, alpha/2 for
 * orpo), and dpop's penalty is inactive as it is at r+ = 0. What is no reweighting stays: 1/n
 * of the methods per token and orpo's 1/(1 - p) of each response. Loss, score and nll are as
 * above. */
psw_status psw_objective_flat(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                              const struct psw_pair_out *out, struct psw_error *err);

/** Whether the groups of the pairs by omega, in that order of falling |omega|, mean something
 *  (order.h): beyond what the rounding of log-probabilities does to omega. Never for sft, never
 *  for hinge while all pairs are inside the margin, nor where the policy is the reference.
 *  Shapes: order [n_pair]. opts and in are those that psw_objective_pairwise accepted. */
int psw_pair_groups_differ(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                           const int64_t *order);

#endif
