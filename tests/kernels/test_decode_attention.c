/* Single-query attention against double sums; copying a cache; heads of every width and layout.
 */
#include "support/support.h"

#include <math.h>
#include <posweep/kernels/decode_attention.h>
#include <stdlib.h>
#include <string.h>

enum { H = 6, MAX_D = 136, MAX_T = 70 };

/* Scores are O(1) sums of D float products, weights are normalised: errors stay near 1e-6. */
static const double TOLERANCE = 5e-6;

static float qkv[MAX_T * H * 3 * MAX_D];

static struct psw_qkv layout; /* of the case under test */

static const float *row(int64_t t)
{
    return qkv + t * layout.row;
}

static double naive(int64_t n_position, int64_t h, int64_t column)
{
    const int64_t d = layout.head_width, kv = psw_qkv_kv_head(&layout, h) * layout.kv_step;
    const float *q = row(n_position - 1) + layout.q + h * layout.q_step;
    double sum = 0.0, total = 0.0;
    for (int64_t t = 0; t < n_position; t++) {
        double score = 0.0;
        for (int64_t i = 0; i < d; i++)
            score += (double)q[i] * (double)row(t)[layout.k + kv + i];
        const double weight = exp(score / sqrt((double)d));
        total += weight;
        sum += weight * (double)row(t)[layout.v + kv + column];
    }
    return sum / total;
}

static struct psw_decode_cache make_cache(void)
{
    struct psw_decode_cache c = {.n_kv_head = layout.n_kv_head,
                                 .head_width = layout.head_width,
                                 .capacity = psw_decode_cache_capacity(MAX_T)};
    const int64_t n = psw_decode_cache_n_elem(c.n_kv_head, c.head_width, c.capacity);
    c.data = malloc((size_t)n * sizeof(float));
    assert_non_null(c.data);
    for (int64_t i = 0; i < n; i++) c.data[i] = NAN; /* what was not stored must not matter */
    return c;
}

static void check_every_length(void)
{
    static float score[128], y[H * MAX_D];
    const int64_t d = layout.head_width;
    const struct psw_decode_cache c = make_cache();
    for (int64_t t = 0; t < MAX_T; t++) {
        psw_decode_cache_put(&c, t, &layout, row(t));
        if (t % 7 && t < MAX_T - 3) continue;
        psw_decode_attention(&c, t + 1, &layout, row(t), score, y);
        for (int64_t h = 0; h < H; h++)
            for (int64_t k = 0; k < d; k++)
                assert_close(y[h * d + k], naive(t + 1, h, k), TOLERANCE);
    }
    free(c.data);
}

static void every_length_width_and_layout_agrees_with_double_sums(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 4, 8, 13, 16, 64, 96, 136};
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 7);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        layout = psw_qkv_by_head(H, widths[i]);
        check_every_length();
        layout = psw_qkv_by_kind(H, 2, widths[i]);
        check_every_length();
    }
}

static void a_copied_prefix_gives_the_same_bits(void **state)
{
    (void)state;
    static float score[128], a[H * 12], b[H * 12];
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 8);
    layout = psw_qkv_by_kind(H, 3, 12);
    const struct psw_decode_cache from = make_cache(), to = make_cache();
    for (int64_t t = 0; t < 41; t++) psw_decode_cache_put(&from, t, &layout, row(t));
    psw_decode_cache_copy(&from, 37, &to);
    psw_decode_attention(&from, 37, &layout, row(36), score, a);
    psw_decode_attention(&to, 37, &layout, row(36), score, b);
    assert_memory_equal(a, b, sizeof a);
    free(from.data);
    free(to.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_width_and_layout_agrees_with_double_sums),
        cmocka_unit_test(a_copied_prefix_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
