/* A sweep file before expansion: its top-level parts and the overrides of the command line. */
#include "config_internal.h"

#include <libgen.h>
#include <posweep/config/family_plan.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>

static const char *const PARTS[] = {"name",  "base",   "blocks",   "replicates",
                                    "seeds", "limits", "families", "stop"};
enum { N_PART = sizeof PARTS / sizeof PARTS[0], MAX_SEEDS = 10000 };

static psw_status read_folder(const char *path, char out[PSW_CFG_PATH], struct psw_error *err)
{
    char copy[PSW_PATH_BYTES];
    psw_status rc = psw_path(copy, sizeof copy, err, "%s", path);
    if (rc != PSW_OK) return rc;
    char *absolute = realpath(dirname(copy), NULL);
    rc = psw_path(out, PSW_CFG_PATH, err, "%s", absolute ? absolute : copy);
    free(absolute);
    return rc;
}

/* `name:`, or else the file's name without its ending. */
static psw_status read_name(struct psw_spec *spec, struct psw_error *err)
{
    const struct psw_yaml *node = psw_yaml_get(spec->root, "name");
    char copy[PSW_PATH_BYTES];
    const char *name;
    if (node) {
        if (node->kind != PSW_YAML_SCALAR)
            return psw_spec_fail(spec, node->at, err, "name: expected text");
        name = node->text;
    } else {
        snprintf(copy, sizeof copy, "%s", spec->path);
        char *base = basename(copy), *dot = strrchr(base, '.');
        if (dot && dot != base) *dot = 0;
        name = base;
    }
    const size_t n = strlen(name);
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-.";
    if (n == 0 || n >= PSW_NAME_BYTES || strspn(name, ALLOWED) != n)
        return psw_spec_fail(spec, node ? node->at : (struct psw_place){0, 0}, err,
                             "name \"%.80s\": expected letters, digits, _ - and ., below %d "
                             "characters",
                             name, PSW_NAME_BYTES);
    memcpy(spec->name, name, n);
    return PSW_OK;
}

static psw_status read_whole(const struct psw_spec *spec, const char *what, const char *text,
                             struct psw_place at, int64_t lo, int64_t *out,
                             struct psw_error *err)
{
    char *end;
    const long long value = strtoll(text, &end, 10);
    if (text[0] && strspn(text, "0123456789") == strlen(text) && strlen(text) < 16 &&
        value >= lo) {
        *out = value;
        return PSW_OK;
    }
    return psw_spec_fail(spec, at, err, "%s: expected a whole number >= %lld, found \"%.80s\"",
                         what, (long long)lo, text);
}

static psw_status set_seeds(struct psw_spec *spec, int64_t n, struct psw_error *err)
{
    if (n < 1 || n > MAX_SEEDS)
        return psw_spec_fail(spec, spec->seeds_at, err, "%lld seeds: expected 1 to %d",
                             (long long)n, MAX_SEEDS);
    free(spec->seed);
    spec->seed = calloc((size_t)n, sizeof *spec->seed);
    if (!spec->seed)
        return psw_fail(err, PSW_ENOMEM, "%s: %lld seeds", spec->path, (long long)n);
    spec->n_seed = (int)n;
    for (int i = 0; i < spec->n_seed; i++) spec->seed[i] = i + 1;
    return PSW_OK;
}

static psw_status read_seed_list(struct psw_spec *spec, const struct psw_yaml *list,
                                 struct psw_error *err)
{
    psw_status rc;
    if (list->kind != PSW_YAML_LIST || list->n_child == 0)
        return psw_spec_fail(spec, list->at, err,
                             "seeds: expected a list of whole numbers, [1, 2, 3]");
    if ((rc = set_seeds(spec, list->n_child, err)) != PSW_OK) return rc;
    for (int i = 0; i < spec->n_seed; i++) {
        const struct psw_yaml *item = &list->child[i];
        rc = read_whole(spec, "seeds", item->kind == PSW_YAML_SCALAR ? item->text : "",
                        item->at, 0, &spec->seed[i], err);
        if (rc != PSW_OK) return rc;
        for (int j = 0; j < i; j++)
            if (spec->seed[j] == spec->seed[i])
                return psw_spec_fail(spec, item->at, err, "seed %lld is given twice",
                                     (long long)spec->seed[i]);
    }
    return PSW_OK;
}

static psw_status read_replicates(struct psw_spec *spec, const char *text, struct psw_place at,
                                  struct psw_error *err)
{
    int64_t n = 0;
    const psw_status rc = read_whole(spec, "replicates", text, at, 1, &n, err);
    spec->seed_plan = (struct psw_seed_plan){.batch = 0}; /* a count takes its place */
    return rc == PSW_OK ? set_seeds(spec, n, err) : rc;
}

/* Seeds come from one place: seeds, replicates, or the seed of base or --set. */
static psw_status read_seeds(struct psw_spec *spec, struct psw_error *err)
{
    const struct psw_yaml *list = psw_yaml_get(spec->root, "seeds");
    const struct psw_yaml *count = psw_yaml_get(spec->root, "replicates");
    const struct psw_yaml *node = list ? list : count;
    if (node) spec->seeds_at = node->at;
    if (list && count)
        return psw_spec_fail(spec, count->at, err,
                             "contradictory: replicates and seeds (line %d)", list->at.line);
    if (list) return read_seed_list(spec, list, err);
    if (count && count->kind == PSW_YAML_MAP) {
        const psw_status rc = psw_seed_plan_read(spec, count, &spec->seed_plan, err);
        return rc == PSW_OK ? set_seeds(spec, spec->seed_plan.batch, err) : rc;
    }
    if (count && count->kind != PSW_YAML_SCALAR)
        return psw_spec_fail(spec, count->at, err, "replicates: expected a whole number >= 1");
    return count ? read_replicates(spec, count->text, count->at, err) : PSW_OK;
}

static psw_status settle_seeds(struct psw_spec *spec, struct psw_error *err)
{
    const struct psw_leaf *leaf = psw_leaf_find("seed");
    const struct psw_setting *base = psw_settings_find(&spec->base, leaf);
    const struct psw_setting *set = psw_settings_find(&spec->sets, leaf);
    struct psw_config config;
    if (spec->n_seed > 0 && (base || set))
        return psw_spec_fail(spec, base ? base->at : spec->seeds_at, err,
                             "contradictory: seed is given besides seeds or replicates");
    if (spec->n_seed > 0) return PSW_OK;
    psw_config_default(&config);
    if (base || set) {
        const psw_status rc =
            psw_leaf_set(leaf, (set ? set : base)->text, spec->folder, &config, err);
        if (rc != PSW_OK) return rc;
    }
    const psw_status rc = set_seeds(spec, 1, err);
    if (rc == PSW_OK) spec->seed[0] = config.seed;
    return rc;
}

/* `limits:` is base.limits written at the top. */
static psw_status read_base(struct psw_spec *spec, struct psw_error *err)
{
    const struct psw_yaml *base = psw_yaml_get(spec->root, "base");
    const struct psw_yaml *limits = psw_yaml_get(spec->root, "limits");
    psw_status rc = PSW_OK;
    if (base) rc = psw_settings_read(spec, base, "", PSW_SETTINGS_PRESET, &spec->base, err);
    if (rc == PSW_OK && limits)
        rc = psw_settings_read(spec, limits, "limits", 0, &spec->base, err);
    return rc;
}

static psw_status read_blocks(struct psw_spec *spec, struct psw_error *err)
{
    static const struct psw_yaml EMPTY = {.kind = PSW_YAML_MAP, .at = {1, 1}};
    const struct psw_yaml *list = psw_yaml_get(spec->root, "blocks");
    const int n = list ? list->n_child : 1;
    if (list && (list->kind != PSW_YAML_LIST || n == 0))
        return psw_spec_fail(spec, list->at, err,
                             "blocks: expected a list, \"- {set: ..., axes: ...}\"");
    spec->block = calloc((size_t)n, sizeof *spec->block);
    if (!spec->block) return psw_fail(err, PSW_ENOMEM, "%s: %d blocks", spec->path, n);
    for (int i = 0; i < n; i++) {
        struct psw_block *block = &spec->block[spec->n_block++];
        const psw_status rc = psw_block_read(spec, list ? &list->child[i] : &EMPTY, block, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

/* Where a block gives this leaf again; line 0 when it does not. */
static struct psw_place given_by_block(const struct psw_block *block,
                                       const struct psw_leaf *leaf)
{
    const struct psw_setting *own = psw_settings_find(&block->set, leaf);
    if (own) return own->at;
    if (psw_preset_sets(block->set.preset, leaf)) return block->set.preset_at;
    for (int i = 0; i < block->n_dim; i++)
        for (int j = 0; j < block->dim[i].n_leaf; j++)
            if (block->dim[i].value[j].leaf == leaf) return block->dim[i].value[j].at;
    for (int i = 0; i < block->n_variant; i++) {
        const struct psw_settings *settings = &block->variant[i].settings;
        if ((own = psw_settings_find(settings, leaf))) return own->at;
        if (psw_preset_sets(settings->preset, leaf)) return settings->preset_at;
    }
    return (struct psw_place){0, 0};
}

static psw_status check_sets(const struct psw_spec *spec, struct psw_error *err)
{
    for (int i = 0; i < spec->sets.n; i++)
        for (int b = 0; b < spec->n_block; b++) {
            const struct psw_leaf *leaf = spec->sets.item[i].leaf;
            const struct psw_place at = given_by_block(&spec->block[b], leaf);
            if (at.line > 0)
                return psw_spec_fail(spec, at, err,
                                     "contradictory: --set %s=%s, but block %d gives it again "
                                     "here; edit the file",
                                     leaf->path, spec->sets.item[i].text, b + 1);
        }
    return PSW_OK;
}

static psw_status read_set(struct psw_spec *spec, const char *text, struct psw_error *err)
{
    char key[PSW_LEAF_COLUMN_BYTES];
    const struct psw_place nowhere = {0, 0};
    const struct psw_leaf *leaf;
    const char *equal = strchr(text, '=');
    if (!equal || equal == text || equal - text >= (int)sizeof key)
        return psw_spec_fail(spec, nowhere, err, "expected key=value");
    snprintf(key, sizeof key, "%.*s", (int)(equal - text), text);
    if (strcmp(key, "replicates") == 0) {
        if (psw_yaml_get(spec->root, "seeds"))
            return psw_spec_fail(spec, spec->seeds_at, err,
                                 "contradictory: the file gives seeds");
        return read_replicates(spec, equal + 1, nowhere, err);
    }
    psw_status rc = psw_setting_leaf(spec, key, nowhere, &leaf, err);
    if (rc != PSW_OK) return rc;
    const struct psw_setting *first = psw_settings_find(&spec->sets, leaf);
    if (first)
        return psw_spec_fail(spec, nowhere, err, "contradictory: also --set %s=%s", key,
                             first->text);
    const struct psw_setting setting = {leaf, equal + 1, nowhere};
    rc = psw_setting_check(spec, &setting, err);
    return rc == PSW_OK ? psw_settings_add(spec, setting, &spec->sets, err) : rc;
}

psw_status psw_spec_override(struct psw_spec *spec, const char *const *sets, int n_sets,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int i = 0; rc == PSW_OK && i < n_sets; i++) {
        rc = read_set(spec, sets[i], err);
        if (rc != PSW_OK) psw_error_prefix(err, "--set %.100s", sets[i]);
    }
    if (rc == PSW_OK) rc = settle_seeds(spec, err);
    return rc == PSW_OK ? check_sets(spec, err) : rc;
}

/* They are read again where tests are made (psw_family_plan_parse). */
static psw_status check_families(const struct psw_spec *spec, struct psw_error *err)
{
    struct psw_family_plan plan = {0};
    const psw_status rc = psw_family_plan_read(spec, &plan, err);
    psw_family_plan_clear(&plan);
    return rc;
}

psw_status psw_spec_read(const char *path, const char *text, size_t n_bytes,
                         struct psw_spec **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_spec *spec = calloc(1, sizeof *spec);
    if (!spec) return psw_fail(err, PSW_ENOMEM, "%s", path);
    spec->path = path;
    PSW_TRY(read_folder(path, spec->folder, err));
    PSW_TRY(psw_yaml_parse(path, text, n_bytes, &spec->root, err));
    if (spec->root->kind != PSW_YAML_MAP) {
        rc = psw_spec_fail(
            spec, spec->root->at, err,
            "expected a map of name, base, blocks, replicates, seeds, limits, families, stop");
        goto fail;
    }
    PSW_TRY(psw_parts_check(spec, spec->root, PARTS, N_PART, "base, or a block's set", err));
    PSW_TRY(read_name(spec, err));
    PSW_TRY(read_base(spec, err));
    PSW_TRY(read_seeds(spec, err));
    PSW_TRY(read_blocks(spec, err));
    PSW_TRY(psw_stop_rule_read(spec, &spec->stop, err));
    PSW_TRY(check_families(spec, err));
    *out = spec;
    return PSW_OK;
fail:
    psw_spec_destroy(spec);
    return rc;
}

void psw_spec_destroy(struct psw_spec *spec)
{
    if (!spec) return;
    for (int i = 0; i < spec->n_block; i++) psw_block_clear(&spec->block[i]);
    psw_settings_clear(&spec->base);
    psw_settings_clear(&spec->sets);
    psw_yaml_destroy(spec->root);
    free(spec->block);
    free(spec->seed);
    free(spec);
}
