/* The coordinator's state, shared by its two halves: coordinator.c decides what happens next,
 * commit.c tells the hooks, keeps what waits for a sync, and moves the ledger. */
#ifndef POSWEEP_SRC_COORDINATOR_INTERNAL_H
#define POSWEEP_SRC_COORDINATOR_INTERNAL_H

#include "health.h"
#include "sweep_internal.h"

#include <posweep/sweep/coordinator.h>
#include <posweep/sweep/scheduler.h>

/** As many ends may share a sync. */
enum { PSW_MAX_ENDS = 1024 };

/** An attempt that has ended, told, and waits for a sync. */
struct psw_end {
    int32_t task;
    enum psw_task_event event;
    psw_status code;
    int32_t leader; /* index into rank; -1 if never begun */
    double duration_s;
    char text[PSW_ERROR_TEXT_BYTES];
};

/** What a rank that works is heard to do. */
struct psw_active {
    int32_t n_rank;       /* of its group */
    double part;          /* 0..1 */
    double part_at_first; /* of the first progress message; -1 = none yet */
    double start_s, first_s, heard_s;
    int is_silent;      /* for so long that it was told of */
    int is_over_time;   /* and asked to save itself */
    int is_cut_short;   /* stopped early, and asked to save itself */
    int32_t next_ranks; /* asked to save itself, to go on with so many ranks; 0: not asked */
};

/** The ranks that work, and what they are at. */
struct psw_workforce {
    int is_alone;                  /* one rank: coordinates and works */
    int32_t first_rank;            /* of comm, that works */
    int32_t n_rank;                /* that work */
    int32_t n_active, n_started;   /* attempts under way; attempts of this start */
    struct psw_sched_rank *rank;   /* owned, [n_rank] */
    struct psw_active *active;     /* owned, [n_rank], valid while rank[].task >= 0 */
    int32_t *chosen;               /* owned, [2 * n_rank] */
    struct psw_msg_assign *assign; /* owned */
    double *chain_s;               /* owned, [n_task] longest chain up to the end of each */
    struct psw_sweep_use use;
    double began_s, cpu_before_s; /* of the first call of this start */
};

/** What came in and is not yet safe on disk. */
struct psw_unsynced {
    struct psw_end *end; /* owned, [PSW_MAX_ENDS] */
    int32_t n_end;
    double oldest_end_s; /* when end[0] came */
    double window_s;     /* how long ends wait for each other; longer on a slow disk */
    char *buffer;        /* owned: a payload */
    size_t n_buffer_bytes;
    int64_t n_payload_bytes;
    int is_dirty;      /* something was told since the last sync */
    double dirty_at_s; /* the first of it */
};

/** When things began and are due, and the last forecast of the end. */
struct psw_timetable {
    double start_s, start_unix_s, until_s, next_tick_s;
    double eta_s, eta_at_s, next_forecast_s;
    double restart_s, next_regroup_s; /* the longest restart of a task; 0: none was seen */
    double next_added_s;
};

/** A stop that was asked for. */
struct psw_halt {
    int is_on;
    const char *why;
    double asked_s, until_s;      /* when; who does not answer until then is given up */
    int32_t n_asked;              /* attempts under way then */
    int is_walltime;              /* that is why */
    int is_to_grow;               /* or to come back with added tasks */
    struct psw_msg_stop *message; /* owned, [n_rank] */
    MPI_Request *sent;            /* owned, [n_rank] */
};

/** Ranks that are no longer there, and trouble of the machine. */
struct psw_lost_ranks {
    int32_t *dead;    /* owned, [1 + ranks of comm] scratch of note_dead */
    uint8_t *is_gone; /* owned, [ranks of comm] dismissed */
    uint8_t *is_told; /* owned, [n_rank] that work: later starts are told to leave its host out
                       */
    int32_t n_gone;
    int is_hopeless;                    /* nothing but trouble on every rank */
    char trouble[PSW_ERROR_TEXT_BYTES]; /* of the machine: the last one */
};

/** Ranks at work that are not heard of, and the coordinator's own signs of life. */
struct psw_silence {
    double longest_s; /* of a rank that was heard of again */
    double looked_s;  /* the last look */
    double told_s;    /* the last sign of life */
    double own_s;     /* the longest time between two that were due */
};

struct psw_coordinator {
    struct psw_sweep_plan plan; /* defaults filled in */
    struct psw_link link;
    struct psw_workforce team;
    struct psw_unsynced commit;
    struct psw_timetable time;
    struct psw_halt halt;
    struct psw_lost_ranks lost;
    struct psw_silence silence;
    struct psw_speed speed;
    struct psw_health health;
    psw_status fatal; /* of a hook, or of a task that no task can survive */
    struct psw_error err;
};

/** What the scheduler sees. */
struct psw_sched_in psw_coordinator_view_of_state(const struct psw_coordinator *c);

/** Keep the first error that ends the sweep. */
void psw_commit_fatal(struct psw_coordinator *c, const struct psw_error *err);

/** Tell on_started, on_payload; keep an end and tell on_ended. After a fatal error
 * nothing is told: the next start does it again. */
void psw_commit_started(struct psw_coordinator *c, const struct psw_msg_assign *assign);
/** Ask on_assign what goes with an assignment; bytes, 0: nothing. */
int32_t psw_commit_assign(struct psw_coordinator *c, int32_t task, const void **note);
void psw_commit_payload(struct psw_coordinator *c, int32_t task, const void *bytes, size_t n);
void psw_commit_end(struct psw_coordinator *c, const struct psw_end *end, const char *text);

/** Say something about ranks: to the log and to the journal. */
void psw_commit_remark(struct psw_coordinator *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Tell on_stop; and on_lost.died of the attempt of working rank r, killed for memory or not.
 */
void psw_commit_stop(struct psw_coordinator *c, const char *why);
void psw_commit_died(struct psw_coordinator *c, int32_t r, int for_memory);

/** Tell on_lost.silent of the attempt of working rank r. */
void psw_commit_silent(struct psw_coordinator *c, int32_t r, const char *text);

/** Ask everybody to save themselves; where they were asked in order to grow, that is off. */
void psw_coordinator_stop(struct psw_coordinator *c, const char *why);

/** After a stop, when nothing runs any more: say how long that took, and whether it was to
 * grow. */
void psw_coordinator_tell_saved(struct psw_coordinator *c);

/** Ask attempts whose time is up to save themselves. */
void psw_coordinator_stop_overdue(struct psw_coordinator *c);

/** Ask the attempt of the group of `leader` to save itself: it is stopped early. */
void psw_coordinator_cut_short(struct psw_coordinator *c, int32_t leader);

/** Use ranks that nothing can be handed to: ask the attempt that is worth it to save itself, so
 * that it goes on with more of them; look whether tasks were added. */
void psw_coordinator_use_idle(struct psw_coordinator *c);

/** The run of the group of `leader` has come to a rung. */
void psw_rung_reported(struct psw_coordinator *c, int32_t leader, const struct psw_msg_rung *m);

/** The attempt of the group of `leader` tells how far it is. */
void psw_report_progress(struct psw_coordinator *c, int32_t leader, double done, double total);

/** The group of `leader` is idle again and its task has ended this way. */
void psw_report_end(struct psw_coordinator *c, int32_t leader, const struct psw_msg_report *m);

/** How well the ranks are used: from here, or going on from the call before; an attempt took so
 * long; tell it at the end, or keep it for the call that goes on with added tasks. */
void psw_use_begin(struct psw_coordinator *c);
void psw_use_count(struct psw_coordinator *c, int32_t task, int32_t n_rank, double duration_s);
void psw_use_end(struct psw_coordinator *c);

/** Working rank r was heard of. */
void psw_silence_heard(struct psw_coordinator *c, int32_t r);

/** Tell of ranks at work that are not heard of, and end the job without one that has been
 * silent for too long. To be called often, with no message waiting. */
void psw_silence_look(struct psw_coordinator *c);

/** Tell all ranks, now and then, that the coordinator lives. To be called often. */
void psw_silence_tell(struct psw_coordinator *c);

/** Ranks did not answer: what is told is made safe, and the job ends without them, so that it
 * can be started again. is_dismissed: not their dismissal; else not the request to stop. */
_Noreturn void psw_silence_give_up(struct psw_coordinator *c, int is_dismissed);

/** Leave out the hosts that failed in earlier starts. */
void psw_left_out_begin(struct psw_coordinator *c);

/** The host of working rank r failed, or works: later starts are told of it. */
void psw_left_out_failed(struct psw_coordinator *c, int32_t r, const char *why);
void psw_left_out_works(struct psw_coordinator *c, int32_t r);

/** Working rank r was left out or let in again: so may its host be. */
void psw_left_out_changed(struct psw_coordinator *c, int32_t r);

/** Something was told that a sync makes safe. */
void psw_commit_touch(struct psw_coordinator *c);

/** Make safe what was told. */
void psw_commit_sync(struct psw_coordinator *c);

/** Sync and move the ledger if it is time, or now; 1 if it moved. */
int psw_commit_ends(struct psw_coordinator *c, int now);

/** The tick hook if it is time, or now; a sync, if what was told has waited long for one. */
void psw_commit_tick(struct psw_coordinator *c, int now);

#endif
