/* Merging journals: which source speaks for a run (a list of claims, sorted by name), whether
 * sources that both finished a run agree (their tables are compared, journal_equal.c), and the
 * copy, record by record, with the checksums of the new places. */
#include "journal_merge_internal.h"

#include <posweep/store/schema.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- sources ---- */

psw_status psw_journal_merge_begin(const char *path, double lock_wait_s,
                                   struct psw_journal_merge **out, struct psw_error *err)
{
    char lock_path[PSW_PATH_BYTES];
    struct psw_journal_merge *m = calloc(1, sizeof *m);
    if (!m) return psw_fail(err, PSW_ENOMEM, "merge: %zu bytes", sizeof *m);
    psw_status rc = psw_path(m->path, sizeof m->path, err, "%s", path);
    if (rc == PSW_OK) rc = psw_path(lock_path, sizeof lock_path, err, "%s.lock", path);
    if (rc == PSW_OK) rc = psw_lock_take(lock_path, lock_wait_s, &m->lock, err);
    if (rc == PSW_OK)
        *out = m;
    else
        free(m);
    return rc;
}

void psw_journal_merge_end(struct psw_journal_merge *merge)
{
    if (!merge) return;
    for (int i = 0; i < merge->n_source; i++) {
        psw_journal_close(merge->source[i].journal);
        free(merge->source[i].name);
    }
    psw_lock_release(merge->lock);
    free(merge->source);
    free(merge->left_out);
    free(merge);
}

psw_status psw_journal_merge_add(struct psw_journal_merge *merge, const char *path,
                                 const char *name, struct psw_error *err)
{
    struct psw_merge_source *grown =
        realloc(merge->source, (size_t)(merge->n_source + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s", name);
    merge->source = grown;
    struct psw_merge_source *s = &merge->source[merge->n_source];
    *s = (struct psw_merge_source){.name = strdup(name)};
    if (!s->name) return psw_fail(err, PSW_ENOMEM, "%s", name);
    merge->n_source++;
    const psw_status rc = psw_journal_read(path, &s->journal, err);
    if (rc != PSW_OK) return rc;
    const struct psw_record *spec = psw_journal_spec(s->journal);
    if (!spec) return psw_fail(err, PSW_EINVAL, "%s: nothing was recorded yet", path);
    const int64_t version = psw_record_i64(spec, "schema_version", 0, 0);
    if (version != PSW_SCHEMA_VERSION)
        return psw_fail(
            err, PSW_EINVAL,
            "%s: results schema version %lld; this posweep merges version %d: merge "
            "with the posweep that wrote it",
            path, (long long)version, PSW_SCHEMA_VERSION);
    return PSW_OK;
}

int psw_journal_merge_n_source(const struct psw_journal_merge *merge)
{
    return merge->n_source;
}

struct psw_journal *psw_journal_merge_source(const struct psw_journal_merge *merge, int i)
{
    return merge->source[i].journal;
}

const char *psw_journal_merge_name(const struct psw_journal_merge *merge, int i)
{
    return merge->source[i].name;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

psw_status psw_journal_merge_leave_out(struct psw_journal_merge *merge, const uint64_t *run,
                                       int64_t n, struct psw_error *err)
{
    uint64_t *copy = malloc(((size_t)n + 1) * sizeof *copy);
    if (!copy) return psw_fail(err, PSW_ENOMEM, "merge: %lld runs", (long long)n);
    memcpy(copy, run, (size_t)n * sizeof *copy);
    qsort(copy, (size_t)n, sizeof *copy, ascending);
    free(merge->left_out);
    merge->left_out = copy;
    merge->n_left_out = n;
    return PSW_OK;
}

static int is_left_out(const struct psw_journal_merge *m, uint64_t name)
{
    return m->n_left_out > 0 && bsearch(&name, m->left_out, (size_t)m->n_left_out,
                                        sizeof *m->left_out, ascending) != NULL;
}

/* ---- who speaks for a run ---- */

/** How records of a type are merged. */
enum how {
    LEAVE,    /* made anew, or of a moment that has passed */
    OF_NAME,  /* of a run or stage: from the source that speaks for it */
    EACH_ONCE /* of a session or a data set: from all, the same record once */
};

static enum how how_of(enum psw_journal_type type)
{
    static const enum how HOW[PSW_J_N_TYPE] = {
        [PSW_J_SPEC] = LEAVE,          [PSW_J_SESSION] = EACH_ONCE, [PSW_J_STAGE] = OF_NAME,
        [PSW_J_STARTED] = OF_NAME,     [PSW_J_PROGRESS] = OF_NAME,  [PSW_J_PIECE] = OF_NAME,
        [PSW_J_DONE] = OF_NAME,        [PSW_J_FAILED] = OF_NAME,    [PSW_J_DIVERGED] = OF_NAME,
        [PSW_J_INTERRUPTED] = OF_NAME, [PSW_J_FORECAST] = LEAVE,    [PSW_J_DATA] = EACH_ONCE,
        [PSW_J_REMARK] = EACH_ONCE,    [PSW_J_STOP] = EACH_ONCE,    [PSW_J_DIED] = OF_NAME,
        [PSW_J_ADVANCED] = OF_NAME,    [PSW_J_CONTENT] = OF_NAME,   [PSW_J_SILENT] = OF_NAME,
        [PSW_J_TIMEOUT] = OF_NAME,     [PSW_J_LOG] = OF_NAME,       [PSW_J_RUNG] = OF_NAME,
        [PSW_J_CENSORED] = OF_NAME,    [PSW_J_HOST] = EACH_ONCE};
    return type > 0 && type < PSW_J_N_TYPE ? HOW[type] : LEAVE;
}

/** That a source has a name, and how far it got with it. */
struct claim {
    uint64_t name;
    int source, rank;
    int64_t n_piece; /* points and rungs */
};

/* Done counts most, then ends of other kinds. */
static int rank_of(const struct psw_journal *journal, uint64_t name)
{
    const enum psw_outcome o = psw_journal_outcome(journal, name, NULL);
    if (o == PSW_OUTCOME_DONE || psw_journal_has_stage(journal, name)) return 3;
    return psw_outcome_is_end(o) ? 2 : o == PSW_OUTCOME_QUEUED ? 0 : 1;
}

static int by_name_and_source(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    if (x->name != y->name) return x->name < y->name ? -1 : 1;
    return x->source < y->source ? -1 : x->source > y->source;
}

/** All claims of all sources. */
struct claims {
    struct claim *item; /* owned, sorted by name and source */
    int64_t n;
};

/* One claim per name and source, with its pieces counted, from one claim per record. */
static void count_claims(struct claims *c)
{
    int64_t n = 0;
    if (c->n > 0) qsort(c->item, (size_t)c->n, sizeof *c->item, by_name_and_source);
    for (int64_t i = 0; i < c->n; i++) {
        if (n == 0 || by_name_and_source(&c->item[n - 1], &c->item[i]) != 0)
            c->item[n++] = c->item[i];
        else
            c->item[n - 1].n_piece += c->item[i].n_piece;
    }
    c->n = n;
}

static psw_status collect_claims(const struct psw_journal_merge *m, struct claims *out,
                                 struct psw_error *err)
{
    int64_t n_entry = 0;
    for (int s = 0; s < m->n_source; s++) n_entry += psw_journal_n_entry(m->source[s].journal);
    *out = (struct claims){.item = malloc(((size_t)n_entry + 1) * sizeof *out->item)};
    if (!out->item) return psw_fail(err, PSW_ENOMEM, "merge: %lld records", (long long)n_entry);
    for (int s = 0; s < m->n_source; s++)
        for (int64_t i = 0; i < psw_journal_n_entry(m->source[s].journal); i++) {
            const struct psw_journal_entry *e = psw_journal_entry_at(m->source[s].journal, i);
            if (how_of(e->type) != OF_NAME || is_left_out(m, e->run)) continue;
            out->item[out->n++] =
                (struct claim){.name = e->run,
                               .source = s,
                               .rank = rank_of(m->source[s].journal, e->run),
                               .n_piece = e->type == PSW_J_PIECE || e->type == PSW_J_RUNG};
        }
    count_claims(out);
    return PSW_OK;
}

static int is_better(const struct claim *a, const struct claim *b)
{
    return a->rank != b->rank ? a->rank > b->rank : a->rank < 3 && a->n_piece > b->n_piece;
}

/* The claim that counts for a name of the list, of those from `first` on; *next: behind them.
 */
static const struct claim *best_claim(const struct claims *c, int64_t first, int64_t *next)
{
    const struct claim *best = &c->item[first];
    int64_t i = first + 1;
    for (; i < c->n && c->item[i].name == best->name; i++)
        if (is_better(&c->item[i], best)) best = &c->item[i];
    *next = i;
    return best;
}

/* What is to be held against the claim that counts, of those from `first` to before `next`:
 * runs that another source has as done, too, or as stopped early. */
static void add_pairs(const struct psw_journal_merge *m, const struct claims *c,
                      const struct claim *best, int64_t first, int64_t next,
                      struct psw_merge_pairs *pairs, struct psw_journal_merge_counts *counts)
{
    int is_twice = 0, is_begun = 0;
    for (int64_t k = first; k < next; k++) {
        const int source = c->item[k].source;
        const enum psw_outcome o =
            psw_journal_outcome(m->source[source].journal, best->name, NULL);
        if (source == best->source || (o != PSW_OUTCOME_DONE && o != PSW_OUTCOME_CENSORED))
            continue;
        is_twice |= o == PSW_OUTCOME_DONE;
        is_begun |= o == PSW_OUTCOME_CENSORED;
        pairs->item[pairs->n++] =
            (struct psw_merge_pair){.run = best->name,
                                    .source = {best->source, source},
                                    .is_begun = o == PSW_OUTCOME_CENSORED};
    }
    counts->n_twice += is_twice;
    counts->n_completed += is_begun;
}

/* Keep the claim that counts of every name; runs that several have are compared. */
static psw_status settle_claims(const struct psw_journal_merge *m, struct claims *c,
                                const struct psw_results_axes *axes,
                                struct psw_journal_merge_counts *counts, struct psw_error *err)
{
    int64_t n = 0;
    *counts = (struct psw_journal_merge_counts){0};
    struct psw_merge_pairs pairs = {calloc((size_t)c->n + 1, sizeof *pairs.item), 0};
    if (!pairs.item) return psw_fail(err, PSW_ENOMEM, "merge: %lld runs", (long long)c->n);
    for (int64_t i = 0, next; i < c->n; i = next) {
        const struct claim best = *best_claim(c, i, &next);
        const struct psw_journal *journal = m->source[best.source].journal;
        const enum psw_outcome o = psw_journal_outcome(journal, best.name, NULL);
        counts->n_run += psw_outcome_is_end(o);
        if (o == PSW_OUTCOME_DONE) add_pairs(m, c, &best, i, next, &pairs, counts);
        c->item[n++] = best;
    }
    c->n = n;
    const psw_status rc = psw_merge_compare(m, &pairs, axes, err);
    free(pairs.item);
    return rc;
}

/* ---- the copy ---- */

/** What is written. */
struct copy {
    FILE *out;
    int64_t offset;
    uint64_t *seen; /* owned: hashes of what is there once */
    int64_t n_seen;
    const struct claims *claims;
    unsigned char *buffer; /* owned */
    size_t n_room;
};

static psw_status put(struct copy *c, struct psw_journal_entry what, const void *payload,
                      const char *path, struct psw_error *err)
{
    const size_t n = (size_t)psw_journal_record_bytes(what.n_bytes);
    if (n > c->n_room) {
        unsigned char *grown = realloc(c->buffer, n);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: a record of %zu bytes", path, n);
        c->buffer = grown;
        c->n_room = n;
    }
    what.offset = c->offset;
    psw_journal_encode(c->buffer, what, payload);
    c->offset += (int64_t)n;
    if (fwrite(c->buffer, 1, n, c->out) == n) return PSW_OK;
    const int e = errno;
    return psw_fail(err, psw_status_from_errno(e), "%s: cannot write: %s", path, strerror(e));
}

static int claims_it(const struct claims *c, uint64_t name, int source)
{
    int64_t lo = 0, hi = c->n;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        if (c->item[mid].name < name)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->n && c->item[lo].name == name && c->item[lo].source == source;
}

/* Whether a record is there already; sessions are few, so the list is short. */
static int was_seen(struct copy *c, const struct psw_journal_entry *e, const void *payload)
{
    uint64_t key = psw_hash_bytes(&e->run, sizeof e->run, (uint64_t)e->type);
    if (e->type != PSW_J_DATA) key = psw_hash_bytes(&e->time_s, sizeof e->time_s, key);
    key = psw_hash_bytes(payload, e->n_bytes, key);
    for (int64_t i = 0; i < c->n_seen; i++)
        if (c->seen[i] == key) return 1;
    c->seen[c->n_seen++] = key;
    return 0;
}

static psw_status copy_source(const struct psw_journal_merge *m, int source, struct copy *c,
                              struct psw_error *err)
{
    struct psw_journal *journal = m->source[source].journal;
    const int64_t n = psw_journal_n_entry(journal);
    uint64_t *grown = realloc(c->seen, (size_t)(c->n_seen + n + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "merge: %lld records", (long long)n);
    c->seen = grown;
    for (int64_t i = 0; i < n; i++) {
        const struct psw_journal_entry e = *psw_journal_entry_at(journal, i);
        const enum how how = how_of(e.type);
        void *payload = NULL;
        if (how == LEAVE || (how == OF_NAME && !claims_it(c->claims, e.run, source))) continue;
        psw_status rc = psw_journal_payload(journal, i, &payload, err);
        if (rc == PSW_OK && (how == OF_NAME || !was_seen(c, &e, payload)))
            rc = put(c, e, payload, m->path, err);
        free(payload);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

static psw_status put_record(struct copy *c, enum psw_journal_type type,
                             struct psw_record *record, const char *path, struct psw_error *err)
{
    const void *bytes = NULL;
    struct psw_journal_entry what = {.type = type, .time_s = psw_clock_unix_s()};
    const psw_status rc = psw_record_pack(record, &bytes, &what.n_bytes, err);
    return rc == PSW_OK ? put(c, what, bytes, path, err) : rc;
}

static psw_status put_own(struct copy *c, enum psw_journal_type type,
                          const struct psw_journal_opts *opts, const char *path,
                          struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = type == PSW_J_SPEC ? psw_journal_spec_record(opts, &r, err)
                                       : psw_journal_session_record(opts->provenance, &r, err);
    if (rc == PSW_OK) rc = put_record(c, type, r, path, err);
    psw_record_destroy(r);
    return rc;
}

static psw_status write_copy(const struct psw_journal_merge *m, const struct claims *claims,
                             const struct psw_journal_opts *opts, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    int fd = -1;
    psw_status rc = psw_file_begin(m->path, temporary, &fd, err);
    if (rc != PSW_OK) return rc;
    struct copy c = {.out = fdopen(fd, "wb"), .claims = claims};
    if (!c.out) close(fd);
    if (!c.out) rc = psw_fail(err, PSW_ENOMEM, "%s", temporary);
    if (rc == PSW_OK) rc = put_own(&c, PSW_J_SPEC, opts, m->path, err);
    for (int s = 0; s < m->n_source && rc == PSW_OK; s++) rc = copy_source(m, s, &c, err);
    if (rc == PSW_OK && opts->provenance) rc = put_own(&c, PSW_J_SESSION, opts, m->path, err);
    const int ok = rc != PSW_OK || (fflush(c.out) == 0 && fsync(fileno(c.out)) == 0);
    const int e = errno;
    if (c.out) fclose(c.out);
    if (!ok)
        rc = psw_fail(err, psw_status_from_errno(e), "%s: cannot write: %s", m->path,
                      strerror(e));
    if (rc == PSW_OK) rc = psw_file_commit(temporary, m->path, err);
    if (rc != PSW_OK) unlink(temporary);
    free(c.seen);
    free(c.buffer);
    return rc;
}

psw_status psw_journal_merge_write(struct psw_journal_merge *merge,
                                   const struct psw_journal_opts *opts,
                                   const struct psw_results_axes *axes,
                                   struct psw_journal_merge_counts *counts,
                                   struct psw_error *err)
{
    struct claims claims = {0};
    psw_status rc = collect_claims(merge, &claims, err);
    if (rc == PSW_OK) rc = settle_claims(merge, &claims, axes, counts, err);
    if (rc == PSW_OK) rc = write_copy(merge, &claims, opts, err);
    free(claims.item);
    return rc;
}
