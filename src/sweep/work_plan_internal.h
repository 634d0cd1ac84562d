/* Shared by the files of the plan. */
#ifndef POSWEEP_SRC_WORK_PLAN_INTERNAL_H
#define POSWEEP_SRC_WORK_PLAN_INTERNAL_H

#include <posweep/sweep/work_plan.h>

/** Say first which run a message is about. */
void psw_work_plan_name_run(const struct psw_sweep *sweep, const struct psw_run *run,
                            struct psw_error *err);

#endif
