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
    if (c->halt.is_on) return;
    c->halt.is_on = 1;
    c->halt.why = why;
    /* In time for whoever requeues the job, but not before anybody could have answered. */
    const double now_s = psw_clock_s();
    const double end_s = c->time.start_s + c->plan.end_unix_s - c->time.start_unix_s;
    c->halt.until_s =
        fmin(now_s + c->plan.stop_s, fmax(now_s + SHORTEST_STOP_S, end_s - REQUEUE_S));
    psw_log(PSW_LOG_INFO, "stopping: %s", why);
    psw_commit_stop(c, why);
    psw_commit_sync(c);
    for (int32_t i = 0; i < c->team.n_rank; i++) {
        if (c->team.rank[i].task < 0 || !c->team.active[i].is_leader || c->team.is_alone)
            continue;
        const int to = c->team.first_rank + i;
        c->halt.message[i] = (struct psw_msg_stop){.task = c->team.rank[i].task};
        PSW_MPI(MPI_Isend(&c->halt.message[i], sizeof c->halt.message[i], MPI_BYTE, to,
                          PSW_TAG_STOP, c->link.control, &c->halt.sent[i]));
    }
}
