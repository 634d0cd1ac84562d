/* Small products against sums in double, for every remainder of rows, columns and vectors. */
#include "gemm.h"
#include <math.h>
#include <string.h>
#include <support/support.h>

enum { LD = 40, N = LD * LD };

typedef int small_product(struct psw_gemm g, struct psw_view a, struct psw_view b,
                          struct psw_view_out c);

/* A form: where a's (i, p) and b's (p, j) stand. */
struct form {
    small_product *run;
    int64_t a_row, a_step, b_step, b_col;
};
static const struct form NT = {psw_gemm_small_nt, LD, 1, 1, LD};
static const struct form NN = {psw_gemm_small_nn, LD, 1, LD, 1};
static const struct form TN = {psw_gemm_small_tn, 1, LD, LD, 1};

static void check(const struct form *f, struct psw_gemm g)
{
    float a[N], b[N], c[N], old[N];
    support_fill(a, N, 1.0f, 1);
    support_fill(b, N, 1.0f, 2);
    support_fill(old, N, 1.0f, 3);
    memcpy(c, old, sizeof c);
    assert_int_equal(f->run(g, (struct psw_view){a, LD}, (struct psw_view){b, LD},
                            (struct psw_view_out){c, LD}),
                     1);
    for (int64_t i = 0; i < LD; i++)
        for (int64_t j = 0; j < LD; j++) {
            if (i >= g.m || j >= g.n) { /* nothing is written outside */
                assert_true(c[i * LD + j] == old[i * LD + j]);
                continue;
            }
            double sum = 0;
            for (int64_t p = 0; p < g.k; p++)
                sum +=
                    (double)a[i * f->a_row + p * f->a_step] * b[p * f->b_step + j * f->b_col];
            assert_close(c[i * LD + j], g.alpha * sum + g.beta * old[i * LD + j], 1e-5);
        }
}

static void check_sizes(const struct form *f, int64_t n_step, int64_t k_step)
{
    for (int64_t m = 1; m <= 9; m++)
        for (int64_t n = n_step; n <= 5 * n_step; n += n_step)
            for (int64_t k = k_step; k <= 3 * k_step; k += k_step) {
                check(f, (struct psw_gemm){m, n, k, 0.5f, 0.0f});
                check(f, (struct psw_gemm){m, n, k, 1.0f, 1.0f});
            }
}

static void small_products_agree_with_plain_sums(void **state)
{
    (void)state;
    check_sizes(&NT, 1, 8);
    check_sizes(&NN, 8, 5);
    check_sizes(&TN, 8, 5);
}

static void large_or_ragged_products_are_left_to_the_blas(void **state)
{
    (void)state;
    const struct psw_gemm large = {1024, 1024, 1024, 1.0f, 0.0f}, ragged = {3, 5, 5, 1, 0};
    const struct psw_view none = {NULL, 0};
    const struct psw_view_out nowhere = {NULL, 0};
    const struct form *forms[] = {&NT, &NN, &TN};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(forms[i]->run(large, none, none, nowhere), 0);
        assert_int_equal(forms[i]->run(ragged, none, none, nowhere), 0);
    }
}

static void what_was_there_does_not_matter_without_beta(void **state)
{
    (void)state;
    float a[64], b[64], c[64];
    support_fill(a, 64, 1.0f, 1);
    support_fill(b, 64, 1.0f, 2);
    const struct psw_gemm g = {8, 8, 8, 1.0f, 0.0f};
    for (int i = 0; i < 3; i++) {
        const struct form *forms[] = {&NT, &NN, &TN};
        for (int j = 0; j < 64; j++) c[j] = NAN;
        assert_int_equal(forms[i]->run(g, (struct psw_view){a, 8}, (struct psw_view){b, 8},
                                       (struct psw_view_out){c, 8}),
                         1);
        for (int j = 0; j < 64; j++) assert_true(c[j] == c[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_products_agree_with_plain_sums),
        cmocka_unit_test(large_or_ragged_products_are_left_to_the_blas),
        cmocka_unit_test(what_was_there_does_not_matter_without_beta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
