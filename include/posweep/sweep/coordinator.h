/* The coordinator: rank 0 hands out tasks, collects what they send, and keeps the ledger.
 *
 * It sleeps between messages. What happens is told to hooks, which write the journal and the
 * progress line; a task is done only after the sync hook has returned, and many tasks may share
 * one sync. A task that fails is a result like any other; a hook that fails (full disk) stops
 * the sweep, and everything not yet done is left for the next start. With one rank the
 * coordinator performs the tasks itself. */
#ifndef POSWEEP_SWEEP_COORDINATOR_H
#define POSWEEP_SWEEP_COORDINATOR_H

#include <mpi.h>
#include <posweep/sweep/ledger.h>
#include <posweep/sweep/speed.h>
#include <posweep/sweep/worker.h>
#include <stddef.h>
#include <stdint.h>

/** One attempt at a task, begun or ended. Borrowed for the time of a hook call. */
struct psw_attempt {
    int32_t task;   /* index */
    int32_t number; /* 1 = first, counted over all starts; 0 = never begun (blocked) */
    enum psw_task_state state; /* ACTIVE in on_started; the new state in on_ended */
    psw_status code;           /* how it ended */
    const char *text;          /* message of a bad end, else "" */
    int32_t n_rank;            /* 0 if never begun */
    const int32_t *rank;       /* [n_rank] ranks of comm, the leader first */
    const char *host;          /* of the leader */
    double duration_s;
};

/** The sweep at a glance, for a progress line. */
struct psw_sweep_view {
    int32_t n_task; /* primaries */
    int32_t n_in[PSW_N_TASK_STATES];
    double part_done;        /* 0..1, by predicted cost, unfinished tasks included */
    double elapsed_s;        /* since this start */
    double eta_s;            /* NAN if unknown */
    double flops_per_s;      /* of all ranks together, measured; 0 if unknown */
    int32_t n_active;        /* attempts under way; tasks that ended but wait for a sync are
                                still ACTIVE in n_in */
    int32_t n_rank, n_idle;  /* ranks that work; of these now idle */
    int stopping;            /* 1 once a stop was asked for */
    int64_t n_payload_bytes; /* received since this start */
    double silent_s;         /* the longest time for which an active task was not heard of */
};

/** How well the ranks of this start were used. The bound is the greater of work / ranks and
 * chain: no order of the same tasks takes less. */
struct psw_sweep_use {
    double makespan_s;
    double work_rank_s; /* of all attempts together */
    double chain_s;     /* of the longest chain of tasks that waited for each other */
    double cpu_s;       /* of the coordinator; 0 where it works itself */
    int32_t n_rank;     /* that work */
};
double psw_sweep_use_bound_s(const struct psw_sweep_use *use);

/** The longest chain of tasks up to the end of one. */
struct psw_sweep_chain {
    uint64_t key; /* of the task */
    int32_t kind;
    double chain_s;
};

/** What a call that ended to go on with added tasks leaves to the next one: its figures count
 * on, and speeds are known. Zero it first. */
struct psw_sweep_earlier {
    double began_s; /* psw_clock_s of the first call */
    int32_t n_started;
    struct psw_sweep_use use;
    struct psw_speed speed;
    double restart_s;
    struct psw_sweep_chain *chain; /* owned [n_chain], by key and kind */
    int32_t n_chain;
};
void psw_sweep_earlier_clear(struct psw_sweep_earlier *earlier);

/** What happens, told on rank 0. Any may be NULL. A failing hook stops the sweep. */
struct psw_sweep_hooks {
    void *ctx; /* borrowed */
    psw_status (*on_started)(void *ctx, const struct psw_attempt *attempt, struct psw_error *);
    /* What the attempt that was just told as started is to know: bytes, borrowed until the next
     * call, that psw_job_note gives to every rank of the group. */
    psw_status (*on_assign)(void *ctx, int32_t task, const void **note, size_t *n_bytes,
                            struct psw_error *);
    psw_status (*on_payload)(void *ctx, int32_t task, const void *bytes, size_t n_bytes,
                             struct psw_error *);
    /* DONE, FAILED, DIVERGED, TIMED_OUT, CENSORED, INTERRUPTED; QUEUED if the machine was in
     * the way and another attempt follows, or, with PSW_ESTOP, to go on with more ranks. */
    psw_status (*on_ended)(void *ctx, const struct psw_attempt *attempt, struct psw_error *);
    /* Make what was told so far safe on disk; called before tasks become done, and about 2 s
     * after anything was told. */
    psw_status (*sync)(void *ctx, struct psw_error *);
    /* Every tick_s, and at the end. */
    void (*tick)(void *ctx, const struct psw_sweep_view *view);
    /* How far an attempt is, as often as it tells. */
    void (*on_progress)(void *ctx, int32_t task, double done, double total);
    /* A run has come to a rung: its step, and what it is worth there. *stops: 1 if it is to be
     * stopped early. */
    psw_status (*on_rung)(void *ctx, int32_t task, const double step_value[2], int *stops,
                          struct psw_error *);
    /* About ranks, for people: one is left out, or does not answer. */
    psw_status (*on_remark)(void *ctx, const char *text, struct psw_error *);
    /* A stop was asked for. */
    psw_status (*on_stop)(void *ctx, const char *why, struct psw_error *);
    /* The rank `attempt->rank[0]` of an attempt is lost, and the job is about to end: it was
     * seen dead, with code PSW_ENOMEM if the system says that it kills for memory there; or it
     * has been silent for too long, as attempt->text says. host: a host failed, and why, which
     * later starts are to know; "": it works again. known: why one failed in an earlier start,
     * borrowed until the next call; "": that is forgotten; NULL: nothing is known. */
    struct {
        psw_status (*died)(void *ctx, const struct psw_attempt *attempt, struct psw_error *);
        psw_status (*silent)(void *ctx, const struct psw_attempt *attempt, struct psw_error *);
        psw_status (*host)(void *ctx, const char *host, const char *why, struct psw_error *);
        const char *(*known)(void *ctx, const char *host);
    } on_lost;
    /* over: everything has ended or been saved, and at least one task was begun. given_up:
     * ranks do not answer and the job is going to be ended: what must still be written. */
    struct {
        void (*over)(void *ctx, const struct psw_sweep_use *use);
        void (*given_up)(void *ctx);
    } at_end;
    /* look: n_spare ranks idle, or make a task faster than it asked for, and nothing else will
     * use them; asked every few seconds while what is left takes long enough. 1: there are
     * tasks that the ledger does not have. Then everything saves itself, nothing is given up
     * for being slow, and PSW_ESTOP is returned. ended: for this reason, and no other. */
    struct {
        int (*look)(void *ctx, int32_t n_spare);
        void (*ended)(void *ctx);
    } added;
};

/** What to do and how. 0 takes the default in brackets. */
struct psw_sweep_plan {
    struct psw_ledger *ledger; /* borrowed; the ends of the tasks are found in it afterwards */
    struct psw_sweep_hooks hooks;
    struct psw_work work; /* used when comm has one rank */
    /* [n_task] each, borrowed, or NULL: none. suspect: 1 for one suspected of killing jobs,
     * which runs last, with nothing beside it until it has lived for a while; cleared here, and
     * by hooks. limit_s: an attempt that takes longer is asked to save itself and has timed
     * out; 0: any time. */
    struct {
        uint8_t *suspect;
        const double *limit_s;
    } tasks;
    int32_t max_attempts; /* [3] attempts in which the machine fails, then the next start's */
    double widen_s;       /* [10] so much more ranks for a task must save at least */
    double checkpoint_s;  /* [60] a task can save itself this long after its start */
    double stop_s; /* [60] after a request to stop, ranks that do not answer are given up */
    /* bound_s [300]: a rank at work of which nothing is heard for so long ends the job; longer
     * if healthy ranks were silent for long; healthy_s [0]: such a silence, known beforehand */
    struct {
        double bound_s, healthy_s;
    } silence;
    /* margin_s [60]: before the end of the walltime everyone stops; at most 1/8 of it.
     * end_unix_s: the end; [psw_stop_end_unix_s()] */
    struct {
        double margin_s, end_unix_s;
    } walltime;
    double flops_per_s; /* of one rank, until measured; [unknown] */
    double replan_s;    /* to come back with tasks that were added takes so long */
    struct psw_sweep_earlier *earlier; /* borrowed: what the call before left, and what this one
                                          leaves; NULL: figures are of this call alone */
    double commit_s; /* [0.005] ends wait so long to share a sync; longer if syncs are slow */
    double tick_s;   /* [0.5] */
};

/** Perform everything in the ledger that can be performed.
 *  MPI:    Collective (comm), rank 0 only; psw_sweep_serve on all others.
 * When ranks do not answer a request to stop, or not their dismissal, within stop_s, or a rank
 * at work is not heard of for silence.bound_s, the job is ended with exit status 75; what was
 * told is safe then. Errors: PSW_ESTOP if a stop was asked for and work remains; PSW_EIO if
 * work remains because the machine was in the way (nothing is lost, the next start goes on);
 * PSW_EINVAL before anything starts if a task wants more ranks than work, or if the walltime is
 * too short for any task; the status of a hook that failed. Failed tasks are no error here: see
 * the ledger. Same on all ranks. */
psw_status psw_sweep_coordinate(MPI_Comm comm, const struct psw_sweep_plan *plan,
                                struct psw_error *err);

#endif
