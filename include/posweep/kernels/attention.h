/* Attention over packed prefix trees: a token sees its own segment up to itself, and all of the
 * ancestors of its segment; of these, with a window of W tokens, the last W along its path from
 * the root, itself included.
 *
 * Works in blocks of 64 query rows that stop at the diagonal, and begin where the window of
 * their first row does; forward keeps the log-sum-exp of
 * each row and backward computes the probabilities again, so memory is linear in length.
 * Queries, keys and values are read from rows that qkv.h describes; in shapes, R is the length
 * of a row, H the query heads and D their width. */
#ifndef POSWEEP_KERNELS_ATTENTION_H
#define POSWEEP_KERNELS_ATTENTION_H

#include <posweep/data/batch.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/qkv.h>

/** What backward reads: forward's arrays, and the cotangent of out. */
struct psw_attention_saved {
    const float *qkv, *out, *lse, *out_bar;
};

/** Keys and values of one layer, of the sequences that are being decoded, one per slot. How a
 *  slot is laid out is the backend's secret. Plain data, borrowed pointers. */
struct psw_decode_cache {
    int64_t n_kv_head, head_width;
    int64_t capacity; /* positions of a slot; from cache_capacity */
    float *data;      /* of slot 0: cache_n_elem floats */
    int64_t stride;   /* from one slot to the next */
};

/** Rows of a step of decoding: row r is one token, of slot[r], at position[r]. Rows of one slot
 *  stand in order of position. */
struct psw_decode_rows {
    int64_t n_row;
    const int32_t *slot, *position;
};

struct psw_attention_ops {
    /** out = softmax(q k' / sqrt(D)) v.
     *  Shapes: qkv [n_tok][R], out [n_tok][H][D], lse [n_tok][H]. */
    void (*forward)(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out, float *lse);

    /** Add the cotangent of qkv; keys and values that several query heads read get their
     *  contributions in order of query head. Shapes: qkv_bar [n_tok][R]. */
    void (*backward)(struct psw_exec *exec, struct psw_qkv layout,
                     const struct psw_batch *batch, struct psw_attention_saved saved,
                     float *qkv_bar);

    /** Value and tangent. Shapes: qkv dual [2][n_tok][R], out dual [2][n_tok][H][D]. */
    void (*tangent)(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out);

    /** Smallest capacity that holds n_position positions; floats of one layer of one slot. */
    int64_t (*cache_capacity)(int64_t n_position);
    int64_t (*cache_n_elem)(int64_t n_kv_head, int64_t head_width, int64_t capacity);

    /** Store the keys and values of the rows. Shapes: qkv [rows->n_row][R]. */
    void (*cache_put)(struct psw_exec *exec, const struct psw_decode_cache *cache,
                      struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv);

    /** Copy the first n_position positions of a slot to another. */
    void (*cache_copy)(struct psw_exec *exec, const struct psw_decode_cache *cache,
                       int64_t from_slot, int64_t n_position, int64_t to_slot);

    /** forward for rows whose keys and values, and those before them, are in the cache. The
     *  bits of a row depend on its own sequence only.
     *  Shapes: qkv [rows->n_row][R], out [rows->n_row][H][D]; score: scratch, capacity floats.
     */
    void (*decode)(struct psw_exec *exec, const struct psw_decode_cache *cache,
                   struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv,
                   float *score, float *out);
};

#endif
