/* The journal: the append-only truth of a sweep, X.h5.journal beside X.h5.
 *
 * A sequence of checksummed records; a record counts once psw_journal_sync has returned. A torn
 * tail, left by a kill or a full disk, is cut off at the next opening; a bad record with good
 * ones after it is corruption, and opening stops with file and byte offset. One process writes:
 * it holds a lock (flock on X.h5.journal.lock, which names process and host and whose time it
 * renews every second, from a thread of its own); readers need none. Identity is the run's
 * hash: a journal of an edited sweep file stays valid, records of runs that are no longer asked
 * for are kept and ignored. */
#ifndef POSWEEP_STORE_JOURNAL_H
#define POSWEEP_STORE_JOURNAL_H

#include <posweep/store/record.h>
#include <posweep/util/file.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/** What a record says. Part of the file format: append, never renumber. */
enum psw_journal_type {
    PSW_J_SPEC = 1, /* a packed record: sweep name, spec, runs; the first is the header */
    PSW_J_SESSION,  /* a packed record: a process began to write: pid, host, provenance; attempt
                       1: the one before has ended by itself, so no run is charged with it */
    PSW_J_STAGE,    /* a shared stage is done; run = its content hash */
    PSW_J_STARTED,  /* run, attempt: handed to a group; payload: host names as text, 0, ranks */
    PSW_J_PROGRESS, /* run, attempt: two doubles, done and total, of any unit */
    PSW_J_PIECE,    /* run, attempt: a packed record with results (schema names) */
    PSW_J_DONE,     /* run, attempt: finished; payload as PIECE, may be empty */
    PSW_J_FAILED,   /* run, attempt: failed for good; payload: message as text */
    PSW_J_DIVERGED, /* run, attempt: NaN or infinity; payload: message as text */
    PSW_J_INTERRUPTED, /* run, attempt: stopped, to be resumed; payload: message as text */
    PSW_J_FORECAST,    /* a struct psw_forecast: how far the sweep is, as its log says it */
    PSW_J_DATA,        /* run = hash of a data set: a packed record of the files it came from */
    PSW_J_REMARK,      /* about the ranks of a session; payload: text */
    PSW_J_STOP,        /* the session was asked to stop; payload: why, as text */
    PSW_J_DIED,        /* run, attempt: its rank was seen dead; payload: which, as text */
    PSW_J_ADVANCED,    /* run, attempt: went on from a later place than the one before */
    PSW_J_CONTENT,     /* run, attempt: a uint64, the content key of what attempts work on from
                          here on; points that came before, of another one, count no more */
    PSW_J_SILENT,  /* run, attempt: its rank hung and the job was ended; payload: which, as text
                    */
    PSW_J_TIMEOUT, /* run, attempt: saved, but its time was up; payload: message as text */
    PSW_J_LOG,     /* run, attempt that failed: the last lines of its log; payload: text */
    PSW_J_RUNG,    /* run, attempt: came to a rung of early stopping; payload: doubles: step,
                      value, 1 if it stops, threshold, kind of the rule + 16 metric, n, the n
                      values compared with */
    PSW_J_CENSORED, /* run, attempt: stopped early by a rule; payload: message as text */
    PSW_J_HOST,     /* a host that later starts leave out for a while; payload: its name, and
                       after a line end why; nothing after it: it works again */
    PSW_J_N_TYPE
};

/** How far a sweep is, by the one estimator that it has. Part of the file format. */
struct psw_forecast {
    double part_done; /* 0..1 of the predicted work */
    double left_s;    /* until the last run ends; NaN: unknown yet */
    double n_active;  /* runs and stages that are worked on */
    double n_rank;    /* ranks that work */
};

/** A record without its payload. */
struct psw_journal_entry {
    enum psw_journal_type type;
    int32_t attempt;
    uint64_t run;
    double time_s;  /* seconds since 1970 when it was appended; information only */
    int64_t offset; /* of the record in the file */
    size_t n_bytes; /* of the payload */
};

/** What the journal is for. All pointers are borrowed for the call. */
struct psw_journal_opts {
    const char *sweep_name; /* must be that of an existing journal */
    uint64_t spec_hash;     /* may differ from the journal's: the sweep file was edited */
    const char *spec_text;  /* the sweep file as read */
    const char *provenance; /* "key=value\n" lines: commit, libraries, hosts, Slurm ids... */
    int64_t n_run;
    const uint64_t *run; /* [n_run] hashes, in sweep order */
    const char *label;   /* what people call them, a line each; NULL: nothing */
    double lock_wait_s;  /* 0: the default of 10 s; negative: do not wait */
};

struct psw_journal; /* opaque; owns the file, the lock and the index */

/** X.h5 -> X.h5.journal. Errors: PSW_EINVAL when too long. */
psw_status psw_journal_path(const char *results_path, char out[PSW_PATH_BYTES],
                            struct psw_error *err);

/** Open for appending, or create; scan; cut a torn tail; append a PSW_J_SPEC record if the spec
 *  is new and a PSW_J_SESSION record; sync.
 *  MPI: Local (the coordinator's).
 *  Owns: the caller closes.
 *  Errors: PSW_EBUSY naming the process that holds it; PSW_EDATA with file and byte offset when
 *  it is corrupt; PSW_EINVAL when it belongs to another sweep or format version. */
psw_status psw_journal_open(const char *path, const struct psw_journal_opts *opts,
                            struct psw_journal **out, struct psw_error *err);

/** Open for reading only, without the lock, safe while another process appends: what stands
 *  there complete at this moment. While a writer holds the journal or the file grows, it ends
 *  before what cannot be read. Errors: PSW_ENOENT, PSW_EDATA as above, after a second look. */
psw_status psw_journal_read(const char *path, struct psw_journal **out, struct psw_error *err);

/** Close without syncing; the lock is given back. Accepts NULL. */
void psw_journal_close(struct psw_journal *journal);

/** Close; if this opening made the file, remove it. For a start that is refused, so that
 * nothing stays behind. Accepts NULL. */
void psw_journal_discard(struct psw_journal *journal);

/** Buffer a record. It is safe only after psw_journal_sync. The payload must not be longer than
 *  1 GiB. Errors: PSW_ENOMEM, PSW_EINVAL; those of psw_journal_sync when the buffer spills. */
psw_status psw_journal_append(struct psw_journal *journal, struct psw_journal_entry what,
                              const void *payload, struct psw_error *err);

/** Pack a record and append it. */
psw_status psw_journal_append_record(struct psw_journal *journal, enum psw_journal_type type,
                                     uint64_t run, int32_t attempt, struct psw_record *record,
                                     struct psw_error *err);

/** Write what is buffered and make it survive a crash, with one fdatasync for all of it. On
 *  failure the file is cut back to its last whole record and the buffer is kept, so that a
 *  later call may succeed. Errors: PSW_ENOSPC, PSW_EIO, saying what to do, those of
 *  psw_journal_check; the file then is left as it is. */
psw_status psw_journal_sync(struct psw_journal *journal, struct psw_error *err);

/** Whether the file still has its name and is as this writer left it; every sync that writes
 *  asks the same. Errors: PSW_EIO when it was removed, moved or replaced, saying what is lost;
 *  PSW_EBUSY as above. */
psw_status psw_journal_check(const struct psw_journal *journal, struct psw_error *err);

int64_t psw_journal_n_entry(const struct psw_journal *journal);
/** Entry i, in order of appending, buffered ones included. Borrowed until the next append. */
const struct psw_journal_entry *psw_journal_entry_at(const struct psw_journal *journal,
                                                     int64_t i);
/** Payload of entry i in memory that the caller frees; a 0 follows it. Its checksum is checked
 *  again. Errors: PSW_EIO, PSW_EDATA, PSW_ENOMEM. */
psw_status psw_journal_payload(struct psw_journal *journal, int64_t i, void **bytes,
                               struct psw_error *err);
/** The same, unpacked. The caller destroys the record. */
psw_status psw_journal_record(struct psw_journal *journal, int64_t i, struct psw_record **out,
                              struct psw_error *err);

/** The latest PSW_J_SPEC record: sweep_name, spec_hash, spec_text, run, label, cost. Borrowed.
 */
const struct psw_record *psw_journal_spec(const struct psw_journal *journal);

/** Bytes of torn tail that opening cut off (or, read-only, left alone). */
int64_t psw_journal_torn_bytes(const struct psw_journal *journal);

/** "pid 123 on node7 since ..." of the process that holds the journal: 1. 0 and "": none does.
 *  -1: the file system has no locks, and its heartbeat has not been heard for a while. */
int psw_journal_holder(const char *path, char *out, size_t n_bytes);

/** What a run came to, from its last decisive record. */
enum psw_outcome {
    PSW_OUTCOME_QUEUED,
    PSW_OUTCOME_RUNNING,
    PSW_OUTCOME_DONE,
    PSW_OUTCOME_FAILED,
    PSW_OUTCOME_DIVERGED,
    PSW_OUTCOME_INTERRUPTED,
    PSW_OUTCOME_TIMEOUT,
    PSW_OUTCOME_CENSORED, /* stopped early: how it would have ended is not known */
    PSW_N_OUTCOME
};
/** "queued", "running", ... as flag_meanings and status print them. */
const char *psw_outcome_name(enum psw_outcome outcome);

/** State of a run and the attempts it took (NULL: not wanted). DONE is never left again.
 *  Cost: one look into a table. */
enum psw_outcome psw_journal_outcome(const struct psw_journal *journal, uint64_t run,
                                     int32_t *attempts);
/** Entry of a run's last PROGRESS record (its payload: done and total, 2 doubles); -1: none. */
int64_t psw_journal_progress(const struct psw_journal *journal, uint64_t run);
/** Content key of what a run's attempts work on (PSW_J_CONTENT); 0: none is recorded.
 *  Errors: those of psw_journal_payload. */
psw_status psw_journal_content(struct psw_journal *journal, uint64_t run, uint64_t *out,
                               struct psw_error *err);
/** Whether the record of entry i, a piece that stands at a checkpoint (a point), is part of the
 * results: its run is done, and has had the same content since. */
int psw_journal_point_counts(const struct psw_journal *journal, int64_t i);
/** Checkpoints of which a run has a point of its present content, done or not: 1 where there is
 *  one. Shapes: is_there [n]. Errors: those of psw_journal_record. */
psw_status psw_journal_points(struct psw_journal *journal, uint64_t run, int64_t n,
                              uint8_t *is_there, struct psw_error *err);
/** Whether this is the end of a run, good or bad: DONE, FAILED, DIVERGED, TIMEOUT or
 * CENSORED. */
int psw_outcome_is_end(enum psw_outcome outcome);
/** Attempts of a run (or of a shared stage, by its content hash) that were lost with their
 * whole process, so that a new session found them running, since its last record of an end or
 * of an advance. When a rank was seen dead, only its run counts. */
int32_t psw_journal_lost(const struct psw_journal *journal, uint64_t run);
/** Of these, the ones that the run itself is blamed for: its rank was seen dead, or hung for
 * the second time, or it was alone at work and nobody had asked the session to stop. */
int32_t psw_journal_blamed(const struct psw_journal *journal, uint64_t run);
/** Whether a shared stage with this content hash is recorded as done. */
int psw_journal_has_stage(const struct psw_journal *journal, uint64_t key);

#endif
