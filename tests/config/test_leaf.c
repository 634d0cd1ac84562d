/* The schema and single leaves: defaults, types, ranges, messages, canonical text. */
#include <support/support.h>

#include <math.h>
#include <posweep/config/leaf.h>
#include <posweep/config/preset.h>
#include <posweep/config/source.h>
#include <stdlib.h>
#include <string.h>

static void every_default_of_the_schema_lies_in_its_own_range(void **state)
{
    (void)state;
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config config, again;
    char text[PSW_LEAF_TEXT_BYTES];
    struct psw_error err = {0};
    psw_config_default(&config);
    again = config;
    for (int i = 0; i < n; i++) {
        psw_leaf_text(&leaf[i], &config, text);
        if (psw_leaf_set(&leaf[i], text, "/", &again, &err) != PSW_OK) fail_msg("%s", err.text);
        assert_true(psw_leaf_equal(&leaf[i], &config, &again));
        assert_true(strlen(leaf[i].help) > 0 && strlen(leaf[i].help) < 80);
        assert_true(strlen(leaf[i].path) < PSW_LEAF_COLUMN_BYTES);
    }
    assert_memory_equal(&config, &again, sizeof config);
}

static void paths_of_the_schema_are_unique_and_leaves_do_not_overlap(void **state)
{
    (void)state;
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(leaf[i].path, leaf[j].path);
            assert_int_not_equal(leaf[i].offset, leaf[j].offset);
        }
}

static void defaults_are_a_valid_configuration(void **state)
{
    (void)state;
    struct psw_config config;
    struct psw_error err = {0};
    psw_config_default(&config);
    if (psw_config_validate(&config, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_string_equal(psw_config_method(&config), "dpo");
    assert_close(config.policy.beta, 0.1, 0);
    assert_close(config.sft.lr, 2e-3, 0);
    assert_close(config.policy.train.lr, 5e-5, 0);
    assert_int_equal(config.policy.train.clip, 10);
    assert_int_equal(psw_config_source(&config), PSW_SOURCE_LISTS);
    assert_int_equal(config.trace.every, 20);
    assert_int_equal(config.policy.reweight, 1);
}

static void wrong_values_are_refused_with_key_expectation_and_value(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *message;
    } CASES[] = {
        {"policy.beta", "abc", "policy.beta: expected number in (0, 1000], found \"abc\""},
        {"policy.beta", "0", "policy.beta: expected number in (0, 1000], found \"0\""},
        {"policy.beta", "nan", "policy.beta: expected number in (0, 1000], found \"nan\""},
        {"policy.beta", "0x1", "policy.beta: expected number in (0, 1000], found \"0x1\""},
        {"policy.beta", "1e999", "policy.beta: expected number in (0, 1000], found \"1e999\""},
        {"policy.beta", "", "policy.beta: expected number in (0, 1000], found \"\""},
        {"policy.beta", "0.1 0.2",
         "policy.beta: expected number in (0, 1000], found \"0.1 0.2\""},
        {"policy.beta", "1-2", "policy.beta: expected number in (0, 1000], found \"1-2\""},
        {"policy.epsilon", "0.5", "policy.epsilon: expected number in [0, 0.5), found \"0.5\""},
        {"model.layers", "2.5",
         "model.layers: expected whole number in [1, 1024], found \"2.5\""},
        {"model.layers", "0", "model.layers: expected whole number in [1, 1024], found \"0\""},
        {"model.layers", "1e1",
         "model.layers: expected whole number in [1, 1024], found \"1e1\""},
        {"policy.reweight", "1", "policy.reweight: expected true or false, found \"1\""},
        {"policy.drop", "upper",
         "policy.drop: expected none | top | mid | bot, found \"upper\""},
        {"policy.betta", "1", "unknown key \"policy.betta\"; did you mean \"policy.beta\"?"},
        {"beta", "1", "unknown key \"beta\"; did you mean \"policy.beta\"?"},
        {"polcy.steps", "1", "unknown key \"polcy.steps\"; did you mean \"policy.steps\"?"},
        {"frobnicate", "1",
         "unknown key \"frobnicate\"; posweep help config lists the settings"},
        {"policy.learning_rate", "1",
         "unknown key \"policy.learning_rate\"; did you mean \"policy.lr\"?"},
        {"sft.batch_size", "1", "unknown key \"sft.batch_size\"; did you mean \"sft.batch\"?"},
        {"loss_type", "dpo", "unknown key \"loss_type\"; did you mean \"policy.method\"?"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct psw_config config, before;
        struct psw_error err = {0};
        psw_config_default(&config);
        before = config;
        assert_int_equal(psw_config_set(&config, CASES[i].path, CASES[i].text, &err),
                         PSW_EINVAL);
        assert_string_equal(err.text, CASES[i].message);
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void values_read_back_as_the_shortest_text(void **state)
{
    (void)state;
    static const struct {
        const char *path, *text, *canonical;
    } CASES[] = {
        {"policy.lr", "0.00005", "5e-05"},
        {"policy.lr", "3.0e-4", "0.0003"},
        {"policy.beta", "0.10", "0.1"},
        {"policy.gamma", "-0", "0"},
        {"policy.reweight", "off", "false"},
        {"policy.reweight", "yes", "true"},
        {"seed", "+7", "7"},
        {"policy.method", "dpo_norm", "dpo_norm"},
        {"data.pairs", "a b.jsonl", "a b.jsonl"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct psw_config config;
        char text[PSW_LEAF_TEXT_BYTES];
        psw_config_default(&config);
        assert_int_equal(psw_config_set(&config, CASES[i].path, CASES[i].text, NULL), PSW_OK);
        psw_leaf_text(psw_leaf_find(CASES[i].path), &config, text);
        assert_string_equal(text, CASES[i].canonical);
    }
}

static void column_names_carry_underscores(void **state)
{
    (void)state;
    char column[PSW_LEAF_COLUMN_BYTES];
    assert_string_equal(psw_leaf_column(psw_leaf_find("policy.negative.off_until"), column),
                        "policy_negative_off_until");
}

static void a_short_name_resolves_to_an_absolute_path_and_is_hashed_as_written(void **state)
{
    (void)state;
    struct psw_config a, b;
    const struct psw_leaf *leaf = psw_leaf_find("data.pairs");
    psw_config_default(&a);
    psw_config_default(&b);
    assert_int_equal(psw_leaf_set(leaf, "x.jsonl", "/nowhere", &a, NULL), PSW_OK);
    assert_int_equal(psw_leaf_set(leaf, "x.jsonl", "/else", &b, NULL), PSW_OK);
    assert_string_equal(a.data.pairs, "/nowhere/x.jsonl");
    assert_string_equal(a.data.pairs_written, "x.jsonl");
    assert_true(psw_config_hash(&a, PSW_CFG_IN_RUN) == psw_config_hash(&b, PSW_CFG_IN_RUN));
}

static void every_preset_sets_valid_values(void **state)
{
    (void)state;
    int n;
    const struct psw_preset *preset = psw_presets(&n);
    for (int i = 0; i < n; i++) {
        struct psw_config config;
        struct psw_error err = {0};
        psw_config_default(&config);
        for (int j = 0; j < PSW_PRESET_SETTINGS && preset[i].setting[j].path; j++)
            if (psw_config_set(&config, preset[i].setting[j].path, preset[i].setting[j].value,
                               &err) != PSW_OK)
                fail_msg("%s: %s", preset[i].name, err.text);
        assert_int_equal(psw_config_validate(&config, NULL), PSW_OK);
    }
    assert_null(psw_preset_find("nothing"));
}

static void the_members_of_a_configuration_are_its_leaves_and_nothing_pads_them(void **state)
{
    (void)state;
    int n;
    size_t n_bytes = 0;
    const struct psw_leaf *leaf = psw_leaves(&n);
    for (int i = 0; i < n; i++)
        n_bytes += leaf[i].type == PSW_LEAF_PATH ? PSW_CFG_STR + PSW_CFG_PATH : sizeof(int64_t);
    assert_int_equal(n_bytes, sizeof(struct psw_config));
}

static void a_word_may_stand_for_no_path_and_is_then_the_default(void **state)
{
    struct psw_config a, base;
    char text[PSW_LEAF_TEXT_BYTES];
    const struct psw_leaf *leaf = psw_leaf_find("data.tokenizer");
    (void)state;
    psw_config_default(&base);
    psw_config_default(&a);
    assert_string_equal(psw_leaf_text(leaf, &a, text), "bytes");
    assert_int_equal(psw_config_set(&a, "data.tokenizer", "/there", NULL), PSW_OK);
    assert_string_equal(a.data.tokenizer, "/there");
    assert_false(psw_leaf_equal(leaf, &a, &base));
    assert_int_equal(psw_config_set(&a, "data.tokenizer", "bytes", NULL), PSW_OK);
    assert_string_equal(a.data.tokenizer, "");
    assert_true(psw_leaf_equal(leaf, &a, &base));
    assert_true(psw_config_hash(&a, PSW_CFG_IN_RUN) == psw_config_hash(&base, PSW_CFG_IN_RUN));
}

static void a_number_is_held_against_the_range_of_its_leaf(void **state)
{
    (void)state;
    struct psw_error err = {0};
    assert_int_equal(psw_leaf_check("policy.beta", 1000, &err), PSW_OK);
    assert_int_equal(psw_leaf_check("policy.beta", 0, &err), PSW_EINVAL);
    assert_string_equal(err.text, "policy.beta is 0, expected number in (0, 1000]");
    assert_int_equal(psw_leaf_check("policy.beta", NAN, &err), PSW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_default_of_the_schema_lies_in_its_own_range),
        cmocka_unit_test(paths_of_the_schema_are_unique_and_leaves_do_not_overlap),
        cmocka_unit_test(defaults_are_a_valid_configuration),
        cmocka_unit_test(wrong_values_are_refused_with_key_expectation_and_value),
        cmocka_unit_test(values_read_back_as_the_shortest_text),
        cmocka_unit_test(column_names_carry_underscores),
        cmocka_unit_test(a_short_name_resolves_to_an_absolute_path_and_is_hashed_as_written),
        cmocka_unit_test(every_preset_sets_valid_values),
        cmocka_unit_test(the_members_of_a_configuration_are_its_leaves_and_nothing_pads_them),
        cmocka_unit_test(a_word_may_stand_for_no_path_and_is_then_the_default),
        cmocka_unit_test(a_number_is_held_against_the_range_of_its_leaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
