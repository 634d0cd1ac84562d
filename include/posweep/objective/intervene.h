/* Interventions: ablations and coordinated variants as one parametrisation of the weights.
 *
 * In this order: omega is computed from unscaled log-probabilities, always; where reweighting
 * is off at this step the flat weights stand in; groups are dropped; positive and negative
 * parts are scaled. So scaling never changes omega, and groups always follow the true omega.
 * The loss that is logged stays that of the plain objective. */
#ifndef POSWEEP_OBJECTIVE_INTERVENE_H
#define POSWEEP_OBJECTIVE_INTERVENE_H

#include <posweep/objective/order.h>
#include <posweep/objective/pairwise.h>

/** How a scale a(s) moves with s = step / n_step. */
enum psw_scale_kind {
    PSW_SCALE_CONSTANT, /* `from` */
    PSW_SCALE_STEP,     /* `from` before off_until, `to` from then on */
    PSW_SCALE_LINEAR,   /* from + (to - from) s */
    PSW_SCALE_COSINE    /* from + (to - from) (1 - cos(pi s)) / 2 */
};

/** A schedule; every kind but `step` is 0 while step < off_until. */
struct psw_scale {
    int kind; /* enum psw_scale_kind */
    double from, to;
    int64_t off_until;
};

/** Value of a schedule at a step of n_step >= 1. */
double psw_scale_at(const struct psw_scale *scale, int64_t step, int64_t n_step);

/** Bits of dropped groups: 1 << enum psw_group. */
enum { PSW_DROP_NONE = 0, PSW_DROP_TOP = 1, PSW_DROP_MID = 2, PSW_DROP_BOT = 4 };

/** Everything that may be changed about the weights of a run. */
struct psw_intervention {
    struct psw_scale positive, negative; /* a+ and a- */
    int reweight;                        /* 0: flat for flat_from <= step < flat_until */
    int64_t flat_from, flat_until;       /* flat_until 0: to the end */
    unsigned drop;                       /* bits of dropped groups */
    int64_t n_step;                      /* of the whole run */
};

struct psw_intervention psw_intervention_of(const struct psw_config *config);

/** 1 when the weights of no step would change. */
int psw_intervention_is_none(const struct psw_intervention *iv);

/** Change the weights of a whole batch (groups are formed over in->n_pair pairs).
 *  a+ scales the chosen side and the NLL term, which is positive learning too; a- scales the
 *  rejected side. The side decides, also where W < 0. Dropping a pair drops all it has.
 *  Shapes: io->weight, io->nll, io->omega as psw_objective_pairwise left them (omega is read
 *          only, and only to drop groups); order: [n_pair] scratch, may be NULL when nothing is
 *          dropped.
 *          dropped. opts and in are those that psw_objective_pairwise accepted.
 *  Source: SCIENCE section 4. */
void psw_intervene(const struct psw_intervention *iv, int64_t step,
                   const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                   const struct psw_pair_out *io, int64_t *order);

/** How hppo damps negative tokens of high weight. */
enum psw_damp_rule {
    PSW_DAMP_NONE,
    PSW_DAMP_BELOW, /* keep negatives with |A| <= their (1 - tau)-quantile, drop the others */
    PSW_DAMP_SCALE  /* multiply every negative by 1 - tau */
};

/** h(|A|; tau) for every item: 1 where A >= 0. tau = 0 changes nothing, tau = 1 leaves no
 *  negative. The q-quantile of m values is the ceil(q m)-th smallest (ties are kept together).
 *  Shapes: advantage, factor: [n]; order: [n] scratch.
 *  Source: SCIENCE section 4 and CONTRACT (hppo). */
void psw_damp_factors(enum psw_damp_rule rule, double tau, int64_t n, const double *advantage,
                      double *factor, int64_t *order);

#endif
