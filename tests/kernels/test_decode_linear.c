/* Products of few rows against the reference, and the promise that a row's bits are its own. */
#include "support/support.h"

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { MAX_ROW = 37, MAX_OUT = 41, MAX_IN = 67 };

/* A float dot product of n terms of size <= 1 differs from the exact one by less than
 * n * 2^-24 * sum |x w|. */
static const double TOLERANCE = 67 * 6e-8 * 8;

static float x[MAX_ROW * MAX_IN], w[MAX_OUT * MAX_IN], bias[MAX_OUT], y[MAX_ROW * MAX_OUT];

/* y of the reference, by forward. */
static const float *expected(struct psw_linear_dims d, const float *b)
{
    static float out[MAX_ROW * MAX_OUT];
    psw_backend_reference.op.linear->forward(NULL, d, (struct psw_linear_param){w, b}, x, out);
    return out;
}

static void fill(void)
{
    support_fill(x, MAX_ROW * MAX_IN, 1.0f, 1);
    support_fill(w, MAX_OUT * MAX_IN, 1.0f, 2);
    support_fill(bias, MAX_OUT, 1.0f, 3);
}

static void every_shape_agrees_with_the_reference(void **state)
{
    (void)state;
    static const int64_t rows[] = {1, 2, 3, 4, 5, 6, 7, 9, 16, 32, 37};
    static const int64_t outs[] = {1, 3, 12, 13, 24, 41}, ins[] = {1, 8, 12, 64, 67};
    fill();
    for (size_t a = 0; a < sizeof rows / sizeof *rows; a++)
        for (size_t b = 0; b < sizeof outs / sizeof *outs; b++)
            for (size_t c = 0; c < sizeof ins / sizeof *ins; c++) {
                const struct psw_linear_dims d = {rows[a], ins[c], outs[b]};
                const struct psw_linear_param p = {w, a % 2 ? bias : NULL};
                OP.linear->decode(&kernel_exec, d, p, x, y);
                kernel_compare(rows[a] * outs[b], y, expected(d, p.b), TOLERANCE);
            }
}

static void accumulating_adds_to_what_was_there(void **state)
{
    (void)state;
    fill();
    const struct psw_linear_dims d = {5, 30, 17};
    for (int64_t i = 0; i < 5 * 17; i++) y[i] = (float)i;
    OP.linear->decode_add(&kernel_exec, d, (struct psw_linear_param){w, bias}, x, y);
    for (int64_t i = 0; i < 5 * 17; i++)
        assert_close(y[i], (double)i + expected(d, bias)[i], TOLERANCE);
}

static void a_row_has_the_same_bits_alone_and_in_any_batch(void **state)
{
    (void)state;
    static float one[MAX_OUT];
    fill();
    const struct psw_linear_param p = {w, bias};
    for (int64_t n_row = 2; n_row <= MAX_ROW; n_row++) {
        OP.linear->decode(&kernel_exec, (struct psw_linear_dims){n_row, MAX_IN, MAX_OUT}, p, x,
                          y);
        for (int64_t m = 0; m < n_row; m++) {
            OP.linear->decode(&kernel_exec, (struct psw_linear_dims){1, MAX_IN, MAX_OUT}, p,
                              x + m * MAX_IN, one);
            assert_memory_equal(one, y + m * MAX_OUT, sizeof one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(every_shape_agrees_with_the_reference),
        kernel_test(accumulating_adds_to_what_was_there),
        kernel_test(a_row_has_the_same_bits_alone_and_in_any_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
