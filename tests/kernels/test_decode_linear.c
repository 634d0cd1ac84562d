/* Products of few rows against double sums, and the promise that a row's bits are its own. */
#include "support/support.h"

#include <math.h>
#include <posweep/kernels/decode_linear.h>
#include <string.h>

enum { MAX_ROW = 37, MAX_OUT = 41, MAX_IN = 67 };

/* A float dot product of n terms of size <= 1 differs from the exact one by less than
 * n * 2^-24 * sum |x w|. */
static const double TOLERANCE = 67 * 6e-8 * 8;

static float x[MAX_ROW * MAX_IN], w[MAX_OUT * MAX_IN], bias[MAX_OUT], y[MAX_ROW * MAX_OUT];

static double naive(const struct psw_decode_linear *l, int64_t m, int64_t n)
{
    double sum = l->bias ? (double)l->bias[n] : 0.0;
    for (int64_t k = 0; k < l->n_in; k++)
        sum += (double)x[m * l->n_in + k] * (double)w[n * l->n_in + k];
    return sum;
}

static void fill(void)
{
    support_fill(x, MAX_ROW * MAX_IN, 1.0f, 1);
    support_fill(w, MAX_OUT * MAX_IN, 1.0f, 2);
    support_fill(bias, MAX_OUT, 1.0f, 3);
}

static void every_shape_agrees_with_double_sums(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 9, 16, 32, 37};
    static const int64_t outs[] = {1, 3, 12, 13, 24, 41}, ins[] = {1, 8, 12, 64, 67};
    fill();
    for (size_t a = 0; a < sizeof rows / sizeof *rows; a++)
        for (size_t b = 0; b < sizeof outs / sizeof *outs; b++)
            for (size_t c = 0; c < sizeof ins / sizeof *ins; c++) {
                const struct psw_decode_linear l = {
                    .n_out = outs[b], .n_in = ins[c], .w = w, .bias = a % 2 ? bias : NULL};
                psw_decode_linear(&l, rows[a], x, y);
                for (int64_t m = 0; m < rows[a]; m++)
                    for (int64_t n = 0; n < outs[b]; n++)
                        assert_close(y[m * outs[b] + n], naive(&l, m, n), TOLERANCE);
            }
}

static void accumulating_adds_to_what_was_there(void **state)
{
    (void)state;
    fill();
    const struct psw_decode_linear l = {
        .n_out = 17, .n_in = 30, .w = w, .bias = bias, .accumulate = 1};
    for (int64_t i = 0; i < 5 * 17; i++) y[i] = (float)i;
    psw_decode_linear(&l, 5, x, y);
    for (int64_t i = 0; i < 5 * 17; i++)
        assert_close(y[i], (double)i + naive(&l, i / 17, i % 17), TOLERANCE);
}

static void a_row_has_the_same_bits_alone_and_in_any_batch(void **state)
{
    (void)state;
    static float one[MAX_OUT];
    fill();
    const struct psw_decode_linear l = {.n_out = MAX_OUT, .n_in = MAX_IN, .w = w, .bias = bias};
    for (int64_t n_row = 2; n_row <= MAX_ROW; n_row++) {
        psw_decode_linear(&l, n_row, x, y);
        for (int64_t m = 0; m < n_row; m++) {
            psw_decode_linear(&l, 1, x + m * MAX_IN, one);
            assert_memory_equal(one, y + m * MAX_OUT, sizeof one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_agrees_with_double_sums),
        cmocka_unit_test(accumulating_adds_to_what_was_there),
        cmocka_unit_test(a_row_has_the_same_bits_alone_and_in_any_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
