/* Attention on a prefix tree whose segments cross query blocks, with every layout of queries,
 * keys and values; the input is qkv. */
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { HEADS = 6, HEAD = 5, SEGS = 5, TOK = 70 + 3 + 66 + 2 + 4, WIDTH = HEADS * HEAD };
static struct psw_qkv layout; /* of the case under test */
static const struct psw_segment SEGMENT[SEGS] = {
    {0, 70, -1}, {70, 3, 0}, {73, 66, 0}, {139, 2, 1}, {141, 4, -1}};
static const struct psw_batch BATCH = {
    .n_tok = TOK, .n_seg = SEGS, .max_path = 70 + 66, .segment = SEGMENT};

static float lse[TOK * HEADS];

static void forward(const float *in, float *out)
{
    OP.attention->forward(&kernel_exec, layout, &BATCH, in, out, lse);
}

static void backward(const float *in, const float *out_bar, float *in_bar)
{
    float out[TOK * WIDTH];
    forward(in, out);
    OP.attention->backward(&kernel_exec, layout, &BATCH,
                           (struct psw_attention_saved){in, out, lse, out_bar}, in_bar);
}

static void tangent(const float *in, const float *in_dot, float *out, float *out_dot)
{
    const size_t in_bytes = (size_t)(TOK * layout.row) * sizeof(float);
    const size_t out_bytes = TOK * WIDTH * sizeof(float);
    static float qkv[2 * TOK * 3 * WIDTH], dual[2 * TOK * WIDTH];
    memcpy(qkv, in, in_bytes);
    memcpy(qkv + TOK * layout.row, in_dot, in_bytes);
    OP.attention->tangent(&kernel_exec, layout, &BATCH, qkv, dual);
    memcpy(out, dual, out_bytes);
    memcpy(out_dot, dual + TOK * WIDTH, out_bytes);
}

static void attention_over_a_tree_is_a_consistent_triple(void **state)
{
    (void)state;
    const struct psw_qkv layouts[] = {
        psw_qkv_by_head(HEADS, HEAD), psw_qkv_by_kind(HEADS, HEADS, HEAD),
        psw_qkv_by_kind(HEADS, 3, HEAD), psw_qkv_by_kind(HEADS, 1, HEAD)};
    /* windows end in the query's block, in one before, in an ancestor, and nowhere */
    const int64_t windows[] = {0, 0, 0, 0, 1, 5, 68, 100, 1000};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        layout = layouts[i % (sizeof layouts / sizeof *layouts)];
        layout.window = windows[i];
        const struct triple op = {TOK * layout.row, TOK * WIDTH, forward, backward, tangent};
        triple_check(&op, 1e-5);
    }
}

/* Move queries, keys and values of all tokens from one layout to another of as many heads. */
static void move(const struct psw_qkv *from, const float *x, const struct psw_qkv *to, float *y)
{
    for (int64_t t = 0; t < TOK; t++)
        for (int64_t h = 0; h < to->n_head; h++) {
            const int64_t q = h * from->q_step, kv = psw_qkv_kv_head(from, h) * from->kv_step;
            const float *row = x + t * from->row;
            float *moved = y + t * to->row + h * to->q_step;
            memcpy(moved + to->q, row + from->q + q, HEAD * sizeof *y);
            memcpy(moved + to->k, row + from->k + kv, HEAD * sizeof *y);
            memcpy(moved + to->v, row + from->v + kv, HEAD * sizeof *y);
        }
}

static void a_layout_does_not_change_a_bit(void **state)
{
    (void)state;
    static float x[TOK * 3 * WIDTH], y[TOK * 3 * WIDTH], out[2][TOK * WIDTH];
    const struct psw_qkv head = psw_qkv_by_head(HEADS, HEAD);
    const struct psw_qkv kind = psw_qkv_by_kind(HEADS, HEADS, HEAD);
    const struct psw_qkv shared = psw_qkv_by_kind(HEADS, 2, HEAD);
    support_fill(x, TOK * 3 * WIDTH, 1.0f, 3);
    move(&head, x, &kind, y);
    layout = head;
    forward(x, out[0]);
    layout = kind;
    forward(y, out[1]);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    move(&shared, x, &head, y); /* keys and values once per query head */
    layout = shared;
    forward(x, out[0]);
    layout = head;
    forward(y, out[1]);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
}

/* What no row of a block sees is not read, and each row sees as many tokens as the window
 * says: with equal keys, the mean of their values. */
static void a_window_ends_what_is_seen(void **state)
{
    (void)state;
    enum { WINDOW = 4, HIDDEN = 58 };
    static float in[TOK * 3 * WIDTH], out[TOK * WIDTH];
    layout = psw_qkv_by_kind(HEADS, HEADS, HEAD);
    layout.window = WINDOW;
    for (int64_t t = 0; t < TOK; t++)
        for (int64_t i = 0; i < WIDTH; i++) {
            float *row = in + t * layout.row;
            row[layout.q + i] = row[layout.k + i] = 0.0f;
            row[layout.v + i] = t <= HIDDEN ? NAN : (float)t;
        }
    forward(in, out);
    /* of the second block of the root, and of the children, the first of which begins behind
     * the root in the batch, too */
    const double mean[][2] = {{64, 62.5},
                              {69, 67.5},
                              {70, 68.5},
                              {72, 70.5},
                              {73, (67 + 68 + 69 + 73) / 4.0},
                              {75, (69 + 73 + 74 + 75) / 4.0},
                              {76, 74.5},
                              {139, (70 + 71 + 72 + 139) / 4.0},
                              {141, 141},
                              {144, 142.5}};
    for (size_t i = 0; i < sizeof mean / sizeof *mean; i++)
        assert_close(out[(int)mean[i][0] * WIDTH], mean[i][1], 1e-6);
    assert_true(isnan(out[HIDDEN * WIDTH]));
}

static void scores_of_any_size_give_finite_results(void **state)
{
    (void)state;
    static float in[TOK * 3 * WIDTH], out[TOK * WIDTH], in_bar[TOK * 3 * WIDTH];
    layout = psw_qkv_by_head(HEADS, HEAD);
    support_fill(in, TOK * 3 * WIDTH, 200.0f, 5); /* scores up to 1e5 */
    forward(in, out);
    backward(in, out, in_bar);
    for (int i = 0; i < TOK * WIDTH; i++) assert_true(isfinite(out[i]));
    for (int i = 0; i < TOK * 3 * WIDTH; i++) assert_true(isfinite(in_bar[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(attention_over_a_tree_is_a_consistent_triple),
        kernel_test(a_layout_does_not_change_a_bit),
        kernel_test(a_window_ends_what_is_seen),
        kernel_test(scores_of_any_size_give_finite_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
