/* What the files of this module share: nearest names, the rule that a configuration breaks, the
 * tree of a YAML file, and a sweep file after parsing and before expansion. */
#ifndef PSW_CONFIG_INTERNAL_H
#define PSW_CONFIG_INTERNAL_H

#include <posweep/config/leaf.h>
#include <posweep/config/nearest.h>
#include <posweep/config/preset.h>
#include <posweep/config/sweep_file.h>

enum { PSW_SPEC_PLACE_BYTES = 320, PSW_RULE_KEYS = 8 };

/* --- leaf.c --- */

/** Where a path that is not absolute is looked for, in the words of messages. */
#define PSW_PATHS_START                                                                        \
    "relative paths start from the folder of the sweep file, then from $POSWEEP_DATA"

/* --- nearest.c --- */

/** Is `path` the proper front part of some leaf ("policy", "policy.negative")? */
int psw_leaf_is_section(const char *path);

/** The nearest section name, NULL when none is near. */
const char *psw_leaf_nearest_section(const char *path, char out[PSW_LEAF_COLUMN_BYTES]);

/* --- config.c --- */

/** One setting as in psw_config_json: "policy.beta": 0.1 */
void psw_config_json_leaf(FILE *out, const struct psw_leaf *leaf,
                          const struct psw_config *config);

/* --- validate.c --- */

/** A rule between leaves: the keys it speaks about, the likely culprit first; some may be none.
 */
struct psw_rule {
    const char *keys[PSW_RULE_KEYS];
    psw_status (*check)(const struct psw_config *config, struct psw_error *err);
};

/** As psw_config_validate, and says which rule was broken. */
psw_status psw_config_check(const struct psw_config *config, const struct psw_rule **broken,
                            struct psw_error *err);

/* --- yaml.c: a YAML file as a tree that knows places --- */

enum psw_yaml_kind { PSW_YAML_SCALAR, PSW_YAML_MAP, PSW_YAML_LIST };

/** Where something stands, from 1; line 0: not in the file. */
struct psw_place {
    int line, column;
};

struct psw_yaml {
    enum psw_yaml_kind kind;
    int quoted;
    struct psw_place at, key_at;
    char *text;             /* owned: scalars */
    char *key;              /* owned: entries of a map, else NULL */
    struct psw_yaml *child; /* owned [n_child] */
    int n_child;
};

/** Parse one document. `path` is for messages. Owns: psw_yaml_destroy. Errors: PSW_EINVAL with
 *  file:line:column; keys given twice, aliases and depth beyond 16 are refused. */
psw_status psw_yaml_parse(const char *path, const char *text, size_t n_bytes,
                          struct psw_yaml **out, struct psw_error *err);
void psw_yaml_destroy(struct psw_yaml *root);

/** The entry of a map, or NULL. */
const struct psw_yaml *psw_yaml_get(const struct psw_yaml *map, const char *key);

/** A scalar that says nothing: "", "~" or "null", unquoted. */
int psw_yaml_is_null(const struct psw_yaml *node);

/* --- document.c: several sweep files in one text --- */

/** The next document from *at on that says anything: [begin, stop); *at moves behind the line
 *  that ends it. 0: there is none. */
int psw_document_next(const char **at, const char *end, const char **begin, const char **stop);

/* --- settings.c, block.c, spec.c: a sweep file before expansion --- */

/** One `key: value`; what stands together is struct psw_settings. Borrows from the tree or from
 * argv. */
struct psw_setting {
    const struct psw_leaf *leaf;
    const char *text;
    struct psw_place at; /* of the value */
};

struct psw_settings {
    struct psw_setting *item; /* owned */
    int n;
    const struct psw_preset *preset; /* NULL: none */
    struct psw_place at, preset_at;
    const char *variant; /* except: only runs of this variant */
};

/** One dimension of a product: an axis, or a zip of several leaves. value[i * n_leaf + j]. */
struct psw_axis {
    struct psw_setting *value; /* owned */
    int n_leaf, n_value;
    struct psw_place at;
};

struct psw_variant {
    const char *name;
    struct psw_settings settings;
};

struct psw_block {
    struct psw_place at, except_at;
    struct psw_settings set;
    struct psw_axis *dim;        /* owned */
    struct psw_variant *variant; /* owned */
    struct psw_settings *except; /* owned */
    int n_dim, n_variant, n_except;
};

struct psw_spec {
    const char *path;          /* borrowed */
    char folder[PSW_CFG_PATH]; /* absolute, of the file */
    char name[PSW_NAME_BYTES];
    struct psw_yaml *root;    /* owned */
    struct psw_settings base; /* with limits */
    struct psw_settings sets; /* from --set */
    struct psw_block *block;  /* owned */
    int64_t *seed;            /* owned */
    int n_block, n_seed;
    struct psw_place seeds_at;
    struct psw_seed_plan seed_plan;
    struct psw_stop_rule stop; /* grace 0: to be found */
};

/** Fail with "file:line:column: " before the message; without the place where line is 0. */
psw_status psw_spec_fail(const struct psw_spec *spec, struct psw_place at,
                         struct psw_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Read a map of settings, dotted or nested, below `prefix` into settings, after what they
 * hold; `preset` and `variant` are understood where the flags say so. Null is an empty map.
 * Owns: psw_settings_clear. */
enum psw_settings_flag { PSW_SETTINGS_PRESET = 1, PSW_SETTINGS_VARIANT = 2 };
psw_status psw_settings_read(const struct psw_spec *spec, const struct psw_yaml *map,
                             const char *prefix, unsigned flags, struct psw_settings *out,
                             struct psw_error *err);

/** Append; a leaf given twice is refused. */
psw_status psw_settings_add(const struct psw_spec *spec, struct psw_setting setting,
                            struct psw_settings *settings, struct psw_error *err);

/** The preset that a scalar names. */
psw_status psw_preset_read(const struct psw_spec *spec, const struct psw_yaml *node,
                           struct psw_settings *out, struct psw_error *err);
void psw_settings_clear(struct psw_settings *settings);

/** The setting of a leaf among them, or NULL. */
const struct psw_setting *psw_settings_find(const struct psw_settings *settings,
                                            const struct psw_leaf *leaf);

/** Does the preset set this leaf? NULL presets set nothing. */
int psw_preset_sets(const struct psw_preset *preset, const struct psw_leaf *leaf);

/** Type and range of a setting, tried on a scratch configuration. */
psw_status psw_setting_check(const struct psw_spec *spec, const struct psw_setting *setting,
                             struct psw_error *err);

/** Read one value of a leaf, type and range checked. */
psw_status psw_setting_read(const struct psw_spec *spec, const struct psw_leaf *leaf,
                            const struct psw_yaml *value, struct psw_setting *out,
                            struct psw_error *err);

/** Find the leaf of a key; on a fault says what is nearest. */
psw_status psw_setting_leaf(const struct psw_spec *spec, const char *path, struct psw_place at,
                            const struct psw_leaf **out, struct psw_error *err);

/** What is done with each leaf found in a map; keys `skip` and `skip_too` at the top are left
 * to the caller. */
struct psw_visitor {
    psw_status (*visit)(const struct psw_spec *spec, const struct psw_leaf *leaf,
                        const struct psw_yaml *value, void *ctx, struct psw_error *err);
    void *ctx;
    const char *skip, *skip_too; /* NULL: none */
};

/** Visit the leaves of a map below `prefix` ("" at the top); unknown keys are refused. */
psw_status psw_settings_walk(const struct psw_spec *spec, const struct psw_yaml *map,
                             const char *prefix, const struct psw_visitor *visitor,
                             struct psw_error *err);

/** Refuse entries of a map that are none of the n parts, naming the nearest; settings are told
 * where they belong. */
psw_status psw_parts_check(const struct psw_spec *spec, const struct psw_yaml *map,
                           const char *const *parts, int n, const char *home,
                           struct psw_error *err);

psw_status psw_block_read(const struct psw_spec *spec, const struct psw_yaml *node,
                          struct psw_block *out, struct psw_error *err);
void psw_block_clear(struct psw_block *block);

/** Parse and check a file. Borrows text only during the call. Owns: psw_spec_destroy. */
psw_status psw_spec_read(const char *path, const char *text, size_t n_bytes,
                         struct psw_spec **out, struct psw_error *err);

/** Then, always: take the --set "key=value" in (n_sets may be 0), and settle the seeds. Borrows
 * sets. */
psw_status psw_spec_override(struct psw_spec *spec, const char *const *sets, int n_sets,
                             struct psw_error *err);
void psw_spec_destroy(struct psw_spec *spec);

/* --- seed_plan.c --- */

/** `replicates` as a map. Errors: PSW_EINVAL with the place. */
psw_status psw_seed_plan_read(const struct psw_spec *spec, const struct psw_yaml *map,
                              struct psw_seed_plan *out, struct psw_error *err);
/** Whether the sweep has what its plan compares. */
/** `stop:`; and what it takes of the runs, which sets sweep->stop. Errors: PSW_EINVAL with the
 *  place. */
psw_status psw_stop_rule_read(const struct psw_spec *spec, struct psw_stop_rule *out,
                              struct psw_error *err);
psw_status psw_stop_rule_check(const struct psw_spec *spec, struct psw_sweep *sweep,
                               struct psw_error *err);
psw_status psw_seed_plan_check(const struct psw_sweep *sweep, struct psw_error *err);

/* --- family_plan.c --- */

struct psw_family_plan; /* config/family_plan.h */

/** `families`, if there are any. Errors: PSW_EINVAL with the place; PSW_ENOMEM. */
psw_status psw_family_plan_read(const struct psw_spec *spec, struct psw_family_plan *out,
                                struct psw_error *err);
/** Whether the sweep has the variants that they name. */
psw_status psw_family_plan_check(const struct psw_spec *spec, const struct psw_sweep *sweep,
                                 struct psw_error *err);

/* --- from a sweep file to its runs --- */

/** run_set.c: the sweep's own copy of a variant's name. NULL: no memory. */
const char *psw_run_set_variant(struct psw_sweep *sweep, const char *name);

/** run_set.c: psw_sweep.hash, and the list of swept settings, anew from the runs. Errors:
 *  PSW_ENOMEM. */
psw_status psw_run_set_hash(struct psw_sweep *sweep, struct psw_error *err);
psw_status psw_run_set_swept(struct psw_sweep *sweep, struct psw_error *err);

/** warning.c: add a warning; beyond 32 they are dropped. */
psw_status psw_sweep_add_warning(struct psw_sweep *sweep, struct psw_error *err,
                                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/** lint.c: warn of what is allowed and yet seldom meant. */
psw_status psw_sweep_warn(struct psw_sweep *sweep, const char *path, struct psw_error *err);

/* --- model_from.c: sizes of a model come from its folder --- */

/** The folders that were read for a sweep, each once. */
struct psw_model_dirs;
struct psw_model_dirs *psw_model_dirs_create(void);
void psw_model_dirs_destroy(struct psw_model_dirs *dirs);

/** Give a configuration with model.from the model's settings of that folder, the identity of
 *  its weights and, unless data.tokenizer is given, its tokenizer. is_given [leaves]: what the
 * sweep file says must say the same; the context may be shorter. Errors: *culprit is the leaf
 * that says something else, or model.from; PSW_EINVAL with both values, those of
 * psw_model_dir_read and _hash. */
psw_status psw_model_from(struct psw_model_dirs *dirs, const uint8_t *is_given,
                          struct psw_config *config, const struct psw_leaf **culprit,
                          struct psw_error *err);

/** expand.c: fill run, hash, swept and warning of an empty sweep. */
psw_status psw_spec_expand(const struct psw_spec *spec, struct psw_sweep *sweep,
                           struct psw_error *err);

#endif
