/* How well the ranks were used: what attempts took, the chains that they make, and the time of
 * all calls of a start together, where one call goes on with more tasks after another. */
#include "coordinator_internal.h"

#include <posweep/util/clock.h>

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>

static double cpu_s(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0) return 0;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
}

static int by_key(const void *a, const void *b)
{
    const struct psw_sweep_chain *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

void psw_use_begin(struct psw_coordinator *c)
{
    const struct psw_sweep_earlier *e = c->plan.earlier;
    c->team.began_s = c->time.start_s;
    c->team.cpu_before_s = cpu_s();
    if (!e || e->n_started == 0) return;
    c->team.began_s = e->began_s;
    c->team.n_started = e->n_started;
    c->team.use = e->use;
    c->team.cpu_before_s -= e->use.cpu_s;
    c->speed = e->speed;
    c->time.restart_s = e->restart_s;
    for (int32_t t = 0; e->n_chain > 0 && t < psw_ledger_n_task(c->plan.ledger); t++) {
        const struct psw_task *task = psw_ledger_task(c->plan.ledger, t);
        const struct psw_sweep_chain name = {.key = task->key, .kind = task->kind};
        const struct psw_sweep_chain *found =
            bsearch(&name, e->chain, (size_t)e->n_chain, sizeof name, by_key);
        if (found) c->team.chain_s[t] = found->chain_s;
    }
}

void psw_use_count(struct psw_coordinator *c, int32_t index, int32_t n_rank, double duration_s)
{
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, index);
    double *chain_s = &c->team.chain_s[index], before_s = 0;
    for (int32_t d = 0; d < task->n_dep; d++)
        before_s = fmax(before_s, c->team.chain_s[task->dep[d]]);
    *chain_s = fmax(*chain_s, before_s) + duration_s;
    c->team.use.chain_s = fmax(c->team.use.chain_s, *chain_s);
    c->team.use.work_rank_s += duration_s * n_rank;
}

double psw_sweep_use_bound_s(const struct psw_sweep_use *use)
{
    return fmax(use->work_rank_s / use->n_rank, use->chain_s);
}

/* For the call that goes on; without memory for the chains it counts them from there on. */
static void keep(const struct psw_coordinator *c, struct psw_sweep_earlier *e)
{
    const int32_t n_task = psw_ledger_n_task(c->plan.ledger);
    psw_sweep_earlier_clear(e);
    e->began_s = c->team.began_s;
    e->n_started = c->team.n_started;
    e->use = c->team.use;
    e->speed = c->speed;
    e->restart_s = c->time.restart_s;
    e->chain = calloc((size_t)n_task + 1, sizeof *e->chain);
    for (int32_t t = 0; t < n_task && e->chain; t++) {
        const struct psw_task *task = psw_ledger_task(c->plan.ledger, t);
        if (c->team.chain_s[t] > 0)
            e->chain[e->n_chain++] =
                (struct psw_sweep_chain){task->key, task->kind, c->team.chain_s[t]};
    }
    if (e->chain) qsort(e->chain, (size_t)e->n_chain, sizeof *e->chain, by_key);
}

void psw_sweep_earlier_clear(struct psw_sweep_earlier *e)
{
    free(e->chain);
    *e = (struct psw_sweep_earlier){0};
}

void psw_use_end(struct psw_coordinator *c)
{
    struct psw_sweep_use *use = &c->team.use;
    use->makespan_s = psw_clock_s() - c->team.began_s;
    use->cpu_s = c->team.is_alone ? 0 : cpu_s() - c->team.cpu_before_s;
    use->n_rank = c->team.n_rank;
    const int is_left = psw_ledger_count(c->plan.ledger, PSW_TASK_QUEUED) +
                            psw_ledger_count(c->plan.ledger, PSW_TASK_INTERRUPTED) >
                        0;
    if (c->plan.earlier && c->halt.is_to_grow && is_left && c->fatal == PSW_OK) {
        keep(c, c->plan.earlier);
        return;
    }
    if (c->plan.earlier) psw_sweep_earlier_clear(c->plan.earlier);
    if (c->plan.hooks.at_end.over && c->team.n_started > 0 && c->fatal == PSW_OK)
        c->plan.hooks.at_end.over(c->plan.hooks.ctx, use);
}
