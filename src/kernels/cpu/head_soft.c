/* The vocabulary head against soft targets. A chunk's logits of both models stand side by side
 * and are turned into two distributions in place, by the same arithmetic: equal logits give
 * equal bits, so their difference is exactly 0. */
#include "cpu.h"

#include "head_chunk.h"
#include <math.h>
#include <posweep/kernels/vecmath.h>

enum { COLS = PSW_HEAD_COLS };

static const struct psw_draw_opts PLAIN = {.temperature = 1.0, .top_p = 1.0};

struct chunk_soft {
    struct psw_head_chunk c, target;
    struct psw_draw_opts draw;
    int64_t n_chunk_row;
    float *prob; /* [n_chunk_row][V] logits, then p */
    float *gap;  /* [n_chunk_row][V] logits of the target, then p - p_T */
};

static struct chunk_soft chunk_alloc(struct psw_exec *exec, struct psw_head_dims d,
                                     const struct psw_soft_target *target)
{
    struct psw_head_dims plain = d;
    plain.temperature = 1.0; /* that of the target is applied where its tokens are drawn */
    const int64_t n_row = psw_head_chunk_rows(d);
    return (struct chunk_soft){.c = psw_head_chunk_alloc(exec, d),
                               .target = psw_head_chunk_alloc(exec, plain),
                               .draw = target->draw,
                               .n_chunk_row = n_row,
                               .prob = psw_arena_f32(exec->scratch, n_row * d.V),
                               .gap = psw_arena_f32(exec->scratch, n_row * d.V)};
}

static void logits(const struct psw_head_chunk *c, float *out)
{
    for (int64_t k = 0; k < c->n_block; k++)
        psw_head_block_logits(c, k, (struct psw_view_out){out + k * COLS, c->d.V});
}

/* Take the rows from `first` on: prob and gap, and of every row the log-probability of its
 * target token (logp may be NULL) and the quantity. */
static void chunk_take(struct chunk_soft *s, struct psw_head_in in,
                       const struct psw_soft_target *target, int64_t first, int64_t n_row,
                       float *logp, float *soft)
{
    const int64_t V = s->c.d.V;
    psw_head_chunk_move(&s->c, in, first, n_row);
    psw_head_chunk_move(&s->target, (struct psw_head_in){.x = target->x, .w = target->w}, first,
                        n_row);
    logits(&s->c, s->prob);
    logits(&s->target, s->gap);
    for (int64_t r = 0; r < s->c.d.n_row; r++) {
        float *p = s->prob + r * V, *gap = s->gap + r * V;
        double log_sum;
        (void)psw_cpu_distribution(&s->draw, V, gap, gap, NULL); /* NaN stays in gap */
        const float mean = psw_vec_dot(V, gap, p), drawn = logp ? p[s->c.in.target[r]] : 0.0f;
        (void)psw_cpu_distribution(&PLAIN, V, p, p, &log_sum);
        soft[r] = (float)((double)mean - log_sum);
        if (logp) logp[r] = (float)((double)drawn - log_sum);
        for (int64_t v = 0; v < V; v++) gap[v] = p[v] - gap[v];
    }
}

/* Cotangents of block k's products x w'. */
static void block_cotangent(const struct chunk_soft *s, int64_t k, const float *weight,
                            float *bar)
{
    const int64_t n = psw_head_block_cols(&s->c, k);
    for (int64_t r = 0; r < s->c.d.n_row; r++) {
        const float w = (float)(weight[r] / s->c.d.temperature);
        const float *gap = s->gap + r * s->c.d.V + k * COLS;
        for (int64_t j = 0; j < n; j++) bar[r * COLS + j] = w * gap[j];
    }
}

void psw_cpu_head_soft_nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                           const struct psw_soft_target *target, const float *weight,
                           float *soft, struct psw_head_grad grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    struct chunk_soft s = chunk_alloc(exec, d, target);
    float *bar = psw_arena_f32(exec->scratch, s.n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += s.n_chunk_row) {
        chunk_take(&s, in, target, first, d.n_row, NULL, soft + first);
        for (int64_t k = 0; k < s.c.n_block; k++) {
            block_cotangent(&s, k, weight + first, bar);
            psw_head_block_back(&s.c, k, bar,
                                (struct psw_head_grad){grad.x_bar + first * d.C, grad.w_bar});
        }
    }
    psw_arena_rewind(exec->scratch, mark);
}

/* Add what block k gives to the tangents of the chunk's rows. */
static void block_tangent(const struct chunk_soft *s, int64_t k, const float *dot,
                          float *logp_dot, float *soft_dot)
{
    const int64_t n = psw_head_block_cols(&s->c, k);
    for (int64_t r = 0; r < s->c.d.n_row; r++) {
        const int64_t at = s->c.in.target[r] - k * COLS, from = r * s->c.d.V + k * COLS;
        logp_dot[r] -= psw_vec_dot(n, s->prob + from, dot + r * COLS);
        soft_dot[r] -= psw_vec_dot(n, s->gap + from, dot + r * COLS);
        if (at >= 0 && at < n) logp_dot[r] += dot[r * COLS + at];
    }
}

void psw_cpu_head_soft_tangent(struct psw_exec *exec, struct psw_head_dims d,
                               struct psw_head_in in, const struct psw_soft_target *target,
                               const float *w_dot, float *logp, float *soft)
{
    const struct psw_arena_mark mark = psw_arena_mark(exec->scratch);
    const int64_t n_row = d.n_row;
    struct chunk_soft s = chunk_alloc(exec, d, target);
    float *dot = psw_arena_f32(exec->scratch, s.n_chunk_row * COLS);
    if (psw_arena_is_measuring(exec->scratch)) d.n_row = 0;
    for (int64_t first = 0; first < d.n_row; first += s.n_chunk_row) {
        float *logp_dot = logp + n_row + first, *soft_dot = soft + n_row + first;
        chunk_take(&s, in, target, first, d.n_row, logp + first, soft + first);
        for (int64_t r = 0; r < s.c.d.n_row; r++) logp_dot[r] = soft_dot[r] = 0.0f;
        for (int64_t k = 0; k < s.c.n_block; k++) {
            psw_head_block_logits_dot(&s.c, k, in.x + (n_row + first) * d.C, w_dot,
                                      (struct psw_view_out){dot, COLS});
            block_tangent(&s, k, dot, logp_dot, soft_dot);
        }
    }
    psw_arena_rewind(exec->scratch, mark);
}
