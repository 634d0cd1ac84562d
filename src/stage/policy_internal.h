/* The policy stage's state, shared by its files: policy.c drives; policy_pairs.c and
 * policy_rollouts.c are the two kinds of training, on given pairs and on the policy's own
 * samples; policy_files.c keeps checkpoints, policy_keep.c models for export, policy_trace.c
 * measures them, policy_eval.c hears what they say, policy_end.c judges the end, policy_emit.c,
 * policy_samples.c and policy_tokens.c pack results. */
#ifndef POSWEEP_STAGE_POLICY_INTERNAL_H
#define POSWEEP_STAGE_POLICY_INTERNAL_H

#include "stage_internal.h"

#include <posweep/rollout/reward_function.h>
#include <posweep/trace/sketch.h>
#include <posweep/util/energy.h>

struct psw_policy;
struct psw_policy_end;

/** A kind of training. MPI: loop's functions, finish, probe, end: Collective (team.comm). */
struct psw_policy_kind {
    const char *const *metric;    /* names of what is logged of a step, ended by NULL */
    int n_controller;             /* numbers that its controller carries in the log */
    const char *const (*file)[2]; /* what a checkpoint leaves for the trace: ("ckpt", "state")
                                     of ckpt-000040.state; ended by {NULL} */
    struct psw_loop_code loop;    /* ctx: the policy, whose parameters are the SFT model's */

    /* Take what belongs to the kind; Local. close accepts a half-opened one. */
    psw_status (*open)(struct psw_policy *p, struct psw_error *err);
    void (*close)(struct psw_policy *p);
    /* Take memory that lasts as long as the stage, the trainer's first; then, in a measuring
     * arena, walk through the largest step and the largest probe. Local. */
    void (*layout)(struct psw_policy *p, struct psw_arena *arena);
    void (*walk)(struct psw_policy *p, struct psw_arena *arena);
    /* The last step is done, the trace follows; may be NULL. */
    psw_status (*finish)(struct psw_policy *p, struct psw_error *err);
    /* Aim the tracer at the probe of a checkpoint; -1: at the largest there can be. */
    psw_status (*probe)(struct psw_policy *p, int64_t checkpoint, struct psw_tracer *tracer,
                        struct psw_error *err);
    /* What the kind knows of the end beside the responses; loads the last checkpoint. May be
     * NULL. */
    psw_status (*end)(struct psw_policy *p, struct psw_policy_end *end, struct psw_error *err);
};
extern const struct psw_policy_kind PSW_POLICY_PAIRS, PSW_POLICY_ROLLOUTS;

struct psw_policy {
    struct psw_stage_work *work; /* borrowed */
    const struct psw_policy_kind *kind;
    void *own; /* owned: of the kind */
    struct psw_trainer trainer;
    struct psw_train_log log;
    struct psw_reward_function reward; /* by the reward model, if the run needs one */
    double train_s, sample_s, trace_s; /* of this attempt */
    struct {
        int is_read; /* by this rank, one of its node */
        struct psw_energy meter;
    } energy;
    struct psw_responses greedy; /* owned, during the trace: what the SFT model says greedily to
                                    the prompts of D'; zeroed: not wanted (trace.greedy) */
};

/** Stand where training begins, whatever an earlier attempt has saved. MPI: Collective
 *  (team.comm). */
psw_status psw_policy_begin(struct psw_policy *p, struct psw_error *err);

/** The step of training on rollouts. Borrowed. MPI: Local. */
const struct psw_onpolicy_step *psw_policy_rollouts_step(const struct psw_policy *p);

/* ---- policy_files.c ---- */

/** The step of a checkpoint. The last one is the end of training. */
int64_t psw_policy_checkpoint_step(const struct psw_config *config, int64_t checkpoint);
int psw_policy_is_checkpoint(const struct psw_config *config, int64_t step);

/** Path of a file of the run, e.g. ("ckpt", 40, "state"). */
psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err);

/** Keep the parameters of a checkpoint (and, for directions, the moments); load them. MPI:
 *  Collective (team.comm). */
psw_status psw_policy_keep(struct psw_policy *p, int64_t n_step, struct psw_error *err);
psw_status psw_policy_load_checkpoint(struct psw_policy *p, int64_t step,
                                      struct psw_error *err);

/** Hash of the parameters that are loaded. MPI: Collective (team.comm). Same on all ranks: the
 *  hash. Errors: PSW_ENOMEM. */
psw_status psw_policy_param_hash(struct psw_policy *p, uint64_t *out, struct psw_error *err);

/** policy_keep.c: leave what limits.keep asks for as folders of models, below the work folder;
 *  after the trace, for it loads other parameters. MPI: Collective (team.comm). */
psw_status psw_policy_keep_models(struct psw_policy *p, struct psw_error *err);

/** What training left for the trace, checkpoints and rollouts, is all there. MPI: Local. */
int psw_policy_is_whole(const struct psw_policy *p);

/** policy_rung.c: after n_step steps, at a rung, tell what the run is worth. MPI: Collective
 *  (team.comm). */
psw_status psw_policy_rung(struct psw_policy *p, int64_t n_step, struct psw_error *err);

/* ---- policy_trace.c ---- */

/** Sample D', measure every checkpoint that has not been measured, judge and emit the end.
 *  MPI: Collective (team.comm). */
psw_status psw_policy_trace(struct psw_policy *p, struct psw_error *err);

/** The largest work of the trace, in a measuring arena; D' as long as it may get. MPI: Local.
 *  Errors: PSW_EINVAL when there is no held-out prompt or one fills the context; PSW_ENOMEM. */
psw_status psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena,
                                   struct psw_error *err);

/* ---- policy_end.c ---- */

/** Shares of the evaluation prompts where the policy wins, ties and loses against the SFT
 *  model. */
struct psw_duel {
    double win, tie, loss;
};

/** What held-out pairs say of the last checkpoint. */
struct psw_heldout_end {
    int64_t n; /* pairs that were used; -1: none */
    double loss, accuracy;
    double tie;      /* share of pairs that count half */
    double sft_loss; /* of the SFT model on their chosen responses, per token */
};

/** What the end of a run is judged by. NaN: not known. */
struct psw_policy_end {
    struct psw_final_quality final;     /* of D' */
    struct psw_final_quality eval, sft; /* of the policy and of the SFT model on the evaluation
                                           prompts */
    struct psw_duel duel;
    double reward, reward_sft; /* mean scores by the reward model */
    struct psw_reward_info reward_model;
    struct psw_heldout_end heldout;
    int64_t n_final, n_eval; /* prompts */
    double kl_sft;           /* D' by the policy less D' by the SFT model, nat per response */
    uint64_t param_hash;     /* of the final parameters */
    double energy_j;         /* of this attempt's nodes, so far */
};

/** The held-out pairs that the first eval.samples evaluation prompts came from. */
struct psw_policy_records {
    int64_t n;                 /* prompts that have one */
    int64_t *sample;           /* [n] owned: which prompts */
    struct psw_responses side; /* owned: two responses to each, chosen first; n = 0: zeroed */
    double *reward;            /* [n][2] owned: by the reward model; NaN without one */
};

/** Responses of both models to the evaluation prompts, and what they are worth. */
struct psw_policy_answers {
    struct psw_responses eval, sft; /* owned */
    double *score;        /* [2 n_seq] owned: by the task's scorer, the policy's first */
    double *reward;       /* [2 n_seq] in the same block: by the reward model */
    const double *judged; /* which of the two judges; NULL: nobody */
    struct psw_policy_records records; /* owned */
};

/** Responses of the parameters that are loaded to a list of prompts; those that an earlier
 *  attempt has drawn are taken from its files. MPI: Collective (team.comm). */
psw_status psw_policy_sample(struct psw_policy *p, enum psw_prompt_list list,
                             struct psw_responses *out, struct psw_error *err);

/** The same to the prompts of D' at temperature 0. MPI: Collective (team.comm). */
psw_status psw_policy_sample_greedy(struct psw_policy *p, struct psw_responses *out,
                                    struct psw_error *err);

/** What sampling a list and scoring it by the reward model take, in a measuring arena. out: the
 *  responses as long as they may get, for what comes after; NULL: not wanted. MPI: Local. Owns:
 *  the caller clears *out. Errors: PSW_EINVAL when D' has no prompt, or one fills the context;
 *  PSW_ENOMEM. */
psw_status psw_policy_sample_layout(struct psw_policy *p, enum psw_prompt_list list,
                                    struct psw_arena *arena, struct psw_responses *out,
                                    struct psw_error *err);

/** Measure D', and compare the policy's evaluation responses with the SFT model's to the same
 *  prompts, drawn with the same random numbers; loads the last checkpoint, then the first.
 *  MPI: Collective (team.comm). */
psw_status psw_policy_judge(struct psw_policy *p, const struct psw_responses *final,
                            struct psw_policy_end *end, struct psw_error *err);

/** Joules that the nodes of this attempt have spent; NaN if one of them does not tell. MPI:
 *  Collective (team.comm). */
double psw_policy_energy_j(struct psw_policy *p);

/** Mean of n numbers, as it is taken of scores. MPI: Local. */
double psw_policy_mean(const double *x, int64_t n);

/* ---- policy_eval.c ---- */

/** What a checkpoint says to the evaluation prompts. NaN: not known. */
struct psw_eval_point {
    struct psw_final_quality quality;
    double reward; /* mean score by the reward model */
    double kl;     /* estimated KL from the SFT model, nat per response */
};

/** Whether a checkpoint is evaluated: every eval.every-th, and the last. MPI: Local. */
int psw_policy_is_eval_point(const struct psw_stage *stage, int64_t checkpoint);

/** How many checkpoints of a run are. MPI: Local. */
int64_t psw_policy_n_eval_point(const struct psw_stage *stage);

/** Evaluate the parameters of a step, which are loaded before and after. MPI: Collective
 *  (team.comm). */
psw_status psw_policy_eval(struct psw_policy *p, int64_t step, struct psw_eval_point *out,
                           struct psw_error *err);

/** Mean log-probability of a response under the parameters that are loaded, in nat. MPI:
 *  Collective (team.comm). Same on all ranks: the result. */
double psw_policy_mean_logp(struct psw_policy *p, const struct psw_responses *r);

/** What that takes, in a measuring arena. MPI: Local. */
void psw_policy_logp_layout(struct psw_policy *p, const struct psw_responses *bound,
                            struct psw_arena *arena);

/** What psw_policy_eval takes, in a measuring arena. MPI: Local. Errors: those of
 *  psw_policy_sample_layout. */
psw_status psw_policy_eval_layout(struct psw_policy *p, struct psw_arena *arena,
                                  struct psw_error *err);

/* ---- policy_duel.c ---- */

/** 1: the policy wins with its response q, 0: it ties, -1: it loses, NaN: nobody can tell.
 *  Shapes, ties: as psw_policy_compare. MPI: Local. */
double psw_policy_outcome(const struct psw_responses *eval, const struct psw_responses *sft,
                          const double *score, int64_t q);

/** Who wins on each prompt. Equal responses tie, whatever the last bits of their scores.
 *  Shapes: score [2 n_seq], the policy's first. MPI: Local. */
struct psw_duel psw_policy_compare(const struct psw_responses *eval,
                                   const struct psw_responses *sft, const double *score);

/* ---- policy_emit.c ---- */

/** What a checkpoint gave. */
struct psw_policy_point {
    int64_t checkpoint, step;
    uint32_t components; /* bits 1 << component */
    struct psw_trace_point point;
    struct psw_trace_set probe;                /* borrowed */
    const struct psw_trace_rollouts *rollouts; /* borrowed; NULL: the probe is pairs */
    const struct psw_trace_tokens *tokens;     /* of the probe; NULL: not wanted */
    const struct psw_trace_sketch *sketch;     /* NULL: not wanted */
    const struct psw_eval_point *eval;         /* NULL: not evaluated here */
    double logp_greedy_sft;                    /* NaN: not wanted */
};

/** Emit results as records with the schema's names, on rank 0. MPI: Local. Errors: PSW_ENOMEM.
 */
psw_status psw_policy_emit_point(const struct psw_policy *p,
                                 const struct psw_policy_point *point, struct psw_error *err);
psw_status psw_policy_emit_log(const struct psw_policy *p, struct psw_error *err);
/** What came of every evaluation prompt, and the first eval.samples prompts and responses as
 *  text. MPI: Local. */
psw_status psw_policy_emit_answers(const struct psw_policy *p,
                                   const struct psw_policy_answers *a, struct psw_error *err);
psw_status psw_policy_emit_end(const struct psw_policy *p, const struct psw_policy_end *end,
                               struct psw_error *err);

/* ---- policy_samples.c ---- */

/** Find the pairs that the kept evaluation prompts came from; none of generated tasks, whose
 *  prompts are asked for themselves, or where data.final_prompts is a file of other prompts.
 *  MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_policy_records_init(const struct psw_policy *p, struct psw_policy_records *out,
                                   struct psw_error *err);
void psw_policy_records_clear(struct psw_policy_records *r); /* accepts a zeroed one */

/** What scoring them by the reward model takes, in a measuring arena that is the exec's
 * scratch. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_policy_records_layout(struct psw_policy *p, struct psw_error *err);

/** Put what came of the evaluation prompts, and what is said to the first of them, into a
 *  record. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_policy_put_answers(const struct psw_policy *p, struct psw_record *record,
                                  const struct psw_policy_answers *a, struct psw_error *err);

/* ---- policy_tokens.c ---- */

/** Put one checkpoint's share of the token table into its record: a row per response, then its
 *  tokens. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_policy_put_tokens(const struct psw_policy *p, struct psw_record *record,
                                 const struct psw_policy_point *at, struct psw_error *err);

/** What is wrong with D', as bits of enum psw_finding, and in words for the log ("" for
 *  nothing). MPI: Local. */
int psw_policy_findings(const struct psw_config *config, const struct psw_final_quality *final,
                        char *text, size_t n_bytes);

#endif
