/* A step's own samples: prompts, responses, what they are worth, log-probabilities, advantages.
 * Everything is known to every rank alike. */
#ifndef POSWEEP_STAGE_ROLLOUT_H
#define POSWEEP_STAGE_ROLLOUT_H

#include "stage_internal.h"

#include <posweep/objective/onpolicy.h>

/** Arrays over responses and over rows (response tokens), all in one block. */
struct psw_rollout {
    struct psw_responses responses; /* owned */
    struct psw_responses redraw;    /* owned: dapo, prompts drawn again; n_prompt varies */
    struct psw_rollout_rows rows;
    int64_t *seq_row;                /* [n_seq + 1] owned */
    int64_t *index;                  /* [n_prompt] owned: places in the list of prompts */
    uint8_t *is_mixed;               /* [n_prompt] owned */
    const struct psw_example **pick; /* [n_prompt] owned: scratch */
    double *score, *plain; /* [n_seq] owned, with all that follows: with and without noise and
                              length penalty */
    double *redraw_score, *redraw_plain; /* [n_seq] */
    double *old, *ref, *value; /* [most rows] log-probabilities, values when sampled */
    double *entropy;           /* [most rows] */
    double *reward, *advantage, *raw, *ret; /* [most rows] */
    double *unscaled; /* [most rows] advantages before whitening and scaling: ppo's raw, or the
                         score less the mean of its group; for the log */
    int64_t n_most_row;
};

/** Room for the rollouts of a configuration. MPI: Local. Owns: the caller clears.
 *  Errors: PSW_EINVAL when there are no prompts or one fills the context; PSW_ENOMEM. */
psw_status psw_rollout_init(const struct psw_stage *stage, struct psw_rollout *out,
                            struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_rollout_clear(struct psw_rollout *r);

/** The longest prompts of the data with responses as long as they may get: plans memory. */
void psw_rollout_bound(struct psw_rollout *r, const struct psw_stage *stage);

/** Set seq_row and rows from the lengths of the responses. */
void psw_rollout_count_rows(struct psw_rollout *r);

/** Who samples and what scores. Borrowed. */
struct psw_rollout_with {
    const struct psw_stage *stage;
    struct psw_sampler sampler;
    const struct psw_scorer *scorer;
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

/** Keep and fetch what a checkpoint's trace needs. Errors: those of files.
 *  MPI: Local. */
psw_status psw_rollout_write(const struct psw_rollout *r, const char *path,
                             struct psw_error *err);
psw_status psw_rollout_read(struct psw_rollout *r, const struct psw_stage *stage,
                            const char *path, struct psw_error *err);

#endif
