/* The scheduler: a pure function from the state of a sweep to the next assignment.
 *
 * The task at the head of the longest predicted chain goes first. A task that wants more ranks
 * than are idle holds a reservation: others may overtake it only if they are predicted to end
 * before its ranks come free, or use ranks it does not need, so wide tasks do not starve. Ranks
 * of one node go together. A task whose chain would end long after everything else gets more
 * ranks than it asks for, of one node, and may wait a little for them; under way, it gets more
 * by psw_regroup. `plan` and the progress line run the same functions in simulated time. */
#ifndef POSWEEP_SWEEP_SCHEDULER_H
#define POSWEEP_SWEEP_SCHEDULER_H

#include <posweep/sweep/speed.h>

/** One rank that can work. */
struct psw_sched_rank {
    int32_t node;    /* ranks with the same number share a machine; 0 <= node < n_rank */
    int32_t task;    /* what it works on, -1 = idle */
    double free_s;   /* when it is predicted to be idle again, on the clock of now_s */
    int32_t out;     /* 1: gets no work any more */
    int32_t n_group; /* of the first rank of a task: how many it has; of the others 0 */
    int32_t stays;   /* of the first rank: 1, its task cannot save itself and begin again now */
};

enum {
    PSW_SCHED_AVOIDED = 2,
    PSW_SCHED_KEPT = 8,
    PSW_SCHED_WIDEN_S = 10,
    PSW_SCHED_RESTART_S = 5
};

/** The state that decides. All borrowed. */
struct psw_sched_in {
    const struct psw_ledger *ledger;
    const struct psw_speed *speed;
    const struct psw_sched_rank *rank; /* [n_rank] */
    int32_t n_rank;
    double now_s;
    double until_s;      /* when everything must have ended or saved itself; INFINITY = never */
    double checkpoint_s; /* a task can be stopped this long after its start; INFINITY = not */
    double restart_s; /* a task takes to save itself and to begin again; 0 = none is asked to */
    double widen_s;   /* so much more ranks must save at least; 0 = PSW_SCHED_WIDEN_S */
    /* [n_task] ranks on which a task is not started while enough others can work, the one to be
     * avoided most first, -1 = none; another node is preferred to that of the first. NULL:
     * none. */
    const int32_t (*avoid)[PSW_SCHED_AVOIDED];
    /* [n_task] 1: a suspect, started when nothing else can be and nothing runs, and nothing is
     * started beside it. NULL: none. */
    const uint8_t *alone;
    /* Tasks that have ended without the ledger knowing yet: what depends on them comes before
     * any suspect. */
    int32_t n_end;
    /* Of psw_schedule_next, to be left 0: nodes whose idle ranks are kept for a task that
     * waits.
     */
    int32_t n_kept, kept[PSW_SCHED_KEPT];
};

/** The next task to start, or -1 if nothing should start now. Call, apply, call again.
 *  Shapes: chosen [2 * in->n_rank]; the first *n_chosen, which are n_rank to n_rank_most of the
 *          task, are indices into in->rank, ascending; the rest is scratch. */
int32_t psw_schedule_next(const struct psw_sched_in *in, int32_t *chosen, int32_t *n_chosen);

/** Refuse tasks that can never start: PSW_EINVAL, with advice, if one that is not done wants
 * more than n_rank ranks. */
psw_status psw_schedule_check(const struct psw_ledger *ledger, int32_t n_rank,
                              struct psw_error *err);

/** Predicted seconds from now until everything that can be done is done, by simulation.
 *  Units: flops_per_s of in->speed must be known, else NAN is given.
 *  Errors: PSW_ENOMEM. */
psw_status psw_schedule_forecast(const struct psw_sched_in *in, double *remaining_s,
                                 struct psw_error *err);

/** The same for a start from rest on n_rank equal ranks, n_rank_node to a node: what `plan`
 *  prints.
 *  Errors: PSW_EINVAL if a task wants more ranks than there are; PSW_ENOMEM. */
psw_status psw_schedule_makespan(const struct psw_ledger *ledger, int32_t n_rank,
                                 int32_t n_rank_node, double flops_per_s, double *makespan_s,
                                 struct psw_error *err);

#endif
