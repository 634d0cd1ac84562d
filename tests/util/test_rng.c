/* Random numbers: known answers of the generator, and independence of place and key. */
#include <posweep/util/rng.h>
#include <support/support.h>

#include <math.h>
#include <string.h>

static const struct psw_rng STREAM = {.seed = 42, .use = PSW_RNG_TEST};

/* The answers of philox4x32-10 in Random123's kat_vectors, for an all-zero and an all-one
 * counter and key. The stream mixes its use into the key, so seeds are chosen to undo that. */
static void the_bits_are_those_of_philox(void **state)
{
    (void)state;
    const uint32_t use = PSW_RNG_TEST, mixed = use * 0x9E3779B9u;
    static const uint32_t ZERO[4] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t ONES[4] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    uint32_t w[4];
    const struct psw_rng zero = {.seed = ((uint64_t)(0u - use) << 32) | mixed, .use = use};
    psw_rng_words(zero, 0, 0, w);
    assert_memory_equal(w, ZERO, sizeof w);
    const struct psw_rng ones = {
        .seed = ((uint64_t)(~0u - use) << 32) | (mixed ^ ~0u), .use = use, .step = ~0u};
    psw_rng_words(ones, UINT64_MAX, ~0u, w);
    assert_memory_equal(w, ONES, sizeof w);
}

static void every_part_of_the_place_matters(void **state)
{
    (void)state;
    struct psw_rng other[4] = {STREAM, STREAM, STREAM, STREAM};
    other[0].seed++;
    other[1].seed += (uint64_t)1 << 40;
    other[2].use++;
    other[3].step++;
    const double x = psw_rng_uniform(STREAM, 5, 6);
    assert_true(x == psw_rng_uniform(STREAM, 5, 6));
    for (int i = 0; i < 4; i++) assert_true(x != psw_rng_uniform(other[i], 5, 6));
    assert_true(x != psw_rng_uniform(STREAM, 6, 5));
    assert_true(x != psw_rng_uniform(STREAM, 5 + ((uint64_t)1 << 32), 6));
}

static void uniform_numbers_are_uniform_in_the_open_interval(void **state)
{
    (void)state;
    enum { N = 20000 };
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < N; i++) {
        const double u = psw_rng_uniform(STREAM, i, 0);
        assert_true(u > 0 && u < 1);
        sum += u;
        squares += u * u;
    }
    assert_close(sum / N, 0.5, 5 * sqrt(1.0 / 12 / N)); /* five standard errors */
    assert_close(squares / N, 1.0 / 3, 5 * sqrt(4.0 / 45 / N));
}

static void normal_numbers_have_mean_0_and_variance_1(void **state)
{
    (void)state;
    enum { N = 20000 };
    double sum = 0, squares = 0, fourth = 0;
    for (uint32_t i = 0; i < N; i++) {
        const double x = psw_rng_normal(STREAM, i, 1);
        sum += x;
        squares += x * x;
        fourth += x * x * x * x;
    }
    assert_close(sum / N, 0, 5 * sqrt(1.0 / N));
    assert_close(squares / N, 1, 5 * sqrt(2.0 / N));
    assert_close(fourth / N / 3, 1, 5 * sqrt(96.0 / 9 / N));
}

static void integers_below_n_hit_every_value_evenly(void **state)
{
    (void)state;
    enum { N = 7000 };
    int count[7] = {0};
    for (uint32_t i = 0; i < N; i++) count[psw_rng_below(STREAM, i, 2, 7)]++;
    for (int k = 0; k < 7; k++) assert_close(count[k], N / 7.0, 0.16); /* five std errors */
    for (uint32_t i = 0; i < 10; i++) assert_int_equal(psw_rng_below(STREAM, i, 3, 1), 0);
}

static void a_permutation_has_every_number_once_and_depends_on_the_item(void **state)
{
    (void)state;
    enum { N = 1000 };
    int64_t a[N], b[N];
    int seen[N] = {0};
    psw_rng_permute(STREAM, 1, N, a);
    psw_rng_permute(STREAM, 2, N, b);
    for (int i = 0; i < N; i++) seen[a[i]]++;
    for (int i = 0; i < N; i++) assert_int_equal(seen[i], 1);
    assert_true(memcmp(a, b, sizeof a) != 0);
    psw_rng_permute(STREAM, 1, 1, a);
    assert_int_equal(a[0], 0);
    psw_rng_permute(STREAM, 1, 0, a); /* touches nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_are_those_of_philox),
        cmocka_unit_test(every_part_of_the_place_matters),
        cmocka_unit_test(uniform_numbers_are_uniform_in_the_open_interval),
        cmocka_unit_test(normal_numbers_have_mean_0_and_variance_1),
        cmocka_unit_test(integers_below_n_hit_every_value_evenly),
        cmocka_unit_test(a_permutation_has_every_number_once_and_depends_on_the_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
