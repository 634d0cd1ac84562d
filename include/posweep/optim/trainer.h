/* The trainer: parameters, optimiser state and gradient tree of one model on one rank of a
 * team.
 *
 * Every rank holds all parameters, and the optimiser moments of its slice only (ZeRO-1). An
 * update completes the gradient tree, clips, steps its slice, and gathers the slices. */
#ifndef POSWEEP_OPTIM_TRAINER_H
#define POSWEEP_OPTIM_TRAINER_H

#include <posweep/config/config.h>
#include <posweep/parallel/shards.h>

/** Open struct; all memory belongs to the arena, arrays are buffers of exec's backend. */
struct psw_trainer {
    const struct psw_model *model;
    const struct psw_config_train *train;
    struct psw_team team;
    struct psw_exec exec;
    struct psw_arena *arena; /* borrowed; passes go above what init took */
    int64_t n_param;
    float *param;                 /* [n_param] */
    struct {                      /* this rank's share of the optimiser */
        struct psw_slice slice;   /* of the parameters */
        float *moment1, *moment2; /* [slice.end - slice.begin] */
    } optimizer;
    struct psw_tree *tree; /* NULL in a measuring arena */
    int64_t step;          /* updates done */
    int64_t per_step;      /* updates in what the user calls a step: for messages; 1 */
    double start_norm; /* of the parameters that training began from; 0: growth is no matter */
};

/** Take the memory of a trainer from exec.scratch (also a measuring one), where its passes will
 *  take theirs; moments are zero.
 *  MPI: Local. */
void psw_trainer_init(struct psw_trainer *t, const struct psw_model *model,
                      const struct psw_config_train *train, const struct psw_team *team,
                      struct psw_exec exec);

/** Take the parameters as they stand for those that training begins from: an update that makes
 *  them too large a multiple of it has diverged. Also before a state is loaded to go on from.
 *  MPI: Collective (team.comm). */
void psw_trainer_begin(struct psw_trainer *t);

/** What an update did. */
struct psw_step_info {
    double grad_norm;  /* before clipping */
    double param_norm; /* after the step */
    double lr;
};

/** One optimiser step from the gradients that were pushed into the tree.
 *  MPI:    Collective (team.comm). Same on all ranks: everything but the slices.
 *  Errors: PSW_EDIVERGED when the gradient norm is not finite or the parameters have grown too
 *          much (divergence.h), with the step; *out then says what was seen. */
psw_status psw_trainer_update(struct psw_trainer *t, struct psw_step_info *out,
                              struct psw_error *err);

/** Save and load, resumable (with moments) or parameters only. `extra` as in state.h; NULL
 *  n_extra_bytes where it is NULL.
 *  MPI: Collective (team.comm). */
psw_status psw_trainer_save(struct psw_trainer *t, const char *path, uint64_t key, void *extra,
                            size_t n_extra_bytes, struct psw_error *err);
psw_status psw_trainer_load(struct psw_trainer *t, const char *path, uint64_t key, void *extra,
                            size_t *n_extra_bytes, struct psw_error *err);
psw_status psw_trainer_save_param(struct psw_trainer *t, const char *path, uint64_t key,
                                  struct psw_error *err);
psw_status psw_trainer_load_param(struct psw_trainer *t, const char *path, uint64_t key,
                                  struct psw_error *err);

#endif
