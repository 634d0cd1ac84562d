/* Attention in tiles: 64 query rows of one head against all keys they may see.
 *
 * The keys of a block of queries are a chain of token ranges: the ancestors of its segment, and
 * the segment itself up to the block's last row; ranges that touch are merged. A tile's columns
 * hold the chain in order, so every row sees a prefix of its tile: the ancestors, and its own
 * segment up to itself. With a window the chain begins where the first row's does, and later
 * rows do not see the tile's first columns. Columns that a row does not see are set to zero. */
#include "cpu.h"

#include "gemm.h"
#include <posweep/kernels/vecmath.h>

enum { ROWS = 64, LANES = 16 };
enum part { QUERY, KEY, VALUE, N_PART };

/* A block of queries of one segment and head. */
struct block {
    const struct psw_segment *segment;
    int32_t s;           /* the segment of the queries */
    int64_t first, last; /* query tokens [first, last) */
    int64_t n_key;       /* columns of the tile */
    int64_t window;      /* tokens that a row sees; 0: all */
    int64_t h, H, D;
    int64_t row, at[N_PART]; /* length of a qkv row; where the head's parts begin in it */
};

struct tile {
    float *at; /* [ROWS][ld] */
    int64_t ld;
};

/* Tokens [start, end) of the chain, the tile's column of the first, and the segment with which
 * the rest of the chain begins, or -1. */
struct range {
    int64_t start, end, column;
    int32_t rest;
};

static struct range range_of(const struct block *b, int32_t s, int64_t end, int64_t columns)
{
    struct range r = {.start = b->segment[s].start, .end = end, .rest = b->segment[s].parent};
    while (r.rest >= 0 && b->segment[r.rest].start + b->segment[r.rest].length == r.start) {
        r.start = b->segment[r.rest].start;
        r.rest = b->segment[r.rest].parent;
    }
    r.column = columns - (r.end - r.start);
    if (r.column <= 0) { /* the root, or where the window begins */
        r.start -= r.column;
        r.column = 0;
        r.rest = -1;
    }
    return r;
}

/* The chain from a block's own rows up to the root. */
static struct range chain_begin(const struct block *b)
{
    return range_of(b, b->s, b->last, b->n_key);
}

static int chain_next(const struct block *b, struct range *r)
{
    if (r->rest < 0) return 0;
    const struct psw_segment *s = &b->segment[r->rest];
    *r = range_of(b, r->rest, s->start + s->length, r->column);
    return 1;
}

/* Rows of the block's head from token t on: queries, keys or values of a qkv array. */
static struct psw_view rows_of(const struct block *b, const float *qkv, enum part part,
                               int64_t t)
{
    return (struct psw_view){qkv + t * b->row + b->at[part], b->row};
}

static struct psw_view_out rows_out(const struct block *b, float *qkv, enum part part,
                                    int64_t t)
{
    return (struct psw_view_out){qkv + t * b->row + b->at[part], b->row};
}

/* The block's rows of an [n_tok][H][D] array. */
static struct psw_view head_rows(const struct block *b, const float *x)
{
    return (struct psw_view){x + (b->first * b->H + b->h) * b->D, b->H * b->D};
}

static struct psw_view_out head_rows_out(const struct block *b, float *x)
{
    return (struct psw_view_out){x + (b->first * b->H + b->h) * b->D, b->H * b->D};
}

/* tile = scale left part' + beta tile. */
static void tile_from_keys(const struct block *b, struct psw_view left, const float *qkv,
                           enum part part, const float scale_beta[2], struct tile tile)
{
    struct range r = chain_begin(b);
    do {
        psw_gemm_nt((struct psw_gemm){b->last - b->first, r.end - r.start, b->D, scale_beta[0],
                                      scale_beta[1]},
                    left, rows_of(b, qkv, part, r.start),
                    (struct psw_view_out){tile.at + r.column, tile.ld});
    } while (chain_next(b, &r));
}

/* out = tile part + beta out. */
static void rows_from_keys(const struct block *b, struct tile tile, const float *qkv,
                           enum part part, float beta, struct psw_view_out out)
{
    struct range r = chain_begin(b);
    do {
        psw_gemm_nn((struct psw_gemm){b->last - b->first, b->D, r.end - r.start, 1.0f, beta},
                    (struct psw_view){tile.at + r.column, tile.ld},
                    rows_of(b, qkv, part, r.start), out);
        beta = 1.0f;
    } while (chain_next(b, &r));
}

/* part of qkv_bar += tile' rows. */
static void keys_from_rows(const struct block *b, struct tile tile, struct psw_view rows,
                           float *qkv_bar, enum part part)
{
    struct range r = chain_begin(b);
    do {
        psw_gemm_tn((struct psw_gemm){r.end - r.start, b->D, b->last - b->first, 1.0f, 1.0f},
                    (struct psw_view){tile.at + r.column, tile.ld}, rows,
                    rows_out(b, qkv_bar, part, r.start));
    } while (chain_next(b, &r));
}

/* The columns of its tile that the block's row i sees are [first_seen, end_seen). */
static int64_t end_seen(const struct block *b, int64_t i)
{
    return b->n_key - (b->last - b->first) + i + 1;
}

static int64_t first_seen(const struct block *b, int64_t i)
{
    const int64_t end = end_seen(b, i);
    return b->window > 0 && end > b->window ? end - b->window : 0;
}

static void clear_unseen(const struct block *b, int64_t i, float *row)
{
    for (int64_t j = 0; j < first_seen(b, i); j++) row[j] = 0.0f;
    for (int64_t j = end_seen(b, i); j < b->n_key; j++) row[j] = 0.0f;
}

/* Put scores of no weight around what row i sees, up to whole vectors; returns that length. */
static int64_t pad_scores(const struct block *b, int64_t i, float *row)
{
    const int64_t n = end_seen(b, i), padded = (n + LANES - 1) / LANES * LANES;
    for (int64_t j = 0; j < first_seen(b, i); j++) row[j] = -INFINITY;
    for (int64_t j = n; j < padded; j++) row[j] = -INFINITY;
    return padded;
}

typedef void block_work(void *ctx, const struct block *b);

/* A block of the head h, of no tokens yet. */
static struct block head_of(const struct psw_qkv *layout, int64_t h)
{
    const int64_t kv = psw_qkv_kv_head(layout, h) * layout->kv_step;
    return (struct block){
        .h = h,
        .H = layout->n_head,
        .D = layout->head_width,
        .row = layout->row,
        .window = layout->window,
        .at = {layout->q + h * layout->q_step, layout->k + kv, layout->v + kv}};
}

static void each_block(const struct psw_qkv *layout, const struct psw_batch *batch,
                       block_work *work, void *ctx)
{
    for (int64_t s = 0; s < batch->n_seg; s++) {
        const struct psw_segment *own = &batch->segment[s];
        int64_t n_before = 0;
        for (int32_t a = own->parent; a >= 0; a = batch->segment[a].parent)
            n_before += batch->segment[a].length;
        for (int64_t h = 0; h < layout->n_head; h++) {
            struct block b = head_of(layout, h);
            b.segment = batch->segment;
            b.s = (int32_t)s;
            for (int64_t i = 0; i < own->length; i += ROWS) {
                const int64_t end = i + ROWS < own->length ? i + ROWS : own->length;
                b.first = own->start + i;
                b.last = own->start + end;
                b.n_key = psw_qkv_n_key(layout, n_before + i, end - i);
                work(ctx, &b);
            }
        }
    }
}

static struct tile tile_alloc(struct psw_exec *exec, const struct psw_qkv *layout,
                              const struct psw_batch *batch)
{
    const int64_t n_before = batch->max_path - ROWS; /* of the widest block */
    const int64_t n_key =
        n_before > 0 ? psw_qkv_n_key(layout, n_before, ROWS) : batch->max_path;
    const int64_t ld = (n_key + LANES - 1) / LANES * LANES;
    return (struct tile){psw_arena_f32(exec->scratch, ROWS * ld), ld};
}

static float score_scale(const struct block *b)
{
    return (float)(1.0 / sqrt((double)b->D));
}

struct forward {
    const float *qkv;
    float *out, *lse;
    struct tile tile;
};

static void forward_block(void *ctx, const struct block *b)
{
    const struct forward *f = ctx;
    const float fresh[2] = {score_scale(b), 0.0f};
    float inverse[ROWS];
    tile_from_keys(b, rows_of(b, f->qkv, QUERY, b->first), f->qkv, KEY, fresh, f->tile);
    for (int64_t i = 0; i < b->last - b->first; i++) {
        float *row = f->tile.at + i * f->tile.ld;
        const int64_t n = pad_scores(b, i, row);
        const float top = psw_vec_max(n, row);
        const float sum = psw_vec_exp_sum(n, top, row, row);
        clear_unseen(b, i, row);
        inverse[i] = 1.0f / sum;
        f->lse[(b->first + i) * b->H + b->h] = top + (float)log((double)sum);
    }
    const struct psw_view_out out = head_rows_out(b, f->out);
    rows_from_keys(b, f->tile, f->qkv, VALUE, 0.0f, out);
    for (int64_t i = 0; i < b->last - b->first; i++)
        psw_vec_scale(b->D, inverse[i], out.at + i * out.ld);
}

static void forward(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out, float *lse)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct forward f = {qkv, out, lse, tile_alloc(exec, &layout, batch)};
    if (!psw_arena_is_measuring(exec->scratch)) each_block(&layout, batch, forward_block, &f);
    psw_arena_rewind(exec->scratch, mark);
}

struct backward {
    struct psw_attention_saved saved;
    float *qkv_bar;
    struct tile prob, bar;
};

/* bar <- cotangent of the scores: scale prob (bar - <out, out_bar>), over what row i sees. */
static void softmax_backward(const struct block *b, const struct backward *k, int64_t i)
{
    const struct psw_view out = head_rows(b, k->saved.out);
    const struct psw_view out_bar = head_rows(b, k->saved.out_bar);
    const float delta = psw_vec_dot(b->D, out.at + i * out.ld, out_bar.at + i * out_bar.ld);
    const float scale = score_scale(b);
    const float *prob = k->prob.at + i * k->prob.ld;
    float *bar = k->bar.at + i * k->bar.ld;
    for (int64_t j = first_seen(b, i); j < end_seen(b, i); j++)
        bar[j] = scale * prob[j] * (bar[j] - delta);
    clear_unseen(b, i, bar);
}

static void backward_block(void *ctx, const struct block *b)
{
    const struct backward *k = ctx;
    const struct psw_attention_saved *saved = &k->saved;
    const struct psw_view query = rows_of(b, saved->qkv, QUERY, b->first);
    const struct psw_view out_bar = head_rows(b, saved->out_bar);
    const float scaled[2] = {score_scale(b), 0.0f}, plain[2] = {1.0f, 0.0f};

    tile_from_keys(b, query, saved->qkv, KEY, scaled, k->prob);
    for (int64_t i = 0; i < b->last - b->first; i++) {
        float *row = k->prob.at + i * k->prob.ld;
        psw_vec_exp_sum(pad_scores(b, i, row), saved->lse[(b->first + i) * b->H + b->h], row,
                        row);
        clear_unseen(b, i, row);
    }
    keys_from_rows(b, k->prob, out_bar, k->qkv_bar, VALUE);
    tile_from_keys(b, out_bar, saved->qkv, VALUE, plain, k->bar);
    for (int64_t i = 0; i < b->last - b->first; i++) softmax_backward(b, k, i);
    rows_from_keys(b, k->bar, saved->qkv, KEY, 1.0f, rows_out(b, k->qkv_bar, QUERY, b->first));
    keys_from_rows(b, k->bar, query, k->qkv_bar, KEY);
}

static void backward(struct psw_exec *exec, struct psw_qkv layout,
                     const struct psw_batch *batch, struct psw_attention_saved saved,
                     float *qkv_bar)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct backward k = {saved, qkv_bar, tile_alloc(exec, &layout, batch),
                         tile_alloc(exec, &layout, batch)};
    if (!psw_arena_is_measuring(exec->scratch)) each_block(&layout, batch, backward_block, &k);
    psw_arena_rewind(exec->scratch, mark);
}

struct tangent {
    const float *qkv, *qkv_dot;
    float *out, *out_dot;
    struct tile prob, dot;
};

/* Row i of the two tiles: scores to weights e and their tangents e (dot - mean of dot), both
 * still to be divided by the sum of e, which is returned. */
static float softmax_tangent(const struct block *b, const struct tangent *t, int64_t i)
{
    const int64_t first = first_seen(b, i), end = end_seen(b, i);
    float *prob = t->prob.at + i * t->prob.ld, *dot = t->dot.at + i * t->dot.ld;
    const int64_t padded = pad_scores(b, i, prob);
    const float top = psw_vec_max(padded, prob);
    const float sum = psw_vec_exp_sum(padded, top, prob, prob);
    const float mean = psw_vec_dot(end - first, prob + first, dot + first) / sum;
    for (int64_t j = first; j < end; j++) dot[j] = prob[j] * (dot[j] - mean);
    clear_unseen(b, i, prob);
    clear_unseen(b, i, dot);
    return sum;
}

static void tangent_block(void *ctx, const struct block *b)
{
    const struct tangent *t = ctx;
    const struct psw_view query = rows_of(b, t->qkv, QUERY, b->first);
    const float fresh[2] = {score_scale(b), 0.0f}, more[2] = {score_scale(b), 1.0f};
    float inverse[ROWS];
    tile_from_keys(b, query, t->qkv, KEY, fresh, t->prob);
    tile_from_keys(b, query, t->qkv_dot, KEY, fresh, t->dot);
    tile_from_keys(b, rows_of(b, t->qkv_dot, QUERY, b->first), t->qkv, KEY, more, t->dot);
    for (int64_t i = 0; i < b->last - b->first; i++)
        inverse[i] = 1.0f / softmax_tangent(b, t, i);

    const struct psw_view_out out = head_rows_out(b, t->out),
                              dot = head_rows_out(b, t->out_dot);
    rows_from_keys(b, t->prob, t->qkv, VALUE, 0.0f, out);
    rows_from_keys(b, t->prob, t->qkv_dot, VALUE, 0.0f, dot);
    rows_from_keys(b, t->dot, t->qkv, VALUE, 1.0f, dot);
    for (int64_t i = 0; i < b->last - b->first; i++) {
        psw_vec_scale(b->D, inverse[i], out.at + i * out.ld);
        psw_vec_scale(b->D, inverse[i], dot.at + i * dot.ld);
    }
}

static void tangent(struct psw_exec *exec, struct psw_qkv layout, const struct psw_batch *batch,
                    const float *qkv, float *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct tangent t = {.prob = tile_alloc(exec, &layout, batch),
                        .dot = tile_alloc(exec, &layout, batch)};
    if (!psw_arena_is_measuring(exec->scratch)) {
        t.qkv = qkv;
        t.qkv_dot = qkv + batch->n_tok * layout.row;
        t.out = out;
        t.out_dot = out + batch->n_tok * layout.n_head * layout.head_width;
        each_block(&layout, batch, tangent_block, &t);
    }
    psw_arena_rewind(exec->scratch, mark);
}

const struct psw_attention_ops psw_cpu_attention = {.forward = forward,
                                                    .backward = backward,
                                                    .tangent = tangent,
                                                    .cache_capacity = psw_cpu_cache_capacity,
                                                    .cache_n_elem = psw_cpu_cache_n_elem,
                                                    .cache_put = psw_cpu_cache_put,
                                                    .cache_copy = psw_cpu_cache_copy,
                                                    .decode = psw_cpu_attention_decode};
