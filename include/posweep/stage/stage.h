/* Stages: the pieces of work that a group of ranks performs for a run. One table (stages.c) has
 * a row for each: its name, what enters its key, what it needs, what it costs and what it does.
 *
 * sft     trains the start model; runs that share seed, data, model and sft settings share it
 * ref     log-probabilities of all preference pairs under the SFT model; shared as well
 * reward  trains the reward model on the pairs, from the SFT model; shared as well
 * policy  trains the policy, samples the final responses D', and traces every checkpoint
 *
 * A stage leaves its result in the work folder under its content key, written whole or not at
 * all; performing it again when the result is there does nothing. A stage that is stopped saves
 * its state and returns PSW_ESTOP; performed again it continues and ends with the same bits. */
#ifndef POSWEEP_STAGE_STAGE_H
#define POSWEEP_STAGE_STAGE_H

#include <posweep/config/config.h>
#include <posweep/config/stop_rule.h>
#include <posweep/data/dataset.h>
#include <posweep/data/epoch_order.h>
#include <posweep/parallel/shards.h>
#include <posweep/store/record.h>
#include <posweep/util/file.h>

/** Values are part of the results' bits: append, never renumber. */
enum psw_stage_kind {
    PSW_STAGE_SFT,
    PSW_STAGE_REF,
    PSW_STAGE_POLICY,
    PSW_STAGE_REWARD,
    PSW_N_STAGE
};

/** "sft", "ref", "policy", "reward". MPI: Local. */
const char *psw_stage_name(enum psw_stage_kind kind);

/** Stages that a run consists of, as bits 1 << enum psw_stage_kind: sft and policy always, ref
 * for pairwise methods, reward where a reward model is needed. MPI: Local. */
unsigned psw_stages_of(const struct psw_config *config);

/** Stages of a run whose results a stage of it reads, as bits. MPI: Local. */
unsigned psw_stage_needs(enum psw_stage_kind kind, const struct psw_config *config);

/** Whether runs with the same settings share a stage; the end of one that they do not share is
 * the end of the run. MPI: Local. */
int psw_stage_is_shared(enum psw_stage_kind kind);

/** The most ranks that can work at a stage of a run: a shard each. MPI: Local. */
int psw_stage_most_ranks(enum psw_stage_kind kind, const struct psw_config *config);

/** How a stage talks to whoever runs it. All members may be NULL. */
struct psw_stage_hooks {
    void *ctx;
    void (*progress)(void *ctx, double done, double total); /* Local; cheap */
    void (*alive)(void *ctx); /* Local; cheap: this rank goes on, also within a long step */
    int (*should_stop)(void *ctx); /* Collective over the group: same answer on all ranks */
    void (*emit)(void *ctx, struct psw_record *piece);   /* rank 0: a piece of the results */
    void (*rung)(void *ctx, int64_t step, double value); /* Local: came to a rung of `stop` */
    /* Local, same answer on all ranks: whether the point of a checkpoint was emitted by an
     * earlier attempt, of the same stage key, so that it need not be measured again. */
    int (*is_measured)(void *ctx, int64_t checkpoint);
    /* Local, at the end: bytes of the arena that the stage planned, and that it touched. */
    void (*memory)(void *ctx, size_t planned_bytes, size_t used_bytes);
};

/** What an item of a data set takes on average, for predictions. Plain data. */
struct psw_stage_loads {
    struct psw_load sft;
    struct psw_load pair[2]; /* 1: the prompt is computed once for both responses */
};

/** MPI: Local. */
void psw_stage_loads_of(const struct psw_dataset *data, struct psw_stage_loads *out);

/** What a stage needs. Plain data, everything borrowed. */
struct psw_stage {
    const struct psw_config *config;
    const struct psw_dataset *data;
    const struct psw_model *model;
    const struct psw_stage_loads *loads; /* of data; NULL: found when they are asked for */
    const struct psw_backend *backend;   /* NULL: the one of limits.backend */
    MPI_Comm comm;
    const char *work_dir;             /* exists; seen by all ranks of the group */
    int32_t attempt;                  /* from 1; temporary names carry it */
    const struct psw_stop_rule *stop; /* where the policy stage tells what it is worth; NULL:
                                         nowhere */
    struct psw_stage_hooks hooks;
};

/** Dimensions of the model that a configuration describes, for a vocabulary.
 *  MPI:    Local.
 *  Errors: PSW_EINVAL. */
psw_status psw_stage_model_dims(const struct psw_config *config, int32_t n_vocab,
                                struct psw_model_dims *out, struct psw_error *err);

/** Checkpoints of a run, each of which gives a point of its trace. MPI: Local. */
int64_t psw_stage_n_checkpoint(const struct psw_config *config);

/** Content key of a stage: settings that decide its result, and the data's content.
 *  MPI: Local. */
uint64_t psw_stage_key(enum psw_stage_kind kind, const struct psw_config *config,
                       uint64_t data_hash);

/** The keys of a stage for configurations that differ in the seed alone. */
struct psw_stage_identity {
    enum psw_stage_kind kind;
    int has_no_seed;
    struct psw_identity identity;
};
void psw_stage_identity_init(enum psw_stage_kind kind, const struct psw_config *config,
                             struct psw_stage_identity *out);

/** psw_stage_key of the configuration with this seed. */
uint64_t psw_stage_identity_key(const struct psw_stage_identity *identity, int64_t seed,
                                uint64_t data_hash);

/** Where a stage leaves its result. MPI: Local. Errors: PSW_EINVAL when the path is too long.
 */
psw_status psw_stage_path(const struct psw_stage *stage, enum psw_stage_kind kind,
                          char out[PSW_PATH_BYTES], struct psw_error *err);

/** Perform a stage. The policy stage emits on rank 0 everything the results file holds of the
 * run, as records with the schema's names: one per checkpoint as soon as it is
 * measured, one with the training log, one with the final figures; of a run that diverges, the
 * training log up to there. MPI:    Collective (stage->comm). Same on all ranks: config, data,
 * and the result. Errors: PSW_ESTOP (saved, can be resumed), PSW_EDIVERGED with the step,
 * PSW_EIO, PSW_ENOSPC, PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_stage_perform(enum psw_stage_kind kind, const struct psw_stage *stage,
                             struct psw_error *err);

/** Remove what a run keeps while it is under way (checkpoints, partial traces). To be called
 * when its results are safe. MPI: Local. */
psw_status psw_stage_forget(const char *work_dir, const struct psw_config *config,
                            uint64_t data_hash, struct psw_error *err);

/** What a finished run leaves, when its results are safe: its training, if it is to be kept
 *  (limits.keep_training) and one with more policy.steps can go on from there; the rest is
 *  forgotten. MPI: Local. Errors: PSW_EIO, PSW_ENOSPC. */
psw_status psw_stage_end_run(const char *work_dir, const struct psw_config *config,
                             uint64_t data_hash, struct psw_error *err);

/** psw_stage_forget by the content key of the policy stage. */
psw_status psw_stage_forget_key(const char *work_dir, uint64_t key, struct psw_error *err);

/** Steps of the kept training that a run goes on from when it begins; 0: none, or it has begun.
 *  stop: NULL: no rule. MPI: Local. */
int64_t psw_stage_goes_on_from(const char *work_dir, const struct psw_config *config,
                               const struct psw_stop_rule *stop, uint64_t data_hash);

/** Whether a work folder may have kept trainings. MPI: Local. */
int psw_stage_has_trainings(const char *work_dir);

/** Remove what a finished run, by its hash, has left for later, models and training; the
 *  trainings of all runs. MPI: Local. Errors: PSW_EIO. */
psw_status psw_stage_forget_kept(const char *work_dir, uint64_t run, struct psw_error *err);
psw_status psw_stage_forget_trainings(const char *work_dir, struct psw_error *err);

/** Folder of the logs of runs in a work folder, which goes with the stages. */
#define PSW_STAGE_LOGS "run-logs"

/** Remove every stage's result from a work folder, and the folder if nothing else is in it;
 * files that posweep did not make stay. MPI: Local. */
psw_status psw_stage_clean(const char *work_dir, struct psw_error *err);

/** Predicted memory and disk of a stage on `size` ranks, by walking through it without touching
 *  memory. Of trainings on given items the memory is that of the largest step; where they have
 *  more steps than are walked through (32,768, or 1,048,576 items), it is that of a step as
 *  large as their items can make one, never less. Plain data. */
struct psw_stage_cost {
    size_t peak_bytes;     /* arenas, data and training log of one rank */
    size_t frozen_bytes;   /* of these, what ranks of one node hold together, once */
    size_t disk_bytes;     /* left in the work folder while the run lasts */
    size_t training_bytes; /* of these, what limits.keep_training leaves of the finished run */
    size_t sketch_bytes;   /* of trace.sketch in the journal, and in the results; at most */
    int n_rank;            /* `size` */
};

/** How many ranks of one node hold the same frozen weights where n_rank_node ranks work on each
 *  node: those of one run, if runs fill nodes or nodes fill runs; else 1, whatever may be. */
int psw_stage_n_sharing(const struct psw_stage_cost *cost, int n_rank_node);

/** Bytes of one rank where so many hold the same frozen weights. MPI: Local. */
size_t psw_stage_rank_bytes(const struct psw_stage_cost *cost, int n_sharing);

/** Predicted floating-point operations of a stage, of all ranks together; 0 if the run has no
 * such stage. A function of the configuration and its data alone. MPI: Local. */
double psw_stage_flops(enum psw_stage_kind kind, const struct psw_stage *stage);

/** Of these of the policy, the part that its training steps take. MPI: Local. */
double psw_policy_train_flops(const struct psw_stage *stage);

/** MPI: Local. Errors: PSW_EINVAL when `size` ranks cannot share the shards, or when the data
 * or the settings would stop the stage before its first step; PSW_ENOMEM. */
psw_status psw_stage_predict(enum psw_stage_kind kind, const struct psw_stage *stage, int size,
                             struct psw_stage_cost *out, struct psw_error *err);

#endif
