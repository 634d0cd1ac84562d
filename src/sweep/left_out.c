/* Hosts that get no work: those that failed in earlier starts, as long as the others are enough
 * for every task; and what later starts are to know of this one. A host has failed when all its
 * ranks that work are left out, or one of them hung; it works again when a task succeeds there.
 */
#include "coordinator_internal.h"

#include <stdio.h>
#include <string.h>

static const char *host_of(const struct psw_coordinator *c, int32_t r)
{
    return c->link.roster.host[c->team.first_rank + r];
}

static int is_first_of_host(const struct psw_coordinator *c, int32_t r)
{
    for (int32_t i = 0; i < r; i++)
        if (strcmp(host_of(c, i), host_of(c, r)) == 0) return 0;
    return 1;
}

static int32_t widest_task(const struct psw_ledger *ledger)
{
    int32_t widest = 1;
    for (int32_t t = 0; t < psw_ledger_n_task(ledger); t++)
        if (psw_ledger_state(ledger, t) == PSW_TASK_QUEUED &&
            psw_ledger_task(ledger, t)->n_rank > widest)
            widest = psw_ledger_task(ledger, t)->n_rank;
    return widest;
}

/* Why later starts were told to leave out the host of working rank r; "": that is forgotten;
 * NULL: they were not. */
static const char *known(const struct psw_coordinator *c, int32_t r)
{
    return c->plan.hooks.on_lost.known(c->plan.hooks.ctx, host_of(c, r));
}

void psw_left_out_begin(struct psw_coordinator *c)
{
    int32_t n_left = c->team.n_rank, n_host = 0;
    if (c->team.is_alone || !c->plan.hooks.on_lost.known) return;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        const char *why = known(c, r);
        c->lost.is_told[r] = why != NULL;
        n_left -= why && why[0];
    }
    if (n_left == c->team.n_rank) return;
    for (int32_t r = 0; r < c->team.n_rank; r++) n_host += is_first_of_host(c, r);
    const int is_enough = n_left >= widest_task(c->plan.ledger);
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        const char *why = known(c, r);
        if (!why || !why[0]) continue;
        if (is_enough) {
            psw_health_leave_out(&c->health, r);
            c->team.rank[r].out = 1;
        }
        if (!is_first_of_host(c, r) || n_host == 1) continue;
        psw_commit_remark(c, "%s %s: %.600s (limits.left_out_s)", host_of(c, r),
                          is_enough ? "is left out, for what an earlier start met"
                                    : "failed in an earlier start, but gets work: the others "
                                      "are too few",
                          why);
    }
}

static void tell(struct psw_coordinator *c, int32_t r, const char *why)
{
    if (!c->plan.hooks.on_lost.host || c->fatal != PSW_OK) return;
    struct psw_error err = {0};
    psw_commit_touch(c);
    if (c->plan.hooks.on_lost.host(c->plan.hooks.ctx, host_of(c, r), why, &err) != PSW_OK)
        psw_commit_fatal(c, &err);
    for (int32_t i = 0; i < c->team.n_rank; i++)
        if (strcmp(host_of(c, i), host_of(c, r)) == 0) c->lost.is_told[i] = why[0] != 0;
}

void psw_left_out_failed(struct psw_coordinator *c, int32_t r, const char *why)
{
    if (!c->lost.is_told[r]) tell(c, r, why);
}

void psw_left_out_works(struct psw_coordinator *c, int32_t r)
{
    if (c->lost.is_told[r]) tell(c, r, "");
}

void psw_left_out_changed(struct psw_coordinator *c, int32_t r)
{
    char why[PSW_ERROR_TEXT_BYTES];
    int32_t n = 0, n_task = 0;
    for (int32_t i = 0; i < c->team.n_rank; i++) {
        if (strcmp(host_of(c, i), host_of(c, r)) != 0) continue;
        if (!c->team.rank[i].out) {
            psw_left_out_works(c, r);
            return;
        }
        n_task += c->health.n_charge[i];
        n++;
    }
    snprintf(why, sizeof why,
             "%d task%s in a row met trouble on its %d rank%s; the last: %.600s", n_task,
             n_task == 1 ? "" : "s", n, n == 1 ? "" : "s", c->lost.trouble);
    psw_left_out_failed(c, r, why);
}
