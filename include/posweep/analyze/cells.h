/* Cells: the runs of a sweep that differ only in their seed, and their traces with the spread
 * across seeds. */
#ifndef POSWEEP_ANALYZE_CELLS_H
#define POSWEEP_ANALYZE_CELLS_H

#include <posweep/analyze/stats.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Replicates of one configuration. */
struct psw_cell {
    const int64_t *run; /* [n_run] rows of the file, in sweep order; borrowed from the list */
    int64_t n_run, n_done;
    char label[192]; /* "dpo vanilla policy_beta=0.1": settings that tell it from others */
};

/** All cells of a file, in sweep order. */
struct psw_cells {
    struct psw_cell *cell; /* owned */
    int64_t n_cell;
    int64_t *run; /* owned: what the cells borrow */
};

/** Group the runs by method, variant and everything but the seed.
 *  Owns: the caller clears. Errors: PSW_ENOMEM; PSW_EDATA when the file lacks labels. */
psw_status psw_cells_init(struct psw_results *results, struct psw_cells *out,
                          struct psw_error *err);
void psw_cells_clear(struct psw_cells *cells);

/** G of a component across the done replicates.
 *  Shapes: out, step [n_checkpoint]; step is NaN where no replicate has the checkpoint. */
void psw_cell_trace(struct psw_results *results, const struct psw_cell *cell, int64_t component,
                    struct psw_stat *out, double *step);

/** Steps at which pos and neg cross, over the done replicates: n counts those that cross. */
struct psw_stat psw_cell_crossing(struct psw_results *results, const struct psw_cell *cell);

/** Share of checkpoints with G > 0 of each done replicate: mean over them, least, most.
 *  range may be NULL. */
struct psw_stat psw_cell_sign_share(struct psw_results *results, const struct psw_cell *cell,
                                    int64_t component, struct psw_interval *range);

/** A metric over `run` across the done replicates; n = 0 when it is not there. */
struct psw_stat psw_cell_metric(struct psw_results *results, const struct psw_cell *cell,
                                const char *name);

#endif
