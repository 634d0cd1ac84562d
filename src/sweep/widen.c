/* Widening. There is a time T before which all cannot be done: the work that is left over the
 * ranks that do it, and the end of what is under way. Chains of tasks that take longer than T
 * get more ranks, each as few as suffice; that costs work, since twice the ranks are less than
 * twice as fast, and raises T. The least T that pays for itself is found by bisection (dual
 * approximation; Ludwig and Tiwari 1994). While there is work for all ranks no chain takes
 * longer than T, and nothing is widened.
 *
 * Only ranks of one node are taken, and only where seconds are saved: a group has to read the
 * data first. */
#include "widen.h"

#include <math.h>

static const double LEAST_GAIN = 0.1; /* of what it takes unwidened */
/* How long ranks may stay idle for others to come free: of what the task takes on the former.
 */
static const double LONGEST_WAIT = 0.1;
static const double SAFE = 0.8; /* of a prediction, where another task would suffer */
enum { N_BISECTION = 16 };

/* What is left to do. */
struct rest {
    const struct psw_sched_in *in;
    double active_s;     /* until the last task under way is predicted to end */
    double work_rank_s;  /* left, at the ranks asked for */
    double wait_s;       /* how long waiting for ranks is worth it */
    int32_t n_usable;    /* ranks */
    int32_t n_soon;      /* of them: idle, or predicted to be within wait_s */
    int32_t first, n_at; /* in the ledger's order: what may have to be widened */
};

static int32_t most_of(const struct psw_task *task)
{
    return task->n_rank_most > task->n_rank ? task->n_rank_most : task->n_rank;
}

static double own_s(const struct rest *r, int32_t task, int32_t n_rank)
{
    return psw_speed_left_s(r->in->speed, r->in->ledger, task, n_rank);
}

/* The task and what waits for it, if all of it had n_rank ranks. */
static double chain_s(const struct rest *r, int32_t task, int32_t n_rank)
{
    const struct psw_task *t = psw_ledger_task(r->in->ledger, task);
    const double whole_s = psw_speed_predict_s(r->in->speed, t, n_rank);
    const double tail_s =
        t->cost > 0
            ? whole_s * (psw_ledger_chain(r->in->ledger, task) * t->n_rank / t->cost - 1)
            : 0;
    return own_s(r, task, n_rank) + tail_s;
}

static void add_active(struct rest *r)
{

    for (int32_t i = 0; i < r->in->n_rank; i++) {
        const struct psw_sched_rank *rank = &r->in->rank[i];
        if (rank->out) continue;
        r->n_usable++;
        const double left_s = fmax(rank->free_s - r->in->now_s, 0);
        r->n_soon += rank->task < 0 || (left_s > 0 && left_s <= r->wait_s);
        if (rank->task < 0) continue;
        r->work_rank_s += left_s;
        r->active_s = fmax(r->active_s, left_s);
    }
}

/* Time before which not all can be done. */
static double bound_s(const struct rest *r, double work_rank_s)
{
    return fmax(r->active_s, work_rank_s / r->n_usable);
}

/* What is left, or 0 as soon as there is work enough for all ranks while `task` and its chain
 * last. */
static int find_rest(struct rest *r, int32_t task)
{
    const double longest_s = chain_s(r, task, psw_ledger_task(r->in->ledger, task)->n_rank);
    int32_t n_order;
    r->wait_s = LONGEST_WAIT * own_s(r, task, psw_ledger_task(r->in->ledger, task)->n_rank);
    add_active(r);
    const int32_t *order = psw_ledger_order(r->in->ledger, &r->first, &n_order);
    for (int32_t at = r->first; at < n_order; at++) {
        if (bound_s(r, r->work_rank_s) >= longest_s) return 0;
        if (psw_ledger_state(r->in->ledger, order[at]) != PSW_TASK_QUEUED) continue;
        const int32_t n_rank = psw_ledger_task(r->in->ledger, order[at])->n_rank;
        r->work_rank_s += own_s(r, order[at], n_rank) * n_rank;
        r->n_at = at + 1 - r->first;
    }
    return bound_s(r, r->work_rank_s) < longest_s;
}

/* The fewest ranks with which a chain ends by then, else the most. */
static int32_t width_for(const struct rest *r, int32_t task, double by_s)
{
    const struct psw_task *t = psw_ledger_task(r->in->ledger, task);
    int32_t n = t->n_rank;
    while (n < most_of(t) && chain_s(r, task, n) > by_s) n *= 2;
    return n;
}

/* All work, if every chain that is longer than that is widened. */
static double work_by(const struct rest *r, const int32_t *order, double by_s)
{
    double work_rank_s = r->work_rank_s;
    for (int32_t at = r->first; at < r->first + r->n_at; at++) {
        const int32_t t = order[at];
        if (psw_ledger_state(r->in->ledger, t) != PSW_TASK_QUEUED) continue;
        const int32_t asked = psw_ledger_task(r->in->ledger, t)->n_rank;
        if (chain_s(r, t, asked) <= by_s) break; /* as are all that follow, nearly */
        const int32_t n = width_for(r, t, by_s);
        work_rank_s += own_s(r, t, n) * n - own_s(r, t, asked) * asked;
    }
    return work_rank_s;
}

/* The time by which all might be done, with widening. */
static double target_s(const struct rest *r, int32_t task)
{
    int32_t first, n_order;
    const int32_t *order = psw_ledger_order(r->in->ledger, &first, &n_order);
    double low = bound_s(r, r->work_rank_s),
           high = chain_s(r, task, psw_ledger_task(r->in->ledger, task)->n_rank);
    for (int i = 0; i < N_BISECTION; i++) {
        const double by_s = 0.5 * (low + high);
        if (bound_s(r, work_by(r, order, by_s)) <= by_s)
            high = by_s;
        else
            low = by_s;
    }
    return high;
}

/* Nothing that this task depends on is still to be started. */
static int is_soon_ready(const struct psw_ledger *l, int32_t task)
{
    const struct psw_task *t = psw_ledger_task(l, task);
    for (int32_t d = 0; d < t->n_dep; d++)
        if (psw_ledger_state(l, t->dep[d]) == PSW_TASK_QUEUED) return 0;
    return psw_ledger_state(l, task) == PSW_TASK_QUEUED;
}

/* Whether so many ranks for one task make no other wait too long: those that find no idle rank
 * because of it, begun when it has ended, end before it would have unwidened. */
static int delays_nobody(const struct rest *r, int32_t task, int32_t n)
{
    const struct psw_ledger *l = r->in->ledger;
    const int32_t asked = psw_ledger_task(l, task)->n_rank;
    const double by_s = SAFE * chain_s(r, task, asked) - own_s(r, task, n);
    int32_t first, n_order, n_left = r->n_soon - n;
    const int32_t *order = psw_ledger_order(l, &first, &n_order);
    for (int32_t at = first; at < n_order && n_left > asked - n; at++) {
        const int32_t t = order[at];
        if (t == task || !is_soon_ready(l, t)) continue;
        const int32_t n_rank = psw_ledger_task(l, t)->n_rank;
        if ((n_left -= n_rank) < 0 && chain_s(r, t, n_rank) > by_s) return 0;
    }
    return 1;
}

/* The node that is first predicted to have n ranks idle, before limit_s seconds are over, and
 * when; -1: none. Who is overdue ends at no known time. */
static int32_t node_soon(const struct psw_sched_in *in, int32_t n, double limit_s, double *in_s)
{
    int32_t best = -1;
    for (int32_t r = 0; r < in->n_rank; r++) {
        const double at_s = in->rank[r].free_s;
        if (in->rank[r].out || in->rank[r].task < 0 || at_s < in->now_s ||
            at_s - in->now_s >= limit_s)
            continue;
        int32_t n_free = 0;
        for (int32_t q = 0; q < in->n_rank; q++) {
            const struct psw_sched_rank *rank = &in->rank[q];
            if (rank->node != in->rank[r].node || rank->out) continue;
            n_free += rank->task < 0 || (rank->free_s >= in->now_s && rank->free_s <= at_s);
        }
        if (n_free < n) continue;
        best = in->rank[r].node;
        *in_s = limit_s = at_s - in->now_s;
    }
    return best;
}

int psw_widen_pays(const struct psw_sched_in *in, double before_s, double after_s)
{
    const double least_s = in->widen_s > 0 ? in->widen_s : PSW_SCHED_WIDEN_S;
    return before_s - after_s >= fmax(least_s, LEAST_GAIN * before_s);
}

/* The node whose ranks are worth waiting for, or -1. */
static int32_t node_to_wait_for(const struct rest *r, int32_t task, int32_t n_now,
                                int32_t n_wanted)
{
    double in_s = 0;
    if (n_wanted <= n_now) return -1;
    const double now_s = own_s(r, task, n_now);
    const int32_t node =
        node_soon(r->in, n_wanted, fmin(r->wait_s, LONGEST_WAIT * now_s), &in_s);
    return node >= 0 && psw_widen_pays(r->in, now_s, in_s + own_s(r, task, n_wanted)) ? node
                                                                                      : -1;
}

int32_t psw_widen(const struct psw_sched_in *in, int32_t task, int32_t n_idle, int32_t *node)
{
    const struct psw_task *t = psw_ledger_task(in->ledger, task);
    struct rest r = {.in = in};
    *node = -1;
    if (most_of(t) == t->n_rank || !(t->cost > 0) ||
        !(psw_speed_flops_per_s(in->speed, t->kind) > 0) || !find_rest(&r, task))
        return t->n_rank;
    int32_t wanted = width_for(&r, task, target_s(&r, task));
    while (wanted > t->n_rank &&
           !psw_widen_pays(in, own_s(&r, task, wanted / 2), own_s(&r, task, wanted)))
        wanted /= 2;
    while (wanted > t->n_rank && !delays_nobody(&r, task, wanted)) wanted /= 2;
    int32_t n = wanted;
    while (n > t->n_rank && n > n_idle) n /= 2;
    *node = node_to_wait_for(&r, task, n, wanted);
    return n;
}
