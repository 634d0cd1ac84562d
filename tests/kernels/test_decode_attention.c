/* Single-query attention against double sums; copying a cache; heads of every width. */
#include "support/support.h"

#include <math.h>
#include <posweep/kernels/decode_attention.h>
#include <stdlib.h>
#include <string.h>

enum { H = 3, MAX_D = 136, MAX_T = 70 };

/* Scores are O(1) sums of D float products, weights are normalised: errors stay near 1e-6. */
static const double TOLERANCE = 5e-6;

static float qkv[MAX_T * H * 3 * MAX_D];

static const float *row(int64_t d, int64_t t, int64_t h, int64_t part)
{
    return qkv + (t * H + h) * 3 * d + part * d;
}

static double naive(int64_t d, int64_t n_position, int64_t h, int64_t column)
{
    double sum = 0.0, total = 0.0;
    for (int64_t t = 0; t < n_position; t++) {
        double score = 0.0;
        for (int64_t i = 0; i < d; i++)
            score += (double)row(d, n_position - 1, h, 0)[i] * (double)row(d, t, h, 1)[i];
        const double weight = exp(score / sqrt((double)d));
        total += weight;
        sum += weight * (double)row(d, t, h, 2)[column];
    }
    return sum / total;
}

static struct psw_decode_cache cache_of(int64_t d)
{
    struct psw_decode_cache c = {
        .n_head = H, .head_width = d, .capacity = psw_decode_cache_capacity(MAX_T)};
    const int64_t n = psw_decode_cache_n_elem(H, d, c.capacity);
    c.data = malloc((size_t)n * sizeof(float));
    assert_non_null(c.data);
    for (int64_t i = 0; i < n; i++) c.data[i] = NAN; /* what was not stored must not matter */
    return c;
}

static void put(const struct psw_decode_cache *c, int64_t t)
{
    psw_decode_cache_put(c, t, 3 * c->head_width, row(c->head_width, t, 0, 1),
                         row(c->head_width, t, 0, 2));
}

static void every_length_and_width_agrees_with_double_sums(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 4, 8, 13, 16, 64, 96, 136};
    static float score[128], y[H * MAX_D];
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 7);
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        const int64_t d = widths[i];
        const struct psw_decode_cache c = cache_of(d);
        for (int64_t t = 0; t < MAX_T; t++) {
            put(&c, t);
            if (t % 7 && t < MAX_T - 3) continue;
            psw_decode_attention(&c, t + 1, 3 * d, row(d, t, 0, 0), score, y);
            for (int64_t h = 0; h < H; h++)
                for (int64_t k = 0; k < d; k++)
                    assert_close(y[h * d + k], naive(d, t + 1, h, k), TOLERANCE);
        }
        free(c.data);
    }
}

static void a_copied_prefix_gives_the_same_bits(void **state)
{
    (void)state;
    static float score[128], a[H * 12], b[H * 12];
    support_fill(qkv, MAX_T * H * 3 * MAX_D, 1.0f, 8);
    const struct psw_decode_cache from = cache_of(12), to = cache_of(12);
    for (int64_t t = 0; t < 41; t++) put(&from, t);
    psw_decode_cache_copy(&from, 37, &to);
    psw_decode_attention(&from, 37, 36, row(12, 36, 0, 0), score, a);
    psw_decode_attention(&to, 37, 36, row(12, 36, 0, 0), score, b);
    assert_memory_equal(a, b, sizeof a);
    free(from.data);
    free(to.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_width_agrees_with_double_sums),
        cmocka_unit_test(a_copied_prefix_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
