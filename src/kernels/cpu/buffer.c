/* Buffers in ordinary memory. */
#include "cpu.h"
#include <posweep/kernels/vecmath.h>
#include <string.h>

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

const struct psw_buffer_ops psw_cpu_buffer = {.memory = &psw_host_memory,
                                              .read = copy,
                                              .write = copy,
                                              .fill = fill,
                                              .copy = copy,
                                              .gather = gather,
                                              .scatter_add = scatter_add};
