/* The scalar head; inputs are x, w and b. */
#include <support/support.h>

#include <string.h>
#include <support/triple.h>

enum { ROWS = 5, WIDTH = 37, N_X = ROWS * WIDTH };
static const struct psw_value_dims DIMS = {ROWS, WIDTH};

static struct psw_value_param param_of(const float *in)
{
    return (struct psw_value_param){in + N_X, in + N_X + WIDTH};
}

static void forward(const float *in, float *y)
{
    OP.value->forward(&kernel_exec, DIMS, param_of(in), in, y);
}

/* The head's weights are minus the cotangent of y. */
static void backward(const float *in, const float *y_bar, float *in_bar)
{
    float weight[ROWS];
    for (int r = 0; r < ROWS; r++) weight[r] = -y_bar[r];
    OP.value->backward(&kernel_exec, DIMS, param_of(in), in, weight,
                       (struct psw_value_grad){in_bar, in_bar + N_X, in_bar + N_X + WIDTH});
}

static void tangent(const float *in, const float *in_dot, float *y, float *y_dot)
{
    float x[2 * N_X], dual[2 * ROWS];
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.value->tangent(&kernel_exec, DIMS, param_of(in), param_of(in_dot), x, dual);
    memcpy(y, dual, ROWS * sizeof *y);
    memcpy(y_dot, dual + ROWS, ROWS * sizeof *y);
}

static void the_scalar_head_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N_X + WIDTH + 1, ROWS, forward, backward, tangent};
    triple_check(&op, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(the_scalar_head_is_a_consistent_triple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
