/* What the two sides of a running sweep share. */
#ifndef POSWEEP_SWEEP_RUN_INTERNAL_H
#define POSWEEP_SWEEP_RUN_INTERNAL_H

#include "early_stop.h"
#include "host_list.h"

#include <posweep/comm/agree.h>
#include <posweep/config/leaf.h>
#include <posweep/sweep/run.h>
#include <posweep/sweep/work_plan.h>

/** What comes with every task: the run it is of, and which of its checkpoints are measured
 *  already. Followed by the configuration, packed, and a byte for every checkpoint. */
struct psw_assigned_run {
    uint64_t hash, data_hash;
    int64_t n_config_bytes, n_checkpoint;
};

/** What a rank needs to perform tasks. A rank knows the run of its task and no other. */
struct psw_performer {
    char work_dir[PSW_PATH_BYTES]; /* the same on all ranks */
    struct psw_stop_rule stop;     /* the same on all ranks */
    struct psw_stage_cache cache;
    struct psw_assigned_run run; /* of the task at hand */
    struct psw_config config;    /* its settings */
    const uint8_t *is_measured;  /* [run.n_checkpoint] borrowed from the job */
};

/** psw_work.perform; ctx is a struct psw_performer. */
psw_status psw_perform(void *ctx, MPI_Comm group, const struct psw_task *task,
                       struct psw_job *job, struct psw_error *err);

/** Ranks that work (all but rank 0, or rank 0 alone) on the node that has the most of them.
 *  MPI: Collective (comm). Same on all ranks: the result. */
int psw_nodes_workers(MPI_Comm comm);

/** Refuse a work folder that is not the same folder for every rank: rank 0 writes a token there
 *  and all read it.
 *  MPI: Collective (comm). Same on all ranks: work_dir (may differ in tests).
 *  Errors: PSW_ENOENT naming the host that does not see it, and the folder; those of writing
 *  there. */
psw_status psw_nodes_share_folder(MPI_Comm comm, const char *work_dir, struct psw_error *err);

/** Claim the work folder for the sweep of a results file; *made: 1 if nobody had it. A folder
 * of a sweep whose journal is gone is taken over. MPI: Local (rank 0). Errors: PSW_EBUSY naming
 * both results files; those of reading and writing. */
psw_status psw_owner_claim(const char *work_dir, const char *out_path, int *made,
                           struct psw_error *err);
void psw_owner_release(const char *work_dir);

/** What was last recorded of a progress. */
struct psw_progress_mark {
    double at_s, share;
};

/** Whether progress is worth a record: none within 5 s of the last, then when it moved by a
 *  fiftieth of the whole or a minute has passed. A short run is recorded every 5 s; a long one
 *  leaves 50 records and one a minute at most. */
static inline int psw_is_worth_recording(struct psw_progress_mark last, double share,
                                         double now_s)
{
    const double quiet_s = now_s - last.at_s, moved = share - last.share;
    return quiet_s >= 60 || (quiet_s >= 5 && (moved >= 0.02 || moved <= -0.02));
}

/** A task's progress, as it is recorded. */
struct psw_task_progress {
    struct psw_progress_mark last;
    int32_t attempt; /* whose it is */
    double began_at; /* where the latest attempt began; -1: unknown */
};

/** A run's time is never all spent before it is worked on. */
static const double PSW_LEAST_LIMIT_S = 1e-3;

/** Finished runs: what they keep while they are under way may go after the next sync. */
struct psw_forget_list {
    int32_t *run; /* [n_run] owned */
    int32_t n;
};

/** What the journal knows of the whole. */
struct psw_forecast_mark {
    struct psw_progress_mark last;
    int has_left; /* the time left was known then */
};

/** The results file that was written last. */
struct psw_snapshot {
    double at_s, took_s; /* end and duration */
    int is_due;          /* something has changed since */
};

/** What is known of a start that decides bits or helps to find out. */
enum { PSW_MAX_START_NOTES = 24 };
struct psw_start_notes {
    struct psw_results_note note[PSW_MAX_START_NOTES];
    int n;
    char backend[PSW_LEAF_TEXT_BYTES]; /* one of the values */
    char makespan[160];                /* another, at the end */
};

/** The results recorder of rank 0: what happens goes to the journal and the results file. */
struct psw_recorder {
    const struct psw_run_opts *opts;
    struct psw_start_notes notes;
    struct psw_sweep *sweep;
    struct psw_work_plan plan;
    struct psw_journal *journal;
    struct psw_ledger *ledger;
    struct psw_forget_list forget;
    struct {
        struct psw_task_progress *progress; /* [n_task] owned */
        uint8_t *suspect;                   /* [n_task] owned: 1 if it may be what kills jobs */
        double *limit_s; /* [n_task] owned: time that an attempt may take; 0: any */
        uint8_t *note;   /* owned: struct psw_assigned_run and the rest of the task that was
                            assigned last */
    } tasks;
    struct {
        char path[PSW_PATH_BYTES];
        int is_new; /* this start claimed it first */
    } work_dir;
    struct psw_early_stop early;
    struct psw_forecast_mark forecast;
    struct psw_snapshot snapshot;
    int is_to_grow; /* it ended to begin runs that were added */
    struct {
        uint8_t *ended;                    /* owned [n_run] */
        int64_t n_ended;                   /* of them */
        int64_t n_unasked;                 /* finished runs that this start does not have */
        struct psw_host_list hosts;        /* that failed */
        char host_why[PSW_HOST_WHY_BYTES]; /* of one of them, asked for last */
    } before;                              /* of earlier starts */
};

/** Read the sweep, open the journal, plan, restore. n_worker: ranks that work; n_worker_node:
 * of psw_nodes_workers. MPI: Local (rank 0). Errors: the caller undoes and closes. */
psw_status psw_recorder_open(struct psw_recorder *k, const struct psw_run_opts *opts,
                             int n_worker, int n_worker_node, struct psw_error *err);

/** The start is refused: remove the journal and the work folder if it made them. */
void psw_recorder_undo(struct psw_recorder *k);

/** Accepts a zeroed one. */
void psw_recorder_close(struct psw_recorder *k);

/** What the journal calls a task: a run's hash, a shared stage's content key. */
uint64_t psw_recorder_name(const struct psw_recorder *k, int32_t task);

/** Tell the ledger of attempts of earlier starts, and find suspects. */
psw_status psw_recorder_restore(struct psw_recorder *k, struct psw_error *err);

/** The hooks of the coordinator; ctx is the recorder. */
struct psw_sweep_hooks psw_recorder_hooks(struct psw_recorder *k);

/** Write the results file from the journal. */
psw_status psw_recorder_write(struct psw_recorder *k, struct psw_error *err);

/** Count outcomes in the journal. */
void psw_recorder_summary(const struct psw_recorder *k, struct psw_run_summary *out);

#endif
