/* What the stages share inside this module: work memory and small helpers. */
#ifndef POSWEEP_STAGE_INTERNAL_H
#define POSWEEP_STAGE_INTERNAL_H

#include <posweep/optim/state.h>
#include <posweep/optim/trainer.h>
#include <posweep/stage/stage.h>
#include <posweep/trace/final.h>

/** Forget nothing when asked: hooks that may be NULL. */
void psw_stage_progress(const struct psw_stage *stage, double done, double total);
int psw_stage_stopped(const struct psw_stage *stage);
void psw_stage_memory(const struct psw_stage *stage, size_t planned_bytes,
                      const struct psw_arena *arena);

/** Pointers to the items of a list that an optimiser step uses, in order. index and out: [n].
 */
void psw_stage_pick(const struct psw_examples *from, const int64_t *index, int64_t n,
                    const struct psw_example **out);

/** Log-probabilities of pairs, [n][2] each, chosen first. */
struct psw_ref {
    int64_t n_train, n_heldout;
    double *train, *heldout; /* owned by whoever loaded them: free(train), one block */
};

/** Arena bytes that a stage needs on a rank of a team that only measures. MPI: Local.
 *  Errors: those of the stage that show before it starts; *n_bytes is then untouched. */
typedef psw_status (*psw_peak_fn)(const struct psw_stage *stage, const struct psw_team *team,
                                  size_t *n_bytes, struct psw_error *err);
psw_status psw_sft_peak(const struct psw_stage *stage, const struct psw_team *team,
                        size_t *n_bytes, struct psw_error *err);
psw_status psw_ref_peak(const struct psw_stage *stage, const struct psw_team *team,
                        size_t *n_bytes, struct psw_error *err);
psw_status psw_reward_peak(const struct psw_stage *stage, const struct psw_team *team,
                           size_t *n_bytes, struct psw_error *err);
psw_status psw_policy_peak(const struct psw_stage *stage, const struct psw_team *team,
                           size_t *n_bytes, struct psw_error *err);

/** Load what the ref stage left. MPI: Collective. Owns: free(out->train). */
psw_status psw_ref_load(const struct psw_stage *stage, struct psw_ref *out,
                        struct psw_error *err);

/** The model of a stage with a scalar head. Owns: the caller destroys. MPI: Local. */
psw_status psw_value_model(const struct psw_stage *stage, struct psw_model **out,
                           struct psw_error *err);

/** Parameters of the SFT model; param has room for those of stage->model, which are also the
 *  first ones of a model with a scalar head. MPI: Collective (team->comm). */
psw_status psw_load_sft(const struct psw_stage *stage, const struct psw_team *team,
                        float *param, struct psw_error *err);

/** What is known of a reward model; kept with its parameters. Plain data of doubles. */
struct psw_reward_info {
    double n_heldout;   /* held-out pairs that were used */
    double accuracy;    /* of them: share ranked rightly, a tie counts half */
    double loss;        /* mean of -log sigma(margin) */
    double calibration; /* expected calibration error of sigma(|margin|), ten bins */
    double shift;       /* taken off every score: the SFT model's mean */
};

/** What scores of a model are computed with. Borrowed. */
struct psw_reward_pass {
    const struct psw_model *model;
    const struct psw_team *team;
    struct psw_exec *exec;
    struct psw_arena *arena;
    const float *param;
};

/** Scores of all responses of the examples, in item order. With a measuring arena nothing is
 * computed. MPI: Collective (team->comm). */
void psw_reward_evaluate(const struct psw_reward_pass *with,
                         const struct psw_example *const *example, int64_t n, double *out);

/** What a response is worth: by the reward model, or by the task's scorer (model NULL). */
struct psw_scorer {
    const struct psw_stage *stage; /* borrowed */
    struct psw_model *model;       /* owned */
    float *param;                  /* in the arena of the stage */
};

/** MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_scorer_init(const struct psw_stage *stage, int by_model, struct psw_scorer *out,
                           struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_scorer_clear(struct psw_scorer *s);
/** Take memory for the parameters. MPI: Local. */
void psw_scorer_layout(struct psw_scorer *s, struct psw_arena *arena);
/** Load what the reward stage left; info may be NULL. MPI: Collective (team->comm). */
psw_status psw_scorer_load(struct psw_scorer *s, const struct psw_team *team,
                           struct psw_reward_info *info, struct psw_error *err);
/** Score of every response, at most reward.missing_eos where it does not end; NaN where nothing
 *  can tell. Shapes: out [n_seq].
 *  MPI: Collective (team->comm); with a measuring exec->scratch: Local. */
void psw_scorer_score(const struct psw_scorer *s, const struct psw_team *team,
                      struct psw_exec *exec, const struct psw_responses *r, double *out);

/** Whether a file is there, as rank 0 sees it. MPI: Collective (comm). */
int psw_stage_have(MPI_Comm comm, const char *path);

/** A writable copy of a team for a configuration's shards. */
psw_status psw_stage_team(const struct psw_stage *stage, int64_t n_shard, struct psw_team *out,
                          struct psw_error *err);

#endif
