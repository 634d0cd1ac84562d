/* Chunks of rows and blocks of columns of the vocabulary head. */
#include "head_chunk.h"

#include <posweep/kernels/vecmath.h>
#include <posweep/util/minmax.h>

enum { COLS = PSW_HEAD_COLS, MIN_ROWS = 256, CHUNK_FLOATS = 1 << 24 };

/* Logits of a chunk take CHUNK_FLOATS, or MIN_ROWS rows where that is more. */
int64_t psw_head_chunk_rows(struct psw_head_dims d)
{
    const int64_t fit = CHUNK_FLOATS / d.V / 64 * 64;
    return psw_min(d.n_row, fit > MIN_ROWS ? fit : MIN_ROWS);
}

int64_t psw_head_block_cols(const struct psw_head_chunk *c, int64_t k)
{
    return psw_min(COLS, c->d.V - k * COLS);
}

struct psw_head_chunk psw_head_chunk_alloc(struct psw_exec *exec, struct psw_head_dims d)
{
    const int64_t n_row = psw_head_chunk_rows(d), n_block = (d.V + COLS - 1) / COLS;
    return (struct psw_head_chunk){.d = d,
                                   .weight_of = psw_arena_f32(exec->scratch, n_row * n_block),
                                   .top = psw_arena_f32(exec->scratch, n_row),
                                   .sum = psw_arena_f32(exec->scratch, n_row),
                                   .n_block = n_block,
                                   .room = n_row};
}

void psw_head_chunk_move(struct psw_head_chunk *c, struct psw_head_in in, int64_t first,
                         int64_t n_row)
{
    c->d.n_row = psw_min(c->room, n_row - first);
    c->in =
        (struct psw_head_in){in.x + first * c->d.C, in.w, in.target ? in.target + first : NULL};
}

static struct psw_gemm logits_gemm(const struct psw_head_chunk *c, int64_t k, float beta)
{
    return (struct psw_gemm){c->d.n_row, psw_head_block_cols(c, k), c->d.C,
                             (float)(1.0 / c->d.temperature), beta};
}

void psw_head_block_logits(const struct psw_head_chunk *c, int64_t k, struct psw_view_out out)
{
    psw_gemm_nt(logits_gemm(c, k, 0.0f), (struct psw_view){c->in.x, c->d.C},
                (struct psw_view){c->in.w + k * COLS * c->d.C, c->d.C}, out);
}

void psw_head_block_logits_dot(const struct psw_head_chunk *c, int64_t k, const float *x_dot,
                               const float *w_dot, struct psw_view_out out)
{
    const int64_t C = c->d.C, at = k * COLS * C;
    psw_gemm_nt(logits_gemm(c, k, 0.0f), (struct psw_view){c->in.x, C},
                (struct psw_view){w_dot + at, C}, out);
    psw_gemm_nt(logits_gemm(c, k, 1.0f), (struct psw_view){x_dot, C},
                (struct psw_view){c->in.w + at, C}, out);
}

void psw_head_block_take(struct psw_head_chunk *c, int64_t k, int64_t r, const float *logit,
                         float *exponential)
{
    const int64_t n = psw_head_block_cols(c, k);
    const float top = psw_vec_max(n, logit);
    if (k == 0) {
        c->top[r] = top;
        c->sum[r] = 0.0f;
    } else if (top > c->top[r]) {
        c->sum[r] *= expf(c->top[r] - top);
        c->top[r] = top;
    }
    c->sum[r] += psw_vec_exp_sum(n, c->top[r], logit, exponential);
}

void psw_head_block_back(const struct psw_head_chunk *c, int64_t k, const float *bar,
                         struct psw_head_grad grad)
{
    const int64_t n = psw_head_block_cols(c, k), C = c->d.C;
    psw_gemm_nn((struct psw_gemm){c->d.n_row, C, n, 1.0f, 1.0f}, (struct psw_view){bar, COLS},
                (struct psw_view){c->in.w + k * COLS * C, C},
                (struct psw_view_out){grad.x_bar, C});
    psw_gemm_tn((struct psw_gemm){n, C, c->d.n_row, 1.0f, 1.0f}, (struct psw_view){bar, COLS},
                (struct psw_view){c->in.x, C},
                (struct psw_view_out){grad.w_bar + k * COLS * C, C});
}
