/* post_processor and decoder: what is put around the ids, and what ids say. */
#include "bpe_read.h"

#include <string.h>

/* ---- post_processor ---- */

/** The ids of a special token of a template, which its table names. */
static psw_status push_ids(const json_t *table, struct psw_text name, struct psw_bpe *bpe,
                           struct psw_token_list *out, struct psw_error *err)
{
    const json_t *list = json_object_get(json_object_get(table, name.at ? name.at : ""), "ids");
    if (!json_is_array(list) || !name.at)
        return psw_fail(err, PSW_EDATA,
                        "post_processor: special_tokens have no \"ids\" of \"%s\"",
                        name.at ? name.at : "");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        int32_t *at = NULL;
        if (id < 0 || id >= bpe->vocab.n || !bpe->vocab.token[id].is_there)
            return psw_fail(
                err, PSW_EDATA,
                "post_processor: \"%s\" has id %lld, which is none of the vocabulary", name.at,
                (long long)id);
        const psw_status rc = psw_token_list_grow(out, 1, &at, err);
        if (rc != PSW_OK) return rc;
        *at = (int32_t)id;
    }
    return PSW_OK;
}

static psw_status read_template(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err)
{
    const json_t *single = json_object_get(json, "single");
    const json_t *table = json_object_get(json, "special_tokens");
    int n_text = 0;
    psw_status rc = PSW_OK;
    (void)ops;
    for (size_t i = 0; i < json_array_size(single) && rc == PSW_OK; i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *special = json_object_get(item, "SpecialToken");
        if (special)
            rc = push_ids(table, psw_bpe_string(special, "id"), bpe,
                          n_text ? &bpe->after : &bpe->before, err);
        n_text += json_object_get(item, "Sequence") != NULL;
    }
    if (rc != PSW_OK || n_text == 1) return rc;
    return psw_fail(err, PSW_EDATA,
                    "post_processor: \"single\" of TemplateProcessing has the text %d times",
                    n_text);
}

/** ByteLevel moves offsets, which are not asked for here. */
static psw_status read_offsets(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                               struct psw_error *err)
{
    (void)json, (void)bpe, (void)ops, (void)err;
    return PSW_OK;
}

static psw_status read_processors(const json_t *json, struct psw_bpe *bpe,
                                  struct psw_bpe_ops *ops, struct psw_error *err);

static const struct psw_bpe_row PROCESSORS[] = {
    {"Sequence", read_processors},
    {"ByteLevel", read_offsets},
    {"TemplateProcessing", read_template},
};
static const struct psw_bpe_table PROCESSOR = {"post_processor", PROCESSORS,
                                               sizeof PROCESSORS / sizeof *PROCESSORS};

static psw_status read_processors(const json_t *json, struct psw_bpe *bpe,
                                  struct psw_bpe_ops *ops, struct psw_error *err)
{
    return psw_bpe_read_each(&PROCESSOR, json_object_get(json, "processors"), bpe, ops, err);
}

psw_status psw_bpe_read_post_processor(const json_t *json, struct psw_bpe *bpe,
                                       struct psw_error *err)
{
    if (!json || json_is_null(json)) return PSW_OK;
    return psw_bpe_read_by(&PROCESSOR, json, bpe, NULL, err);
}

/* ---- decoder ---- */

static psw_status read_bytes(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                             struct psw_error *err)
{
    (void)json, (void)ops, (void)err;
    bpe->decoder.is_byte_level = 1;
    return PSW_OK;
}

static psw_status read_fallback(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err)
{
    (void)json, (void)ops, (void)err;
    bpe->decoder.has_fallback = 1;
    return PSW_OK;
}

/** Fuse: pieces are joined without a blank, as they are here. */
static psw_status read_fuse(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                            struct psw_error *err)
{
    (void)json, (void)bpe, (void)ops, (void)err;
    return PSW_OK;
}

static psw_status read_strip(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                             struct psw_error *err)
{
    const struct psw_text content = psw_bpe_string(json, "content");
    const json_int_t start = json_integer_value(json_object_get(json, "start"));
    const json_int_t stop = json_integer_value(json_object_get(json, "stop"));
    (void)ops;
    if (!content.at || start < 0 || start > 1 || stop != 0)
        return psw_fail(err, PSW_EUNSUP,
                        "decoder: Strip of %lld characters at the start and %lld at the end is "
                        "not known; known is one at the start",
                        (long long)start, (long long)stop);
    bpe->decoder.strip.n = 0;
    return start ? psw_text_buffer_add(&bpe->decoder.strip, content, err) : PSW_OK;
}

static psw_status read_metaspace(const json_t *json, struct psw_bpe *bpe,
                                 struct psw_bpe_ops *ops, struct psw_error *err)
{
    struct psw_text mark;
    int is_put, is_first;
    psw_status rc = psw_bpe_read_mark(json, &mark, err);
    if (rc == PSW_OK) rc = psw_bpe_read_scheme(json, &is_put, &is_first, err);
    if (rc == PSW_OK) rc = psw_bpe_push_replace(ops, mark, 1, PSW_BPE_BLANK, err);
    bpe->decoder.strip.n = 0;
    if (rc != PSW_OK || !is_put) return rc;
    return psw_text_buffer_add(&bpe->decoder.strip, PSW_BPE_BLANK, err);
}

static psw_status read_decoders(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err);

static const struct psw_bpe_row DECODERS[] = {
    {"Sequence", read_decoders},     {"ByteLevel", read_bytes},
    {"ByteFallback", read_fallback}, {"Fuse", read_fuse},
    {"Metaspace", read_metaspace},   {"Replace", psw_bpe_read_replace},
    {"Strip", read_strip},
};
static const struct psw_bpe_table DECODER = {"decoder", DECODERS,
                                             sizeof DECODERS / sizeof *DECODERS};

static psw_status read_decoders(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err)
{
    return psw_bpe_read_each(&DECODER, json_object_get(json, "decoders"), bpe, ops, err);
}

psw_status psw_bpe_read_decoder(const json_t *json, struct psw_bpe *bpe, struct psw_error *err)
{
    return psw_bpe_read_by(&DECODER, json, bpe, &bpe->decoder.replace, err);
}

/* ---- what ids say ---- */

/** The value of a digit of <0x0A>, -1 for none. */
static int digit_of(char c)
{
    static const char DIGITS[] = "0123456789ABCDEF0123456789abcdef";
    const char *at = c ? strchr(DIGITS, c) : NULL;
    return at ? (int)(at - DIGITS) % 16 : -1;
}

/** The byte of a name such as <0x0A>, -1 for other names. */
static int fallback_byte(struct psw_text name)
{
    if (name.n != 6 || memcmp(name.at, "<0x", 3) != 0 || name.at[5] != '>') return -1;
    const int high = digit_of(name.at[3]), low = digit_of(name.at[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/** Write the bytes of a name by GPT-2's table into out, which has room; returns how many, -1
 *  where a character of the name stands for none. */
static int64_t bytes_of(struct psw_text name, char *out)
{
    int64_t n = 0;
    for (size_t at = 0, step; at < name.n; at += step) {
        const int byte = psw_bpe_byte_of((struct psw_text){name.at + at, name.n - at}, &step);
        if (byte < 0) return -1;
        out[n++] = (char)byte;
    }
    return n;
}

static psw_status read_piece(struct psw_bpe *bpe, int32_t id, struct psw_error *err)
{
    struct psw_bpe_token *token = &bpe->vocab.token[id];
    struct psw_text_buffer *block = &bpe->vocab.block;
    psw_status rc =
        psw_bpe_ops_apply(&bpe->decoder.replace, psw_bpe_vocab_name(&bpe->vocab, id),
                          PSW_TEXT_AFTER_TOKEN, &bpe->words, err);
    if (rc != PSW_OK) return rc;
    struct psw_text name = {bpe->words.text.at, bpe->words.text.n};
    const int byte = bpe->decoder.has_fallback ? fallback_byte(name) : -1;
    const char one = (char)byte;
    if (byte >= 0) name = (struct psw_text){&one, 1};
    const size_t from = block->n;
    rc = psw_text_buffer_add(block, name, err);
    if (rc != PSW_OK) return rc;
    if (bpe->decoder.is_byte_level) {
        const int64_t n = bytes_of(name, block->at + from);
        if (n >= 0)
            block->n = from + (size_t)n;
        else
            memcpy(block->at + from, name.at, name.n); /* an added token: its name */
    }
    token->piece = from;
    token->n_piece = (uint32_t)(block->n - from);
    return PSW_OK;
}

psw_status psw_bpe_read_pieces(struct psw_bpe *bpe, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int32_t id = 0; id < bpe->vocab.n && rc == PSW_OK; id++)
        if (bpe->vocab.token[id].is_there) rc = read_piece(bpe, id, err);
    return rc;
}
