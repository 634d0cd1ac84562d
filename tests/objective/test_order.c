/* Orders and groups. */
#include <support/support.h>

#include <math.h>
#include <posweep/objective/order.h>

static void magnitudes_fall_and_ties_keep_their_index(void **state)
{
    (void)state;
    const double key[] = {1.0, -3.0, NAN, 3.0, 0.0, -1.0, 2.0};
    const int64_t expected[] = {1, 3, 6, 0, 5, 4, 2};
    int64_t order[7];
    psw_order_by_magnitude(7, key, order);
    for (int i = 0; i < 7; i++) assert_int_equal(order[i], expected[i]);
}

static void keys_rise_and_ties_keep_their_index(void **state)
{
    (void)state;
    const uint64_t key[] = {9, UINT64_MAX, 0, 9, 0};
    const int64_t expected[] = {2, 4, 0, 3, 1};
    int64_t order[5];
    psw_order_by_key(5, key, order);
    for (int i = 0; i < 5; i++) assert_int_equal(order[i], expected[i]);
}

static void every_length_is_sorted_like_by_counting(void **state)
{
    (void)state;
    float x[50];
    double key[50];
    int64_t order[50];
    support_fill(x, 50, 4.0f, 7);
    for (int i = 0; i < 50; i++) key[i] = (double)roundf(x[i]); /* many ties */
    for (int64_t n = 0; n <= 50; n++) {
        psw_order_by_magnitude(n, key, order);
        for (int64_t place = 0; place < n; place++) {
            const int64_t i = order[place];
            int64_t n_before = 0;
            for (int64_t j = 0; j < n; j++)
                n_before +=
                    fabs(key[j]) > fabs(key[i]) || (fabs(key[j]) == fabs(key[i]) && j < i);
            assert_int_equal(n_before, place);
        }
    }
}

static void groups_are_blocks_whose_sizes_differ_by_one_at_most(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 40; n++) {
        int64_t size[PSW_N_GROUP] = {0};
        int last = 0;
        for (int64_t place = 0; place < n; place++) {
            const int group = (int)psw_group_of_place(place, n);
            assert_true(group >= last && group < PSW_N_GROUP);
            size[last = group]++;
        }
        for (int a = 0; a < PSW_N_GROUP; a++)
            for (int b = 0; b < PSW_N_GROUP; b++) assert_true(size[a] - size[b] <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(magnitudes_fall_and_ties_keep_their_index),
        cmocka_unit_test(keys_rise_and_ties_keep_their_index),
        cmocka_unit_test(every_length_is_sorted_like_by_counting),
        cmocka_unit_test(groups_are_blocks_whose_sizes_differ_by_one_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
