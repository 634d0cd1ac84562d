/* What a response is worth: by the task's scorer, or by a reward model (reward.source). */
#ifndef POSWEEP_ROLLOUT_REWARD_FUNCTION_H
#define POSWEEP_ROLLOUT_REWARD_FUNCTION_H

#include <posweep/config/config.h>
#include <posweep/data/dataset.h>
#include <posweep/parallel/responses.h>

/** Open struct. */
struct psw_reward_function {
    const struct psw_config *config; /* borrowed */
    const struct psw_dataset *data;  /* borrowed */
    struct psw_model *model;         /* owned; NULL: the task's scorer */
    float *param;                    /* of the model, in an arena; the caller fills it */
};

/** base: of the reward model, which has a scalar head beside; NULL: by the task's scorer.
 *  MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_reward_function_init(const struct psw_config *config,
                                    const struct psw_dataset *data,
                                    const struct psw_model *base,
                                    struct psw_reward_function *out, struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_reward_function_clear(struct psw_reward_function *s);
/** Take memory for the parameters. MPI: Local. */
void psw_reward_function_layout(struct psw_reward_function *s, struct psw_arena *frozen);

/** Score of every response, at most reward.missing_eos where it does not end; NaN where nothing
 *  can tell. Shapes: out [n_seq].
 *  MPI: Collective (team->comm); with a measuring exec->scratch: Local. */
void psw_reward_score(const struct psw_reward_function *s, const struct psw_team *team,
                      struct psw_exec *exec, const struct psw_responses *r, double *out);

#endif
