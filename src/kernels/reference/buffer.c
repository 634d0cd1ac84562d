/* Buffers in ordinary memory. A device would copy where this copies. */
#include "reference.h"

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

const struct psw_buffer_ops psw_reference_buffer = {.memory = &psw_host_memory,
                                                    .read = copy,
                                                    .write = copy,
                                                    .fill = fill,
                                                    .copy = copy,
                                                    .gather = gather,
                                                    .scatter_add = scatter_add};
