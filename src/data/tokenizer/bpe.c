/* The stages of encoding, in their order; see bpe.h. */
#include "bpe.h"

#include <limits.h>
#include <stdlib.h>
#include <utf8proc.h>

/** Ids of the words of a piece of normalised text without added tokens. */
static psw_status encode_words(struct psw_bpe *bpe, const struct psw_written_text *piece,
                               struct psw_token_list *out, struct psw_error *err)
{
    psw_status rc = psw_bpe_ops_apply(&bpe->split, piece->text, piece->place, &bpe->words, err);
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

/** A stretch of a text between added tokens. */
static struct psw_written_text stretch_of(const struct psw_written_text *whole,
                                          struct psw_text stretch)
{
    const int is_first = stretch.at == whole->text.at;
    return (struct psw_written_text){.text = stretch,
                                     .is_markup = whole->is_markup,
                                     .place = is_first ? whole->place : PSW_TEXT_AFTER_TOKEN};
}

/** The same of a piece of raw text without the added tokens that stand in raw text. Where a
 *  template wrote only some of it, nothing that is looked for here is special. */
static psw_status encode_raw(struct psw_bpe *bpe, const struct psw_written_text *raw,
                             struct psw_token_list *out, struct psw_error *err)
{
    struct psw_text stretch = {0};
    int32_t id = -1;
    size_t at = 0;
    psw_status rc =
        psw_bpe_ops_apply(&bpe->normalise, raw->text, raw->place, &bpe->normal, err);
    const struct psw_written_text normal = {
        .text = {bpe->normal.text.at, bpe->normal.text.n},
        .is_markup = raw->is_markup,
        .place = raw->place,
    };
    while (rc == PSW_OK && psw_bpe_finder_next(&bpe->normalised, &normal, &at, &stretch, &id)) {
        const struct psw_written_text piece = stretch_of(&normal, stretch);
        rc = id >= 0 ? append(out, id, err) : encode_words(bpe, &piece, out, err);
    }
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

/** What people wrote must not have become a special token by merges either. */
static psw_status check_plain(const struct psw_bpe *bpe, struct psw_tokens made,
                              struct psw_error *err)
{
    for (int64_t i = 0; i < made.n; i++) {
        if (!bpe->vocab.token[made.id[i]].is_special || made.id[i] == bpe->model.unk) continue;
        const struct psw_text name = psw_bpe_vocab_name(&bpe->vocab, made.id[i]);
        return psw_fail(err, PSW_EDATA,
                        "the tokenizer makes its special token %.*s of plain text: its merges "
                        "or whole words must not, for a user could end a turn by writing it",
                        (int)psw_text_cut(name, 60).n, name.at);
    }
    return PSW_OK;
}

static psw_status encode(const struct psw_tokenizer *tokenizer,
                         const struct psw_written_text *written, struct psw_token_list *out,
                         struct psw_error *err)
{
    struct psw_text stretch = {0};
    struct psw_bpe *bpe = tokenizer->bpe;
    int32_t id = -1;
    size_t at = 0;
    if (written->text.n > INT_MAX / 4)
        return psw_fail(err, PSW_EUNSUP, "a text of %zu bytes; the longest is %d",
                        written->text.n, INT_MAX / 4);
    psw_status rc = check_utf8(written->text, err);
    while (rc == PSW_OK && psw_bpe_finder_next(&bpe->raw, written, &at, &stretch, &id)) {
        const struct psw_written_text piece = stretch_of(written, stretch);
        const int64_t from = out->n;
        rc = id >= 0 ? append(out, id, err) : encode_raw(bpe, &piece, out, err);
        if (rc == PSW_OK && id < 0 && !written->is_markup)
            rc = check_plain(bpe, (struct psw_tokens){out->id + from, out->n - from}, err);
    }
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
