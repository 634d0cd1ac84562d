/* What came of each run: a table by run hash (open addressing, doubled at half full), moved by
 * the types of the records that go by. DONE is never left; a new session turns what was running
 * into interrupted, as its predecessor must be dead, and counts that as a loss until an end or
 * an advance is recorded. Stages share the table: that they are done in slots of their own. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t key;
    int used, is_stage;
    enum psw_outcome outcome;
    int32_t attempts, lost, blamed, silent;
    int died; /* its rank was seen dead in this session, or hung for the second time */
    /* entries, from 1, of the last record of progress and of content; 0: none */
    int64_t progress, content;
};

struct psw_journal_index {
    struct slot *slot; /* owned */
    size_t n_slot, n_used;
    int n_died,
        was_asked; /* in this session: ranks seen dead; to stop, or it ended by itself */
};

/** Which outcome a record leaves behind; -1: none. */
static const int OUTCOME_OF[PSW_J_N_TYPE] = {[0] = -1,
                                             [PSW_J_SPEC] = -1,
                                             [PSW_J_SESSION] = -1,
                                             [PSW_J_STAGE] = -1,
                                             [PSW_J_STARTED] = PSW_OUTCOME_RUNNING,
                                             [PSW_J_PROGRESS] = -1,
                                             [PSW_J_PIECE] = -1,
                                             [PSW_J_DONE] = PSW_OUTCOME_DONE,
                                             [PSW_J_FAILED] = PSW_OUTCOME_FAILED,
                                             [PSW_J_DIVERGED] = PSW_OUTCOME_DIVERGED,
                                             [PSW_J_INTERRUPTED] = PSW_OUTCOME_INTERRUPTED,
                                             [PSW_J_FORECAST] = -1,
                                             [PSW_J_DATA] = -1,
                                             [PSW_J_REMARK] = -1,
                                             [PSW_J_STOP] = -1,
                                             [PSW_J_DIED] = -1,
                                             [PSW_J_ADVANCED] = -1,
                                             [PSW_J_LOG] = -1,
                                             [PSW_J_CONTENT] = -1,
                                             [PSW_J_SILENT] = -1,
                                             [PSW_J_TIMEOUT] = PSW_OUTCOME_TIMEOUT,
                                             [PSW_J_RUNG] = -1,
                                             [PSW_J_CENSORED] = PSW_OUTCOME_CENSORED,
                                             [PSW_J_HOST] = -1};

const char *psw_outcome_name(enum psw_outcome outcome)
{
    static const char *const NAMES[PSW_N_OUTCOME] = {"queued",  "running",  "done",
                                                     "failed",  "diverged", "interrupted",
                                                     "timeout", "censored"};
    return (unsigned)outcome < PSW_N_OUTCOME ? NAMES[outcome] : "unknown";
}

int psw_outcome_is_end(enum psw_outcome outcome)
{
    return outcome == PSW_OUTCOME_DONE || outcome == PSW_OUTCOME_FAILED ||
           outcome == PSW_OUTCOME_DIVERGED || outcome == PSW_OUTCOME_TIMEOUT ||
           outcome == PSW_OUTCOME_CENSORED;
}

static struct slot *find(struct slot *table, size_t n_slot, uint64_t key, int is_stage)
{
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> 17) & (n_slot - 1);
    while (table[i].used && (table[i].key != key || table[i].is_stage != is_stage))
        i = (i + 1) & (n_slot - 1);
    return &table[i];
}

static int grow(struct psw_journal_index *index)
{
    const size_t n_slot = 2 * index->n_slot;
    struct slot *table = calloc(n_slot, sizeof *table);
    if (!table) return 0;
    for (size_t i = 0; i < index->n_slot; i++) {
        const struct slot *s = &index->slot[i];
        if (s->used) *find(table, n_slot, s->key, s->is_stage) = *s;
    }
    free(index->slot);
    index->slot = table;
    index->n_slot = n_slot;
    return 1;
}

psw_status psw_journal_index_create(struct psw_journal_index **out, struct psw_error *err)
{
    struct psw_journal_index *index = calloc(1, sizeof *index);
    if (index) {
        index->n_slot = 64;
        index->slot = calloc(index->n_slot, sizeof *index->slot);
    }
    if (!index || !index->slot) {
        free(index);
        return psw_fail(err, PSW_ENOMEM, "journal: index");
    }
    *out = index;
    return PSW_OK;
}

void psw_journal_index_destroy(struct psw_journal_index *index)
{
    if (!index) return;
    free(index->slot);
    free(index);
}

static int is_running(const struct slot *s)
{
    return s->used && !s->is_stage && s->outcome == PSW_OUTCOME_RUNNING;
}

/* The session before has ended without a word about these. */
static void interrupt_running(struct psw_journal_index *index)
{
    int64_t n_running = 0;
    for (size_t i = 0; i < index->n_slot; i++) n_running += is_running(&index->slot[i]);
    for (size_t i = 0; i < index->n_slot; i++) {
        struct slot *s = &index->slot[i];
        if (!is_running(s)) continue;
        const int blamed = s->died || (n_running == 1 && !index->was_asked && !index->n_died);
        s->outcome = PSW_OUTCOME_INTERRUPTED;
        s->lost += blamed || !(index->n_died || index->was_asked);
        s->blamed += blamed;
        s->died = 0;
    }
    index->n_died = index->was_asked = 0;
}

/* Whether it is only kept: nothing of what came of a run depends on it. Pieces are most of all
 * records, and looked up in vain. */
static int is_kept_only(enum psw_journal_type type)
{
    return type == PSW_J_PIECE || type == PSW_J_FORECAST || type == PSW_J_RUNG ||
           type == PSW_J_LOG || type == PSW_J_DATA;
}

/* Whoever is told of has had a start, else it says nothing. */
static void see_remark(struct psw_journal_index *index, const struct psw_journal_entry *entry,
                       int64_t at)
{
    if (is_kept_only(entry->type)) return;
    struct slot *s = find(index->slot, index->n_slot, entry->run, 0);
    if (entry->type == PSW_J_STOP) index->was_asked = 1;
    if (!s->used) return;
    if (entry->type == PSW_J_PROGRESS) s->progress = at + 1;
    if (entry->type == PSW_J_CONTENT) s->content = at + 1;
    if (entry->type == PSW_J_ADVANCED) s->lost = s->blamed = s->silent = 0;
    if (entry->type == PSW_J_DIED && is_running(s)) index->n_died += s->died = 1;
    /* The first time the rank is charged, and nobody else. */
    if (entry->type == PSW_J_SILENT && is_running(s)) {
        index->n_died++;
        s->died = ++s->silent > 1;
    }
    /* A shared stage that is done is not under way any more. */
    if (entry->type == PSW_J_STAGE) {
        s->outcome = PSW_OUTCOME_INTERRUPTED;
        s->lost = s->blamed = s->silent = s->died = 0;
    }
}

psw_status psw_journal_index_see(struct psw_journal_index *index,
                                 const struct psw_journal_entry *entry, int64_t at)
{
    if (entry->type == PSW_J_SESSION) {
        index->was_asked |= entry->attempt > 0;
        interrupt_running(index);
    }
    const int known = entry->type > 0 && entry->type < PSW_J_N_TYPE;
    const int is_stage = entry->type == PSW_J_STAGE;
    const int outcome = known ? OUTCOME_OF[entry->type] : -1;
    if (known && outcome < 0) see_remark(index, entry, at);
    if (outcome < 0 && !is_stage) return PSW_OK;
    if (2 * index->n_used >= index->n_slot && !grow(index)) return PSW_ENOMEM;
    struct slot *s = find(index->slot, index->n_slot, entry->run, is_stage);
    if (!s->used) {
        *s = (struct slot){.key = entry->run, .used = 1, .is_stage = is_stage};
        index->n_used++;
    }
    if (entry->type == PSW_J_STARTED)
        s->attempts++;
    else
        s->lost = s->blamed = s->silent = s->died = 0;
    if (!is_stage && s->outcome != PSW_OUTCOME_DONE) s->outcome = (enum psw_outcome)outcome;
    return PSW_OK;
}

enum psw_outcome psw_journal_index_outcome(const struct psw_journal_index *index, uint64_t run,
                                           int32_t *attempts)
{
    const struct slot *s = find(index->slot, index->n_slot, run, 0);
    if (attempts) *attempts = s->used ? s->attempts : 0;
    return s->used ? s->outcome : PSW_OUTCOME_QUEUED;
}

int64_t psw_journal_index_progress(const struct psw_journal_index *index, uint64_t run)
{
    return find(index->slot, index->n_slot, run, 0)->progress - 1;
}

int64_t psw_journal_index_content(const struct psw_journal_index *index, uint64_t run)
{
    return find(index->slot, index->n_slot, run, 0)->content - 1;
}

int32_t psw_journal_index_lost(const struct psw_journal_index *index, uint64_t run)
{
    return find(index->slot, index->n_slot, run, 0)->lost;
}

int32_t psw_journal_index_blamed(const struct psw_journal_index *index, uint64_t run)
{
    return find(index->slot, index->n_slot, run, 0)->blamed;
}

int psw_journal_index_has_stage(const struct psw_journal_index *index, uint64_t key)
{
    return find(index->slot, index->n_slot, key, 1)->used;
}
