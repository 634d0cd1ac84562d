/* Single-query attention against attention over a whole segment; copying a cache; heads of
 * every width and layout.
 */
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { H = 6, MAX_D = 136, MAX_T = 70 };

/* Scores are O(1) sums of D float products, weights are normalised: errors stay near 1e-6. */
static const double TOLERANCE = 5e-6;

static float qkv[MAX_T * H * 3 * MAX_D];

static struct psw_qkv layout; /* of the case under test */

static const float *row(int64_t t)
{
    return qkv + t * layout.row;
}

/* All positions at once, by forward: [MAX_T][H][D]. */
static const float *expected(void)
{
    static float out[MAX_T * H * MAX_D], lse[MAX_T * H];
    const struct psw_segment segment = {0, MAX_T, -1};
    const struct psw_batch batch = {
        .n_tok = MAX_T, .n_seg = 1, .max_path = MAX_T, .segment = &segment};
    OP.attention->forward(&kernel_exec, layout, &batch, qkv, out, lse);
    return out;
}

static struct psw_decode_cache make_cache(void)
{
    struct psw_decode_cache c = {.n_kv_head = layout.n_kv_head,
                                 .head_width = layout.head_width,
                                 .capacity = OP.attention->cache_capacity(MAX_T)};
    const int64_t n = OP.attention->cache_n_elem(c.n_kv_head, c.head_width, c.capacity);
    c.stride = n;
    c.data = malloc(2 * (size_t)n * sizeof(float));
    assert_non_null(c.data);
    for (int64_t i = 0; i < 2 * n; i++)
        c.data[i] = NAN; /* what was not stored must not matter */
    return c;
}

/* Put position t of the sequence into the second slot, and let it look at its past. */
static void step(const struct psw_decode_cache *c, int32_t t, int32_t slot, float *y)
{
    static float score[128];
    const struct psw_decode_rows one = {1, &slot, &t};
    OP.attention->cache_put(&kernel_exec, c, one, layout, row(t));
    OP.attention->decode(&kernel_exec, c, one, layout, row(t), score, y);
}

static void check_every_length(void)
{
    static float y[H * MAX_D];
    const int64_t n = H * layout.head_width;
    const struct psw_decode_cache c = make_cache();
    const float *whole = expected();
    for (int32_t t = 0; t < MAX_T; t++) {
        step(&c, t, 1, y);
        kernel_compare(n, y, whole + t * n, TOLERANCE);
    }
    free(c.data);
}

static void every_length_width_and_layout_agrees_with_forward(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 4, 8, 13, 16, 64, 96, 136};
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 7);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        layout = psw_qkv_by_head(H, widths[i]);
        check_every_length();
        layout = psw_qkv_by_kind(H, 2, widths[i]);
        check_every_length();
        layout.window = 11; /* begins within a vector, and at one */
        check_every_length();
    }
}

static void a_copied_prefix_gives_the_same_bits(void **state)
{
    (void)state;
    static float score[128], y[2][H * 12];
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 8);
    layout = psw_qkv_by_kind(H, 3, 12);
    const struct psw_decode_cache c = make_cache();
    for (int32_t t = 0; t < 41; t++) step(&c, t, 1, y[0]);
    OP.attention->cache_copy(&kernel_exec, &c, 1, 37, 0);
    for (int32_t slot = 0; slot < 2; slot++)
        OP.attention->decode(&kernel_exec, &c,
                             (struct psw_decode_rows){1, &slot, (const int32_t[]){36}}, layout,
                             row(36), score, y[slot]);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    free(c.data);
}

/* Rows of several slots in one call, as a step of decoding hands them in. */
static void rows_of_a_step_have_the_bits_they_have_alone(void **state)
{
    (void)state;
    enum { N_ROW = 5 };
    static const int32_t slot[N_ROW] = {0, 1, 1, 0, 1}, position[N_ROW] = {0, 0, 1, 1, 2};
    static float score[128], y[N_ROW * H * 12], one[H * 12];
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 9);
    layout = psw_qkv_by_head(H, 12);
    const struct psw_decode_cache all = make_cache(), alone = make_cache();
    const struct psw_decode_rows rows = {N_ROW, slot, position};
    OP.attention->cache_put(&kernel_exec, &all, rows, layout, qkv);
    OP.attention->decode(&kernel_exec, &all, rows, layout, qkv, score, y);
    for (int32_t r = 0; r < N_ROW; r++) {
        const struct psw_decode_rows row_r = {1, slot + r, position + r};
        OP.attention->cache_put(&kernel_exec, &alone, row_r, layout, row(r));
        OP.attention->decode(&kernel_exec, &alone, row_r, layout, row(r), score, one);
        assert_memory_equal(one, y + r * H * 12, sizeof one);
    }
    free(all.data);
    free(alone.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(every_length_width_and_layout_agrees_with_forward),
        kernel_test(rows_of_a_step_have_the_bits_they_have_alone),
        kernel_test(a_copied_prefix_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
