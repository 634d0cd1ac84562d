/* The stages of encoding, in their order; see bpe.h. */
#include "bpe.h"

#include <limits.h>
#include <stdlib.h>
#include <utf8proc.h>

/** Ids of the words of a piece of normalised text without added tokens. */
static psw_status encode_words(struct psw_bpe *bpe, struct psw_text text, int is_at_start,
                               struct psw_token_list *out, struct psw_error *err)
{
    psw_status rc = psw_bpe_ops_apply(&bpe->split, text, is_at_start, &bpe->words, err);
    for (int64_t i = 0; i < bpe->words.span.n && rc == PSW_OK; i++) {
        const struct psw_bpe_span *s = &bpe->words.span.at[i];
        rc = psw_bpe_merge_word(
            bpe, (struct psw_text){bpe->words.text.at + s->from, s->to - s->from}, out, err);
    }
    return rc;
}

static psw_status append(struct psw_token_list *out, int32_t id, struct psw_error *err)
{
    int32_t *at = NULL;
    const psw_status rc = psw_token_list_grow(out, 1, &at, err);
    if (rc == PSW_OK) *at = id;
    return rc;
}

/** The same of a piece of raw text without the added tokens that stand in raw text. */
static psw_status encode_raw(struct psw_bpe *bpe, struct psw_text raw, int is_at_start,
                             struct psw_token_list *out, struct psw_error *err)
{
    struct psw_text stretch = {0};
    int32_t id = -1;
    size_t at = 0;
    psw_status rc = psw_bpe_ops_apply(&bpe->normalise, raw, is_at_start, &bpe->normal, err);
    const struct psw_text text = {bpe->normal.text.at, bpe->normal.text.n};
    while (rc == PSW_OK && psw_bpe_finder_next(&bpe->normalised, text, &at, &stretch, &id))
        rc = id >= 0
                 ? append(out, id, err)
                 : encode_words(bpe, stretch, is_at_start && stretch.at == text.at, out, err);
    return rc;
}

static psw_status check_utf8(struct psw_text text, struct psw_error *err)
{
    for (size_t at = 0; at < text.n;) {
        utf8proc_int32_t c;
        if (((unsigned char)text.at[at]) < 0x80) {
            at++;
            continue;
        }
        const utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text.at + at,
                                                    (utf8proc_ssize_t)(text.n - at), &c);
        if (n < 0)
            return psw_fail(err, PSW_EDATA,
                            "byte %zu of the text, 0x%02x, is no UTF-8: convert it, e.g. with "
                            "iconv -t utf-8",
                            at, (unsigned char)text.at[at]);
        at += (size_t)n;
    }
    return PSW_OK;
}

static psw_status encode(const struct psw_tokenizer *tokenizer, struct psw_text text,
                         struct psw_token_list *out, struct psw_error *err)
{
    struct psw_text stretch = {0};
    int32_t id = -1;
    size_t at = 0;
    if (text.n > INT_MAX / 4)
        return psw_fail(err, PSW_EUNSUP, "a text of %zu bytes; the longest is %d", text.n,
                        INT_MAX / 4);
    psw_status rc = check_utf8(text, err);
    while (rc == PSW_OK && psw_bpe_finder_next(&tokenizer->bpe->raw, text, &at, &stretch, &id))
        rc = id >= 0 ? append(out, id, err)
                     : encode_raw(tokenizer->bpe, stretch, stretch.at == text.at, out, err);
    return rc;
}

static struct psw_text piece(const struct psw_tokenizer *tokenizer, int32_t id)
{
    if (id >= 0 && id == tokenizer->eos) return (struct psw_text){"", 0};
    return psw_bpe_vocab_piece(&tokenizer->bpe->vocab, id);
}

const struct psw_tokenizer_kind PSW_BPE_KIND = {"bpe", "", encode, piece};

void psw_bpe_destroy(struct psw_bpe *bpe)
{
    if (!bpe) return;
    psw_bpe_vocab_clear(&bpe->vocab);
    psw_bpe_finder_clear(&bpe->raw);
    psw_bpe_finder_clear(&bpe->normalised);
    psw_bpe_ops_clear(&bpe->normalise);
    psw_bpe_ops_clear(&bpe->split);
    psw_bpe_ops_clear(&bpe->decoder.replace);
    psw_bpe_words_clear(&bpe->normal);
    psw_bpe_words_clear(&bpe->words);
    psw_bpe_merger_destroy(bpe->merger);
    free(bpe->decoder.strip.at);
    free(bpe->before.id);
    free(bpe->after.id);
    free(bpe);
}
