/* Agreement: no rank ever fails alone.
 *
 * Between two communications each rank does local work, then all call psw_agree, then all go on
 * or all return the same error. */
#ifndef POSWEEP_COMM_AGREE_H
#define POSWEEP_COMM_AGREE_H

#include <mpi.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Abort the job with file and line if an MPI call fails: after a broken communicator there is
 *  nothing to tidy. */
#define PSW_MPI(call)                                                                          \
    do {                                                                                       \
        const int mpi_rc_ = (call);                                                            \
        if (mpi_rc_ != MPI_SUCCESS) psw_mpi_failed(mpi_rc_, #call, __FILE__, __LINE__);        \
    } while (0)
_Noreturn void psw_mpi_failed(int mpi_rc, const char *call, const char *file, int line);

/** In debug builds: abort the job with the expression and both values where a whole number that
 *  must be the same on all ranks of a communicator is not. The value is evaluated there alone.
 *  MPI: Collective (comm) in debug builds, else Local. */
#ifdef PSW_DEBUG
#define PSW_CHECK_SAME(comm, value)                                                            \
    psw_check_same((comm), (int64_t)(value), #value, __FILE__, __LINE__)
#else
#define PSW_CHECK_SAME(comm, value) ((void)0)
#endif
void psw_check_same(MPI_Comm comm, int64_t value, const char *expression, const char *file,
                    int line);

/** End the job on all ranks with this exit status, because some do not answer any more: there
 * is nobody left to agree with. */
_Noreturn void psw_mpi_give_up(int exit_status);

/** Everyone returns the first failing rank's status and message, or PSW_OK if none failed.
 *  MPI: Collective (comm). May differ: local, err. */
psw_status psw_agree(MPI_Comm comm, psw_status local, struct psw_error *err);

/** Rank in, and size of, a communicator. MPI: Local. */
int psw_comm_rank(MPI_Comm comm);
int psw_comm_size(MPI_Comm comm);

/** 1 on one rank of every node. MPI: Collective (comm). May differ: the result. */
int psw_comm_is_first_of_node(MPI_Comm comm);

/** Whether a file is there, as rank 0 sees it.
 *  MPI: Collective (comm). Same on all ranks: the result. */
int psw_comm_file_exists(MPI_Comm comm, const char *path);

#endif
