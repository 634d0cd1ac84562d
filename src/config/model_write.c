/* config.json from settings, by the tables that read it. */
#include "model_dir_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest digits that read back to the same numbers. */
static psw_status dump(const json_t *root, char **out, struct psw_error *err)
{
    char *text = NULL;
    for (int digits = 15; digits <= 17; digits++) {
        free(text);
        text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION((size_t)digits));
        json_t *back = text ? json_loads(text, 0, NULL) : NULL;
        const int same = json_equal(root, back);
        json_decref(back);
        if (same) break;
    }
    if (!text) return psw_fail(err, PSW_ENOMEM, "config.json: no memory");
    *out = text;
    return PSW_OK;
}

/* Sizes that the settings leave open. */
static void complete(struct psw_config_model *m, int64_t n_vocab)
{
    if (!m->kv_heads) m->kv_heads = m->heads;
    if (!m->head_width) m->head_width = m->width / m->heads;
    if (!m->hidden) m->hidden = 4 * m->width;
    m->vocab = n_vocab;
}

static json_t *value_of(const struct psw_model_key *key, const struct psw_config *config)
{
    const struct psw_leaf *leaf = psw_leaf_find(key->leaf);
    const double value = psw_leaf_number(leaf, config);
    if (key->how == NULL_IS_0 && value == 0) return json_null();
    if (leaf->type == PSW_LEAF_BOOL) return json_boolean((key->how == NEGATED) != (value != 0));
    return leaf->type == PSW_LEAF_INT ? json_integer((json_int_t)value) : json_real(value);
}

static int type_of(const struct psw_config_model *m)
{
    const char *family = psw_family_row((enum psw_family)m->family)->name;
    for (int i = 0; i < PSW_N_MODEL_TYPE; i++)
        if (!strcmp(PSW_MODEL_TYPES[i].name, family)) return i;
    return -1;
}

/* A config.json of the settings alone. */
static psw_status from_settings(const struct psw_config *config, json_t *root, int type,
                                struct psw_error *err)
{
    int n_key, n_fixed;
    const struct psw_model_key *key = psw_model_keys(&n_key);
    const struct psw_model_fixed *fixed = psw_model_fixed(&n_fixed);
    const struct psw_config_model *m = &config->model;
    int says_head_width = 0;
    for (int i = 0; i < n_key; i++) {
        if (isnan(key[i].fallback[type])) continue;
        json_object_set_new(root, key[i].key, value_of(&key[i], config));
        says_head_width |= !strcmp(key[i].leaf, "model.head_width");
    }
    for (int i = 0; i < n_fixed; i++)
        if ((fixed[i].types >> type & 1) && strcmp(fixed[i].value, "null") != 0)
            json_object_set_new(root, fixed[i].key,
                                json_loads(fixed[i].value, JSON_DECODE_ANY, NULL));
    psw_model_json_put_rope(m, root);
    if (QWENS >> type & 1) psw_model_json_put_window(m, root);
    if (says_head_width || m->head_width * m->heads == m->width) return PSW_OK;
    return psw_fail(err, PSW_EUNSUP,
                    "config.json of %s cannot say model.head_width %lld: model.width %lld over "
                    "model.heads %lld is meant there",
                    PSW_MODEL_TYPES[type].name, (long long)m->head_width, (long long)m->width,
                    (long long)m->heads);
}

/* Types of older and of newer readers, of those that the file has. */
static void set_dtype(json_t *root, const char *dtype)
{
    if (json_object_get(root, "dtype")) json_object_set_new(root, "dtype", json_string(dtype));
    if (!json_object_get(root, "dtype") || json_object_get(root, "torch_dtype"))
        json_object_set_new(root, "torch_dtype", json_string(dtype));
}

static void set_facts(json_t *root, int type, const struct psw_model_facts *facts)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s", PSW_MODEL_TYPES[type].architecture,
             facts->is_classifier ? "ForSequenceClassification" : "ForCausalLM");
    json_object_set_new(root, "architectures", json_pack("[s]", name));
    set_dtype(root, facts->dtype);
    if (!facts->is_classifier) return;
    json_object_set_new(root, "id2label", json_pack("{s:s}", "0", "LABEL_0"));
    json_object_set_new(root, "label2id", json_pack("{s:i}", "LABEL_0", 0));
}

psw_status psw_model_dir_write(const struct psw_config *config,
                               const struct psw_model_facts *facts, char **out,
                               struct psw_error *err)
{
    char path[PSW_CFG_PATH + 32];
    psw_status rc = PSW_OK;
    json_t *root = NULL;
    struct psw_config whole = *config;
    complete(&whole.model, facts->n_vocab);
    const int type = type_of(&whole.model);
    if (type < 0)
        return psw_fail(err, PSW_EUNSUP, "model.family %s has no config.json",
                        psw_family_row((enum psw_family)config->model.family)->name);
    if (config->model.from[0]) {
        PSW_TRY(psw_path(path, sizeof path, err, "%s/config.json", config->model.from));
        PSW_TRY(psw_json_file(path, &root, err));
    } else {
        root = json_pack("{s:s}", "model_type", PSW_MODEL_TYPES[type].name);
        if (!root) PSW_TRY(psw_fail(err, PSW_ENOMEM, "config.json: no memory"));
        PSW_TRY(from_settings(&whole, root, type, err));
        if (facts->eos >= 0)
            json_object_set_new(root, "eos_token_id", json_integer(facts->eos));
    }
    set_facts(root, type, facts);
    rc = dump(root, out, err);
fail:
    json_decref(root);
    return rc;
}

psw_status psw_model_dir_retype(const char *path, const char *dtype, char **out,
                                struct psw_error *err)
{
    json_t *root = NULL;
    psw_status rc = psw_json_file(path, &root, err);
    if (rc != PSW_OK) return rc;
    set_dtype(root, dtype);
    rc = dump(root, out, err);
    json_decref(root);
    return rc;
}
