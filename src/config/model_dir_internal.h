/* What the files of model_dir share: a config.json that is being read. */
#ifndef PSW_MODEL_DIR_INTERNAL_H
#define PSW_MODEL_DIR_INTERNAL_H

#include <jansson.h>
#include <posweep/config/leaves.h>
#include <posweep/config/model_dir.h>

enum psw_model_type_id {
    PSW_MODEL_TYPE_NEOX,
    PSW_MODEL_TYPE_LLAMA,
    PSW_MODEL_TYPE_MISTRAL,
    PSW_MODEL_TYPE_QWEN2,
    PSW_MODEL_TYPE_QWEN3,
    PSW_N_MODEL_TYPE
};

/* As bits. */
enum {
    NEOX = 1 << PSW_MODEL_TYPE_NEOX,
    LLAMA = 1 << PSW_MODEL_TYPE_LLAMA,
    MISTRAL = 1 << PSW_MODEL_TYPE_MISTRAL,
    QWEN2 = 1 << PSW_MODEL_TYPE_QWEN2,
    QWEN3 = 1 << PSW_MODEL_TYPE_QWEN3,
    QWENS = QWEN2 | QWEN3,
    LLAMAS = LLAMA | MISTRAL | QWENS
};

/** A key that is a setting, and its default in each type of model; NAN: none has it there. */
struct psw_model_key {
    const char *key, *also; /* another name of it */
    const char *leaf;
    enum { AS_IS, NULL_IS_0, NEGATED } how;
    double fallback[PSW_N_MODEL_TYPE];
};

/** A key of which one value can be computed; it is also the default. */
struct psw_model_fixed {
    const char *key, *value; /* as JSON */
    unsigned types;          /* bits */
};

struct psw_model_type {
    const char *name;         /* model_type; also the family's */
    const char *architecture; /* what its classes begin with */
};
extern const struct psw_model_type PSW_MODEL_TYPES[PSW_N_MODEL_TYPE];
const struct psw_model_key *psw_model_keys(int *n);
const struct psw_model_fixed *psw_model_fixed(int *n);

/** A config.json. */
struct psw_model_json {
    char path[PSW_CFG_PATH + 32];
    json_t *root; /* owned */
    enum psw_model_type_id type;
    int family; /* enum psw_family */
};

/** The value of a key, NULL where it is not given. Newer files keep what is of the rotary
 *  positions in rope_parameters. */
const json_t *psw_model_json_get(const struct psw_model_json *f, const char *key);

/** Read JSON that must be an object. Owns: json_decref. Errors: PSW_ENOENT, PSW_EIO; PSW_EDATA
 *  with the place. */
psw_status psw_json_file(const char *path, json_t **out, struct psw_error *err);

/** Fail with file, key, what was expected and found (NULL: nothing). Returns code. */
psw_status psw_model_json_refuse(const struct psw_model_json *f, psw_status code,
                                 const char *key, const char *expected, const json_t *found,
                                 struct psw_error *err);

/** Set a leaf to what a key says, held against its type and range; found is what the file has.
 *  Errors: PSW_EDATA. */
psw_status psw_model_json_set(const struct psw_model_json *f, const char *key,
                              const struct psw_leaf *leaf, double value, const json_t *found,
                              struct psw_config *config, struct psw_error *err);

/** The kind of rotary positions. */
psw_status psw_model_json_rope(const struct psw_model_json *f, struct psw_config_model *out,
                               struct psw_error *err);

/** The window of attention, where it is not a plain key; one that some layers have and others
 *  not is refused. */
psw_status psw_model_json_window(const struct psw_model_json *f, struct psw_config_model *out,
                                 struct psw_error *err);

/** Say both in a config.json that is being made. */
void psw_model_json_put_rope(const struct psw_config_model *model, json_t *root);
void psw_model_json_put_window(const struct psw_config_model *model, json_t *root);

/** All settings; f has path and root. Errors: those of psw_model_dir_read. */
psw_status psw_model_json_settings(struct psw_model_json *f, struct psw_config_model *out,
                                   struct psw_error *err);

#endif
