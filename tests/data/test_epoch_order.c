/* Orders: every item once per epoch, epochs differ, no place is favoured. */
#include <support/support.h>

#include <math.h>
#include <posweep/data/epoch_order.h>
#include <string.h>

static void every_epoch_holds_every_item_once(void **state)
{
    (void)state;
    const int64_t size[] = {1, 2, 3, 7, 64, 65, 1000};
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        const int64_t n = size[k];
        for (int64_t epoch = 0; epoch < 3; epoch++) {
            unsigned char seen[1000] = {0};
            for (int64_t i = 0; i < n; i++) {
                int64_t item = -1;
                psw_data_order(7, 1, n, epoch * n + i, 1, &item);
                assert_in_range(item, 0, n - 1);
                assert_int_equal(seen[item]++, 0);
            }
        }
    }
}

static void order_does_not_depend_on_the_batch(void **state)
{
    (void)state;
    enum { N = 50, N_PLACE = 120 };
    int64_t one[N_PLACE], eight[N_PLACE];
    for (int64_t i = 0; i < N_PLACE; i++) psw_data_order(3, 0, N, i, 1, &one[i]);
    for (int64_t i = 0; i < N_PLACE / 8; i++) psw_data_order(3, 0, N, i, 8, &eight[8 * i]);
    assert_memory_equal(one, eight, sizeof one);
}

static void seeds_stages_and_epochs_have_their_own_order(void **state)
{
    (void)state;
    enum { N = 200 };
    int64_t base[N], other[3][N];
    psw_data_order(1, 0, N, 0, N, base);
    psw_data_order(2, 0, N, 0, N, other[0]);
    psw_data_order(1, 1, N, 0, N, other[1]);
    psw_data_order(1, 0, N, 1, N, other[2]);
    for (int k = 0; k < 3; k++) {
        int n_same = 0;
        for (int i = 0; i < N; i++) n_same += base[i] == other[k][i];
        assert_in_range(n_same, 0, 10); /* one expected */
    }
}

static void items_fall_on_every_place_alike(void **state)
{
    (void)state;
    enum { N = 10, N_EPOCH = 4000 };
    const struct psw_rng stream = {.seed = 11, .use = PSW_RNG_TEST};
    int hit[N][N] = {{0}};
    for (uint64_t e = 0; e < N_EPOCH; e++)
        for (int64_t i = 0; i < N; i++) hit[i][psw_order_at(stream, e, N, i)]++;
    double chi2 = 0.0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) chi2 += pow(hit[i][j] - N_EPOCH / N, 2) / (N_EPOCH / N);
    assert_true(chi2 < 135.0); /* (N-1)^2 = 81 degrees of freedom: beyond it p < 2e-4 */
}

static void neighbours_do_not_stay_together(void **state)
{
    (void)state;
    enum { N = 20, N_EPOCH = 4000 };
    const struct psw_rng stream = {.seed = 12, .use = PSW_RNG_TEST};
    int n_follow = 0;
    for (uint64_t e = 0; e < N_EPOCH; e++)
        for (int64_t i = 0; i + 1 < N; i++)
            n_follow += psw_order_at(stream, e, N, i) + 1 == psw_order_at(stream, e, N, i + 1);
    /* (N-1)/N pairs per epoch are expected by chance: 3800 of them, deviation about 62 */
    assert_in_range(n_follow, 3550, 4050);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_epoch_holds_every_item_once),
        cmocka_unit_test(order_does_not_depend_on_the_batch),
        cmocka_unit_test(seeds_stages_and_epochs_have_their_own_order),
        cmocka_unit_test(items_fall_on_every_place_alike),
        cmocka_unit_test(neighbours_do_not_stay_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
