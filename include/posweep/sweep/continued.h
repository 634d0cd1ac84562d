/* Runs of a plan that can go on from the kept training of a finished run with fewer steps. */
#ifndef POSWEEP_SWEEP_CONTINUED_H
#define POSWEEP_SWEEP_CONTINUED_H

#include <posweep/config/sweep_file.h>
#include <posweep/sweep/work_plan.h>

/** Plain data. */
struct psw_continued {
    int64_t n_run;
    int64_t first, last; /* fewest and most steps that they have behind them */
};

/** Count them, of those that are wanted and have not begun, and tell the ledger what of their
 *  tasks is done. Of several that find the same training, all are counted, though the first
 * that begins takes it. MPI: Local. */
struct psw_continued psw_plan_continued(const struct psw_sweep *sweep,
                                        const struct psw_work_plan *plan, const char *work_dir,
                                        struct psw_ledger *ledger);

/** "4 runs can go on from step 100 to 200 of finished ones"; "" when there are none. Returns
 * out. MPI: Local. */
char *psw_continued_text(const struct psw_continued *c, char *out, size_t n_bytes);

#endif
