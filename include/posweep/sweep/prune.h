/* Taking runs out of a sweep: out of its journal and results file, and out of its work folder.
 */
#ifndef POSWEEP_SWEEP_PRUNE_H
#define POSWEEP_SWEEP_PRUNE_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>
#include <posweep/util/file.h>
#include <posweep/util/status.h>

/** What is to go. Everything is borrowed. A run goes if it is named, or fits all conditions. */
struct psw_prune_opts {
    const char *path;        /* results file */
    const char *const *name; /* [n_name] runs: first digits of the hash, or a label */
    int n_name;
    const char *where;    /* "method=dpo,policy.beta=0.1"; NULL: no such condition */
    unsigned outcomes;    /* bits 1 << enum psw_outcome; 0: any */
    int is_all_unasked;   /* finished runs that the sweep does not ask for any more */
    int has_work;         /* the work folder as well; without a condition all of it */
    const char *work_dir; /* NULL: path + ".work" */
};

/** A run that is to go. */
struct psw_prune_run {
    uint64_t hash;
    enum psw_outcome outcome;
    char *label; /* owned */
};

/** What would go. */
struct psw_prune_list {
    struct psw_prune_run *run; /* owned */
    int64_t n;
    int is_whole_work; /* the whole work folder goes */
    char work_dir[PSW_PATH_BYTES];
};

/** Find what is to go. Owns: the caller clears. MPI: Local.
 *  Errors: PSW_EINVAL for a condition that cannot be, a name that fits none or several, a sweep
 *  that jobs share; those of psw_journal_read, psw_sweep_reread. */
psw_status psw_prune_find(const struct psw_prune_opts *opts, struct psw_prune_list *out,
                          struct psw_error *err);
void psw_prune_list_clear(struct psw_prune_list *list);

/** Take it out: the journal is replaced in one step, PATH.journal.bak is the old one until the
 *  results file is written. Runs that the sweep asks for are to do again.
 *  Errors: PSW_EBUSY when somebody works on the sweep; those of writing. */
psw_status psw_prune_apply(const struct psw_prune_opts *opts, const struct psw_prune_list *list,
                           struct psw_error *err);

#endif
