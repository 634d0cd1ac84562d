/* Identities and the frozen defaults they stand on. A failure here means that results of
 * earlier versions would be taken for something else: raise PSW_CFG_EPOCH only knowingly. */
#include "sweep_text.h"

#include <posweep/config/config_json.h>
#include <posweep/config/leaves.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct psw_config config_of(const char *const *settings)
{
    struct psw_config config;
    psw_config_default(&config);
    for (int i = 0; settings[i]; i += 2)
        if (psw_config_set(&config, settings[i], settings[i + 1], NULL) != PSW_OK)
            fail_msg("%s", settings[i]);
    return config;
}

static char *printed(const struct psw_config *config)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    psw_config_print(f, config);
    fclose(f);
    return text;
}

/* The golden file is what psw_config_print() writes of the defaults. */
static void defaults_are_those_of_the_golden_file(void **state)
{
    (void)state;
    struct psw_config base;
    char *golden;
    size_t n;
    psw_config_default(&base);
    char *now = printed(&base);
    assert_int_equal(psw_file_read(GOLDEN "/config_defaults.txt", &golden, &n, NULL), PSW_OK);
    assert_string_equal(now, golden);
    free(golden);
    free(now);
}

static void a_hash_is_that_of_the_sorted_settings_that_differ_from_the_defaults(void **state)
{
    (void)state;
    static const char *const SETTINGS[] = {"policy.method", "ipo", "policy.beta", "0.20",
                                           "seed",          "3",   "policy.lr",   "5e-5",
                                           "model.width",   "128", NULL};
    static const char TEXT[] = "model.width=128\npolicy.beta=0.2\npolicy.method=ipo\nseed=3\n";
    const struct psw_config config = config_of(SETTINGS);
    assert_true(
        psw_config_hash(&config, PSW_CFG_IN_RUN) ==
        psw_hash_bytes(TEXT, strlen(TEXT), PSW_CFG_EPOCH | (uint64_t)PSW_CFG_IN_RUN << 32));
}

static void identities_of_known_configurations_do_not_change(void **state)
{
    (void)state;
    static const struct {
        const char *setting[5];
        uint64_t run, group, sft, ref;
    } GOLDENS[] = {
        {{NULL},
         0x1770a93cc431bd48,
         0xcb7bc063c14a7695,
         0xe9b8904319d6bda4,
         0xadc764842011e713},
        {{"seed", "2", NULL},
         0x218e3ffbdfce4542,
         0xcb7bc063c14a7695,
         0xaa0c1171c601cf55,
         0xc83bf812daffa365},
        {{"policy.beta", "0.2", "policy.reweight", "off", NULL},
         0xcc3904d1b2ca3e12,
         0xc2a24d3ef76f54c5,
         0xe9b8904319d6bda4,
         0xadc764842011e713},
        {{"task", "none", "data.pairs", "hh/train.jsonl.gz", NULL},
         0xf35fbe129585e34d,
         0xa776a2bff772a909,
         0xcd85f84b07ea6903,
         0x1a8312c6073d5cd9},
    };
    for (size_t i = 0; i < sizeof GOLDENS / sizeof GOLDENS[0]; i++) {
        const struct psw_config config = config_of(GOLDENS[i].setting);
        assert_int_equal(psw_config_hash(&config, PSW_CFG_IN_RUN), GOLDENS[i].run);
        assert_int_equal(psw_config_hash(&config, PSW_CFG_IN_GROUP), GOLDENS[i].group);
        assert_int_equal(psw_config_hash(&config, PSW_CFG_IN_SFT), GOLDENS[i].sft);
        assert_int_equal(psw_config_hash(&config, PSW_CFG_IN_REF), GOLDENS[i].ref);
    }
}

static void an_identity_gives_the_hash_of_every_seed(void **state)
{
    (void)state;
    static const char *const SETTINGS[] = {"policy.beta", "0.2", "sft.steps", "7", NULL};
    static const unsigned FLAGS[] = {PSW_CFG_IN_RUN, PSW_CFG_IN_GROUP,
                                     PSW_CFG_IN_SFT | PSW_CFG_IN_REF, PSW_CFG_IN_REWARD};
    struct psw_config config = config_of(SETTINGS);
    struct psw_identity identity;
    for (size_t f = 0; f < sizeof FLAGS / sizeof *FLAGS; f++) {
        psw_identity_init(&config, FLAGS[f], &identity);
        for (int64_t seed = 0; seed < 20; seed++) {
            struct psw_config other = config;
            other.seed = seed * seed * seed;
            assert_int_equal(psw_identity_hash(&identity, other.seed),
                             psw_config_hash(&other, FLAGS[f]));
        }
    }
}

static void policy_settings_share_the_sft_stage_and_model_settings_do_not(void **state)
{
    (void)state;
    static const char *const NONE[] = {NULL}, *const BETA[] = {"policy.beta", "0.7", NULL},
                             *const WARM[] = {"policy.temperature", "0.7", NULL},
                             *const WIDTH[] = {"model.width", "128", NULL},
                             *const RANKS[] = {"limits.ranks_per_run", "2", NULL};
    const struct psw_config none = config_of(NONE), beta = config_of(BETA),
                            warm = config_of(WARM), width = config_of(WIDTH),
                            ranks = config_of(RANKS);
    const unsigned sft = PSW_CFG_IN_SFT, ref = PSW_CFG_IN_REF, run = PSW_CFG_IN_RUN;
    assert_true(psw_config_hash(&none, sft) == psw_config_hash(&beta, sft));
    assert_true(psw_config_hash(&none, ref) == psw_config_hash(&beta, ref));
    assert_true(psw_config_hash(&none, run) != psw_config_hash(&beta, run));
    assert_true(psw_config_hash(&none, sft) == psw_config_hash(&warm, sft));
    assert_true(psw_config_hash(&none, ref) != psw_config_hash(&warm, ref));
    assert_true(psw_config_hash(&none, sft) != psw_config_hash(&width, sft));
    assert_true(psw_config_hash(&none, run) == psw_config_hash(&ranks, run));
    assert_true(psw_config_hash(&none, run) != psw_config_hash(&none, sft));
}

static void the_place_of_a_run_in_the_file_is_not_part_of_its_identity(void **state)
{
    (void)state;
    struct psw_sweep *a = sweep_of("replicates: 2\n"
                                   "blocks:\n"
                                   "  - axes: {policy.beta: [0.1, 0.2]}\n"
                                   "    variants: [vanilla, flat]\n");
    struct psw_sweep *b = sweep_of("seeds: [2, 1]\n"
                                   "base: {policy.reweight: false}\n"
                                   "blocks:\n"
                                   "  - set: {policy.beta: 0.2}\n"
                                   "  - variants: {x: {}, y: {policy: {reweight: yes}}}\n"
                                   "  - set: {policy: {beta: 0.20, reweight: true}}\n");
    assert_int_equal(a->n_run, 8);
    assert_int_equal(b->n_run, 8);
    assert_true(a->hash == b->hash);
    psw_sweep_destroy(a);
    psw_sweep_destroy(b);
}

static void a_printed_configuration_reads_back_as_itself(void **state)
{
    (void)state;
    struct psw_sweep *a =
        sweep_of("seeds: [4]\n"
                 "base: {policy.lr: 0.1234567890123456789, trace.tokens: on}\n"
                 "blocks:\n"
                 "  - variants: [cdpo]\n"
                 "limits: {memory_gib: 1.5}\n");
    char *text = printed(&a->configs.first), *file = malloc(2 * strlen(text) + 64);
    size_t n = (size_t)sprintf(file, "base:\n");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        n += (size_t)sprintf(file + n, "  %s\n", line);
    struct psw_sweep *b = sweep_of(file);
    assert_memory_equal(&a->configs.first, &b->configs.first, sizeof a->configs.first);
    psw_sweep_destroy(a);
    psw_sweep_destroy(b);
    free(text);
    free(file);
}

static char *json_of(const struct psw_config *config)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *f = open_memstream(&text, &n_bytes);
    psw_config_json(f, config);
    fclose(f);
    return text;
}

static void settings_as_json_are_a_base_of_the_same_identity(void **state)
{
    (void)state;
    struct psw_sweep *a =
        sweep_of("seeds: [4]\n"
                 "base: {policy.lr: 0.1234567890123456789, trace.tokens: on}\n"
                 "blocks:\n"
                 "  - variants: [cdpo]\n"
                 "limits: {memory_gib: 1.5}\n");
    char *json = json_of(&a->configs.first), *file = malloc(strlen(json) + 64);
    assert_non_null(strstr(json, "\"policy.beta\": 0.1, "));       /* a default */
    assert_non_null(strstr(json, "\"trace.tokens\": true, "));     /* a word of JSON */
    assert_non_null(strstr(json, "\"policy.method\": \"dpo\", ")); /* one of posweep */
    assert_null(strstr(json, "limits."));
    assert_null(strchr(json, '\n'));
    sprintf(file, "base: %s\n", json);
    struct psw_sweep *b = sweep_of(file);
    assert_int_equal(b->n_run, 1);
    assert_true(a->run[0].hash == b->run[0].hash);
    psw_sweep_destroy(a);
    psw_sweep_destroy(b);
    free(file);
    free(json);
}

/** Whatever the configuration before was: numbers to the bit, paths, and back again. */
static void settings_as_json_one_after_another_are_those_of_each_alone(void **state)
{
    (void)state;
    struct psw_sweep *s =
        sweep_of("seeds: [4, 5]\n"
                 "blocks:\n"
                 "  - axes: {policy.beta: [0.1, 0.25], model.width: [32, 64]}\n"
                 "    variants: [vanilla, cdpo]\n"
                 "  - set: {policy.method: ppo, policy.lr: 0.001}\n");
    struct psw_config_reader reader = {0};
    struct psw_config_json *json = NULL;
    assert_int_equal(psw_config_json_create(&json, NULL), PSW_OK);
    assert_int_equal(s->n_run, 18);
    for (int64_t i = 0; i < 2 * s->n_run; i++) { /* 0, 17, 1, 16, ... */
        const int64_t run = i % 2 ? s->n_run - 1 - i / 2 : i / 2;
        struct psw_config config = *psw_sweep_config(s, run, &reader);
        config.policy.train.clip = i % 3 ? 0.0 : -0.0;
        char *alone = json_of(&config);
        assert_string_equal(psw_config_json_text(json, &config), alone);
        free(alone);
    }
    psw_config_json_destroy(json);
    psw_config_json_destroy(NULL);
    psw_sweep_destroy(s);
}

static void a_path_of_any_bytes_is_a_string_of_json(void **state)
{
    (void)state;
    struct psw_config config;
    psw_config_default(&config);
    strcpy(config.data.pairs_written, "a \"b\" \\ \t\u00fc.jsonl");
    char *json = json_of(&config);
    assert_non_null(strstr(json, "\"data.pairs\": \"a \\\"b\\\" \\\\ \\u0009\u00fc.jsonl\", "));
    free(json);
}

static void help_names_every_key_and_preset(void **state)
{
    (void)state;
    int n;
    char *text = NULL;
    size_t n_bytes = 0;
    const struct psw_leaf *leaf = psw_leaves(&n);
    FILE *f = open_memstream(&text, &n_bytes);
    psw_config_help(f);
    fclose(f);
    for (int i = 0; i < n; i++) assert_non_null(strstr(text, leaf[i].path));
    assert_non_null(strstr(text, "no_negative_early"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_true(strchr(line, '\n') - line <= 110);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_golden_file),
        cmocka_unit_test(a_hash_is_that_of_the_sorted_settings_that_differ_from_the_defaults),
        cmocka_unit_test(identities_of_known_configurations_do_not_change),
        cmocka_unit_test(an_identity_gives_the_hash_of_every_seed),
        cmocka_unit_test(policy_settings_share_the_sft_stage_and_model_settings_do_not),
        cmocka_unit_test(the_place_of_a_run_in_the_file_is_not_part_of_its_identity),
        cmocka_unit_test(a_printed_configuration_reads_back_as_itself),
        cmocka_unit_test(settings_as_json_are_a_base_of_the_same_identity),
        cmocka_unit_test(settings_as_json_one_after_another_are_those_of_each_alone),
        cmocka_unit_test(a_path_of_any_bytes_is_a_string_of_json),
        cmocka_unit_test(help_names_every_key_and_preset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
