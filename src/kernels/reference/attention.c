/* Attention, one query after another. For a query q and the keys k_j and values v_j it sees:
 *   forward   s_j = q k_j / sqrt(D),  p = softmax(s),  out = sum_j p_j v_j
 *   backward  s_bar_j = p_j (out_bar v_j - out_bar out) / sqrt(D),
 *             q_bar += s_bar_j k_j,  k_bar_j += s_bar_j q,  v_bar_j += p_j out_bar
 *   tangent   s_dot_j = (q_dot k_j + q k_dot_j) / sqrt(D),
 *             out_dot = sum_j p_j (s_dot_j - sum_i p_i s_dot_i) v_j + p_j v_dot_j
 * A cache holds the keys and values of a position side by side: [capacity][n_kv_head][2][D]. */
#include "reference.h"

#include <math.h>
#include <posweep/util/status.h>

/* One query: what it sees, and its probabilities. */
struct query {
    const struct psw_qkv *layout;
    int64_t t, h;
    int64_t n;    /* keys it sees */
    int32_t *key; /* [n] their tokens */
    double *p;    /* [n] */
    double log_sum;
};

static const float *q_of(const struct query *y, const float *qkv)
{
    return qkv + y->t * y->layout->row + y->layout->q + y->h * y->layout->q_step;
}

/* Where the j-th key that the query sees stands in a qkv array; and its value. */
static int64_t k_at(const struct query *y, int64_t j)
{
    const int64_t kv = psw_qkv_kv_head(y->layout, y->h);
    return y->key[j] * y->layout->row + y->layout->k + kv * y->layout->kv_step;
}

static int64_t v_at(const struct query *y, int64_t j)
{
    return k_at(y, j) - y->layout->k + y->layout->v;
}

static double scale_of(const struct query *y)
{
    return 1.0 / sqrt((double)y->layout->head_width);
}

/* Scores to probabilities, in place; returns the logarithm of their sum of exponentials. */
static double softmax(int64_t n, double *p)
{
    double top = p[0], sum = 0.0;
    for (int64_t j = 1; j < n; j++) top = p[j] > top ? p[j] : top;
    for (int64_t j = 0; j < n; j++) sum += p[j] = exp(p[j] - top);
    for (int64_t j = 0; j < n; j++) p[j] /= sum;
    return top + log(sum);
}

/* A window ends what a query sees `distance` tokens back on its path. */
static int is_within(const struct query *y, int64_t distance)
{
    return y->layout->window == 0 || distance < y->layout->window;
}

/* What token t of segment s sees: all of its segment's ancestors, and its own segment up to
 * itself, as far as the window goes. */
static void see(struct query *y, const struct psw_batch *batch, int32_t s, int64_t t)
{
    const struct psw_segment *segment = batch->segment;
    y->t = t;
    y->n = 0;
    for (int64_t i = segment[s].start; i <= t; i++)
        if (is_within(y, t - i)) y->key[y->n++] = (int32_t)i;
    int64_t back = t - segment[s].start + 1; /* to the last token of the parent */
    for (int32_t a = segment[s].parent; a >= 0; a = segment[a].parent) {
        for (int64_t i = 0; i < segment[a].length; i++)
            if (is_within(y, back + segment[a].length - 1 - i))
                y->key[y->n++] = (int32_t)(segment[a].start + i);
        back += segment[a].length;
    }
}

static void attend(struct query *y, const float *qkv)
{
    for (int64_t j = 0; j < y->n; j++)
        y->p[j] = scale_of(y) *
                  psw_reference_inner(y->layout->head_width, q_of(y, qkv), qkv + k_at(y, j));
    y->log_sum = softmax(y->n, y->p);
}

typedef void query_work(void *ctx, struct query *y);

/* Call work for every token and head; dot: scratch of a query, [max_path]. */
static void each_query(struct psw_exec *exec, const struct psw_qkv *layout,
                       const struct psw_batch *batch, query_work *work, void *ctx)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct query y = {.layout = layout,
                      .key = psw_arena_i32(exec->scratch, batch->max_path),
                      .p = psw_arena_f64(exec->scratch, batch->max_path)};
    const int64_t n_seg = psw_arena_is_measuring(exec->scratch) ? 0 : batch->n_seg;
    for (int64_t s = 0; s < n_seg; s++)
        for (int64_t i = 0; i < batch->segment[s].length; i++)
            for (y.h = 0; y.h < layout->n_head; y.h++) {
                see(&y, batch, (int32_t)s, batch->segment[s].start + i);
                work(ctx, &y);
            }
    psw_arena_rewind(exec->scratch, mark);
}

struct forward {
    const float *qkv;
    float *out, *lse;
};

/* Place of the query's head in an [n_tok][H][D] array. */
static int64_t out_at(const struct query *y)
{
    return (y->t * y->layout->n_head + y->h) * y->layout->head_width;
}

static void query_forward(void *ctx, struct query *y)
{
    const struct forward *f = ctx;
    attend(y, f->qkv);
    f->lse[y->t * y->layout->n_head + y->h] = (float)y->log_sum;
    for (int64_t i = 0; i < y->layout->head_width; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < y->n; j++) sum += y->p[j] * f->qkv[v_at(y, j) + i];
        f->out[out_at(y) + i] = (float)sum;
    }
}

static void forward(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out, float *lse)
{
    each_query(exec, &layout, batch, query_forward, &(struct forward){qkv, out, lse});
}

struct backward {
    struct psw_attention_saved saved;
    float *qkv_bar;
};

static void query_backward(void *ctx, struct query *y)
{
    const struct backward *b = ctx;
    const float *qkv = b->saved.qkv, *q = q_of(y, qkv), *out_bar = b->saved.out_bar + out_at(y);
    const int64_t D = y->layout->head_width;
    float *q_bar = b->qkv_bar + (q - qkv);
    const double along = psw_reference_inner(D, b->saved.out + out_at(y), out_bar);
    attend(y, qkv);
    for (int64_t j = 0; j < y->n; j++) {
        const float *k = qkv + k_at(y, j), *v = qkv + v_at(y, j);
        float *k_bar = b->qkv_bar + k_at(y, j), *v_bar = b->qkv_bar + v_at(y, j);
        const double s_bar =
            scale_of(y) * y->p[j] * (psw_reference_inner(D, out_bar, v) - along);
        for (int64_t i = 0; i < D; i++) {
            v_bar[i] += (float)(y->p[j] * out_bar[i]);
            k_bar[i] += (float)(s_bar * q[i]);
            q_bar[i] += (float)(s_bar * k[i]);
        }
    }
}

static void backward(struct psw_exec *exec, struct psw_qkv layout,
                     const struct psw_batch *batch, struct psw_attention_saved saved,
                     float *qkv_bar)
{
    each_query(exec, &layout, batch, query_backward, &(struct backward){saved, qkv_bar});
}

struct tangent {
    const float *qkv, *qkv_dot;
    float *out, *out_dot;
};

static double score_dot(const struct tangent *d, const struct query *y, int64_t j)
{
    const int64_t D = y->layout->head_width, k = k_at(y, j);
    return scale_of(y) * (psw_reference_inner(D, q_of(y, d->qkv_dot), d->qkv + k) +
                          psw_reference_inner(D, q_of(y, d->qkv), d->qkv_dot + k));
}

static void query_tangent(void *ctx, struct query *y)
{
    const struct tangent *d = ctx;
    double mean = 0.0;
    attend(y, d->qkv);
    for (int64_t j = 0; j < y->n; j++) mean += y->p[j] * score_dot(d, y, j);
    for (int64_t i = 0; i < y->layout->head_width; i++) {
        double value = 0.0, dot = 0.0;
        for (int64_t j = 0; j < y->n; j++) {
            const double v = d->qkv[v_at(y, j) + i], v_dot = d->qkv_dot[v_at(y, j) + i];
            value += y->p[j] * v;
            dot += y->p[j] * ((score_dot(d, y, j) - mean) * v + v_dot);
        }
        d->out[out_at(y) + i] = (float)value;
        d->out_dot[out_at(y) + i] = (float)dot;
    }
}

static void tangent(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out)
{
    struct tangent d = {.qkv = qkv, .out = out};
    if (!psw_arena_is_measuring(exec->scratch)) {
        d.qkv_dot = qkv + batch->n_tok * layout.row;
        d.out_dot = out + batch->n_tok * layout.n_head * layout.head_width;
    }
    each_query(exec, &layout, batch, query_tangent, &d);
}

static int64_t cache_capacity(int64_t n_position)
{
    return n_position;
}

static int64_t cache_n_elem(int64_t n_kv_head, int64_t head_width, int64_t capacity)
{
    return capacity * n_kv_head * 2 * head_width;
}

/* The key of a head at a position of a slot; its value stands behind it. */
static float *cached(const struct psw_decode_cache *c, int64_t slot, int64_t position,
                     int64_t kv)
{
    PSW_ASSERT(position >= 0 && position < c->capacity);
    return c->data + slot * c->stride + (position * c->n_kv_head + kv) * 2 * c->head_width;
}

static void cache_put(struct psw_exec *exec, const struct psw_decode_cache *cache,
                      struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv)
{
    (void)exec;
    for (int64_t r = 0; r < rows.n_row; r++)
        for (int64_t kv = 0; kv < layout.n_kv_head; kv++) {
            const float *from = qkv + r * layout.row + kv * layout.kv_step;
            float *to = cached(cache, rows.slot[r], rows.position[r], kv);
            for (int64_t i = 0; i < layout.head_width; i++) {
                to[i] = from[layout.k + i];
                to[layout.head_width + i] = from[layout.v + i];
            }
        }
}

static void cache_copy(struct psw_exec *exec, const struct psw_decode_cache *cache,
                       int64_t from_slot, int64_t n_position, int64_t to_slot)
{
    const int64_t n = n_position * cache->n_kv_head * 2 * cache->head_width;
    const float *from = cache->data + from_slot * cache->stride;
    float *to = cache->data + to_slot * cache->stride;
    (void)exec;
    for (int64_t i = 0; i < n; i++) to[i] = from[i];
}

/* One head of one row, which sees the positions [first, end). Weights are made twice rather
 * than kept: score holds floats. */
static void decode_head(const struct psw_decode_cache *cache, int64_t slot, int64_t first,
                        int64_t end, int64_t kv, const float *q, float *score, float *out)
{
    const int64_t D = cache->head_width;
    const double scale = 1.0 / sqrt((double)D);
    double top = -INFINITY, sum = 0.0;
    for (int64_t t = first; t < end; t++) {
        score[t] = (float)(scale * psw_reference_inner(D, q, cached(cache, slot, t, kv)));
        top = score[t] > top ? score[t] : top;
    }
    for (int64_t t = first; t < end; t++) sum += exp(score[t] - top);
    for (int64_t i = 0; i < D; i++) {
        double mixed = 0.0;
        for (int64_t t = first; t < end; t++)
            mixed += exp(score[t] - top) / sum * cached(cache, slot, t, kv)[D + i];
        out[i] = (float)mixed;
    }
}

static void decode(struct psw_exec *exec, const struct psw_decode_cache *cache,
                   struct psw_decode_rows rows, struct psw_qkv layout, const float *qkv,
                   float *score, float *out)
{
    (void)exec;
    for (int64_t r = 0; r < rows.n_row; r++) {
        const int64_t end = rows.position[r] + 1;
        const int64_t first = layout.window && end > layout.window ? end - layout.window : 0;
        for (int64_t h = 0; h < layout.n_head; h++)
            decode_head(cache, rows.slot[r], first, end, psw_qkv_kv_head(&layout, h),
                        qkv + r * layout.row + layout.q + h * layout.q_step, score,
                        out + (r * layout.n_head + h) * layout.head_width);
    }
}

const struct psw_attention_ops psw_reference_attention = {.forward = forward,
                                                          .backward = backward,
                                                          .tangent = tangent,
                                                          .cache_capacity = cache_capacity,
                                                          .cache_n_elem = cache_n_elem,
                                                          .cache_put = cache_put,
                                                          .cache_copy = cache_copy,
                                                          .decode = decode};
