/* Which task under way is worth stopping, so that it goes on with more ranks. The bits of a run
 * do not depend on its ranks; when all that is left to do is under way, ranks that are idle can
 * still shorten what ends last. Pure: the coordinator, the forecast and the bench ask alike. */
#ifndef POSWEEP_SWEEP_REGROUP_H
#define POSWEEP_SWEEP_REGROUP_H

#include <posweep/sweep/scheduler.h>

/** Seconds between looks for what is worth stopping. */
#define PSW_REGROUP_EVERY_S 0.5

/** The task that is to save itself and go on with more ranks, or -1; to be asked when
 *  psw_schedule_next has nothing to start. It is the one that everything waits for longest; it
 *  gets idle ranks of its node, as few as serve, if that ends the sweep earlier by enough.
 *  Shapes: chosen [2 * in->n_rank]; the first *n_chosen are its ranks then, ascending; the rest
 *          is scratch.
 *  Units:  *left_s: what it takes then from now, the stop and the new beginning included. */
int32_t psw_regroup(const struct psw_sched_in *in, int32_t *chosen, int32_t *n_chosen,
                    double *left_s);

#endif
