/* Entropy from sums over a row's columns, weighted by the exponentials of its softmax. With m
 * the logit minus the row's largest, log p = m - log(sum), so H = log(sum) - E m, where no
 * term is negative: nothing cancels. And log p + H = m - E m. */
#include "cpu.h"

#include "head_chunk.h"
#include <posweep/kernels/vecmath.h>

enum { COLS = PSW_HEAD_COLS };

/* A chunk with its sums: of m, of the logit's tangent d, and of m d. They are relative to the
 * largest logit so far, like the sum of exponentials. */
struct sums {
    struct psw_head_chunk c;
    float *m, *d, *md; /* [n_row]; d and md of the tangent only */
    float *e;          /* [COLS] one row's block */
};

static struct sums sums_alloc(struct psw_exec *exec, struct psw_head_dims d, int has_dot)
{
    const int64_t n_row = psw_head_chunk_rows(d);
    return (struct sums){.c = psw_head_chunk_alloc(exec, d),
                         .m = psw_arena_f32(exec->scratch, n_row),
                         .d = has_dot ? psw_arena_f32(exec->scratch, n_row) : NULL,
                         .md = has_dot ? psw_arena_f32(exec->scratch, n_row) : NULL,
                         .e = psw_arena_f32(exec->scratch, COLS)};
}

/* The largest logit changed: m of all columns so far moves by `shift` < 0. */
static void move_top(struct sums *s, int64_t r, float sum, float shift)
{
    const float factor = expf(shift);
    s->m[r] = factor * (s->m[r] + shift * sum);
    if (!s->d) return;
    s->md[r] = factor * (s->md[r] + shift * s->d[r]);
    s->d[r] *= factor;
}

/* e *= logit - top */
static void times_m(int64_t n, const float *logit, float top, float *e)
{
    for (int64_t i = 0; i < n; i++) e[i] *= logit[i] - top;
}

/* Take block k of row r. dot: tangents of the logits, or NULL. */
static void take_block(struct sums *s, int64_t k, int64_t r, const float *logit,
                       const float *dot)
{
    struct psw_head_chunk *c = &s->c;
    const int64_t n = psw_head_block_cols(c, k);
    if (k == 0) {
        s->m[r] = c->top[r] = c->sum[r] = 0.0f;
        if (dot) s->d[r] = s->md[r] = 0.0f;
    }
    const float top = c->top[r], sum = c->sum[r];
    psw_head_block_take(c, k, r, logit, s->e);
    if (k > 0 && c->top[r] > top) move_top(s, r, sum, top - c->top[r]);
    if (dot) s->d[r] += psw_vec_dot(n, s->e, dot);
    times_m(n, logit, c->top[r], s->e);
    s->m[r] += psw_vec_sum(n, s->e);
    if (dot) s->md[r] += psw_vec_dot(n, s->e, dot);
}

static float entropy_of(const struct sums *s, int64_t r)
{
    const double sum = s->c.sum[r];
    return (float)(log(sum) - s->m[r] / sum);
}

/* Logits of the chunk's rows (ld 0: one block's room, reused) and the sums over them. */
static void take_rows(struct sums *s, float *logit, int64_t ld)
{
    const int64_t stride = ld ? ld : COLS;
    for (int64_t k = 0; k < s->c.n_block; k++) {
        float *at = logit + (ld ? k * COLS : 0);
        psw_head_block_logits(&s->c, k, (struct psw_view_out){at, stride});
        for (int64_t r = 0; r < s->c.d.n_row; r++) take_block(s, k, r, at + r * stride, NULL);
    }
}

static void forward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *entropy)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d);
    struct sums s = sums_alloc(exec, d, 0);
    float *logit = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&s.c, in, first, d.n_row);
        take_rows(&s, logit, 0);
        for (int64_t r = 0; r < s.c.d.n_row; r++) entropy[first + r] = entropy_of(&s, r);
    }
    psw_arena_rewind(exec->scratch, mark);
}

/* Cotangents of block k's products: weight p (m - E m) / temperature. */
static void block_cotangent(const struct sums *s, int64_t k, const float *logit,
                            const float *weight, float *bar)
{
    const struct psw_head_chunk *c = &s->c;
    const int64_t n = psw_head_block_cols(c, k);
    for (int64_t r = 0; r < c->d.n_row; r++) {
        const float *from = logit + r * c->d.V + k * COLS;
        const float scale = (float)(weight[r] / (c->d.temperature * c->sum[r]));
        float *to = bar + r * COLS;
        (void)psw_vec_exp_sum(n, c->top[r], from, to);
        times_m(n, from, c->top[r] + s->m[r] / c->sum[r], to);
        psw_vec_scale(n, scale, to);
    }
}

static void backward(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d);
    struct sums s = sums_alloc(exec, d, 0);
    float *logit = psw_arena_f32(exec->scratch, n_chunk_row * d.V);
    float *bar = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&s.c, in, first, d.n_row);
        take_rows(&s, logit, d.V);
        for (int64_t k = 0; k < s.c.n_block; k++) {
            block_cotangent(&s, k, logit, weight + first, bar);
            psw_head_block_back(&s.c, k, bar,
                                (struct psw_head_grad){grad.x_bar + first * d.C, grad.w_bar});
        }
    }
    psw_arena_rewind(exec->scratch, mark);
}

static void tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *entropy)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_chunk_row = psw_head_chunk_rows(d), n_row = d.n_row;
    struct sums s = sums_alloc(exec, d, 1);
    float *logit = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    float *dot = psw_arena_f32(exec->scratch, n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += n_chunk_row) {
        psw_head_chunk_move(&s.c, in, first, d.n_row);
        for (int64_t k = 0; k < s.c.n_block; k++) {
            psw_head_block_logits(&s.c, k, (struct psw_view_out){logit, COLS});
            psw_head_block_logits_dot(&s.c, k, in.x + (n_row + first) * d.C, w_dot,
                                      (struct psw_view_out){dot, COLS});
            for (int64_t r = 0; r < s.c.d.n_row; r++)
                take_block(&s, k, r, logit + r * COLS, dot + r * COLS);
        }
        for (int64_t r = 0; r < s.c.d.n_row; r++) {
            const double sum = s.c.sum[r], m = s.m[r] / sum;
            entropy[first + r] = entropy_of(&s, r);
            entropy[n_row + first + r] = (float)(m * (s.d[r] / sum) - s.md[r] / sum);
        }
    }
    psw_arena_rewind(exec->scratch, mark);
}

const struct psw_entropy_ops psw_cpu_entropy = {
    .forward = forward, .backward = backward, .tangent = tangent};
