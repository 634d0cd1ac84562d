/* Layout of a slot of a cache: keys [n_kv_head][capacity / 8][head_width][8], then values
 * [n_head][capacity][head_width rounded up to 8]. Scores are made for 8 to 32 positions at a
 * time; those beyond the last position are computed from whatever the memory holds and dropped.
 */
#include "cpu.h"
#include "lanes.h"

#include <posweep/util/status.h>

enum { N_GROUP = 4, GROUP = N_GROUP * PSW_N_LANE };

static int64_t padded(int64_t head_width)
{
    return (head_width + PSW_N_LANE - 1) / PSW_N_LANE * PSW_N_LANE;
}

static float *key_of(const struct psw_decode_cache *c, int64_t slot, int64_t head)
{
    return c->data + slot * c->stride + head * c->capacity * c->head_width;
}

static float *value_of(const struct psw_decode_cache *c, int64_t slot, int64_t head)
{
    return c->data + slot * c->stride + c->n_kv_head * c->capacity * c->head_width +
           head * c->capacity * padded(c->head_width);
}

int64_t psw_cpu_cache_capacity(int64_t n_position)
{
    return (n_position + GROUP - 1) / GROUP * GROUP;
}

int64_t psw_cpu_cache_n_elem(int64_t n_kv_head, int64_t head_width, int64_t capacity)
{
    return n_kv_head * capacity * (head_width + padded(head_width));
}

static void put_row(const struct psw_decode_cache *cache, int64_t slot, int64_t position,
                    const struct psw_qkv *layout, const float *row)
{
    const float *k = row + layout->k, *v = row + layout->v;
    const int64_t width = cache->head_width, wide = padded(width);
    PSW_ASSERT(position >= 0 && position < cache->capacity);
    for (int64_t h = 0; h < cache->n_kv_head; h++) {
        float *key = key_of(cache, slot, h) + position / PSW_N_LANE * width * PSW_N_LANE +
                     position % PSW_N_LANE;
        float *value = value_of(cache, slot, h) + position * wide;
        for (int64_t d = 0; d < width; d++) key[d * PSW_N_LANE] = k[h * layout->kv_step + d];
        memcpy(value, v + h * layout->kv_step, (size_t)width * sizeof *value);
        for (int64_t d = width; d < wide; d++) value[d] = 0.0f;
    }
}

void psw_cpu_cache_put(struct psw_exec *exec, const struct psw_decode_cache *cache,
                       struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv)
{
    (void)exec;
    for (int64_t r = 0; r < rows.n_row; r++)
        put_row(cache, rows.slot[r], rows.position[r], &layout, qkv + r * layout.row);
}

void psw_cpu_cache_copy(struct psw_exec *exec, const struct psw_decode_cache *cache,
                        int64_t from_slot, int64_t n_position, int64_t to_slot)
{
    const int64_t width = cache->head_width;
    const int64_t n_key = (n_position + PSW_N_LANE - 1) / PSW_N_LANE * PSW_N_LANE * width;
    (void)exec;
    for (int64_t h = 0; h < cache->n_kv_head; h++) {
        memcpy(key_of(cache, to_slot, h), key_of(cache, from_slot, h),
               (size_t)n_key * sizeof(float));
        memcpy(value_of(cache, to_slot, h), value_of(cache, from_slot, h),
               (size_t)(n_position * padded(width)) * sizeof(float));
    }
}

/** Scores of n_vec * 8 positions; even and odd elements of the head in sums of their own. */
PSW_INLINE void scores_any(const int n_vec, int64_t width, float scale, const float *q,
                           const float *key, float *score)
{
    const int64_t stride = width * PSW_N_LANE;
    psw_lanes even[N_GROUP] = {{0}}, odd[N_GROUP] = {{0}};
    int64_t d = 0;
    for (; d + 2 <= width; d += 2) {
        const psw_lanes a = psw_lanes_set(q[d]), b = psw_lanes_set(q[d + 1]);
        PSW_UNROLL
        for (int i = 0; i < n_vec; i++) {
            const float *k = key + i * stride + d * PSW_N_LANE;
            even[i] = psw_lanes_fma(a, psw_lanes_load(k), even[i]);
            odd[i] = psw_lanes_fma(b, psw_lanes_load(k + PSW_N_LANE), odd[i]);
        }
    }
    if (d < width) {
        const psw_lanes a = psw_lanes_set(q[d]);
        PSW_UNROLL
        for (int i = 0; i < n_vec; i++)
            even[i] =
                psw_lanes_fma(a, psw_lanes_load(key + i * stride + d * PSW_N_LANE), even[i]);
    }
    PSW_UNROLL
    for (int i = 0; i < n_vec; i++)
        psw_lanes_store(score + i * PSW_N_LANE, (even[i] + odd[i]) * psw_lanes_set(scale));
}

#define SCORES(n_vec)                                                                          \
    static void scores_##n_vec(int64_t width, float scale, const float *q, const float *key,   \
                               float *score)                                                   \
    {                                                                                          \
        scores_any(n_vec, width, scale, q, key, score);                                        \
    }
SCORES(1)
SCORES(2)
SCORES(3)
SCORES(4)

/** By number of vectors; the last positions of a sequence fill fewer than 4. */
static void (*const SCORES_OF[N_GROUP + 1])(int64_t, float, const float *, const float *,
                                            float *) = {NULL, scores_1, scores_2, scores_3,
                                                        scores_4};

/** Weighted sum of n_vec * 8 columns of the values, in n_part interleaved partial sums. */
PSW_INLINE void mix_any(const int n_vec, const int n_part, int64_t n_position, int64_t wide,
                        const float *weight, const float *value, float *y)
{
    psw_lanes sum[8] = {{0}};
    int64_t t = 0;
    for (; t + n_part <= n_position; t += n_part) {
        PSW_UNROLL
        for (int i = 0; i < n_vec * n_part; i++)
            sum[i] = psw_lanes_fma(
                psw_lanes_set(weight[t + i / n_vec]),
                psw_lanes_load(value + (t + i / n_vec) * wide + i % n_vec * PSW_N_LANE),
                sum[i]);
    }
    for (; t < n_position; t++) {
        PSW_UNROLL
        for (int i = 0; i < n_vec; i++)
            sum[i] = psw_lanes_fma(psw_lanes_set(weight[t]),
                                   psw_lanes_load(value + t * wide + i * PSW_N_LANE), sum[i]);
    }
    PSW_UNROLL
    for (int i = n_vec; i < n_vec * n_part; i++) sum[i % n_vec] += sum[i];
    PSW_UNROLL
    for (int i = 0; i < n_vec; i++) psw_lanes_store(y + i * PSW_N_LANE, sum[i]);
}

#define MIX(n_vec, n_part)                                                                     \
    static void mix_##n_vec(int64_t n_position, int64_t wide, const float *weight,             \
                            const float *value, float *y)                                      \
    {                                                                                          \
        mix_any(n_vec, n_part, n_position, wide, weight, value, y);                            \
    }
MIX(8, 1)
MIX(4, 2)
MIX(2, 4)
MIX(1, 8)

static const struct {
    int n_vec;
    void (*run)(int64_t, int64_t, const float *, const float *, float *);
} MIXES[] = {{8, mix_8}, {4, mix_4}, {2, mix_2}, {1, mix_1}};

/** y = weights times values, head_width columns in the widest pieces that fit. */
static void mix(int64_t n_position, int64_t width, const float *weight, const float *value,
                float *y)
{
    const int64_t wide = padded(width);
    float piece[8 * PSW_N_LANE];
    int64_t d = 0;
    for (size_t i = 0; i < sizeof MIXES / sizeof *MIXES; i++)
        for (; d + MIXES[i].n_vec * PSW_N_LANE <= wide; d += MIXES[i].n_vec * PSW_N_LANE) {
            const int64_t n = MIXES[i].n_vec * PSW_N_LANE;
            MIXES[i].run(n_position, wide, weight, value + d, piece);
            memcpy(y + d, piece, (size_t)(d + n <= width ? n : width - d) * sizeof *y);
        }
}

/** One row of queries against what it sees of the first n_position positions of its slot.
 * Scores begin at a whole vector. */
static void attend(const struct psw_decode_cache *cache, int64_t slot, int64_t n_position,
                   const struct psw_qkv *layout, const float *row, float *score, float *y)
{
    const int64_t width = cache->head_width;
    const float scale = 1.0f / sqrtf((float)width);
    const int64_t first = n_position - psw_qkv_n_key(layout, n_position - 1, 1);
    const int64_t wide = padded(width);
    PSW_ASSERT(n_position > 0 && n_position <= cache->capacity);
    for (int64_t h = 0; h < layout->n_head; h++) {
        const float *q = row + layout->q + h * layout->q_step;
        const int64_t kv = psw_qkv_kv_head(layout, h);
        for (int64_t t = first / PSW_N_LANE * PSW_N_LANE; t < n_position; t += GROUP) {
            const int64_t n_vec = (n_position - t + PSW_N_LANE - 1) / PSW_N_LANE;
            SCORES_OF[n_vec < N_GROUP ? n_vec : N_GROUP](
                width, scale, q, key_of(cache, slot, kv) + t * width, score + t);
        }
        float *seen = score + first;
        const float sum = psw_vec_exp_sum(n_position - first,
                                          psw_vec_max(n_position - first, seen), seen, seen);
        mix(n_position - first, width, seen, value_of(cache, slot, kv) + first * wide,
            y + h * width);
        psw_vec_scale(width, 1.0f / sum, y + h * width);
    }
}

void psw_cpu_attention_decode(struct psw_exec *exec, const struct psw_decode_cache *cache,
                              struct psw_decode_rows rows, struct psw_qkv layout,
                              const float *qkv, float *score, float *out)
{
    (void)exec;
    PSW_ASSERT(cache->n_kv_head == layout.n_kv_head && cache->head_width == layout.head_width);
    for (int64_t r = 0; r < rows.n_row; r++)
        attend(cache, rows.slot[r], rows.position[r] + 1, &layout, qkv + r * layout.row, score,
               out + r * layout.n_head * layout.head_width);
}
