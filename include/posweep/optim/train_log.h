/* The training log: what every so many-th step measured, and the few numbers that a controller
 * carries from step to step. Both belong to the saved state of a training. */
#ifndef POSWEEP_OPTIM_TRAIN_LOG_H
#define POSWEEP_OPTIM_TRAIN_LOG_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_MAX_METRICS = 32 };

/** Rows are steps 0, every, 2 every, ... Open struct. */
struct psw_train_log {
    const char *const
        *name; /* [n_metric] borrowed: of the schema; the last: tokens per second */
    int n_metric;
    int64_t every, n_row;
    int64_t n_step;     /* steps that were done, one that diverged included */
    double *saved;      /* owned: steps, controller, value, one behind the other */
    double *controller; /* [n_controller] */
    double *value;      /* [n_row][n_metric] */
};

/** name: ended by NULL. MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_train_log_init(struct psw_train_log *log, const char *const *name,
                              int64_t n_step, int64_t every, int n_controller,
                              struct psw_error *err);
/** Accepts a zeroed struct. */
void psw_train_log_clear(struct psw_train_log *log);

/** Whether a step's metrics go to the log. */
int psw_train_log_has(const struct psw_train_log *log, int64_t step);

/** Note a step as done, and its metrics if it is one of those. Shapes: metric [n_metric]. */
void psw_train_log_put(struct psw_train_log *log, int64_t step, const double *metric);

/** A metric, as it stands in a row; number 0 is the first of `name`. */
double psw_train_log_at(const struct psw_train_log *log, int64_t row, int metric);

/** Have the state of a training in log->saved, and return its bytes: as long as the steps that
 *  are done, however many there will be. */
size_t psw_train_log_pack(struct psw_train_log *log);

/** Bytes that log->saved has room for. */
size_t psw_train_log_room(const struct psw_train_log *log);

/** Take what was read into log->saved as the log of n_step steps; returns whether it is that.
 */
int psw_train_log_unpack(struct psw_train_log *log, size_t n_bytes, int64_t n_step);

#endif
