/* RMS normalisation of heads on rows of every layout: inputs are rows and both gains. */
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <support/triple.h>

enum { TOK = 4, HEADS = 3, HEAD = 10, N_MAX = TOK * HEADS * 3 * HEAD, GAINS = 2 * HEAD };
static struct psw_headnorm_dims dims; /* of the case under test */
static float x_hat[TOK * 2 * HEADS * HEAD], rstd[TOK * 2 * HEADS];
static const struct psw_rmsnorm_saved SAVED = {x_hat, rstd};

static int64_t n_elem(void)
{
    return TOK * dims.qkv.row;
}

/* The gains behind the rows. */
static struct psw_headnorm_param gains(const float *in)
{
    return (struct psw_headnorm_param){in + n_elem(), in + n_elem() + HEAD};
}

static void forward(const float *in, float *out)
{
    memcpy(out, in, (size_t)n_elem() * sizeof *in);
    OP.headnorm->forward(&kernel_exec, dims, gains(in), SAVED, out);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    float bar[N_MAX];
    forward(in, bar);
    memcpy(bar, out_bar, (size_t)n_elem() * sizeof *bar);
    float *gain_bar = in_bar + n_elem();
    OP.headnorm->backward(&kernel_exec, dims, gains(in), SAVED, bar,
                          (struct psw_headnorm_grad){gain_bar, gain_bar + HEAD});
    for (int i = 0; i < n_elem(); i++) in_bar[i] += bar[i];
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    float dual[2 * N_MAX];
    memcpy(dual, in, (size_t)n_elem() * sizeof *in);
    memcpy(dual + n_elem(), in_dot, (size_t)n_elem() * sizeof *in);
    OP.headnorm->tangent(&kernel_exec, dims, gains(in), gains(in_dot), dual);
    memcpy(out, dual, (size_t)n_elem() * sizeof *in);
    memcpy(out_dot, dual + n_elem(), (size_t)n_elem() * sizeof *in);
}

static void headnorm_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct psw_qkv layouts[] = {psw_qkv_by_head(HEADS, HEAD),
                                      psw_qkv_by_kind(HEADS, HEADS, HEAD),
                                      psw_qkv_by_kind(HEADS, 1, HEAD)};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        dims = (struct psw_headnorm_dims){TOK, 0.1, layouts[i]}; /* so large that eps is seen */
        const struct triple op = {n_elem() + GAINS, n_elem(), forward, backward, tangent};
        triple_check(&op, 1e-5);
    }
}

/* Queries and keys are rows of rmsnorm, and values pass. */
static void a_head_is_a_row_of_rmsnorm(void **state)
{
    (void)state;
    float in[N_MAX + GAINS], out[N_MAX], row[HEAD], row_hat[HEAD], row_rstd;
    dims = (struct psw_headnorm_dims){TOK, 1e-6, psw_qkv_by_kind(HEADS, 1, HEAD)};
    support_fill(in, N_MAX + GAINS, 1.0f, 3);
    forward(in, out);
    for (int64_t at = 0; at < n_elem(); at += HEAD) {
        const int64_t head = at % dims.qkv.row / HEAD; /* three of queries, a key, a value */
        const float *gain = head < HEADS ? gains(in).q : gains(in).k;
        if (head > HEADS)
            memcpy(row, in + at, sizeof row);
        else
            OP.rmsnorm->forward(&kernel_exec, (struct psw_rmsnorm_dims){1, HEAD, 1e-6}, gain,
                                in + at, (struct psw_rmsnorm_saved){row_hat, &row_rstd}, row);
        for (int i = 0; i < HEAD; i++) assert_close(out[at + i], row[i], 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(headnorm_is_a_consistent_triple),
        kernel_test(a_head_is_a_row_of_rmsnorm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
