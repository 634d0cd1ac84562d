/* How kernels run: on which backend, with which threads and scratch memory, in which queue.
 *
 * Results do not depend on anything here but the backend and the number of threads (BLAS may
 * cut sums differently); one rank of one thread is the normal case. */
#ifndef POSWEEP_KERNELS_EXEC_H
#define POSWEEP_KERNELS_EXEC_H

#include <posweep/util/arena.h>

struct psw_backend;
struct psw_queue;

/** Handed to every operation. Operations take from scratch and rewind. With a measuring arena
 *  they only count and touch no memory. All borrowed. */
struct psw_exec {
    int n_thread;                      /* BLAS threads, as pinned by psw_blas_pin */
    struct psw_arena *scratch;         /* its buffers are the backend's */
    const struct psw_backend *backend; /* NULL: cpu; ask psw_exec_backend */
    struct psw_queue *queue;           /* of the backend; NULL: everything is done at once */
    void (*alive)(void *ctx);          /* called between layers; NULL: nobody asks */
    void *alive_ctx;
};

/** Tell whoever asks that this rank goes on: after every layer. MPI: Local, or as `alive`. */
static inline void psw_exec_beat(const struct psw_exec *exec)
{
    if (exec->alive) exec->alive(exec->alive_ctx);
}

#endif
