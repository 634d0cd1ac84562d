/* The part of a step's rollouts that one update learns from. */
#ifndef POSWEEP_ROLLOUT_MINIBATCH_H
#define POSWEEP_ROLLOUT_MINIBATCH_H

#include <posweep/rollout/rollout.h>

/** What the models say of the rows now, and -dL/d(quantity) of each; the update fills it. */
struct psw_minibatch_update {
    double *logp, *value;
    double *weight, *kl, *entropy, *value_weight;
};

/** Rows of a minibatch, in its own order; what is known of them is copied from those of the
 *  step. */
struct psw_minibatch {
    int64_t n_prompt, n_all;         /* of this minibatch, of the step */
    int64_t *order;                  /* [all prompts] owned: places, of this epoch */
    const struct psw_example **item; /* [n_prompt] owned */
    struct psw_rollout_rows rows;
    int64_t *seq_row; /* [n_seq + 1] owned */
    /* [most rows] owned, in one block with `now`; those that an update does not read are NULL
     */
    struct psw_rollout_values row;
    struct psw_minibatch_update now;
};

/** Room for minibatches of the rollouts. MPI: Local. Owns: the caller clears.
 *  Errors: PSW_ENOMEM. */
psw_status psw_minibatch_init(const struct psw_config *config, const struct psw_rollout *r,
                              struct psw_minibatch *m, struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_minibatch_clear(struct psw_minibatch *m);

/** The order of the prompts in a pass over the rollouts of a step. The first pass keeps that of
 *  the rollouts: with one minibatch its ratios are exactly 1. */
void psw_minibatch_order(struct psw_minibatch *m, const struct psw_config *config, int64_t step,
                         int64_t epoch);

/** Lay out minibatch k of the pass: items, rows, and what is known of them. */
void psw_minibatch_choose(struct psw_minibatch *m, const struct psw_rollout *r, int64_t k);

#endif
