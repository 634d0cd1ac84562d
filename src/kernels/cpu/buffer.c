/* Buffers in ordinary memory; queues that have nothing to wait for. */
#include "cpu.h"
#include <posweep/kernels/vecmath.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN_BYTES = 64 };

static void *alloc(size_t n_bytes)
{
    return aligned_alloc(ALIGN_BYTES, (n_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES);
}

static float *host(struct psw_exec *exec, float *buffer)
{
    (void)exec;
    return buffer;
}

static void copy(struct psw_exec *exec, int64_t n, const float *from, float *to)
{
    (void)exec;
    memcpy(to, from, (size_t)n * sizeof *to);
}

static void fill(struct psw_exec *exec, int64_t n, float value, float *x)
{
    (void)exec;
    if (value == 0.0f) {
        memset(x, 0, (size_t)n * sizeof *x);
        return;
    }
    for (int64_t i = 0; i < n; i++) x[i] = value;
}

static void gather(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                   const float *from, float *to)
{
    for (int64_t r = 0; r < n_row; r++) copy(exec, C, from + row[r] * C, to + r * C);
}

static void scatter_add(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                        const float *from, float *to)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++) psw_vec_add(C, from + r * C, to + row[r] * C);
}

const struct psw_buffer_ops psw_cpu_buffer = {.alloc = alloc,
                                              .free = free,
                                              .host = host,
                                              .read = copy,
                                              .write = copy,
                                              .fill = fill,
                                              .copy = copy,
                                              .gather = gather,
                                              .scatter_add = scatter_add};

static struct psw_queue *open_queue(void)
{
    return NULL;
}

static void wait_queue(struct psw_queue *queue)
{
    (void)queue;
}

static struct psw_event *open_event(void)
{
    return NULL;
}

static void close_event(struct psw_event *event)
{
    (void)event;
}

static void order(struct psw_queue *queue, struct psw_event *event)
{
    (void)queue;
    (void)event;
}

const struct psw_queue_ops psw_cpu_queue = {.open = open_queue,
                                            .close = wait_queue,
                                            .wait = wait_queue,
                                            .event_open = open_event,
                                            .event_close = close_event,
                                            .event_record = order,
                                            .event_await = order};
