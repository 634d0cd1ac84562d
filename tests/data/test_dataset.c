/* Data sets as training sees them: opened from a configuration, probed, counted. */
#include <support/support.h>

#include <posweep/data/dataset.h>
#include <posweep/data/lists.h>
#include <string.h>

static struct psw_dataset *open_lists(int64_t seed)
{
    struct psw_config config;
    struct psw_dataset *data = NULL;
    psw_config_default(&config);
    psw_config_set_source(&config, PSW_SOURCE_LISTS);
    config.seed = seed;
    config.lists.sft = 50;
    config.lists.pairs = 200;
    assert_int_equal(psw_dataset_open(&config, &data, NULL), PSW_OK);
    return data;
}

static void configuration_decides_the_items(void **state)
{
    (void)state;
    struct psw_dataset *a = open_lists(1), *b = open_lists(2);
    assert_int_equal(a->sft.n, 50);
    assert_int_equal(a->pairs.n, 200);
    assert_true(a->content_hash != b->content_hash);
    psw_dataset_destroy(a);
    psw_dataset_destroy(b);
}

static void pairs_without_a_file_are_refused(void **state)
{
    (void)state;
    struct psw_config config;
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    psw_config_default(&config);
    psw_config_set_source(&config, PSW_SOURCE_HH);
    assert_int_equal(psw_dataset_open(&config, &data, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "data.pairs"));
}

static void probe_is_a_fixed_ascending_choice(void **state)
{
    (void)state;
    struct psw_dataset *data = open_lists(1);
    int64_t a[64], b[64], c[64];
    assert_int_equal(psw_dataset_probe(data, PSW_PROBE_TRAIN, 9, 64, a), 64);
    assert_int_equal(psw_dataset_probe(data, PSW_PROBE_TRAIN, 9, 64, b), 64);
    assert_int_equal(psw_dataset_probe(data, PSW_PROBE_TRAIN, 10, 64, c), 64);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    for (int i = 1; i < 64; i++) assert_true(a[i] > a[i - 1]);
    assert_in_range(a[0], 0, 199);
    assert_in_range(a[63], 0, 199);
    psw_dataset_destroy(data);
}

static void probe_is_no_larger_than_the_data(void **state)
{
    (void)state;
    struct psw_dataset *data = open_lists(1);
    int64_t index[1000];
    const int64_t n = psw_dataset_probe(data, PSW_PROBE_TRAIN, 9, 1000, index);
    assert_int_equal(n, 200);
    for (int64_t i = 0; i < n; i++) assert_int_equal(index[i], i);
    psw_dataset_destroy(data);
}

static void counts_name_what_is_not_zero(void **state)
{
    (void)state;
    const struct psw_data_counts counts = {.n_row = 10, .n_kept = 8, .sides.n_equal = 2};
    char text[200], tiny[8];
    assert_string_equal(psw_data_counts_text(&counts, text, sizeof text),
                        "10 rows, 8 kept, 2 with chosen = rejected");
    assert_string_equal(psw_data_counts_text(&counts, tiny, sizeof tiny), "10 rows");
}

static void longest_path_of_lists_is_its_documented_limit(void **state)
{
    (void)state;
    struct psw_dataset *data = open_lists(1);
    /* a path holds all but the last response token */
    assert_in_range(psw_dataset_max_path(data), 16,
                    PSW_LISTS_MAX_PROMPT + PSW_LISTS_MAX_RESPONSE - 1);
    psw_dataset_destroy(data);
}

static struct psw_dataset *open_with(enum psw_source source, int64_t n_pairs)
{
    struct psw_config config;
    struct psw_dataset *data = NULL;
    psw_config_default(&config);
    psw_config_set_source(&config, source);
    config.lists.pairs = config.sums.pairs = n_pairs;
    config.lists.sft = config.sums.sft = 50;
    assert_int_equal(psw_dataset_open(&config, &data, NULL), PSW_OK);
    return data;
}

static void rollouts_draw_from_pairs_and_without_them_from_sft_items(void **state)
{
    (void)state;
    struct psw_dataset *with = open_with(PSW_SOURCE_SUMS, 20),
                       *without = open_with(PSW_SOURCE_LISTS, 0);
    assert_ptr_equal(psw_dataset_rollout_prompts(with), &with->pairs);
    assert_ptr_equal(psw_dataset_rollout_prompts(without), &without->sft);
    assert_int_equal(psw_dataset_rollout_prompts(without)->n, 50);
    psw_dataset_destroy(with);
    psw_dataset_destroy(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_decides_the_items),
        cmocka_unit_test(pairs_without_a_file_are_refused),
        cmocka_unit_test(probe_is_a_fixed_ascending_choice),
        cmocka_unit_test(probe_is_no_larger_than_the_data),
        cmocka_unit_test(longest_path_of_lists_is_its_documented_limit),
        cmocka_unit_test(rollouts_draw_from_pairs_and_without_them_from_sft_items),
        cmocka_unit_test(counts_name_what_is_not_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
