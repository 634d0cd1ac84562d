/* The table of sources: what the rules of a configuration believe of a source is what it is. */
#include <support/example_at.h>
#include <support/support.h>

#include <posweep/data/dataset.h>
#include <posweep/util/file.h>
#include <string.h>

static char folder[256];

static int setup(void **state)
{
    (void)state;
    support_temp_dir(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

#define TURN(who, what) "{\"role\":\"" who "\",\"content\":\"" what "\"}"
/** A row that a source of files understands; most understand the last one. */
static const char *row_of(enum psw_source source)
{
    static const char *const OWN[PSW_N_SOURCE] = {
        [PSW_SOURCE_ULTRAFEEDBACK] =
            "{\"prompt\":\"%d\",\"chosen\":[" TURN("user", "%d") "," TURN(
                "assistant", "a") "],\"rejected\":[" TURN("user", "%d") "," TURN("assistant",
                                                                                 "b") "]}\n",
        [PSW_SOURCE_SHAREGPT] = "{\"conversations\":[" TURN("user", "%d") "],\"chosen\":" TURN(
            "assistant", "a") ",\"rejected\":" TURN("assistant", "b") "}\n",
        [PSW_SOURCE_ALPACA] = "{\"instruction\":\"%d\",\"chosen\":\"a\",\"rejected\":\"b\"}\n",
        [PSW_SOURCE_VERL] = "{\"prompt\":[" TURN(
            "user", "%d") "],\"reward_model\":{"
                          "\"ground_truth\":\"1\"},\"extra_info\":{\"answer\":\"#### 1\"}}\n",
        [PSW_SOURCE_DAHOAS] =
            "{\"prompt\":\"%d\",\"response\":\"a\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"};
    return OWN[source] ? OWN[source]
                       : "{\"question\":\"%d\",\"answer\":\"#### 1\",\"prompt\":\"%d\","
                         "\"chosen\":\"a\",\"rejected\":\"b\"}\n";
}

/** A file of two rows for training, and one of two that are held out. */
static void name_files(struct psw_config *config, enum psw_source source)
{
    static const char *const NAME[2] = {"train", "heldout"};
    const char *row = row_of(source);
    const char *trains_on = psw_source_row(source)->trains_on;
    char *path[2] = {strcmp(trains_on, "data.sft") ? config->data.pairs : config->data.sft,
                     config->data.heldout};
    for (int f = 0; f < 2; f++) {
        char text[800];
        int n = 0;
        for (int i = 2 * f; i < 2 * f + 2; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, row, i, i, i);
        const struct psw_file_part part = {text, (size_t)n};
        snprintf(path[f], PSW_CFG_PATH, "%s/%s", folder, NAME[f]);
        assert_int_equal(psw_file_write(path[f], &part, 1, NULL), PSW_OK);
    }
}

static void a_source_has_what_its_row_says(void **state)
{
    (void)state;
    for (int i = 0; i < PSW_N_SOURCE; i++) {
        const enum psw_source source = (enum psw_source)i;
        const struct psw_source_row *row = psw_source_row(source);
        struct psw_config config;
        struct psw_dataset *data = NULL;
        struct psw_error err = {0};
        psw_config_default(&config);
        psw_config_set_source(&config, source);
        assert_int_equal(psw_config_source(&config), source);
        assert_int_equal(row->trains_on == NULL, psw_config_is_generated(&config));
        if (row->trains_on) name_files(&config, source);
        if (psw_dataset_open(&config, &data, &err) != PSW_OK)
            fail_msg("%s: %s", row->name, err.text);
        assert_int_equal(data->scorer != NULL, row->has_scorer);
        assert_int_equal(data->pairs.n > 0, row->has_pairs);
        assert_int_equal(data->pairs_heldout.n > 0, row->has_pairs);
        assert_true(data->sft.n > 0 && data->prompts_heldout.n > 0 &&
                    data->files.origins.n > 0);
        assert_int_equal(data->tokenizer->eos, data->tokenizer->eos);
        psw_dataset_destroy(data);
    }
}

/** A scorer knows its worst and best, and a data set's own pairs agree with it. */
static void scores_keep_to_their_range(void **state)
{
    (void)state;
    for (int i = 0; i < PSW_N_GENERATED; i++) {
        struct psw_config config;
        struct psw_dataset *data = NULL;
        psw_config_default(&config);
        psw_config_set_source(&config, (enum psw_source)i);
        assert_int_equal(psw_dataset_open(&config, &data, NULL), PSW_OK);
        for (int64_t k = 0; k < data->pairs_heldout.n; k++) {
            const struct psw_example *e = example_at(&data->pairs_heldout, k);
            double score[2];
            for (int s = 0; s < 2; s++) {
                score[s] = psw_dataset_score(data, e->prompt, e->n_prompt, e->response[s],
                                             e->n_response[s]);
                assert_true(score[s] >= data->scorer->lo && score[s] <= data->scorer->hi);
            }
            assert_true(score[0] > score[1]);
        }
        psw_dataset_destroy(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_has_what_its_row_says),
        cmocka_unit_test(scores_keep_to_their_range),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
