/* Token embedding: rows of a table. Its tangent is forward on the table's tangent. */
#ifndef POSWEEP_KERNELS_EMBEDDING_H
#define POSWEEP_KERNELS_EMBEDDING_H

#include <stdint.h>

struct psw_exec;

struct psw_embedding_ops {
    /** x = w[token]. Shapes: w [V][C], x [n_tok][C]. */
    void (*forward)(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                    const float *w, float *x);

    /** Add x_bar into the rows of w_bar, in token order. */
    void (*backward)(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                     const float *x_bar, float *w_bar);

    /** Value and tangent. Shapes: x dual [2][n_tok][C]. */
    void (*tangent)(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                    const float *w, const float *w_dot, float *x);
};

#include <posweep/kernels/backend.h>

#endif
