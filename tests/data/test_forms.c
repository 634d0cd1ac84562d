/* Each form of data files, as a file of a row or two: which form is found, and which texts a
 * model then sees. Expected texts are written by hand from what the makers of the forms say of
 * them. */
#include <support/example_at.h>
#include <support/support.h>

#include <posweep/data/files.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static char folder[256], path[300];

static int make_folder(void **state)
{
    (void)state;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/rows", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static void write_rows(const char *text)
{
    const struct psw_file_part part = {text, strlen(text)};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static struct psw_dataset *look(const char *chat_template, struct psw_file_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (psw_files_look(path, "", chat_template, &opts, &data, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return data;
}

/** Text of bytes, EOS as "|". */
static char *text_of(const int32_t *id, int32_t n, char out[512])
{
    assert_true(n < 512);
    for (int32_t i = 0; i < n; i++) out[i] = id[i] == PSW_BYTE_EOS ? '|' : (char)id[i];
    out[n] = 0;
    return out;
}

static const struct psw_examples *list_of(const struct psw_dataset *data)
{
    return data->pairs.n ? &data->pairs : data->sft.n ? &data->sft : &data->prompts_heldout;
}

/** Prompt and responses of an item, with '/' between: "prompt/chosen/rejected". */
static void item_text(const struct psw_example *e, char out[1600])
{
    char one[512];
    snprintf(out, 1600, "%s", text_of(e->prompt, e->n_prompt, one));
    for (int s = 0; s < e->n_seq; s++)
        snprintf(out + strlen(out), 1600 - strlen(out), "/%s",
                 text_of(e->response[s], e->n_response[s], one));
}

#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define A(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define S(text) "{\"role\":\"system\",\"content\":\"" text "\"}"
#define GPT(text) "{\"from\":\"gpt\",\"value\":\"" text "\"}"
#define HUMAN(text) "{\"from\":\"human\",\"value\":\"" text "\"}"
#define ASKED "\n\nHuman: hi\n\nAssistant:"

static const struct {
    const char *row, *form, *text;
} FORMS[] = {
    {"{\"chosen\":\"\\n\\nHuman: hi\\n\\nAssistant: yes\",\"rejected\":\"\\n\\nHuman: "
     "hi\\n\\nAssistant: no\"}",
     "hh", ASKED "/ yes|/ no|"},
    {"{\"prompt\":\"hi\",\"chosen\":\" yes\",\"rejected\":\" no\"}", "trl", "hi/ yes|/ no|"},
    {"{\"prompt\":\"hi\",\"response\":\"yes\",\"chosen\":\"yes\",\"rejected\":\"no\"}",
     "dahoas", "hi/yes|/no|"},
    /* whole conversations beside the prompt, as UltraFeedback has them; nulls occur */
    {"{\"prompt\":\"hi\",\"prompt_id\":\"1\",\"chosen\":[" U("hi") "," A(
         "yes") "],\"rejected\":[" U("hi") "," A("no") "],\"messages\":[" U("hi") "," A("yes") "],\"score_chosen\":null}",
     "ultrafeedback", ASKED "/ yes|/ no|"},
    /* the same, replies only: the prompt is told to be missing */
    {"{\"prompt\":\"hi\",\"chosen\":[" A("yes") "],\"rejected\":[" A("no") "]}",
     "ultrafeedback", ASKED "/ yes|/ no|"},
    {"{\"prompt\":\"\\n\\nHuman: hi\\n\\nAssistant: ho\\n\\nHuman: "
     "so?\\n\\nAssistant:\",\"chosen\":[" A("yes") "],\"rejected\":[" A("no") "]}",
     "ultrafeedback", ASKED " ho\n\nHuman: so?\n\nAssistant:/ yes|/ no|"},
    {"{\"prompt\":[" U("hi") "],\"chosen\":[" A("yes") "],\"rejected\":[" A("no") "]}", "trl",
     ASKED "/ yes|/ no|"},
    {"{\"prompt\":[" U("hi") "],\"chosen\":[" U("hi") "," A("yes") "],\"rejected\":[" U(
         "hi") "," A("no") "]}",
     "trl", ASKED "/ yes|/ no|"},
    {"{\"chosen\":[" S("Be kind.") "," U("hi") "," A("yes") "],\"rejected\":[" S(
         "Be kind.") "," U("hi") "," A("no") "]}",
     "trl", "Be kind." ASKED "/ yes|/ no|"},
    {"{\"conversations\":[" HUMAN("hi") "],\"chosen\":" GPT("yes") ",\"rejected\":" GPT(
         "no") "}",
     "sharegpt", ASKED "/ yes|/ no|"},
    {"{\"instruction\":\"hi\",\"input\":\"\",\"chosen\":\"yes\",\"rejected\":\"no\"}", "alpaca",
     ASKED "/ yes|/ no|"},
    {"{\"instruction\":\"add\",\"input\":\"1 2\",\"output\":\"3\"}", "alpaca",
     "\n\nHuman: add\n1 2\n\nAssistant:/ 3|"},
    {"{\"messages\":[" U("hi") "," A("yes") "," U("so?") "," A("no") "," U("ah") "]}",
     "messages", ASKED " yes\n\nHuman: so?\n\nAssistant:/ no|"},
    {"{\"conversations\":[" HUMAN("hi") "," GPT("yes") "]}", "sharegpt", ASKED "/ yes|"},
    {"{\"id\":\"0\",\"data\":[\"hi\",\"yes\"]}", "ultrachat", ASKED "/ yes|"},
    {"{\"prompt\":\"hi\",\"completion\":\" yes\"}", "completion", "hi/ yes|"},
    {"{\"prompt\":[" U("hi") "],\"completion\":[" A("yes") "]}", "completion", ASKED "/ yes|"},
    {"{\"prompt\":\"hi\",\"response\":\"yes\"}", "completion", "hi/yes|"},
    {"{\"text\":\"Once upon\"}", "text", "|/Once upon|"},
    {"{\"prompt\":\"hi\"}", "prompts", "hi"},
    {"{\"prompt\":[" U("hi") "]}", "prompts", ASKED},
    {"{\"question\":\"1 + 1?\",\"answer\":\"It is\\n#### 2\"}", "gsm8k",
     "1 + 1?\n/It is\n#### 2|"},
    {"{\"data_source\":\"gsm8k\",\"prompt\":[" U(
         "1 + 1?") "],\"reward_model\":{\"style\":"
                   "\"rule\",\"ground_truth\":\"2\"},\"extra_info\":{\"answer\":\"#### 2\"}}",
     "verl", "\n\nHuman: 1 + 1?\n\nAssistant:/ #### 2|"},
    {"{\"prompt\":\"\\u00e9\\/\\ud83d\\ude00\",\"chosen\":\"\",\"rejected\":\"b\"}", "trl",
     "\xC3\xA9/\xF0\x9F\x98\x80/|/b|"},
};

static void every_form_is_found_and_gives_the_texts_that_it_means(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        char text[1600];
        const char *form = "none";
        write_rows(FORMS[i].row);
        struct psw_dataset *data = look("", (struct psw_file_opts){0});
        for (int r = 0; r < PSW_N_ROLE; r++)
            if (data->files.form[r].name) form = data->files.form[r].name;
        item_text(example_at(list_of(data), 0), text);
        if (strcmp(text, FORMS[i].text) || strcmp(form, FORMS[i].form))
            fail_msg("%s\nis %s: %s\nexpected %s: %s", FORMS[i].row, form, text, FORMS[i].form,
                     FORMS[i].text);
        psw_dataset_destroy(data);
    }
}

/** The first row of that form in the table above. */
static const char *row_of(const char *form)
{
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++)
        if (!strcmp(FORMS[i].form, form)) return FORMS[i].row;
    fail_msg("no form %s", form);
    return NULL;
}

static void a_template_goes_around_every_form(void **state)
{
    static const char ZEPHYR[] = "<|user|>\nhi|\n<|assistant|>\n";
    static const char *const FORM[] = {"hh",       "trl",    "dahoas", "ultrafeedback",
                                       "sharegpt", "alpaca", "prompts"};
    (void)state;
    for (size_t i = 0; i < sizeof FORM / sizeof *FORM; i++) {
        char text[1600], expected[200];
        write_rows(row_of(FORM[i]));
        struct psw_dataset *data = look("zephyr", (struct psw_file_opts){0});
        item_text(example_at(list_of(data), 0), text);
        snprintf(expected, sizeof expected, "%s%s", ZEPHYR,
                 strcmp(FORM[i], "prompts") ? "/yes|/no|" : "");
        assert_string_equal(text, expected);
        psw_dataset_destroy(data);
    }
    char text[1600];
    write_rows(row_of("gsm8k"));
    struct psw_dataset *data = look("zephyr", (struct psw_file_opts){0});
    item_text(example_at(&data->sft, 0), text);
    assert_string_equal(text, "<|user|>\n1 + 1?|\n<|assistant|>\n/It is\n#### 2|");
    psw_dataset_destroy(data);
    write_rows(row_of("text"));
    data = look("zephyr", (struct psw_file_opts){0});
    item_text(example_at(&data->sft, 0), text);
    assert_string_equal(text, "|/Once upon|"); /* no turns, no template */
    psw_dataset_destroy(data);
}

static void templates_write_turns_as_their_models_have_them(void **state)
{
    static const struct {
        const char *name, *text;
    } CASES[] = {
        {"hh", "Kind.\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:/ d|"},
        {"none", "Kind.\na\nb|\nc\n/d|"},
        {"zephyr", "<|system|>\nKind.|\n<|user|>\na|\n<|assistant|>\nb|\n<|user|>\nc|\n"
                   "<|assistant|>\n/d|"},
        {"chatml", "<|im_start|>system\nKind.<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
                   "<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
                   "<|im_start|>assistant\n/d|"},
        {"llama2", "[INST] <<SYS>>\nKind.\n<</SYS>>\n\na [/INST] b |[INST] c [/INST]/ d |"},
        {"llama3", "<|start_header_id|>system<|end_header_id|>\n\nKind.<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>"
                   "<|start_header_id|>user<|end_header_id|>\n\nc<|eot_id|>"
                   "<|start_header_id|>assistant<|end_header_id|>\n\n/d|"},
    };
    (void)state;
    write_rows("{\"messages\":[" S("Kind.") "," U("a") "," A("b") "," U("c") "," A("d") "]}");
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char text[1600];
        struct psw_dataset *data = look(CASES[i].name, (struct psw_file_opts){0});
        item_text(example_at(&data->sft, 0), text);
        if (strcmp(text, CASES[i].text))
            fail_msg("%s: %s\nexpected %s", CASES[i].name, text, CASES[i].text);
        psw_dataset_destroy(data);
    }
}

static void every_turn_of_an_assistant_may_be_an_item(void **state)
{
    char text[1600];
    (void)state;
    write_rows("{\"messages\":[" U("a") "," A("b") "," U("c") "," A("d") "]}");
    struct psw_dataset *data = look("none", (struct psw_file_opts){.rows.all_turns = 1});
    assert_int_equal(data->sft.n, 2);
    item_text(example_at(&data->sft, 0), text);
    assert_string_equal(text, "a\n/b|");
    item_text(example_at(&data->sft, 1), text);
    assert_string_equal(text, "a\nb|\nc\n/d|");
    assert_int_equal(data->counts[PSW_DATA_SFT].n_row, 1);
    assert_int_equal(data->counts[PSW_DATA_SFT].n_kept, 2);
    psw_dataset_destroy(data);
}

static void arrays_and_gzip_hold_the_same_rows(void **state)
{
    char text[1600];
    uint64_t hash[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        char rows[600];
        snprintf(rows, sizeof rows, i == 1 ? "[%s]" : "%s", row_of("ultrafeedback"));
        write_rows(rows);
        if (i == 2) {
            gzFile f = gzopen(path, "wb");
            gzputs(f, rows);
            gzclose(f);
        }
        struct psw_dataset *data = look("", (struct psw_file_opts){0});
        item_text(example_at(&data->pairs, 0), text);
        assert_string_equal(text, ASKED "/ yes|/ no|");
        hash[i] =
            psw_tokens_hash((struct psw_tokens){psw_examples_at(&data->pairs, 0).prompt,
                                                psw_examples_at(&data->pairs, 0).n_prompt});
        psw_dataset_destroy(data);
    }
    assert_true(hash[0] == hash[1] && hash[0] == hash[2]);
}

static void rows_that_are_of_no_use_are_refused_with_the_place(void **state)
{
    static const struct {
        const char *rows, *form, *said;
    } CASES[] = {
        {"{\"a\":1,\"b\":[]}", NULL,
         ":1: no form of data has these keys: a (number), b (list); "
         "expected one of sharegpt"},
        {"{\"messages\":[" U("hi") "]}", NULL,
         ":1: the conversation of 1 turns has no turn of an assistant, so there is nothing to "
         "train"},
        {"{\"messages\":[]}", NULL, ":1: the conversation of 0 turns has no turn"},
        {"{\"chosen\":[" U("hi") "],\"rejected\":[" U("hi") "," A("b") "]}", NULL,
         ":1: the chosen side does not end with a turn of an assistant"},
        {"{\"messages\":[" U("hi") "," A("b") "]}\n{\"messages\":\"x\"}", NULL,
         ":2: the keys are messages; expected messages, a conversation, as in the form "
         "messages"},
        {"{\"messages\":[" U("hi") ",{\"role\":\"tool\",\"content\":\"x\"}]}", NULL,
         ":1: \"messages\" has a message of the role \"tool\"; known are system, user (human) "
         "and "
         "assistant (gpt)"},
        {"{\"messages\":[" U("hi") ",{\"role\":\"assistant\",\"content\":null}]}", NULL,
         "whose content is one text"},
        {"{\"prompt\":[]}", NULL, ":1: the prompt has no messages"},
        {"{\"data\":[\"a\",1]}", NULL, "expected texts of a user and an assistant in turn"},
        {"{\"prompt\":\"hi\",\"chosen\":\"a\",\"rejected\":\"b\"}", "nothing",
         "there is no form \"nothing\""},
        {"{\"prompt\":\"hi\",\"chosen\":\"a\",\"rejected\":\"b\"}", "sharegpt",
         ":1: the keys are prompt, chosen, rejected; expected conversations, and a chosen and "
         "a "
         "rejected message that end them, as in the form sharegpt"},
        {"PAR1", NULL, "read_parquet"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct psw_dataset *data = NULL;
        struct psw_error err = {0};
        const struct psw_file_opts opts = {.rows.form = CASES[i].form};
        write_rows(CASES[i].rows);
        assert_int_not_equal(psw_files_look(path, "", "", &opts, &data, &err), PSW_OK);
        assert_null(data);
        if (!strstr(err.text, CASES[i].said)) fail_msg("%s: %s", CASES[i].rows, err.text);
    }
}

/** Prompt and response of a conversation are the tokens of the text that a template library
 * makes of the whole: `text`, up to its end mark. */
static void whole_text_has_the_tokens(const char *tokenizer, const char *chat_template,
                                      const char *text)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    struct psw_token_list whole = {0};
    const struct psw_file_opts opts = {0};
    write_rows("{\"messages\":[" U("Who are you, it's 12?") "," A("I am  a\\nmodel.") "," U(
        "\\u00c9t\\u00e9!") "," A("Yes, \\u65e5.") "]}");
    if (psw_files_look(path, tokenizer, chat_template, &opts, &data, &err) != PSW_OK)
        fail_msg("%s", err.text);
    const struct psw_example *e = example_at(&data->sft, 0);
    assert_int_equal(psw_tokenizer_encode(data->tokenizer,
                                          (struct psw_text){text, strlen(text)}, &whole, NULL),
                     PSW_OK);
    assert_int_equal(e->n_prompt + e->n_response[0], whole.n);
    assert_memory_equal(e->prompt, whole.id, (size_t)e->n_prompt * sizeof *whole.id);
    assert_memory_equal(e->response[0], whole.id + e->n_prompt,
                        (size_t)e->n_response[0] * sizeof *whole.id);
    free(whole.id);
    psw_dataset_destroy(data);
}

static void parts_have_the_tokens_of_the_whole_text(void **state)
{
    char own[320];
    static const char PHI3[] =
        "{\"system\":{\"prefix\":\"<|system|>\\n\",\"suffix\":\"<|end|>\\n\"},"
        "\"user\":{\"prefix\":\"<|user|>\\n\",\"suffix\":\"<|end|>\\n\"},"
        "\"assistant\":{\"prefix\":\"<|assistant|>\\n\",\"suffix\":\"<|end|>\\n\"}}";
    char pythia[512], phi3[512];
    (void)state;
    const char *there = support_data("tokenizers/pythia");
    if (!there) support_skip("no sample data");
    snprintf(pythia, sizeof pythia, "%s", there);
    snprintf(phi3, sizeof phi3, "%s", support_data("tokenizers/phi3-llama-style"));
    snprintf(own, sizeof own, "%s/phi3.json", folder);
    const struct psw_file_part part = {PHI3, sizeof PHI3 - 1};
    assert_int_equal(psw_file_write(own, &part, 1, NULL), PSW_OK);
    whole_text_has_the_tokens(
        pythia, "zephyr",
        "<|user|>\nWho are you, it's 12?<|endoftext|>\n<|assistant|>\nI am  a\nmodel."
        "<|endoftext|>\n<|user|>\n\xC3\x89t\xC3\xA9!<|endoftext|>\n<|assistant|>\n"
        "Yes, \xE6\x97\xA5.<|endoftext|>");
    whole_text_has_the_tokens(pythia, "hh",
                              "\n\nHuman: Who are you, it's 12?\n\nAssistant: I am  a\nmodel."
                              "\n\nHuman: \xC3\x89t\xC3\xA9!\n\nAssistant: Yes, \xE6\x97\xA5."
                              "<|endoftext|>");
    whole_text_has_the_tokens(phi3, own,
                              "<|user|>\nWho are you, it's 12?<|end|>\n<|assistant|>\nI am  a\n"
                              "model.<|end|>\n<|user|>\n\xC3\x89t\xC3\xA9!<|end|>\n"
                              "<|assistant|>\nYes, \xE6\x97\xA5.<|end|>");
    whole_text_has_the_tokens(phi3, "hh",
                              "\n\nHuman: Who are you, it's 12?\n\nAssistant: I am  a\nmodel."
                              "\n\nHuman: \xC3\x89t\xC3\xA9!\n\nAssistant: Yes, \xE6\x97\xA5."
                              "<|endoftext|>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_found_and_gives_the_texts_that_it_means),
        cmocka_unit_test(a_template_goes_around_every_form),
        cmocka_unit_test(templates_write_turns_as_their_models_have_them),
        cmocka_unit_test(every_turn_of_an_assistant_may_be_an_item),
        cmocka_unit_test(parts_have_the_tokens_of_the_whole_text),
        cmocka_unit_test(arrays_and_gzip_hold_the_same_rows),
        cmocka_unit_test(rows_that_are_of_no_use_are_refused_with_the_place),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
