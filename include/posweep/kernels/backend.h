/* A backend: where arrays of floats live, and how everything is computed that is done to them.
 *
 * Everything above `kernels` holds models, gradients, moments and activations in *buffers* of a
 * backend and never follows their pointers: an address is handed on, and may be moved by
 * arithmetic (param + offset), but only the backend reads and writes what stands there; `read`
 * and `write` are the way out and in. So a backend may keep buffers on a device, and the same
 * program runs on it; tests/support/checking.h is one whose buffers nobody else can touch,
 * under which whole runs are tested. In this module `float *` is a buffer unless a manual says
 * host memory; every `int32_t *`, every struct and psw_batch with its arrays is host memory.
 *
 * Time. A function may return before its work is done: work handed to one queue is done in the
 * order it was handed in, and work of different queues in any order but for events. Host memory
 * that a function takes may be changed as soon as it returns: the backend has copied what it
 * still needs. Functions whose manual says *waits* return when their results are in host
 * memory, after everything that was handed to the queue before. On cpu and reference everything
 * is done when a function returns, and queues and events are NULL.
 *
 * Bits. A backend gives the same bits for the same inputs, in any queue and at any time; sums
 * have a fixed order. Two backends need not agree to the bit.
 *
 * Scratch. Operations on attention and on the vocabulary head take from exec->scratch, an arena
 * whose buffers are the backend's, and rewind it; with a measuring arena they only count. The
 * others take nothing, so a plan may skip them. Nothing here fails: what cannot be done is our
 * own bug and aborts, but for memory->alloc.
 *
 * To add one: a folder beside cpu and reference, with a file per operation and one row; start
 * from reference, which is written to be read. `posweep selftest --backend NAME` and the tests
 * of this module, which run over all backends, hold it against the others. */
#ifndef POSWEEP_KERNELS_BACKEND_H
#define POSWEEP_KERNELS_BACKEND_H

#include <posweep/kernels/attention.h>
#include <posweep/kernels/draw.h>
#include <posweep/kernels/embedding.h>
#include <posweep/kernels/entropy.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/gelu.h>
#include <posweep/kernels/head.h>
#include <posweep/kernels/head_soft.h>
#include <posweep/kernels/headnorm.h>
#include <posweep/kernels/layernorm.h>
#include <posweep/kernels/linear.h>
#include <posweep/kernels/rmsnorm.h>
#include <posweep/kernels/rotary.h>
#include <posweep/kernels/swiglu.h>
#include <posweep/kernels/value.h>
#include <posweep/kernels/vector.h>
#include <stddef.h>

/** Memory. */
struct psw_buffer_ops {
    /** Where buffers are: what the buffers of an arena are dealt from. */
    const struct psw_arena_memory *memory;

    /** Copy to and from host memory. read waits. */
    void (*read)(struct psw_exec *exec, int64_t n, const float *buffer, float *host);
    void (*write)(struct psw_exec *exec, int64_t n, const float *host, float *buffer);

    /** x = value;  to = from, which do not overlap. */
    void (*fill)(struct psw_exec *exec, int64_t n, float value, float *x);
    void (*copy)(struct psw_exec *exec, int64_t n, const float *from, float *to);

    /** Row r of `to` = row row[r] of `from`. Shapes: to [n_row][C]. */
    void (*gather)(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                   const float *from, float *to);

    /** Row row[r] of `to` += row r of `from`, in order of r. Shapes: from [n_row][C]. */
    void (*scatter_add)(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                        const float *from, float *to);
};

struct psw_event; /* opaque, a backend's */

/** Queues of work, and events that order them. NULL stands for the backend's own queue. */
struct psw_queue_ops {
    struct psw_queue *(*open)(void);
    void (*close)(struct psw_queue *queue); /* waits */
    void (*wait)(struct psw_queue *queue);  /* for all that was handed in */

    struct psw_event *(*event_open)(void);
    void (*event_close)(struct psw_event *event);
    /** The event happens when what `queue` holds now is done. */
    void (*event_record)(struct psw_queue *queue, struct psw_event *event);
    /** Work handed to `queue` from now on begins after the event. Does not wait. */
    void (*event_await)(struct psw_queue *queue, struct psw_event *event);
};

/** Of backends whose functions return when their work is done: NULL, and nothing to wait for.
 */
extern const struct psw_queue_ops psw_queue_immediate;

/** The operations that models are made of, each a row of functions of its own header. */
struct psw_op_table {
    const struct psw_embedding_ops *embedding;
    const struct psw_layernorm_ops *layernorm;
    const struct psw_rmsnorm_ops *rmsnorm;
    const struct psw_headnorm_ops *headnorm;
    const struct psw_linear_ops *linear;
    const struct psw_rotary_ops *rotary;
    const struct psw_attention_ops *attention;
    const struct psw_gelu_ops *gelu;
    const struct psw_swiglu_ops *swiglu;
    const struct psw_head_ops *head;
    const struct psw_entropy_ops *entropy;
    const struct psw_value_ops *value;
    const struct psw_draw_ops *draw;
};

struct psw_backend {
    const char *name;
    const struct psw_buffer_ops *buffer;
    const struct psw_vector_ops *vector;
    const struct psw_queue_ops *queue;
    struct psw_op_table op;
};

/** cpu: BLAS and vectorised loops. reference: one number after another, to compare with. */
extern const struct psw_backend psw_backend_cpu, psw_backend_reference;

/** The backend of that name, or NULL. */
const struct psw_backend *psw_backend_find(const char *name);

/** Names of all backends, in order: the i-th, or NULL behind the last. */
const char *psw_backend_name(int i);

/** What exec runs on. */
static inline const struct psw_backend *psw_exec_backend(const struct psw_exec *exec)
{
    return exec->backend ? exec->backend : &psw_backend_cpu;
}

static inline const struct psw_op_table *psw_exec_ops(const struct psw_exec *exec)
{
    return &psw_exec_backend(exec)->op;
}

#endif
