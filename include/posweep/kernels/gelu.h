/* Exact GELU, x Phi(x). Forward leaves the slope, so backward is one multiplication. */
#ifndef POSWEEP_KERNELS_GELU_H
#define POSWEEP_KERNELS_GELU_H

#include <stdint.h>

/** y = gelu(x), slope = gelu'(x); slope may be x itself. Shapes: [n]. */
void psw_gelu_forward(int64_t n, const float *x, float *y, float *slope);

/** Turn the cotangent of y into that of x, in place (x has no other reader, so there is nothing
 *  to add to), and add its column sums to b_bar, the bias before it (NULL: not wanted).
 *  Shapes: slope, bar [n_row][n_col], b_bar [n_col]. */
void psw_gelu_backward(int64_t n_row, int64_t n_col, const float *slope, float *bar,
                       float *b_bar);

/** Value and tangent in place. Shapes: x dual [2][n]. */
void psw_gelu_tangent(int64_t n, float *x);

#endif
