/* Linear maps: inputs are x, w, b back to back. */
#include <support/support.h>

#include <posweep/kernels/linear.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 9, IN = 21, OUT = 13, N_X = ROWS * IN, N_W = OUT * IN, N_Y = ROWS * OUT };
static const struct psw_linear_dims DIMS = {ROWS, IN, OUT};

static void naive(const double *in, double *y)
{
    const double *w = in + N_X, *b = w + N_W;
    for (int r = 0; r < ROWS; r++)
        for (int o = 0; o < OUT; o++) {
            y[r * OUT + o] = b[o];
            for (int i = 0; i < IN; i++) y[r * OUT + o] += in[r * IN + i] * w[o * IN + i];
        }
}

static struct psw_linear_param param_of(const float *in)
{
    return (struct psw_linear_param){in + N_X, in + N_X + N_W};
}

static void forward(const float *in, float *y)
{
    psw_linear_forward(DIMS, param_of(in), in, y);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    psw_linear_backward(DIMS, param_of(in), in, y_bar, in_bar,
                        (struct psw_linear_grad){in_bar + N_X, in_bar + N_X + N_W});
}

static void tangent_into(const float *in, const float *in_dot, float *dual_y, int add)
{
    float dual_x[2 * N_X];
    memcpy(dual_x, in, N_X * sizeof *in);
    memcpy(dual_x + N_X, in_dot, N_X * sizeof *in);
    (add ? psw_linear_tangent_add : psw_linear_tangent)(DIMS, param_of(in), param_of(in_dot),
                                                        dual_x, dual_y);
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    float dual_y[2 * N_Y];
    tangent_into(in, in_dot, dual_y, 0);
    memcpy(y, dual_y, N_Y * sizeof *y);
    memcpy(y_dot, dual_y + N_Y, N_Y * sizeof *y);
}

static void linear_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N_X + N_W + OUT, N_Y, naive, forward, backward, tangent};
    triple_check(&op, 1e-5);
}

static void adding_forms_add_to_what_is_there(void **state)
{
    (void)state;
    float in[N_X + N_W + OUT], in_dot[N_X + N_W + OUT], dual[2 * N_Y], added[2 * N_Y], y[N_Y];
    support_fill(in, N_X + N_W + OUT, 1.0f, 1);
    support_fill(in_dot, N_X + N_W + OUT, 1.0f, 2);
    tangent_into(in, in_dot, dual, 0);
    for (int i = 0; i < 2 * N_Y; i++) added[i] = 3.0f;
    for (int i = 0; i < N_Y; i++) y[i] = 3.0f;
    tangent_into(in, in_dot, added, 1);
    psw_linear_forward_add(DIMS, param_of(in), in, y);
    for (int i = 0; i < 2 * N_Y; i++) assert_close(added[i], dual[i] + 3.0f, 1e-5);
    for (int i = 0; i < N_Y; i++) assert_close(y[i], dual[i] + 3.0f, 1e-5);
}

static void a_map_without_bias_starts_from_zero(void **state)
{
    (void)state;
    float in[N_X + N_W], y[N_Y];
    support_fill(in, N_X + N_W, 1.0f, 1);
    for (int i = 0; i < N_Y; i++) y[i] = 1e30f;
    psw_linear_forward(DIMS, (struct psw_linear_param){in + N_X, NULL}, in, y);
    double first = 0.0;
    for (int i = 0; i < IN; i++) first += (double)in[i] * in[N_X + i];
    assert_close(y[0], first, 1e-5);
}

static void what_is_not_wanted_of_backward_leaves_the_rest_alike(void **state)
{
    (void)state;
    float in[N_X + N_W + OUT], y_bar[N_Y], all[N_X + N_W + OUT] = {0}, x_bar[N_X] = {0};
    support_fill(in, N_X + N_W + OUT, 1.0f, 1);
    support_fill(y_bar, N_Y, 1.0f, 2);
    backward(in, y_bar, all);
    psw_linear_backward(DIMS, param_of(in), in, y_bar, x_bar,
                        (struct psw_linear_grad){NULL, NULL});
    assert_memory_equal(x_bar, all, sizeof x_bar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_is_a_consistent_triple),
        cmocka_unit_test(adding_forms_add_to_what_is_there),
        cmocka_unit_test(a_map_without_bias_starts_from_zero),
        cmocka_unit_test(what_is_not_wanted_of_backward_leaves_the_rest_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
