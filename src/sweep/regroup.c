/* Regrouping. Of the tasks under way the one that ends last, with what waits for it, is given
 * twice the ranks, in thought, again and again, each time the one that ends last then, until
 * one cannot have more. If all would end enough earlier so, the first of them is the answer;
 * the others follow when it has begun again.
 *
 * Idle ranks are kept for what can start now or will as soon as something ends. Each task is
 * stopped a few times only, so that wrong predictions cost little. */
#include <posweep/sweep/regroup.h>

#include "widen.h"

#include <math.h>
#include <string.h>

/* As often as ranks can be doubled from one to a shard each, by default. */
enum { MOST_TIMES = 3, MOST_DOUBLED = 64 };

/* Who might have how many ranks. */
struct grouping {
    const struct psw_sched_in *in;
    int32_t *width; /* [n_rank] of the group that a rank leads; 0: it leads none */
    int32_t *idle;  /* [n_rank] of a node, that no group was given */
    int32_t n_idle; /* of all nodes, without those kept for others */
};

static const struct psw_task *task_at(const struct grouping *g, int32_t leader)
{
    return psw_ledger_task(g->in->ledger, g->in->rank[leader].task);
}

/* What waits for the task takes so long after it. */
static double tail_s(const struct grouping *g, int32_t leader)
{
    const struct psw_task *t = task_at(g, leader);
    const double chain = psw_ledger_chain(g->in->ledger, g->in->rank[leader].task);
    if (!(t->cost > 0)) return 0;
    return psw_speed_predict_s(g->in->speed, t, t->n_rank) * (chain * t->n_rank / t->cost - 1);
}

/* Until the task ends, with the ranks that its group has in thought. */
static double own_s(const struct grouping *g, int32_t leader)
{
    const struct psw_sched_rank *rank = &g->in->rank[leader];
    const double left_s = fmax(rank->free_s - g->in->now_s, 0);
    if (g->width[leader] == rank->n_group) return left_s;
    const struct psw_task *t = task_at(g, leader);
    return g->in->restart_s + left_s * psw_speed_predict_s(g->in->speed, t, g->width[leader]) /
                                  psw_speed_predict_s(g->in->speed, t, rank->n_group);
}

static double end_s(const struct grouping *g, int32_t leader)
{
    return own_s(g, leader) + tail_s(g, leader);
}

/* The leader of the group that everything waits for longest; -1: nothing is under way. */
static int32_t last_to_end(const struct grouping *g)
{
    int32_t last = -1;
    double last_s = -1;
    for (int32_t r = 0; r < g->in->n_rank; r++) {
        if (g->width[r] == 0) continue;
        const double s = end_s(g, r);
        if (s > last_s) last = r, last_s = s;
    }
    return last;
}

static void look(struct grouping *g)
{
    memset(g->idle, 0, sizeof *g->idle * (size_t)g->in->n_rank);
    for (int32_t r = 0; r < g->in->n_rank; r++) {
        const struct psw_sched_rank *rank = &g->in->rank[r];
        const int is_idle = rank->task < 0 && !rank->out;
        g->width[r] = rank->task >= 0 ? rank->n_group : 0;
        g->idle[rank->node] += is_idle;
        g->n_idle += is_idle;
    }
}

/* Nothing that task t waits for is still to be started, nor is it this one. */
static int is_next(const struct psw_sched_in *in, int32_t t, int32_t of)
{
    const struct psw_task *task = psw_ledger_task(in->ledger, t);
    for (int32_t d = 0; d < task->n_dep; d++)
        if (task->dep[d] == of || psw_ledger_state(in->ledger, task->dep[d]) == PSW_TASK_QUEUED)
            return 0;
    return psw_ledger_state(in->ledger, t) == PSW_TASK_QUEUED && !(in->alone && in->alone[t]);
}

/* Ranks for whatever starts now or when something else than this task ends. */
static void keep_for_others(struct grouping *g, int32_t task)
{
    int32_t first, n_order;
    const int32_t *order = psw_ledger_order(g->in->ledger, &first, &n_order);
    for (int32_t at = first; at < n_order && g->n_idle > 0; at++) {
        if (!is_next(g->in, order[at], task)) continue;
        if (psw_ledger_is_ready(g->in->ledger, order[at]))
            g->n_idle = 0; /* it waits for them */
        g->n_idle -= psw_ledger_task(g->in->ledger, order[at])->n_rank;
    }
}

/* Who met trouble somewhere keeps its ranks, and so does a suspect. */
static int can_double(const struct grouping *g, int32_t leader)
{
    const struct psw_sched_in *in = g->in;
    const int32_t n = g->width[leader], task = in->rank[leader].task;
    return !in->rank[leader].stays && 2 * n <= task_at(g, leader)->n_rank_most &&
           n <= g->n_idle && n <= g->idle[in->rank[leader].node] &&
           psw_ledger_n_widened(in->ledger, task) < MOST_TIMES &&
           !(in->alone && in->alone[task]) && !(in->avoid && in->avoid[task][0] >= 0) &&
           psw_speed_predict_s(in->speed, task_at(g, leader), n) > 0;
}

static void double_it(struct grouping *g, int32_t leader)
{
    g->idle[g->in->rank[leader].node] -= g->width[leader];
    g->n_idle -= g->width[leader];
    g->width[leader] *= 2;
}

/* The ranks of a group and idle ones beside them; 0: the group is of several nodes. */
static int choose(const struct grouping *g, int32_t leader, int32_t *chosen)
{
    const struct psw_sched_rank *rank = g->in->rank;
    int32_t n = 0, n_more = g->width[leader] - rank[leader].n_group;
    for (int32_t r = 0; r < g->in->n_rank; r++) {
        if (rank[r].node != rank[leader].node) continue;
        const int is_own = rank[r].task == rank[leader].task;
        if (is_own || (rank[r].task < 0 && !rank[r].out && n_more-- > 0)) g->idle[n++] = r;
    }
    if (n != g->width[leader]) return 0;
    memcpy(chosen, g->idle, sizeof *chosen * (size_t)n);
    return 1;
}

/* There is time to save a task and to begin it again. */
static int is_in_time(const struct psw_sched_in *in)
{
    return in->restart_s > 0 && in->n_end == 0 &&
           (isinf(in->until_s) || in->now_s + in->restart_s + in->checkpoint_s <= in->until_s);
}

int32_t psw_regroup(const struct psw_sched_in *in, int32_t *chosen, int32_t *n_chosen,
                    double *left_s)
{
    struct grouping g = {.in = in, .width = chosen, .idle = chosen + in->n_rank};
    if (!is_in_time(in)) return -1;
    look(&g);
    const int32_t leader = g.n_idle > 0 ? last_to_end(&g) : -1;
    if (leader < 0 || !can_double(&g, leader)) return -1;
    const double before_s = end_s(&g, leader);
    keep_for_others(&g, in->rank[leader].task);
    int32_t last = leader;
    for (int i = 0; i < MOST_DOUBLED && can_double(&g, last); i++) {
        double_it(&g, last);
        last = last_to_end(&g);
    }
    /* What it costs is sure, what it saves is not: the cost counts twice. */
    if (!psw_widen_pays(in, before_s, end_s(&g, last) + in->restart_s)) return -1;
    *n_chosen = g.width[leader];
    *left_s = own_s(&g, leader);
    return choose(&g, leader, chosen) ? in->rank[leader].task : -1;
}
