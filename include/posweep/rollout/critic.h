/* The critic of ppo: a model with a scalar head that values every response token, with a
 * trainer of its own or on the policy's trunk. */
#ifndef POSWEEP_ROLLOUT_CRITIC_H
#define POSWEEP_ROLLOUT_CRITIC_H

#include <posweep/optim/trainer.h>

/** Open struct. */
struct psw_critic_model {
    struct psw_model *model; /* owned: with a scalar head; NULL: the method has no critic */
    int is_shared;           /* its trunk is the policy's, which then is this model */
    struct psw_config_train train;
    struct psw_trainer trainer; /* of a critic of its own */
};

/** train: the policy's, counted in updates. MPI: Local. Owns: the caller clears.
 *  Errors: PSW_ENOMEM. */
psw_status psw_critic_init(const struct psw_config *config, const struct psw_model *base,
                           const struct psw_config_train *train, struct psw_critic_model *out,
                           struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_critic_clear(struct psw_critic_model *c);

/** Whether there is one with parameters of its own. */
int psw_critic_is_separate(const struct psw_critic_model *c);

/** Take the memory of a trainer as it does; per_step: updates in a step. MPI: Local. */
void psw_critic_layout(struct psw_critic_model *c, const struct psw_team *team,
                       int64_t per_step, struct psw_exec exec);

#endif
