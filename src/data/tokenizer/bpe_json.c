/* The vocabulary and the merges, from tokenizer.json or from GPT-2's two files. */
#include "bpe_read.h"

#include <stdio.h>
#include <string.h>

/** The largest id of {"name": id, ...}, held against what is sensible. */
static psw_status largest_id(const json_t *vocab, int32_t *most, struct psw_error *err)
{
    const char *name;
    json_t *value;
    if (!json_is_object(vocab))
        return psw_fail(err, PSW_EDATA, "the vocabulary is no object of names and ids");
    json_object_foreach((json_t *)vocab, name, value)
    {
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= PSW_BPE_MAX_VOCAB)
            return psw_fail(err, PSW_EDATA, "vocabulary: \"%.60s\" has no id from 0 to %d",
                            name, PSW_BPE_MAX_VOCAB - 1);
        if (id > *most) *most = (int32_t)id;
    }
    return PSW_OK;
}

static psw_status add_vocab(const json_t *vocab, struct psw_bpe *bpe, struct psw_error *err)
{
    const char *name;
    json_t *value;
    psw_status rc = PSW_OK;
    json_object_foreach((json_t *)vocab, name, value)
    {
        rc = psw_bpe_vocab_add(&bpe->vocab, (int32_t)json_integer_value(value),
                               (struct psw_text){name, strlen(name)}, err);
        if (rc != PSW_OK) return rc;
    }
    return rc;
}

/* ---- merges ---- */

/** Whether a token stands for a byte, not for the characters of its name. */
static int names_byte(struct psw_text name)
{
    return psw_text_starts_with(name, (struct psw_text){"<0x", 3});
}

/** Enter a merge of two names. */
static psw_status add_merge(struct psw_bpe *bpe, const struct psw_text part[2], int32_t rank,
                            struct psw_error *err)
{
    const struct psw_bpe_vocab *vocab = &bpe->vocab;
    struct psw_text_buffer *joined = &bpe->normal.text;
    int32_t id[3];
    joined->n = 0;
    for (int i = 0; i < 2; i++) {
        const psw_status rc = psw_text_buffer_add(joined, part[i], err);
        if (rc != PSW_OK) return rc;
        id[i] = psw_bpe_vocab_find(vocab, part[i]);
    }
    id[2] = psw_bpe_vocab_find(vocab, (struct psw_text){joined->at, joined->n});
    for (int i = 0; i < 3; i++) {
        const struct psw_text whole = {joined->at, joined->n},
                              name = psw_text_cut(i < 2 ? part[i] : whole, 60);
        if (id[i] < 0)
            return psw_fail(err, PSW_EDATA, "merge %d: \"%.*s\" is not in the vocabulary",
                            rank + 1, (int)name.n, name.at);
    }
    psw_bpe_merge_set(&bpe->vocab, id[0], id[1], rank, id[2]);
    if (names_byte(part[0]) || names_byte(part[1])) bpe->model.can_cut = 0;
    return PSW_OK;
}

/** "a b" as two names. */
static int cut_merge(struct psw_text line, struct psw_text part[2])
{
    const char *blank = line.n ? memchr(line.at, ' ', line.n) : NULL;
    if (!blank) return 0;
    part[0] = (struct psw_text){line.at, (size_t)(blank - line.at)};
    part[1] = (struct psw_text){blank + 1, line.n - part[0].n - 1};
    return part[0].n > 0 && part[1].n > 0 && !memchr(part[1].at, ' ', part[1].n);
}

/** "a b", or ["a", "b"]. */
static int read_merge(const json_t *merge, struct psw_text part[2])
{
    if (json_is_string(merge))
        return cut_merge((struct psw_text){json_string_value(merge), json_string_length(merge)},
                         part);
    if (json_array_size(merge) != 2) return 0;
    for (size_t i = 0; i < 2; i++) {
        const json_t *name = json_array_get(merge, i);
        if (!json_is_string(name)) return 0;
        part[i] = (struct psw_text){json_string_value(name), json_string_length(name)};
    }
    return 1;
}

static psw_status add_merges(const json_t *merges, struct psw_bpe *bpe, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (size_t i = 0; i < json_array_size(merges) && rc == PSW_OK; i++) {
        struct psw_text part[2];
        if (!read_merge(json_array_get(merges, i), part))
            return psw_fail(err, PSW_EDATA,
                            "merge %zu: expected \"a b\" or [\"a\", \"b\"], two names", i + 1);
        rc = add_merge(bpe, part, (int32_t)i, err);
    }
    return rc;
}

/* ---- the model ---- */

/** Settings of the model that change ids and are not known here: null, "" and 0 mean none. */
static psw_status refuse_settings(const json_t *model, struct psw_error *err)
{
    static const char *const NAMES[] = {"dropout", "continuing_subword_prefix",
                                        "end_of_word_suffix"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const json_t *value = json_object_get(model, NAMES[i]);
        const int is_none = !value || json_is_null(value) || json_string_length(value) == 0;
        if (json_is_number(value) ? json_number_value(value) != 0 : !is_none)
            return psw_fail(err, PSW_EUNSUP, "model: \"%s\" is not known; known is none",
                            NAMES[i]);
    }
    const struct psw_text type = psw_bpe_string(model, "type");
    if (!type.at || psw_text_equal(type, (struct psw_text){"BPE", 3})) return PSW_OK;
    return psw_fail(err, PSW_EUNSUP, "model \"%.*s\" is not known; known is BPE",
                    (int)psw_text_cut(type, 60).n, type.at);
}

/** Find <0x00> .. <0xFF>; returns whether all are there. */
static int find_byte_tokens(struct psw_bpe *bpe)
{
    int n = 0;
    for (int i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        bpe->model.byte[i] = psw_bpe_vocab_find(&bpe->vocab, (struct psw_text){name, 6});
        n += bpe->model.byte[i] >= 0;
    }
    return n == 256;
}

static psw_status read_model(const json_t *model, struct psw_bpe *bpe, struct psw_error *err)
{
    const struct psw_text unk = psw_bpe_string(model, "unk_token");
    bpe->model.can_cut = 1;
    const psw_status rc = add_merges(json_object_get(model, "merges"), bpe, err);
    bpe->model.unk = unk.at ? psw_bpe_vocab_find(&bpe->vocab, unk) : -1;
    bpe->model.fuses_unk = psw_bpe_flag(model, "fuse_unk", 0);
    bpe->model.takes_whole_words = psw_bpe_flag(model, "ignore_merges", 0);
    bpe->model.has_fallback = psw_bpe_flag(model, "byte_fallback", 0);
    const int has_all = find_byte_tokens(bpe) && bpe->model.has_fallback;
    /* unknown neighbours become one token, which a cut would make two */
    const int may_fuse = bpe->model.unk >= 0 && bpe->model.fuses_unk && !has_all;
    if (bpe->model.takes_whole_words || may_fuse) bpe->model.can_cut = 0;
    return rc;
}

/* ---- added tokens ---- */

/** Look for a token in the stage that it is for; there by what the normaliser makes of it. */
static psw_status find_added(const json_t *json, struct psw_text content, int32_t id,
                             struct psw_bpe *bpe, struct psw_error *err)
{
    const struct psw_bpe_added added = {.id = id,
                                        .is_single_word = psw_bpe_flag(json, "single_word", 0),
                                        .takes_left = psw_bpe_flag(json, "lstrip", 0),
                                        .takes_right = psw_bpe_flag(json, "rstrip", 0)};
    const int is_special = psw_bpe_flag(json, "special", 0);
    bpe->vocab.token[id].is_special = (unsigned char)is_special;
    if (!psw_bpe_flag(json, "normalized", !is_special))
        return psw_bpe_finder_add(&bpe->raw, content, &added, err);
    const psw_status rc =
        psw_bpe_ops_apply(&bpe->normalise, content, PSW_TEXT_AFTER_TOKEN, &bpe->normal, err);
    if (rc != PSW_OK) return rc;
    return psw_bpe_finder_add(&bpe->normalised,
                              (struct psw_text){bpe->normal.text.at, bpe->normal.text.n},
                              &added, err);
}

static psw_status add_added(const json_t *list, struct psw_bpe *bpe, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (size_t i = 0; i < json_array_size(list) && rc == PSW_OK; i++) {
        const json_t *json = json_array_get(list, i);
        const struct psw_text content = psw_bpe_string(json, "content");
        const json_int_t id = json_integer_value(json_object_get(json, "id"));
        if (content.n == 0) continue; /* the library leaves it out as well */
        if (psw_bpe_vocab_find(&bpe->vocab, content) != (int32_t)id)
            rc = psw_bpe_vocab_add(&bpe->vocab, (int32_t)id, content, err);
        if (rc == PSW_OK) rc = find_added(json, content, (int32_t)id, bpe, err);
    }
    return rc;
}

static psw_status largest_added(const json_t *list, int32_t *most, struct psw_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *json = json_array_get(list, i), *value = json_object_get(json, "id");
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= PSW_BPE_MAX_VOCAB || !psw_bpe_string(json, "content").at)
            return psw_fail(err, PSW_EDATA,
                            "added_tokens: element %zu has no content and id from 0 to %d", i,
                            PSW_BPE_MAX_VOCAB - 1);
        if (id > *most) *most = (int32_t)id;
    }
    return PSW_OK;
}

/* ---- whole files ---- */

static psw_status read_root(const json_t *root, struct psw_bpe *bpe, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const json_t *model = json_object_get(root, "model"),
                 *vocab = json_object_get(model, "vocab"),
                 *merges = json_object_get(model, "merges"),
                 *added = json_object_get(root, "added_tokens");
    int32_t most = -1;
    PSW_TRY(refuse_settings(model, err));
    if (!json_is_array(merges))
        PSW_TRY(psw_fail(err, PSW_EDATA, "model: expected a list of \"merges\""));
    PSW_TRY(largest_id(vocab, &most, err));
    PSW_TRY(largest_added(added, &most, err));
    PSW_TRY(psw_bpe_vocab_init(&bpe->vocab, most + 1, json_array_size(merges), err));
    PSW_TRY(add_vocab(vocab, bpe, err));
    PSW_TRY(read_model(model, bpe, err));
    PSW_TRY(psw_bpe_read_normalizer(json_object_get(root, "normalizer"), bpe, err));
    PSW_TRY(add_added(added, bpe, err));
    PSW_TRY(psw_bpe_read_pre_tokenizer(json_object_get(root, "pre_tokenizer"), bpe, err));
    PSW_TRY(psw_bpe_read_post_processor(json_object_get(root, "post_processor"), bpe, err));
    PSW_TRY(psw_bpe_read_decoder(json_object_get(root, "decoder"), bpe, err));
    PSW_TRY(psw_bpe_read_pieces(bpe, err));
fail:
    return rc;
}

psw_status psw_bpe_read_json(const char *path, const json_t *root, struct psw_bpe *bpe,
                             struct psw_error *err)
{
    const psw_status rc = read_root(root, bpe, err);
    if (rc != PSW_OK) psw_error_prefix(err, "%s", path);
    return rc;
}

/** The next line of a text, without its end mark. */
static struct psw_text next_line(struct psw_text *left)
{
    const char *end = memchr(left->at, '\n', left->n);
    struct psw_text line = {left->at, end ? (size_t)(end - left->at) : left->n};
    const size_t n = line.n + (end != NULL);
    *left = (struct psw_text){left->at + n, left->n - n};
    if (line.n > 0 && line.at[line.n - 1] == '\r') line.n--;
    return line;
}

static psw_status add_lines(struct psw_text left, struct psw_bpe *bpe, struct psw_error *err)
{
    int32_t rank = 0;
    psw_status rc = PSW_OK;
    for (int64_t number = 1; left.n > 0 && rc == PSW_OK; number++) {
        const struct psw_text line = next_line(&left);
        struct psw_text part[2];
        if (line.n == 0 || psw_text_starts_with(line, (struct psw_text){"#version", 8}))
            continue;
        if (!cut_merge(line, part))
            return psw_fail(err, PSW_EDATA, "line %lld: expected two names and a blank between",
                            (long long)number);
        rc = add_merge(bpe, part, rank++, err);
    }
    return rc;
}

psw_status psw_bpe_read_pair(const struct psw_bpe_pair *pair, struct psw_bpe *bpe,
                             struct psw_error *err)
{
    static const struct psw_text END = {"<|endoftext|>", 13};
    psw_status rc = PSW_OK;
    int32_t most = -1;
    size_t n_line = 1;
    const char *path = pair->vocab_path;
    for (size_t i = 0; i < pair->merges.n; i++) n_line += pair->merges.at[i] == '\n';
    PSW_TRY(largest_id(pair->vocab, &most, err));
    PSW_TRY(psw_bpe_vocab_init(&bpe->vocab, most + 1, n_line, err));
    PSW_TRY(add_vocab(pair->vocab, bpe, err));
    path = pair->merges_path;
    bpe->model.can_cut = 1;
    PSW_TRY(add_lines(pair->merges, bpe, err));
    bpe->model.unk = -1;
    const int32_t id = psw_bpe_vocab_find(&bpe->vocab, END);
    if (id >= 0) {
        bpe->vocab.token[id].is_special = 1;
        PSW_TRY(psw_bpe_finder_add(&bpe->raw, END, &(struct psw_bpe_added){.id = id}, err));
    }
    PSW_TRY(psw_bpe_be_byte_level(bpe, err));
    PSW_TRY(psw_bpe_read_pieces(bpe, err));
fail:
    if (rc != PSW_OK) psw_error_prefix(err, "%s", path);
    return rc;
}
