/* The health of the ranks: which of them meets trouble of the machine (files it cannot read or
 * write, memory) that others do not, and where a task must not go again.
 *
 * An attempt that meets such trouble is charged to the rank first. When the same task then
 * meets it elsewhere, too, the task is suspected and the charge is taken back; when the task is
 * done elsewhere, the ranks that failed it are charged for good. A rank with PSW_HEALTH_ROW
 * charges and no success in between is left out, but never the last one. A node whose ranks, at
 * least two of them, have PSW_HEALTH_NODE charges together and no success in between is left
 * out whole, but never the last one. Pure data: no MPI, no clock. */
#ifndef POSWEEP_SRC_SWEEP_HEALTH_H
#define POSWEEP_SRC_SWEEP_HEALTH_H

#include <posweep/sweep/scheduler.h>
#include <stdint.h>

enum { PSW_HEALTH_ROW = 3, PSW_HEALTH_NODE = 4 };

struct psw_health {
    int32_t n_rank, n_task;
    int32_t *n_charge;                   /* owned, [n_rank] since its last success */
    uint8_t *is_out;                     /* owned, [n_rank] */
    uint8_t *is_known;                   /* owned, [n_rank] bad from before: stays out */
    int32_t *node;                       /* owned, [n_rank] < n_rank */
    int32_t *n_node_charge;              /* owned, [n_rank] by node, since its last success */
    uint8_t *is_node_out;                /* owned, [n_rank] by node */
    int32_t (*avoid)[PSW_SCHED_AVOIDED]; /* owned, [n_task] ranks, the latest first; -1 none */
    int32_t n_row;                       /* attempts in a row, of all ranks, that met trouble */
};

/** node: [n_rank] ranks with the same number, below n_rank, share a machine.
 *  Owns: the caller clears, also after a failure. Errors: PSW_ENOMEM. */
psw_status psw_health_init(struct psw_health *h, const int32_t *node, int32_t n_rank,
                           int32_t n_task, struct psw_error *err);
void psw_health_clear(struct psw_health *h);

/** Leave a rank out for as long as this start takes. */
void psw_health_leave_out(struct psw_health *h, int32_t rank);

/** An attempt at `task` met trouble on `rank`. */
void psw_health_trouble(struct psw_health *h, int32_t task, int32_t rank);

/** An attempt at `task` was a success (or a result such as divergence) on these ranks. */
void psw_health_success(struct psw_health *h, int32_t task, const int32_t *rank,
                        int32_t n_rank);

/** So many attempts in a row, on all ranks together, have met nothing but trouble that going on
 * is of no use. */
int psw_health_is_hopeless(const struct psw_health *h);

#endif
