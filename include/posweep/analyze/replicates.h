/* Statistics over the replicates of a cell that count. */
#ifndef POSWEEP_ANALYZE_REPLICATES_H
#define POSWEEP_ANALYZE_REPLICATES_H

#include <posweep/analyze/cells.h>
#include <posweep/analyze/signs.h>
#include <posweep/analyze/stats.h>

/** A component at one checkpoint, over replicates. */
struct psw_replicates {
    double step;                      /* NaN: no replicate has the checkpoint */
    struct psw_stat scaled;           /* G over the norm of v: mean and standard error */
    struct psw_spread middle;         /* the same: median, quartiles, least, greatest */
    struct psw_spread g;              /* G */
    int64_t n_above, n_below, n_open; /* seeds by the sign of their own G */
};

/** Of component (or PSW_POS_MINUS_NEG) at a checkpoint. Shapes: scratch [n_run of the cell]. */
struct psw_replicates psw_replicates_at(const struct psw_traces *t, const struct psw_cell *cell,
                                        int64_t component, int64_t checkpoint, double *scratch);

/** Whether any replicate that counts has a value of the component. */
int psw_replicates_have(const struct psw_traces *t, const struct psw_cell *cell,
                        int64_t component);

/** Shares of signs along training: of each replicate over its checkpoints, then the mean over
 *  replicates; n counts replicates. */
struct psw_shares psw_replicates_shares(const struct psw_traces *t, const struct psw_cell *cell,
                                        int64_t component);

/** Crossings of pos and neg over replicates. */
struct psw_replicates_crossing {
    int64_t n;                 /* replicates whose pos - neg can be judged */
    int64_t n_pos_first;       /* pos leads, then neg */
    int64_t n_neg_first;       /* neg leads, then pos */
    struct psw_spread lo, hi;  /* ends of the intervals in which they cross, in steps */
    struct psw_interval share; /* 95 % Wilson interval of the share that crosses */
};

/** Shapes: scratch [2 * n_run of the cell + 3 * n_checkpoint]. */
struct psw_replicates_crossing psw_replicates_crossing(const struct psw_traces *t,
                                                       const struct psw_cell *cell,
                                                       double *scratch);

/** Elements of scratch that all of these functions are content with. */
int64_t psw_replicates_scratch(const struct psw_traces *t, const struct psw_cell *cell);

/** A metric over `run` across the replicates that count; n = 0 when it is not there. */
struct psw_stat psw_replicates_metric(struct psw_results *results, const struct psw_cell *cell,
                                      const char *name);

#endif
