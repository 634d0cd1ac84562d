/* The rate of a large SGEMM and of reading memory. */
#include "yardstick.h"

#include <posweep/kernels/blas.h>
#include <posweep/kernels/vecmath.h>
#include <posweep/util/clock.h>

enum { SIZE = 768 };

void psw_yardstick_init(struct psw_yardstick *y, struct psw_arena *arena)
{
    y->a = psw_arena_f32(arena, SIZE * SIZE);
    y->b = psw_arena_f32(arena, SIZE * SIZE);
    y->c = psw_arena_f32(arena, SIZE * SIZE);
    for (int64_t i = 0; y->a && i < SIZE * SIZE; i++) y->a[i] = y->b[i] = (float)(i % 7) * 0.1f;
}

double psw_yardstick_stream_s(struct psw_yardstick *y, int64_t n, const float *x)
{
    const double start_s = psw_clock_s();
    y->sink = psw_vec_sum(n, x);
    return psw_clock_s() - start_s;
}

double psw_yardstick_flop_per_s(struct psw_yardstick *y)
{
    const double start_s = psw_clock_s();
    psw_blas_multiply(PSW_BLAS_NT,
                      (struct psw_blas_product){SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, 0.0f}, y->a,
                      y->b, y->c);
    return 2.0 * SIZE * SIZE * SIZE / (psw_clock_s() - start_s);
}
