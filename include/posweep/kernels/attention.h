/* Attention over packed prefix trees: a token sees its own segment up to itself, and all of the
 * ancestors of its segment.
 *
 * Works in blocks of 64 query rows that stop at the diagonal; forward keeps the log-sum-exp of
 * each row and backward computes the probabilities again, so memory is linear in length.
 * Queries, keys and values are read from rows that qkv.h describes; in shapes, R is the length
 * of a row, H the query heads and D their width. */
#ifndef POSWEEP_KERNELS_ATTENTION_H
#define POSWEEP_KERNELS_ATTENTION_H

#include <posweep/data/batch.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/qkv.h>

/** out = softmax(q k' / sqrt(D)) v.
 *  Shapes: qkv [n_tok][R], out [n_tok][H][D], lse [n_tok][H]. */
void psw_attention_forward(struct psw_exec *exec, struct psw_qkv layout,
                           const struct psw_batch *batch, const float *qkv, float *out,
                           float *lse);

/** What backward reads: forward's arrays, and the cotangent of out. */
struct psw_attention_saved {
    const float *qkv, *out, *lse, *out_bar;
};

/** Add the cotangent of qkv; keys and values that several query heads read get their
 *  contributions in order of query head. Shapes: qkv_bar [n_tok][R]. */
void psw_attention_backward(struct psw_exec *exec, struct psw_qkv layout,
                            const struct psw_batch *batch, struct psw_attention_saved saved,
                            float *qkv_bar);

/** Value and tangent. Shapes: qkv dual [2][n_tok][R], out dual [2][n_tok][H][D]. */
void psw_attention_tangent(struct psw_exec *exec, struct psw_qkv layout,
                           const struct psw_batch *batch, const float *qkv, float *out);

#endif
