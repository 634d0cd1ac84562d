/* Buffers in ordinary memory. A device would copy where this copies, and let its queue and
 * events do what is empty here. */
#include "reference.h"

#include <stdlib.h>

static void *alloc(size_t n_bytes)
{
    return aligned_alloc(64, (n_bytes + 63) / 64 * 64);
}

static float *host(struct psw_exec *exec, float *buffer)
{
    (void)exec;
    return buffer;
}

static void copy(struct psw_exec *exec, int64_t n, const float *from, float *to)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) to[i] = from[i];
}

static void fill(struct psw_exec *exec, int64_t n, float value, float *x)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) x[i] = value;
}

static void gather(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                   const float *from, float *to)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < C; i++) to[r * C + i] = from[row[r] * C + i];
}

static void scatter_add(struct psw_exec *exec, int64_t n_row, int64_t C, const int32_t *row,
                        const float *from, float *to)
{
    (void)exec;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t i = 0; i < C; i++) to[row[r] * C + i] += from[r * C + i];
}

const struct psw_buffer_ops psw_reference_buffer = {.alloc = alloc,
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

const struct psw_queue_ops psw_reference_queue = {.open = open_queue,
                                                  .close = wait_queue,
                                                  .wait = wait_queue,
                                                  .event_open = open_event,
                                                  .event_close = close_event,
                                                  .event_record = order,
                                                  .event_await = order};
