/* Files of a tokenizer that are broken, or ask for what is not known; and the two files of
 * GPT-2. */
#include "bpe_files.h"

#include <unistd.h>

#define PATTERN(P)                                                                             \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" P                                      \
    "\"}, \"behavior\": \"Isolated\", \"invert\": false}"
#define WITH(COMPONENT) "{" COMPONENT ", \"decoder\": {\"type\": \"Fuse\"}, " MODEL "}"
#define VOCAB(V, M)                                                                            \
    "{\"decoder\": {\"type\": \"Fuse\"}, \"model\": {\"vocab\": {" V "}, \"merges\": [" M "]}" \
    "}"

static void texts_that_cannot_be_said_are_refused(void **state)
{
    (void)state;
    struct psw_token_list ids = {0};
    struct psw_error err = {0};
    write_text("tokenizer.json", VOCAB("\"a\": 0, \"b\": 1, \"ab\": 2", "\"a b\""));
    struct psw_tokenizer *t = create();
    assert_int_equal(psw_tokenizer_encode(t, (struct psw_text){"ab\xFF", 3}, &ids, &err),
                     PSW_EDATA);
    assert_non_null(strstr(err.text, "byte 2"));
    assert_non_null(strstr(err.text, "0xff"));
    assert_int_equal(psw_tokenizer_encode(t, (struct psw_text){"abz", 3}, &ids, &err),
                     PSW_EDATA);
    assert_non_null(strstr(err.text, "'z'"));
    free(ids.id);
    psw_tokenizer_destroy(t);
}

static void files_are_refused_by_what_is_wrong_with_them(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        psw_status rc;
        const char *says;
    } ROW[] = {
        {"", PSW_EDATA, "tokenizer.json:1:0: "},
        {"{\"model\": ", PSW_EDATA, "tokenizer.json:1:"},
        {"[]", PSW_EDATA, "expected one JSON object"},
        {"{\"a\": \"\xFF\"}", PSW_EDATA, "tokenizer.json:1:"},
        {"version https://git-lfs.github.com/spec/v1\n", PSW_EUNSUP, "git lfs pull"},
        {"\n\x0E\n\x05<unk>\x15", PSW_EUNSUP, "SentencePiece"},
        {"{}", PSW_EDATA, "\"merges\""},
        {"{\"model\": {\"type\": \"Unigram\"}}", PSW_EUNSUP,
         "\"Unigram\" is not known; known is BPE"},
        {"{\"model\": {\"type\": \"BPE\", \"dropout\": 0.1}}", PSW_EUNSUP, "\"dropout\""},
        {"{\"model\": {\"end_of_word_suffix\": \"</w>\"}}", PSW_EUNSUP,
         "\"end_of_word_suffix\""},
        {WITH("\"normalizer\": {\"type\": \"Precompiled\"}"), PSW_EUNSUP,
         "normalizer \"Precompiled\" is not known; known are Sequence, NFC"},
        {WITH("\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": "
              "\"Nmt\"}]}"),
         PSW_EUNSUP, "normalizer \"Nmt\""},
        {WITH("\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"}"), PSW_EUNSUP,
         "pre_tokenizer \"BertPreTokenizer\""},
        {WITH("\"post_processor\": {\"type\": \"RobertaProcessing\"}"), PSW_EUNSUP,
         "post_processor \"RobertaProcessing\""},
        {"{\"decoder\": {\"type\": \"WordPiece\"}, " MODEL "}", PSW_EUNSUP,
         "decoder \"WordPiece\""},
        {"{" MODEL "}", PSW_EDATA, "decoder: expected an object"},
        {WITH("\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Maybe\"}"), PSW_EUNSUP,
         "\"Maybe\""},
        {WITH("\"pre_tokenizer\": " PATTERN("[a-")), PSW_EDATA, "pattern \"[a-\""},
        {WITH("\"pre_tokenizer\": " PATTERN("[a&&b]")), PSW_EUNSUP, "\"&\" at byte 2"},
        {WITH("\"pre_tokenizer\": " PATTERN("[a[b]]")), PSW_EUNSUP, "\"[\" at byte 2"},
        {WITH("\"pre_tokenizer\": " PATTERN("\\\\h")), PSW_EUNSUP, "means something else"},
        {WITH("\"pre_tokenizer\": " PATTERN("a{1,3}+")), PSW_EUNSUP, "\"}+\""},
        {WITH("\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
              "[{\"SpecialToken\": {\"id\": \"B\"}}, {\"Sequence\": {}}], \"special_tokens\": "
              "{\"B\": {\"ids\": [99]}}}"),
         PSW_EDATA, "id 99"},
        {WITH("\"added_tokens\": [{\"id\": 1, \"content\": \"x\"}]"), PSW_EDATA,
         "id 1 is that of \"a\" and of \"x\""},
        {WITH("\"added_tokens\": [{\"id\": 7, \"content\": \"a\"}]"), PSW_EDATA,
         "\"a\" has id 1 and id 7"},
        {WITH("\"added_tokens\": [{\"id\": 5000000000, \"content\": \"x\"}]"), PSW_EDATA,
         "added_tokens: element 0"},
        {VOCAB("\"a\": -1", ""), PSW_EDATA, "\"a\" has no id"},
        {VOCAB("\"a\": 1048576", ""), PSW_EDATA, "\"a\" has no id"},
        {VOCAB("\"a\": 0, \"b\": 0", ""), PSW_EDATA, "id 0 is that of \"a\" and of \"b\""},
        {VOCAB("\"a\": 0, \"a\": 1", ""), PSW_EDATA, "duplicate"},
        {VOCAB("\"a\": 0, \"b\": 1", "\"a b\""), PSW_EDATA, "merge 1: \"ab\" is not in"},
        {VOCAB("\"a\": 0", "\"ab\""), PSW_EDATA, "merge 1: expected"},
        {VOCAB("\"a\": 0", "[\"a\"]"), PSW_EDATA, "merge 1: expected"},
    };
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        struct psw_tokenizer *t = NULL;
        struct psw_error err = {0};
        write_text("tokenizer.json", ROW[i].json);
        assert_int_equal(psw_tokenizer_create(folder, &t, &err), ROW[i].rc);
        assert_null(t);
        if (!strstr(err.text, ROW[i].says) || !strstr(err.text, path))
            fail_msg("'%s' is not in: %s", ROW[i].says, err.text);
    }
}

static void two_files_make_one_tokenizer(void **state)
{
    (void)state;
    char got[256], full[400];
    struct psw_tokenizer *t = NULL;
    struct psw_error err = {0};
    unlink(path);
    assert_int_equal(psw_tokenizer_create(folder, &t, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "vocab.json with merges.txt"));
    write_text("vocab.json", "{\"a\": 0, \"b\": 1, \"ab\": 2, \"\xC4\xA0\": 3, \"\xC4\xA0"
                             "ab\": 4, \"<|endoftext|>\": 5}");
    write_text("merges.txt", "#version: 0.2\na b\n\xC4\xA0 ab\n");
    for (int i = 0; i < 3; i++) { /* the folder, or either file */
        static const char *const NAME[] = {"", "/vocab.json", "/merges.txt"};
        snprintf(full, sizeof full, "%s%s", folder, NAME[i]);
        assert_int_equal(psw_tokenizer_create(full, &t, &err), PSW_OK);
        ids_of(t, "ab<|endoftext|>b ab", got);
        assert_string_equal(got, "2 5 1 4");
        assert_int_equal(t->eos, 5);
        psw_tokenizer_destroy(t);
    }
    write_text("merges.txt", "#version: 0.2\na b\nab\n");
    assert_int_equal(psw_tokenizer_create(folder, &t, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "merges.txt: line 3"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_cannot_be_said_are_refused),
        cmocka_unit_test(files_are_refused_by_what_is_wrong_with_them),
        cmocka_unit_test(two_files_make_one_tokenizer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
