/* What earlier starts left in the journal about tasks that had not ended: how often they were
 * begun, whether they are to blame for the deaths of jobs, and where they had got to. */
#include "run_internal.h"

#include <posweep/util/log.h>

#include <stdlib.h>
#include <string.h>

/* Attempts lost together with the whole job (kills, node failures) say little about the run;
 * two in a row without an advance are enough to look at it alone. */
enum { LOST_PER_WASTED = 10, SUSPECT_LOST = 2 };

/* A task that was lost. */
struct lost {
    uint64_t name;
    int32_t task, attempt;
};

uint64_t psw_recorder_name(const struct psw_recorder *k, int32_t task)
{
    const struct psw_task *t = &k->plan.task[task];
    return psw_stage_is_shared((enum psw_stage_kind)t->kind) ? t->key
                                                             : k->sweep->run[t->run].hash;
}

static int by_name(const void *a, const void *b)
{
    const struct lost *x = a, *y = b;
    return x->name < y->name ? -1 : x->name > y->name;
}

/* Where the latest attempts of lost tasks began: the first progress of each tells. */
static void find_beginnings(struct psw_recorder *k, struct lost *lost, size_t n_lost)
{
    qsort(lost, n_lost, sizeof *lost, by_name);
    for (int64_t i = 0; n_lost > 0 && i < psw_journal_n_entry(k->journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(k->journal, i);
        double done_total[2];
        void *bytes = NULL;
        if (e->type != PSW_J_PROGRESS || e->n_bytes != sizeof done_total) continue;
        struct lost *at =
            bsearch(&(struct lost){.name = e->run}, lost, n_lost, sizeof *lost, by_name);
        if (!at || at->attempt == e->attempt ||
            psw_journal_payload(k->journal, i, &bytes, NULL) != PSW_OK)
            continue;
        memcpy(done_total, bytes, sizeof done_total);
        free(bytes);
        at->attempt = e->attempt;
        k->tasks.progress[at->task].began_at =
            done_total[1] > 0 ? done_total[0] / done_total[1] : 0;
    }
}

static psw_status restore_one(struct psw_recorder *k, int32_t task, int32_t n_attempt,
                              struct psw_error *err)
{
    const uint64_t name = psw_recorder_name(k, task);
    const int32_t n_lost = psw_journal_lost(k->journal, name),
                  n_blamed = psw_journal_blamed(k->journal, name);
    const struct psw_task_past past = {.state = PSW_TASK_INTERRUPTED,
                                       .n_attempt = n_attempt,
                                       .n_wasted =
                                           n_blamed + (n_lost - n_blamed) / LOST_PER_WASTED};
    k->tasks.suspect[task] = n_lost >= SUSPECT_LOST;
    if (k->tasks.suspect[task])
        psw_log(PSW_LOG_WARN,
                "%s: the last %d starts that worked on it died; it is tried last, and alone",
                k->plan.task[task].name, n_lost);
    return psw_ledger_restore(k->ledger, task, &past, err);
}

psw_status psw_recorder_restore(struct psw_recorder *k, struct psw_error *err)
{
    const size_t n = (size_t)k->plan.n_task + 1;
    size_t n_lost = 0;
    psw_status rc = PSW_OK;
    k->tasks.progress = calloc(n, sizeof *k->tasks.progress);
    k->tasks.suspect = calloc(n, sizeof *k->tasks.suspect);
    struct lost *lost = calloc(n, sizeof *lost);
    if (!k->tasks.progress || !k->tasks.suspect || !lost)
        rc = psw_fail(err, PSW_ENOMEM, "progress of %d tasks", k->plan.n_task);
    for (int32_t t = 0; t < k->plan.n_task && rc == PSW_OK; t++) {
        int32_t n_attempt = 0;
        k->tasks.progress[t].began_at = -1;
        (void)psw_journal_outcome(k->journal, psw_recorder_name(k, t), &n_attempt);
        if (n_attempt == 0 || psw_ledger_primary(k->ledger, t) != t) continue;
        if (psw_journal_lost(k->journal, psw_recorder_name(k, t)) > 0)
            lost[n_lost++] =
                (struct lost){.name = psw_recorder_name(k, t), .task = t, .attempt = -1};
        rc = restore_one(k, t, n_attempt, err);
    }
    if (rc == PSW_OK) find_beginnings(k, lost, n_lost);
    free(lost);
    return rc;
}
