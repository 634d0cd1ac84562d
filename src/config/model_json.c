/* A file of JSON that describes a model: read, looked up, and refused with key and value. */
#include "model_dir_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/util/file.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_JSON_BYTES = 64 << 20 };

psw_status psw_json_file(const char *path, json_t **out, struct psw_error *err)
{
    struct stat info;
    char *text = NULL;
    size_t n_bytes = 0;
    json_error_t why;
    if (stat(path, &info) != 0)
        return psw_fail(err, psw_status_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size > MAX_JSON_BYTES)
        return psw_fail(err, PSW_EDATA, "%s: expected a file of JSON below %d MiB", path,
                        MAX_JSON_BYTES >> 20);
    const psw_status rc = psw_file_read(path, &text, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    *out = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (*out && json_is_object(*out)) return PSW_OK;
    const int is_other = *out != NULL;
    json_decref(*out);
    *out = NULL;
    if (is_other) return psw_fail(err, PSW_EDATA, "%s: expected an object {...}", path);
    return psw_fail(err, PSW_EDATA, "%s:%d:%d: %s", path, why.line, why.column, why.text);
}

const json_t *psw_model_json_get(const struct psw_model_json *f, const char *key)
{
    const json_t *there = json_object_get(f->root, key);
    return there ? there : json_object_get(json_object_get(f->root, "rope_parameters"), key);
}

psw_status psw_model_json_refuse(const struct psw_model_json *f, psw_status code,
                                 const char *key, const char *expected, const json_t *found,
                                 struct psw_error *err)
{
    char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    psw_fail(err, code, "%s: %s: expected %s, found %.100s", f->path, key, expected,
             text ? text : "nothing");
    free(text);
    return code;
}

psw_status psw_model_json_set(const struct psw_model_json *f, const char *key,
                              const struct psw_leaf *leaf, double value, const json_t *found,
                              struct psw_config *config, struct psw_error *err)
{
    char expected[256], text[PSW_LEAF_TEXT_BYTES];
    const int is_number = leaf->type != PSW_LEAF_BOOL;
    const int is_whole = leaf->type != PSW_LEAF_INT || value == trunc(value);
    if (is_whole && (!is_number || psw_leaf_check(leaf->path, value, NULL) == PSW_OK))
        return psw_leaf_set(leaf, psw_leaf_number_text(leaf, value, text), NULL, config, err);
    return psw_model_json_refuse(
        f, PSW_EDATA, key, psw_leaf_expected(leaf, expected, sizeof expected), found, err);
}
