/* The vocabulary head in chunks of rows and blocks of columns.
 *
 * A chunk's logits are turned into exp(logit - m) block by block, m being the largest seen so
 * far in the row; the m each block used is remembered, so that one factor per row and block
 * gives probabilities (or cotangents) later without another exponential. */
#include "cpu.h"

#include "head_chunk.h"
#include <posweep/kernels/vecmath.h>

enum { COLS = PSW_HEAD_COLS };

/* Take block k of row r; its logits become exponentials. Returns the target's logit, if it is
 * in this block, else 0. */
static float take_block(struct psw_head_chunk *c, int64_t k, int64_t r, float *logit)
{
    const int64_t n = psw_head_block_cols(c, k), at = c->in.target[r] - k * COLS;
    const float target = at >= 0 && at < n ? logit[at] : 0.0f;
    psw_head_block_take(c, k, r, logit, logit);
    c->weight_of[r * c->n_block + k] = c->top[r];
    return target;
}

/* Softmax of the chunk's rows: out holds the exponentials (ld 0: one block's room, reused) and
 * logp the targets' log-probabilities. */
static void chunk_softmax(struct psw_head_chunk *c, float *out, int64_t ld, float *logp)
{
    const int64_t stride = ld ? ld : COLS;
    for (int64_t r = 0; r < c->d.n_row; r++) logp[r] = 0.0f;
    for (int64_t k = 0; k < c->n_block; k++) {
        float *at = out + (ld ? k * COLS : 0);
        psw_head_block_logits(c, k, (struct psw_view_out){at, stride});
        for (int64_t r = 0; r < c->d.n_row; r++)
            logp[r] += take_block(c, k, r, at + r * stride);
    }
    for (int64_t r = 0; r < c->d.n_row; r++)
        logp[r] = (float)((double)logp[r] - c->top[r] - log((double)c->sum[r]));
}

/* Turn remembered exponents into the factors from exponentials to probabilities. */
static void chunk_factors(struct psw_head_chunk *c)
{
    for (int64_t r = 0; r < c->d.n_row; r++) {
        float *f = c->weight_of + r * c->n_block;
        for (int64_t k = 0; k < c->n_block; k++) f[k] = expf(f[k] - c->top[r]) / c->sum[r];
    }
}

static void forward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *logp, float *prob)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d);
    struct psw_head_chunk c = psw_head_chunk_alloc(exec, d);
    float *block = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&c, in, first, d.n_row);
        if (!prob) {
            chunk_softmax(&c, block, 0, logp + first);
            continue;
        }
        float *kept = prob + first * d.V;
        chunk_softmax(&c, kept, d.V, logp + first);
        chunk_factors(&c);
        for (int64_t r = 0; r < c.d.n_row; r++)
            for (int64_t k = 0; k < c.n_block; k++)
                psw_vec_scale(psw_head_block_cols(&c, k), c.weight_of[r * c.n_block + k],
                              kept + r * d.V + k * COLS);
    }
    psw_arena_rewind(exec->scratch, mark);
}

/* Cotangents of block k's logits, weight (prob - onehot) / temperature, where prob is e times
 * the block's factor (no factors: e is prob). */
static void block_cotangent(const struct psw_head_chunk *c, int64_t k, const float *e,
                            int has_factor, const float *weight, float *bar)
{
    const int64_t n = psw_head_block_cols(c, k);
    for (int64_t r = 0; r < c->d.n_row; r++) {
        const float w = (float)(weight[r] / c->d.temperature);
        const float scale = has_factor ? w * c->weight_of[r * c->n_block + k] : w;
        const float *from = e + r * c->d.V + k * COLS;
        float *to = bar + r * COLS;
        for (int64_t j = 0; j < n; j++) to[j] = scale * from[j];
        const int64_t at = c->in.target[r] - k * COLS;
        if (at >= 0 && at < n) to[at] -= w;
    }
}

/* Add what the chunk's cotangents give to x_bar and w_bar. bar: room for one block. */
static void chunk_backward(const struct psw_head_chunk *c, const float *e, int has_factor,
                           const float *weight, float *bar, struct psw_head_grad grad)
{
    for (int64_t k = 0; k < c->n_block; k++) {
        block_cotangent(c, k, e, has_factor, weight, bar);
        psw_head_block_back(c, k, bar, grad);
    }
}

static void nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                const float *weight, float *logp, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d);
    struct psw_head_chunk c = psw_head_chunk_alloc(exec, d);
    float *e = psw_arena_f32(exec->scratch, n_chunk_row * d.V);
    float *bar = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&c, in, first, d.n_row);
        chunk_softmax(&c, e, d.V, logp + first);
        chunk_factors(&c);
        chunk_backward(&c, e, 1, weight + first, bar,
                       (struct psw_head_grad){grad.x_bar + first * d.C, grad.w_bar});
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void backward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, const float *prob, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    if (!prob) {
        float *logp = psw_arena_f32(exec->scratch, d.n_row);
        nll(exec, d, in, weight, logp, grad);
        psw_arena_rewind(exec->scratch, mark);
        return;
    }
    const int64_t n_chunk_row = psw_head_chunk_rows(d);
    struct psw_head_chunk c = psw_head_chunk_alloc(exec, d);
    float *bar = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&c, in, first, d.n_row);
        chunk_backward(&c, prob + first * d.V, 0, weight + first, bar,
                       (struct psw_head_grad){grad.x_bar + first * d.C, grad.w_bar});
    }
    psw_arena_rewind(exec->scratch, mark);
}

/* A chunk with its tangents: x_dot and w_dot, and the running sum of exponential times tangent
 * of the logit, rescaled with the sum of exponentials. */
struct chunk_dot {
    struct psw_head_chunk c;
    const float *x_dot, *w_dot;
    float *mean; /* [n_row] */
    struct psw_view_out logit, dot;
};

/* Take block k of row r; the target's logit and its tangent are added to logp and logp_dot. */
static void take_block_dot(struct chunk_dot *t, int64_t k, int64_t r, float *logp,
                           float *logp_dot)
{
    struct psw_head_chunk *c = &t->c;
    float *logit = t->logit.at + r * t->logit.ld;
    const float *dot = t->dot.at + r * t->dot.ld;
    const int64_t n = psw_head_block_cols(c, k), at = c->in.target[r] - k * COLS;
    const float old_top = k == 0 ? 0.0f : c->top[r];
    if (k == 0) t->mean[r] = 0.0f;
    if (at >= 0 && at < n) logp_dot[r] += dot[at];
    logp[r] += take_block(c, k, r, logit);
    if (k > 0 && c->top[r] > old_top) t->mean[r] *= expf(old_top - c->top[r]);
    t->mean[r] += psw_vec_dot(n, logit, dot);
}

static void chunk_tangent(struct chunk_dot *t, float *logp, float *logp_dot)
{
    struct psw_head_chunk *c = &t->c;
    for (int64_t r = 0; r < c->d.n_row; r++) logp[r] = logp_dot[r] = 0.0f;
    for (int64_t k = 0; k < c->n_block; k++) {
        psw_head_block_logits(c, k, t->logit);
        psw_head_block_logits_dot(c, k, t->x_dot, t->w_dot, t->dot);
        for (int64_t r = 0; r < c->d.n_row; r++) take_block_dot(t, k, r, logp, logp_dot);
    }
    for (int64_t r = 0; r < c->d.n_row; r++) {
        logp[r] = (float)((double)logp[r] - c->top[r] - log((double)c->sum[r]));
        logp_dot[r] -= t->mean[r] / c->sum[r];
    }
}

static void tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *logp)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d), n_row = d.n_row;
    struct chunk_dot t = {.c = psw_head_chunk_alloc(exec, d),
                          .w_dot = w_dot,
                          .mean = psw_arena_f32(exec->scratch, n_chunk_row)};
    t.logit = (struct psw_view_out){psw_arena_f32(exec->scratch, n_chunk_row * COLS), COLS};
    t.dot = (struct psw_view_out){psw_arena_f32(exec->scratch, n_chunk_row * COLS), COLS};
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&t.c, in, first, d.n_row);
        t.x_dot = in.x + (n_row + first) * d.C;
        chunk_tangent(&t, logp + first, logp + n_row + first);
    }
    psw_arena_rewind(exec->scratch, mark);
}

const struct psw_head_ops psw_cpu_head = {.forward = forward,
                                          .backward = backward,
                                          .nll = nll,
                                          .tangent = tangent,
                                          .soft_nll = psw_cpu_head_soft_nll,
                                          .soft_tangent = psw_cpu_head_soft_tangent};
