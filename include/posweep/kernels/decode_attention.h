/* Attention of single queries over a cache of keys and values: decoding one token at a time.
 *
 * Keys lie eight positions side by side, so that scores need no sums across lanes; values lie
 * position by position. A result depends on its own sequence only. Rows of queries, keys and
 * values are those that qkv.h describes. */
#ifndef POSWEEP_KERNELS_DECODE_ATTENTION_H
#define POSWEEP_KERNELS_DECODE_ATTENTION_H

#include <posweep/kernels/qkv.h>

/** Keys and values of one layer of one sequence. Plain data, borrowed pointers. */
struct psw_decode_cache {
    int64_t n_kv_head, head_width;
    int64_t capacity; /* positions; from psw_decode_cache_capacity */
    float *data;      /* psw_decode_cache_n_elem floats */
};

/** Smallest capacity that holds n_position positions. */
int64_t psw_decode_cache_capacity(int64_t n_position);

/** Floats of one cache. */
int64_t psw_decode_cache_n_elem(int64_t n_kv_head, int64_t head_width, int64_t capacity);

/** Store one position's keys and values. Shapes: row [layout->row]. */
void psw_decode_cache_put(const struct psw_decode_cache *cache, int64_t position,
                          const struct psw_qkv *layout, const float *row);

/** Copy the first n_position positions into another cache of the same dimensions. */
void psw_decode_cache_copy(const struct psw_decode_cache *from, int64_t n_position,
                           const struct psw_decode_cache *to);

/** y = softmax(q k' / sqrt(head_width)) v over the first n_position positions, with the
 *  queries of a row. Shapes: row [layout->row]; y [n_head][head_width]; score: scratch of
 *  `capacity` floats. */
void psw_decode_attention(const struct psw_decode_cache *cache, int64_t n_position,
                          const struct psw_qkv *layout, const float *row, float *score,
                          float *y);

#endif
