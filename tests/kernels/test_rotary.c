/* Rotary positions on rows of every layout. */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { TOK = 4, HEADS = 2, HEAD = 10, ROT = 6, N = TOK * HEADS * 3 * HEAD, CONTEXT = 9 };
static struct psw_rotary_dims dims; /* of the case under test */
static const int32_t POSITION[TOK] = {0, 3, 8, 3};
static const double BASE = 50.0;
static float cosine[CONTEXT * ROT / 2], sine[CONTEXT * ROT / 2];

static struct psw_rotary_table table(void)
{
    psw_rotary_fill(CONTEXT, ROT, BASE, (struct psw_rope_scaling){0}, cosine, sine);
    return (struct psw_rotary_table){cosine, sine};
}

static int64_t n_elem(void)
{
    return TOK * dims.qkv.row;
}

static void forward(const float *in, float *out)
{
    memcpy(out, in, (size_t)n_elem() * sizeof *in);
    OP.rotary->forward(&kernel_exec, dims, table(), POSITION, out);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    float bar[N];
    (void)in;
    memcpy(bar, out_bar, (size_t)n_elem() * sizeof *bar);
    OP.rotary->backward(&kernel_exec, dims, table(), POSITION, bar);
    for (int i = 0; i < n_elem(); i++) in_bar[i] += bar[i];
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    float dual[2 * N];
    memcpy(dual, in, (size_t)n_elem() * sizeof *in);
    memcpy(dual + n_elem(), in_dot, (size_t)n_elem() * sizeof *in);
    OP.rotary->tangent(&kernel_exec, dims, table(), POSITION, dual);
    memcpy(out, dual, (size_t)n_elem() * sizeof *in);
    memcpy(out_dot, dual + n_elem(), (size_t)n_elem() * sizeof *in);
}

static void rotary_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct psw_qkv layouts[] = {psw_qkv_by_head(HEADS, HEAD),
                                      psw_qkv_by_kind(HEADS, HEADS, HEAD),
                                      psw_qkv_by_kind(HEADS, 1, HEAD)};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        dims = (struct psw_rotary_dims){TOK, ROT, layouts[i]};
        const struct triple op = {n_elem(), n_elem(), forward, backward, tangent};
        triple_check(&op, 1e-6);
    }
}

static void no_rotated_dimensions_change_nothing(void **state)
{
    (void)state;
    float x[N], y[N];
    support_fill(x, N, 1.0f, 1);
    memcpy(y, x, sizeof x);
    OP.rotary->forward(&kernel_exec,
                       (struct psw_rotary_dims){TOK, 0, psw_qkv_by_head(HEADS, HEAD)},
                       (struct psw_rotary_table){NULL, NULL}, POSITION, y);
    assert_memory_equal(x, y, sizeof x);
}

/* The angle of a pair at position 1. */
static double speed_of(double base, struct psw_rope_scaling scaling, int64_t pair)
{
    float c[2 * ROT / 2], s[2 * ROT / 2];
    psw_rotary_fill(2, ROT, base, scaling, c, s);
    return atan2((double)s[ROT / 2 + pair], (double)c[ROT / 2 + pair]);
}

/* Base 8^3: the pairs turn by 1, 1/8 and 1/64 a token, once in 6.28, 50.3 and 402 tokens. */
static void scaling_slows_the_slow_pairs(void **state)
{
    (void)state;
    const struct psw_rope_scaling linear = {.kind = PSW_ROPE_LINEAR, .factor = 4.0};
    const struct psw_rope_scaling llama3 = {.kind = PSW_ROPE_LLAMA3,
                                            .factor = 4.0,
                                            .low_freq_factor = 1.0,
                                            .high_freq_factor = 3.0,
                                            .original_context = 100};
    for (int i = 0; i < 3; i++)
        assert_close(speed_of(512.0, linear, i), pow(8.0, -i) / 4.0, 1e-6);
    const double n_turn = 100.0 / (16.0 * acos(-1.0)); /* of the pair between: 1.99 */
    const double share = (n_turn - 1.0) / (3.0 - 1.0);
    assert_close(speed_of(512.0, llama3, 0), 1.0, 1e-6);
    assert_close(speed_of(512.0, llama3, 1), (share + (1.0 - share) / 4.0) / 8.0, 1e-6);
    assert_close(speed_of(512.0, llama3, 2), 1.0 / 64.0 / 4.0, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(rotary_is_a_consistent_triple),
        kernel_test(no_rotated_dimensions_change_nothing),
        cpu_test(scaling_slows_the_slow_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
