/* The rules of tokenizer.json, one at a time, on tokenizers of a few tokens that the tests
 * write. */
#include "bpe_files.h"

#include <jansson.h>

/** Give an id to each name that has none yet. */
static void add_names(json_t *vocab, const char *name, size_t n)
{
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)n, name);
    if (!json_object_get(vocab, key))
        json_object_set_new(vocab, key, json_integer((json_int_t)json_object_size(vocab)));
}

/** Write a tokenizer that has the words of "a|b|c" and the characters of both texts; words
 *  that it has are not made by merges. Components are JSON, or NULL. */
static void write_words(const char *normalizer, const char *pre_tokenizer, const char *words,
                        const char *text)
{
    json_t *vocab = json_object();
    for (const char *at = words; *at; at += strcspn(at, "|"), at += *at == '|')
        add_names(vocab, at, strcspn(at, "|"));
    for (int i = 0; i < 2; i++)
        for (const char *at = i ? text : words; *at;) {
            size_t n = 1;
            while (psw_is_inside_character(at[n])) n++;
            add_names(vocab, at, n);
            at += n;
        }
    add_names(vocab, MARK, 3);
    json_t *root =
        json_pack("{s:o?, s:o?, s:{s:s}, s:{s:s, s:b, s:o, s:[]}}", "normalizer",
                  normalizer ? json_loads(normalizer, 0, NULL) : NULL, "pre_tokenizer",
                  pre_tokenizer ? json_loads(pre_tokenizer, 0, NULL) : NULL, "decoder", "type",
                  "Fuse", "model", "type", "BPE", "ignore_merges", 1, "vocab", vocab, "merges");
    assert_non_null(root);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

/** The pieces of a text as "a|b|c". */
static void pieces_of(const struct psw_tokenizer *t, const char *text, char out[256])
{
    struct psw_token_list ids = {0};
    struct psw_error err = {0};
    if (psw_tokenizer_encode(t, (struct psw_text){text, strlen(text)}, &ids, &err) != PSW_OK)
        fail_msg("%s", err.text);
    out[0] = 0;
    for (int64_t i = 0; i < ids.n; i++) {
        const struct psw_text piece = psw_tokenizer_piece(t, ids.id[i]);
        snprintf(out + strlen(out), 256 - strlen(out), "%s%.*s", i ? "|" : "", (int)piece.n,
                 piece.at);
    }
    free(ids.id);
}

#define SPLIT(BEHAVIOR, INVERT)                                                                \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"-+|#\"}, \"behavior\": \"" BEHAVIOR      \
    "\", \"invert\": " INVERT "}"
#define PATTERN(P)                                                                             \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" P                                      \
    "\"}, \"behavior\": \"Isolated\", \"invert\": false}"
#define METASPACE(REST) "{\"type\": \"Metaspace\", \"replacement\": \"" MARK "\"" REST "}"

static void pre_tokenizers_make_the_words_of_the_library(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text, *words;
    } ROW[] = {
        {NULL, "ab cd", "ab cd"},
        {SPLIT("Isolated", "false"), "ab--#cd-", "ab|--|#|cd|-"},
        {SPLIT("Removed", "false"), "ab--#cd-", "ab|cd"},
        {SPLIT("Removed", "true"), "ab--#cd-", "--|#|-"},
        {SPLIT("Contiguous", "false"), "ab--#cd-", "ab|--#|cd|-"},
        {SPLIT("MergedWithPrevious", "false"), "ab--#cd-", "ab--|#|cd-"},
        {SPLIT("MergedWithNext", "false"), "ab--#cd-", "ab|--|#cd|-"},
        {"{\"type\": \"Split\", \"pattern\": {\"String\": \".\"}, \"behavior\": \"Isolated\"}",
         "ab.c", "ab|.|c"},
        {"{\"type\": \"Digits\", \"individual_digits\": true}", "a12b", "a|1|2|b"},
        {"{\"type\": \"Digits\", \"individual_digits\": false}", "a12b", "a|12|b"},
        {"{\"type\": \"Punctuation\"}", "ab, (c)", "ab|,| |(|c|)"},
        {"{\"type\": \"Punctuation\", \"behavior\": \"Contiguous\"}", "ab!?$c", "ab|!?$|c"},
        {"{\"type\": \"Whitespace\"}", " ab,\tc!? ", "ab|,|c|!?"},
        {"{\"type\": \"WhitespaceSplit\"}", " ab,\tc!? ", "ab,|c!?"},
        {METASPACE(""), "ab c", MARK "ab|" MARK "c"},
        {METASPACE(", \"prepend_scheme\": \"first\", \"split\": false"), "ab c",
         MARK "ab" MARK "c"},
        {METASPACE(", \"prepend_scheme\": \"never\""), "ab c", "ab|" MARK "c"},
        {METASPACE(", \"add_prefix_space\": false"), "ab c", "ab|" MARK "c"},
        {METASPACE(""), " ab", MARK "ab"},
        {"{\"type\": \"ByteLevel\", \"add_prefix_space\": false}", "we're at12  x",
         "we|'re|\xC4\xA0"
         "at|12|\xC4\xA0|\xC4\xA0x"},
        {"{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"use_regex\": false}", "a b",
         "\xC4\xA0"
         "a\xC4\xA0"
         "b"},
        {"{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Digits\", "
         "\"individual_digits\": true}, {\"type\": \"ByteLevel\", \"add_prefix_space\": "
         "false}]}",
         "a 12", "a|\xC4\xA0|1|2"},
        /* Oniguruma's classes, which PCRE2 has otherwise */
        {PATTERN("\\\\s"),
         "a\xE1\xA0\x8E"
         "b\xC2\x85"
         "c",
         "a\xE1\xA0\x8E"
         "b|\xC2\x85|c"},
        {PATTERN("\\\\w+"), "a\xC2\xB2-b", "a\xC2\xB2|-|b"},
        {PATTERN("[\\\\w]+"), "a\xC2\xB2-b", "a|\xC2\xB2-|b"},
        {PATTERN("(?i:'s)|x{2}"), "a'Sxxx", "a|'S|xx|x"},
        {PATTERN("x*"), "axxb", "a|xx|b"},
    };
    char got[256];
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        write_words(NULL, ROW[i].json, ROW[i].words, ROW[i].text);
        struct psw_tokenizer *t = create();
        pieces_of(t, ROW[i].text, got);
        assert_string_equal(got, ROW[i].words);
        psw_tokenizer_destroy(t);
    }
}

static void normalizers_change_the_text_first(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text, *words;
    } ROW[] = {
        {"{\"type\": \"NFC\"}", "e\xCC\x81\xEF\xAC\x81", "\xC3\xA9\xEF\xAC\x81"},
        {"{\"type\": \"NFD\"}", "\xC3\xA9\xEF\xAC\x81", "e\xCC\x81\xEF\xAC\x81"},
        {"{\"type\": \"NFKC\"}", "e\xCC\x81\xEF\xAC\x81",
         "\xC3\xA9"
         "fi"},
        {"{\"type\": \"NFKD\"}", "\xC3\xA9\xEF\xAC\x81",
         "e\xCC\x81"
         "fi"},
        {"{\"type\": \"Prepend\", \"prepend\": \"" MARK "\"}", "ab", MARK "ab"},
        {"{\"type\": \"Prepend\", \"prepend\": \"" MARK "\"}", MARK "ab", MARK MARK "ab"},
        {"{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" MARK "\"}",
         "a  b", "a" MARK MARK "b"},
        {"{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" +\"}, \"content\": \"$1\"}",
         "a  b", "a$1b"},
        {"{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": "
         "\"Prepend\", "
         "\"prepend\": \"-\"}]}",
         "e\xCC\x81", "-\xC3\xA9"},
    };
    char got[256];
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        write_words(ROW[i].json, NULL, ROW[i].words, ROW[i].text);
        struct psw_tokenizer *t = create();
        pieces_of(t, ROW[i].text, got);
        assert_string_equal(got, ROW[i].words);
        psw_tokenizer_destroy(t);
    }
}

static void marks_are_ordered_in_linear_time(void **state)
{
    (void)state;
    enum { N = 100000 }; /* pairs of marks, which change places all */
    char *text = malloc(4 * N + 1);
    struct psw_token_list ids = {0};
    assert_non_null(text);
    text[0] = 'a';
    for (int i = 0; i < N; i++) memcpy(text + 1 + 4 * i, "\xCC\x95\xCC\xA3", 4);
    write_words("{\"type\": \"NFC\"}", NULL, "\xE1\xBA\xA1|\xCC\xA3|\xCC\x95", "");
    struct psw_tokenizer *t = create();
    assert_int_equal(psw_tokenizer_encode(t, (struct psw_text){text, 4 * N + 1}, &ids, NULL),
                     PSW_OK);
    assert_int_equal(ids.n, 2 * N); /* the letter takes the first of its marks */
    for (int i = 0; i < 2 * N; i++) assert_int_equal(ids.id[i], i == 0 ? 0 : i < N ? 1 : 2);
    psw_tokenizer_destroy(t);
    free(ids.id);
    free(text);
}

#define ADDED(ID, CONTENT, REST)                                                               \
    "{\"id\": " ID ", \"content\": \"" CONTENT                                                 \
    "\", \"special\": false, \"normalized\": false, \"lstrip\": false, \"rstrip\": false, "    \
    "\"single_word\": false" REST "}"

static void added_tokens_are_found_where_their_flags_say(void **state)
{
    (void)state;
    static const char JSON[] = "{\"added_tokens\": [" ADDED("20", "<x>", "") ", " ADDED(
        "21", "<x>y",
        "") ", "
            "{\"id\": 22, \"content\": \"<r>\", \"rstrip\": true, \"normalized\": false}, "
            "{\"id\": 23, \"content\": \"<l>\", \"lstrip\": true, \"normalized\": false}, "
            "{\"id\": 24, \"content\": \"ba\", \"single_word\": true, \"normalized\": false}, "
            "{\"id\": 25, \"content\": \"  \", \"normalized\": true}], "
            "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, "
            "\"content\": "
            "\"" MARK "\"}, \"decoder\": {\"type\": \"Fuse\"}, " MODEL "}";
    static const struct {
        const char *text, *ids;
    } ROW[] = {
        {"", ""},
        {"ab", "4"},
        {"a<x>a", "1 20 1"},
        {"<x>ya", "21 1"}, /* the longest */
        {"<x><x>y", "20 21"},
        {"a<r>  a<r>", "1 22 1 22"},
        {"a <l> a", "1 23 6 1"},
        {"<r>  <l>", "22 23"}, /* blanks belong to the first */
        {"aba", "4 1"},
        {"a ba a", "1 6 24 6 1"},
        {"ba", "24"},
        {"a  a", "1 25 1"}, /* found by what the normaliser makes of it */
    };
    char got[256];
    write_text("tokenizer.json", JSON);
    struct psw_tokenizer *t = create();
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++) {
        ids_of(t, ROW[i].text, got);
        assert_string_equal(got, ROW[i].ids);
    }
    psw_tokenizer_destroy(t);
}

static void unknown_characters_become_bytes_or_the_unknown_token(void **state)
{
    (void)state;
    char got[256];
    write_text("tokenizer.json", "{\"decoder\": {\"type\": \"ByteFallback\"}, " MODEL "}");
    struct psw_tokenizer *t = create();
    ids_of(t, "a\xC3\xA9z?ab?aab", got);
    assert_string_equal(got, "1 30 31 0 4 0 5"); /* of z? one */
    psw_tokenizer_destroy(t);
}

static void templates_say_what_belongs_around_a_text(void **state)
{
    (void)state;
    write_text(
        "tokenizer.json",
        "{\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": "
        "\"ByteLevel\"}, {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": "
        "{\"id\": \"B\"}}, {\"Sequence\": {\"id\": \"A\"}}, {\"SpecialToken\": {\"id\": "
        "\"E\"}}], \"special_tokens\": {\"B\": {\"ids\": [1, 2]}, \"E\": {\"ids\": [4]}}}]}, "
        "\"decoder\": {\"type\": \"Fuse\"}, " MODEL "}");
    write_text("tokenizer_config.json",
               "{\"eos_token\": {\"content\": \"ab\"}, \"model_max_length\": "
               "1000000000000000019884624838656}");
    struct psw_tokenizer *t = create();
    assert_int_equal(t->before.n, 2);
    assert_int_equal(t->before.id[0], 1);
    assert_int_equal(t->before.id[1], 2);
    assert_int_equal(t->after.n, 1);
    assert_int_equal(t->after.id[0], 4);
    assert_int_equal(t->eos, 4);
    assert_int_equal(psw_tokenizer_piece(t, 4).n, 0); /* EOS has no text */
    assert_int_equal(psw_tokenizer_name(t, 4).n, 2);
    psw_tokenizer_destroy(t);
    write_text("tokenizer_config.json", "{}");
}

/** Merge as the definition says: again and again the pair of the lowest rank, from the left. */
static int merge_naively(int *id, int n, int made[16][16], int rank[16][16])
{
    for (;;) {
        int best = -1;
        for (int i = 0; i + 1 < n; i++)
            if (rank[id[i]][id[i + 1]] >= 0 &&
                (best < 0 || rank[id[i]][id[i + 1]] < rank[id[best]][id[best + 1]]))
                best = i;
        if (best < 0) return n;
        id[best] = made[id[best]][id[best + 1]];
        memmove(id + best + 1, id + best + 2, (size_t)(n - best - 2) * sizeof *id);
        n--;
    }
}

static unsigned draw(unsigned *seed, unsigned n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % n;
}

/** A random tokenizer: a, b, c and twelve tokens that join two earlier ones. */
static void write_random(unsigned *seed, int made[16][16], int rank[16][16])
{
    char name[16][130];
    json_t *vocab = json_object(), *merges = json_array();
    memset(rank, -1, 16 * 16 * sizeof(int));
    for (int i = 0, n_try = 0; i < 15 && n_try < 1000; n_try++) {
        const int left = i < 3 ? 0 : (int)draw(seed, (unsigned)i),
                  right = i < 3 ? 0 : (int)draw(seed, (unsigned)i);
        char made_name[130] = "";
        if (i < 3)
            snprintf(made_name, sizeof made_name, "%c", 'a' + i);
        else if (strlen(name[left]) + strlen(name[right]) > 60)
            continue;
        else
            snprintf(made_name, sizeof made_name, "%s%s", name[left], name[right]);
        if (json_object_get(vocab, made_name)) continue;
        memcpy(name[i], made_name, sizeof made_name);
        json_object_set_new(vocab, name[i], json_integer(i));
        if (i >= 3) {
            rank[left][right] = (int)json_array_size(merges);
            made[left][right] = i;
            json_array_append_new(merges, json_pack("[s, s]", name[left], name[right]));
        }
        i++;
    }
    json_t *root = json_pack("{s:{s:s}, s:{s:o, s:o}}", "decoder", "type", "Fuse", "model",
                             "vocab", vocab, "merges", merges);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

static void merges_are_those_of_the_definition(void **state)
{
    (void)state;
    enum { N = 200 };
    unsigned seed = 1;
    int made[16][16], rank[16][16], want[N];
    struct psw_token_list ids = {0};
    for (int round = 0; round < 40; round++) {
        write_random(&seed, made, rank);
        struct psw_tokenizer *t = create();
        for (int k = 0; k < 20; k++) {
            char text[N];
            const int n = 1 + (int)draw(&seed, N - 1);
            for (int i = 0; i < n; i++) {
                want[i] = (int)draw(&seed, k < 10 ? 2 : 3);
                text[i] = (char)('a' + want[i]);
            }
            const int n_want = merge_naively(want, n, made, rank);
            ids.n = 0;
            assert_int_equal(
                psw_tokenizer_encode(t, (struct psw_text){text, (size_t)n}, &ids, NULL),
                PSW_OK);
            assert_int_equal(ids.n, n_want);
            for (int i = 0; i < n_want; i++) assert_int_equal(ids.id[i], want[i]);
        }
        psw_tokenizer_destroy(t);
    }
    free(ids.id);
}

static void text_comes_when_its_characters_are_whole(void **state)
{
    (void)state;
    write_text(
        "tokenizer.json",
        "{\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", "
        "\"pattern\": {\"String\": \"" MARK "\"}, \"content\": \" \"}, {\"type\": "
        "\"ByteFallback\"}, {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", "
        "\"start\": 1, \"stop\": 0}]}, \"added_tokens\": [{\"id\": 9, \"content\": \"</s>\", "
        "\"special\": true}], " MODEL "}");
    static const struct {
        int32_t id;
        const char *so_far;
    } STEP[] = {{9, ""},
                {6, ""},
                {4, "ab"},
                {6, "ab "},
                {30, "ab "},
                {31, "ab \xC3\xA9"},
                {30, "ab \xC3\xA9"},
                {1, "ab \xC3\xA9\xEF\xBF\xBD"
                    "a"},
                {31, "ab \xC3\xA9\xEF\xBF\xBD"
                     "a\xEF\xBF\xBD"}};
    struct psw_tokenizer *t = create();
    struct psw_detokenizer d = {.tokenizer = t};
    struct psw_text_buffer out = {0};
    struct psw_error err = {0};
    for (size_t i = 0; i < sizeof STEP / sizeof *STEP; i++) {
        assert_int_equal(psw_detokenizer_push(&d, STEP[i].id, &out, &err), PSW_OK);
        assert_int_equal(out.n, strlen(STEP[i].so_far));
        if (out.n > 0) assert_memory_equal(out.at, STEP[i].so_far, out.n);
    }
    assert_int_equal(psw_detokenizer_push(&d, 30, &out, &err), PSW_OK);
    assert_int_equal(psw_detokenizer_end(&d, &out, &err), PSW_OK);
    assert_memory_equal(out.at + out.n - 3, "\xEF\xBF\xBD", 3);
    static const int32_t NONE[] = {-1, 8, 32, INT32_MAX}; /* 8: a gap in the ids */
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        assert_int_equal(psw_detokenizer_push(&d, NONE[i], &out, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, "0 to 31"));
    }
    free(out.at);
    psw_tokenizer_destroy(t);
}

static void a_changed_file_is_another_tokenizer(void **state)
{
    (void)state;
    uint64_t hash[3];
    static const char *const JSON[] = {"{\"decoder\": {\"type\": \"Fuse\"}, " MODEL "}",
                                       "{\"decoder\": {\"type\": \"Fuse\"}, " MODEL "}",
                                       "{\"decoder\": {\"type\": \"Fuse\"}, \"normalizer\": "
                                       "{\"type\": \"NFC\"}, " MODEL "}"};
    for (int i = 0; i < 3; i++) {
        write_text("tokenizer.json", JSON[i]);
        struct psw_tokenizer *t = create();
        hash[i] = psw_tokenizer_hash(t);
        psw_tokenizer_destroy(t);
    }
    assert_true(hash[0] == hash[1]);
    assert_true(hash[0] != hash[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pre_tokenizers_make_the_words_of_the_library),
        cmocka_unit_test(normalizers_change_the_text_first),
        cmocka_unit_test(marks_are_ordered_in_linear_time),
        cmocka_unit_test(added_tokens_are_found_where_their_flags_say),
        cmocka_unit_test(unknown_characters_become_bytes_or_the_unknown_token),
        cmocka_unit_test(templates_say_what_belongs_around_a_text),
        cmocka_unit_test(merges_are_those_of_the_definition),
        cmocka_unit_test(text_comes_when_its_characters_are_whole),
        cmocka_unit_test(a_changed_file_is_another_tokenizer),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
