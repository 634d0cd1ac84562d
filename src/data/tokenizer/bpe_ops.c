/* The operations of normalisers and pre-tokenisers. Each reads the words and writes the next
 * ones, or changes only where words begin and end. */
#include "bpe.h"

#include <posweep/util/minmax.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- words ---- */

static psw_status push(struct psw_bpe_spans *spans, struct psw_bpe_span span,
                       struct psw_error *err)
{
    if (spans->n == spans->n_room) {
        const int64_t n_room = psw_max(64, 2 * spans->n_room);
        struct psw_bpe_span *grown = realloc(spans->at, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %lld words", (long long)n_room);
        spans->at = grown;
        spans->n_room = n_room;
    }
    spans->at[spans->n++] = span;
    return PSW_OK;
}

static void take_next_spans(struct psw_bpe_words *w)
{
    const struct psw_bpe_spans now = w->span;
    w->span = w->next_span;
    w->next_span = now;
    w->next_span.n = 0;
}

static void take_next_text(struct psw_bpe_words *w)
{
    const struct psw_text_buffer now = w->text;
    w->text = w->next_text;
    w->next_text = now;
    w->next_text.n = 0;
    take_next_spans(w);
}

static struct psw_text word_of(const struct psw_bpe_words *w, int64_t i)
{
    return (struct psw_text){w->text.at + w->span.at[i].from,
                             w->span.at[i].to - w->span.at[i].from};
}

/** Write a word, which got a new text, from there to its end. */
static psw_status end_word(struct psw_bpe_words *w, size_t from, struct psw_error *err)
{
    return push(&w->next_span, (struct psw_bpe_span){from, w->next_text.n, 0}, err);
}

void psw_bpe_words_clear(struct psw_bpe_words *words)
{
    free(words->text.at);
    free(words->next_text.at);
    free(words->span.at);
    free(words->next_span.at);
}

/* ---- operations on the text ---- */

psw_status psw_bpe_prefix(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_text prefix = {op->content.at, op->content.n};
    for (int64_t i = 0; i < words->span.n && rc == PSW_OK; i++) {
        const struct psw_text word = word_of(words, i);
        const size_t from = words->next_text.n;
        const int is_there = op->is_once && psw_text_starts_with(word, prefix);
        const int is_wanted = (i > 0 || words->place != PSW_TEXT_GOES_ON) &&
                              (!op->is_first || (i == 0 && words->place == PSW_TEXT_BEGINS));
        if (word.n > 0 && is_wanted && !is_there)
            rc = psw_text_buffer_add(&words->next_text, prefix, err);
        if (rc == PSW_OK) rc = psw_text_buffer_add(&words->next_text, word, err);
        if (rc == PSW_OK) rc = end_word(words, from, err);
    }
    take_next_text(words);
    return rc;
}

/** How far the character at a place reaches. */
static size_t after_character(struct psw_text text, size_t at)
{
    do at++;
    while (at < text.n && psw_is_inside_character(text.at[at]));
    return at;
}

/** The next match, of which an empty one moves the search on, but not the text. */
static psw_status next_match(const struct psw_bpe_op *op, struct psw_text text, size_t *search,
                             struct psw_bpe_span *match, struct psw_error *err)
{
    const psw_status rc = psw_regex_find(op->regex, text, *search, match, err);
    *search = match->to;
    if (rc == PSW_OK && match->is_match && match->from == match->to)
        *search = after_character(text, match->to);
    return rc;
}

static psw_status replace_in(const struct psw_bpe_op *op, struct psw_text word,
                             struct psw_text_buffer *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_text content = {op->content.at, op->content.n};
    struct psw_bpe_span match = {0};
    size_t done = 0;
    for (size_t search = 0; search <= word.n;) {
        PSW_TRY(next_match(op, word, &search, &match, err));
        const size_t to = match.is_match ? match.from : word.n;
        PSW_TRY(psw_text_buffer_add(out, (struct psw_text){word.at + done, to - done}, err));
        done = to;
        if (!match.is_match) break;
        PSW_TRY(psw_text_buffer_add(out, content, err));
        done = match.to;
    }
    if (done < word.n)
        PSW_TRY(
            psw_text_buffer_add(out, (struct psw_text){word.at + done, word.n - done}, err));
fail:
    return rc;
}

psw_status psw_bpe_replace(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                           struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < words->span.n && rc == PSW_OK; i++) {
        const size_t from = words->next_text.n;
        rc = replace_in(op, word_of(words, i), &words->next_text, err);
        if (rc == PSW_OK) rc = end_word(words, from, err);
    }
    take_next_text(words);
    return rc;
}

psw_status psw_bpe_form(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                        struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (psw_bpe_is_formed((struct psw_text){words->text.at, words->text.n}, op->form))
        return PSW_OK;
    for (int64_t i = 0; i < words->span.n && rc == PSW_OK; i++) {
        const size_t from = words->next_text.n;
        rc = psw_bpe_write_form(word_of(words, i), op->form, &words->next_text, err);
        if (rc == PSW_OK) rc = end_word(words, from, err);
    }
    take_next_text(words);
    return rc;
}

/* ---- bytes as characters ---- */

/** The character that stands for a byte: itself where it can be seen in Latin 1, else the next
 *  one from U+0100 on. */
static int character_of(int byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE)
        return byte;
    if (byte <= ' ') return 0x100 + byte;
    return byte <= 0xA0 ? 0x100 + 33 + byte - 0x7F : 0x143;
}

psw_status psw_bpe_bytes(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                         struct psw_error *err)
{
    (void)op;
    for (int64_t i = 0; i < words->span.n; i++) {
        const struct psw_text word = word_of(words, i);
        const size_t from = words->next_text.n;
        psw_status rc = psw_text_buffer_add(&words->next_text, word, err);
        if (rc == PSW_OK) rc = psw_text_buffer_add(&words->next_text, word, err);
        if (rc != PSW_OK) return rc;
        char *to = words->next_text.at + from;
        for (size_t j = 0; j < word.n; j++) {
            const int c = character_of((unsigned char)word.at[j]);
            if (c >= 0x80) *to++ = (char)(0xC0 | c >> 6);
            *to++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
        }
        words->next_text.n = (size_t)(to - words->next_text.at);
        rc = end_word(words, from, err);
        if (rc != PSW_OK) return rc;
    }
    take_next_text(words);
    return PSW_OK;
}

int psw_bpe_byte_of(struct psw_text text, size_t *n_bytes)
{
    utf8proc_int32_t c = -1;
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text.at, (utf8proc_ssize_t)text.n, &c);
    *n_bytes = n > 0 ? (size_t)n : 1;
    if (n <= 0 || c > 0x143) return -1;
    const int nth = c - 0x100; /* of those that cannot be seen */
    const int byte = nth < 0 ? c : nth <= ' ' ? nth : nth <= 66 ? nth - 33 + 0x7F : 0xAD;
    return character_of(byte) == c ? byte : -1;
}

/* ---- words by a pattern ---- */

/** Append the stretch that follows: what stands before a match, or a match. */
static psw_status push_stretch(const struct psw_bpe_op *op, struct psw_bpe_spans *out,
                               int64_t first, struct psw_bpe_span s, struct psw_error *err)
{
    static const int JOINS_EQUAL = 1, JOINS_MATCH = 2, JOINS_REST = 4;
    static const int JOINS[PSW_N_BPE_SPLIT] = {
        [PSW_SPLIT_CONTIGUOUS] = JOINS_EQUAL,
        [PSW_SPLIT_WITH_PREVIOUS] = JOINS_MATCH,
        [PSW_SPLIT_WITH_NEXT] = JOINS_REST,
    };
    if (s.from == s.to || (s.is_match && op->split == PSW_SPLIT_REMOVED)) return PSW_OK;
    struct psw_bpe_span *last = out->n > first ? &out->at[out->n - 1] : NULL;
    const int how = !last                          ? 0
                    : s.is_match == last->is_match ? JOINS_EQUAL
                    : s.is_match                   ? JOINS_MATCH
                                                   : JOINS_REST;
    if (!(how & JOINS[op->split]) || last->to != s.from) return push(out, s, err);
    last->to = s.to;
    last->is_match = s.is_match;
    return PSW_OK;
}

static psw_status split_word(const struct psw_bpe_op *op, struct psw_text word, size_t base,
                             struct psw_bpe_spans *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t first = out->n;
    size_t done = 0;
    for (size_t search = 0; search <= word.n && done < word.n;) {
        struct psw_bpe_span match;
        PSW_TRY(next_match(op, word, &search, &match, err));
        const size_t to = match.is_match ? match.from : word.n;
        PSW_TRY(push_stretch(op, out, first,
                             (struct psw_bpe_span){base + done, base + to, op->is_inverted},
                             err));
        if (!match.is_match) return PSW_OK;
        PSW_TRY(push_stretch(
            op, out, first,
            (struct psw_bpe_span){base + match.from, base + match.to, !op->is_inverted}, err));
        done = match.to;
    }
    if (done < word.n)
        rc = push_stretch(op, out, first,
                          (struct psw_bpe_span){base + done, base + word.n, op->is_inverted},
                          err);
fail:
    return rc;
}

psw_status psw_bpe_split(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                         struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < words->span.n && rc == PSW_OK; i++)
        rc = split_word(op, word_of(words, i), words->span.at[i].from, &words->next_span, err);
    take_next_spans(words);
    return rc;
}

/* ---- lists ---- */

psw_status psw_bpe_ops_push(struct psw_bpe_ops *ops, struct psw_bpe_op *op,
                            struct psw_error *err)
{
    struct psw_bpe_op *grown = realloc(ops->op, (size_t)(ops->n + 1) * sizeof *grown);
    if (!grown) {
        psw_regex_destroy(op->regex);
        free(op->content.at);
        return psw_fail(err, PSW_ENOMEM, "%d operations", ops->n + 1);
    }
    ops->op = grown;
    ops->op[ops->n++] = *op;
    return PSW_OK;
}

psw_status psw_bpe_ops_apply(const struct psw_bpe_ops *ops, struct psw_text text,
                             enum psw_text_place place, struct psw_bpe_words *words,
                             struct psw_error *err)
{
    words->text.n = words->next_text.n = 0;
    words->span.n = words->next_span.n = 0;
    words->place = place;
    psw_status rc = psw_text_buffer_add(&words->text, text, err);
    if (rc == PSW_OK) rc = push(&words->span, (struct psw_bpe_span){0, text.n, 0}, err);
    for (int i = 0; i < ops->n && rc == PSW_OK; i++)
        rc = ops->op[i].apply(&ops->op[i], words, err);
    return rc;
}

void psw_bpe_ops_clear(struct psw_bpe_ops *ops)
{
    for (int i = 0; i < ops->n; i++) {
        psw_regex_destroy(ops->op[i].regex);
        free(ops->op[i].content.at);
    }
    free(ops->op);
    *ops = (struct psw_bpe_ops){0};
}
