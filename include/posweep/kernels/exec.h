/* How kernels run: threads and scratch memory.
 *
 * Results do not depend on anything here but the number of threads (BLAS may cut sums
 * differently); one rank of one thread is the normal case. */
#ifndef POSWEEP_KERNELS_EXEC_H
#define POSWEEP_KERNELS_EXEC_H

#include <posweep/util/arena.h>

/** Handed to every kernel that needs scratch. Kernels take from scratch and rewind. With a
 *  measuring arena they only count and touch no memory. */
struct psw_exec {
    int n_thread;              /* BLAS threads, as pinned by psw_blas_pin */
    struct psw_arena *scratch; /* borrowed */
};

#endif
