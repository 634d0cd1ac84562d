/* What the machine allows, measured in turn with what is measured beside it. */
#ifndef POSWEEP_BENCH_YARDSTICK_H
#define POSWEEP_BENCH_YARDSTICK_H

#include <posweep/util/arena.h>

/** The operands of a large SGEMM; memory is the arena's. */
struct psw_yardstick {
    float *a, *b, *c; /* square */
    volatile float sink;
};

/** Take the memory; also from a measuring arena. */
void psw_yardstick_init(struct psw_yardstick *y, struct psw_arena *arena);

/** Seconds that one read of n floats takes. */
double psw_yardstick_stream_s(struct psw_yardstick *y, int64_t n, const float *x);

/** FLOPs per second of the SGEMM: the BLAS's, on as many threads as it is pinned to. */
double psw_yardstick_flop_per_s(struct psw_yardstick *y);

#endif
