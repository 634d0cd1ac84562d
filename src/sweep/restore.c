/* What earlier starts left in the journal about tasks that had not ended: how often they were
 * begun, whether they are to blame for the deaths of jobs, and where they had got to. */
#include "fault.h"
#include "run_internal.h"

#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Attempts lost together with the whole job (kills, node failures) say little about the run;
 * two in a row without an advance are enough to look at it alone. */
enum { LOST_PER_WASTED = 10, SUSPECT_LOST = 2 };

/* A task that was begun by earlier starts. */
struct begun {
    uint64_t name;
    int32_t task, n_attempt;
    int32_t seen;           /* attempt whose beginning was found last */
    int64_t last_at;        /* entry that tells how its rank was lost; -1: none */
    int64_t progress_at;    /* entry of its latest progress; -1: none */
    double start_s, used_s; /* of the latest attempt; time of all since the last timeout */
    double attempt_s;       /* of the latest, so far */
};

/* Of those that were lost. */
struct begun_list {
    struct begun *item; /* [n_task] owned */
    size_t n;
};

uint64_t psw_recorder_name(const struct psw_recorder *k, int32_t task)
{
    const struct psw_task *t = &k->plan.task[task];
    return psw_stage_is_shared((enum psw_stage_kind)t->kind) ? t->key
                                                             : k->sweep->run[t->run].hash;
}

static int by_name(const void *a, const void *b)
{
    const struct begun *x = a, *y = b;
    return x->name < y->name ? -1 : x->name > y->name;
}

/* The share that a record of progress tells, or -1. */
static double share_at(const struct psw_recorder *k, int64_t i)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(k->journal, i);
    double done_total[2];
    void *bytes = NULL;
    if (e->n_bytes != sizeof done_total ||
        psw_journal_payload(k->journal, i, &bytes, NULL) != PSW_OK)
        return -1;
    memcpy(done_total, bytes, sizeof done_total);
    free(bytes);
    return done_total[1] > 0 ? done_total[0] / done_total[1] : 0;
}

/* The first progress of an attempt tells where it began. */
static void see_progress(struct psw_recorder *k, struct begun *at, int64_t i)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(k->journal, i);
    at->progress_at = i;
    if (at->seen == e->attempt) return;
    const double share = share_at(k, i);
    if (share < 0) return;
    at->seen = e->attempt;
    k->tasks.progress[at->task].began_at = share;
}

/* What was done of a task counts for forecasts, unless it begins anew on other data or by other
 * code. */
static void set_done(struct psw_recorder *k, const struct begun *b)
{
    const struct psw_task *task = &k->plan.task[b->task];
    uint64_t content = task->key;
    const int is_shared = psw_stage_is_shared((enum psw_stage_kind)task->kind);
    if (b->progress_at < 0 ||
        (!is_shared && psw_journal_content(k->journal, b->name, &content, NULL) != PSW_OK))
        return;
    const double share = share_at(k, b->progress_at);
    if (content == task->key && share > 0 && share < 1)
        psw_ledger_resume(k->ledger, b->task, share, 0);
}

/* Time counts from the start of an attempt to its last record. */
static void see_time(struct begun *at, const struct psw_journal_entry *e)
{
    if (e->type == PSW_J_STARTED) {
        at->used_s += at->attempt_s;
        at->start_s = e->time_s;
    }
    at->attempt_s = e->time_s > at->start_s ? e->time_s - at->start_s : 0;
    if (e->type == PSW_J_TIMEOUT) at->used_s = at->attempt_s = 0;
}

/* Where the latest attempts of tasks began, how their ranks were lost, and how long they took.
 */
static void find_traces(struct psw_recorder *k, struct begun_list *list)
{
    qsort(list->item, list->n, sizeof *list->item, by_name);
    for (int64_t i = 0; list->n > 0 && i < psw_journal_n_entry(k->journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(k->journal, i);
        const int is_loss = e->type == PSW_J_DIED || e->type == PSW_J_SILENT;
        struct begun *at = bsearch(&(struct begun){.name = e->run}, list->item, list->n,
                                   sizeof *list->item, by_name);
        if (!at) continue;
        see_time(at, e);
        if (is_loss) at->last_at = i;
        if (e->type == PSW_J_CONTENT) at->progress_at = -1;
        if (e->type == PSW_J_PROGRESS) see_progress(k, at, i);
    }
}

/* How a task lost its rank, as the journal has it or as far as can be told. */
static void tell_loss(struct psw_recorder *k, const struct begun *b, int32_t n_blamed,
                      char text[PSW_ERROR_TEXT_BYTES])
{
    char memory[256];
    void *last = NULL;
    if (b->last_at >= 0 && psw_journal_payload(k->journal, b->last_at, &last, NULL) == PSW_OK)
        snprintf(text, PSW_ERROR_TEXT_BYTES, "it cost %d start%s their ranks; the last: %.800s",
                 n_blamed, n_blamed == 1 ? "" : "s", (const char *)last);
    else
        snprintf(text, PSW_ERROR_TEXT_BYTES,
                 "%d start%s died without a word while it was alone at work: a crash, or "
                 "killed, perhaps for memory; %s",
                 n_blamed, n_blamed == 1 ? "" : "s",
                 psw_work_plan_memory_text(k->sweep, &k->plan, b->task, memory, sizeof memory));
    free(last);
}

static psw_status restore_one(struct psw_recorder *k, const struct begun *b,
                              struct psw_error *err)
{
    const int32_t max = (int32_t)k->sweep->configs.first.limits.max_attempts;
    const int32_t n_lost = psw_journal_lost(k->journal, b->name),
                  n_blamed = psw_journal_blamed(k->journal, b->name);
    const int gives_up = n_blamed >= psw_fault_attempts(PSW_FAULT_DEATH, max);
    char text[PSW_ERROR_TEXT_BYTES] = "";
    if (n_blamed > 0) tell_loss(k, b, n_blamed, text);
    const struct psw_task_past past = {
        .state = PSW_TASK_INTERRUPTED,
        .n_attempt = b->n_attempt,
        .n_wasted = gives_up ? max : n_blamed + (n_lost - n_blamed) / LOST_PER_WASTED,
        .text = gives_up ? text : NULL};
    k->tasks.suspect[b->task] = n_lost >= SUSPECT_LOST || n_blamed > 0;
    if (k->tasks.suspect[b->task] && !gives_up)
        psw_log(
            PSW_LOG_WARN,
            "%s: the last %d start%s that worked on it died; it is tried last, and alone%s%s",
            k->plan.task[b->task].name, n_lost, n_lost == 1 ? "" : "s", text[0] ? ": " : "",
            text);
    set_done(k, b);
    return psw_ledger_restore(k->ledger, b->task, &past, err);
}

/* What is left of the time that a run may take; a moment of it always is. */
static void set_limits(struct psw_recorder *k, const struct begun_list *begun)
{
    struct psw_config_reader reader = {0};
    for (int32_t t = 0; t < k->plan.n_task; t++) {
        const struct psw_task *task = &k->plan.task[t];
        const int is_run = !psw_stage_is_shared((enum psw_stage_kind)task->kind);
        k->tasks.limit_s[t] =
            is_run ? psw_sweep_config(k->sweep, task->run, &reader)->limits.run_s : 0;
    }
    for (size_t i = 0; i < begun->n; i++) {
        double *limit_s = &k->tasks.limit_s[begun->item[i].task];
        const double left_s = *limit_s - begun->item[i].used_s - begun->item[i].attempt_s;
        if (*limit_s > 0) *limit_s = left_s > PSW_LEAST_LIMIT_S ? left_s : PSW_LEAST_LIMIT_S;
    }
}

psw_status psw_recorder_restore(struct psw_recorder *k, struct psw_error *err)
{
    const size_t n = (size_t)k->plan.n_task + 1;
    struct begun_list begun = {calloc(n, sizeof *begun.item), 0};
    psw_status rc = PSW_OK;
    k->tasks.progress = calloc(n, sizeof *k->tasks.progress);
    k->tasks.suspect = calloc(n, sizeof *k->tasks.suspect);
    k->tasks.limit_s = calloc(n, sizeof *k->tasks.limit_s);
    if (!k->tasks.progress || !k->tasks.suspect || !k->tasks.limit_s || !begun.item)
        rc = psw_fail(err, PSW_ENOMEM, "progress of %d tasks", k->plan.n_task);
    for (int32_t t = 0; t < k->plan.n_task && rc == PSW_OK; t++) {
        int32_t n_attempt = 0;
        const uint64_t name = psw_recorder_name(k, t);
        k->tasks.progress[t].began_at = -1;
        (void)psw_journal_outcome(k->journal, name, &n_attempt);
        if (n_attempt > 0)
            begun.item[begun.n++] = (struct begun){.name = name,
                                                   .task = t,
                                                   .n_attempt = n_attempt,
                                                   .seen = -1,
                                                   .last_at = -1,
                                                   .progress_at = -1};
    }
    if (rc == PSW_OK) find_traces(k, &begun);
    if (rc == PSW_OK) set_limits(k, &begun);
    for (size_t i = 0; i < begun.n && rc == PSW_OK; i++)
        rc = restore_one(k, &begun.item[i], err);
    free(begun.item);
    return rc;
}
