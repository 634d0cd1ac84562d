/* How fast the coordinator is: empty tasks through the whole protocol. */
#ifndef POSWEEP_BENCH_DISPATCH_H
#define POSWEEP_BENCH_DISPATCH_H

#include <posweep/sweep/coordinator.h>

/** Mean microseconds per empty task, from assignment to done, with the given hooks (rank 0; may
 * be NULL) told of every one. MPI: Collective (comm). Same on all ranks: n_task, mean_us. */
psw_status psw_bench_dispatch(MPI_Comm comm, int32_t n_task,
                              const struct psw_sweep_hooks *hooks, double *mean_us,
                              struct psw_error *err);

#endif
