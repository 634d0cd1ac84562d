/* Real tokenizers on the sample data: ids made by other programs, and the way back. */
#include <jansson.h>
#include <posweep/data/tokenizer_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <support/support.h>
#include <utf8proc.h>
#include <zlib.h>

enum { LINE_BYTES = 1 << 18 };

static struct psw_tokenizer *tokenizer_of(const char *relative)
{
    struct psw_tokenizer *t = NULL;
    struct psw_error err = {0};
    const char *path = support_data(relative);
    if (!path) support_skip("no sample data");
    if (psw_tokenizer_create(path, &t, &err) != PSW_OK) fail_msg("%s", err.text);
    return t;
}

static gzFile open_lines(const char *relative)
{
    const char *path = support_data(relative);
    if (!path) support_skip("no sample data");
    gzFile f = gzopen(path, "rb");
    assert_non_null(f);
    return f;
}

/** The next object of a file of JSON lines, NULL at the end. */
static json_t *next_object(gzFile f)
{
    static char line[LINE_BYTES];
    if (!gzgets(f, line, sizeof line)) return NULL;
    json_t *object = json_loads(line, JSON_ALLOW_NUL, NULL);
    assert_non_null(object);
    return object;
}

static struct psw_text text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return (struct psw_text){json_string_value(value), json_string_length(value)};
}

static void assert_ids(const struct psw_token_list *got, const json_t *want)
{
    assert_int_equal(got->n, json_array_size(want));
    for (int64_t i = 0; i < got->n; i++)
        assert_int_equal(got->id[i], json_integer_value(json_array_get(want, (size_t)i)));
}

static void encode(const struct psw_tokenizer *t, struct psw_text text,
                   struct psw_token_list *out)
{
    struct psw_error err = {0};
    out->n = 0;
    if (psw_tokenizer_encode(t, text, out, &err) != PSW_OK) fail_msg("%s", err.text);
}

static void ids_are_those_of_the_reference_vectors(void **state)
{
    (void)state;
    static const char *const TOKENIZER[] = {
        "tokenizers/pythia", "tokenizers/pythia/tokenizer.merges-as-pairs.json.gz"};
    struct psw_token_list ids = {0};
    for (int i = 0; i < 2; i++) { /* both layouts of the merges */
        struct psw_tokenizer *t = tokenizer_of(TOKENIZER[i]);
        gzFile f = open_lines("tokenizers/vectors/pythia.jsonl");
        int n = 0;
        for (json_t *row; (row = next_object(f)); n++) {
            encode(t, text_of(row, "text"), &ids);
            assert_ids(&ids, json_object_get(row, "ids"));
            json_decref(row);
        }
        assert_int_equal(n, 47);
        gzclose(f);
        psw_tokenizer_destroy(t);
    }
    free(ids.id);
}

static void ids_of_dialogues_are_those_of_another_encoder(void **state)
{
    (void)state;
    struct psw_token_list ids = {0};
    struct psw_tokenizer *t = tokenizer_of("tokenizers/pythia/tokenizer.json");
    gzFile want = open_lines("tokenizers/vectors/pythia-hh-rlhf-helpful-test.jsonl.gz");
    gzFile text = open_lines("hh-rlhf/hh-rlhf-helpful-test.jsonl.gz");
    int n = 0;
    for (json_t *row; (row = next_object(want)); n++) {
        json_t *pair = next_object(text);
        encode(t, text_of(pair, "chosen"), &ids);
        assert_ids(&ids, json_object_get(row, "chosen_ids"));
        encode(t, text_of(pair, "rejected"), &ids);
        assert_ids(&ids, json_object_get(row, "rejected_ids"));
        json_decref(pair);
        json_decref(row);
    }
    assert_int_equal(n, 250);
    gzclose(want);
    gzclose(text);
    psw_tokenizer_destroy(t);
    free(ids.id);
}

static void decoding_gives_back_every_text(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer;
        int is_nfc; /* its normaliser changes the text so */
    } ROW[] = {{"tokenizers/pythia", 1},
               {"tokenizers/gpt2", 0},
               {"tokenizers/phi3-llama-style", 0},
               {"model-stories260K", 0}};
    struct psw_token_list ids = {0};
    struct psw_text_buffer back = {0};
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        struct psw_tokenizer *t = tokenizer_of(ROW[i].tokenizer);
        gzFile f = open_lines("hh-rlhf/hh-rlhf-helpful-test.jsonl.gz");
        for (json_t *row; (row = next_object(f)); json_decref(row)) {
            const struct psw_text text = text_of(row, "chosen");
            char *nfc = (char *)utf8proc_NFC((const utf8proc_uint8_t *)text.at);
            const char *want = ROW[i].is_nfc ? nfc : text.at;
            back.n = 0;
            encode(t, text, &ids);
            assert_int_equal(
                psw_tokenizer_decode(t, (struct psw_tokens){ids.id, ids.n}, 0, &back, NULL),
                PSW_OK);
            assert_int_equal(back.n, strlen(want));
            assert_memory_equal(back.at, want, back.n);
            free(nfc);
        }
        gzclose(f);
        psw_tokenizer_destroy(t);
    }
    free(back.at);
    free(ids.id);
}

static void folders_say_eos_and_what_belongs_around_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer;
        int32_t n_vocab, eos;
        int64_t n_before;
    } ROW[] = {{"tokenizers/pythia", 50277, 0, 0},
               {"tokenizers/gpt2", 50257, 50256, 0},
               {"tokenizers/phi3-llama-style", 32011, 32000, 0},
               {"model-stories260K", 512, 2, 1}};
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        struct psw_tokenizer *t = tokenizer_of(ROW[i].tokenizer);
        assert_int_equal(t->n_vocab, ROW[i].n_vocab);
        assert_int_equal(t->eos, ROW[i].eos);
        assert_int_equal(t->before.n, ROW[i].n_before);
        if (ROW[i].n_before) assert_int_equal(t->before.id[0], 1);
        assert_int_equal(t->after.n, 0);
        psw_tokenizer_destroy(t);
    }
}

static void a_line_of_a_megabyte_is_no_harder_than_its_parts(void **state)
{
    (void)state;
    /* Byte fallback has one word of it all; of blanks alone a pattern makes one word too. */
    static const struct {
        const char *tokenizer, *part;
        int64_t n_id;
    } ROW[] = {{"tokenizers/pythia", "It's 12 o'clock, Führer! ", 11},
               {"tokenizers/pythia", "                        ", 1},
               {"tokenizers/phi3-llama-style", "hello hello ", 2}};
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES + 64);
    struct psw_token_list ids = {0};
    assert_non_null(text);
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        struct psw_tokenizer *t = tokenizer_of(ROW[i].tokenizer);
        const size_t n_part = strlen(ROW[i].part);
        size_t n = 0;
        for (; n < BYTES; n += n_part) memcpy(text + n, ROW[i].part, n_part);
        encode(t, (struct psw_text){text, n}, &ids);
        assert_in_range(ids.n, (int64_t)(n / n_part) * ROW[i].n_id,
                        (int64_t)(n / n_part) * ROW[i].n_id + 2);
        psw_tokenizer_destroy(t);
    }
    free(ids.id);
    free(text);
}

static void a_sentencepiece_model_is_refused_with_the_way_to_convert_it(void **state)
{
    (void)state;
    struct psw_tokenizer *t = NULL;
    struct psw_error err = {0};
    const char *path = support_data("tokenizers/mistral-sentencepiece");
    if (!path) support_skip("no sample data");
    assert_int_equal(psw_tokenizer_create(path, &t, &err), PSW_EUNSUP);
    assert_non_null(strstr(err.text, "tokenizer.model: this is a SentencePiece model"));
    assert_non_null(strstr(err.text, "save_pretrained"));
    assert_null(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_those_of_the_reference_vectors),
        cmocka_unit_test(ids_of_dialogues_are_those_of_another_encoder),
        cmocka_unit_test(decoding_gives_back_every_text),
        cmocka_unit_test(folders_say_eos_and_what_belongs_around_a_text),
        cmocka_unit_test(a_line_of_a_megabyte_is_no_harder_than_its_parts),
        cmocka_unit_test(a_sentencepiece_model_is_refused_with_the_way_to_convert_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
