/* Cells: the runs of a sweep that differ only in their seed, and which of them count. */
#ifndef POSWEEP_ANALYZE_CELLS_H
#define POSWEEP_ANALYZE_CELLS_H

#include <posweep/analyze/apart.h>
#include <posweep/analyze/traces.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** What of a file is looked at. All zero: everything. */
struct psw_selection {
    const char *method, *variant; /* only these; NULL: all */
    const char *along;            /* "sampled" or "soft"; NULL: soft where a cell has it */
    double max_kl;                /* of psw_apart_judge; 0: PSW_MAX_KL */
};

/** Replicates of one configuration. */
struct psw_cell {
    const int64_t *run;          /* [n_run] rows of the file, in sweep order; borrowed */
    const enum psw_apart *apart; /* [n_run] whether each counts; borrowed */
    int64_t n_run, n_done, n_used;
    enum psw_along along; /* the direction of its traces, one for all of them */
    char label[192];      /* "dpo vanilla policy_beta=0.1": settings that tell it from others */
};

/** The selected cells of a file, in sweep order. */
struct psw_cells {
    struct psw_cell *cell; /* owned */
    int64_t n_cell;
    int64_t *run;          /* owned: what the cells borrow */
    enum psw_apart *apart; /* owned: what the cells borrow */
};

/** Group the runs by method, variant and everything but the seed, and judge the replicates.
 *  Owns: the caller clears. Errors: PSW_ENOMEM; PSW_EDATA when the file lacks labels;
 *  PSW_EINVAL when the selection names what is not there, with the nearest name and all names.
 */
psw_status psw_cells_init(struct psw_results *results, const struct psw_traces *traces,
                          const struct psw_selection *selection, struct psw_cells *out,
                          struct psw_error *err);
void psw_cells_clear(struct psw_cells *cells);

#endif
