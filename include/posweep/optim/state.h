/* State files: parameters, and what is needed to go on training with the same bits.
 *
 * One file holds a header, the parameters, optionally the two moment arrays of the optimiser
 * (whole, whatever the number of ranks that wrote them) and a block of caller's bytes, closed
 * by a checksum. Arrays are buffers of a backend. Files are written beside and renamed over; a
 * reader never meets a half-written one. */
#ifndef POSWEEP_OPTIM_STATE_H
#define POSWEEP_OPTIM_STATE_H

#include <posweep/parallel/shards.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/** What a state file holds. Plain data, pointers borrowed. */
struct psw_state {
    uint64_t key; /* what it belongs to: a file of another key is refused */
    int64_t step; /* updates done */
    int64_t n_param;
    float *param; /* [n_param], whole on every rank; NULL when it is read: not wanted */
    float *moment1, *moment2; /* this rank's slice of each, or NULL for parameters only */
    void *extra;              /* caller's bytes, e.g. metrics so far; may be NULL */
    size_t n_extra_bytes;     /* when it is read: room for them, then how many there were */
};

/** Write the state; rank 0 of the team writes, the others send their slices.
 *  Shapes: buffer [n_param], scratch on every rank (unused without moments).
 *  MPI: Collective (team->comm). Same on all ranks: key, step, n_param, and the result.
 *  Errors: PSW_ENOSPC, PSW_EPERM, PSW_EIO with the path; an older file is then untouched. */
psw_status psw_state_write(const struct psw_team *team, struct psw_exec *exec, const char *path,
                           const struct psw_state *state, float *buffer, struct psw_error *err);

/** Read a state into the arrays that `state` points to; key and n_param must match. Moments are
 *  read when moment1 is set (this rank's slice), extra bytes when extra is set and has room for
 * them. MPI: Collective (team->comm); every rank reads the file. Errors: PSW_ENOENT, PSW_EDATA
 * (wrong key, size or checksum; says which), PSW_EIO. */
psw_status psw_state_read(const struct psw_team *team, struct psw_exec *exec, const char *path,
                          struct psw_state *state, struct psw_error *err);

#endif
