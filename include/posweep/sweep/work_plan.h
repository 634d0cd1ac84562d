/* From a sweep to tasks: which stages its runs need, what they share, what they will cost.
 *
 * Runs that have ended (done, failed, diverged) need no tasks. Every other run has those that
 * its method needs: sft, then ref or reward or both, then policy; stages with the same content
 * key are the same work and are done once. */
#ifndef POSWEEP_SWEEP_WORK_PLAN_H
#define POSWEEP_SWEEP_WORK_PLAN_H

#include <posweep/config/sweep_file.h>
#include <posweep/stage/stage.h>
#include <posweep/sweep/data_sets.h>
#include <posweep/sweep/ledger.h>

/** What runs of the same size (psw_config_size_hash) have in common, as the first of them has
 *  it. */
struct psw_plan_size {
    struct psw_stage_cost cost[PSW_N_STAGE];
    int32_t data; /* of the run that was looked at last, and its operations */
    double flops[PSW_N_STAGE], train_flops;
};

/** The data of one or more runs. */
struct psw_plan_data {
    uint64_t hash;         /* of their content */
    uint64_t origins_hash; /* of psw_data_sets: where they came from */
    struct psw_data_cut cut[PSW_N_CUT_LIST];
};

/** A run as the plan sees it. */
struct psw_plan_run {
    int32_t wanted;            /* 0: has ended before, no tasks */
    int32_t frozen_on_node;    /* 1: one copy of frozen weights per node, where it has room */
    int32_t size, data;        /* places in the plan; psw_plan_cost, psw_plan_data_of */
    int32_t task[PSW_N_STAGE]; /* indices of its tasks, -1 without; others may share them */
    uint64_t key[PSW_N_STAGE]; /* content keys of its stages */
    double flops[PSW_N_STAGE]; /* of its own data */
    double train_flops;        /* of these, the training steps of the policy */
};

struct psw_work_plan {
    struct psw_task *task; /* [n_task] owned */
    int32_t n_task;
    int64_t n_asked;          /* stages of all wanted runs, before those that they share */
    struct psw_plan_run *run; /* [n_run] owned */
    int64_t n_run;
    struct psw_plan_size *size;    /* [n_size] owned */
    struct psw_plan_data *content; /* [n_content] owned */
    int32_t n_size, n_content;
    int n_rank_node;           /* ranks that share a node's memory; 0: one */
    struct psw_data_sets data; /* of the wanted runs */
    char data_text[2048];      /* what was met while reading data, for the log */
    char cut_text[512];        /* lists that were cut by more than a twentieth; "" for none */
    char less_text[512];       /* settings that ask for more than the data has; "" for none */
};

/** Refuse generated data that would not fit into memory, from their settings alone: before
 *  psw_work_plan_init makes them. ended: [n_run], as there. The rest as
 *  psw_work_plan_check_memory. */
psw_status psw_work_plan_check_generated(const struct psw_sweep *sweep, const uint8_t *ended,
                                         int n_rank_node, struct psw_error *err);

/** Let runs that name no folder for the index of large data files (limits.index) keep it beside
 *  the results. Errors: PSW_EINVAL for a path that is too long. */
psw_status psw_work_plan_keep_index(struct psw_sweep *sweep, const char *out_path,
                                    struct psw_error *err);

/** Open and check every distinct data set once, predict every distinct stage, make the tasks.
 *  Shapes: ended [n_run], 1 for runs that need nothing; NULL for none.
 *  MPI:    Local.
 *  Owns:   the caller clears.
 *  Errors: those of psw_dataset_open, PSW_EINVAL for a run that does not fit (shards, context),
 *          all after the run's place in the sweep: "file:line: method variant seed N: ".
 *          PSW_ENOMEM. */
psw_status psw_work_plan_init(const struct psw_sweep *sweep, const uint8_t *ended,
                              struct psw_work_plan *out, struct psw_error *err);
void psw_work_plan_clear(struct psw_work_plan *plan);

/** Resolve limits.frozen_weights: auto, run by run. One copy per node saves memory and costs
 *  time (training of 2 ranks took 7 to 9 % longer where the system gives windows no huge
 *  pages), so it is taken where copies per rank would need more than half of what there is. */
void psw_work_plan_place_frozen(const struct psw_sweep *sweep, struct psw_work_plan *plan,
                                int n_rank_node);

/** What a stage of a wanted run is predicted to cost. Its operations are in psw_plan_run.flops.
 */
static inline const struct psw_stage_cost *psw_plan_cost(const struct psw_work_plan *plan,
                                                         int64_t run, int kind)
{
    return &plan->size[plan->run[run].size].cost[kind];
}

/** The data of a wanted run. */
static inline const struct psw_plan_data *psw_plan_data_of(const struct psw_work_plan *plan,
                                                           int64_t run)
{
    return &plan->content[plan->run[run].data];
}

/** Bytes of one rank in a stage of a planned run, where n_rank_node ranks work on a node; 0 of
 *  a run that is not wanted. */
size_t psw_plan_run_bytes(const struct psw_work_plan *plan, int64_t run, int kind,
                          int n_rank_node);

/** Refuse runs that would not fit into memory: the arena of a rank against limits.memory_gib
 *  or, when that is 0, against what this node has for each of n_rank_node ranks that work.
 *  Errors: PSW_ENOMEM with the run, what it needs and what there is. */
psw_status psw_work_plan_check_memory(const struct psw_sweep *sweep,
                                      const struct psw_work_plan *plan, int n_rank_node,
                                      struct psw_error *err);

/** "the plan is 1.20 GiB per rank, there are 5.90 GiB (memory of this node per working rank)",
 * of a task; where limits.memory_gib says more than the node has, both. Returns out. */
char *psw_work_plan_memory_text(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                                int32_t task, char *out, size_t n_bytes);

/** A data set and a model, kept for the next stage that wants the same. Zero it first. */
struct psw_stage_cache {
    uint64_t key;
    int filled;
    struct psw_dataset *data; /* owned */
    struct psw_model *model;  /* owned */
    struct psw_stage_loads loads;
};

/** Data set and model of a configuration, from the cache if it holds them.
 *  MPI: Local. Owns: the cache; valid until the next call. */
psw_status psw_stage_cache_get(struct psw_stage_cache *cache, const struct psw_config *config,
                               struct psw_error *err);
void psw_stage_cache_clear(struct psw_stage_cache *cache);

#endif
