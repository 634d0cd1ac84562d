/* Attention on a prefix tree whose segments cross query blocks; the input is qkv. */
#include <support/support.h>

#include <math.h>
#include <posweep/kernels/attention.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { HEADS = 2, HEAD = 5, SEGS = 5, TOK = 70 + 3 + 66 + 2 + 4, WIDTH = HEADS * HEAD };
static const struct psw_attention_dims DIMS = {HEADS, HEAD};
static const struct psw_segment SEGMENT[SEGS] = {
    {0, 70, -1}, {70, 3, 0}, {73, 66, 0}, {139, 2, 1}, {141, 4, -1}};
static const struct psw_batch BATCH = {
    .n_tok = TOK, .n_seg = SEGS, .max_path = 70 + 66, .segment = SEGMENT};
static struct psw_arena *scratch;
static struct psw_exec exec;

static int segment_of(int t)
{
    int s = 0;
    while (t >= SEGMENT[s].start + SEGMENT[s].length) s++;
    return s;
}

static int sees(int t, int key)
{
    const int other = segment_of(key);
    if (segment_of(t) == other) return key <= t;
    for (int s = SEGMENT[segment_of(t)].parent; s >= 0; s = SEGMENT[s].parent)
        if (s == other) return 1;
    return 0;
}

static void naive(const double *qkv, double *out)
{
    for (int t = 0; t < TOK; t++)
        for (int h = 0; h < HEADS; h++) {
            const double *q = qkv + (t * HEADS + h) * 3 * HEAD;
            double *mixed = out + (t * HEADS + h) * HEAD, sum = 0.0;
            memset(mixed, 0, HEAD * sizeof *mixed);
            for (int j = 0; j < TOK; j++) {
                if (!sees(t, j)) continue;
                const double *k = qkv + (j * HEADS + h) * 3 * HEAD + HEAD, *v = k + HEAD;
                double score = 0.0;
                for (int i = 0; i < HEAD; i++) score += q[i] * k[i] / sqrt((double)HEAD);
                sum += exp(score);
                for (int i = 0; i < HEAD; i++) mixed[i] += exp(score) * v[i];
            }
            for (int i = 0; i < HEAD; i++) mixed[i] /= sum;
        }
}

static float lse[TOK * HEADS];

static void forward(const float *in, float *out)
{
    psw_attention_forward(&exec, DIMS, &BATCH, in, out, lse);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    float out[TOK * WIDTH];
    forward(in, out);
    psw_attention_backward(&exec, DIMS, &BATCH,
                           (struct psw_attention_saved){in, out, lse, out_bar}, in_bar);
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    const size_t in_bytes = TOK * 3 * WIDTH * sizeof(float), out_bytes = in_bytes / 3;
    static float qkv[2 * TOK * 3 * WIDTH], dual[2 * TOK * WIDTH];
    memcpy(qkv, in, in_bytes);
    memcpy(qkv + TOK * 3 * WIDTH, in_dot, in_bytes);
    psw_attention_tangent(&exec, DIMS, &BATCH, qkv, dual);
    memcpy(out, dual, out_bytes);
    memcpy(out_dot, dual + TOK * WIDTH, out_bytes);
}

static void attention_over_a_tree_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {TOK * 3 * WIDTH, TOK * WIDTH, naive, forward, backward, tangent};
    triple_check(&op, 1e-5);
}

static void scores_of_any_size_give_finite_results(void **state)
{
    (void)state;
    static float in[TOK * 3 * WIDTH], out[TOK * WIDTH], in_bar[TOK * 3 * WIDTH];
    support_fill(in, TOK * 3 * WIDTH, 200.0f, 5); /* scores up to 1e5 */
    forward(in, out);
    backward(in, out, in_bar);
    for (int i = 0; i < TOK * WIDTH; i++) assert_true(isfinite(out[i]));
    for (int i = 0; i < TOK * 3 * WIDTH; i++) assert_true(isfinite(in_bar[i]));
}

static int open_scratch(void **state)
{
    (void)state;
    exec.n_thread = 1;
    if (psw_arena_create("scratch", 4 << 20, &scratch, NULL) != PSW_OK) return -1;
    exec.scratch = scratch;
    return 0;
}

static int close_scratch(void **state)
{
    (void)state;
    psw_arena_destroy(scratch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_over_a_tree_is_a_consistent_triple),
        cmocka_unit_test(scores_of_any_size_give_finite_results),
    };
    return cmocka_run_group_tests(tests, open_scratch, close_scratch);
}
