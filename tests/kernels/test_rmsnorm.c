/* Root-mean-square normalisation: inputs are x and the gain. */
#include <support/support.h>

#include <math.h>
#include <posweep/kernels/rmsnorm.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 5, WIDTH = 530, N = ROWS * WIDTH }; /* wider than one internal block */
static const struct psw_rmsnorm_dims DIMS = {ROWS, WIDTH, 0.1}; /* so large that eps is seen */
static float x_hat[N], rstd[ROWS];
static const struct psw_rmsnorm_saved SAVED = {x_hat, rstd};

static void naive(const double *in, double *y)
{
    const double *w = in + N;
    for (int r = 0; r < ROWS; r++) {
        const double *x = in + r * WIDTH;
        double square = 0.0;
        for (int i = 0; i < WIDTH; i++) square += x[i] * x[i] / WIDTH;
        for (int i = 0; i < WIDTH; i++) y[r * WIDTH + i] = x[i] / sqrt(square + 0.1) * w[i];
    }
}

static void forward(const float *in, float *y)
{
    psw_rmsnorm_forward(DIMS, in + N, in, SAVED, y);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    psw_rmsnorm_backward(DIMS, in + N, SAVED, y_bar, in_bar, in_bar + N);
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    static float x[2 * N], dual[2 * N];
    memcpy(x, in, N * sizeof *x);
    memcpy(x + N, in_dot, N * sizeof *x);
    psw_rmsnorm_tangent(DIMS, in + N, in_dot + N, x, dual);
    memcpy(y, dual, N * sizeof *x);
    memcpy(y_dot, dual + N, N * sizeof *x);
}

static void rmsnorm_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N + WIDTH, N, naive, forward, backward, tangent};
    triple_check(&op, 1e-5);
}

static void a_row_alone_has_the_same_bits(void **state)
{
    (void)state;
    static float in[N + WIDTH], all[N], one[WIDTH];
    support_fill(in, N + WIDTH, 1.0f, 3);
    forward(in, all);
    for (int r = 0; r < ROWS; r++) {
        psw_rmsnorm_forward((struct psw_rmsnorm_dims){1, WIDTH, DIMS.eps}, in + N,
                            in + r * WIDTH, SAVED, one);
        assert_memory_equal(one, all + r * WIDTH, sizeof one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rmsnorm_is_a_consistent_triple),
        cmocka_unit_test(a_row_alone_has_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
