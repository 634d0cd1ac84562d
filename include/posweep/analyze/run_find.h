/* One run of a results file, as a user names it. */
#ifndef POSWEEP_ANALYZE_RUN_FIND_H
#define POSWEEP_ANALYZE_RUN_FIND_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>

enum { PSW_RUN_NAME_BYTES = 256 };

/** The row of a run and its name, "dpo flat policy_beta=0.1 seed 3": the label of its cell and
 *  its seed. The run is given by its whole name, by the first digits of its hash, or by a part
 *  of its name that no other has, in this order.
 *  Errors: PSW_ENOENT when no run or several fit, with the nearest or the first that fits. */
psw_status psw_run_find(struct psw_results *results, const char *words, int64_t *run,
                        char name[PSW_RUN_NAME_BYTES], struct psw_error *err);

#endif
