/* SwiGLU in blocks of a row; the exponential is in vecmath. */
#include "cpu.h"

#include <posweep/kernels/vecmath.h>

enum { BLOCK = 512 };

/* Columns [start, start + n) of one row of gates: silu and its slope. */
struct block {
    int64_t start, n;
    float silu[BLOCK], slope[BLOCK];
};

static void block_take(struct block *b, int64_t F, int64_t start, const float *gate)
{
    b->start = start;
    b->n = F - start < BLOCK ? F - start : BLOCK;
    psw_vec_silu(b->n, gate + start, b->silu, b->slope);
}

static void forward(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y)
{
    (void)exec;
    struct block b;
    for (int64_t r = 0; r < n_row; r++, gate_up += 2 * F, y += F)
        for (int64_t start = 0; start < F; start += BLOCK) {
            block_take(&b, F, start, gate_up);
            const float *up = gate_up + F + start;
            float *out = y + start;
            for (int64_t i = 0; i < b.n; i++) out[i] = b.silu[i] * up[i];
        }
}

static void backward(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                     const float *y_bar, float *gate_up_bar)
{
    (void)exec;
    struct block b;
    for (int64_t r = 0; r < n_row; r++, gate_up += 2 * F, gate_up_bar += 2 * F, y_bar += F)
        for (int64_t start = 0; start < F; start += BLOCK) {
            block_take(&b, F, start, gate_up);
            const float *up = gate_up + F + start, *bar = y_bar + start;
            float *restrict gate_bar = gate_up_bar + start;
            float *restrict up_bar = gate_up_bar + F + start;
            for (int64_t i = 0; i < b.n; i++) {
                gate_bar[i] = bar[i] * up[i] * b.slope[i];
                up_bar[i] = bar[i] * b.silu[i];
            }
        }
}

static void tangent(struct psw_exec *exec, int64_t n_row, int64_t F, const float *gate_up,
                    float *y)
{
    (void)exec;
    struct block b;
    const float *gate_up_dot = gate_up + n_row * 2 * F;
    float *y_dot = y + n_row * F;
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t start = 0; start < F; start += BLOCK) {
            const int64_t at = 2 * r * F + start;
            block_take(&b, F, start, gate_up + 2 * r * F);
            const float *up = gate_up + at + F, *up_dot = gate_up_dot + at + F;
            const float *gate_dot = gate_up_dot + at;
            float *restrict value = y + r * F + start, *restrict dot = y_dot + r * F + start;
            for (int64_t i = 0; i < b.n; i++) {
                value[i] = b.silu[i] * up[i];
                dot[i] = PSW_FMAF(b.slope[i] * gate_dot[i], up[i], b.silu[i] * up_dot[i]);
            }
        }
}

const struct psw_swiglu_ops psw_cpu_swiglu = {
    .forward = forward, .backward = backward, .tangent = tangent};
