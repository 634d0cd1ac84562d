/* One training step on the policy's own samples: sample and score, log-probabilities under
 * policy and reference, values (ppo), advantages, interventions; then epochs x minibatches of
 * forward, weights of the minibatch on every rank, backward, update. */
#ifndef POSWEEP_ROLLOUT_ONPOLICY_STEP_H
#define POSWEEP_ROLLOUT_ONPOLICY_STEP_H

#include <posweep/rollout/critic.h>
#include <posweep/rollout/minibatch.h>
#include <posweep/rollout/rollout_metrics.h>

/** What a step spends its time on; the rest is arithmetic on rows. */
enum psw_step_phase {
    PSW_PHASE_SAMPLE, /* and score */
    PSW_PHASE_OLD, /* log-probabilities of the policy; 0 with one minibatch: PSW_PHASE_FORWARD
                    */
    PSW_PHASE_REFERENCE, /* and of the SFT model */
    PSW_PHASE_VALUE,     /* values of the critic */
    PSW_PHASE_FORWARD,
    PSW_PHASE_BACKWARD,
    PSW_PHASE_CRITIC_FORWARD,
    PSW_PHASE_CRITIC_BACKWARD,
    PSW_PHASE_UPDATE, /* reduction, clipping, optimiser: policy and critic */
    PSW_N_PHASE
};

/** A model that is not trained. */
struct psw_frozen {
    const struct psw_model *model; /* borrowed */
    float *param;                  /* in an arena; the caller fills it */
};

/** A forward pass whose backward is still to come. */
struct psw_open_pass {
    struct psw_shards shards;
    struct psw_arena_mark before; /* where it begins in the arena */
    int is_open;
};

/** Open struct. */
struct psw_onpolicy_step {
    const struct psw_config *config; /* borrowed, with all down to reward */
    const struct psw_dataset *data;
    struct psw_trainer *trainer; /* of the policy */
    const struct psw_reward_function *reward;
    struct psw_sample_stop stop; /* in the sampling of rollouts, as psw_sampler has it */
    struct psw_frozen reference;
    struct psw_onpolicy_opts opts;
    struct psw_config_train train; /* as trainers take it: counted in updates */
    struct psw_critic_model critic;
    struct psw_rollout rollout;
    struct psw_minibatch minibatch;
    struct psw_open_pass pass;
    double phase_s[PSW_N_PHASE]; /* since the rollouts were begun */
};

/** base: what the SFT model is. MPI: Local. Owns: the caller clears, whatever came back.
 *  Errors: those of psw_rollout_init. */
psw_status psw_onpolicy_step_init(const struct psw_config *config,
                                  const struct psw_dataset *data, const struct psw_model *base,
                                  struct psw_onpolicy_step *s, struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_onpolicy_step_clear(struct psw_onpolicy_step *s);

/** Updates in a step of a configuration. */
int64_t psw_onpolicy_n_update(const struct psw_config *config);
/** What the policy's trainer trains: the base, or the critic with its trunk. */
const struct psw_model *psw_onpolicy_model(const struct psw_onpolicy_step *s);

/** Take the memory of reference, in `frozen`, and critic; then, in a measuring arena, walk
 * through the largest step. s->trainer and s->reward are set. MPI: Local. */
void psw_onpolicy_layout(struct psw_onpolicy_step *s, struct psw_arena *frozen);
void psw_onpolicy_walk(struct psw_onpolicy_step *s, struct psw_arena *arena);

/** What reference, critic and policy say of the rollouts; the policy's entropy is for the log
 *  only. is_learnt: updates follow; with one minibatch the first forward pass is then done and
 *  kept. Returns tokens computed by this rank. MPI: Collective (trainer->team.comm); with a
 *  measuring arena: Local. */
int64_t psw_onpolicy_evaluate(struct psw_onpolicy_step *s, int is_logged, int is_learnt,
                              struct psw_arena *arena);

/** Fresh rollouts of a step, and their advantages. kl_coef: in ppo's reward. n_tok: tokens
 *  computed by this rank.
 *  MPI:    Collective (trainer->team.comm). Errors: PSW_EDIVERGED with the step. */
psw_status psw_onpolicy_sample(struct psw_onpolicy_step *s, int64_t step, double kl_coef,
                               int is_logged, int is_learnt, int64_t *n_tok,
                               struct psw_error *err);

/** Push the gradient of the minibatch that was chosen: forward, unless it is there, weights,
 *  backward. sums: what is logged is added. MPI: Collective (trainer->team.comm); with a
 *  measuring arena: Local. Errors: PSW_EDIVERGED. */
psw_status psw_onpolicy_gradient(struct psw_onpolicy_step *s, int64_t step,
                                 struct psw_arena *arena, struct psw_rollout_sums *sums,
                                 int64_t *n_tok, struct psw_error *err);

/** The same of a critic of its own. MPI: Collective (trainer->team.comm); with a measuring
 * arena: Local. */
void psw_onpolicy_critic_gradient(struct psw_onpolicy_step *s, struct psw_arena *arena,
                                  struct psw_rollout_sums *sums, int64_t *n_tok);

/** All updates on the rollouts that were sampled. metric: all of psw_rollout_metrics and the
 *  time's share, also when an update diverges; n_tok: tokens computed by this rank are added.
 *  MPI:    Collective (trainer->team.comm). Errors: PSW_EDIVERGED with the step. */
psw_status psw_onpolicy_learn(struct psw_onpolicy_step *s, int64_t step, double *metric,
                              int64_t *n_tok, struct psw_error *err);

#endif
