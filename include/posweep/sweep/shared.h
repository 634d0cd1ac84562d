/* One sweep, several jobs: each takes one part after the other (src/sweep/parts.h) and performs
 * it as a sweep of its own; whoever finds all parts done makes one file of them. Jobs speak to
 * each other through the file system alone, and may come, go and die at any moment. Of runs
 * that are added to the sweep file (opts->added) a job takes its share when its ranks idle, or
 * when it finds no part. */
#ifndef POSWEEP_SWEEP_SHARED_H
#define POSWEEP_SWEEP_SHARED_H

#include <posweep/sweep/run.h>

/** How a sweep is shared. Plain data. */
struct psw_share_opts {
    int32_t n_part; /* 0: by the number of jobs, runs and ranks; the first job's counts */
    int32_t n_job;  /* that there will be, at a guess; 0: unknown */
    int32_t job;    /* which this is, 0.. below n_job: where it begins to look for work */
};

/** As psw_sweep_run, of the parts that no other job has. *n_elsewhere: parts that are not done
 * and that other jobs work on; 0: everything has ended, and the results file is complete. MPI:
 * Collective (comm). Same on all ranks: the result. Errors: those of psw_sweep_run and
 * psw_parts_open. */
psw_status psw_sweep_run_shared(MPI_Comm comm, const struct psw_run_opts *opts,
                                const struct psw_share_opts *share, struct psw_run_summary *out,
                                int32_t *n_elsewhere, struct psw_error *err);

/** OUT.h5 -> OUT.h5.parts; whether a sweep with this output is being shared. Errors: PSW_EINVAL
 *  when too long. */
psw_status psw_shared_folder(const char *out_path, char out[PSW_PATH_BYTES],
                             struct psw_error *err);
int psw_shared_is(const char *out_path);

#endif
