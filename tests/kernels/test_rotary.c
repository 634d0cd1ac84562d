/* Rotary positions on [n_tok][H][3][D] rows. */
#include <support/support.h>

#include <math.h>
#include <posweep/kernels/rotary.h>
#include <string.h>
#include <support/triple.h>

enum { TOK = 4, HEADS = 2, HEAD = 10, ROT = 6, N = TOK * HEADS * 3 * HEAD, CONTEXT = 9 };
static const struct psw_rotary_dims DIMS = {TOK, HEADS, HEAD, ROT};
static const int32_t POSITION[TOK] = {0, 3, 8, 3};
static const double BASE = 50.0;
static float cosine[CONTEXT * ROT / 2], sine[CONTEXT * ROT / 2];

static struct psw_rotary_table table(void)
{
    psw_rotary_fill(CONTEXT, ROT, BASE, cosine, sine);
    return (struct psw_rotary_table){cosine, sine};
}

static void naive(const double *in, double *out)
{
    memcpy(out, in, N * sizeof *in);
    for (int t = 0; t < TOK; t++)
        for (int part = 0; part < HEADS * 3; part++) {
            double *x = out + (t * HEADS * 3 + part) * HEAD;
            if (part % 3 == 2) continue; /* values are not rotated */
            for (int i = 0; i < ROT / 2; i++) {
                const double angle = POSITION[t] * pow(BASE, -2.0 * i / ROT);
                const double a = x[i], b = x[i + ROT / 2];
                x[i] = a * cos(angle) - b * sin(angle);
                x[i + ROT / 2] = b * cos(angle) + a * sin(angle);
            }
        }
}

static void forward(const float *in, float *out)
{
    memcpy(out, in, N * sizeof *in);
    psw_rotary_forward(DIMS, table(), POSITION, out);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    float bar[N];
    (void)in;
    memcpy(bar, out_bar, sizeof bar);
    psw_rotary_backward(DIMS, table(), POSITION, bar);
    for (int i = 0; i < N; i++) in_bar[i] += bar[i];
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    float dual[2 * N];
    memcpy(dual, in, N * sizeof *in);
    memcpy(dual + N, in_dot, N * sizeof *in);
    psw_rotary_tangent(DIMS, table(), POSITION, dual);
    memcpy(out, dual, N * sizeof *in);
    memcpy(out_dot, dual + N, N * sizeof *in);
}

static void rotary_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N, N, naive, forward, backward, tangent};
    triple_check(&op, 1e-6);
}

static void no_rotated_dimensions_change_nothing(void **state)
{
    (void)state;
    float x[N], y[N];
    support_fill(x, N, 1.0f, 1);
    memcpy(y, x, sizeof x);
    psw_rotary_forward((struct psw_rotary_dims){TOK, HEADS, HEAD, 0},
                       (struct psw_rotary_table){NULL, NULL}, POSITION, y);
    assert_memory_equal(x, y, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotary_is_a_consistent_triple),
        cmocka_unit_test(no_rotated_dimensions_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
