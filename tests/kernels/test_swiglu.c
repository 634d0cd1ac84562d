/* SwiGLU: the inputs are rows of gates and ups. */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 5, WIDTH = 530, N = ROWS * WIDTH }; /* wider than one internal block */

/* Gates of some size. */
static void gated(const float *in, float *gate_up)
{
    for (int i = 0; i < 2 * N; i++) gate_up[i] = i / WIDTH % 2 ? in[i] : 9.0f * in[i];
}

static void forward(const float *in, float *y)
{
    static float x[2 * N];
    gated(in, x);
    OP.swiglu->forward(&kernel_exec, ROWS, WIDTH, x, y);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    static float x[2 * N], bar[2 * N];
    gated(in, x);
    for (int i = 0; i < 2 * N; i++) bar[i] = NAN; /* is overwritten */
    OP.swiglu->backward(&kernel_exec, ROWS, WIDTH, x, y_bar, bar);
    for (int i = 0; i < 2 * N; i++) in_bar[i] += i / WIDTH % 2 ? bar[i] : 9.0f * bar[i];
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    static float x[4 * N], dual[2 * N];
    gated(in, x);
    gated(in_dot, x + 2 * N);
    OP.swiglu->tangent(&kernel_exec, ROWS, WIDTH, x, dual);
    memcpy(y, dual, N * sizeof *y);
    memcpy(y_dot, dual + N, N * sizeof *y);
}

static void swiglu_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {2 * N, N, forward, backward, tangent};
    triple_check(&op, 1e-6);
}

static void a_row_alone_has_the_same_bits(void **state)
{
    (void)state;
    static float in[2 * N], all[N], one[WIDTH];
    support_fill(in, 2 * N, 9.0f, 3);
    OP.swiglu->forward(&kernel_exec, ROWS, WIDTH, in, all);
    for (int r = 0; r < ROWS; r++) {
        OP.swiglu->forward(&kernel_exec, 1, WIDTH, in + 2 * r * WIDTH, one);
        assert_memory_equal(one, all + r * WIDTH, sizeof one);
    }
}

static void gates_of_any_size_give_finite_results(void **state)
{
    (void)state;
    const float in[4] = {-1e4f, 1e4f, 1.0f, 1.0f}, y_bar[2] = {1.0f, 1.0f};
    float y[2], bar[4];
    OP.swiglu->forward(&kernel_exec, 1, 2, in, y);
    OP.swiglu->backward(&kernel_exec, 1, 2, in, y_bar, bar);
    assert_close(y[0], 0.0, 0.0);
    assert_close(y[1], 1e4, 0.0);
    assert_close(bar[0], 0.0, 0.0);
    assert_close(bar[1], 1.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(swiglu_is_a_consistent_triple),
        kernel_test(a_row_alone_has_the_same_bits),
        kernel_test(gates_of_any_size_give_finite_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
