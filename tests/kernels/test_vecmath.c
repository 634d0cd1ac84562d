/* The element-wise functions against libm in double, at the errors their manuals state. */
#include <support/support.h>

#include <math.h>
#include <posweep/kernels/vecmath.h>

enum { N = 20001 };
static float x[N], y[N], slope[N];

static void fill_line(double low, double high)
{
    for (int i = 0; i < N; i++) x[i] = (float)(low + (high - low) * i / (N - 1));
}

static void exp_is_within_its_relative_error(void **state)
{
    (void)state;
    fill_line(-87.0, 88.0);
    psw_vec_exp(N, x, y);
    for (int i = 0; i < N; i++) assert_true(fabs(y[i] / exp((double)x[i]) - 1.0) <= 3e-7);
}

static void exp_of_very_small_is_zero_and_of_zero_is_one(void **state)
{
    (void)state;
    const float in[4] = {-1e30f, -INFINITY, -100.0f, 0.0f};
    psw_vec_exp(4, in, y);
    for (int i = 0; i < 3; i++) assert_true(y[i] == 0.0f);
    assert_true(y[3] == 1.0f);
}

static void tanh_and_erf_are_within_their_absolute_errors(void **state)
{
    (void)state;
    fill_line(-12.0, 12.0);
    psw_vec_tanh(N, x, y);
    for (int i = 0; i < N; i++) assert_true(fabs(y[i] - tanh((double)x[i])) <= 2e-7);
    psw_vec_erf(N, x, y);
    for (int i = 0; i < N; i++) assert_true(fabs(y[i] - erf((double)x[i])) <= 3e-7);
}

static void gelu_and_its_slope_are_within_their_errors(void **state)
{
    (void)state;
    fill_line(-15.0, 15.0);
    psw_vec_gelu(N, x, y, slope);
    for (int i = 0; i < N; i++) {
        const double v = x[i], bound = 2e-7 * (1.0 + fabs(v));
        const double cumulative = 0.5 * erfc(-v * 0.70710678118654752);
        const double density = exp(-0.5 * v * v) * 0.39894228040143268;
        assert_true(fabs(y[i] - v * cumulative) <= bound);
        assert_true(fabs(slope[i] - (cumulative + v * density)) <= bound);
    }
}

static void silu_and_its_slope_are_within_their_errors(void **state)
{
    (void)state;
    fill_line(-100.0, 100.0);
    psw_vec_silu(N, x, y, slope);
    for (int i = 0; i < N; i++) {
        const double v = x[i], bound = 3e-7 * (1.0 + fabs(v)), s = 1.0 / (1.0 + exp(-v));
        assert_true(fabs(y[i] - v * s) <= bound);
        assert_true(fabs(slope[i] - (s + v * s * (1.0 - s))) <= bound);
    }
}

static void functions_give_the_same_in_place_and_at_any_length(void **state)
{
    (void)state;
    fill_line(-5.0, 5.0);
    psw_vec_exp(N, x, y);
    for (int n = 1; n < 40; n++) { /* lengths that are no multiple of a vector */
        float z[40];
        for (int i = 0; i < n; i++) z[i] = x[1000 + i];
        psw_vec_exp(n, z, z);
        for (int i = 0; i < n; i++) assert_true(z[i] == y[1000 + i]);
    }
}

static void reductions_agree_with_double_sums_at_any_length(void **state)
{
    (void)state;
    support_fill(x, N, 1.0f, 1);
    support_fill(y, N, 1.0f, 2);
    for (int n = 0; n < 200; n += 7) {
        double sum = 0.0, dot = 0.0, top = -INFINITY;
        for (int i = 0; i < n; i++) {
            sum += x[i];
            dot += (double)x[i] * y[i];
            top = x[i] > top ? x[i] : top;
        }
        assert_close(psw_vec_sum(n, x), sum, 1e-5);
        assert_close(psw_vec_dot(n, x, y), dot, 1e-5);
        assert_true(psw_vec_max(n, x) == (float)top);
    }
}

static void exp_sum_shifts_and_sums_over_blocks(void **state)
{
    (void)state;
    support_fill(x, N, 3.0f, 3);
    double sum = 0.0;
    for (int i = 0; i < N; i++) sum += exp((double)x[i] - 1.0);
    assert_close(psw_vec_exp_sum(N, 1.0f, x, y), sum, 2e-6);
    assert_close(y[5], exp((double)x[5] - 1.0), 1e-6);
}

static void rows_are_summed_into_what_is_there(void **state)
{
    (void)state;
    support_fill(x, 19 * 37, 1.0f, 4);
    for (int i = 0; i < 37; i++) y[i] = 1.0f;
    psw_vec_add_rows(19, 37, x, y);
    for (int i = 0; i < 37; i++) {
        double sum = 1.0;
        for (int r = 0; r < 19; r++) sum += x[r * 37 + i];
        assert_close(y[i], sum, 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_its_relative_error),
        cmocka_unit_test(exp_of_very_small_is_zero_and_of_zero_is_one),
        cmocka_unit_test(tanh_and_erf_are_within_their_absolute_errors),
        cmocka_unit_test(gelu_and_its_slope_are_within_their_errors),
        cmocka_unit_test(silu_and_its_slope_are_within_their_errors),
        cmocka_unit_test(functions_give_the_same_in_place_and_at_any_length),
        cmocka_unit_test(reductions_agree_with_double_sums_at_any_length),
        cmocka_unit_test(exp_sum_shifts_and_sums_over_blocks),
        cmocka_unit_test(rows_are_summed_into_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
