/* The policy stage's state, shared by its files: policy.c drives, policy_step.c computes one
 * optimiser step, policy_trace.c measures the checkpoints, policy_emit.c packs results. */
#ifndef POSWEEP_TRAIN_POLICY_INTERNAL_H
#define POSWEEP_TRAIN_POLICY_INTERNAL_H

#include "train_internal.h"

#include <posweep/objective/intervene.h>
#include <posweep/objective/metrics.h>
#include <posweep/trace/final.h>
#include <posweep/trace/point.h>

/** What is logged of a step. The table of names stands in policy_emit.c. */
enum psw_log_metric {
    PSW_LOG_LOSS,
    PSW_LOG_MARGIN,
    PSW_LOG_ACCURACY,
    PSW_LOG_REWARD_CHOSEN,
    PSW_LOG_REWARD_REJECTED,
    PSW_LOG_LOGP_CHOSEN,
    PSW_LOG_LOGP_REJECTED,
    PSW_LOG_OMEGA,
    PSW_LOG_GRAD_NORM,
    PSW_LOG_LR,
    PSW_LOG_TOKENS_PER_S,
    PSW_N_LOG
};

/** The arrays of one step, for all pairs of the batch. Owned by the stage, one block. */
struct psw_policy_arrays {
    double *ref, *logp, *seq_weight; /* [batch][2] */
    int64_t *n_tok, *index, *order;  /* [batch][2], [batch], [batch] */
    struct psw_pair_out out;
    const struct psw_example **picked; /* [batch] */
};

struct psw_policy {
    const struct psw_stage *stage;
    const struct psw_config_train *train;
    struct psw_pair_opts opts;
    struct psw_team team;
    struct psw_trainer trainer;
    struct psw_ref ref;
    struct psw_policy_arrays a;
    double *log; /* [PSW_N_LOG][n_log] owned */
    int64_t n_log;
    char dir[PSW_PATH_BYTES];
    uint64_t key;
    double train_s, sample_s, trace_s; /* of this attempt */
};

/** Size the arrays. Errors: PSW_ENOMEM. */
psw_status psw_policy_init(struct psw_policy *p, const struct psw_stage *stage,
                           struct psw_error *err);
void psw_policy_clear(struct psw_policy *p);

/** Choose the pairs of a step. */
void psw_policy_pick(struct psw_policy *p, int64_t step);

/** Forward, weights, backward of the picked pairs; gradients are pushed into the trainer's
 * tree. n_tok_local: tokens computed by this rank. MPI: Collective (team.comm); with a
 * measuring arena: Local. */
psw_status psw_policy_gradient(struct psw_policy *p, int64_t step, struct psw_arena *arena,
                               int64_t *n_tok_local, struct psw_error *err);

/** Number of trace checkpoints, and the step of one. The last one is the end of training. */
int64_t psw_policy_n_checkpoint(const struct psw_config *config);
int64_t psw_policy_checkpoint_step(const struct psw_config *config, int64_t checkpoint);

/** Path of a file of the run, e.g. ("ckpt", 40, "state"). */
psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err);

/** Sample D', measure every checkpoint that has not been measured, emit everything.
 *  MPI: Collective. */
psw_status psw_policy_trace(struct psw_policy *p, struct psw_error *err);

/** The largest work of the trace, in a measuring arena; D' as long as it may get. */
void psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena);

/** What the end of a run is judged by. */
struct psw_policy_end {
    struct psw_final_quality final, sft; /* of D' and of the SFT model on the same prompts */
    double win, tie;                     /* shares against the SFT model, paired by prompt */
    int64_t n_prompt;
    uint64_t param_hash;                   /* of the final parameters */
    double final_logp_sft, final_logp;     /* of D' at the first and the last checkpoint */
    double heldout_loss, heldout_accuracy; /* at the last checkpoint */
};

/** What a checkpoint gave. */
struct psw_policy_point {
    int64_t checkpoint, step;
    struct psw_trace_point point;
    struct psw_trace_set probe;            /* borrowed */
    const struct psw_trace_tokens *tokens; /* of the probe; NULL: not wanted */
};

/** Results as records. MPI: Local (rank 0). Errors: PSW_ENOMEM. */
psw_status psw_policy_put_point(const struct psw_policy *p,
                                const struct psw_policy_point *point, struct psw_record *record,
                                struct psw_error *err);
void psw_policy_put_log(const struct psw_policy *p, struct psw_record *record);
void psw_policy_put_end(const struct psw_policy *p, const struct psw_policy_end *end,
                        struct psw_record *record);

#endif
