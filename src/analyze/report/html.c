/* Texts of anybody on a page: what a results file says is shown, never obeyed. */
#include "page_internal.h"

#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd"

/** Bytes of the character at `text`, which is not the end; 0: no valid UTF-8. */
static int character(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        int n;
        unsigned least; /* shorter forms of smaller characters are invalid */
    } FORMS[] = {{0x80, 0x00, 1, 0},
                 {0xE0, 0xC0, 2, 0x80},
                 {0xF0, 0xE0, 3, 0x800},
                 {0xF8, 0xF0, 4, 0x10000}};
    for (size_t f = 0; f < sizeof FORMS / sizeof *FORMS; f++) {
        if ((text[0] & FORMS[f].mask) != FORMS[f].lead) continue;
        unsigned value = text[0] & (unsigned char)~FORMS[f].mask;
        for (int i = 1; i < FORMS[f].n; i++) {
            if ((text[i] & 0xC0) != 0x80) return 0;
            value = value << 6 | (text[i] & 0x3Fu);
        }
        const int is_surrogate = value >= 0xD800 && value <= 0xDFFF;
        return value < FORMS[f].least || is_surrogate || value > 0x10FFFF ? 0 : FORMS[f].n;
    }
    return 0;
}

/** Whether a byte is a control character other than the blanks of text. */
static int is_control(unsigned char byte)
{
    return (byte < ' ' && byte != '\n' && byte != '\t') || byte == 0x7F;
}

void psw_html_text(FILE *out, const char *text)
{
    static const struct {
        char byte;
        const char *entity;
    } ENTITIES[] = {
        {'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    while (*text) {
        const int n = character((const unsigned char *)text);
        const char *entity = n == 0 || is_control((unsigned char)*text) ? REPLACEMENT : NULL;
        for (size_t i = 0; i < sizeof ENTITIES / sizeof *ENTITIES; i++)
            if (ENTITIES[i].byte == *text) entity = ENTITIES[i].entity;
        if (entity)
            fputs(entity, out);
        else
            fwrite(text, 1, (size_t)n, out);
        text += n > 0 ? n : 1;
    }
}

json_t *psw_html_json(const char *text)
{
    char *clean = malloc(strlen(REPLACEMENT) * strlen(text) + 1), *to = clean;
    if (!clean) return NULL;
    while (*text) {
        const int n = character((const unsigned char *)text);
        const int is_bad = n == 0 || is_control((unsigned char)*text);
        const size_t length = is_bad ? strlen(REPLACEMENT) : (size_t)n;
        memcpy(to, is_bad ? REPLACEMENT : text, length);
        to += length;
        text += n > 0 ? n : 1;
    }
    *to = 0;
    json_t *string = json_string(clean);
    free(clean);
    return string;
}

/** In JSON, < and & stand in strings only, where an escape may stand for them. */
static int put_bytes(const char *bytes, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '<' || bytes[i] == '&')
            fprintf(out, "\\u%04x", bytes[i]);
        else
            fputc(bytes[i], out);
    }
    return 0;
}

enum { DIGITS = 7 };

psw_status psw_html_script(FILE *out, const json_t *document, struct psw_error *err)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(DIGITS);
    if (document && json_dump_callback(document, put_bytes, out, flags) == 0) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "the data of the page");
}
