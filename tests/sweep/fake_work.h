/* Fake work for the coordinator on the ranks of MPI_COMM_WORLD, and a diary of what its hooks
 * saw. What the hooks saw is checked on rank 0, what the ranks did inside the tasks; a wrong
 * answer of a task is its failure, so it shows in the ledger. */
#ifndef POSWEEP_TESTS_FAKE_WORK_H
#define POSWEEP_TESTS_FAKE_WORK_H

#include <posweep/sweep/coordinator.h>
#include <support/support.h>

enum { MAX_TASKS = 128, PAYLOAD_BYTES = 5 << 20 };

enum kind {
    KIND_NOTHING,
    KIND_SLEEP,    /* cost = milliseconds */
    KIND_FAIL,     /* PSW_EINVAL on the last rank of the group */
    KIND_FLAKY,    /* PSW_EIO in its first attempt */
    KIND_HOPELESS, /* PSW_EIO always */
    KIND_BAD_RANK, /* PSW_EIO on rank 1 of all */
    KIND_LONELY,   /* its group is wanted whole; PSW_EIO on the last rank of all */
    KIND_GONE,     /* PSW_ENOENT in its first attempt */
    KIND_DIVERGE,
    KIND_FULL,    /* PSW_ENOSPC */
    KIND_GROUP,   /* an all-reduce over the group */
    KIND_PAYLOAD, /* emits `run` bytes, then as many again */
    KIND_PATIENT, /* works until told to stop */
    KIND_SIGNAL   /* its first attempt raises the stop flag of its own rank */
};

/* What the hooks saw, on rank 0. */
struct diary {
    struct psw_ledger *ledger;
    int n_started[MAX_TASKS], n_done[MAX_TASKS], n_failed[MAX_TASKS], n_payload[MAX_TASKS];
    int n_rank[MAX_TASKS];
    int n_sync, n_unsynced, n_tick, n_bad;
    int fail_after; /* on_ended returns an error after so many; -1 = never */
    int stop_after; /* a stop is asked for after so many ends; -1 = never */
    int n_end;
    size_t n_bytes;
    struct psw_sweep_view last;
    int n_remark;
    char text[MAX_TASKS][128], remark[256];
};

struct diary new_diary(void);

int rank(void);

/* Ranks that work. */
int n_worker(void);

struct psw_task task_of(enum kind kind);

/* On rank 0; NULL elsewhere. */
struct psw_ledger *ledger_of(const struct psw_task *task, int32_t n);

/* The plan for a ledger with the diary's hooks; and what follows a plan on all ranks. */
struct psw_sweep_plan plan_of(struct psw_ledger *ledger, struct diary *d);
psw_status follow(const struct psw_sweep_plan *plan, struct psw_error *err);

/* Run a ledger (rank 0; NULL elsewhere) to its end. */
psw_status sweep(struct psw_ledger *ledger, struct diary *d, struct psw_error *err);

#endif
