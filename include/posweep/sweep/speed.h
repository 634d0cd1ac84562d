/* How long tasks take: predicted FLOPs over the speed of tasks that have finished, by kind and
 * by the number of ranks. */
#ifndef POSWEEP_SWEEP_SPEED_H
#define POSWEEP_SWEEP_SPEED_H

#include <posweep/sweep/ledger.h>

enum { PSW_SPEED_KINDS = 16, PSW_SPEED_WIDTHS = 8 };

/** FLOPs that were done, and in how many seconds; old tasks fade. */
struct psw_speed_seen {
    double flops, s;
};

/** What was learnt. Plain data; all zero = unknown. */
struct psw_speed {
    double prior_flops_per_s; /* of one rank, until something finished; 0 = unknown */
    struct psw_speed_seen kind[PSW_SPEED_KINDS], all; /* seconds of one rank */
    /* seconds of 1, 2, 4, ... ranks together */
    struct psw_speed_seen group[PSW_SPEED_KINDS][PSW_SPEED_WIDTHS];
};

/** Learn from a task that took duration_s on n_rank ranks. */
void psw_speed_learn(struct psw_speed *speed, const struct psw_task *task, int32_t n_rank,
                     double duration_s);

/** FLOP/s per rank for this kind, else over all kinds, else the prior; 0 = unknown. */
double psw_speed_flops_per_s(const struct psw_speed *speed, int32_t kind);

/** Predicted seconds of a task on n_rank ranks: as such tasks were seen on as many, else on the
 *  nearest number, doublings of which are assumed to lose a tenth; 0 if the speed is unknown.
 */
double psw_speed_predict_s(const struct psw_speed *speed, const struct psw_task *task,
                           int32_t n_rank);

/** The same of what is left of a task of the ledger. */
double psw_speed_left_s(const struct psw_speed *speed, const struct psw_ledger *ledger,
                        int32_t task, int32_t n_rank);

#endif
