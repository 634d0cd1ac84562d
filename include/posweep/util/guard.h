/* Work that bytes of strangers could crash, in a child process with limits.
 *
 * Libraries that parse files can be made to crash, to loop or to ask for all memory by the
 * bytes of a damaged or hostile file. The child then dies, and the parent says so in one
 * sentence. */
#ifndef POSWEEP_UTIL_GUARD_H
#define POSWEEP_UTIL_GUARD_H

#include <posweep/util/status.h>
#include <stdint.h>

/** What the child may use beyond what the parent has; 0: no limit. */
struct psw_guard_limits {
    int64_t memory_bytes; /* of address space; none under AddressSanitizer, which needs it */
    int64_t cpu_s;
};

/** Limits that reading any sound file of this many bytes stays far below, on a machine with
 * twice that memory: it is half of the machine's at most, and 1 GiB at least. */
struct psw_guard_limits psw_guard_limits_for(int64_t n_file_bytes);

/** Run work(ctx), which returns an exit status and may print, in a child with these limits.
 *  What it prints goes where the parent's output goes; it must not use MPI.
 *  Errors: PSW_EDATA when it died or met a limit, with `what` (a path) at the front; then
 *  *exit_status is not set. PSW_ENOMEM when there can be no child. */
psw_status psw_guard(int (*work)(void *ctx), void *ctx, struct psw_guard_limits limits,
                     const char *what, int *exit_status, struct psw_error *err);

#endif
