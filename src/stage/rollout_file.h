/* Rollouts of a checkpoint as a file: the trace sees the data of that step, not new samples. */
#ifndef POSWEEP_STAGE_ROLLOUT_FILE_H
#define POSWEEP_STAGE_ROLLOUT_FILE_H

#include <posweep/rollout/rollout.h>

/** Keep and fetch what a checkpoint's trace needs. MPI: Local. Errors: those of files. */
psw_status psw_rollout_write(const struct psw_rollout *r, const char *path,
                             struct psw_error *err);
psw_status psw_rollout_read(struct psw_rollout *r, const struct psw_dataset *data,
                            const char *path, struct psw_error *err);

#endif
