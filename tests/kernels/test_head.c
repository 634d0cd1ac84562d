/* The vocabulary head, with more rows than a chunk and more columns than a block; inputs are x
 * and w. */
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 7, WIDTH = 5, VOCAB = 2051, N_X = ROWS * WIDTH, N_W = VOCAB * WIDTH };
static const struct psw_head_dims DIMS = {ROWS, WIDTH, VOCAB, 0.7};
/* The ends of column blocks, and a target twice. */
static const int32_t TARGET[ROWS] = {0, 1023, 1024, 2050, 5, 5, 2047};

static struct psw_head_in in_of(const float *in)
{
    return (struct psw_head_in){in, in + N_X, TARGET};
}

static void forward(const float *in, float *logp)
{
    OP.head->forward(&kernel_exec, DIMS, in_of(in), logp, NULL);
}

/* The head's weights are minus the cotangent of logp. */
static void backward_from(const float *in, const float *logp_bar, float *in_bar, int keep)
{
    float weight[ROWS], logp[ROWS], *prob = malloc(sizeof *prob * ROWS * VOCAB);
    for (int r = 0; r < ROWS; r++) weight[r] = -logp_bar[r];
    if (keep) OP.head->forward(&kernel_exec, DIMS, in_of(in), logp, prob);
    OP.head->backward(&kernel_exec, DIMS, in_of(in), weight, keep ? prob : NULL,
                      (struct psw_head_grad){in_bar, in_bar + N_X});
    free(prob);
}

static void backward(const float *in, const float *logp_bar, float *in_bar)
{
    backward_from(in, logp_bar, in_bar, 0);
}

static void backward_kept(const float *in, const float *logp_bar, float *in_bar)
{
    backward_from(in, logp_bar, in_bar, 1);
}

static void tangent(const float *in, const float *in_dot, float *logp, float *logp_dot)
{
    float x[2 * N_X], dual[2 * ROWS];
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.head->tangent(&kernel_exec, DIMS, (struct psw_head_in){x, in + N_X, TARGET},
                     in_dot + N_X, dual);
    memcpy(logp, dual, ROWS * sizeof *logp);
    memcpy(logp_dot, dual + ROWS, ROWS * sizeof *logp);
}

static void head_is_a_consistent_triple_with_or_without_kept_logits(void **state)
{
    (void)state;
    struct triple op = {N_X + N_W, ROWS, forward, backward, tangent};
    triple_check(&op, 1e-5);
    op.backward = backward_kept;
    triple_check(&op, 1e-5);
}

static void logits_of_any_size_give_finite_log_probabilities(void **state)
{
    (void)state;
    static float in[N_X + N_W];
    float logp[ROWS];
    support_fill(in, N_X + N_W, 100.0f, 3);
    forward(in, logp);
    for (int r = 0; r < ROWS; r++) assert_true(isfinite(logp[r]) && logp[r] <= 0.0f);
}

/* More rows than one chunk holds: a wide vocabulary makes chunks of 256 rows. */
static void chunks_of_rows_join_without_a_seam(void **state)
{
    (void)state;
    enum { N_ROW = 300, N_COL = 70000 };
    const struct psw_head_dims d = {N_ROW, 1, N_COL, 1.0};
    float *w = calloc(N_COL, sizeof *w), *w_bar = calloc(N_COL, sizeof *w_bar);
    float x[N_ROW], x_bar[N_ROW] = {0}, weight[N_ROW], logp[N_ROW], alone;
    int32_t target[N_ROW];
    support_fill(w, N_COL, 1.0f, 1);
    support_fill(x, N_ROW, 1.0f, 2);
    for (int r = 0; r < N_ROW; r++) weight[r] = 1.0f, target[r] = r * 200;
    const struct psw_head_in in = {x, w, target};
    OP.head->nll(&kernel_exec, d, in, weight, logp, (struct psw_head_grad){x_bar, w_bar});
    for (int r = 250; r < 262; r++) {
        const struct psw_head_dims one = {1, 1, N_COL, 1.0};
        const struct psw_head_in row = {x + r, w, target + r};
        float row_bar = 0.0f;
        OP.head->forward(&kernel_exec, one, row, &alone, NULL);
        OP.head->backward(&kernel_exec, one, row, weight, NULL,
                          (struct psw_head_grad){&row_bar, w_bar});
        assert_close(logp[r], alone, 1e-6);
        assert_close(x_bar[r], row_bar, 1e-5);
    }
    free(w);
    free(w_bar);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(head_is_a_consistent_triple_with_or_without_kept_logits),
        kernel_test(logits_of_any_size_give_finite_log_probabilities),
        cpu_test(chunks_of_rows_join_without_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
