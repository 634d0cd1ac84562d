/* normalizer and pre_tokenizer: what is done to a text before its words become ids. */
#include "bpe_read.h"

#include <string.h>
#include <utf8proc.h>

static psw_status push_prefix(struct psw_bpe_ops *ops, struct psw_text content, int is_once,
                              int is_first, struct psw_error *err)
{
    struct psw_bpe_op op = {.apply = psw_bpe_prefix, .is_once = is_once, .is_first = is_first};
    const psw_status rc = psw_text_buffer_add(&op.content, content, err);
    return rc == PSW_OK ? psw_bpe_ops_push(ops, &op, err) : rc;
}

static psw_status push_split(struct psw_bpe_ops *ops, const char *pattern,
                             enum psw_bpe_split split, int is_inverted, struct psw_error *err)
{
    struct psw_bpe_op op = {.apply = psw_bpe_split, .split = split, .is_inverted = is_inverted};
    const psw_status rc =
        psw_regex_create((struct psw_text){pattern, strlen(pattern)}, 0, &op.regex, err);
    return rc == PSW_OK ? psw_bpe_ops_push(ops, &op, err) : rc;
}

/* ---- normalizer ---- */

static psw_status push_form(struct psw_bpe_ops *ops, int form, struct psw_error *err)
{
    return psw_bpe_ops_push(ops, &(struct psw_bpe_op){.apply = psw_bpe_form, .form = form},
                            err);
}

static psw_status read_form(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                            struct psw_error *err)
{
    const struct psw_text type = psw_bpe_string(json, "type");
    const int is_compatible = type.n == 4, is_composed = type.at[type.n - 1] == 'C';
    (void)bpe;
    return push_form(ops,
                     UTF8PROC_STABLE | (is_composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) |
                         (is_compatible ? UTF8PROC_COMPAT : 0),
                     err);
}

static psw_status read_prepend(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                               struct psw_error *err)
{
    const struct psw_text content = psw_bpe_string(json, "prepend");
    (void)bpe;
    if (!content.at) return psw_fail(err, PSW_EDATA, "Prepend without \"prepend\"");
    return push_prefix(ops, content, 0, 0, err);
}

static psw_status read_normalizers(const json_t *json, struct psw_bpe *bpe,
                                   struct psw_bpe_ops *ops, struct psw_error *err);

static const struct psw_bpe_row NORMALIZERS[] = {
    {"Sequence", read_normalizers},
    {"NFC", read_form},
    {"NFD", read_form},
    {"NFKC", read_form},
    {"NFKD", read_form},
    {"Prepend", read_prepend},
    {"Replace", psw_bpe_read_replace},
};
static const struct psw_bpe_table NORMALIZER = {"normalizer", NORMALIZERS,
                                                sizeof NORMALIZERS / sizeof *NORMALIZERS};

static psw_status read_normalizers(const json_t *json, struct psw_bpe *bpe,
                                   struct psw_bpe_ops *ops, struct psw_error *err)
{
    return psw_bpe_read_each(&NORMALIZER, json_object_get(json, "normalizers"), bpe, ops, err);
}

psw_status psw_bpe_read_normalizer(const json_t *json, struct psw_bpe *bpe,
                                   struct psw_error *err)
{
    if (!json || json_is_null(json)) return PSW_OK;
    return psw_bpe_read_by(&NORMALIZER, json, bpe, &bpe->normalise, err);
}

/* ---- pre_tokenizer ---- */

/** What "behavior" is called. */
static const char *const SPLIT_NAMES[PSW_N_BPE_SPLIT] = {
    [PSW_SPLIT_ISOLATED] = "Isolated",        [PSW_SPLIT_REMOVED] = "Removed",
    [PSW_SPLIT_CONTIGUOUS] = "Contiguous",    [PSW_SPLIT_WITH_PREVIOUS] = "MergedWithPrevious",
    [PSW_SPLIT_WITH_NEXT] = "MergedWithNext",
};

static psw_status read_behavior(const json_t *json, enum psw_bpe_split *out,
                                struct psw_error *err)
{
    const struct psw_text name = psw_bpe_string(json, "behavior");
    for (int i = 0; i < PSW_N_BPE_SPLIT && name.at; i++) {
        *out = (enum psw_bpe_split)i;
        if (psw_text_equal(name, (struct psw_text){SPLIT_NAMES[i], strlen(SPLIT_NAMES[i])}))
            return PSW_OK;
    }
    return psw_fail(err, PSW_EUNSUP,
                    "pre_tokenizer: \"behavior\": \"%.*s\" is not known; known are Isolated, "
                    "Removed, Contiguous, MergedWithPrevious, MergedWithNext",
                    (int)psw_text_cut(name, 60).n, name.at ? name.at : "");
}

static psw_status push_byte_level(struct psw_bpe_ops *ops, int has_prefix, int has_pattern,
                                  struct psw_error *err)
{
    static const char PATTERN[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|"
                                  " ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    psw_status rc = has_prefix ? push_prefix(ops, PSW_BPE_BLANK, 1, 0, err) : PSW_OK;
    if (rc == PSW_OK && has_pattern) rc = push_split(ops, PATTERN, PSW_SPLIT_ISOLATED, 0, err);
    if (rc != PSW_OK) return rc;
    return psw_bpe_ops_push(ops, &(struct psw_bpe_op){.apply = psw_bpe_bytes}, err);
}

static psw_status read_byte_level(const json_t *json, struct psw_bpe *bpe,
                                  struct psw_bpe_ops *ops, struct psw_error *err)
{
    (void)bpe;
    return push_byte_level(ops, psw_bpe_flag(json, "add_prefix_space", 1),
                           psw_bpe_flag(json, "use_regex", 1), err);
}

static psw_status read_split(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                             struct psw_error *err)
{
    struct psw_bpe_op op = {.apply = psw_bpe_split,
                            .is_inverted = psw_bpe_flag(json, "invert", 0)};
    struct psw_text pattern;
    int is_literal;
    (void)bpe;
    psw_status rc = read_behavior(json, &op.split, err);
    if (rc == PSW_OK) rc = psw_bpe_read_pattern(json, &pattern, &is_literal, err);
    if (rc == PSW_OK) rc = psw_regex_create(pattern, is_literal, &op.regex, err);
    return rc == PSW_OK ? psw_bpe_ops_push(ops, &op, err) : rc;
}

static psw_status read_digits(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                              struct psw_error *err)
{
    const int is_each = psw_bpe_flag(json, "individual_digits", 0);
    (void)bpe;
    return push_split(ops, "\\p{N}", is_each ? PSW_SPLIT_ISOLATED : PSW_SPLIT_CONTIGUOUS, 0,
                      err);
}

static psw_status read_punctuation(const json_t *json, struct psw_bpe *bpe,
                                   struct psw_bpe_ops *ops, struct psw_error *err)
{
    enum psw_bpe_split split = PSW_SPLIT_ISOLATED;
    (void)bpe;
    const psw_status rc =
        json_object_get(json, "behavior") ? read_behavior(json, &split, err) : PSW_OK;
    return rc == PSW_OK ? push_split(ops, "[\\p{P}!-/:-@\\[-`{-~]", split, 0, err) : rc;
}

static psw_status read_whitespace(const json_t *json, struct psw_bpe *bpe,
                                  struct psw_bpe_ops *ops, struct psw_error *err)
{
    (void)json, (void)bpe;
    return push_split(ops, "[\\w]+|[^\\w\\s]+", PSW_SPLIT_REMOVED, 1, err);
}

static psw_status read_whitespace_split(const json_t *json, struct psw_bpe *bpe,
                                        struct psw_bpe_ops *ops, struct psw_error *err)
{
    (void)json, (void)bpe;
    return push_split(ops, "\\s", PSW_SPLIT_REMOVED, 0, err);
}

static psw_status read_metaspace(const json_t *json, struct psw_bpe *bpe,
                                 struct psw_bpe_ops *ops, struct psw_error *err)
{
    struct psw_bpe_op op = {.apply = psw_bpe_split, .split = PSW_SPLIT_WITH_NEXT};
    struct psw_text mark;
    int is_put, is_first;
    (void)bpe;
    psw_status rc = psw_bpe_read_mark(json, &mark, err);
    if (rc == PSW_OK) rc = psw_bpe_read_scheme(json, &is_put, &is_first, err);
    if (rc == PSW_OK) rc = psw_bpe_push_replace(ops, PSW_BPE_BLANK, 1, mark, err);
    if (rc == PSW_OK && is_put) rc = push_prefix(ops, mark, 1, is_first, err);
    if (rc != PSW_OK || !psw_bpe_flag(json, "split", 1)) return rc;
    rc = psw_regex_create(mark, 1, &op.regex, err);
    return rc == PSW_OK ? psw_bpe_ops_push(ops, &op, err) : rc;
}

static psw_status read_pre_tokenizers(const json_t *json, struct psw_bpe *bpe,
                                      struct psw_bpe_ops *ops, struct psw_error *err);

static const struct psw_bpe_row PRE_TOKENIZERS[] = {
    {"Sequence", read_pre_tokenizers},
    {"ByteLevel", read_byte_level},
    {"Split", read_split},
    {"Digits", read_digits},
    {"Punctuation", read_punctuation},
    {"Whitespace", read_whitespace},
    {"WhitespaceSplit", read_whitespace_split},
    {"Metaspace", read_metaspace},
};
static const struct psw_bpe_table PRE_TOKENIZER = {
    "pre_tokenizer", PRE_TOKENIZERS, sizeof PRE_TOKENIZERS / sizeof *PRE_TOKENIZERS};

static psw_status read_pre_tokenizers(const json_t *json, struct psw_bpe *bpe,
                                      struct psw_bpe_ops *ops, struct psw_error *err)
{
    return psw_bpe_read_each(&PRE_TOKENIZER, json_object_get(json, "pretokenizers"), bpe, ops,
                             err);
}

psw_status psw_bpe_read_pre_tokenizer(const json_t *json, struct psw_bpe *bpe,
                                      struct psw_error *err)
{
    if (!json || json_is_null(json)) return PSW_OK;
    return psw_bpe_read_by(&PRE_TOKENIZER, json, bpe, &bpe->split, err);
}

psw_status psw_bpe_be_byte_level(struct psw_bpe *bpe, struct psw_error *err)
{
    bpe->decoder.is_byte_level = 1;
    return push_byte_level(&bpe->split, 0, 1, err);
}
