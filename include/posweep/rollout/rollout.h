/* A step's own samples: prompts, responses, what they are worth, log-probabilities, advantages.
 * Everything is known to every rank alike. */
#ifndef POSWEEP_ROLLOUT_ROLLOUT_H
#define POSWEEP_ROLLOUT_ROLLOUT_H

#include <posweep/config/config.h>
#include <posweep/data/dataset.h>
#include <posweep/objective/onpolicy.h>
#include <posweep/rollout/reward_function.h>

/** The stream of random numbers that orders the prompts, as psw_data_order takes it: that of
 * the policy stage. */
enum { PSW_ROLLOUT_ORDER = 2 };

/** Values of the rows (response tokens), [most rows] each. */
struct psw_rollout_values {
    double *old, *ref; /* log-probabilities of the policy that sampled, of the reference */
    double *value;     /* of the critic, when sampled */
    double *entropy;   /* of the policy */
    double *reward;    /* ppo: with the KL term */
    double *advantage, *raw, *ret; /* raw: before whitening and scaling */
    double *unscaled; /* ppo's raw, or the score less the mean of its group; for the log */
    double *learnt;   /* advantages after the interventions */
    double *scratch;
};

/** Prompts drawn again by dapo; n_prompt varies. */
struct psw_redraw {
    struct psw_responses responses; /* owned */
    double *score, *plain;          /* [n_seq] */
};

/** The rollouts of a step. */
struct psw_rollout {
    struct psw_responses responses; /* owned */
    struct psw_redraw redraw;
    struct psw_rollout_rows rows;
    int64_t *seq_row;       /* [n_seq + 1] owned */
    int64_t *index;         /* [n_prompt] owned: places in the list of prompts */
    uint8_t *is_mixed;      /* [n_prompt] owned */
    struct psw_picked pick; /* [n_prompt] owned: scratch */
    double *score, *plain;  /* [n_seq] owned, with redraw's and all of row: with and without
                               noise and length penalty */
    struct psw_rollout_values row;
    int64_t *order; /* [most rows] owned: scratch of the interventions */
    int64_t n_most_row;
};

/** Room for the rollouts of a configuration. MPI: Local. Owns: the caller clears.
 *  Errors: PSW_EINVAL when there are no prompts or one fills the context; PSW_ENOMEM. */
psw_status psw_rollout_init(const struct psw_config *config, const struct psw_dataset *data,
                            struct psw_rollout *out, struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_rollout_clear(struct psw_rollout *r);

/** The longest prompts of the data with responses as long as they may get: plans memory. */
void psw_rollout_bound(struct psw_rollout *r, const struct psw_dataset *data);

/** Set seq_row and rows from the lengths of the responses. */
void psw_rollout_count_rows(struct psw_rollout *r);

/** Who samples and what scores. Borrowed. */
struct psw_rollout_with {
    const struct psw_config *config;
    const struct psw_dataset *data;
    struct psw_sampler sampler;
    const struct psw_reward_function *reward;
    int64_t step;
};

/** Choose the prompts of a step, sample, score (noise, missing EOS and length penalties
 *  included); dapo: draw prompts again whose plain scores are all equal, a bounded number of
 * times. MPI: Collective (team.comm). Errors: PSW_EDIVERGED for scores or logits that are not
 * finite.
 */
psw_status psw_rollout_sample(struct psw_rollout *r, const struct psw_rollout_with *with,
                              struct psw_error *err);

/** Advantages from scores, old and ref log-probabilities and values (ppo), before
 *  interventions; also reward, raw, ret and unscaled. kl_coef: in ppo's reward. MPI: Local. */
void psw_rollout_advantages(struct psw_rollout *r, const struct psw_config *config,
                            double kl_coef);

#endif
