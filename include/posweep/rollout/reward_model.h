/* The reward model: a model with a scalar head on a response's last token. Its scores, and its
 * training step on preference pairs. */
#ifndef POSWEEP_ROLLOUT_REWARD_MODEL_H
#define POSWEEP_ROLLOUT_REWARD_MODEL_H

#include <posweep/parallel/shards.h>

/** A model as another one, with a scalar head. MPI: Local. Owns: the caller destroys.
 *  Errors: PSW_ENOMEM. */
psw_status psw_value_model(const struct psw_model *base, struct psw_model **out,
                           struct psw_error *err);

/** What scores are computed with. Borrowed. */
struct psw_reward_pass {
    const struct psw_model *model; /* with a scalar head */
    const struct psw_team *team;
    struct psw_exec *exec;
    struct psw_arena *arena;
    const float *param;
};

/** Scores of all responses of the examples, in item order. With a measuring arena nothing is
 *  computed. MPI: Collective (team->comm). */
void psw_reward_evaluate(const struct psw_reward_pass *with,
                         const struct psw_example *const *example, int64_t n, double *out);

/** Pairs to learn from. Shapes: score, weight [n][2], chosen first, for the step to fill. */
struct psw_reward_batch {
    const struct psw_example *const *pair; /* [n] */
    int64_t n;
    const uint8_t *is_flipped; /* [n]: seen the wrong way round; NULL: none is */
    double *score, *weight;
};

/** Push the gradient of the mean of -log sigma(chosen - rejected) into the tree.
 *  MPI: Collective (team->comm); with a measuring arena: Local.
 *  Source: Bradley and Terry 1952; Ouyang et al. 2022, eq. 1. */
void psw_reward_gradient(const struct psw_reward_pass *with,
                         const struct psw_reward_batch *batch, struct psw_tree *tree);

#endif
