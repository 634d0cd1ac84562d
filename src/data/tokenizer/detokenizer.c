/* From ids to text, a token at a time. */
#include <posweep/data/tokenizer_file.h>

#include "bpe.h"

#include <stdlib.h>
#include <string.h>

struct psw_text psw_tokenizer_name(const struct psw_tokenizer *tokenizer, int32_t id)
{
    return tokenizer->bpe ? psw_bpe_vocab_name(&tokenizer->bpe->vocab, id)
                          : tokenizer->kind->piece(tokenizer, id);
}

int psw_tokenizer_is_special(const struct psw_tokenizer *tokenizer, int32_t id)
{
    return id == tokenizer->eos ||
           (tokenizer->bpe && tokenizer->bpe->vocab.token[id].is_special);
}

/** Whether a byte goes on with the beginning of a character: Unicode 15, table 3-7. */
static int goes_on(const unsigned char *held, int n_held, unsigned char byte)
{
    const unsigned char first = held[0];
    const unsigned char least = n_held > 1      ? 0x80
                                : first == 0xE0 ? 0xA0
                                : first == 0xF0 ? 0x90
                                                : 0x80;
    const unsigned char most = n_held > 1      ? 0xBF
                               : first == 0xED ? 0x9F
                               : first == 0xF4 ? 0x8F
                                               : 0xBF;
    return byte >= least && byte <= most;
}

/** How many bytes a character has that begins so; 0: none does. */
static int length_of(unsigned char first)
{
    static const struct {
        unsigned char from, to;
        int n;
    } ROW[] = {{0x00, 0x7F, 1}, {0xC2, 0xDF, 2}, {0xE0, 0xEF, 3}, {0xF0, 0xF4, 4}};
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++)
        if (first >= ROW[i].from && first <= ROW[i].to) return ROW[i].n;
    return 0;
}

psw_status psw_detokenizer_end(struct psw_detokenizer *d, struct psw_text_buffer *out,
                               struct psw_error *err)
{
    if (d->n_held == 0) return PSW_OK;
    d->n_held = 0;
    return psw_text_buffer_add(out, (struct psw_text){"\xEF\xBF\xBD", 3}, err);
}

static psw_status push_byte(struct psw_detokenizer *d, unsigned char byte,
                            struct psw_text_buffer *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (d->n_held > 0 && !goes_on(d->held, d->n_held, byte))
        rc = psw_detokenizer_end(d, out, err);
    d->held[d->n_held++] = byte;
    const int n = length_of(d->held[0]);
    if (rc != PSW_OK || d->n_held < n) return rc;
    if (n == 0) return psw_detokenizer_end(d, out, err);
    d->n_held = 0;
    return psw_text_buffer_add(out, (struct psw_text){(const char *)d->held, (size_t)n}, err);
}

/** What is said of a token, without the blank that the tokenizer put before the text. */
static struct psw_text said(const struct psw_detokenizer *d, int32_t id)
{
    const struct psw_tokenizer *t = d->tokenizer;
    struct psw_text text =
        psw_tokenizer_is_special(t, id) ? psw_tokenizer_name(t, id) : t->kind->piece(t, id);
    if (!t->bpe || d->has_begun) return text;
    const struct psw_text strip = {t->bpe->decoder.strip.at, t->bpe->decoder.strip.n};
    if (strip.n > 0 && psw_text_starts_with(text, strip))
        text = (struct psw_text){text.at + strip.n, text.n - strip.n};
    return text;
}

psw_status psw_detokenizer_push(struct psw_detokenizer *d, int32_t id,
                                struct psw_text_buffer *out, struct psw_error *err)
{
    const struct psw_tokenizer *t = d->tokenizer;
    psw_status rc = PSW_OK;
    if (!t->kind->piece(t, id).at)
        return psw_fail(err, PSW_EDATA, "id %d is none of the tokenizer's, which are 0 to %d",
                        id, t->n_vocab - 1);
    if (psw_tokenizer_is_special(t, id) && !d->with_special) return PSW_OK;
    if (d->has_begun) {
        const struct psw_text between = {t->kind->between, strlen(t->kind->between)};
        rc = psw_text_buffer_add(out, between, err);
    }
    const struct psw_text text = said(d, id);
    d->has_begun = 1;
    for (size_t i = 0; i < text.n && rc == PSW_OK; i++)
        rc = push_byte(d, (unsigned char)text.at[i], out, err);
    return rc;
}

psw_status psw_tokenizer_decode(const struct psw_tokenizer *tokenizer, struct psw_tokens tokens,
                                int with_special, struct psw_text_buffer *out,
                                struct psw_error *err)
{
    struct psw_detokenizer d = {.tokenizer = tokenizer, .with_special = with_special};
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < tokens.n && rc == PSW_OK; i++)
        rc = psw_detokenizer_push(&d, tokens.id[i], out, err);
    return rc == PSW_OK ? psw_detokenizer_end(&d, out, err) : rc;
}

char *psw_tokenizer_prompt_text(const struct psw_tokenizer *tokenizer, struct psw_tokens prompt,
                                char *out, size_t n_bytes)
{
    struct psw_text_buffer text = {0};
    int64_t at = 0;
    while (at < prompt.n && prompt.id[at] != tokenizer->eos) at++;
    if (at >= prompt.n - 1 || psw_tokenizer_decode(tokenizer, prompt, 1, &text, NULL) != PSW_OK)
        return free(text.at), psw_tokenizer_text(tokenizer, prompt.id, prompt.n, out, n_bytes);
    const struct psw_text cut =
        psw_text_cut((struct psw_text){text.at ? text.at : "", text.n}, n_bytes - 1);
    memcpy(out, cut.at, cut.n);
    out[cut.n] = 0;
    free(text.at);
    return out;
}
