/* The policy stage's state, shared by its files: policy.c drives; policy_pairs.c and
 * policy_rollouts.c are the two kinds of training step, on given pairs and on the policy's own
 * samples; policy_trace.c measures the checkpoints, policy_end.c judges the end, policy_emit.c
 * packs results. */
#ifndef POSWEEP_STAGE_POLICY_INTERNAL_H
#define POSWEEP_STAGE_POLICY_INTERNAL_H

#include "stage_internal.h"

#include <posweep/objective/intervene.h>
#include <posweep/trace/point.h>

enum { PSW_MAX_METRICS = 32 };

/** What a step on rollouts spends its time on; the rest is arithmetic on rows. */
enum psw_policy_part {
    PSW_PART_SAMPLE, /* and score */
    PSW_PART_OLD, /* log-probabilities of the policy; 0 with one minibatch: PSW_PART_FORWARD */
    PSW_PART_REFERENCE, /* and of the SFT model */
    PSW_PART_VALUE,     /* values of the critic */
    PSW_PART_FORWARD,
    PSW_PART_BACKWARD,
    PSW_PART_CRITIC_FORWARD,
    PSW_PART_CRITIC_BACKWARD,
    PSW_PART_UPDATE, /* reduction, clipping, optimiser: policy and critic */
    PSW_N_PART
};

struct psw_policy;

/** A kind of training step. MPI: begin, step, save, load, probe: Collective (team.comm). */
struct psw_policy_kind {
    const char *const *metric; /* names of what is logged of a step, ended by NULL */

    /* Take what belongs to the kind; Local. close accepts a half-opened one. */
    psw_status (*open)(struct psw_policy *p, struct psw_error *err);
    void (*close)(struct psw_policy *p);
    /* Take memory that lasts as long as the stage; then, in a measuring arena, walk through the
     * largest step and the largest probe. Local. */
    void (*layout)(struct psw_policy *p, struct psw_arena *arena);
    void (*walk)(struct psw_policy *p, struct psw_arena *arena);
    /* Load what is trained against; parameters of the policy beyond those of the SFT model. */
    psw_status (*load_fixed)(struct psw_policy *p, struct psw_error *err);
    psw_status (*start)(struct psw_policy *p, struct psw_error *err);
    /* One step of training. metric: what is logged, NaN before; also of a step that diverges,
     * as far as it came; n_tok: tokens computed by all ranks. */
    psw_status (*step)(struct psw_policy *p, double *metric, double *n_tok,
                       struct psw_error *err);
    /* What is needed beside the trainer's state to go on with the same bits. */
    psw_status (*save)(struct psw_policy *p, struct psw_error *err);
    psw_status (*load)(struct psw_policy *p, struct psw_error *err);
    /* Called once the last step is done, before the trace. */
    psw_status (*finish)(struct psw_policy *p, struct psw_error *err);
    /* Aim the tracer at the probe of a checkpoint. */
    psw_status (*probe)(struct psw_policy *p, int64_t checkpoint, struct psw_tracer *tracer,
                        struct psw_error *err);
};
extern const struct psw_policy_kind PSW_POLICY_PAIRS, PSW_POLICY_ROLLOUTS;

struct psw_policy {
    const struct psw_stage *stage;
    const struct psw_policy_kind *kind;
    void *own;                     /* owned: of the kind */
    const struct psw_model *model; /* borrowed: of the trainer */
    struct psw_config_train train; /* as the trainer takes it: counted in updates */
    int64_t n_update;              /* optimiser updates per step */
    struct psw_team team;
    struct psw_trainer trainer;
    struct psw_scorer reward; /* the reward model, if the run needs one */
    double *log;              /* [n_metric][n_log] owned, saved with the state, and behind it */
    double *carry;            /* one number that the kind's steps hand on */
    int64_t n_log;
    int64_t n_trained; /* steps done; the trainer's own count follows loaded checkpoints */
    int n_metric;
    char dir[PSW_PATH_BYTES];
    uint64_t key;
    double train_s, sample_s, trace_s; /* of this attempt */
    double part_s[PSW_N_PART];         /* of the last step on rollouts */
    struct psw_arena *arena;           /* owned: of everything */
    size_t planned_bytes;              /* its size */
};

/** Take everything that a policy stage holds. *p is set even on failure.
 *  MPI: Collective (stage->comm). Owns: the caller closes p, whatever came back. */
psw_status psw_policy_open(const struct psw_stage *stage, struct psw_policy *p,
                           struct psw_error *err);
void psw_policy_close(struct psw_policy *p);

/** Stand at the step that the state at path `resume` was saved at, or else at the SFT model.
 *  MPI: Collective (team.comm). */
psw_status psw_policy_start(struct psw_policy *p, const char *resume, struct psw_error *err);

/** The responses of the last step on rollouts. Borrowed. MPI: Local. */
const struct psw_responses *psw_policy_rollouts_last(const struct psw_policy *p);

/** Steps done so far. */
int64_t psw_policy_step(const struct psw_policy *p);

/** Number of trace checkpoints, and the step of one. The last one is the end of training. */
int64_t psw_policy_n_checkpoint(const struct psw_config *config);
int64_t psw_policy_checkpoint_step(const struct psw_config *config, int64_t checkpoint);
int psw_policy_is_checkpoint(const struct psw_config *config, int64_t step);

/** Whether a step's metrics go to the log. */
int psw_policy_is_logged(const struct psw_config *config, int64_t step);

/** Path of a file of the run, e.g. ("ckpt", 40, "state"). */
psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err);

/** Parameters (and, for directions, moments) of a checkpoint. MPI: Collective (team.comm). */
psw_status psw_policy_load_checkpoint(struct psw_policy *p, int64_t step,
                                      struct psw_error *err);

/** Write a record to a file, whole or not at all; read one. MPI: Local. Owns: the caller
 * destroys *out. */
psw_status psw_policy_write_record(struct psw_record *record, const char *path,
                                   struct psw_error *err);
psw_status psw_policy_read_record(const char *path, struct psw_record **out,
                                  struct psw_error *err);

/** Sample D', measure every checkpoint that has not been measured, emit everything.
 *  MPI: Collective (team.comm). */
psw_status psw_policy_trace(struct psw_policy *p, struct psw_error *err);

/** The largest work of the trace, in a measuring arena; D' as long as it may get. MPI: Local.
 *  Errors: PSW_EINVAL when there is no held-out prompt or one fills the context; PSW_ENOMEM. */
psw_status psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena,
                                   struct psw_error *err);

/** What stays the same for all checkpoints; the probe is aimed by the kind. */
struct psw_tracer psw_policy_tracer(struct psw_policy *p, const struct psw_responses *final,
                                    struct psw_arena *arena);

/** What the end of a run is judged by. NaN: not known. */
struct psw_policy_end {
    struct psw_final_quality final;     /* of D' */
    struct psw_final_quality eval, sft; /* of the policy and of the SFT model on the evaluation
                                           prompts */
    double win, tie, loss;              /* shares against the SFT model, paired by prompt */
    double reward, reward_sft;          /* mean scores by the reward model */
    int64_t n_final, n_eval;            /* prompts */
    struct psw_reward_info reward_model;
    uint64_t param_hash;                   /* of the final parameters */
    double final_logp_sft, final_logp;     /* of D' at the first and the last checkpoint */
    double heldout_loss, heldout_accuracy; /* at the last checkpoint */
    double heldout_tie;                    /* share of pairs that count half */
    double sft_loss;                       /* of the SFT model on held-out chosen responses */
    int64_t n_heldout;                     /* held-out pairs that were used; -1: none */
};

/** Responses of the parameters that are loaded to a list of prompts. MPI: Collective
 *  (team.comm). */
psw_status psw_policy_sample(struct psw_policy *p, enum psw_prompt_list list,
                             struct psw_responses *out, struct psw_error *err);

/** What sampling a list and scoring it by the reward model take, in a measuring arena. out: the
 *  responses as long as they may get, for what comes after; NULL: not wanted. MPI: Local. Owns:
 *  the caller clears *out. Errors: PSW_EINVAL when D' has no prompt, or one fills the context;
 *  PSW_ENOMEM. */
psw_status psw_policy_sample_layout(struct psw_policy *p, enum psw_prompt_list list,
                                    struct psw_arena *arena, struct psw_responses *out,
                                    struct psw_error *err);

/** Shares of responses where the policy wins, ties and loses. Equal responses tie, whatever the
 *  last bits of their scores. Shapes: score [2 n_seq], the policy's first. MPI: Local. */
void psw_policy_compare(const struct psw_responses *eval, const struct psw_responses *sft,
                        const double *score, struct psw_policy_end *end);

/** Measure D', and compare the policy's evaluation responses with the SFT model's to the same
 *  prompts, drawn with the same random numbers; loads the last checkpoint, then the first.
 *  MPI: Collective (team.comm). */
psw_status psw_policy_judge(struct psw_policy *p, const struct psw_responses *final,
                            struct psw_policy_end *end, struct psw_error *err);

/** What a checkpoint gave. */
struct psw_policy_point {
    int64_t checkpoint, step;
    uint32_t components; /* bits 1 << component */
    struct psw_trace_point point;
    struct psw_trace_set probe;            /* borrowed */
    const struct psw_trace_tokens *tokens; /* of the probe; NULL: not wanted */
};

/** Results as records. MPI: Local (rank 0). Errors: PSW_ENOMEM. */
psw_status psw_policy_put_point(const struct psw_policy *p,
                                const struct psw_policy_point *point, struct psw_record *record,
                                struct psw_error *err);
void psw_policy_put_log(const struct psw_policy *p, struct psw_record *record); /* steps done */
void psw_policy_put_end(const struct psw_policy *p, const struct psw_policy_end *end,
                        struct psw_record *record);

/** What is wrong with D', as bits of enum psw_finding, and in words for the log ("" for
 *  nothing). MPI: Local. */
int psw_policy_findings(const struct psw_config *config, const struct psw_final_quality *final,
                        char *text, size_t n_bytes);

/** What the pairs say of the end: heldout and sft_loss; loads the last checkpoint. Nothing for
 *  rollouts. MPI: Collective (team.comm). */
psw_status psw_policy_pairs_end(struct psw_policy *p, struct psw_policy_end *end,
                                struct psw_error *err);

#endif
