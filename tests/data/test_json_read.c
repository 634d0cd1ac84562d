/* The faster reader of rows against jansson's own: what it takes, jansson takes and finds the
 * same in it; what it leaves, jansson decides. */
#include "json_read.h"
#include <support/support.h>

#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEEP "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["

/** Texts that jansson takes, and whether they are to be taken without it. */
static const struct {
    int is_plain;
    const char *text;
} RIGHT[] = {
    {1, "{\"chosen\":\"\\n\\nHuman: hi\\n\\nAssistant: yes\",\"rejected\":\"no\"}"},
    {1, " {\t\"a\" : [ 1 , -2.5e-3, true,false , null , { } , [ ] ]\r\n} \n"},
    {1,
     "{\"a\":\"quote \\\" slash \\\\ \\/ \\b\\f\\n\\r\\t end\",\"a\":\"the last one holds\"}"},
    {1, "{\"a\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\uD83D\\uDE00\\u0000\\uffff\"}"},
    {1, "{\"a\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf \xed\x9f\xbf \x7f\"}"},
    {1,
     "{\"a\":0,\"b\":-0,\"c\":-0.0,\"d\":123456789012345678,\"e\":1E5,\"f\":1e+5,\"g\":0.1}"},
    {1, "[\"seven b\",\"eight by\",\"nine byte\",\"0123456\\\\\",\"01234567\\\"\"]"},
    {1, "{\"\":\"\"}"},
    {1, "[]"},
    {0, "{\"a\":1234567890123456789}"},
    {0, "{\"a\":0.1000000000000000055511151231257827021181583404541015625000000000000}"},
    {0, DEEP "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"},
};

/** Texts that are wrong, each for one reason. */
static const char *const WRONG[] = {
    "",
    " ",
    "1",
    "\"a\"",
    "null",
    "{",
    "[",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "[1,]",
    "[1 2]",
    "{\"a\" 1}",
    "{1:2}",
    "{'a':1}",
    "{\"a\":1}}",
    "{\"a\":1} x",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":1e}",
    "{\"a\":1e999}",
    "{\"a\":+1}",
    "{\"a\":-}",
    "{\"a\":99999999999999999999}",
    "{\"a\":tru}",
    "{\"a\":truex}",
    "{\"a\":NaN}",
    "{\"a\":\"b}",
    "{\"a\":\"b\\\"}",
    "{\"a\":\"tab\there\"}",
    "{\"a\":\"line\nhere\"}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\ud83d\"}",
    "{\"a\":\"\\ud83d\\u0041\"}",
    "{\"a\":\"\\ude00\"}",
    "{\"a\":\"\\ud83d\\n\"}",
    "{\"\\u0000\":1}",
    "{\"a\":\"\xc3\"}",
    "{\"a\":\"\xa9\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xe0\x80\xaf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xf8\x88\x80\x80\x80\"}",
    "{\"a\":\"\\\xc3\xa9\"}",
    "\xef\xbb\xbf{\"a\":1}",
    "{\"a\xff\":1}",
    "{\"a\":1}\v",
    "{\"a\":\"12345678\x01\"}",
};

/** Equal, and in the same order. */
static int are_same(json_t *a, json_t *b)
{
    const size_t flags = JSON_ENCODE_ANY | JSON_COMPACT;
    char *x = json_dumps(a, flags), *y = json_dumps(b, flags);
    const int same = json_equal(a, b) && x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

/** Returns whether it was taken without jansson. */
static int compare(struct psw_json_reader *reader, struct psw_text text)
{
    json_error_t fault;
    json_t *plain = psw_json_read_plain(reader, text);
    json_t *twin = json_loadb(text.at, text.n, JSON_ALLOW_NUL, &fault);
    const int is_plain = plain != NULL, agree = !plain || (twin && are_same(plain, twin));
    json_decref(plain);
    json_decref(twin);
    if (!agree) fail_msg("jansson reads otherwise: %.*s", (int)text.n, text.at);
    return is_plain;
}

static struct psw_text text_of(const char *text)
{
    return (struct psw_text){text, strlen(text)};
}

static void rows_are_what_jansson_makes_of_them(void **state)
{
    (void)state;
    struct psw_json_reader reader = {0};
    for (size_t i = 0; i < sizeof RIGHT / sizeof *RIGHT; i++) {
        json_error_t fault;
        json_t *value = psw_json_read(&reader, text_of(RIGHT[i].text), &fault);
        if (!value) fail_msg("%s: %s", RIGHT[i].text, fault.text);
        json_decref(value);
        if (compare(&reader, text_of(RIGHT[i].text)) != RIGHT[i].is_plain)
            fail_msg("%s jansson: %s", RIGHT[i].is_plain ? "left to" : "taken without",
                     RIGHT[i].text);
    }
    psw_json_reader_clear(&reader);
}

static void faults_are_told_in_jansson_s_words(void **state)
{
    (void)state;
    struct psw_json_reader reader = {0};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        json_error_t fault, twin;
        const struct psw_text text = text_of(WRONG[i]);
        assert_null(psw_json_read_plain(&reader, text));
        assert_null(psw_json_read(&reader, text, &fault));
        assert_null(json_loadb(text.at, text.n, JSON_ALLOW_NUL, &twin));
        assert_string_equal(fault.text, twin.text);
        assert_int_equal(fault.line, twin.line);
        assert_int_equal(fault.column, twin.column);
    }
    psw_json_reader_clear(&reader);
}

/** Bytes that mean something to JSON, and some that mean nothing. */
static char a_byte(struct psw_rng rng, int64_t step)
{
    static const char BYTES[] =
        "{}[]:,\"\"\"\\\\\\u0dD8eE.-+19 \n\ttfn/\xc3\xa9\xe2\xed\xf0\x80\xff\x01";
    return BYTES[psw_rng_below(rng, (uint64_t)step, 0, sizeof BYTES)];
}

static void damaged_rows_are_read_as_jansson_reads_them(void **state)
{
    enum { N = 40000, MOST = 512 };
    (void)state;
    struct psw_json_reader reader = {0};
    int n_plain = 0;
    for (int64_t i = 0; i < N; i++) {
        const struct psw_rng rng = {.seed = (uint64_t)i, .use = PSW_RNG_TEST};
        const size_t which = psw_rng_below(rng, 0, 0, sizeof RIGHT / sizeof *RIGHT);
        char text[MOST];
        size_t n = strlen(RIGHT[which].text);
        memcpy(text, RIGHT[which].text, n);
        const int64_t n_edit = 1 + (int64_t)psw_rng_below(rng, 1, 0, 3);
        for (int64_t e = 1; e <= n_edit && n > 0; e++) {
            const size_t at = psw_rng_below(rng, (uint64_t)(4 * e), 0, n);
            const int kind = (int)psw_rng_below(rng, (uint64_t)(4 * e + 1), 0, 3);
            if (kind == 0) memmove(text + at, text + at + 1, --n - at);
            if (kind == 1) memmove(text + at + 1, text + at, n++ - at);
            if (kind != 0) text[at] = a_byte(rng, 4 * e + 2);
        }
        n_plain += compare(&reader, (struct psw_text){text, n});
    }
    psw_json_reader_clear(&reader);
    assert_in_range(n_plain, N / 20, N - N / 20); /* neither all nor none are still JSON */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_what_jansson_makes_of_them),
        cmocka_unit_test(faults_are_told_in_jansson_s_words),
        cmocka_unit_test(damaged_rows_are_read_as_jansson_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
