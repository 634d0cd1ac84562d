/* What the files of this module share. */
#ifndef POSWEEP_STORE_INTERNAL_H
#define POSWEEP_STORE_INTERNAL_H

#include <posweep/store/journal.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/* lock.c: one writer per file, by a file beside it that only one process can make and that
 * says who holds it; flock on it tells a living holder from a dead one. */

struct psw_lock; /* opaque */

/** Make the lock file, waiting up to wait_s for its holder to go. On file systems without flock
 *  one of a process of another host is taken over when it has not beaten for a minute.
 *  Errors: PSW_EBUSY naming the holder; PSW_EPERM, PSW_EIO: a link, a pipe, no permission. */
psw_status psw_lock_take(const char *lock_path, double wait_s, struct psw_lock **out,
                         struct psw_error *err);
/** Remove the lock file, if it still is the one that was taken, and let go. Accepts NULL. */
void psw_lock_release(struct psw_lock *lock);
/** Text of the process that holds it: 1. 0 and "": none does. -1: no flock here, so the text is
 *  that of the last one that took it and did not give it back, alive or not. */
int psw_lock_holder(const char *lock_path, char *out, size_t n_bytes);

/** Whether a holder had it before that died, rather than one that gave it back. */
int psw_lock_was_left(const struct psw_lock *lock);

/** Whether another process has taken the lock over, which it may from a holder that fell
 * silent. */
int psw_lock_is_lost(const struct psw_lock *lock);

/* lock_beat.c: the heartbeat of a lock. */

struct psw_lock_beat; /* opaque */

/** Renew the time of the open lock file every second, in a thread. NULL: it cannot be done. */
struct psw_lock_beat *psw_lock_beat_begin(int fd);
void psw_lock_beat_end(struct psw_lock_beat *beat); /* accepts NULL */

/** Seconds since the last beat of the lock at `path`, open as fd, by the file system's own
 * clock, for which a file is made beside it; NaN: that cannot be done. */
double psw_lock_age_s(const char *path, int fd);
/** The same by the clock of this node, without making a file. */
double psw_lock_age_by_clock_s(int fd);

/* journal_format.c: bytes of one journal record, and walking over them. */

enum { PSW_JOURNAL_VERSION = 1, PSW_JOURNAL_HEAD_BYTES = 48 };

/** Whole size of a record in the file. */
static inline int64_t psw_journal_record_bytes(size_t n_payload)
{
    return PSW_JOURNAL_HEAD_BYTES + (int64_t)((n_payload + 7) & ~(size_t)7);
}

/** Encode head, payload and padding to `at`; what.offset is part of the checksum. */
void psw_journal_encode(unsigned char *at, struct psw_journal_entry what, const void *payload);

/** Decode the record at `offset` of a file of n_file bytes, of which `bytes` points to that
 *  place; 0 if there is no complete sound one. */
int psw_journal_decode(const unsigned char *bytes, int64_t offset, int64_t n_file,
                       struct psw_journal_entry *out);

/** Walk over a file, calling `see` for each record. *n_good: end of the last good one, also
 * when bad ones follow; untouched where the file is empty. Of a long file only a part is in
 * memory. Errors: PSW_EDATA with the byte offset when a bad record has a good one after it, or
 * when this is no journal; PSW_EINVAL for another format version; PSW_EIO. */
psw_status psw_journal_walk(const char *path, int fd,
                            psw_status (*see)(void *ctx, const struct psw_journal_entry *entry),
                            void *ctx, int64_t *n_good, int64_t *n_file, struct psw_error *err);

/** The records of PSW_J_SPEC, and of PSW_J_SESSION of this process (provenance: NULL for none).
 *  Owns: the caller destroys. Errors: PSW_ENOMEM; a fault of putting is the record's. */
psw_status psw_journal_spec_record(const struct psw_journal_opts *opts, struct psw_record **out,
                                   struct psw_error *err);
psw_status psw_journal_session_record(const char *provenance, struct psw_record **out,
                                      struct psw_error *err);

/** Entry of the last PSW_J_CONTENT of a run; -1: none. */
int64_t psw_journal_content_entry(const struct psw_journal *journal, uint64_t run);

/* journal_place.c */

/** What psw_journal_check promises, of an open file that should have n_left bytes. */
psw_status psw_journal_check_place(const char *path, int fd, int64_t n_left,
                                   struct psw_error *err);

/* journal_index.c: what came of each run and stage, kept while records go by. */

struct psw_journal_index; /* opaque */

psw_status psw_journal_index_create(struct psw_journal_index **out, struct psw_error *err);
void psw_journal_index_destroy(struct psw_journal_index *index);
/** at: the entry's place in the journal. */
psw_status psw_journal_index_see(struct psw_journal_index *index,
                                 const struct psw_journal_entry *entry, int64_t at);
enum psw_outcome psw_journal_index_outcome(const struct psw_journal_index *index, uint64_t run,
                                           int32_t *attempts);
int64_t psw_journal_index_progress(const struct psw_journal_index *index, uint64_t run);
/** Entry of the last PSW_J_CONTENT of a run; -1: none. */
int64_t psw_journal_index_content(const struct psw_journal_index *index, uint64_t run);
int32_t psw_journal_index_lost(const struct psw_journal_index *index, uint64_t run);
int32_t psw_journal_index_blamed(const struct psw_journal_index *index, uint64_t run);
int psw_journal_index_has_stage(const struct psw_journal_index *index, uint64_t key);

#endif
