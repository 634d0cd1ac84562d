/* The ledger: what each task of a sweep is, what it waits for, and where it stands in its life.
 *
 * A task's life is a table of legal moves (psw_task_move). A task is ready when everything it
 * depends on is done; when something it depends on ends badly, it is failed with a message that
 * names the culprit. Pure data: no MPI, no clock, no files. */
#ifndef POSWEEP_SWEEP_LEDGER_H
#define POSWEEP_SWEEP_LEDGER_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_TASK_DEPS = 4, PSW_TASK_NAME_BYTES = 64 };

/** One piece of work. Plain data, sent between ranks as bytes. */
struct psw_task {
    int32_t kind;        /* the caller's; >= 0, speed is measured per kind */
    int32_t run;         /* the caller's */
    int32_t n_rank;      /* ranks wanted, a power of two */
    int32_t n_rank_most; /* ranks that it can use, a power of two; 0: no more than that */
    int32_t n_dep;       /* tasks that must be done before */
    int32_t dep[PSW_TASK_DEPS];
    uint64_t key;                   /* the caller's: content hash of a shared stage */
    double cost;                    /* predicted FLOPs, >= 0 */
    char name[PSW_TASK_NAME_BYTES]; /* for messages; may be empty */
};

enum psw_task_state {
    PSW_TASK_QUEUED,      /* to be done (perhaps resumed) */
    PSW_TASK_ACTIVE,      /* ranks work on it */
    PSW_TASK_DONE,        /* its result is safe */
    PSW_TASK_FAILED,      /* ended by an error, which is the result */
    PSW_TASK_DIVERGED,    /* ended by NaN or infinity, which is the result */
    PSW_TASK_INTERRUPTED, /* saved itself or was set aside; queued again at the next start */
    PSW_TASK_TIMED_OUT,   /* saved itself because its time was up; that is the result */
    PSW_TASK_CENSORED,    /* saved itself because the sweep's rule stops it early */
    PSW_N_TASK_STATES
};

enum psw_task_event {
    PSW_TASK_ASSIGNED,  /* given to ranks: a new attempt begins */
    PSW_TASK_FINISHED,  /* the result is on disk */
    PSW_TASK_BROKE,     /* an error that would come again */
    PSW_TASK_BLEW_UP,   /* NaN or infinity, its own or of something it depends on */
    PSW_TASK_STOPPED,   /* saved and resumable */
    PSW_TASK_OVERRAN,   /* saved, but its time is up */
    PSW_TASK_LOST,      /* this attempt brought nothing; another one may */
    PSW_TASK_GIVEN_UP,  /* killed too many starts */
    PSW_TASK_SET_ASIDE, /* the machine was in its way too often: left for the next start */
    PSW_TASK_REDO,      /* done, but the result is gone or damaged */
    PSW_TASK_BLOCKED,   /* something it depends on failed */
    PSW_TASK_FOUND,     /* done by an earlier start */
    PSW_TASK_CUT_SHORT, /* saved, and stopped early */
    PSW_TASK_WIDENED,   /* saved, to go on at once with more ranks */
    PSW_N_TASK_EVENTS
};

/** The state after an event, or -1 if the table has no such move. MPI-free, no ledger. */
int psw_task_move(enum psw_task_state state, enum psw_task_event event);

/** "queued", "active", "done", "failed", "diverged", "interrupted",
 *  "timeout", "censored". Never NULL. */
const char *psw_task_state_name(enum psw_task_state state);

struct psw_ledger; /* opaque */

/** Open a ledger with every task queued.
 *  Owns:   the ledger borrows task[0..n_task) for its life.
 *  Errors: PSW_EINVAL, naming the task, for a dependency that is not there or goes in a circle,
 *          n_rank or n_rank_most that is no power of two, a cost that is negative or not a
 * number. */
psw_status psw_ledger_create(const struct psw_task *task, int32_t n_task,
                             struct psw_ledger **out, struct psw_error *err);

/** A copy in the same state, without the messages; for simulation. Errors: PSW_ENOMEM. */
psw_status psw_ledger_clone(const struct psw_ledger *ledger, struct psw_ledger **out,
                            struct psw_error *err);

/** Accepts NULL. */
void psw_ledger_destroy(struct psw_ledger *ledger);

/** What an earlier start left behind (from the journal). Plain data. */
struct psw_task_past {
    enum psw_task_state state; /* of the last attempt; ACTIVE = its end was never seen: lost */
    int32_t n_attempt;         /* attempts begun */
    int32_t n_wasted;          /* of these: lost without any progress since the last one kept */
    const char *text;          /* message of a bad end, or of what was lost; or NULL */
};

/** Put a queued task where the journal says it was: done, failed and diverged stay so,
 * interrupted is queued again, active was lost (n_wasted + 1) and is queued again.
 * Errors: PSW_EINVAL for a task that is not queued any more. */
psw_status psw_ledger_restore(struct psw_ledger *ledger, int32_t task,
                              const struct psw_task_past *past, struct psw_error *err);

/** Apply an event to a task. A bad end cascades: everything that depends on it ends
 * alike, failed or diverged, and can be fetched by psw_ledger_next_blocked. text: the message
 * of a bad end, or NULL. Errors: PSW_EINTERNAL for an illegal move; the ledger is then
 * untouched. */
psw_status psw_ledger_apply(struct psw_ledger *ledger, int32_t task, enum psw_task_event event,
                            const char *text, struct psw_error *err);

/** A task newly ended by the cascade, each once; -1 when there is none. */
int32_t psw_ledger_next_blocked(struct psw_ledger *ledger);

int32_t psw_ledger_n_task(const struct psw_ledger *ledger);
const struct psw_task *psw_ledger_task(const struct psw_ledger *ledger, int32_t task);
enum psw_task_state psw_ledger_state(const struct psw_ledger *ledger, int32_t task);
const char *psw_ledger_text(const struct psw_ledger *ledger, int32_t task); /* "" if none */
int32_t psw_ledger_n_attempt(const struct psw_ledger *ledger, int32_t task);
int32_t psw_ledger_n_wasted(const struct psw_ledger *ledger, int32_t task);

/** How a task goes on that saves itself with so much of it done, 0..1: what is left takes so
 * much less, and the next attempt is to have n_rank ranks. */
void psw_ledger_resume(struct psw_ledger *ledger, int32_t task, double done, int32_t n_rank);

/** What of a task is not done, as far as is known: 1 unless it was told otherwise. */
double psw_ledger_left(const struct psw_ledger *ledger, int32_t task);

/** Ranks that its next attempt is to have; 0: nobody said. */
int32_t psw_ledger_next_ranks(const struct psw_ledger *ledger, int32_t task);

/** How often it was stopped to go on with more ranks. */
int32_t psw_ledger_n_widened(const struct psw_ledger *ledger, int32_t task);

/** 1 if queued and everything it depends on is done. */
int psw_ledger_is_ready(const struct psw_ledger *ledger, int32_t task);

/** The tasks, the head of the costliest chain of tasks first (cost / n_rank, summed along the
 * chain), then by index. Nothing before position *first is queued.
 *  Shapes: [*n_order]; valid as long as the ledger. */
const int32_t *psw_ledger_order(const struct psw_ledger *ledger, int32_t *first,
                                int32_t *n_order);

/** Cost of the costliest chain of tasks that begins with this task: cost / n_rank of each.
 */
double psw_ledger_chain(const struct psw_ledger *ledger, int32_t task);

/** Bytes that it takes, without the tasks and messages. */
size_t psw_ledger_bytes(const struct psw_ledger *ledger);

/** Number of tasks in a state. */
int32_t psw_ledger_count(const struct psw_ledger *ledger, enum psw_task_state state);

/** The least n_rank of the queued tasks, ready or not; INT32_MAX when none is queued. */
int32_t psw_ledger_fewest_ranks(const struct psw_ledger *ledger);

#endif
