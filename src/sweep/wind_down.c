/* Asking everybody to save themselves, and until when they may answer. */
#include "coordinator_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>

/* Kept free between giving up silent ranks and the end of the walltime; and the least patience.
 */
static const double REQUEUE_S = 15, SHORTEST_STOP_S = 5;

void psw_coordinator_stop(struct psw_coordinator *c, const char *why)
{
    if (c->stopping) return;
    c->stopping = 1;
    c->why = why;
    /* In time for whoever requeues the job, but not before anybody could have answered. */
    const double now_s = psw_clock_s();
    const double end_s = c->start_s + c->plan.end_unix_s - c->start_unix_s;
    c->stop_until_s =
        fmin(now_s + c->plan.stop_s, fmax(now_s + SHORTEST_STOP_S, end_s - REQUEUE_S));
    psw_log(PSW_LOG_INFO, "stopping: %s", why);
    psw_commit_stop(c, why);
    psw_commit_sync(c);
    for (int32_t i = 0; i < c->n_rank; i++) {
        if (c->rank[i].task < 0 || !c->active[i].is_leader || c->is_alone) continue;
        const int to = c->first_rank + i;
        c->stop[i] = (struct psw_msg_stop){.task = c->rank[i].task};
        PSW_MPI(MPI_Isend(&c->stop[i], sizeof c->stop[i], MPI_BYTE, to, PSW_TAG_STOP,
                          c->link.control, &c->stop_sent[i]));
    }
}
