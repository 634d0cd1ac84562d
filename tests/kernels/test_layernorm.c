/* Layer normalisation: inputs are x, then gain and shift of every output. */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 5, WIDTH = 530, N = ROWS * WIDTH }; /* wider than one internal block */
static int n_out;                                 /* outputs of the case under test */

static struct psw_layernorm_dims dims(void)
{
    return (struct psw_layernorm_dims){ROWS, WIDTH, n_out, 1e-5};
}

static struct psw_layernorm_param param_of(const float *in)
{
    const float *w = in + N;
    return (struct psw_layernorm_param){{w, w + 2 * WIDTH}, {w + WIDTH, w + 3 * WIDTH}};
}

static float x_hat[N], rstd[ROWS];

static void forward(const float *in, float *out)
{
    OP.layernorm->forward(&kernel_exec, dims(), param_of(in), in,
                          (struct psw_layernorm_saved){x_hat, rstd},
                          (float *const[]){out, out + N});
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    static float out[2 * N];
    float *w = in_bar + N;
    forward(in, out);
    OP.layernorm->backward(
        &kernel_exec, dims(), param_of(in), (struct psw_layernorm_saved){x_hat, rstd},
        (const float *const[]){out_bar, out_bar + N}, in_bar,
        (struct psw_layernorm_grad){{w, w + 2 * WIDTH}, {w + WIDTH, w + 3 * WIDTH}});
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    static float x[2 * N], y[2][2 * N];
    memcpy(x, in, N * sizeof *x);
    memcpy(x + N, in_dot, N * sizeof *x);
    OP.layernorm->tangent(&kernel_exec, dims(), param_of(in), param_of(in_dot), x,
                          (float *const[]){y[0], y[1]});
    for (int k = 0; k < n_out; k++) {
        memcpy(out + k * N, y[k], N * sizeof *x);
        memcpy(out_dot + k * N, y[k] + N, N * sizeof *x);
    }
}

static void layernorm_with_one_or_two_outputs_is_a_consistent_triple(void **state)
{
    (void)state;
    for (n_out = 1; n_out <= 2; n_out++) {
        const struct triple op = {N + n_out * 2 * WIDTH, n_out * N, forward, backward, tangent};
        triple_check(&op, 1e-5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(layernorm_with_one_or_two_outputs_is_a_consistent_triple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
