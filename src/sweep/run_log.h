/* The log of a run: WORK/run-logs/NAME.log, what was said while its ranks worked on it, attempt
 * after attempt. It goes with the work folder; the last lines of a failed attempt go to the
 * journal. */
#ifndef POSWEEP_SWEEP_RUN_LOG_H
#define POSWEEP_SWEEP_RUN_LOG_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_RUN_LOG_BYTES = 2048, PSW_RUN_LOG_LINES = 10 };

/** Send the log of this process to that of a run, as well. Without it the work goes on.
 *  name: psw_recorder_name. */
void psw_run_log_begin(const char *work_dir, uint64_t name, int *fd);
void psw_run_log_end(int fd);

/** Its last lines, as a text; returns its length, 0 when there are none. */
size_t psw_run_log_tail(const char *work_dir, uint64_t name, char out[PSW_RUN_LOG_BYTES]);

#endif
