/* config.json as settings, by the tables of model_keys.c. */
#include "model_dir_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 100 };

/* The value of a key, by either name; NULL: not given. Two names must say the same. */
static psw_status find(const struct psw_model_json *f, const struct psw_model_key *row,
                       const json_t **out, struct psw_error *err)
{
    const json_t *a = psw_model_json_get(f, row->key);
    const json_t *b = row->also ? psw_model_json_get(f, row->also) : NULL;
    *out = a ? a : b;
    if (!a || !b || json_number_value(a) == json_number_value(b)) return PSW_OK;
    char expected[VALUE_BYTES];
    snprintf(expected, sizeof expected, "%.17g as %s has it", json_number_value(b), row->also);
    return psw_model_json_refuse(f, PSW_EDATA, row->key, expected, a, err);
}

static psw_status read_key(const struct psw_model_json *f, const struct psw_model_key *row,
                           struct psw_config *config, struct psw_error *err)
{
    const json_t *found = NULL;
    const struct psw_leaf *leaf = psw_leaf_find(row->leaf);
    double value = row->fallback[f->type];
    if (isnan(value)) return PSW_OK;
    const psw_status rc = find(f, row, &found, err);
    if (rc != PSW_OK) return rc;
    const int is_bool = leaf->type == PSW_LEAF_BOOL;
    if (found && is_bool && !json_is_boolean(found))
        return psw_model_json_refuse(f, PSW_EDATA, row->key, "true or false", found, err);
    if (json_is_null(found) && row->how == NULL_IS_0)
        value = 0;
    else if (found && !is_bool && !json_is_number(found))
        return psw_model_json_refuse(f, PSW_EDATA, row->key, "a number", found, err);
    else if (found && leaf->type == PSW_LEAF_INT && json_number_value(found) == 0)
        return psw_model_json_refuse(f, PSW_EDATA, row->key, "a whole number above 0", found,
                                     err); /* of settings, 0 says that it follows from others */
    else if (found)
        value = is_bool ? json_is_true(found) : json_number_value(found);
    if (row->how == NEGATED) value = value == 0;
    return psw_model_json_set(f, row->key, psw_leaf_find(row->leaf), value, found, config, err);
}

static int is_value(const json_t *found, const char *value)
{
    json_t *wanted = json_loads(value, JSON_DECODE_ANY, NULL);
    const int same = json_is_number(found) && json_is_number(wanted)
                         ? json_number_value(found) == json_number_value(wanted)
                         : json_equal(found, wanted);
    json_decref(wanted);
    return same;
}

static psw_status check_fixed(const struct psw_model_json *f, struct psw_error *err)
{
    int n;
    const struct psw_model_fixed *fixed = psw_model_fixed(&n);
    for (int i = 0; i < n; i++) {
        const json_t *found = psw_model_json_get(f, fixed[i].key);
        char expected[VALUE_BYTES];
        if (!(fixed[i].types >> f->type & 1) || !found || is_value(found, fixed[i].value))
            continue;
        snprintf(expected, sizeof expected, "%s, the only one that is computed for %s",
                 fixed[i].value, PSW_MODEL_TYPES[f->type].name);
        return psw_model_json_refuse(f, PSW_EUNSUP, fixed[i].key, expected, found, err);
    }
    return PSW_OK;
}

static int family_of(const char *name)
{
    for (int i = 0; name && i < PSW_N_FAMILY; i++)
        if (!strcmp(psw_family_row((enum psw_family)i)->name, name)) return i;
    return -1;
}

/* Types of models that are known here and have a family. */
static psw_status find_type(struct psw_model_json *f, struct psw_error *err)
{
    const json_t *type = json_object_get(f->root, "model_type");
    char known[VALUE_BYTES] = "one of";
    for (int i = 0; i < PSW_N_MODEL_TYPE; i++) {
        const char *name = PSW_MODEL_TYPES[i].name;
        const size_t n = strlen(known);
        f->family = family_of(name);
        if (f->family < 0) continue;
        f->type = (enum psw_model_type_id)i;
        if (json_is_string(type) && !strcmp(json_string_value(type), name)) return PSW_OK;
        snprintf(known + n, sizeof known - n, " %s", name);
    }
    return psw_model_json_refuse(f, PSW_EUNSUP, "model_type", known, type, err);
}

/* Sizes that follow from others, so that settings say what there is. */
static psw_status complete(const struct psw_model_json *f, struct psw_config_model *m,
                           struct psw_error *err)
{
    char expected[VALUE_BYTES];
    snprintf(expected, sizeof expected, "a divisor of hidden_size, %lld", (long long)m->width);
    if (m->head_width == 0 && m->width % m->heads != 0)
        return psw_model_json_refuse(f, PSW_EDATA, "num_attention_heads", expected,
                                     psw_model_json_get(f, "num_attention_heads"), err);
    if (m->kv_heads == 0 && !psw_family_row((enum psw_family)m->family)->by_head)
        m->kv_heads = m->heads;
    if (m->head_width == 0) m->head_width = m->width / m->heads;
    return PSW_OK;
}

psw_status psw_model_json_settings(struct psw_model_json *f, struct psw_config_model *out,
                                   struct psw_error *err)
{
    int n;
    const struct psw_model_key *key = psw_model_keys(&n);
    struct psw_config config;
    psw_config_default(&config);
    psw_status rc = find_type(f, err);
    if (rc == PSW_OK) rc = check_fixed(f, err);
    config.model.family = f->family;
    for (int i = 0; rc == PSW_OK && i < n; i++) rc = read_key(f, &key[i], &config, err);
    if (rc == PSW_OK) rc = psw_model_json_rope(f, &config.model, err);
    if (rc == PSW_OK) rc = psw_model_json_window(f, &config.model, err);
    if (rc == PSW_OK) rc = complete(f, &config.model, err);
    if (rc == PSW_OK) *out = config.model;
    return rc;
}

psw_status psw_model_dir_read(const char *dir, struct psw_config_model *out,
                              struct psw_error *err)
{
    struct psw_model_json f = {0};
    psw_status rc = psw_path(f.path, sizeof f.path, err, "%s/config.json", dir);
    if (rc == PSW_OK) rc = psw_json_file(f.path, &f.root, err);
    if (rc == PSW_OK) rc = psw_model_json_settings(&f, out, err);
    json_decref(f.root);
    return rc;
}
