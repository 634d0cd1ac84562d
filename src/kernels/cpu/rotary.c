/* Rotation of query and key pairs by position. */
#include "cpu.h"

#include <math.h>

/* Radians per token, of a pair that plainly turns by `plain`. */
static double scaled(struct psw_rope_scaling s, double plain)
{
    if (s.kind == PSW_ROPE_PLAIN) return plain;
    const double slow = plain / s.factor;
    if (s.kind == PSW_ROPE_LINEAR) return slow;
    const double n_turn = (double)s.original_context * plain / (2.0 * 3.14159265358979323846);
    const double share =
        (n_turn - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
    if (share <= 0.0) return slow;
    return share >= 1.0 ? plain : (1.0 - share) * slow + share * plain;
}

void psw_rotary_fill(int64_t context, int64_t n_rotated, double base,
                     struct psw_rope_scaling scaling, float *cosine, float *sine)
{
    const int64_t n_pair = n_rotated / 2;
    for (int64_t i = 0; i < n_pair; i++) {
        const double speed = scaled(scaling, pow(base, -2.0 * (double)i / (double)n_rotated));
        for (int64_t t = 0; t < context; t++) {
            const double angle = (double)t * speed;
            cosine[t * n_pair + i] = (float)cos(angle);
            sine[t * n_pair + i] = (float)sin(angle);
        }
    }
}

/* Rotate the pairs of one query or key by (cosine, sign * sine). */
static void rotate(int64_t n_pair, const float *cosine, const float *sine, float sign, float *x)
{
    for (int64_t i = 0; i < n_pair; i++) {
        const float a = x[i], b = x[i + n_pair];
        const float s = sign * sine[i];
        x[i] = a * cosine[i] - b * s;
        x[i + n_pair] = b * cosine[i] + a * s;
    }
}

static void rotate_all(struct psw_rotary_dims d, struct psw_rotary_table table,
                       const int32_t *position, float sign, float *qkv)
{
    const int64_t n_pair = d.n_rotated / 2;
    if (n_pair == 0) return;
    for (int64_t t = 0; t < d.n_tok; t++) {
        const float *cosine = table.cosine + position[t] * n_pair;
        const float *sine = table.sine + position[t] * n_pair;
        float *q = qkv + t * d.qkv.row + d.qkv.q, *k = qkv + t * d.qkv.row + d.qkv.k;
        for (int64_t h = 0; h < d.qkv.n_head; h++)
            rotate(n_pair, cosine, sine, sign, q + h * d.qkv.q_step);
        for (int64_t h = 0; h < d.qkv.n_kv_head; h++)
            rotate(n_pair, cosine, sine, sign, k + h * d.qkv.kv_step);
    }
}

static void forward(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv)
{
    (void)exec;
    rotate_all(d, table, position, 1.0f, qkv);
}

static void backward(struct psw_exec *exec, struct psw_rotary_dims d,
                     struct psw_rotary_table table, const int32_t *position, float *qkv_bar)
{
    (void)exec;
    rotate_all(d, table, position, -1.0f, qkv_bar);
}

static void tangent(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv)
{
    (void)exec;
    rotate_all(d, table, position, 1.0f, qkv);
    rotate_all(d, table, position, 1.0f, qkv + d.n_tok * d.qkv.row);
}

const struct psw_rotary_ops psw_cpu_rotary = {
    .forward = forward, .backward = backward, .tangent = tangent};
