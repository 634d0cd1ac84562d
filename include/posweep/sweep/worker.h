/* The worker's side: serve tasks until the coordinator has no more.
 *
 * Every rank but 0 of the communicator serves. Between tasks it sleeps. The ranks assigned to a
 * task form a group with a communicator of its own; the group's rank 0, the leader, speaks to
 * the coordinator. */
#ifndef POSWEEP_SWEEP_WORKER_H
#define POSWEEP_SWEEP_WORKER_H

#include <mpi.h>
#include <posweep/sweep/ledger.h>
#include <stddef.h>

struct psw_job; /* opaque: one attempt at a task, on one rank */

/** How tasks are done. perform is called on every rank of the group; the worker makes the ranks
 * agree on the status afterwards. PSW_OK = done; PSW_EDIVERGED = a recorded result; PSW_ESTOP =
 * saved on request; PSW_ENOENT, PSW_EDATA, PSW_EIO, PSW_EPERM, PSW_EBUSY, PSW_ENOMEM = trouble
 * of the machine, tried again, on other ranks if there are any (after PSW_ENOENT and PSW_EDATA
 * what the task depends on is performed again before); PSW_ENOSPC = the sweep stops; anything
 * else = failed, with the message. A message must not be needed by a rank that waits in a
 * collective of the group: no rank fails alone. */
struct psw_work {
    psw_status (*perform)(void *ctx, MPI_Comm group, const struct psw_task *task,
                          struct psw_job *job, struct psw_error *err);
    void *ctx; /* borrowed */
};

/** Serve until dismissed; returns what the coordinator returned.
 *  MPI: Collective (comm), with psw_sweep_coordinate on rank 0. */
psw_status psw_sweep_serve(MPI_Comm comm, const struct psw_work *work, struct psw_error *err);

/** Tell how far the task is; sent at most twice a second, so it may be called every step.
 *  MPI: Local on other ranks than the leader; there Paired with psw_sweep_coordinate on rank 0.
 */
void psw_job_progress(struct psw_job *job, double done, double total);

/** Tell that this rank is alive; sent no more often than the coordinator asked for, so it may
 * be called after every layer. A rank that is not heard of for long is taken for hung.
 * Progress, payloads and looks whether to stop tell it, too. MPI: Paired with
 * psw_sweep_coordinate on rank 0. */
void psw_job_beat(struct psw_job *job);

/** 1 if the task should save itself and return PSW_ESTOP. The leader decides and tells the
 * group. MPI: Collective (group). Same on all ranks: the result. */
int psw_job_should_stop(struct psw_job *job);

/** This rank's own view of the same, for callers that carry a flag in a reduction of theirs
 * and then act on what the leader saw. MPI: Local. May differ: the result. */
int psw_job_stop_seen(struct psw_job *job);

/** Send bytes (any number, also 0) to the coordinator's on_payload. They are safe when the task
 * is done, not when this returns. Ranks other than the leader do nothing.
 *  MPI: Paired with psw_sweep_coordinate on rank 0 (leader); Local (others). */
void psw_job_emit(struct psw_job *job, const void *bytes, size_t n_bytes);

/** Tell what a run is worth at a rung of early stopping; a request to stop may follow.
 *  MPI: Paired with psw_sweep_coordinate on rank 0 (leader); Local (others). */
void psw_job_rung(struct psw_job *job, int64_t step, double value);

/** What on_assign gave this attempt on its way. Borrowed until the task returns. MPI: Local.
 * Same on all ranks of the group. */
const void *psw_job_note(const struct psw_job *job, int32_t *n_bytes);

/** 1 for the first attempt at this task, counted over all starts of the sweep. MPI: Local. */
int32_t psw_job_attempt(const struct psw_job *job);

#endif
