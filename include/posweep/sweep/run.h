/* Running a sweep: what `posweep run` does, without the command line.
 *
 * Rank 0 reads the sweep file, keeps the journal and writes the results file; all ranks but 0
 * (or rank 0 alone) perform the stages. Runs that the journal knows as ended are not repeated.
 */
#ifndef POSWEEP_SWEEP_RUN_H
#define POSWEEP_SWEEP_RUN_H

#include <mpi.h>
#include <posweep/store/results.h>
#include <posweep/sweep/added.h>
#include <posweep/sweep/coordinator.h>
#include <posweep/util/status.h>

/** How the runs stand, or how a sweep ended. */
struct psw_run_summary {
    int64_t n_run, n_done, n_failed, n_diverged, n_timeout;
    int64_t n_censored; /* stopped early, by the rule of the sweep */
    int64_t n_before;   /* had ended in an earlier start */
    int64_t n_unasked;  /* finished in an earlier start, but not asked for by this one */
    double wall_s;
    int is_to_grow; /* PSW_ESTOP, of a part: to begin runs that were added (part.look) */
    int is_refused; /* nothing was begun */
};

struct psw_run_opts {
    const char *sweep_path;  /* rank 0 */
    const char *sweep_text;  /* rank 0: what to read in its place, as psw_sweep_reread does,
                                without warnings; NULL: the file */
    const char *const *sets; /* [n_sets] "key=value" */
    int n_sets;
    struct psw_added *added; /* rank 0, borrowed: runs that are added to the file meanwhile are
                                performed, too; NULL: they are not looked for */
    const char *out_path;    /* results file */
    struct {
        const char *dir; /* NULL: out_path + ".work" */
        int keep;        /* keep shared stages at the end */
    } work;
    int retry_failed; /* runs that failed, diverged or timed out are tried again */
    struct {          /* go on though an earlier start had other ones */
        int data;     /* data files */
        int cpu;      /* CPU type, BLAS or backend */
    } accept_changed;
    double snapshot_s; /* least time between results files while running; 0: 60 */
    const struct psw_results_note *note; /* [n_note] provenance */
    int n_note;
    void (*progress)(const struct psw_sweep_view *view,
                     const struct psw_run_summary *runs); /* rank 0; NULL: silent */
    struct {            /* rank 0: only a part of a sweep that several jobs share */
        const char *of; /* results file of the whole, whose work folder it uses; NULL: none */
        const uint64_t *run; /* [n_run] hashes of its runs, while the call begins */
        int64_t n_run;
        /* in place of `added`: of hooks.added in coordinator.h; what was before is kept there
         */
        int (*look)(void *ctx, int32_t n_spare);
        void *ctx;
        struct psw_sweep_earlier *earlier;
    } part;
};

/** Run the sweep, and what is added to its file meanwhile (opts->added). Outputs exist when
 *  this returns, also when it was stopped.
 *  MPI:    Collective (comm). Same on all ranks: the result.
 *  Errors: PSW_ESTOP: stopped early, everything saved, run again; PSW_EBUSY: another process
 *          works on the same output; PSW_EINVAL, PSW_EDATA, PSW_ENOSPC, ... before or while
 *          running. Runs that fail are no error here: see the summary and the results. */
psw_status psw_sweep_run(MPI_Comm comm, const struct psw_run_opts *opts,
                         struct psw_run_summary *out, struct psw_error *err);

/** Whether a results file may be written there.
 *  MPI: Local. Errors: PSW_ENOENT, PSW_EPERM, PSW_EINVAL when results without a journal would
 * be replaced. */
psw_status psw_run_check_output(const char *path, struct psw_error *err);

#endif
