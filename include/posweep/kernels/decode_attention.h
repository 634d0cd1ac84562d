/* Attention of decoding, straight to the cpu, for callers that do not hold a backend yet. */
#ifndef POSWEEP_KERNELS_DECODE_ATTENTION_H
#define POSWEEP_KERNELS_DECODE_ATTENTION_H

#include <posweep/kernels/backend.h>

static inline int64_t psw_decode_cache_capacity(int64_t n_position)
{
    return psw_backend_cpu.op.attention->cache_capacity(n_position);
}

static inline int64_t psw_decode_cache_n_elem(int64_t n_kv_head, int64_t head_width,
                                              int64_t capacity)
{
    return psw_backend_cpu.op.attention->cache_n_elem(n_kv_head, head_width, capacity);
}

static inline void psw_decode_cache_put(const struct psw_decode_cache *cache, int64_t position,
                                        const struct psw_qkv *layout, const float *row)
{
    const int32_t at = (int32_t)position, slot = 0;
    psw_backend_cpu.op.attention->cache_put(
        NULL, cache, (struct psw_decode_rows){1, &slot, &at}, *layout, row);
}

static inline void psw_decode_cache_copy(const struct psw_decode_cache *from,
                                         int64_t n_position, const struct psw_decode_cache *to)
{
    struct psw_decode_cache c = *from;
    c.stride = to->data - from->data;
    psw_backend_cpu.op.attention->cache_copy(NULL, &c, 0, n_position, 1);
}

static inline void psw_decode_attention(const struct psw_decode_cache *cache,
                                        int64_t n_position, const struct psw_qkv *layout,
                                        const float *row, float *score, float *y)
{
    const int32_t at = (int32_t)(n_position - 1), slot = 0;
    psw_backend_cpu.op.attention->decode(NULL, cache, (struct psw_decode_rows){1, &slot, &at},
                                         *layout, row, score, y);
}

#endif
