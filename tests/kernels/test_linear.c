/* Linear maps: inputs are x, w, b back to back. */
#include <support/support.h>

#include <string.h>
#include <support/triple.h>

enum { ROWS = 9, IN = 21, OUT = 13, N_X = ROWS * IN, N_W = OUT * IN, N_Y = ROWS * OUT };
static const struct psw_linear_dims DIMS = {ROWS, IN, OUT};

static struct psw_linear_param param_of(const float *in)
{
    return (struct psw_linear_param){in + N_X, in + N_X + N_W};
}

static void forward(const float *in, float *y)
{
    OP.linear->forward(&kernel_exec, DIMS, param_of(in), in, y);
}

static void backward(const float *in, const float *y_bar, float *in_bar)
{
    OP.linear->backward(&kernel_exec, DIMS, param_of(in), in, y_bar, in_bar,
                        (struct psw_linear_grad){in_bar + N_X, in_bar + N_X + N_W});
}

static void tangent_into(const float *in, const float *in_dot, float *dual_y, int add)
{
    float dual_x[2 * N_X];
    memcpy(dual_x, in, N_X * sizeof *in);
    memcpy(dual_x + N_X, in_dot, N_X * sizeof *in);
    (add ? OP.linear->tangent_add : OP.linear->tangent)(&kernel_exec, DIMS, param_of(in),
                                                        param_of(in_dot), dual_x, dual_y);
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
    const struct triple op = {N_X + N_W + OUT, N_Y, forward, backward, tangent};
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
    OP.linear->forward_add(&kernel_exec, DIMS, param_of(in), in, y);
    for (int i = 0; i < 2 * N_Y; i++) assert_close(added[i], dual[i] + 3.0f, 1e-5);
    for (int i = 0; i < N_Y; i++) assert_close(y[i], dual[i] + 3.0f, 1e-5);
}

static void a_map_without_bias_starts_from_zero(void **state)
{
    (void)state;
    float in[N_X + N_W], y[N_Y];
    support_fill(in, N_X + N_W, 1.0f, 1);
    for (int i = 0; i < N_Y; i++) y[i] = 1e30f;
    OP.linear->forward(&kernel_exec, DIMS, (struct psw_linear_param){in + N_X, NULL}, in, y);
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
    OP.linear->backward(&kernel_exec, DIMS, param_of(in), in, y_bar, x_bar,
                        (struct psw_linear_grad){NULL, NULL});
    assert_memory_equal(x_bar, all, sizeof x_bar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(linear_is_a_consistent_triple),
        kernel_test(adding_forms_add_to_what_is_there),
        kernel_test(a_map_without_bias_starts_from_zero),
        kernel_test(what_is_not_wanted_of_backward_leaves_the_rest_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
