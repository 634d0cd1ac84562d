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
    psw_rotary_fill(CONTEXT, ROT, BASE, cosine, sine);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(rotary_is_a_consistent_triple),
        kernel_test(no_rotated_dimensions_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
