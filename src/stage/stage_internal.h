/* What the stages share inside this module: a stage at work, and small helpers. */
#ifndef POSWEEP_STAGE_INTERNAL_H
#define POSWEEP_STAGE_INTERNAL_H

#include <posweep/comm/node_memory.h>
#include <posweep/optim/loop.h>
#include <posweep/optim/state.h>
#include <posweep/stage/stage.h>
#include <posweep/trace/final.h>

/** Where a stage leaves its result, and what the result belongs to. */
struct psw_stage_place {
    uint64_t key;
    char path[PSW_PATH_BYTES];
};

/** A stage at work on one rank, or only planned. */
struct psw_stage_work {
    const struct psw_stage *stage; /* borrowed */
    enum psw_stage_kind kind;
    const char *name;                          /* of the kind */
    struct psw_stage_place place[PSW_N_STAGE]; /* of all stages */
    uint64_t training_key; /* what the policy's saved states belong to: all that decides its
                              steps, but not how many there are if they do not depend on it */
    struct psw_team team;
    struct psw_arena *arena;        /* owned */
    struct psw_arena_bytes planned; /* its size */
    /* What is loaded and then only read: parameters of the reference and of the reward model.
     * In node memory where there is some. */
    struct psw_arena *frozen;     /* owned */
    size_t frozen_bytes;          /* its size */
    struct psw_node_memory *node; /* owned; NULL: none */
    void *own;                    /* owned: of the stage */
};

/** What a stage does: a row of the table has one. MPI: open, close, layout: Local; run:
 *  Collective (team.comm). */
struct psw_stage_code {
    /* Set own. Errors: what shows before the stage starts. close accepts what a failed open
     * left. */
    psw_status (*open)(struct psw_stage_work *w, struct psw_error *err);
    void (*close)(struct psw_stage_work *w);
    /* Take the memory that lasts as long as the stage, in w->frozen what is loaded and not
     * changed; then, in a measuring arena, walk through the largest work. */
    psw_status (*layout)(struct psw_stage_work *w, struct psw_arena *arena,
                         struct psw_error *err);
    /* Leave the result at its place. */
    psw_status (*run)(struct psw_stage_work *w, struct psw_error *err);
};
extern const struct psw_stage_code PSW_SFT, PSW_REF, PSW_REWARD, PSW_POLICY;

/** Take everything that a stage needs, up to its run. *w is set even on failure.
 *  MPI: Collective (stage->comm). Owns: the caller closes w, whatever came back. */
psw_status psw_stage_open(enum psw_stage_kind kind, const struct psw_stage *stage,
                          struct psw_stage_work *w, struct psw_error *err);
void psw_stage_close(struct psw_stage_work *w);

/** Bytes of all arenas, as planned. MPI: Local. */
size_t psw_stage_bytes(const struct psw_stage_work *w);

/** Predicted operations, and bytes left in the work folder. MPI: Local. */
double psw_sft_flops(const struct psw_stage *stage);
double psw_ref_flops(const struct psw_stage *stage);
double psw_reward_flops(const struct psw_stage *stage);
double psw_policy_flops(const struct psw_stage *stage);
size_t psw_ref_disk(const struct psw_stage *stage);
size_t psw_model_disk(const struct psw_stage *stage); /* of a model and its optimiser */
size_t psw_policy_disk(const struct psw_stage *stage);
size_t psw_policy_training_disk(const struct psw_stage *stage, size_t log_bytes); /* kept */
size_t psw_policy_sketches(const struct psw_stage *stage); /* bytes in the journal */

/** Bytes of the training log of an open policy stage. MPI: Local. */
size_t psw_policy_log_bytes(const struct psw_stage_work *w);

/** What computes. MPI: Local. */
const struct psw_backend *psw_stage_backend(const struct psw_stage *stage);

/** How the models of a stage run, with scratch in an arena. MPI: Local. */
struct psw_exec psw_stage_exec(const struct psw_stage_work *w, struct psw_arena *arena);

/** Hooks that may be NULL. */
void psw_stage_progress(const struct psw_stage *stage, double done, double total);
int psw_stage_stopped(const struct psw_stage *stage);
/** The same for sampling, which may take minutes. Borrows the stage. */
struct psw_sample_stop psw_stage_sample_stop(const struct psw_stage *stage);

/** Train a model as the stage at work; the state to go on from is PATH.partial of its place.
 *  MPI: Collective (team.comm). Errors: those of psw_loop_run. */
psw_status psw_stage_train(const struct psw_stage_work *w, const struct psw_loop_code *code,
                           void *ctx, struct psw_trainer *trainer, struct psw_error *err);

/** Whether a dry walk goes through every step of a training, so that its memory is known
 *  exactly; of longer ones it takes the step of psw_stage_put_longest. MPI: Local. */
int psw_stage_walks_steps(const struct psw_config_train *train);

/** Put a batch that no step of the training exceeds, shard by shard and in any count of
 *  psw_batch: every shard has the longest prompts and, apart from them, the longest responses
 * of the first n_item examples. Lengths without tokens, for a measuring arena. Shapes: out: at
 * least [train->batch]. MPI: Local. */
void psw_stage_put_longest(const struct psw_examples *list, int64_t n_item,
                           const struct psw_config_train *train, struct psw_picked *out);

/** Leave the trained parameters at the stage's place, with extra bytes beside them.
 *  MPI: Collective (team.comm). */
psw_status psw_stage_leave(const struct psw_stage_work *w, struct psw_trainer *trainer,
                           void *extra, size_t n_extra_bytes, struct psw_error *err);

/** Log-probabilities of pairs, [n][2] each, chosen first. */
struct psw_ref {
    int64_t n_train, n_heldout;
    double *train, *heldout; /* owned by whoever loaded them: free(train), one block */
};

/** Load what the ref stage left. MPI: Collective. Owns: free(out->train). */
psw_status psw_ref_load(const struct psw_stage_work *w, struct psw_ref *out,
                        struct psw_error *err);

/** Parameters of the SFT model; param has room for those of stage->model, which are also the
 *  first ones of a model with a scalar head. MPI: Collective (team.comm). */
psw_status psw_load_sft(const struct psw_stage_work *w, float *param, struct psw_error *err);

/** What is known of a reward model; kept with its parameters. Plain data of doubles. */
struct psw_reward_info {
    double n_heldout;   /* held-out pairs that were used */
    double accuracy;    /* of them: share ranked rightly, a tie counts half */
    double loss;        /* mean of -log sigma(margin) */
    double calibration; /* expected calibration error of sigma(|margin|), ten bins */
    double shift;       /* taken off every score: the SFT model's mean */
};

/** What the reward stage left: parameters of a model with a scalar head; info may be NULL.
 *  MPI: Collective (team.comm). */
psw_status psw_load_reward(const struct psw_stage_work *w, const struct psw_model *model,
                           float *param, struct psw_reward_info *info, struct psw_error *err);

#endif
