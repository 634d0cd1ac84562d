/* Which runs are stopped early. Runs are compared at rungs only: places along training that are
 * the same for all. Whatever was decided at a rung stands in the journal (PSW_J_RUNG) and is
 * never decided again. Values come in whatever order the ranks bring them, so which runs are
 * stopped may differ from sweep to sweep; what a run computes does not. */
#ifndef POSWEEP_SRC_SWEEP_EARLY_STOP_H
#define POSWEEP_SRC_SWEEP_EARLY_STOP_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>

enum { PSW_STOP_TEXT_BYTES = 256 };

/** ASHA, stopping variant: a run goes on if it is among the best floor(n / reduction) of the n
 *  that have come to the rung, itself included; all go on while there are fewer than
 *  `reduction`. Equal values are not better than each other; NaN is worse than any number.
 *  Shapes: other [n_other], reordered. *threshold: the worst value that goes on; NaN: there is
 * none. MPI: Local. Source: Li et al. 2020, A System for Massively Parallel Hyperparameter
 * Tuning, algorithm 2; with stopping in place of promotion, Klein et al. 2020, section 3. */
int psw_asha_stops(double *other, int64_t n_other, double own, int is_min, int64_t reduction,
                   double *threshold);

/** Median stopping: a run is stopped if its best value so far is strictly worse than the median
 *  of the running averages, up to the same rung, of the runs that have finished; none is while
 *  fewer than min_runs have. Shapes: average [n], reordered. *threshold: the median, or NaN.
 *  MPI: Local. Source: Golovin et al. 2017, Google Vizier, section 3.2.2. */
int psw_median_stops(double *average, int64_t n, double best, int is_min, int64_t min_runs,
                     double *threshold);

/** What a run reported at a rung, and what was decided. */
struct psw_rung {
    uint64_t run;
    int64_t step;
    double value, threshold;
    int stops;
};

/** A run as the rule has it. */
struct psw_stop_run {
    uint64_t run;
    int is_ended;  /* by the rule */
    int is_exempt; /* begun again after that: somebody wants it whole */
    int64_t last;  /* of its rungs, the last, from 1; 0: none */
};

struct psw_early_stop {
    struct psw_stop_rule rule;
    struct psw_rung *rung; /* owned, [n_rung] */
    int64_t n_rung;
    struct psw_stop_run *run; /* owned, [n_run] by hash */
    int64_t n_run;
};

/** Take what the journal knows, and end in it the runs that were to be stopped when an earlier
 *  start ended. MPI: Local. Owns: the caller clears. Errors: those of the journal. */
psw_status psw_early_stop_init(const struct psw_sweep *sweep, struct psw_journal *journal,
                               struct psw_early_stop *out, struct psw_error *err);
/** Accepts a zeroed one. */
void psw_early_stop_clear(struct psw_early_stop *s);

/** A run has come to a rung: decide, and append that to the journal; *stops: 1 if it is to be
 *  stopped. MPI: Local. Errors: those of the journal. */
psw_status psw_early_stop_see(struct psw_early_stop *s, struct psw_journal *journal,
                              uint64_t run, int32_t attempt, const double step_value[2],
                              int *stops, struct psw_error *err);

/** "stopped by asha at step 40: score 0.41, to go on took 0.52": what the end of a run says.
 *  Returns out. */
char *psw_early_stop_text(const struct psw_early_stop *s, uint64_t run,
                          char out[PSW_STOP_TEXT_BYTES]);

#endif
