/* Patterns are written for Oniguruma, in Ruby's syntax, and run by PCRE2. Where both know a
 * piece of syntax but mean different things by it, it is rewritten, or refused. */
#include "bpe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { JIT_STACK_FIRST = 32 << 10, JIT_STACK_MOST = 4 << 20 };

struct psw_regex {
    pcre2_code *code;
    pcre2_match_data *found;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

/* PCRE2's \s has U+180E too, and its \w lacks marks. Oniguruma's \w has some digits of Latin 1,
 * but not inside a class. */
#define SPACE "\\p{Z}\\t-\\r\\x{85}"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define LATIN "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

/** What stands for an escape, alone and inside a class; NULL: refused. */
static const struct {
    char escape;
    const char *alone, *in_class;
} REWRITTEN[] = {
    {'s', "[" SPACE "]", SPACE},
    {'S', "[^" SPACE "]", NULL},
    {'w', "[" WORD LATIN "]", WORD},
    {'W', "[^" WORD LATIN "]", NULL},
    {'h', NULL, NULL},
    {'H', NULL, NULL},
};

static psw_status refuse(struct psw_text pattern, size_t at, int n, struct psw_error *err)
{
    return psw_fail(err, PSW_EUNSUP,
                    "pattern \"%.*s\": \"%.*s\" at byte %zu means something else in PCRE2, "
                    "which runs the patterns here",
                    (int)psw_text_cut(pattern, 200).n, pattern.at, n, pattern.at + at, at);
}

/** How long an escape is: two bytes, or with braces, as \p{L}. */
static size_t escape_length(struct psw_text pattern, size_t at)
{
    const size_t n_left = pattern.n - at;
    if (n_left < 3 || !strchr("pPx", pattern.at[at + 1]) || pattern.at[at + 2] != '{')
        return n_left < 2 ? n_left : 2;
    const char *end = memchr(pattern.at + at, '}', n_left);
    return end ? (size_t)(end - (pattern.at + at)) + 1 : n_left;
}

/** Whether "}+" stands here, which is no other way to repeat in Ruby, but one in Perl. */
static int is_possessive(struct psw_text left)
{
    return psw_text_starts_with(left, (struct psw_text){"}+", 2});
}

/** Copy an escape. */
static psw_status rewrite_escape(struct psw_text pattern, size_t at, int in_class,
                                 struct psw_text_buffer *out, struct psw_error *err)
{
    for (size_t i = 0; i < sizeof REWRITTEN / sizeof *REWRITTEN && at + 1 < pattern.n; i++) {
        if (pattern.at[at + 1] != REWRITTEN[i].escape) continue;
        const char *text = in_class ? REWRITTEN[i].in_class : REWRITTEN[i].alone;
        if (!text) return refuse(pattern, at, 2, err);
        return psw_text_buffer_add(out, (struct psw_text){text, strlen(text)}, err);
    }
    return psw_text_buffer_add(
        out, (struct psw_text){pattern.at + at, escape_length(pattern, at)}, err);
}

/** Whether a class goes on here with what only Oniguruma has: a class inside it, "&&". */
static int is_foreign(struct psw_text left)
{
    return psw_text_starts_with(left, (struct psw_text){"&&", 2}) ||
           (left.at[0] == '[' && !psw_text_starts_with(left, (struct psw_text){"[:", 2}));
}

static psw_status rewrite(struct psw_text pattern, struct psw_text_buffer *out,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    int in_class = 0;
    size_t class_from = 0;
    for (size_t i = 0; i < pattern.n && rc == PSW_OK; i++) {
        const struct psw_text left = {pattern.at + i, pattern.n - i};
        const char byte = left.at[0];
        if (byte == '\\') {
            rc = rewrite_escape(pattern, i, in_class, out, err);
            i += escape_length(pattern, i) - 1;
            continue;
        }
        if (!in_class && is_possessive(left)) return refuse(pattern, i, 2, err);
        if (in_class && i > class_from && is_foreign(left)) return refuse(pattern, i, 1, err);
        if (in_class && psw_text_starts_with(left, (struct psw_text){"[:", 2})) {
            const char *end = memchr(left.at + 1, ']', left.n - 1);
            const size_t n = end ? (size_t)(end - left.at) + 1 : left.n;
            rc = psw_text_buffer_add(out, (struct psw_text){left.at, n}, err);
            i += n - 1;
            continue;
        }
        if (!in_class && byte == '[') {
            in_class = 1;
            class_from = i + 1;
            if (class_from < pattern.n && pattern.at[class_from] == '^') class_from++;
        } else if (in_class && byte == ']' && i > class_from) {
            in_class = 0;
        }
        rc = psw_text_buffer_add(out, (struct psw_text){&byte, 1}, err);
    }
    return rc;
}

static psw_status compile(struct psw_regex *r, struct psw_text pattern, int is_literal,
                          struct psw_error *err)
{
    int code = 0;
    PCRE2_SIZE at = 0;
    const uint32_t options =
        PCRE2_UTF |
        (is_literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (!context) return psw_fail(err, PSW_ENOMEM, "no memory for a pattern");
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    r->code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.n, options, &code, &at, context);
    pcre2_compile_context_free(context);
    if (r->code) return PSW_OK;
    PCRE2_UCHAR8 why[128];
    pcre2_get_error_message(code, why, sizeof why);
    return psw_fail(err, PSW_EDATA, "pattern \"%.*s\": %s at byte %zu",
                    (int)psw_text_cut(pattern, 200).n, pattern.at, (const char *)why, at);
}

psw_status psw_regex_create(struct psw_text pattern, int is_literal, struct psw_regex **out,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_text_buffer text = {0};
    struct psw_regex *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "no memory for a pattern");
    if (pattern.n == 0) PSW_TRY(psw_fail(err, PSW_EDATA, "the pattern is empty"));
    PSW_TRY(is_literal ? psw_text_buffer_add(&text, pattern, err)
                       : rewrite(pattern, &text, err));
    PSW_TRY(compile(r, (struct psw_text){text.at, text.n}, is_literal, err));
    r->found = pcre2_match_data_create(1, NULL);
    r->context = pcre2_match_context_create(NULL);
    if (!r->found || !r->context) PSW_TRY(psw_fail(err, PSW_ENOMEM, "no memory to match"));
    /* Without a compiler for this processor, or without its stack, PCRE2 interprets. */
    if (pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0) {
        r->stack = pcre2_jit_stack_create(JIT_STACK_FIRST, JIT_STACK_MOST, NULL);
        if (r->stack) pcre2_jit_stack_assign(r->context, NULL, r->stack);
    }
    *out = r;
    free(text.at);
    return PSW_OK;
fail:
    free(text.at);
    psw_regex_destroy(r);
    return rc;
}

void psw_regex_destroy(struct psw_regex *regex)
{
    if (!regex) return;
    pcre2_jit_stack_free(regex->stack);
    pcre2_match_context_free(regex->context);
    pcre2_match_data_free(regex->found);
    pcre2_code_free(regex->code);
    free(regex);
}

psw_status psw_regex_find(const struct psw_regex *regex, struct psw_text text, size_t from,
                          struct psw_bpe_span *out, struct psw_error *err)
{
    const int code = pcre2_match(regex->code, (PCRE2_SPTR)text.at, text.n, from,
                                 PCRE2_NO_UTF_CHECK, regex->found, regex->context);
    *out = (struct psw_bpe_span){text.n + 1, text.n + 1, 0};
    if (code == PCRE2_ERROR_NOMATCH) return PSW_OK;
    const PCRE2_SIZE *place = pcre2_get_ovector_pointer(regex->found);
    if (code >= 0 && place[0] >= from && place[1] >= place[0]) {
        *out = (struct psw_bpe_span){place[0], place[1], 1};
        return PSW_OK;
    }
    PCRE2_UCHAR8 why[128] = "a match that ends before it begins";
    if (code < 0) pcre2_get_error_message(code, why, sizeof why);
    return psw_fail(err, PSW_EDATA, "a pattern of the tokenizer gives up at byte %zu: %s", from,
                    (const char *)why);
}
