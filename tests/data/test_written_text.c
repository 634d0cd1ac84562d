/* What people wrote never becomes a special token, and what a template wrote does; and a text
 * that goes on gets no blank before it. */
#include "bpe_files.h"

/* Byte fallback, a blank put before each piece, "</s>" as in Llama; <|end|> takes blanks
 * behind. */
static const char LLAMA[] =
    "{\"added_tokens\": [{\"id\": 7, \"content\": \"</s>\", \"special\": true, \"normalized\": "
    "false},"
    " {\"id\": 8, \"content\": \"<|end|>\", \"special\": true, \"rstrip\": true, "
    "\"normalized\": "
    "false},"
    " {\"id\": 9, \"content\": \"bb\", \"normalized\": false}],"
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\", "
    "\"prepend\": \"" MARK "\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
    "\"content\": \"" MARK "\"}]},"
    " \"decoder\": {\"type\": \"Fuse\"},"
    " \"model\": {\"type\": \"BPE\", \"unk_token\": \"<unk>\", \"vocab\": {\"<unk>\": 0, "
    "\"a\": 1, "
    "\"b\": 2, \"" MARK "\": 3, \"" MARK "a\": 4, \"<\": 10, \"/\": 11, \"s\": 12, \">\": 13, "
    "\"|\": 14, \"e\": 15, \"n\": 16, \"d\": 17}, \"merges\": [\"" MARK " a\"]}}";

/** Ids of a written text as "1 2 3", or the message. */
static void ids_as(const struct psw_tokenizer *t, const char *text, const char *markup,
                   enum psw_text_place place, char out[512])
{
    unsigned char is[64] = {0};
    struct psw_token_list ids = {0};
    struct psw_error err = {0};
    const struct psw_written_text written = {
        .text = {text, strlen(text)}, .markup = markup ? is : NULL, .place = place};
    for (size_t i = 0; markup && markup[i]; i++) is[i] = markup[i] == '#';
    const psw_status rc = psw_tokenizer_encode_written(t, &written, &ids, &err);
    out[0] = 0;
    if (rc != PSW_OK) snprintf(out, 512, "%.500s", err.text);
    for (int64_t i = 0; rc == PSW_OK && i < ids.n; i++)
        snprintf(out + strlen(out), 512 - strlen(out), "%s%d", i ? " " : "", ids.id[i]);
    free(ids.id);
}

static void only_a_template_says_special_tokens(void **state)
{
    static const struct {
        const char *text, *markup, *ids; /* markup: '#' where a template wrote */
    } CASES[] = {
        {"a</s>", NULL, "4 10 11 12 13"},
        {"a</s>", "#####", "4 7"},
        {"a</s>", "-####", "4 7"},
        {"a</s>", "-###-", "4 10 11 12 13"}, /* the last character is a user's */
        {"</s></s>", "----####", "3 10 11 12 13 7"},
        {"bb", NULL, "9"}, /* added, but not special */
        {"<|end|> a", "#######--", "8 4"},
    };
    char ids[512];
    (void)state;
    write_text("tokenizer.json", LLAMA);
    struct psw_tokenizer *t = create();
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ids_as(t, CASES[i].text, CASES[i].markup, PSW_TEXT_BEGINS, ids);
        if (strcmp(ids, CASES[i].ids))
            fail_msg("case %zu: %s, expected %s", i, ids, CASES[i].ids);
    }
    ids_of(t, "a</s>", ids);
    assert_string_equal(ids, "4 7"); /* as `posweep tokenize` has it */
    psw_tokenizer_destroy(t);
}

static void a_text_that_goes_on_gets_no_blank_before_it(void **state)
{
    char ids[512];
    (void)state;
    write_text("tokenizer.json", LLAMA);
    struct psw_tokenizer *t = create();
    ids_as(t, "a a", NULL, PSW_TEXT_BEGINS, ids);
    assert_string_equal(ids, "4 4");
    ids_as(t, "a a", NULL, PSW_TEXT_AFTER_TOKEN, ids);
    assert_string_equal(ids, "4 4"); /* Prepend is for every piece */
    ids_as(t, "a a", NULL, PSW_TEXT_GOES_ON, ids);
    assert_string_equal(ids, "1 4");
    ids_as(t, " a", NULL, PSW_TEXT_GOES_ON, ids);
    assert_string_equal(ids, "4");
    ids_as(t, "bba", NULL, PSW_TEXT_GOES_ON, ids);
    assert_string_equal(ids, "9 4"); /* behind a token it is a piece of its own again */
    psw_tokenizer_destroy(t);
}

static void rules_that_make_eos_of_plain_text_are_refused(void **state)
{
    char text[sizeof LLAMA + 64], ids[512];
    (void)state;
    memcpy(text, LLAMA, sizeof LLAMA);
    char *at = strstr(text, "\"merges\": [");
    snprintf(at, sizeof text - (size_t)(at - text),
             "\"merges\": [\"< /\", \"s >\", \"</ s>\"]}}");
    char *vocab = strstr(text, "\"d\": 17");
    char tail[400];
    snprintf(tail, sizeof tail, "\"d\": 17, \"</\": 18, \"s>\": 19, \"</s>\": 7%s", vocab + 7);
    memcpy(vocab, tail, strlen(tail) + 1);
    write_text("tokenizer.json", text);
    struct psw_tokenizer *t = create();
    ids_as(t, "a</s>", NULL, PSW_TEXT_GOES_ON, ids);
    assert_non_null(strstr(ids, "makes its special token </s> of plain text"));
    psw_tokenizer_destroy(t);
}

static void a_prompt_is_said_beyond_its_turns(void **state)
{
    const int32_t turns[] = {4, 7, 4, 8}, ends[] = {4, 4, 7};
    char text[64];
    (void)state;
    write_text("tokenizer.json", LLAMA);
    struct psw_tokenizer *t = create();
    assert_int_equal(t->eos, 7);
    psw_tokenizer_prompt_text(t, (struct psw_tokens){turns, 4}, text, sizeof text);
    assert_string_equal(text, MARK "a</s>" MARK "a<|end|>");
    psw_tokenizer_prompt_text(t, (struct psw_tokens){turns, 4}, text, 8);
    assert_string_equal(text, MARK "a</s"); /* cut at a character */
    psw_tokenizer_prompt_text(t, (struct psw_tokens){ends, 3}, text, sizeof text);
    assert_string_equal(text, MARK "a" MARK "a");
    psw_tokenizer_destroy(t);
}

static void the_files_of_a_tokenizer_have_the_hash_that_it_has(void **state)
{
    uint64_t hash = 0;
    (void)state;
    write_text("tokenizer.json", LLAMA);
    struct psw_tokenizer *t = create();
    assert_int_equal(psw_tokenizer_hash_files(folder, &hash, NULL), PSW_OK);
    assert_true(hash == t->content);
    assert_true(psw_tokenizer_bytes(t) > 14 * 24);
    assert_int_equal(psw_tokenizer_bytes(&PSW_BYTE_TOKENIZER), 0);
    write_text("tokenizer.json", "{}");
    assert_int_equal(psw_tokenizer_hash_files(folder, &hash, NULL), PSW_OK);
    assert_true(hash != t->content);
    psw_tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_template_says_special_tokens),
        cmocka_unit_test(a_text_that_goes_on_gets_no_blank_before_it),
        cmocka_unit_test(rules_that_make_eos_of_plain_text_are_refused),
        cmocka_unit_test(a_prompt_is_said_beyond_its_turns),
        cmocka_unit_test(the_files_of_a_tokenizer_have_the_hash_that_it_has),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
