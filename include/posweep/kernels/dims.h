/* The alphabet of shapes, defined here and nowhere else.
 *
 * Arrays are row-major, last index fastest. Batches are packed: where a textbook has [B][T],
 * kernels have n_tok rows. `x_bar` is the cotangent of `x`, `x_dot` its tangent. A *dual* array
 * is the value followed by its tangent, [2][...]: tangent kernels carry both, so that one
 * matrix product serves both. */
#ifndef POSWEEP_KERNELS_DIMS_H
#define POSWEEP_KERNELS_DIMS_H

#include <stdint.h>

/** Sizes of a model. B (sequences) and T (positions) appear in comments and benchmarks only. */
struct psw_dims {
    int64_t L; /* layers */
    int64_t C; /* width of the residual stream */
    int64_t H; /* heads */
    int64_t D; /* width of a head, C / H */
    int64_t F; /* hidden width of the MLP */
    int64_t V; /* vocabulary */
    int64_t P; /* parameters, with the padding between tensors */
};

#endif
