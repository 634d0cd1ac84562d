/* model.from: config.json as settings, its defaults, what is refused, and how the sweep file
 * and the folder agree. */
#include <support/support.h>

#include <posweep/config/leaf.h>
#include <posweep/config/model_dir.h>
#include <posweep/config/sweep_file.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    support_temp_dir(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static void write_text(const char *name, const char *text)
{
    char path[400];
    const struct psw_file_part part = {text, strlen(text)};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static psw_status read_config(const char *text, struct psw_config_model *out,
                              struct psw_error *err)
{
    write_text("config.json", text);
    return psw_model_dir_read(folder, out, err);
}

#define SMALL                                                                                  \
    "\"model_type\": \"llama\", \"hidden_size\": 48, \"num_hidden_layers\": 2, "               \
    "\"num_attention_heads\": 6, \"num_key_value_heads\": 2, \"intermediate_size\": 100, "     \
    "\"vocab_size\": 300, \"max_position_embeddings\": 80"

static void what_config_json_leaves_out_has_the_default_of_its_type(void **state)
{
    (void)state;
    struct psw_config_model m;
    assert_int_equal(read_config("{\"model_type\": \"gpt_neox\"}", &m, NULL), PSW_OK);
    assert_int_equal(m.family, PSW_FAMILY_GPT_NEOX);
    assert_int_equal(m.layers, 44);
    assert_int_equal(m.width, 6144);
    assert_int_equal(m.hidden, 24576);
    assert_int_equal(m.heads, 64);
    assert_int_equal(m.head_width, 96);
    assert_int_equal(m.vocab, 50432);
    assert_int_equal(m.context, 2048);
    assert_true(m.rotary_pct == 0.25 && m.rotary_base == 10000 && m.norm_eps == 1e-5);
    assert_int_equal(read_config("{\"model_type\": \"llama\"}", &m, NULL), PSW_OK);
    assert_int_equal(m.family, PSW_FAMILY_LLAMA);
    assert_int_equal(m.hidden, 11008);
    assert_int_equal(m.kv_heads, 32);
    assert_int_equal(m.head_width, 128);
    assert_true(m.norm_eps == 1e-6);
    assert_int_equal(m.tied, 0);
}

static void what_config_json_says_is_taken(void **state)
{
    (void)state;
    struct psw_config_model m;
    struct psw_error err = {0};
    if (read_config("{" SMALL ", \"head_dim\": null, \"rope_theta\": 5e5, "
                    "\"rms_norm_eps\": 1e-5, \"tie_word_embeddings\": true, "
                    "\"rope_scaling\": null, \"unknown_key\": [1]}",
                    &m, &err) != PSW_OK)
        fail_msg("%s", err.text);
    assert_int_equal(m.layers, 2);
    assert_int_equal(m.kv_heads, 2);
    assert_int_equal(m.head_width, 8);
    assert_int_equal(m.vocab, 300);
    assert_int_equal(m.context, 80);
    assert_int_equal(m.tied, 1);
    assert_true(m.rotary_base == 5e5);
    assert_int_equal(read_config("{\"model_type\": \"gpt_neox\", \"rope_theta\": 20000, "
                                 "\"partial_rotary_factor\": 0.5}",
                                 &m, NULL),
                     PSW_OK);
    assert_true(m.rotary_base == 20000 && m.rotary_pct == 0.5);
}

#define TYPE(type, rest) "{\"model_type\": \"" type "\", \"num_hidden_layers\": 4" rest "}"

static struct psw_config_model model_of(const char *text)
{
    struct psw_config_model m;
    struct psw_error err = {0};
    if (read_config(text, &m, &err) != PSW_OK) fail_msg("%s", err.text);
    return m;
}

static void a_window_is_that_of_all_layers_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t window;
    } ROWS[] = {
        {TYPE("mistral", ""), 4096},
        {TYPE("mistral", ", \"sliding_window\": null"), 0},
        {TYPE("mistral", ", \"sliding_window\": 100"), 100},
        {TYPE("llama", ", \"sliding_window\": 100"), 0}, /* not a key of llama */
        {TYPE("qwen2", ", \"sliding_window\": 100"), 0},
        {TYPE("qwen2", ", \"use_sliding_window\": true, \"sliding_window\": 100"), 0},
        {TYPE("qwen3", ", \"use_sliding_window\": true, \"sliding_window\": 100, "
                       "\"max_window_layers\": 0"),
         100},
        {TYPE("qwen2", ", \"use_sliding_window\": true, \"sliding_window\": 100, "
                       "\"layer_types\": [\"full_attention\", \"full_attention\"]"),
         0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_int_equal(model_of(ROWS[i].text).window, ROWS[i].window);
}

static void positions_are_scaled_as_the_file_says(void **state)
{
    (void)state;
    struct psw_config_model m = model_of(
        TYPE("llama", ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, "
                      "\"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                      "\"original_max_position_embeddings\": 8192}"));
    assert_int_equal(m.rotary_scaling, PSW_ROTARY_LLAMA3);
    assert_true(m.rotary_factor == 32 && m.rotary_low_freq == 1 && m.rotary_high_freq == 4);
    assert_int_equal(m.rotary_original, 8192);
    m = model_of(TYPE("qwen2", ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}"));
    assert_int_equal(m.rotary_scaling, PSW_ROTARY_LINEAR);
    assert_true(m.rotary_factor == 2);
    m = model_of(TYPE("qwen3", ", \"rope_parameters\": {\"rope_type\": \"default\", "
                               "\"rope_theta\": 7e5}"));
    assert_int_equal(m.rotary_scaling, PSW_ROTARY_PLAIN);
    assert_true(m.rotary_base == 7e5);
    assert_int_equal(
        model_of(TYPE("gpt_neox", ", \"use_parallel_residual\": false")).sequential, 1);
    assert_int_equal(model_of(TYPE("gpt_neox", "")).sequential, 0);
}

/* Each family, and what only some have. */
static const char *const WRITTEN[] = {
    "{family: gpt_neox, width: 32, heads: 4, rotary_pct: 0.5, sequential: true, vocab: 99}",
    "{family: llama, width: 32, heads: 4, kv_heads: 2, head_width: 6, hidden: 50, vocab: 99, "
    "rotary_scaling: llama3, rotary_factor: 8, rotary_original: 32}",
    "{family: mistral, width: 32, heads: 4, window: 16, tied: true, vocab: 99, norm_eps: 1e-6}",
    "{family: qwen2, width: 32, heads: 4, window: 16, vocab: 99, rotary_scaling: linear, "
    "rotary_factor: 2}",
    "{family: qwen3, width: 32, heads: 4, head_width: 16, vocab: 99, rotary_base: 1e6}",
};

static void what_is_written_reads_back_to_the_same_model(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof WRITTEN / sizeof *WRITTEN; i++) {
        char text[500], *json = NULL;
        struct psw_sweep *sweep = NULL;
        struct psw_error err = {0};
        const struct psw_model_facts facts = {.n_vocab = 99, .eos = 3, .dtype = "float32"};
        snprintf(text, sizeof text, "base:\n  model: %s\n", WRITTEN[i]);
        if (psw_sweep_parse("x.yaml", text, strlen(text), &sweep, &err) != PSW_OK ||
            psw_model_dir_write(&sweep->configs.first, &facts, &json, &err) != PSW_OK)
            fail_msg("%s", err.text);
        struct psw_config config = sweep->configs.first, back = config;
        back.model = model_of(json);
        if (!config.model.hidden) config.model.hidden = 4 * config.model.width;
        if (!config.model.head_width)
            config.model.head_width = config.model.width / config.model.heads;
        if (!config.model.kv_heads && config.model.family != PSW_FAMILY_GPT_NEOX)
            config.model.kv_heads = config.model.heads;
        int n;
        const struct psw_leaf *leaf = psw_leaves(&n);
        for (int l = 0; l < n; l++)
            if (!psw_leaf_equal(&leaf[l], &config, &back))
                fail_msg("%s: %s differs", WRITTEN[i], leaf[l].path);
        free(json);
        psw_sweep_destroy(sweep);
    }
}

static void a_size_that_the_form_cannot_say_is_refused(void **state)
{
    (void)state;
    char *json = NULL;
    struct psw_config config;
    struct psw_error err = {0};
    const struct psw_model_facts facts = {.n_vocab = 99, .eos = 3, .dtype = "float32"};
    psw_config_default(&config);
    config.model.head_width = 20; /* gpt_neox, width 64 over 4 heads */
    assert_int_equal(psw_model_dir_write(&config, &facts, &json, &err), PSW_EUNSUP);
    assert_non_null(strstr(err.text, "model.head_width 20"));
}

static void what_cannot_be_computed_is_refused_by_name_and_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
        psw_status rc;
    } ROWS[] = {
        {"{}", "model_type: expected one of gpt_neox llama mistral qwen2 qwen3, found nothing",
         PSW_EUNSUP},
        {"{\"model_type\": \"gpt2\"}", "found \"gpt2\"", PSW_EUNSUP},
        {"[1]", "expected an object", PSW_EDATA},
        {"{\"model_type\": \"llama\",", "config.json:1:", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"model_type\": \"llama\"}", "duplicate", PSW_EDATA},
        {"{" SMALL ", \"hidden_act\": \"relu\"}", "hidden_act: expected \"silu\"", PSW_EUNSUP},
        {"{\"model_type\": \"gpt_neox\", \"hidden_act\": \"gelu_new\"}",
         "hidden_act: expected \"gelu\", the only one that is computed for gpt_neox, found "
         "\"gelu_new\"",
         PSW_EUNSUP},
        {"{" SMALL ", \"attention_bias\": true}", "attention_bias: expected false", PSW_EUNSUP},
        {"{" SMALL ", \"mlp_bias\": true}", "mlp_bias: expected false", PSW_EUNSUP},
        {"{" SMALL ", \"partial_rotary_factor\": 0.5}", "partial_rotary_factor", PSW_EUNSUP},
        {"{" SMALL ", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
         "rope_scaling", PSW_EUNSUP},
        {TYPE("qwen2", ", \"use_sliding_window\": true, \"max_window_layers\": 2"),
         "use_sliding_window: expected false, or a window in all layers", PSW_EUNSUP},
        {TYPE("qwen2", ", \"use_sliding_window\": true, \"layer_types\": "
                       "[\"full_attention\", \"sliding_attention\"]"),
         "use_sliding_window", PSW_EUNSUP},
        {TYPE("llama", ", \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4}"),
         "rope_scaling: expected null, or rope_type default, linear or llama3", PSW_EUNSUP},
        {TYPE("llama", ", \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 4}"),
         "low_freq_factor: expected number in (0, 1000000], found nothing", PSW_EDATA},
        {TYPE("llama", ", \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 0.5}"),
         "factor: expected number in [1, 1000000], found 0.5", PSW_EDATA},
        {"{" SMALL ", \"attention_dropout\": 0.1}", "attention_dropout: expected 0.0",
         PSW_EUNSUP},
        {"{" SMALL ", \"quantization_config\": {\"bits\": 4}}", "quantization_config",
         PSW_EUNSUP},
        {"{\"model_type\": \"llama\", \"hidden_size\": \"big\"}",
         "hidden_size: expected a number, found \"big\"", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"hidden_size\": 64.5}",
         "hidden_size: expected whole number in [1, 65536], found 64.5", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"hidden_size\": 631e35}", "hidden_size: expected whole",
         PSW_EDATA},
        {"{\"model_type\": \"llama\", \"intermediate_size\": 0}",
         "intermediate_size: expected a whole number above 0, found 0", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"hidden_size\": null}", "hidden_size", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"tie_word_embeddings\": 1}",
         "tie_word_embeddings: expected true or false", PSW_EDATA},
        {"{\"model_type\": \"llama\", \"hidden_size\": 50, \"num_attention_heads\": 7}",
         "num_attention_heads: expected a divisor of hidden_size, 50", PSW_EDATA},
        {"{\"model_type\": \"gpt_neox\", \"rotary_emb_base\": 1e4, \"rope_theta\": 2e4}",
         "rotary_emb_base: expected 20000 as rope_theta has it", PSW_EDATA},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct psw_config_model m;
        struct psw_error err = {0};
        const psw_status rc = read_config(ROWS[i].text, &m, &err);
        if (rc != ROWS[i].rc || !strstr(err.text, ROWS[i].says) ||
            !strstr(err.text, "config.json"))
            fail_msg("%s: %d \"%s\" lacks \"%s\"", ROWS[i].text, (int)rc, err.text,
                     ROWS[i].says);
    }
}

/** A sweep of one run whose model is the folder, with further settings. */
static psw_status sweep_from(const char *settings, struct psw_sweep **out,
                             struct psw_error *err)
{
    char text[1000];
    snprintf(text, sizeof text, "base:\n  model: {from: \"%s\"%s}\n", folder, settings);
    return psw_sweep_parse("x.yaml", text, strlen(text), out, err);
}

/* A run with its settings. */
struct set_run {
    uint64_t hash, group;
    struct psw_config config;
};

static struct set_run run_from(const char *settings)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    if (sweep_from(settings, &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    const struct set_run run = {sweep->run[0].hash, sweep->run[0].group, sweep->configs.first};
    psw_sweep_destroy(sweep);
    return run;
}

static void sizes_come_from_the_folder(void **state)
{
    (void)state;
    write_text("config.json", "{" SMALL "}");
    struct set_run run = run_from("");
    assert_int_equal(run.config.model.family, PSW_FAMILY_LLAMA);
    assert_int_equal(run.config.model.width, 48);
    assert_int_equal(run.config.model.context, 80);
    assert_int_equal(run.config.model.weights, 0); /* config.json alone */
    assert_string_equal(run.config.model.from_written, folder);
    run = run_from(", context: 70, width: 48, kv_heads: 0, hidden: 100");
    assert_int_equal(run.config.model.context, 70);
    assert_int_equal(run.config.model.kv_heads, 2);
}

static void contradictions_are_refused_with_both_values(void **state)
{
    (void)state;
    static const char *const ROWS[][2] = {
        {", width: 64", "x.yaml:2:"},
        {", width: 64", "model.width is 64, but the model in model.from"},
        {", width: 64", "has 48: leave it out"},
        {", context: 81", "model.context is 81"},
        {", context: 81", "has 80 at most"},
        {", family: gpt_neox", "model.family is gpt_neox"},
        {", tied: true", "model.tied is true"},
        {", weights: 0123456789abcdef", "model.weights is 0123456789abcdef, but"},
        {", weights: 0123", "model.weights: expected 16 hexadecimal digits"},
    };
    write_text("config.json", "{" SMALL "}");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct psw_sweep *sweep = NULL;
        struct psw_error err = {0};
        assert_int_not_equal(sweep_from(ROWS[i][0], &sweep, &err), PSW_OK);
        if (!strstr(err.text, ROWS[i][1]))
            fail_msg("\"%s\" lacks \"%s\"", err.text, ROWS[i][1]);
    }
}

static void every_byte_of_the_weights_is_part_of_the_identity(void **state)
{
    (void)state;
    uint64_t hash[4];
    struct set_run run[2];
    write_text("config.json", "{" SMALL "}");
    assert_int_equal(psw_model_dir_hash(folder, &hash[0], NULL), PSW_OK);
    assert_true(hash[0] == 0);
    write_text("model.safetensors", "weights A");
    run[0] = run_from("");
    assert_int_equal(psw_model_dir_hash(folder, &hash[1], NULL), PSW_OK);
    write_text("model.safetensors", "weights B");
    run[1] = run_from("");
    assert_int_equal(psw_model_dir_hash(folder, &hash[2], NULL), PSW_OK);
    write_text("config.json", "{" SMALL " }");
    assert_int_equal(psw_model_dir_hash(folder, &hash[3], NULL), PSW_OK);
    assert_true(hash[1] && hash[1] != hash[2] && hash[2] != hash[3]);
    assert_true((uint64_t)run[0].config.model.weights == hash[1]);
    assert_true(run[0].hash != run[1].hash && run[0].group != run[1].group);
    const unsigned keys[] = {PSW_CFG_IN_SFT, PSW_CFG_IN_REF, PSW_CFG_IN_REWARD};
    for (int k = 0; k < 3; k++)
        assert_true(psw_config_hash(&run[0].config, keys[k]) !=
                    psw_config_hash(&run[1].config, keys[k]));
}

static void a_run_s_settings_read_back_to_the_same_run(void **state)
{
    (void)state;
    char text[16384], *json = NULL;
    size_t n = 0;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    write_text("config.json", "{" SMALL "}");
    write_text("model.safetensors", "weights");
    const struct set_run run = run_from(", context: 64");
    FILE *out = open_memstream(&json, &n);
    psw_config_json(out, &run.config);
    fclose(out);
    snprintf(text, sizeof text, "base: %s\n", json);
    free(json);
    if (psw_sweep_parse("x.yaml", text, strlen(text), &sweep, &err) != PSW_OK)
        fail_msg("%s", err.text);
    assert_true(sweep->run[0].hash == run.hash);
    psw_sweep_destroy(sweep);
}

static void models_are_told_apart_by_their_folder_alone(void **state)
{
    (void)state;
    int n;
    char text[1500];
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    const struct psw_leaf *leaf = psw_leaves(&n);
    write_text("config.json", "{" SMALL "}");
    snprintf(text, sizeof text, "%s/other", folder);
    assert_int_equal(psw_file_make_dir(text, NULL), PSW_OK);
    write_text("other/config.json", "{" SMALL ", \"head_dim\": 16, \"rope_theta\": 5e5}");
    snprintf(
        text, sizeof text,
        "base: {model: {context: 64}}\n"
        "blocks: [{axes: {model.from: [\"%s\", \"%s/other\"], policy.beta: [0.1, 0.2]}}]\n",
        folder, folder);
    if (psw_sweep_parse("x.yaml", text, strlen(text), &sweep, &err) != PSW_OK)
        fail_msg("%s", err.text);
    assert_int_equal(sweep->n_run, 4);
    struct psw_config_reader reader = {0};
    assert_int_equal(psw_sweep_config(sweep, 2, &reader)->model.head_width, 16);
    assert_int_equal(sweep->swept.n, 2);
    assert_string_equal(leaf[sweep->swept.leaf[0]].path, "model.from");
    assert_string_equal(leaf[sweep->swept.leaf[1]].path, "policy.beta");
    psw_sweep_destroy(sweep);
}

static void a_folder_without_a_model_is_refused_with_its_place(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    assert_int_equal(sweep_from("", &sweep, &err), PSW_ENOENT);
    if (!strstr(err.text, "x.yaml:2:18: model.from: ") || !strstr(err.text, "/config.json"))
        fail_msg("%s", err.text);
    char path[PSW_CFG_PATH];
    write_text("config.json", "{" SMALL "}");
    assert_int_equal(psw_model_dir_tensors(folder, path, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "config.json alone is enough to plan"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_config_json_leaves_out_has_the_default_of_its_type),
        TEST(what_config_json_says_is_taken),
        TEST(a_window_is_that_of_all_layers_or_none),
        TEST(positions_are_scaled_as_the_file_says),
        TEST(what_is_written_reads_back_to_the_same_model),
        TEST(a_size_that_the_form_cannot_say_is_refused),
        TEST(what_cannot_be_computed_is_refused_by_name_and_value),
        TEST(sizes_come_from_the_folder),
        TEST(contradictions_are_refused_with_both_values),
        TEST(every_byte_of_the_weights_is_part_of_the_identity),
        TEST(a_run_s_settings_read_back_to_the_same_run),
        TEST(models_are_told_apart_by_their_folder_alone),
        TEST(a_folder_without_a_model_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
