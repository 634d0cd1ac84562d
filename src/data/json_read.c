/* jansson takes a text byte by byte, which was two thirds of the first start on a large file.
 * Rows are long strings with little between them: here their ends are found eight bytes at a
 * time, and jansson makes the values. What is not plainly right is left to its own reader, so
 * that its rules hold and a fault is told in its words. */
#include "json_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MOST_DEPTH = 32, KEY_BYTES = 128, INTEGER_DIGITS = 18, NUMBER_BYTES = 64 };

/** Where a reader is in a text. */
struct cursor {
    const char *at, *end;
    struct psw_json_reader *reader;
};

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && psw_is_blank(*c->at)) c->at++;
}

static int take(struct cursor *c, char byte)
{
    if (c->at == c->end || *c->at != byte) return 0;
    c->at++;
    return 1;
}

/* ---- strings ---- */

/** Whether eight bytes are all ASCII, and none ends a string, escapes or controls. */
static int are_plain(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
    uint64_t w;
    memcpy(&w, at, sizeof w);
    const uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
    return ((w | (w - ones * ' ') | (quote - ones) | (slash - ones)) & high) == 0;
}

/** Go behind the quote that ends a string. Gives up at controls and at what is no UTF-8; what
 *  stands behind a backslash is looked at later. */
static int find_end(struct cursor *c, struct psw_text *raw, int *is_escaped)
{
    const char *begin = c->at;
    *is_escaped = 0;
    while (c->at < c->end) {
        const unsigned char byte = (unsigned char)*c->at;
        utf8proc_int32_t character;
        utf8proc_ssize_t n = 1;
        if (c->end - c->at >= 8 && are_plain(c->at)) {
            c->at += 8;
            continue;
        }
        if (byte == '"') {
            *raw = (struct psw_text){begin, (size_t)(c->at++ - begin)};
            return 1;
        }
        if (byte < ' ') return 0;
        if (byte == '\\') *is_escaped = 1, n = c->end - c->at > 1 ? 2 : 1;
        if (byte >= 0x80)
            n = utf8proc_iterate((const utf8proc_uint8_t *)c->at, c->end - c->at, &character);
        if (n < 1) return 0;
        c->at += n;
    }
    return 0;
}

/** Take four hexadecimal digits; -1: they are none. */
static int32_t take_hex(struct psw_text *text)
{
    int32_t value = 0;
    if (text->n < 4) return -1;
    for (int i = 0; i < 4; i++) {
        const char c = text->at[i];
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) return -1;
        value = 16 * value + digit;
    }
    *text = (struct psw_text){text->at + 4, text->n - 4};
    return value;
}

/** Take the character of "1234" or, where it is beyond those, of "d83d\ude00"; -1: none. */
static int32_t take_character(struct psw_text *text)
{
    const int32_t first = take_hex(text);
    if (first < 0xD800 || first >= 0xE000) return first;
    if (first >= 0xDC00 || text->n < 2 || memcmp(text->at, "\\u", 2) != 0) return -1;
    *text = (struct psw_text){text->at + 2, text->n - 2};
    const int32_t second = take_hex(text);
    if (second < 0xDC00 || second >= 0xE000) return -1;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

/** Take an escape, from behind its backslash. Returns the end of what it stands for; NULL: it
 *  is none. */
static char *take_escape(struct psw_text *text, char *out)
{
    static const char NAMES[] = "\"\\/bfnrt", BYTES[] = "\"\\/\b\f\n\r\t";
    const char name = text->n ? *text->at : 0, *found = name ? strchr(NAMES, name) : NULL;
    if (!found && name != 'u') return NULL;
    *text = (struct psw_text){text->at + 1, text->n - 1};
    if (found) {
        *out = BYTES[found - NAMES];
        return out + 1;
    }
    const int32_t character = take_character(text);
    if (character < 0) return NULL;
    return out + utf8proc_encode_char(character, (utf8proc_uint8_t *)out);
}

/** A string without its escapes, in the reader's scratch: it is never longer than with them. */
static int unescape(struct psw_json_reader *reader, struct psw_text raw, struct psw_text *out)
{
    if (raw.n > reader->n_max) {
        char *grown = realloc(reader->scratch, 2 * raw.n);
        if (!grown) return 0;
        reader->scratch = grown;
        reader->n_max = 2 * raw.n;
    }
    char *to = reader->scratch;
    while (raw.n > 0) {
        const char *slash = memchr(raw.at, '\\', raw.n);
        const size_t n = slash ? (size_t)(slash - raw.at) : raw.n;
        memcpy(to, raw.at, n);
        to += n;
        raw = (struct psw_text){raw.at + n, raw.n - n};
        if (!slash) break;
        raw = (struct psw_text){raw.at + 1, raw.n - 1};
        if (!(to = take_escape(&raw, to))) return 0;
    }
    *out = (struct psw_text){reader->scratch, (size_t)(to - reader->scratch)};
    return 1;
}

/** From behind the first quote. Borrowed until the next string. */
static int take_string(struct cursor *c, struct psw_text *out)
{
    int is_escaped = 0;
    if (!find_end(c, out, &is_escaped)) return 0;
    return !is_escaped || unescape(c->reader, *out, out);
}

/* ---- values ---- */

static size_t count_digits(const char *at, const char *end)
{
    const char *begin = at;
    while (at < end && *at >= '0' && *at <= '9') at++;
    return (size_t)(at - begin);
}

/** The bytes of a number; *is_real: with a point or an exponent. 0: it is none. */
static size_t measure_number(const struct cursor *c, int *is_real)
{
    const char *at = c->at + (c->at < c->end && *c->at == '-');
    const size_t n_whole = count_digits(at, c->end);
    if (n_whole == 0 || (n_whole > 1 && *at == '0')) return 0;
    at += n_whole;
    *is_real = 0;
    if (at < c->end && *at == '.') {
        const size_t n = count_digits(at + 1, c->end);
        if (n == 0) return 0;
        *is_real = 1;
        at += 1 + n;
    }
    if (at < c->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < c->end && (*at == '+' || *at == '-');
        const size_t n = count_digits(at, c->end);
        if (n == 0) return 0;
        *is_real = 1;
        at += n;
    }
    return (size_t)(at - c->at);
}

static json_t *take_number(struct cursor *c)
{
    char text[NUMBER_BYTES];
    int is_real = 0;
    const size_t n = measure_number(c, &is_real);
    if (n == 0 || n >= sizeof text || (!is_real && n > INTEGER_DIGITS)) return NULL;
    memcpy(text, c->at, n);
    text[n] = 0;
    c->at += n;
    if (!is_real) return json_integer(strtoll(text, NULL, 10));
    return json_real(strtod(text, NULL)); /* which refuses what is infinite */
}

static json_t *take_word(struct cursor *c)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(WORDS[i]);
        if ((size_t)(c->end - c->at) < n || memcmp(c->at, WORDS[i], n) != 0) continue;
        c->at += n;
        return i == 0 ? json_true() : i == 1 ? json_false() : json_null();
    }
    return NULL;
}

static json_t *take_value(struct cursor *c, int depth);

/** From behind the bracket. */
static json_t *take_array(struct cursor *c, int depth)
{
    json_t *array = json_array();
    skip_blanks(c);
    if (take(c, ']')) return array;
    do {
        if (json_array_append_new(array, take_value(c, depth)) != 0) goto fail;
        skip_blanks(c);
    } while (take(c, ','));
    if (take(c, ']')) return array;
fail:
    json_decref(array);
    return NULL;
}

/** A key and its value. */
static int take_entry(struct cursor *c, json_t *object, int depth)
{
    char key[KEY_BYTES];
    struct psw_text text;
    skip_blanks(c);
    if (!take(c, '"') || !take_string(c, &text) || text.n >= sizeof key) return 0;
    if (memchr(text.at, 0, text.n)) return 0;
    memcpy(key, text.at, text.n);
    key[text.n] = 0;
    skip_blanks(c);
    return take(c, ':') && json_object_set_new_nocheck(object, key, take_value(c, depth)) == 0;
}

static json_t *take_object(struct cursor *c, int depth)
{
    json_t *object = json_object();
    skip_blanks(c);
    if (take(c, '}')) return object;
    do {
        if (!take_entry(c, object, depth)) goto fail;
        skip_blanks(c);
    } while (take(c, ','));
    if (take(c, '}')) return object;
fail:
    json_decref(object);
    return NULL;
}

/** NULL: to be left to jansson. Owns: the caller. */
static json_t *take_value(struct cursor *c, int depth)
{
    struct psw_text text;
    skip_blanks(c);
    if (depth == MOST_DEPTH) return NULL;
    if (take(c, '"'))
        return take_string(c, &text) ? json_stringn_nocheck(text.at, text.n) : NULL;
    if (take(c, '{')) return take_object(c, depth + 1);
    if (take(c, '[')) return take_array(c, depth + 1);
    return c->at < c->end && (*c->at == '-' || (*c->at >= '0' && *c->at <= '9'))
               ? take_number(c)
               : take_word(c);
}

json_t *psw_json_read_plain(struct psw_json_reader *reader, struct psw_text text)
{
    struct cursor c = {text.at, text.at + text.n, reader};
    skip_blanks(&c);
    if (c.at == c.end || (*c.at != '{' && *c.at != '[')) return NULL;
    json_t *value = take_value(&c, 0);
    skip_blanks(&c);
    if (c.at == c.end) return value;
    json_decref(value);
    return NULL;
}

json_t *psw_json_read(struct psw_json_reader *reader, struct psw_text text, json_error_t *fault)
{
    json_t *value = psw_json_read_plain(reader, text);
    return value ? value : json_loadb(text.at, text.n, JSON_ALLOW_NUL, fault);
}

void psw_json_reader_clear(struct psw_json_reader *reader)
{
    free(reader->scratch);
    *reader = (struct psw_json_reader){0};
}
