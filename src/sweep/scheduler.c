/* The scheduler. Ready tasks are tried in the ledger's order (costliest chain first). The first
 * that does not fit on the idle ranks gets a reservation: the moment when enough ranks are
 * predicted to be idle, and how many are left over then. What comes after it may start only if
 * it cannot delay that moment (EASY backfilling, Lifka 1995). */
#include "widen.h"

#include <posweep/sweep/regroup.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Ranks promised to a task that has to wait. */
struct reservation {
    int32_t task;    /* -1 = none */
    double start_s;  /* when enough ranks are predicted to be idle */
    int32_t n_spare; /* idle ranks that it will not need then */
};

static int is_idle(const struct psw_sched_in *in, int32_t r)
{
    for (int i = 0; i < in->n_kept; i++)
        if (in->kept[i] == in->rank[r].node) return 0;
    return in->rank[r].task < 0 && !in->rank[r].out;
}

static int32_t n_idle(const struct psw_sched_in *in)
{
    int32_t n = 0;
    for (int32_t r = 0; r < in->n_rank; r++) n += is_idle(in, r);
    return n;
}

static int32_t n_usable(const struct psw_sched_in *in)
{
    int32_t n = 0;
    for (int32_t r = 0; r < in->n_rank; r++) n += !in->rank[r].out;
    return n;
}

/* Predicted end of what rank r does; never in the past, as an overdue task ends at some time
 * that nobody knows. */
static double free_s(const struct psw_sched_in *in, int32_t r)
{
    if (in->rank[r].out) return INFINITY;
    if (in->rank[r].task < 0) return in->now_s;
    return fmax(in->rank[r].free_s, in->now_s);
}

/* The earliest moment at which `wanted` ranks are idle, and what is spare at that moment. */
static struct reservation reserve(const struct psw_sched_in *in, int32_t task)
{
    const int32_t wanted = psw_ledger_task(in->ledger, task)->n_rank;
    struct reservation best = {.task = task, .start_s = INFINITY};
    for (int32_t r = 0; r < in->n_rank; r++) {
        const double at_s = free_s(in, r);
        if (at_s >= best.start_s) continue;
        int32_t n = 0;
        for (int32_t q = 0; q < in->n_rank; q++) n += free_s(in, q) <= at_s;
        if (n >= wanted) best = (struct reservation){task, at_s, n - wanted};
    }
    return best;
}

/* May this task start now without a kept promise or the end of the walltime in its way? */
static int may_start(const struct psw_sched_in *in, int32_t index,
                     const struct reservation *held)
{
    const struct psw_task *task = psw_ledger_task(in->ledger, index);
    const double predicted_s = psw_speed_left_s(in->speed, in->ledger, index, task->n_rank);
    const int known = psw_speed_flops_per_s(in->speed, task->kind) > 0;
    const double needed_s = known ? fmin(predicted_s, in->checkpoint_s) : in->checkpoint_s;
    if (isfinite(in->until_s) && in->now_s + needed_s > in->until_s) return 0;
    if (held->task < 0 || task->n_rank <= held->n_spare) return 1;
    return known && in->now_s + predicted_s <= held->start_s && held->start_s > in->now_s;
}

/* How many of the ranks to be avoided a task can do without. */
static int n_avoided(const struct psw_sched_in *in, int32_t task)
{
    int32_t n_left = n_usable(in) - psw_ledger_task(in->ledger, task)->n_rank;
    int n = 0;
    while (in->avoid && n < PSW_SCHED_AVOIDED && in->avoid[task][n] >= 0 &&
           (n_left -= !in->rank[in->avoid[task][n]].out) >= 0)
        n++;
    return n;
}

static int is_avoided(const struct psw_sched_in *in, int32_t task, int n, int32_t rank)
{
    for (int i = 0; i < n; i++)
        if (in->avoid[task][i] == rank) return 1;
    return 0;
}

/* Of the idle ranks, those that may have this task. */
static int32_t n_idle_for(const struct psw_sched_in *in, int32_t task, int32_t n_idle_all)
{
    if (!in->avoid || in->avoid[task][0] < 0) return n_idle_all;
    int32_t n = 0;
    const int n_avoid = n_avoided(in, task);
    for (int32_t r = 0; r < in->n_rank; r++)
        n += is_idle(in, r) && !is_avoided(in, task, n_avoid, r);
    return n;
}

static int ascending(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

/* The fullest node that holds all of them, else the emptiest nodes first: ranks of one node go
 * together, and large holes are kept for wide tasks. */
static void choose_ranks(const struct psw_sched_in *in, int32_t task, int32_t wanted,
                         int32_t *chosen)
{
    const int n_avoid = n_avoided(in, task);
    int32_t *idle = chosen + in->n_rank, n_chosen = 0, n = 0; /* idle ranks per node, and all */
    memset(idle, 0, sizeof *idle * (size_t)in->n_rank);
    for (int32_t r = 0; r < in->n_rank; r++)
        if (is_idle(in, r) && !is_avoided(in, task, n_avoid, r)) {
            idle[in->rank[r].node]++;
            n++;
        }
    if (n_avoid > 0) { /* another node, if it can be */
        int32_t *there = &idle[in->rank[in->avoid[task][0]].node];
        if (n - *there >= wanted) *there = 0;
    }
    while (n_chosen < wanted) {
        const int32_t n_left = wanted - n_chosen;
        int32_t best = -1;
        for (int32_t node = 0; node < in->n_rank; node++) {
            if (idle[node] == 0) continue;
            const int fits = idle[node] >= n_left,
                      best_fits = best >= 0 && idle[best] >= n_left;
            if (best < 0 || (fits && (!best_fits || idle[node] < idle[best])) ||
                (!best_fits && idle[node] > idle[best]))
                best = node;
        }
        PSW_ASSERT(best >= 0);
        idle[best] = 0;
        for (int32_t r = 0; r < in->n_rank && n_chosen < wanted; r++)
            if (is_idle(in, r) && in->rank[r].node == best && !is_avoided(in, task, n_avoid, r))
                chosen[n_chosen++] = r;
    }
    qsort(chosen, (size_t)wanted, sizeof *chosen, ascending);
}

/* The most idle ranks of one node that may have this task. idle: scratch [n_rank]. */
static int32_t n_idle_together(const struct psw_sched_in *in, int32_t task, int32_t *idle)
{
    const int n_avoid = n_avoided(in, task);
    int32_t most = 0;
    memset(idle, 0, sizeof *idle * (size_t)in->n_rank);
    for (int32_t r = 0; r < in->n_rank; r++) {
        if (!is_idle(in, r) || is_avoided(in, task, n_avoid, r)) continue;
        const int32_t n = ++idle[in->rank[r].node];
        if (n > most) most = n;
    }
    return most;
}

/* How many ranks a task gets; 0: it waits for more, and their node is kept for it. Beside a
 * promise, and alone, a task gets what it asks for. */
static int32_t width_of(struct psw_sched_in *in, int32_t task, const struct reservation *held,
                        int32_t *scratch)
{
    int32_t node = -1;
    if (held->task >= 0 || (in->alone && in->alone[task]))
        return psw_ledger_task(in->ledger, task)->n_rank;
    const int32_t n_there = n_idle_together(in, task, scratch);
    int32_t n = psw_ledger_next_ranks(in->ledger, task);
    if (n > 0) { /* others may have taken some in the meantime */
        const int32_t asked = psw_ledger_task(in->ledger, task)->n_rank;
        while (n > asked && n > n_there) n /= 2;
        return n;
    }
    n = psw_widen(in, task, n_there, &node);
    if (node < 0 || in->n_kept == PSW_SCHED_KEPT) return n;
    in->kept[in->n_kept++] = node;
    return 0;
}

/* The first task in the ledger's order that may start, of the suspects or of the others. */
static int32_t next_of(const struct psw_sched_in *given, int alone, int32_t *chosen,
                       int32_t *n_chosen)
{
    struct psw_sched_in copy = *given, *in = &copy;
    struct reservation held = {.task = -1};
    int32_t first, n_order, idle = n_idle(in);
    const int32_t *order = psw_ledger_order(in->ledger, &first, &n_order);
    for (int32_t at = first; at < n_order; at++) {
        const int32_t t = order[at];
        if (!psw_ledger_is_ready(in->ledger, t) || (in->alone && in->alone[t]) != alone)
            continue;
        const struct psw_task *task = psw_ledger_task(in->ledger, t);
        if (task->n_rank > n_idle_for(in, t, idle)) {
            if (task->n_rank > idle && held.task < 0 && task->n_rank <= n_usable(in))
                held = reserve(in, t); /* one that only avoids an idle rank delays nobody */
            continue;
        }
        if (!may_start(in, t, &held)) continue;
        *n_chosen = width_of(in, t, &held, chosen + in->n_rank);
        if (*n_chosen == 0) {
            idle = n_idle(in);
            continue;
        }
        choose_ranks(in, t, *n_chosen, chosen);
        return t;
    }
    return -1;
}

int32_t psw_schedule_next(const struct psw_sched_in *in, int32_t *chosen, int32_t *n_chosen)
{
    int is_quiet = in->n_end == 0;
    /* idle may never be 0 */
    if (n_idle(in) < psw_ledger_fewest_ranks(in->ledger)) return -1;
    for (int32_t r = 0; r < in->n_rank; r++) {
        const int32_t t = in->rank[r].task;
        is_quiet &= t < 0;
        if (t >= 0 && in->alone && in->alone[t]) return -1;
    }
    const int32_t t = next_of(in, 0, chosen, n_chosen);
    return t < 0 && in->alone && is_quiet ? next_of(in, 1, chosen, n_chosen) : t;
}

/* A sweep in simulated time. */
struct simulation {
    struct psw_ledger *ledger;   /* owned */
    struct psw_sched_rank *rank; /* owned, [n_rank] */
    int32_t *chosen;             /* owned, [n_rank] */
    struct psw_sched_in in;
};

static void simulation_clear(struct simulation *sim)
{
    psw_ledger_destroy(sim->ledger);
    free(sim->rank);
    free(sim->chosen);
}

static psw_status simulation_init(struct simulation *sim, const struct psw_sched_in *in,
                                  struct psw_error *err)
{
    *sim = (struct simulation){.in = *in};
    psw_status rc = psw_ledger_clone(in->ledger, &sim->ledger, err);
    if (rc != PSW_OK) return rc;
    sim->rank = calloc((size_t)in->n_rank + 1, sizeof *sim->rank);
    sim->chosen = calloc(2 * (size_t)in->n_rank + 1, sizeof *sim->chosen);
    if (!sim->rank || !sim->chosen) {
        simulation_clear(sim);
        return psw_fail(err, PSW_ENOMEM, "forecast over %d ranks", in->n_rank);
    }
    memcpy(sim->rank, in->rank, sizeof *in->rank * (size_t)in->n_rank);
    sim->in.ledger = sim->ledger;
    sim->in.rank = sim->rank;
    for (int32_t r = 0; r < in->n_rank; r++) sim->rank[r].stays = 0; /* soon it can */
    sim->in.until_s = INFINITY; /* what is left for the next start counts, too */
    sim->in.n_end = 0;
    return PSW_OK;
}

/* From now on the chosen ranks have the task. */
static psw_status assign(struct simulation *sim, int32_t task, int32_t n, double takes_s,
                         struct psw_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        struct psw_sched_rank *rank = &sim->rank[sim->chosen[i]];
        rank->task = task;
        rank->free_s = sim->in.now_s + takes_s;
        rank->n_group = i == 0 ? n : 0;
    }
    return psw_ledger_apply(sim->ledger, task, PSW_TASK_ASSIGNED, NULL, err);
}

/* Start whatever can start at this moment, and give more ranks to what goes on. */
static psw_status start_tasks(struct simulation *sim, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    double s = 0;
    for (int32_t t, n; rc == PSW_OK && (t = psw_schedule_next(&sim->in, sim->chosen, &n)) >= 0;)
        rc = assign(sim, t, n, psw_speed_left_s(sim->in.speed, sim->ledger, t, n), err);
    for (int32_t t, n; rc == PSW_OK && (t = psw_regroup(&sim->in, sim->chosen, &n, &s)) >= 0;) {
        rc = psw_ledger_apply(sim->ledger, t, PSW_TASK_WIDENED, NULL, err);
        if (rc == PSW_OK) rc = assign(sim, t, n, s, err);
    }
    return rc;
}

/* Let time pass until the next task ends; 0 when none is active. */
static int end_tasks(struct simulation *sim, psw_status *rc, struct psw_error *err)
{
    double next_s = INFINITY;
    for (int32_t r = 0; r < sim->in.n_rank; r++)
        if (sim->rank[r].task >= 0) next_s = fmin(next_s, sim->rank[r].free_s);
    if (isinf(next_s)) return 0;
    sim->in.now_s = fmax(sim->in.now_s, next_s);
    for (int32_t r = 0; r < sim->in.n_rank && *rc == PSW_OK; r++) {
        const int32_t t = sim->rank[r].task;
        if (t < 0 || sim->rank[r].free_s > sim->in.now_s) continue;
        sim->rank[r].task = -1;
        if (psw_ledger_state(sim->ledger, t) == PSW_TASK_ACTIVE)
            *rc = psw_ledger_apply(sim->ledger, t, PSW_TASK_FINISHED, NULL, err);
    }
    return *rc == PSW_OK;
}

psw_status psw_schedule_forecast(const struct psw_sched_in *in, double *remaining_s,
                                 struct psw_error *err)
{
    if (!(psw_speed_flops_per_s(in->speed, -1) > 0)) {
        *remaining_s = NAN;
        return PSW_OK;
    }
    struct simulation sim;
    psw_status rc = simulation_init(&sim, in, err);
    if (rc != PSW_OK) return rc;
    do rc = start_tasks(&sim, err);
    while (rc == PSW_OK && end_tasks(&sim, &rc, err));
    if (rc == PSW_OK) *remaining_s = sim.in.now_s - in->now_s;
    simulation_clear(&sim);
    return rc;
}

psw_status psw_schedule_check(const struct psw_ledger *ledger, int32_t n_rank,
                              struct psw_error *err)
{
    for (int32_t i = 0; i < psw_ledger_n_task(ledger); i++) {
        const struct psw_task *task = psw_ledger_task(ledger, i);
        const enum psw_task_state state = psw_ledger_state(ledger, i);
        if (task->n_rank > n_rank && state != PSW_TASK_DONE)
            return psw_fail(err, PSW_EINVAL,
                            "task %d (%s) asks for %d ranks, but only %d can work; start with "
                            "mpirun -n %d or more (one rank coordinates), or lower "
                            "limits.ranks_per_run (--ranks-per-run)",
                            i, task->name, task->n_rank, n_rank, task->n_rank + 1);
    }
    return PSW_OK;
}

psw_status psw_schedule_makespan(const struct psw_ledger *ledger, int32_t n_rank,
                                 int32_t n_rank_node, double flops_per_s, double *makespan_s,
                                 struct psw_error *err)
{
    psw_status rc = psw_schedule_check(ledger, n_rank, err);
    if (rc != PSW_OK) return rc;
    struct psw_sched_rank *rank = calloc((size_t)n_rank + 1, sizeof *rank);
    if (!rank) return psw_fail(err, PSW_ENOMEM, "makespan of %d ranks", n_rank);
    for (int32_t r = 0; r < n_rank; r++)
        rank[r] = (struct psw_sched_rank){.node = r / n_rank_node, .task = -1};
    const struct psw_speed speed = {.prior_flops_per_s = flops_per_s};
    const struct psw_sched_in in = {.ledger = ledger,
                                    .speed = &speed,
                                    .rank = rank,
                                    .n_rank = n_rank,
                                    .until_s = INFINITY,
                                    .checkpoint_s = INFINITY,
                                    .restart_s = PSW_SCHED_RESTART_S};
    rc = psw_schedule_forecast(&in, makespan_s, err);
    free(rank);
    return rc;
}
