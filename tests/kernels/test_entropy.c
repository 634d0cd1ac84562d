/* The entropy of a row's distribution, with more rows than a chunk and more columns than a
 * block; inputs are x and w. */
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 7, WIDTH = 5, VOCAB = 2051, N_X = ROWS * WIDTH, N_W = VOCAB * WIDTH };
/* Logits of a few nat: some words are much more probable than others. */
static const struct psw_head_dims DIMS = {ROWS, WIDTH, VOCAB, 0.35};

static struct psw_head_in in_of(const float *in)
{
    return (struct psw_head_in){.x = in, .w = in + N_X};
}

static void forward(const float *in, float *entropy)
{
    OP.entropy->forward(&kernel_exec, DIMS, in_of(in), entropy);
}

/* The weights are minus the cotangent of the entropy. */
static void backward(const float *in, const float *entropy_bar, float *in_bar)
{
    float weight[ROWS];
    for (int r = 0; r < ROWS; r++) weight[r] = -entropy_bar[r];
    OP.entropy->backward(&kernel_exec, DIMS, in_of(in), weight,
                         (struct psw_head_grad){in_bar, in_bar + N_X});
}

static void tangent(const float *in, const float *in_dot, float *entropy, float *entropy_dot)
{
    float x[2 * N_X], dual[2 * ROWS];
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.entropy->tangent(&kernel_exec, DIMS, (struct psw_head_in){.x = x, .w = in + N_X},
                        in_dot + N_X, dual);
    memcpy(entropy, dual, ROWS * sizeof *entropy);
    memcpy(entropy_dot, dual + ROWS, ROWS * sizeof *entropy);
}

static void entropy_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct triple op = {N_X + N_W, ROWS, forward, backward, tangent};
    triple_check(&op, 1e-5);
}

/* Equal logits: log V, the largest there is. One logit far above the others: nothing. The last
 * block moves the largest logit, so that earlier sums are rescaled by exp(-200). */
static void entropy_is_log_v_of_equal_logits_and_zero_of_a_certain_one(void **state)
{
    (void)state;
    static float w[VOCAB], w_bar[VOCAB];
    const struct psw_head_dims d = {1, 1, VOCAB, 1.0};
    const struct psw_head_in in = {.x = (const float[]){1.0f}, .w = w};
    const float weight = 1.0f;
    float entropy, x_bar = 0.0f;
    for (int v = 0; v < VOCAB; v++) w[v] = 3.0f;
    OP.entropy->forward(&kernel_exec, d, in, &entropy);
    assert_close(entropy, log(VOCAB), 1e-6);
    w[VOCAB - 1] = 203.0f;
    OP.entropy->forward(&kernel_exec, d, in, &entropy);
    assert_true(entropy >= 0.0f && entropy <= 1e-30f);
    OP.entropy->backward(&kernel_exec, d, in, &weight, (struct psw_head_grad){&x_bar, w_bar});
    for (int v = 0; v < VOCAB; v++) assert_close(w_bar[v], 0.0, 1e-30);
}

static void logits_of_any_size_give_an_entropy_in_its_range(void **state)
{
    (void)state;
    static float in[N_X + N_W];
    float entropy[ROWS];
    support_fill(in, N_X + N_W, 100.0f, 3);
    forward(in, entropy);
    for (int r = 0; r < ROWS; r++)
        assert_true(entropy[r] >= 0.0f && entropy[r] <= (float)log(VOCAB));
}

/* More rows than one chunk holds: a wide vocabulary makes chunks of 256 rows. */
static void chunks_of_rows_join_without_a_seam(void **state)
{
    (void)state;
    enum { N_ROW = 260, N_COL = 70000 };
    const struct psw_head_dims d = {N_ROW, 1, N_COL, 1.0}, one = {1, 1, N_COL, 1.0};
    float *w = calloc(N_COL, sizeof *w), *w_bar = calloc(N_COL, sizeof *w_bar);
    float x[N_ROW], x_bar[N_ROW] = {0}, weight[N_ROW], entropy[N_ROW], alone;
    support_fill(w, N_COL, 3.0f, 1);
    support_fill(x, N_ROW, 1.0f, 2);
    for (int r = 0; r < N_ROW; r++) weight[r] = 1.0f;
    const struct psw_head_in in = {.x = x, .w = w};
    OP.entropy->forward(&kernel_exec, d, in, entropy);
    OP.entropy->backward(&kernel_exec, d, in, weight, (struct psw_head_grad){x_bar, w_bar});
    for (int r = 253; r < N_ROW; r++) {
        const struct psw_head_in row = {.x = x + r, .w = w};
        float row_bar = 0.0f;
        OP.entropy->forward(&kernel_exec, one, row, &alone);
        OP.entropy->backward(&kernel_exec, one, row, weight,
                             (struct psw_head_grad){&row_bar, w_bar});
        assert_close(entropy[r], alone, 1e-6);
        assert_close(x_bar[r], row_bar, 1e-5);
    }
    free(w);
    free(w_bar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(entropy_is_a_consistent_triple),
        kernel_test(entropy_is_log_v_of_equal_logits_and_zero_of_a_certain_one),
        kernel_test(logits_of_any_size_give_an_entropy_in_its_range),
        cpu_test(chunks_of_rows_join_without_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
