/* Sweeps as one: their journals become one journal, and that a results file. */
#ifndef POSWEEP_SWEEP_SWEEP_MERGE_H
#define POSWEEP_SWEEP_SWEEP_MERGE_H

#include <posweep/store/journal_merge.h>
#include <posweep/util/status.h>

/** Everything is borrowed. */
struct psw_sweep_merge_opts {
    const char *const *path; /* [n_path] results files, beside each its journal */
    int n_path;
    const char *out_path;
    const char
        *sweep_path; /* a sweep file that asks for the runs; NULL: all that they asked for */
    const char *const *sets; /* [n_sets] "key=value" for it */
    int n_sets;
    struct { /* of these, sources may differ */
        int data, cpu;
    } accept_changed;
};

/** What came together. Plain data. */
struct psw_sweep_merge_summary {
    int64_t n_run, n_done; /* of the sweep */
    int64_t n_censored;    /* of the sweep, stopped early */
    int64_t n_unasked;     /* finished, but not asked for by it */
    struct psw_journal_merge_counts counts;
};

/** Merge. Sources that somebody works on give what they have. `out_path` may be one of them,
 * else neither it nor its journal may be there. Of a run that is done in one source and was
 * stopped early in another, what is done counts. One that was stopped early and is done in none
 * stays so if its rule is that of the sweep of the outcome, or if this is a given one without a
 * rule, which finishes it; else the rules contradict each other. MPI: Local. Errors: PSW_EINVAL
 * when they cannot stand in one file (versions of the schema, backends, CPU or BLAS, data,
 * rules of early stopping, naming both and a run) and where there is something at out_path;
 * those of psw_journal_merge_*, psw_sweep_reread, psw_results_write. */
psw_status psw_sweep_merge(const struct psw_sweep_merge_opts *opts,
                           struct psw_sweep_merge_summary *out, struct psw_error *err);

/** Hold the sources of a merge against each other: CPU, BLAS, backend, and the content of data
 *  files of one name. Errors: PSW_EINVAL naming both sources and what differs. */
psw_status psw_sweep_merge_check(const struct psw_journal_merge *merge, int accept_cpu,
                                 int accept_data, struct psw_error *err);

/** Write the journal of a merge as that of this sweep, and the results file at out_path.
 * provenance: as of psw_journal_opts. MPI: Local. Errors: those of the two. */
psw_status psw_sweep_merge_write(struct psw_journal_merge *merge, const struct psw_sweep *sweep,
                                 const char *out_path, const char *provenance,
                                 struct psw_sweep_merge_summary *out, struct psw_error *err);

#endif
