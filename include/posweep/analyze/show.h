/* A first look at a results file, as text: per method, variant and swept settings the traces of
 * each component with their standard errors across seeds, small sparklines, sign shares,
 * crossings and final metrics. */
#ifndef POSWEEP_ANALYZE_SHOW_H
#define POSWEEP_ANALYZE_SHOW_H

#include <posweep/analyze/stats.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

struct psw_show_opts {
    int ascii;           /* 1: no UTF-8 in sparklines and signs */
    int all_components;  /* 0: total, pos, neg and those that stand beside them */
    int64_t n_column;    /* checkpoints shown as numbers; 0: 5 */
    const char *variant; /* only this one; NULL: all */
};

/** Write the text. Errors: PSW_EDATA when the file lacks what is shown; PSW_EIO. */
psw_status psw_show(FILE *out, struct psw_results *results, const struct psw_show_opts *opts,
                    struct psw_error *err);

/** Runs that differ only in their seed: the rows of the table. */
struct psw_cell {
    int64_t first;         /* a run of the cell */
    int64_t n_run, n_done; /* replicates, and those that finished */
    int64_t *run;          /* [n_run] owned by the list */
    char label[192];       /* "dpo vanilla policy_beta=0.1" */
};
struct psw_cells {
    struct psw_cell *cell; /* owned */
    int64_t n_cell;
    int64_t *run; /* owned: backing of the cells */
};
/** Group the runs by method, variant and swept settings other than the seed, in sweep order.
 *  Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_cells_init(struct psw_results *results, struct psw_cells *out,
                          struct psw_error *err);
void psw_cells_clear(struct psw_cells *cells);

/** Mean and standard error across the done replicates of G[.., checkpoint, component].
 *  Shapes: out, step [n_checkpoint]; step is NaN where no replicate has the checkpoint. */
void psw_cell_trace(struct psw_results *results, const struct psw_cell *cell, int64_t component,
                    struct psw_stat *out, double *step);

#endif
