/* Interventions: ablations and coordinated variants as one parametrisation of the weights.
 *
 * In this order: omega is computed from unscaled log-probabilities, always; where reweighting
 * is off at this step the flat weights stand in; groups are dropped; positive and negative
 * parts are scaled. So scaling never changes omega, and groups always follow the true omega.
 * Loss and clipping that are logged stay those of the plain objective. */
#ifndef POSWEEP_OBJECTIVE_INTERVENE_H
#define POSWEEP_OBJECTIVE_INTERVENE_H

#include <posweep/objective/onpolicy.h>
#include <posweep/objective/order.h>
#include <posweep/objective/pairwise.h>

/** a(s) at a step of n_step >= 1, s = step / n_step. */
double psw_emphasis_at(const struct psw_config_emphasis *emphasis, int64_t step,
                       int64_t n_step);

/** Whether some of these factors would be others if the run had another n_step. */
int psw_emphasis_depends_on_end(const struct psw_config_emphasis *emphasis);

/** Change the weights of a whole batch (groups are formed over in->n_pair pairs).
 *  a+ scales the chosen side and the NLL term, which is positive learning too; a- scales the
 *  rejected side. The side decides, also where W < 0. Dropping a pair drops all it has.
 *  Where weights do not differ beyond rounding (psw_pair_groups_differ: the first step of dpo,
 *  hinge, sft) groups go by place in the batch, whose order is random: a third is dropped at
 *  every step, and which one does not depend on the last bits.
 *  Reads policy->positive, negative, reweight, flat_from, flat_until, drop and train.steps.
 *  Shapes: io->weight, io->nll, io->omega as psw_objective_pairwise left them (omega is read
 *          only, and only to drop groups); order: [n_pair] scratch, may be NULL when nothing is
 *          dropped. opts and in are those that psw_objective_pairwise accepted.
 *  Source: SCIENCE section 4. */
void psw_intervene(const struct psw_config_policy *policy, int64_t step,
                   const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                   const struct psw_pair_out *io, int64_t *order);

/** Change the advantages of a whole step, before it is cut into minibatches; policy->method is
 *  an on-policy one. Items are tokens for ppo, responses with all their tokens for grpo and
 *  dapo. In this order: groups and damping are found from the untouched |A|
 *  (groups by place where the |A| do not differ beyond rounding); where reweighting
 *  is off at this step, |A| becomes its mean over the items, with the sign kept (0 stays 0);
 *  dropped groups become 0; damping scales; a+ scales A >= 0 and a- the others. The clip of the
 *  surrogate depends on the sign of A only, so scaling A is scaling w.
 *  Reads what psw_intervene reads, and policy->damp and tau.
 *  Shapes: advantage, scratch, order: [n_row].
 *  Source: SCIENCE section 4 and CONTRACT. */
void psw_intervene_advantages(const struct psw_config_policy *policy, int64_t step,
                              const struct psw_rollout_rows *rows, double *advantage,
                              double *scratch, int64_t *order);

/** h(|A|; tau) for every item: 1 where A >= 0. tau = 0 changes nothing, tau = 1 leaves no
 *  negative. The q-quantile of m values is the ceil(q m)-th smallest (ties are kept together).
 *  Shapes: advantage, factor: [n]; order: [n] scratch.
 *  Source: SCIENCE section 4 and CONTRACT (hppo). */
void psw_damp_factors(enum psw_damp_rule rule, double tau, int64_t n, const double *advantage,
                      double *factor, int64_t *order);

#endif
