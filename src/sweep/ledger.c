/* The ledger. Each task keeps the number of its unfinished dependencies, and the reverse edges
 * lie in one array, so a finished task wakes its dependents without a search. */
#include <posweep/sweep/ledger.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const EVENT_NAMES[PSW_N_TASK_EVENTS] = {
    "assigned", "finished",  "broke", "blew up", "stopped", "overran",   "lost",
    "given up", "set aside", "redo",  "blocked", "found",   "cut short", "widened",
};

struct chain {
    double cost;
    int32_t index;
};

struct entry {
    enum psw_task_state state;
    int32_t n_waiting; /* dependencies (each counted once per mention) not done */
    int32_t n_attempt, n_wasted, n_widened;
    int32_t next_ranks; /* of the next attempt; 0: any */
    double done;        /* 0..1 of it */
    int told;           /* its end is in the journal already: not to be told again */
    int32_t first_user; /* into ledger->user */
    int32_t n_user;
    int32_t next_blocked; /* list of tasks ended by a cascade, -1 ends */
    double chain;         /* cost / n_rank along the longest chain from here */
    char *text;           /* owned, NULL if none */
};

struct psw_ledger {
    const struct psw_task *task; /* borrowed */
    int32_t n_task;
    struct entry *entry;    /* owned, [n_task] */
    int32_t *user;          /* owned: who depends on whom, grouped by whom */
    int32_t *stack;         /* owned, [n_task]: scratch of the cascade */
    int32_t *order, *place; /* owned: tasks by chain, and where each stands */
    int32_t n_order, order_first;
    int32_t blocked_head, blocked_tail; /* -1 if empty */
    int32_t count[PSW_N_TASK_STATES];
    int32_t n_queued[31]; /* of them, by the binary logarithm of n_rank */
};

/* "task 3 (name)" for messages. */
static const char *label(const struct psw_ledger *l, int32_t task, char out[128])
{
    const char *name = l->task[task].name;
    snprintf(out, 128, name[0] ? "task %d (%s)" : "task %d", task, name);
    return out;
}

static psw_status check_task(const struct psw_ledger *l, int32_t i, struct psw_error *err)
{
    const struct psw_task *t = &l->task[i];
    char who[128];
    if (t->n_rank < 1 || (t->n_rank & (t->n_rank - 1)))
        return psw_fail(err, PSW_EINVAL, "%s: %d ranks wanted, must be a power of two",
                        label(l, i, who), t->n_rank);
    if (t->n_rank_most < 0 || (t->n_rank_most & (t->n_rank_most - 1)))
        return psw_fail(err, PSW_EINVAL, "%s: at most %d ranks, must be a power of two or 0",
                        label(l, i, who), t->n_rank_most);
    if (!(t->cost >= 0) || isinf(t->cost))
        return psw_fail(err, PSW_EINVAL, "%s: a cost of %g FLOPs", label(l, i, who), t->cost);
    if (t->kind < 0)
        return psw_fail(err, PSW_EINVAL, "%s: kind %d is negative", label(l, i, who), t->kind);
    if (t->n_dep < 0 || t->n_dep > PSW_TASK_DEPS)
        return psw_fail(err, PSW_EINVAL, "%s: %d dependencies, at most %d are possible",
                        label(l, i, who), t->n_dep, PSW_TASK_DEPS);
    for (int32_t d = 0; d < t->n_dep; d++)
        if (t->dep[d] < 0 || t->dep[d] >= l->n_task || t->dep[d] == i)
            return psw_fail(err, PSW_EINVAL, "%s: depends on task %d, which cannot be",
                            label(l, i, who), t->dep[d]);
    return PSW_OK;
}

static int log2_of(int32_t n_rank)
{
    int k = 0;
    while (n_rank >>= 1) k++;
    return k;
}

/* Reverse edges, and how many dependencies each waits for. */
static psw_status link_users(struct psw_ledger *l, struct psw_error *err)
{
    int32_t n_edge = 0;
    for (int32_t i = 0; i < l->n_task; i++)
        for (int32_t d = 0; d < l->task[i].n_dep; d++, n_edge++)
            l->entry[l->task[i].dep[d]].n_user++;
    l->user = calloc((size_t)n_edge + 1, sizeof *l->user);
    if (!l->user) return psw_fail(err, PSW_ENOMEM, "ledger: %d dependencies", n_edge);
    for (int32_t i = 0, at = 0; i < l->n_task; i++) {
        l->entry[i].first_user = at;
        at += l->entry[i].n_user;
        l->entry[i].n_user = 0;
    }
    for (int32_t i = 0; i < l->n_task; i++) {
        l->entry[i].n_waiting = l->task[i].n_dep;
        for (int32_t d = 0; d < l->task[i].n_dep; d++) {
            struct entry *dep = &l->entry[l->task[i].dep[d]];
            l->user[dep->first_user + dep->n_user++] = i;
        }
    }
    return PSW_OK;
}

/* Tasks so that each comes after what it depends on, into l->stack. What never gets free
 * goes in a circle. */
static psw_status sort_by_dependency(struct psw_ledger *l, struct psw_error *err)
{
    int32_t *n_left = l->place, n_sorted = 0;
    for (int32_t i = 0; i < l->n_task; i++) {
        n_left[i] = l->entry[i].n_waiting;
        if (n_left[i] == 0) l->stack[n_sorted++] = i;
    }
    for (int32_t at = 0; at < n_sorted; at++) {
        const struct entry *e = &l->entry[l->stack[at]];
        for (int32_t u = 0; u < e->n_user; u++) {
            const int32_t user = l->user[e->first_user + u];
            if (--n_left[user] == 0) l->stack[n_sorted++] = user;
        }
    }
    l->n_order = n_sorted;
    int32_t stuck = 0;
    while (stuck < l->n_task && n_left[stuck] == 0) stuck++;
    char who[128];
    if (stuck < l->n_task)
        return psw_fail(err, PSW_EINVAL, "%s: its dependencies go in a circle",
                        label(l, stuck, who));
    return PSW_OK;
}

static int by_chain_then_index(const void *a, const void *b)
{
    const struct chain *x = a, *y = b;
    if (x->cost != y->cost) return x->cost > y->cost ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* The order of work: cost along the longest chain that starts at each task. */
static psw_status sort_by_chain(struct psw_ledger *l, struct psw_error *err)
{
    psw_status rc = sort_by_dependency(l, err);
    if (rc != PSW_OK) return rc;
    struct chain *chain = calloc((size_t)l->n_task + 1, sizeof *chain);
    if (!chain) return psw_fail(err, PSW_ENOMEM, "ledger: %d chains", l->n_task);
    for (int32_t at = l->n_order; at-- > 0;) { /* users first */
        const int32_t i = l->stack[at];
        const struct entry *e = &l->entry[i];
        double longest = 0;
        for (int32_t u = 0; u < e->n_user; u++) {
            const double c = chain[l->user[e->first_user + u]].cost;
            if (c > longest) longest = c;
        }
        chain[i].cost = longest + l->task[i].cost / l->task[i].n_rank;
        l->entry[i].chain = chain[i].cost;
    }
    for (int32_t i = 0; i < l->n_task; i++) chain[i].index = i;
    qsort(chain, (size_t)l->n_order, sizeof *chain, by_chain_then_index);
    for (int32_t at = 0; at < l->n_order; at++) {
        l->order[at] = chain[at].index;
        l->place[chain[at].index] = at;
    }
    free(chain);
    return PSW_OK;
}

psw_status psw_ledger_create(const struct psw_task *task, int32_t n_task,
                             struct psw_ledger **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_ledger *l = calloc(1, sizeof *l);
    if (!l) return psw_fail(err, PSW_ENOMEM, "ledger: %zu bytes", sizeof *l);
    l->task = task;
    l->n_task = n_task;
    l->blocked_head = l->blocked_tail = -1;
    l->entry = calloc((size_t)n_task + 1, sizeof *l->entry);
    l->stack = calloc((size_t)n_task + 1, sizeof *l->stack);
    l->order = calloc((size_t)n_task + 1, sizeof *l->order);
    l->place = calloc((size_t)n_task + 1, sizeof *l->place);
    if (!l->entry || !l->stack || !l->order || !l->place) {
        rc = psw_fail(err, PSW_ENOMEM, "ledger: %d tasks", n_task);
        goto fail;
    }
    for (int32_t i = 0; i < n_task; i++) {
        l->entry[i].next_blocked = -1;
        PSW_TRY(check_task(l, i, err));
    }
    for (int32_t i = 0; i < n_task; i++) {
        l->count[PSW_TASK_QUEUED]++;
        l->n_queued[log2_of(task[i].n_rank)]++;
    }
    PSW_TRY(link_users(l, err));
    PSW_TRY(sort_by_chain(l, err));
    *out = l;
    return PSW_OK;
fail:
    psw_ledger_destroy(l);
    return rc;
}

void psw_ledger_destroy(struct psw_ledger *ledger)
{
    if (!ledger) return;
    for (int32_t i = 0; ledger->entry && i < ledger->n_task; i++) free(ledger->entry[i].text);
    free(ledger->entry);
    free(ledger->user);
    free(ledger->stack);
    free(ledger->order);
    free(ledger->place);
    free(ledger);
}

psw_status psw_ledger_clone(const struct psw_ledger *ledger, struct psw_ledger **out,
                            struct psw_error *err)
{
    struct psw_ledger *l = NULL;
    psw_status rc = psw_ledger_create(ledger->task, ledger->n_task, &l, err);
    if (rc != PSW_OK) return rc;
    for (int32_t i = 0; i < l->n_task; i++) {
        l->entry[i].state = ledger->entry[i].state;
        l->entry[i].n_waiting = ledger->entry[i].n_waiting;
        l->entry[i].n_attempt = ledger->entry[i].n_attempt;
        l->entry[i].n_wasted = ledger->entry[i].n_wasted;
        l->entry[i].n_widened = ledger->entry[i].n_widened;
        l->entry[i].next_ranks = ledger->entry[i].next_ranks;
        l->entry[i].done = ledger->entry[i].done;
    }
    memcpy(l->count, ledger->count, sizeof l->count);
    memcpy(l->n_queued, ledger->n_queued, sizeof l->n_queued);
    l->order_first = ledger->order_first;
    *out = l;
    return PSW_OK;
}

static void set_state(struct psw_ledger *l, int32_t task, enum psw_task_state state)
{
    const int width = log2_of(l->task[task].n_rank);
    l->n_queued[width] +=
        (state == PSW_TASK_QUEUED) - (l->entry[task].state == PSW_TASK_QUEUED);
    l->count[l->entry[task].state]--;
    l->count[state]++;
    l->entry[task].state = state;
    if (state == PSW_TASK_QUEUED && l->place[task] < l->order_first)
        l->order_first = l->place[task];
    while (l->order_first < l->n_order &&
           l->entry[l->order[l->order_first]].state != PSW_TASK_QUEUED)
        l->order_first++;
}

/* Losing the message for want of memory is better than losing the sweep. */
static void set_text(struct psw_ledger *l, int32_t task, const char *text)
{
    free(l->entry[task].text);
    l->entry[task].text = text && text[0] ? strdup(text) : NULL;
}

/* Users wait for one dependency less, or one more. */
static void tell_users(struct psw_ledger *l, int32_t task, int32_t change)
{
    const struct entry *e = &l->entry[task];
    for (int32_t u = 0; u < e->n_user; u++)
        l->entry[l->user[e->first_user + u]].n_waiting += change;
}

static void block_one(struct psw_ledger *l, int32_t task, int32_t culprit)
{
    char who[128], text[PSW_ERROR_TEXT_BYTES];
    const enum psw_task_state how = l->entry[culprit].state;
    snprintf(text, sizeof text, "needs %s, which %s%s%s", label(l, culprit, who),
             how == PSW_TASK_DIVERGED ? "diverged" : "failed",
             l->entry[culprit].text ? ": " : "",
             l->entry[culprit].text ? l->entry[culprit].text : "");
    set_state(l, task, how);
    set_text(l, task, text);
    if (l->blocked_tail >= 0)
        l->entry[l->blocked_tail].next_blocked = task;
    else
        l->blocked_head = task;
    l->blocked_tail = task;
}

/* Everything that depends on the culprit, directly or not, ends as it did: failed, or diverged
 * with it. The message names the culprit itself at every depth. */
static void block_users(struct psw_ledger *l, int32_t culprit)
{
    const enum psw_task_event event =
        l->entry[culprit].state == PSW_TASK_DIVERGED ? PSW_TASK_BLEW_UP : PSW_TASK_BLOCKED;
    int32_t n_top = 0;
    l->stack[n_top++] = culprit;
    while (n_top > 0) {
        const struct entry *e = &l->entry[l->stack[--n_top]];
        for (int32_t u = 0; u < e->n_user; u++) {
            const int32_t user = l->user[e->first_user + u];
            if (psw_task_move(l->entry[user].state, event) < 0) continue;
            block_one(l, user, culprit);
            l->stack[n_top++] = user;
        }
    }
}

psw_status psw_ledger_apply(struct psw_ledger *l, int32_t task, enum psw_task_event event,
                            const char *text, struct psw_error *err)
{
    char who[128];
    PSW_ASSERT(task >= 0 && task < l->n_task);
    const int to = psw_task_move(l->entry[task].state, event);
    if (to < 0 || (event == PSW_TASK_ASSIGNED && l->entry[task].n_waiting > 0))
        return psw_fail(err, PSW_EINTERNAL, "%s is %s and cannot be \"%s\"",
                        label(l, task, who), psw_task_state_name(l->entry[task].state),
                        EVENT_NAMES[event]);
    set_state(l, task, (enum psw_task_state)to);
    if (event == PSW_TASK_ASSIGNED) {
        l->entry[task].n_attempt++;
        l->entry[task].next_ranks = 0;
    }
    l->entry[task].n_widened += event == PSW_TASK_WIDENED;
    if (event == PSW_TASK_LOST || event == PSW_TASK_GIVEN_UP) l->entry[task].n_wasted++;
    if (event == PSW_TASK_STOPPED || event == PSW_TASK_SET_ASIDE || event == PSW_TASK_WIDENED)
        l->entry[task].n_wasted = 0;
    set_text(l, task, text);
    if (to == PSW_TASK_DONE) tell_users(l, task, -1);
    if (event == PSW_TASK_REDO) tell_users(l, task, 1);
    if (to == PSW_TASK_FAILED || to == PSW_TASK_DIVERGED) block_users(l, task);
    return PSW_OK;
}

psw_status psw_ledger_restore(struct psw_ledger *l, int32_t task,
                              const struct psw_task_past *past, struct psw_error *err)
{
    static const int EVENT_OF[PSW_N_TASK_STATES] = {
        [PSW_TASK_QUEUED] = -1,
        [PSW_TASK_ACTIVE] = -1,
        [PSW_TASK_INTERRUPTED] = -1,
        [PSW_TASK_DONE] = PSW_TASK_FOUND,
        [PSW_TASK_FAILED] = PSW_TASK_BROKE,
        [PSW_TASK_DIVERGED] = PSW_TASK_BLEW_UP,
        [PSW_TASK_TIMED_OUT] = PSW_TASK_OVERRAN,
        [PSW_TASK_CENSORED] = PSW_TASK_CUT_SHORT,
    };
    char who[128];
    PSW_ASSERT(task >= 0 && task < l->n_task && (unsigned)past->state < PSW_N_TASK_STATES);
    struct entry *e = &l->entry[task];
    if (e->told || e->n_attempt > 0 || e->state == PSW_TASK_DONE)
        return psw_fail(err, PSW_EINVAL, "%s is %s: its past cannot be restored",
                        label(l, task, who), psw_task_state_name(e->state));
    e->n_attempt = past->n_attempt;
    e->n_wasted = past->n_wasted + (past->state == PSW_TASK_ACTIVE);
    if (EVENT_OF[past->state] < 0) {
        set_text(l, task, past->text);
        return PSW_OK;
    }
    e->told = 1;
    /* Blocked by something restored before: that says it all. */
    if (e->state != PSW_TASK_QUEUED && past->state != PSW_TASK_DONE) return PSW_OK;
    return psw_ledger_apply(l, task, (enum psw_task_event)EVENT_OF[past->state], past->text,
                            err);
}

int32_t psw_ledger_next_blocked(struct psw_ledger *l)
{
    while (l->blocked_head >= 0) {
        const int32_t task = l->blocked_head;
        l->blocked_head = l->entry[task].next_blocked;
        if (l->blocked_head < 0) l->blocked_tail = -1;
        l->entry[task].next_blocked = -1;
        if (!l->entry[task].told) return task;
    }
    return -1;
}

int32_t psw_ledger_n_task(const struct psw_ledger *l)
{
    return l->n_task;
}

const struct psw_task *psw_ledger_task(const struct psw_ledger *l, int32_t task)
{
    return &l->task[task];
}

enum psw_task_state psw_ledger_state(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].state;
}

const char *psw_ledger_text(const struct psw_ledger *l, int32_t task)
{
    const char *text = l->entry[task].text;
    return text ? text : "";
}

int32_t psw_ledger_n_attempt(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].n_attempt;
}

int32_t psw_ledger_n_wasted(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].n_wasted;
}

void psw_ledger_resume(struct psw_ledger *l, int32_t task, double done, int32_t n_rank)
{
    l->entry[task].done = done;
    l->entry[task].next_ranks = n_rank;
}

double psw_ledger_left(const struct psw_ledger *l, int32_t task)
{
    return 1 - l->entry[task].done;
}

int32_t psw_ledger_next_ranks(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].next_ranks;
}

int32_t psw_ledger_n_widened(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].n_widened;
}

int psw_ledger_is_ready(const struct psw_ledger *l, int32_t task)
{
    const struct entry *e = &l->entry[task];
    return e->state == PSW_TASK_QUEUED && e->n_waiting == 0;
}

const int32_t *psw_ledger_order(const struct psw_ledger *l, int32_t *first, int32_t *n_order)
{
    *first = l->order_first;
    *n_order = l->n_order;
    return l->order;
}

double psw_ledger_chain(const struct psw_ledger *l, int32_t task)
{
    return l->entry[task].chain;
}

int32_t psw_ledger_count(const struct psw_ledger *l, enum psw_task_state state)
{
    return l->count[state];
}

int32_t psw_ledger_fewest_ranks(const struct psw_ledger *l)
{
    for (int k = 0; k < (int)(sizeof l->n_queued / sizeof *l->n_queued); k++)
        if (l->n_queued[k] > 0) return (int32_t)1 << k;
    return INT32_MAX;
}

size_t psw_ledger_bytes(const struct psw_ledger *l)
{
    size_t n_edge = 0;
    for (int32_t i = 0; i < l->n_task; i++) n_edge += (size_t)l->entry[i].n_user;
    return sizeof *l +
           (size_t)l->n_task *
               (sizeof *l->entry + sizeof *l->stack + sizeof *l->order + sizeof *l->place) +
           n_edge * sizeof *l->user;
}
