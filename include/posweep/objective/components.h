/* Components: the parts of a loss whose G is traced, as coefficients per sequence or token.
 *
 * G is linear in the weights, so a component is nothing but a weight per token; for the
 * pairwise objectives it is one number per response. Components describe the plain objective,
 * without the run's interventions, so that variants can be compared; the G of the step that a
 * variant takes is a combination of them (a+ (pos + nll) + a- neg; total - top; total_flat).
 *
 * pos_minus_neg is no part of any loss but a contrast: its G is G(pos) - G(neg), and it is here
 * to have the standard error of that difference, which those of pos and neg do not give (they
 * share prompts and v). */
#ifndef POSWEEP_OBJECTIVE_COMPONENTS_H
#define POSWEEP_OBJECTIVE_COMPONENTS_H

#include <posweep/objective/onpolicy.h>
#include <posweep/objective/pairwise.h>
#include <posweep/util/arena.h>

/** The `component` axis of the results file. Append, never renumber. */
enum psw_component {
    PSW_C_TOTAL,
    PSW_C_POS,
    PSW_C_NEG,
    PSW_C_TOTAL_FLAT,
    PSW_C_POS_FLAT,
    PSW_C_NEG_FLAT,
    PSW_C_TOP,
    PSW_C_MID,
    PSW_C_BOT,
    PSW_C_RAND1,
    PSW_C_RAND2,
    PSW_C_RAND3,
    PSW_C_NLL,
    PSW_C_KL,
    PSW_C_ENTROPY,
    PSW_C_VALUE,
    PSW_C_RAW,
    PSW_C_SHUFFLED,
    PSW_C_SFT_CHOSEN,
    PSW_C_POS_MINUS_NEG,
    PSW_N_COMPONENT
};

/** Canonical name, lower case. */
const char *psw_component_name(enum psw_component component);

/** What it is, one line, for help texts and the schema. */
const char *psw_component_help(enum psw_component component);

/** -1 when no component has this name. */
int psw_component_find(const char *name);

/** Bits 1 << enum psw_component of those that a pairwise method has. */
uint32_t psw_components_of(int method);

/** The same for an on-policy method: kl, entropy and value where its options have them. */
uint32_t psw_components_onpolicy_of(const struct psw_onpolicy_opts *opts);

/** Where random groups and orders come from: the same (seed, checkpoint) gives the same. */
struct psw_components_key {
    uint64_t seed;
    int64_t checkpoint; /* index of the checkpoint in its run */
};

/** Coefficients of every component: weight per token of each response, for the loss of one pair
 *  (the mean over pairs is not yet taken).
 *
 *  Identities: total = pos + neg (+ nll) = top + mid + bot = rand1 + rand2 + rand3,
 *  total_flat = pos_flat + neg_flat (+ nll), pos_minus_neg = pos - neg. The NLL term is in
 *  total, total_flat and the groups, not in pos. Where weights do not differ beyond rounding
 *  (psw_pair_groups_differ) top, mid and bot mean nothing: their coefficients are NaN.
 *  Components that the method lacks are 0.
 *
 *  Shapes: coef: [PSW_N_COMPONENT][n_pair][2].
 *  Errors: as psw_objective_pairwise. A measuring arena: nothing is computed. */
psw_status psw_components_pairwise(const struct psw_pair_opts *opts,
                                   const struct psw_pair_in *in, struct psw_components_key key,
                                   struct psw_arena *scratch, double *coef,
                                   struct psw_error *err);

/** The fresh rollouts that a checkpoint is traced on. Shapes: all [n_row]; ref may be NULL when
 *  the loss has no KL term. A measuring arena: rows->n_row is all that is read. */
struct psw_onpolicy_probe {
    const struct psw_rollout_rows *rows;
    const double *advantage; /* as trained on, without interventions */
    const double *raw;       /* before whitening and scaling */
    const double *logp, *ref;
};

/** Coefficients of every component: w of each row, normaliser included, at a ratio of 1 (fresh
 *  rollouts, nothing clipped), so that G(component) = sum over rows of coef * kappa.
 *
 *  Identities: total = pos + neg + kl, total_flat = pos_flat + neg_flat + kl, and without kl
 *  pos + neg = top + mid + bot = rand1 + rand2 + rand3; pos_minus_neg = pos - neg. raw and
 *  shuffled are the surrogate alone, to be compared with pos + neg. Groups, flat means and
 *  shuffles go over items: tokens for ppo, responses with all their tokens for grpo and dapo.
 *  Entropy and value do not act on log pi of the sampled tokens: their rows are 0 here and the
 *  trace adds them to total.
 *
 *  Shapes: coef: [PSW_N_COMPONENT][n_row].
 *  Errors: as psw_objective_onpolicy, coef is then untouched. A measuring arena: nothing is
 *          computed.
 *  Source: SCIENCE section 3. */
psw_status psw_components_onpolicy(const struct psw_onpolicy_opts *opts,
                                   const struct psw_onpolicy_probe *probe,
                                   struct psw_components_key key, struct psw_arena *scratch,
                                   double *coef, struct psw_error *err);

#endif
