/* Tokenizers: ids and back, cuts, characters that lie across tokens. */
#include <posweep/data/lists.h>
#include <stdlib.h>
#include <string.h>
#include <support/support.h>

static struct psw_tokens encode(const struct psw_tokenizer *tokenizer, const char *text,
                                struct psw_token_list *list)
{
    list->n = 0;
    assert_int_equal(
        psw_tokenizer_encode(tokenizer, (struct psw_text){text, strlen(text)}, list, NULL),
        PSW_OK);
    return (struct psw_tokens){list->id, list->n};
}

static void text_of_ids_is_the_text_that_gave_them(void **state)
{
    (void)state;
    static const struct {
        const struct psw_tokenizer *tokenizer;
        const char *text;
        int64_t n;
    } row[] = {
        {&PSW_BYTE_TOKENIZER, "", 0},
        {&PSW_BYTE_TOKENIZER, "a\xC3\xA9\xF0\x9F\x98\x80 \n", 9},
        {&PSW_LISTS_TOKENIZER, "", 0},
        {&PSW_LISTS_TOKENIZER, "sure iron , gold .", 5},
    };
    struct psw_token_list list = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[64];
        const struct psw_tokens t = encode(row[i].tokenizer, row[i].text, &list);
        assert_int_equal(t.n, row[i].n);
        psw_tokenizer_text(row[i].tokenizer, t.id, t.n, text, sizeof text);
        assert_string_equal(text, row[i].text);
    }
    free(list.id);
}

static void encoding_appends(void **state)
{
    (void)state;
    struct psw_token_list list = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            psw_tokenizer_encode(&PSW_BYTE_TOKENIZER, (struct psw_text){"ab", 2}, &list, NULL),
            PSW_OK);
    char text[8];
    psw_tokenizer_text(&PSW_BYTE_TOKENIZER, list.id, list.n, text, sizeof text);
    assert_string_equal(text, "ababab");
    free(list.id);
}

static void words_that_are_none_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const TEXT[] = {"give two lemurs", "<eos>"};
    struct psw_token_list list = {0};
    for (int i = 0; i < 2; i++) {
        struct psw_error err = {0};
        const struct psw_text text = {TEXT[i], strlen(TEXT[i])};
        assert_int_equal(psw_tokenizer_encode(&PSW_LISTS_TOKENIZER, text, &list, &err),
                         PSW_EDATA);
        assert_non_null(strstr(err.text, i ? "\"<eos>\"" : "\"lemurs\""));
    }
    free(list.id);
}

static void text_ends_at_eos_and_replaces_what_is_none(void **state)
{
    (void)state;
    const int32_t id[] = {'a', 0xC3, 0xA9, 0xFF, 'b', 0xC3, PSW_BYTE_EOS, 'c'};
    const int32_t beyond[] = {'a', 300, -1, 'b'}, word[] = {1, 9999, 2};
    char text[32];
    assert_string_equal(psw_tokenizer_text(&PSW_BYTE_TOKENIZER, id, 8, text, sizeof text),
                        "a\xC3\xA9\xEF\xBF\xBD"
                        "b\xEF\xBF\xBD");
    assert_string_equal(psw_tokenizer_text(&PSW_BYTE_TOKENIZER, beyond, 4, text, sizeof text),
                        "a\xEF\xBF\xBD\xEF\xBF\xBD"
                        "b");
    assert_string_equal(psw_tokenizer_text(&PSW_LISTS_TOKENIZER, word, 3, text, sizeof text),
                        ", \xEF\xBF\xBD .");
}

static void text_that_is_too_long_is_cut_at_a_character_or_word(void **state)
{
    (void)state;
    static const struct {
        const struct psw_tokenizer *tokenizer;
        const char *text, *cut[12]; /* by size of the room, from 1 byte */
    } row[] = {
        {&PSW_BYTE_TOKENIZER, "a\xC3\xA9z", {"", "a", "a", "a\xC3\xA9", "a\xC3\xA9z"}},
        {&PSW_LISTS_TOKENIZER,
         "sure , gold",
         {"", "", "", "", "sure", "sure", "sure ,", "sure ,", "sure ,", "sure ,", "sure ,",
          "sure , gold"}},
    };
    struct psw_token_list list = {0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        const struct psw_tokens t = encode(row[i].tokenizer, row[i].text, &list);
        for (size_t n = 1; n <= 12 && row[i].cut[n - 1]; n++) {
            char text[12];
            psw_tokenizer_text(row[i].tokenizer, t.id, t.n, text, n);
            assert_string_equal(text, row[i].cut[n - 1]);
        }
    }
    free(list.id);
}

static void token_cuts_keep_whole_characters(void **state)
{
    (void)state;
    static const int64_t END[] = {4, 1, 1, 3, 4, 4}, BEGIN[] = {4, 1, 1, 3, 4, 4};
    struct psw_token_list list = {0};
    const struct psw_tokens begin = encode(&PSW_BYTE_TOKENIZER, "a\xC3\xA9z", &list);
    for (int64_t n = 0; n < 6; n++) {
        const struct psw_tokens e = psw_tokens_end(&PSW_BYTE_TOKENIZER, begin, n);
        const struct psw_tokens b = psw_tokens_begin(&PSW_BYTE_TOKENIZER, begin, n);
        assert_int_equal(e.n, END[n]);
        assert_ptr_equal(e.id + e.n, begin.id + begin.n);
        assert_int_equal(b.n, BEGIN[n]);
        assert_ptr_equal(b.id, begin.id);
    }
    free(list.id);
}

static void each_part_of_a_tokenizer_is_in_its_hash(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"<eos>", "iron", "tin"}, *const OTHER[] = {
                                                                     "<eos>", "iron", "zinc"};
    const struct psw_tokenizer t = {
        .kind = &PSW_WORDS_KIND, .n_vocab = 3, .eos = 0, .word = WORDS};
    struct psw_tokenizer same = t, other[] = {t, t, t, t};
    other[0].word = OTHER;
    other[1].n_vocab = 2;
    other[2].eos = 1;
    const struct psw_tokenizer_kind kind = {"syllables", " ", PSW_WORDS_KIND.encode,
                                            PSW_WORDS_KIND.piece};
    other[3].kind = &kind;
    assert_true(psw_tokenizer_hash(&same) == psw_tokenizer_hash(&t));
    for (int i = 0; i < 4; i++)
        assert_true(psw_tokenizer_hash(&other[i]) != psw_tokenizer_hash(&t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_ids_is_the_text_that_gave_them),
        cmocka_unit_test(encoding_appends),
        cmocka_unit_test(words_that_are_none_are_refused_by_name),
        cmocka_unit_test(text_ends_at_eos_and_replaces_what_is_none),
        cmocka_unit_test(text_that_is_too_long_is_cut_at_a_character_or_word),
        cmocka_unit_test(token_cuts_keep_whole_characters),
        cmocka_unit_test(each_part_of_a_tokenizer_is_in_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
