/* Journals of several sweeps as one.
 *
 * Of every run, and of every shared stage, all records come from one source: the one that got
 * furthest (done before failed, diverged or stopped early before unfinished; of equals that are
 * not done, the one with more points and rungs, then the first). Runs that two sources have as
 * done must have the same results, bit for bit, in everything that is not volatile; one that is
 * done in one and was stopped early in another, what was logged until then. Sessions, remarks
 * and data sets of all sources are kept, each once, so that merging what was merged before
 * changes nothing. */
#ifndef POSWEEP_STORE_JOURNAL_MERGE_H
#define POSWEEP_STORE_JOURNAL_MERGE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

struct psw_journal_merge; /* opaque; holds the lock of the journal that it makes */

/** Begin: lock the journal at `path`, which need not be there, for writing.
 *  Owns: the caller ends. Errors: PSW_EBUSY naming who holds it; those of psw_lock. */
psw_status psw_journal_merge_begin(const char *path, double lock_wait_s,
                                   struct psw_journal_merge **out, struct psw_error *err);

/** Add the journal at `path` as a source: what stands there now. `name` is for messages.
 *  Errors: those of psw_journal_read; PSW_EINVAL when it has no sweep, or another version of
 * the schema. */
psw_status psw_journal_merge_add(struct psw_journal_merge *merge, const char *path,
                                 const char *name, struct psw_error *err);

int psw_journal_merge_n_source(const struct psw_journal_merge *merge);
/** Source i, in the order of adding. Borrowed. */
struct psw_journal *psw_journal_merge_source(const struct psw_journal_merge *merge, int i);
const char *psw_journal_merge_name(const struct psw_journal_merge *merge, int i);

/** Leave these runs out of what is written. Errors: PSW_ENOMEM. */
psw_status psw_journal_merge_leave_out(struct psw_journal_merge *merge, const uint64_t *run,
                                       int64_t n, struct psw_error *err);

/** What came together. Plain data. */
struct psw_journal_merge_counts {
    int64_t n_run;       /* done, failed or diverged in some source */
    int64_t n_twice;     /* done in several, and equal */
    int64_t n_completed; /* done in one, stopped early in another, and equal so far */
};

/** Write the merged journal in one step, as that of the sweep in `opts` (sweep_name, spec_hash,
 *  spec_text, run, n_run and label; with a provenance, also as a session of this process, which
 *  then is the last one). axes: as for the results file.
 *  Errors: PSW_EDATA naming run, dataset and both sources where done runs are not equal; those
 * of reading the sources and of writing; the journal that was there is then untouched. */
psw_status psw_journal_merge_write(struct psw_journal_merge *merge,
                                   const struct psw_journal_opts *opts,
                                   const struct psw_results_axes *axes,
                                   struct psw_journal_merge_counts *counts,
                                   struct psw_error *err);

/** Give the lock back. Accepts NULL. */
void psw_journal_merge_end(struct psw_journal_merge *merge);

#endif
