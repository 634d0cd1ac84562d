/* Linear maps of decoding, straight to the cpu, for callers that do not hold a backend yet. */
#ifndef POSWEEP_KERNELS_DECODE_LINEAR_H
#define POSWEEP_KERNELS_DECODE_LINEAR_H

#include <posweep/kernels/backend.h>

/** One layer's weights. Plain data, borrowed pointers. */
struct psw_decode_linear {
    int64_t n_out, n_in;
    const float *w;    /* [n_out][n_in] */
    const float *bias; /* [n_out] or NULL */
    int accumulate;    /* add to y instead of overwriting it */
};

static inline void psw_decode_linear(const struct psw_decode_linear *l, int64_t n_row,
                                     const float *x, float *y)
{
    const struct psw_linear_dims d = {n_row, l->n_in, l->n_out};
    const struct psw_linear_param p = {l->w, l->bias};
    (l->accumulate ? psw_backend_cpu.op.linear->decode_add
                   : psw_backend_cpu.op.linear->decode)(NULL, d, p, x, y);
}

#endif
