/* Products of a few rows with a weight matrix: what decoding is made of.
 *
 * A BLAS is built for many rows. With 1 to 32 rows the weights should be read once, in the
 * order they are stored, while the rows stay in cache. Every output is one dot product whose
 * bits depend on its row and its weights only: a row's result is the same alone or in any
 * batch. */
#ifndef POSWEEP_KERNELS_DECODE_LINEAR_H
#define POSWEEP_KERNELS_DECODE_LINEAR_H

#include <stdint.h>

/** One layer's weights. Plain data, borrowed pointers. */
struct psw_decode_linear {
    int64_t n_out, n_in;
    const float *w;    /* [n_out][n_in] */
    const float *bias; /* [n_out] or NULL */
    int accumulate;    /* add to y instead of overwriting it */
};

/** y = x w' + bias.  Shapes: x [n_row][n_in], y [n_row][n_out]. */
void psw_decode_linear(const struct psw_decode_linear *linear, int64_t n_row, const float *x,
                       float *y);

#endif
