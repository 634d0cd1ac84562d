/* The vocabulary head against the distribution of another model, with more columns than a
 * block; inputs are x and w. */
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { ROWS = 7, WIDTH = 5, VOCAB = 2051, N_X = ROWS * WIDTH, N_W = VOCAB * WIDTH };
static const struct psw_head_dims DIMS = {ROWS, WIDTH, VOCAB, 0.7};
static const int32_t TARGET[ROWS] = {0, 1023, 1024, 2050, 5, 5, 2047};
static float target_in[N_X + N_W];
static struct psw_draw_opts draw = {.temperature = 1.0, .top_p = 1.0};

static struct psw_soft_target soft_target;

static const struct psw_soft_target *target_of(const float *in)
{
    soft_target = (struct psw_soft_target){in, in + N_X, draw};
    return &soft_target;
}

static void logits_of(const double *in, int r, double *logit)
{
    for (int v = 0; v < VOCAB; v++) {
        logit[v] = 0.0;
        for (int i = 0; i < WIDTH; i++) logit[v] += in[r * WIDTH + i] * in[N_X + v * WIDTH + i];
    }
}

static struct psw_head_in in_of(const float *in)
{
    return (struct psw_head_in){in, in + N_X, TARGET};
}

static void backward_to(const float *in, const float *soft_bar, float *soft, float *in_bar)
{
    float weight[ROWS]; /* minus the cotangent of the quantity */
    for (int r = 0; r < ROWS; r++) weight[r] = -soft_bar[r];
    OP.head->soft_nll(&kernel_exec, DIMS, in_of(in), target_of(target_in), weight, soft,
                      (struct psw_head_grad){in_bar, in_bar + N_X});
}

static void forward(const float *in, float *soft)
{
    static const float nothing[ROWS];
    static float unused[N_X + N_W];
    backward_to(in, nothing, soft, unused);
}

static void backward(const float *in, const float *soft_bar, float *in_bar)
{
    float soft[ROWS];
    backward_to(in, soft_bar, soft, in_bar);
}

static void both_tangents(const float *in, const float *in_dot, float logp[2 * ROWS],
                          float soft[2 * ROWS])
{
    float x[2 * N_X];
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.head->soft_tangent(&kernel_exec, DIMS, (struct psw_head_in){x, in + N_X, TARGET},
                          target_of(target_in), in_dot + N_X, logp, soft);
}

static void tangent(const float *in, const float *in_dot, float *soft, float *soft_dot)
{
    float logp[2 * ROWS], dual[2 * ROWS];
    both_tangents(in, in_dot, logp, dual);
    memcpy(soft, dual, ROWS * sizeof *soft);
    memcpy(soft_dot, dual + ROWS, ROWS * sizeof *soft);
}

static void soft_targets_are_a_consistent_triple_however_tokens_are_drawn(void **state)
{
    (void)state;
    static const struct psw_draw_opts DRAWS[] = {
        {1.0, 1.0, 0}, {0.6, 1.0, 0}, {1.4, 1.0, 20}, {1.0, 1.0, 1}};
    const struct triple op = {N_X + N_W, ROWS, forward, backward, tangent};
    support_fill(target_in, N_X + N_W, 2.0f, 77);
    for (size_t i = 0; i < sizeof DRAWS / sizeof *DRAWS; i++) {
        draw = DRAWS[i];
        triple_check(&op, 1e-5);
    }
}

/* With one token left of each distribution the quantity is that token's log-probability. */
static void a_greedy_target_is_one_drawn_token(void **state)
{
    (void)state;
    static float in[N_X + N_W];
    int32_t largest[ROWS];
    float soft[ROWS], logp[ROWS];
    support_fill(in, N_X + N_W, 1.0f, 3);
    support_fill(target_in, N_X + N_W, 2.0f, 77);
    for (int r = 0; r < ROWS; r++) {
        static double target[N_X + N_W], logit[VOCAB];
        for (int i = 0; i < N_X + N_W; i++) target[i] = target_in[i];
        logits_of(target, r, logit);
        largest[r] = 0;
        for (int v = 1; v < VOCAB; v++)
            if (logit[v] > logit[largest[r]]) largest[r] = v;
    }
    draw = (struct psw_draw_opts){.temperature = 0.0, .top_p = 1.0};
    forward(in, soft);
    OP.head->forward(&kernel_exec, DIMS, (struct psw_head_in){in, in + N_X, largest}, logp,
                     NULL);
    for (int r = 0; r < ROWS; r++) assert_close(soft[r], logp[r], 1e-5);
}

static void log_probabilities_beside_it_are_those_of_the_head(void **state)
{
    (void)state;
    static float in[N_X + N_W], in_dot[N_X + N_W];
    float logp[2 * ROWS], soft[2 * ROWS], expected[2 * ROWS], x[2 * N_X];
    support_fill(in, N_X + N_W, 1.0f, 3);
    support_fill(in_dot, N_X + N_W, 1.0f, 4);
    draw = (struct psw_draw_opts){.temperature = 1.0, .top_p = 1.0};
    both_tangents(in, in_dot, logp, soft);
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.head->tangent(&kernel_exec, DIMS, (struct psw_head_in){x, in + N_X, TARGET},
                     in_dot + N_X, expected);
    for (int r = 0; r < 2 * ROWS; r++) assert_close(logp[r], expected[r], 2e-5);
}

/* The policy is its own target: nothing pulls, to the last bit. */
static void nothing_pulls_a_model_towards_itself(void **state)
{
    (void)state;
    static float in[N_X + N_W], in_dot[N_X + N_W], in_bar[N_X + N_W];
    float weight[ROWS], soft[2 * ROWS], logp[2 * ROWS], x[2 * N_X];
    struct psw_head_dims d = DIMS;
    d.temperature = 1.0;
    draw = (struct psw_draw_opts){.temperature = 1.0, .top_p = 1.0};
    support_fill(in, N_X + N_W, 1.0f, 3);
    support_fill(in_dot, N_X + N_W, 1.0f, 4);
    support_fill(weight, ROWS, 1.0f, 5);
    OP.head->soft_nll(&kernel_exec, d, in_of(in), target_of(in), weight, soft,
                      (struct psw_head_grad){in_bar, in_bar + N_X});
    for (int i = 0; i < N_X + N_W; i++) assert_true(in_bar[i] == 0.0f);
    memcpy(x, in, N_X * sizeof *x);
    memcpy(x + N_X, in_dot, N_X * sizeof *x);
    OP.head->soft_tangent(&kernel_exec, d, (struct psw_head_in){x, in + N_X, TARGET},
                          target_of(in), in_dot + N_X, logp, soft);
    for (int r = 0; r < ROWS; r++) assert_true(soft[ROWS + r] == 0.0f && soft[r] < 0.0f);
}

/* More rows than one chunk holds: a wide vocabulary makes chunks of 256 rows. */
static void chunks_of_rows_join_without_a_seam(void **state)
{
    (void)state;
    enum { N_ROW = 258, N_COL = 70000 };
    const struct psw_head_dims d = {N_ROW, 1, N_COL, 1.0}, one = {1, 1, N_COL, 1.0};
    float *w = calloc(N_COL, sizeof *w), *w_bar = calloc(N_COL, sizeof *w_bar);
    float *w_target = calloc(N_COL, sizeof *w_target);
    float x[N_ROW], x_bar[N_ROW] = {0}, weight[N_ROW], soft[N_ROW], alone;
    draw = (struct psw_draw_opts){.temperature = 1.0, .top_p = 1.0};
    support_fill(w, N_COL, 1.0f, 1);
    support_fill(w_target, N_COL, 1.0f, 8);
    support_fill(x, N_ROW, 1.0f, 2);
    for (int r = 0; r < N_ROW; r++) weight[r] = 1.0f;
    OP.head->soft_nll(&kernel_exec, d, (struct psw_head_in){.x = x, .w = w},
                      &(struct psw_soft_target){x, w_target, draw}, weight, soft,
                      (struct psw_head_grad){x_bar, w_bar});
    for (int r = 254; r < N_ROW; r++) {
        float row_bar = 0.0f;
        OP.head->soft_nll(&kernel_exec, one, (struct psw_head_in){.x = x + r, .w = w},
                          &(struct psw_soft_target){x + r, w_target, draw}, weight, &alone,
                          (struct psw_head_grad){&row_bar, w_bar});
        assert_close(soft[r], alone, 1e-6);
        assert_close(x_bar[r], row_bar, 1e-5);
    }
    free(w);
    free(w_bar);
    free(w_target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(soft_targets_are_a_consistent_triple_however_tokens_are_drawn),
        kernel_test(a_greedy_target_is_one_drawn_token),
        kernel_test(log_probabilities_beside_it_are_those_of_the_head),
        kernel_test(nothing_pulls_a_model_towards_itself),
        cpu_test(chunks_of_rows_join_without_a_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
