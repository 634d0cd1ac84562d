/* A run has come to a rung of the early stopping rule: whoever decides is asked, and the run is
 * asked to save itself if it is to end there. */
#include "coordinator_internal.h"

void psw_rung_reported(struct psw_coordinator *c, int32_t leader, const struct psw_msg_rung *m)
{
    struct psw_error err = {0};
    int stops = 0;
    if (!c->plan.hooks.on_rung || c->fatal != PSW_OK || c->team.rank[leader].task != m->task)
        return;
    psw_commit_touch(c);
    err.code = c->plan.hooks.on_rung(c->plan.hooks.ctx, m->task, m->step_value, &stops, &err);
    if (err.code != PSW_OK) psw_commit_fatal(c, &err);
    if (!stops || c->fatal != PSW_OK) return;
    psw_commit_sync(c);
    psw_coordinator_cut_short(c, leader);
}
