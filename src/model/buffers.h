/* What the self-test asks about two buffers, read block by block and summed in double. */
#ifndef POSWEEP_MODEL_BUFFERS_H
#define POSWEEP_MODEL_BUFFERS_H

#include <posweep/kernels/exec.h>

/** sum a b;  sum |a b|;  the largest |a - b| / (1 + |b|), NaN if one is. */
double psw_buffers_inner(struct psw_exec *exec, int64_t n, const float *a, const float *b);
double psw_buffers_scale(struct psw_exec *exec, int64_t n, const float *a, const float *b);
double psw_buffers_distance(struct psw_exec *exec, int64_t n, const float *a, const float *b);

/** 1 where the bits of any two elements differ, else 0. */
double psw_buffers_differ(struct psw_exec *exec, int64_t n, const float *a, const float *b);

/** x = y + a z; x may be y. */
void psw_buffers_combine(struct psw_exec *exec, int64_t n, const float *y, float a,
                         const float *z, float *x);

/** The larger of two errors; NaN is the worst. */
double psw_worse(double a, double b);

#endif
