/* Root-mean-square normalisation: inputs are x and the gain. */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 5, WIDTH = 530, N = ROWS * WIDTH }; /* wider than one internal block */
static const struct psw_rmsnorm_dims DIMS = {ROWS, WIDTH, 0.1}; /* so large that eps is seen */
static float x_hat[N], rstd[ROWS];
static const struct psw_rmsnorm_saved SAVED = {x_hat, rstd};

static void forward(const float *in, float *y)
{
    OP.rmsnorm->forward(&kernel_exec, DIMS, in + N, in, SAVED, y);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    static float y[N];
    forward(in, y);
    OP.rmsnorm->backward(&kernel_exec, DIMS, in + N, SAVED, y_bar, in_bar, in_bar + N);
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    static float x[2 * N], dual[2 * N];
    memcpy(x, in, N * sizeof *x);
    memcpy(x + N, in_dot, N * sizeof *x);
    OP.rmsnorm->tangent(&kernel_exec, DIMS, in + N, in_dot + N, x, dual);
    memcpy(y, dual, N * sizeof *x);
    memcpy(y_dot, dual + N, N * sizeof *x);
}

static void rmsnorm_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N + WIDTH, N, forward, backward, tangent};
    triple_check(&op, 1e-5);
}

static void a_row_alone_has_the_same_bits(void **state)
{
    (void)state;
    static float in[N + WIDTH], all[N], one[WIDTH];
    support_fill(in, N + WIDTH, 1.0f, 3);
    forward(in, all);
    for (int r = 0; r < ROWS; r++) {
        OP.rmsnorm->forward(&kernel_exec, (struct psw_rmsnorm_dims){1, WIDTH, DIMS.eps}, in + N,
                            in + r * WIDTH, SAVED, one);
        assert_memory_equal(one, all + r * WIDTH, sizeof one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(rmsnorm_is_a_consistent_triple),
        kernel_test(a_row_alone_has_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
