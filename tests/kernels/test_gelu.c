/* GELU behind a bias: inputs are x and b, the output gelu(x + b). */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 11, COLS = 53, N = ROWS * COLS };

static void biased(const float *in, float *x)
{
    for (int i = 0; i < N; i++) x[i] = 3.0f * in[i] + in[N + i % COLS];
}

static void forward(const float *in, float *y)
{
    float x[N];
    biased(in, x);
    OP.gelu->forward(&kernel_exec, ROWS, COLS, x, y, x);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    float slope[N], y[N], bar[N];
    biased(in, slope);
    OP.gelu->forward(&kernel_exec, ROWS, COLS, slope, y, slope);
    memcpy(bar, y_bar, sizeof bar);
    OP.gelu->backward(&kernel_exec, ROWS, COLS, slope, bar, in_bar + N);
    for (int i = 0; i < N; i++) in_bar[i] += 3.0f * bar[i];
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    float dual[2 * N];
    biased(in, dual);
    biased(in_dot, dual + N);
    OP.gelu->tangent(&kernel_exec, ROWS, COLS, dual);
    memcpy(y, dual, N * sizeof *y);
    memcpy(y_dot, dual + N, N * sizeof *y);
}

static void gelu_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N + COLS, N, forward, backward, tangent};
    triple_check(&op, 2e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {kernel_test(gelu_is_a_consistent_triple)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
