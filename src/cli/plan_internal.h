/* What the files of posweep plan share. */
#ifndef PSW_PLAN_INTERNAL_H
#define PSW_PLAN_INTERNAL_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>
#include <posweep/sweep/continued.h>
#include <posweep/sweep/label.h>
#include <posweep/sweep/work_plan.h>

/** A plan as it is printed. All borrowed. */
struct psw_plan_view {
    const struct psw_sweep *sweep;
    const struct psw_work_plan *plan;
    struct psw_labels *labels;
    const uint8_t *ended; /* [n_run] enum psw_outcome of runs that will not be repeated */
    int n_rank_node;      /* ranks that work on a node */
    struct psw_continued continued; /* known to the ledger */
    int all;                        /* long lists in full */
};

/** One line per cell: its runs differ in the seed alone. */
void psw_plan_print_cells(const struct psw_plan_view *view);

/** One line per run with hash and seed, or how to get them where they are many. */
void psw_plan_print_runs(const struct psw_plan_view *view);

#endif
