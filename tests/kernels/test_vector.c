/* Whole vectors: every backend against formulas in double, and any cut against the whole. */
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { N = 1003 };

static const struct psw_vector_ops *ops(void)
{
    return psw_exec_backend(&kernel_exec)->vector;
}

static void sums_and_multiples_are_what_they_say(void **state)
{
    (void)state;
    float x[N], y[N], z[N];
    support_fill(x, N, 1.0f, 1);
    support_fill(y, N, 1.0f, 2);
    memcpy(z, y, sizeof z);
    ops()->add(&kernel_exec, N, x, z);
    for (int i = 0; i < N; i++) assert_close(z[i], (double)x[i] + y[i], 1e-6);
    memcpy(z, y, sizeof z);
    ops()->axpy(&kernel_exec, N, -0.3f, x, z);
    for (int i = 0; i < N; i++) assert_close(z[i], (double)-0.3f * x[i] + y[i], 1e-6);
    memcpy(z, y, sizeof z);
    ops()->scale(&kernel_exec, N, 0.25f, z);
    for (int i = 0; i < N; i++) assert_true(z[i] == 0.25f * y[i]);
    memcpy(z, y, sizeof z);
    ops()->multiply(&kernel_exec, N, x, z);
    for (int i = 0; i < N; i++) assert_true(z[i] == x[i] * y[i]);
}

static void inner_products_come_in_blocks(void **state)
{
    (void)state;
    enum { LONG = 2 * PSW_DOT_BLOCK + 77 };
    float *x = calloc(LONG, sizeof *x), *y = calloc(LONG, sizeof *y);
    double sum[3], expected[3] = {0};
    support_fill(x, LONG, 1.0f, 3);
    support_fill(y, LONG, 1.0f, 4);
    for (int i = 0; i < LONG; i++) expected[i / PSW_DOT_BLOCK] += (double)x[i] * y[i];
    ops()->dot(&kernel_exec, LONG, x, y, sum);
    for (int k = 0; k < 3; k++) assert_close(sum[k], expected[k], 1e-10);
    free(x);
    free(y);
}

/* Two steps from zero moments, in the textbook's words. */
static void adamw_follows_the_textbook_whatever_the_cut(void **state)
{
    (void)state;
    const double lr = 1e-2, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, decay = 0.1;
    static float grad[N], m[N], v[N], param[N];
    static double m64[N], v64[N], p64[N];
    memset(m, 0, sizeof m);
    memset(v, 0, sizeof v);
    memset(m64, 0, sizeof m64);
    memset(v64, 0, sizeof v64);
    support_fill(param, N, 1.0f, 5);
    for (int i = 0; i < N; i++) p64[i] = param[i];
    for (int t = 1; t <= 2; t++) {
        const struct psw_adamw how = {.scale = 0.5f,
                                      .beta1 = (float)beta1,
                                      .rest1 = (float)(1.0 - beta1),
                                      .beta2 = (float)beta2,
                                      .rest2 = (float)(1.0 - beta2),
                                      .keep = (float)(1.0 - lr * decay),
                                      .step = (float)(-lr / (1.0 - pow(beta1, t))),
                                      .root = (float)(1.0 / sqrt(1.0 - pow(beta2, t))),
                                      .eps = (float)eps};
        support_fill(grad, N, 1.0f, (uint64_t)(5 + t));
        ops()->adamw(&kernel_exec, &how, 400, grad, m, v, param);
        ops()->adamw(&kernel_exec, &how, N - 400, grad + 400, m + 400, v + 400, param + 400);
        for (int i = 0; i < N; i++) {
            const double g = 0.5 * grad[i];
            m64[i] = beta1 * m64[i] + (1.0 - beta1) * g;
            v64[i] = beta2 * v64[i] + (1.0 - beta2) * g * g;
            const double m_hat = m64[i] / (1.0 - pow(beta1, t));
            const double v_hat = v64[i] / (1.0 - pow(beta2, t));
            p64[i] -= lr * (m_hat / (sqrt(v_hat) + eps) + decay * p64[i]);
            assert_close(param[i], p64[i], 1e-6);
        }
    }
}

static void sgd_and_the_preconditioner_are_what_they_say(void **state)
{
    (void)state;
    float grad[N], param[N], before[N], v[N], out[N];
    support_fill(grad, N, 1.0f, 8);
    support_fill(before, N, 1.0f, 9);
    memcpy(param, before, sizeof param);
    ops()->sgd(&kernel_exec, 0.99f, -0.1f, N, grad, param);
    for (int i = 0; i < N; i++) {
        assert_close(param[i], (double)0.99f * before[i] - (double)0.1f * grad[i], 1e-6);
        v[i] = grad[i] * grad[i];
    }
    ops()->precondition(&kernel_exec, 2.0f, 1e-3f, N, v, before, out);
    for (int i = 0; i < N; i++)
        assert_close(out[i] * (2.0 * sqrt((double)v[i]) + (double)1e-3f), before[i], 1e-6);
    ops()->precondition(&kernel_exec, 2.0f, 1e-3f, N, v, before, before); /* in place */
    assert_memory_equal(before, out, sizeof out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(sums_and_multiples_are_what_they_say),
        kernel_test(inner_products_come_in_blocks),
        kernel_test(adamw_follows_the_textbook_whatever_the_cut),
        kernel_test(sgd_and_the_preconditioner_are_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
