/* How many ranks a task gets that may start: more than it asks for, if it would end long after
 * everything else otherwise. The bits of a run do not depend on its ranks. */
#ifndef PSW_SWEEP_WIDEN_H
#define PSW_SWEEP_WIDEN_H

#include <posweep/sweep/scheduler.h>

/** Ranks for a ready task, on a node of which n_idle can have it: a power of two, at least its
 *  n_rank. *node: it had better wait until more ranks of this node come free; -1: it had not.
 */
int32_t psw_widen(const struct psw_sched_in *in, int32_t task, int32_t n_idle, int32_t *node);

/** Whether more ranks save enough, if it takes so long without them and with them. */
int psw_widen_pays(const struct psw_sched_in *in, double before_s, double after_s);

#endif
