/* One training step on preference pairs; the policy stage and its benchmark take it. */
#ifndef POSWEEP_STAGE_PAIR_STEP_H
#define POSWEEP_STAGE_PAIR_STEP_H

#include <posweep/config/config.h>
#include <posweep/data/dataset.h>
#include <posweep/objective/pairwise.h>
#include <posweep/optim/trainer.h>

/** The arrays of a step, for all pairs of the batch. */
struct psw_pair_step {
    const struct psw_config *config; /* borrowed */
    struct psw_trainer *trainer;     /* borrowed */
    struct psw_pair_opts opts;
    int64_t n_pair;
    struct psw_picked picked;  /* [n_pair] owned; set by the caller, as are n_tok, is_equal, ref
                                */
    double *ref;               /* [n_pair][2] owned, with all that follows */
    double *logp, *seq_weight; /* [n_pair][2] */
    int64_t *n_tok, *order;    /* [n_pair][2], [n_pair] */
    uint8_t *is_equal;         /* [n_pair] */
    struct psw_pair_out out;
};

/** MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_pair_step_init(const struct psw_config *config, struct psw_trainer *trainer,
                              struct psw_pair_step *s, struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_pair_step_clear(struct psw_pair_step *s);

/** The batch as the objectives take it. */
struct psw_pair_in psw_pair_step_batch(const struct psw_pair_step *s);

/** Forward, weights, backward of the picked pairs; gradients are pushed into the trainer's
 * tree. n_tok_local: tokens computed by this rank, may be NULL. step: of training; -1 in a
 * measuring arena: any, and whatever it takes is enough for smaller pairs, too. MPI: Collective
 * (team.comm); with a measuring arena: Local. */
psw_status psw_pair_step_gradient(struct psw_pair_step *s, int64_t step,
                                  struct psw_arena *arena, int64_t *n_tok_local,
                                  struct psw_error *err);

#endif
