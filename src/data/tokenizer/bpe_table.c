/* What reading tokenizer.json needs in several places: members of objects, a component by the
 * table of those known, and Replace and Metaspace, which stand among normalisers or
 * pre-tokenisers and among decoders. */
#include "bpe_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

psw_status psw_bpe_parse(const char *path, struct psw_text text, size_t flags, json_t **out,
                         struct psw_error *err)
{
    json_error_t fault;
    *out = json_loadb(text.at, text.n, flags, &fault);
    if (*out && json_is_object(*out)) return PSW_OK;
    if (!*out)
        return psw_fail(
            err, PSW_EDATA,
            "%s:%d:%d: %s; expected one JSON object, in UTF-8: fetch the file again", path,
            fault.line, fault.column, fault.text);
    json_decref(*out);
    *out = NULL;
    return psw_fail(err, PSW_EDATA, "%s: expected one JSON object", path);
}

struct psw_text psw_bpe_string(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return (struct psw_text){0};
    return (struct psw_text){json_string_value(value), json_string_length(value)};
}

int psw_bpe_flag(const json_t *object, const char *key, int otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const struct psw_text PSW_BPE_MARK = {"\xE2\x96\x81", 3}, PSW_BPE_BLANK = {" ", 1};

psw_status psw_bpe_read_by(const struct psw_bpe_table *table, const json_t *json,
                           struct psw_bpe *bpe, struct psw_bpe_ops *ops, struct psw_error *err)
{
    char known[256] = "";
    const struct psw_text type = psw_bpe_string(json, "type");
    for (int i = 0; i < table->n_row; i++) {
        const struct psw_bpe_row *row = &table->row[i];
        if (type.at && psw_text_equal(type, (struct psw_text){row->type, strlen(row->type)}))
            return row->read(json, bpe, ops, err);
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "",
                 row->type);
    }
    if (!type.at)
        return psw_fail(err, PSW_EDATA, "%s: expected an object with \"type\"", table->place);
    return psw_fail(err, PSW_EUNSUP, "%s \"%.*s\" is not known; known are %s", table->place,
                    (int)psw_text_cut(type, 60).n, type.at, known);
}

psw_status psw_bpe_read_each(const struct psw_bpe_table *table, const json_t *list,
                             struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (!json_is_array(list))
        return psw_fail(err, PSW_EDATA, "%s: a Sequence without a list", table->place);
    for (size_t i = 0; i < json_array_size(list) && rc == PSW_OK; i++)
        rc = psw_bpe_read_by(table, json_array_get(list, i), bpe, ops, err);
    return rc;
}

/* ---- Replace and Metaspace ---- */

psw_status psw_bpe_push_replace(struct psw_bpe_ops *ops, struct psw_text pattern,
                                int is_literal, struct psw_text content, struct psw_error *err)
{
    struct psw_bpe_op op = {.apply = psw_bpe_replace};
    psw_status rc = psw_text_buffer_add(&op.content, content, err);
    if (rc == PSW_OK) rc = psw_regex_create(pattern, is_literal, &op.regex, err);
    if (rc == PSW_OK) return psw_bpe_ops_push(ops, &op, err);
    free(op.content.at);
    return rc;
}

psw_status psw_bpe_read_pattern(const json_t *json, struct psw_text *pattern, int *is_literal,
                                struct psw_error *err)
{
    const json_t *object = json_object_get(json, "pattern");
    const struct psw_text literal = psw_bpe_string(object, "String");
    *is_literal = literal.at != NULL;
    *pattern = literal.at ? literal : psw_bpe_string(object, "Regex");
    if (pattern->at) return PSW_OK;
    return psw_fail(err, PSW_EDATA,
                    "expected \"pattern\": {\"String\": ...} or {\"Regex\": ...}");
}

psw_status psw_bpe_read_replace(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err)
{
    struct psw_text pattern;
    int is_literal;
    const struct psw_text content = psw_bpe_string(json, "content");
    const psw_status rc = psw_bpe_read_pattern(json, &pattern, &is_literal, err);
    (void)bpe;
    if (rc != PSW_OK) return rc;
    if (!content.at) return psw_fail(err, PSW_EDATA, "Replace without \"content\"");
    return psw_bpe_push_replace(ops, pattern, is_literal, content, err);
}

psw_status psw_bpe_read_mark(const json_t *json, struct psw_text *mark, struct psw_error *err)
{
    *mark = json_object_get(json, "replacement") ? psw_bpe_string(json, "replacement")
                                                 : PSW_BPE_MARK;
    if (mark->at && mark->n > 0) return PSW_OK;
    return psw_fail(err, PSW_EDATA, "Metaspace: \"replacement\" is no character");
}

psw_status psw_bpe_read_scheme(const json_t *json, int *is_put, int *is_first,
                               struct psw_error *err)
{
    static const struct {
        const char *name;
        int is_put, is_first;
    } SCHEME[] = {{"always", 1, 0}, {"first", 1, 1}, {"never", 0, 0}};
    const struct psw_text name = psw_bpe_string(json, "prepend_scheme");
    *is_put = psw_bpe_flag(json, "add_prefix_space", 1);
    *is_first = 0;
    if (!name.at) return PSW_OK;
    for (int i = 0; i < 3; i++) {
        if (!psw_text_equal(name, (struct psw_text){SCHEME[i].name, strlen(SCHEME[i].name)}))
            continue;
        *is_put = SCHEME[i].is_put;
        *is_first = SCHEME[i].is_first;
        return PSW_OK;
    }
    return psw_fail(err, PSW_EUNSUP,
                    "Metaspace: prepend_scheme \"%.*s\" is not known; known are always, first, "
                    "never",
                    (int)psw_text_cut(name, 60).n, name.at);
}
