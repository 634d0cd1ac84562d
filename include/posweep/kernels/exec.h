/* How kernels run: threads and scratch memory; and what is known of the BLAS beneath them.
 *
 * Results do not depend on anything here but the number of threads (BLAS may cut sums
 * differently); one rank of one thread is the normal case. */
#ifndef POSWEEP_KERNELS_EXEC_H
#define POSWEEP_KERNELS_EXEC_H

#include <posweep/util/arena.h>

/** Handed to every kernel that needs scratch. Kernels take from scratch and rewind. With a
 *  measuring arena they only count and touch no memory. */
struct psw_exec {
    int n_thread;              /* BLAS threads, as pinned by psw_exec_pin_blas */
    struct psw_arena *scratch; /* borrowed */
};

/** Pin the number of threads of the BLAS library, where it has a switch (OpenBLAS, BLIS).
 *  Returns 1 if a switch was found, else 0. */
int psw_exec_pin_blas(int n_thread);

/** Name and build of the BLAS, e.g. "OpenBLAS 0.3.21 ... Zen"; "unknown BLAS" where it has no
 *  call for that. Bits of results depend on it, so runs record it. Never NULL. */
const char *psw_exec_blas_name(void);

#endif
