/* A chunk of rows on its way through the vocabulary: logits in blocks of columns, their running
 * softmax, and the way back from cotangents of logits. For the kernels that look at a row's
 * whole distribution (head.c, entropy.c). */
#ifndef POSWEEP_KERNELS_HEAD_CHUNK_H
#define POSWEEP_KERNELS_HEAD_CHUNK_H

#include "gemm.h"
#include <posweep/kernels/head.h>

enum { PSW_HEAD_COLS = 1024 }; /* columns of a block; the last one may have fewer */

struct psw_head_chunk {
    struct psw_head_dims d; /* n_row: of this chunk */
    struct psw_head_in in;  /* from this chunk's first row */
    float *weight_of;       /* [n_row][n_block] exponents used, then factors; of head.c */
    float *top, *sum;       /* [n_row] largest logit, sum of exponentials */
    int64_t n_block, room;  /* room: rows it can hold */
};

/** Rows per chunk: so many that their logits take bounded memory. */
int64_t psw_head_chunk_rows(struct psw_head_dims d);

/** Take a chunk's room from the scratch; the caller rewinds. */
struct psw_head_chunk psw_head_chunk_alloc(struct psw_exec *exec, struct psw_head_dims d);

/** Point a chunk at the rows from `first` on, as many as it holds and n_row leaves. */
void psw_head_chunk_move(struct psw_head_chunk *c, struct psw_head_in in, int64_t first,
                         int64_t n_row);

int64_t psw_head_block_cols(const struct psw_head_chunk *c, int64_t k);

/** Logits of block k, divided by the temperature. */
void psw_head_block_logits(const struct psw_head_chunk *c, int64_t k, struct psw_view_out out);

/** Their tangents. Shapes: x_dot [n_row][C] of the chunk's rows, w_dot [V][C]. */
void psw_head_block_logits_dot(const struct psw_head_chunk *c, int64_t k, const float *x_dot,
                               const float *w_dot, struct psw_view_out out);

/** Take block k of a row's logits into its running softmax; blocks come in order.
 *  exponential, exp(logit - top[r]) with the top so far, may be in place. */
void psw_head_block_take(struct psw_head_chunk *c, int64_t k, int64_t r, const float *logit,
                         float *exponential);

/** Add what the cotangents of block k's products x w' give. Shapes: bar [n_row][COLS], of the
 *  chunk's rows, like grad.x_bar. */
void psw_head_block_back(const struct psw_head_chunk *c, int64_t k, const float *bar,
                         struct psw_head_grad grad);

#endif
