/* The journal: opening, appending, reading back. The bytes stand in journal_format.c, the state
 * of runs in journal_index.c, the lock in lock.c.
 *
 * `n_file` bytes are on disk and synced; `buffer` follows them. A failed sync cuts the file
 * back to n_file and keeps the buffer, so the journal is intact and the call can be repeated.
 */
#include "store_internal.h"

#include <posweep/store/schema.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t SPILL_BYTES = (size_t)8 << 20, MAX_PAYLOAD_BYTES = (size_t)1 << 30,
                    KEPT_BYTES = (size_t)1 << 20;
static const double LOCK_WAIT_S = 10, READ_AGAIN_S = 0.2;

struct psw_journal {
    char path[PSW_PATH_BYTES];
    int fd;                          /* -1: closed */
    int read_only, is_new;           /* new: made by this opening */
    struct psw_lock *lock;           /* owned; NULL when reading */
    struct psw_journal_entry *entry; /* owned */
    int64_t n_entry, n_room;
    unsigned char *buffer; /* owned: what is not on disk yet */
    size_t n_buffer, n_buffer_room;
    int64_t n_file, n_torn;
    int64_t n_left;                  /* size of the file as this writer left it */
    struct psw_journal_index *index; /* owned */
    int64_t spec_entry;              /* of the latest, from 1; 0: none */
    struct psw_record *spec;         /* owned: the latest */
};

psw_status psw_journal_path(const char *results_path, char out[PSW_PATH_BYTES],
                            struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES - 8, err, "%s.journal", results_path);
}

static psw_status fail_errno(const struct psw_journal *j, const char *what,
                             struct psw_error *err)
{
    const int e = errno;
    return psw_fail(err, psw_status_from_errno(e), "%s: %s: %s", j->path, what, strerror(e));
}

/** Remember a record and what it means for its run. */
static psw_status see_entry(void *ctx, const struct psw_journal_entry *entry)
{
    struct psw_journal *j = ctx;
    if (j->n_entry == j->n_room) {
        const int64_t n_room = j->n_room ? 2 * j->n_room : 256;
        struct psw_journal_entry *grown = realloc(j->entry, (size_t)n_room * sizeof *grown);
        if (!grown) return PSW_ENOMEM;
        j->entry = grown;
        j->n_room = n_room;
    }
    if (psw_journal_index_see(j->index, entry, j->n_entry) != PSW_OK) return PSW_ENOMEM;
    j->entry[j->n_entry++] = *entry;
    if (entry->type == PSW_J_SPEC) j->spec_entry = j->n_entry;
    return PSW_OK;
}

static psw_status scan(struct psw_journal *j, struct psw_error *err)
{
    int64_t n_bytes = 0;
    const psw_status rc =
        psw_journal_walk(j->path, j->fd, see_entry, j, &j->n_file, &n_bytes, err);
    j->n_torn = n_bytes - j->n_file;
    return rc;
}

/** Take the latest spec record into memory. A journal with records but no spec is not ours. */
static psw_status load_spec(struct psw_journal *j, struct psw_error *err)
{
    struct psw_record *spec = NULL;
    if (j->n_entry == 0) return PSW_OK;
    if (j->spec_entry == 0)
        return psw_fail(err, PSW_EDATA, "%s: byte 0: the header record is missing", j->path);
    const psw_status rc = psw_journal_record(j, j->spec_entry - 1, &spec, err);
    if (rc != PSW_OK) return rc;
    psw_record_destroy(j->spec);
    j->spec = spec;
    return PSW_OK;
}

static psw_status create(const char *path, int read_only, struct psw_journal **out,
                         struct psw_error *err)
{
    struct psw_journal *j = calloc(1, sizeof *j);
    if (!j) return psw_fail(err, PSW_ENOMEM, "journal: %zu bytes", sizeof *j);
    j->fd = -1;
    j->read_only = read_only;
    psw_status rc = psw_path(j->path, sizeof j->path - 8, err, "%s", path);
    if (rc == PSW_OK) rc = psw_journal_index_create(&j->index, err);
    if (rc != PSW_OK) {
        psw_journal_close(j);
        return rc;
    }
    *out = j;
    return PSW_OK;
}

void psw_journal_close(struct psw_journal *journal)
{
    if (!journal) return;
    if (journal->fd >= 0) close(journal->fd);
    psw_lock_release(journal->lock);
    psw_journal_index_destroy(journal->index);
    psw_record_destroy(journal->spec);
    free(journal->entry);
    free(journal->buffer);
    free(journal);
}

void psw_journal_discard(struct psw_journal *journal)
{
    if (journal && journal->is_new && psw_file_is_at(journal->path, journal->fd))
        unlink(journal->path); /* the lock is still held */
    psw_journal_close(journal);
}

/** in_use: a writer is at work, so what cannot be read may be on its way; end before it. */
static psw_status read_now(const char *path, int in_use, struct psw_journal **out,
                           struct psw_error *err)
{
    struct psw_journal *j = NULL;
    psw_status rc = create(path, 1, &j, err);
    if (rc != PSW_OK) return rc;
    j->fd =
        open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe is refused, not waited for */
    if (j->fd < 0) {
        rc = fail_errno(j, "cannot open", err);
        goto fail;
    }
    rc = scan(j, err);
    if (rc == PSW_EDATA && in_use && j->n_entry > 0) rc = PSW_OK;
    if (rc != PSW_OK) goto fail;
    PSW_TRY(load_spec(j, err));
    *out = j;
    return PSW_OK;
fail:
    psw_journal_close(j);
    return rc;
}

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

psw_status psw_journal_read(const char *path, struct psw_journal **out, struct psw_error *err)
{
    char holder[256];
    const int64_t n_before = size_of(path);
    const int held = psw_journal_holder(path, holder, sizeof holder) != 0;
    const psw_status rc = read_now(path, 0, out, err);
    if (rc != PSW_EDATA) return rc;
    psw_clock_sleep_s(READ_AGAIN_S);
    return read_now(path, held || size_of(path) != n_before, out, err);
}

static void sync_folder(const char *path)
{
    char copy[PSW_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static psw_status open_file(struct psw_journal *j, const struct psw_journal_opts *opts,
                            struct psw_error *err)
{
    char lock_path[PSW_PATH_BYTES];
    psw_status rc = psw_path(lock_path, sizeof lock_path, err, "%s.lock", j->path);
    if (rc != PSW_OK) return rc;
    const double wait_s = opts->lock_wait_s == 0 ? LOCK_WAIT_S : opts->lock_wait_s;
    rc = psw_lock_take(lock_path, wait_s, &j->lock, err);
    if (rc != PSW_OK) return rc;
    rc = psw_file_open(j->path, PSW_FILE_UPDATE, &j->fd, err);
    if (rc == PSW_ENOENT) {
        rc = psw_file_open(j->path, PSW_FILE_NEW, &j->fd, err);
        j->is_new = rc == PSW_OK;
    }
    if (rc != PSW_OK) return rc;
    sync_folder(j->path);
    rc = scan(j, err);
    j->n_left = j->n_file;
    if (rc != PSW_OK || j->n_torn == 0) return rc;
    psw_log(PSW_LOG_WARN, "%s: cut %lld bytes of an unfinished record at byte %lld", j->path,
            (long long)j->n_torn, (long long)j->n_file);
    if (ftruncate(j->fd, j->n_file) != 0) return fail_errno(j, "cannot cut the tail", err);
    return PSW_OK;
}

static psw_status check_owner(const struct psw_journal *j, const struct psw_journal_opts *opts,
                              struct psw_error *err)
{
    const char *name = psw_record_text(j->spec, "sweep_name");
    const int64_t version = psw_record_i64(j->spec, "schema_version", 0, 0);
    if (strcmp(name, opts->sweep_name) != 0)
        return psw_fail(err, PSW_EINVAL,
                        "%s: belongs to the sweep \"%s\", not to \"%s\". Choose another "
                        "output, or move it away",
                        j->path, name, opts->sweep_name);
    if (version != PSW_SCHEMA_VERSION)
        return psw_fail(err, PSW_EINVAL,
                        "%s: results schema version %lld; this posweep writes version %d. "
                        "Choose another output, or move it away",
                        j->path, (long long)version, PSW_SCHEMA_VERSION);
    return PSW_OK;
}

static int same_spec(const struct psw_journal *j, const struct psw_journal_opts *opts)
{
    const struct psw_field *run = psw_record_get(j->spec, "run");
    return (uint64_t)psw_record_i64(j->spec, "spec_hash", 0, 0) == opts->spec_hash &&
           strcmp(psw_record_text(j->spec, "spec_text"), opts->spec_text) == 0 && run &&
           run->shape.dim[0] == opts->n_run &&
           memcmp(run->data, opts->run, sizeof *opts->run * (size_t)opts->n_run) == 0;
}

static psw_status append_spec(struct psw_journal *j, const struct psw_journal_opts *opts,
                              struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = psw_journal_spec_record(opts, &r, err);
    if (rc != PSW_OK) return rc;
    rc = psw_journal_append_record(j, PSW_J_SPEC, 0, 0, r, err);
    psw_record_drop_packed(r);
    psw_record_destroy(j->spec);
    j->spec = r;
    return rc;
}

static psw_status append_session(struct psw_journal *j, const struct psw_journal_opts *opts,
                                 struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = psw_journal_session_record(opts->provenance, &r, err);
    if (rc != PSW_OK) return rc;
    rc = psw_journal_append_record(j, PSW_J_SESSION, 0, !psw_lock_was_left(j->lock), r, err);
    psw_record_destroy(r);
    return rc;
}

psw_status psw_journal_open(const char *path, const struct psw_journal_opts *opts,
                            struct psw_journal **out, struct psw_error *err)
{
    struct psw_journal *j = NULL;
    psw_status rc = create(path, 0, &j, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(open_file(j, opts, err));
    PSW_TRY(load_spec(j, err));
    if (j->spec) PSW_TRY(check_owner(j, opts, err));
    if (!j->spec || !same_spec(j, opts)) PSW_TRY(append_spec(j, opts, err));
    PSW_TRY(append_session(j, opts, err));
    PSW_TRY(psw_journal_sync(j, err));
    *out = j;
    return PSW_OK;
fail:
    psw_journal_discard(j);
    return rc;
}

static psw_status make_room(struct psw_journal *j, size_t n_more, struct psw_error *err)
{
    if (j->n_buffer + n_more <= j->n_buffer_room) return PSW_OK;
    size_t n_room = j->n_buffer_room ? j->n_buffer_room : (size_t)64 << 10;
    while (n_room < j->n_buffer + n_more) n_room *= 2;
    unsigned char *grown = realloc(j->buffer, n_room);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: buffer of %zu bytes", j->path, n_room);
    j->buffer = grown;
    j->n_buffer_room = n_room;
    return PSW_OK;
}

psw_status psw_journal_append(struct psw_journal *journal, struct psw_journal_entry what,
                              const void *payload, struct psw_error *err)
{
    if (journal->read_only || what.n_bytes > MAX_PAYLOAD_BYTES)
        return psw_fail(err, PSW_EINVAL, "%s: cannot append %zu bytes%s", journal->path,
                        what.n_bytes, journal->read_only ? ": opened for reading" : "");
    const int64_t n_record = psw_journal_record_bytes(what.n_bytes);
    psw_status rc = make_room(journal, (size_t)n_record, err);
    if (rc != PSW_OK) return rc;
    what.offset = journal->n_file + (int64_t)journal->n_buffer;
    if (what.time_s == 0) what.time_s = psw_clock_unix_s();
    psw_journal_encode(journal->buffer + journal->n_buffer, what, payload);
    if (see_entry(journal, &what) != PSW_OK)
        return psw_fail(err, PSW_ENOMEM, "%s: no memory for its index", journal->path);
    journal->n_buffer += (size_t)n_record;
    return journal->n_buffer >= SPILL_BYTES ? psw_journal_sync(journal, err) : PSW_OK;
}

psw_status psw_journal_append_record(struct psw_journal *journal, enum psw_journal_type type,
                                     uint64_t run, int32_t attempt, struct psw_record *record,
                                     struct psw_error *err)
{
    const void *bytes = NULL;
    struct psw_journal_entry what = {.type = type, .run = run, .attempt = attempt};
    psw_status rc = psw_record_pack(record, &bytes, &what.n_bytes, err);
    return rc == PSW_OK ? psw_journal_append(journal, what, bytes, err) : rc;
}

/* One large record, such as that of a sweep's runs, is no reason to keep room for another. */
static void give_back(struct psw_journal *j)
{
    if (j->n_buffer_room <= KEPT_BYTES) return;
    free(j->buffer);
    j->buffer = NULL;
    j->n_buffer_room = 0;
}

static int write_buffer(const struct psw_journal *j)
{
    size_t n_done = 0;
    while (n_done < j->n_buffer) {
        const ssize_t n = pwrite(j->fd, j->buffer + n_done, j->n_buffer - n_done,
                                 (off_t)(j->n_file + (int64_t)n_done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        n_done += (size_t)n;
    }
    return fdatasync(j->fd);
}

psw_status psw_journal_check(const struct psw_journal *journal, struct psw_error *err)
{
    if (psw_lock_is_lost(journal->lock))
        return psw_fail(
            err, PSW_EBUSY,
            "%s: another process has taken over, because this one was silent for long: "
            "stopped here, so that it alone writes",
            journal->path);
    return psw_journal_check_place(journal->path, journal->fd, journal->n_left, err);
}

psw_status psw_journal_sync(struct psw_journal *journal, struct psw_error *err)
{
    if (journal->n_buffer == 0) return PSW_OK;
    const psw_status place = psw_journal_check(journal, err);
    if (place != PSW_OK) return place;
    if (write_buffer(journal) == 0) {
        journal->n_file += (int64_t)journal->n_buffer;
        journal->n_left = journal->n_file;
        journal->n_buffer = 0;
        give_back(journal);
        return PSW_OK;
    }
    const int e = errno;
    const psw_status rc = psw_status_from_errno(e);
    const int cut = ftruncate(journal->fd, journal->n_file) == 0;
    struct stat info;
    if (!cut && fstat(journal->fd, &info) == 0) journal->n_left = info.st_size;
    return psw_fail(err, rc,
                    "%s: cannot append at byte %lld: %s. %s; %s, then run the same command "
                    "again: finished runs are kept",
                    journal->path, (long long)journal->n_file, strerror(e),
                    cut ? "The journal is intact"
                        : "An unfinished record may stand at its end and will be cut",
                    rc == PSW_ENOSPC ? "free some space" : "find out why writing failed");
}

int64_t psw_journal_n_entry(const struct psw_journal *journal)
{
    return journal->n_entry;
}

const struct psw_journal_entry *psw_journal_entry_at(const struct psw_journal *journal,
                                                     int64_t i)
{
    return i >= 0 && i < journal->n_entry ? &journal->entry[i] : NULL;
}

/** The record's bytes as they stand on disk or in the buffer. */
static psw_status read_raw(const struct psw_journal *j, const struct psw_journal_entry *e,
                           unsigned char *to, struct psw_error *err)
{
    const size_t n = (size_t)psw_journal_record_bytes(e->n_bytes);
    if (e->offset >= j->n_file) {
        memcpy(to, j->buffer + (e->offset - j->n_file), n);
        return PSW_OK;
    }
    for (size_t n_done = 0; n_done < n;) {
        const ssize_t got =
            pread(j->fd, to + n_done, n - n_done, (off_t)(e->offset + (int64_t)n_done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fail_errno(j, "cannot read", err);
        n_done += (size_t)got;
    }
    return PSW_OK;
}

psw_status psw_journal_payload(struct psw_journal *journal, int64_t i, void **bytes,
                               struct psw_error *err)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
    if (!e) return psw_fail(err, PSW_EINVAL, "%s: no record %lld", journal->path, (long long)i);
    const int64_t n_record = psw_journal_record_bytes(e->n_bytes);
    unsigned char *raw = malloc((size_t)n_record + 1);
    if (!raw)
        return psw_fail(err, PSW_ENOMEM, "%s: %lld bytes", journal->path, (long long)n_record);
    struct psw_journal_entry seen;
    psw_status rc = read_raw(journal, e, raw, err);
    if (rc == PSW_OK && !psw_journal_decode(raw, e->offset, e->offset + n_record, &seen))
        rc = psw_fail(err, PSW_EDATA, "%s: byte %lld: the record changed after it was read",
                      journal->path, (long long)e->offset);
    if (rc != PSW_OK) {
        free(raw);
        return rc;
    }
    memmove(raw, raw + PSW_JOURNAL_HEAD_BYTES, e->n_bytes);
    raw[e->n_bytes] = 0;
    *bytes = raw;
    return PSW_OK;
}

psw_status psw_journal_record(struct psw_journal *journal, int64_t i, struct psw_record **out,
                              struct psw_error *err)
{
    void *bytes = NULL;
    psw_status rc = psw_journal_payload(journal, i, &bytes, err);
    if (rc != PSW_OK) return rc;
    rc = psw_record_unpack(bytes, journal->entry[i].n_bytes, out, err);
    if (rc != PSW_OK)
        psw_error_prefix(err, "%s: byte %lld", journal->path,
                         (long long)journal->entry[i].offset);
    free(bytes);
    return rc;
}

const struct psw_record *psw_journal_spec(const struct psw_journal *journal)
{
    return journal->spec;
}

int64_t psw_journal_torn_bytes(const struct psw_journal *journal)
{
    return journal->n_torn;
}

enum psw_outcome psw_journal_outcome(const struct psw_journal *journal, uint64_t run,
                                     int32_t *attempts)
{
    return psw_journal_index_outcome(journal->index, run, attempts);
}

int64_t psw_journal_progress(const struct psw_journal *journal, uint64_t run)
{
    return psw_journal_index_progress(journal->index, run);
}

int64_t psw_journal_content_entry(const struct psw_journal *journal, uint64_t run)
{
    return psw_journal_index_content(journal->index, run);
}

int32_t psw_journal_lost(const struct psw_journal *journal, uint64_t run)
{
    return psw_journal_index_lost(journal->index, run);
}

int32_t psw_journal_blamed(const struct psw_journal *journal, uint64_t run)
{
    return psw_journal_index_blamed(journal->index, run);
}

int psw_journal_has_stage(const struct psw_journal *journal, uint64_t key)
{
    return psw_journal_index_has_stage(journal->index, key);
}

int psw_journal_holder(const char *path, char *out, size_t n_bytes)
{
    char lock_path[PSW_PATH_BYTES + 8];
    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    return psw_lock_holder(lock_path, out, n_bytes);
}
