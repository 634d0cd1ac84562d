/* One block of a sweep file: set, axes, zip, variants, except, and what may not be said twice.
 */
#include "config_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const PARTS[] = {"set", "axes", "zip", "variants", "except"};
enum { N_PART = sizeof PARTS / sizeof PARTS[0], MAX_COLUMNS = 64 };
static const char VANILLA[] = "vanilla";

/* The `leaf: [values]` of an axes or zip map, before the values are read. */
struct columns {
    const struct psw_leaf *leaf[MAX_COLUMNS];
    const struct psw_yaml *list[MAX_COLUMNS];
    int n;
};

static psw_status add_column(const struct psw_spec *spec, const struct psw_leaf *leaf,
                             const struct psw_yaml *value, void *ctx, struct psw_error *err)
{
    struct columns *columns = ctx;
    if (!(leaf->flags & PSW_CFG_AXIS))
        return psw_spec_fail(spec, value->key_at, err, "%s cannot be an axis: %s", leaf->path,
                             strcmp(leaf->path, "seed") == 0
                                 ? "use seeds or replicates"
                                 : "it does not change what a run computes");
    if (value->kind != PSW_YAML_LIST)
        return psw_spec_fail(spec, value->at, err, "axis %s: expected a list of values, [a, b]",
                             leaf->path);
    if (value->n_child == 0)
        return psw_spec_fail(spec, value->at, err, "axis %s is empty", leaf->path);
    for (int i = 0; i < columns->n; i++)
        if (columns->leaf[i] == leaf)
            return psw_spec_fail(spec, value->key_at, err,
                                 "%s is given twice, first in line %d", leaf->path,
                                 columns->list[i]->key_at.line);
    if (columns->n == MAX_COLUMNS)
        return psw_spec_fail(spec, value->at, err, "more than %d axes", MAX_COLUMNS);
    columns->leaf[columns->n] = leaf;
    columns->list[columns->n++] = value;
    return PSW_OK;
}

/* Append a dimension made of columns first .. first + n - 1, which advance together. */
static psw_status add_dim(const struct psw_spec *spec, const struct columns *columns, int first,
                          int n, struct psw_block *out, struct psw_error *err)
{
    const int n_value = columns->list[first]->n_child;
    struct psw_axis *grown = realloc(out->dim, ((size_t)out->n_dim + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: %d axes", spec->path, out->n_dim + 1);
    out->dim = grown;
    struct psw_axis *dim = &grown[out->n_dim];
    *dim = (struct psw_axis){.n_leaf = n, .n_value = n_value};
    dim->at = columns->list[first]->key_at;
    dim->value = calloc((size_t)n * (size_t)n_value, sizeof *dim->value);
    if (!dim->value) return psw_fail(err, PSW_ENOMEM, "%s: %d values", spec->path, n * n_value);
    out->n_dim++;
    for (int j = 0; j < n; j++) {
        const struct psw_yaml *list = columns->list[first + j];
        if (list->n_child != n_value)
            return psw_spec_fail(spec, list->key_at, err,
                                 "zip of unequal lengths: %s has %d values, %s has %d",
                                 columns->leaf[first]->path, n_value,
                                 columns->leaf[first + j]->path, list->n_child);
        for (int i = 0; i < n_value; i++) {
            const psw_status rc = psw_setting_read(
                spec, columns->leaf[first + j], &list->child[i], &dim->value[i * n + j], err);
            if (rc != PSW_OK) return rc;
        }
    }
    return PSW_OK;
}

static psw_status read_axes(const struct psw_spec *spec, const struct psw_yaml *map,
                            struct psw_block *out, struct psw_error *err)
{
    struct columns columns = {.n = 0};
    const struct psw_visitor visitor = {.visit = add_column, .ctx = &columns};
    psw_status rc = psw_settings_walk(spec, map, "", &visitor, err);
    for (int i = 0; rc == PSW_OK && i < columns.n; i++)
        rc = add_dim(spec, &columns, i, 1, out, err);
    return rc;
}

static psw_status read_zip(const struct psw_spec *spec, const struct psw_yaml *map,
                           struct psw_block *out, struct psw_error *err)
{
    struct columns columns = {.n = 0};
    const struct psw_visitor visitor = {.visit = add_column, .ctx = &columns};
    const psw_status rc = psw_settings_walk(spec, map, "", &visitor, err);
    if (rc != PSW_OK || columns.n == 0) return rc;
    return add_dim(spec, &columns, 0, columns.n, out, err);
}

static psw_status read_zips(const struct psw_spec *spec, const struct psw_yaml *node,
                            struct psw_block *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (node->kind != PSW_YAML_LIST) return read_zip(spec, node, out, err);
    for (int i = 0; rc == PSW_OK && i < node->n_child; i++)
        rc = read_zip(spec, &node->child[i], out, err);
    return rc;
}

static psw_status check_variant_name(const struct psw_spec *spec, const char *name,
                                     struct psw_place at, struct psw_error *err)
{
    const size_t n = strlen(name);
    if (n > 0 && n < PSW_VARIANT_BYTES &&
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n)
        return PSW_OK;
    return psw_spec_fail(spec, at, err,
                         "variant \"%.80s\": expected a name of a-z, 0-9 and _, below %d "
                         "characters",
                         name, PSW_VARIANT_BYTES);
}

/* An entry of a map is `name: settings`; one of a list is the name of a preset, or vanilla. */
static psw_status read_variant(const struct psw_spec *spec, const struct psw_yaml *entry,
                               struct psw_variant *out, struct psw_error *err)
{
    const int in_map = entry->key != NULL;
    if (!in_map && entry->kind != PSW_YAML_SCALAR)
        return psw_spec_fail(spec, entry->at, err,
                             "variants: expected the name of a preset in this list; settings "
                             "go into a map, without the \"-\": variants: {name: {settings}}");
    out->name = in_map ? entry->key : entry->text;
    out->settings.at = in_map ? entry->key_at : entry->at;
    psw_status rc = check_variant_name(spec, out->name, out->settings.at, err);
    if (rc != PSW_OK) return rc;
    if (in_map)
        rc = psw_settings_read(spec, entry, "", PSW_SETTINGS_PRESET, &out->settings, err);
    else if (strcmp(out->name, VANILLA) != 0)
        rc = psw_preset_read(spec, entry, &out->settings, err);
    out->settings.at = in_map ? entry->key_at : entry->at;
    return rc;
}

static psw_status read_variants(const struct psw_spec *spec, const struct psw_yaml *node,
                                struct psw_block *out, struct psw_error *err)
{
    const int n = node ? node->n_child : 1;
    if (node && node->kind == PSW_YAML_SCALAR)
        return psw_spec_fail(spec, node->at, err,
                             "variants: expected a map \"name: {settings}\", or a list of "
                             "preset names");
    if (n == 0) return psw_spec_fail(spec, node->at, err, "variants is empty");
    out->variant = calloc((size_t)n, sizeof *out->variant);
    if (!out->variant) return psw_fail(err, PSW_ENOMEM, "%s: %d variants", spec->path, n);
    out->n_variant = n;
    if (!node) {
        out->variant[0].name = VANILLA;
        out->variant[0].settings.at = out->at;
        return PSW_OK;
    }
    for (int i = 0; i < n; i++) {
        const psw_status rc = read_variant(spec, &node->child[i], &out->variant[i], err);
        if (rc != PSW_OK) return rc;
        for (int j = 0; j < i; j++)
            if (strcmp(out->variant[i].name, out->variant[j].name) == 0)
                return psw_spec_fail(spec, node->child[i].at, err,
                                     "variant \"%s\" is given twice", out->variant[i].name);
    }
    return PSW_OK;
}

static psw_status check_except_variant(const struct psw_spec *spec,
                                       const struct psw_settings *item,
                                       const struct psw_block *block, struct psw_error *err)
{
    char did[PSW_DID_BYTES];
    if (!item->variant) return PSW_OK;
    const char *nearest = NULL;
    for (int i = 0; i < block->n_variant; i++) {
        if (strcmp(block->variant[i].name, item->variant) == 0) return PSW_OK;
        if (!nearest) nearest = psw_nearest(item->variant, &block->variant[i].name, 1);
    }
    return psw_spec_fail(spec, item->at, err, "except: no variant \"%.80s\" in this block%s",
                         item->variant, psw_did_you_mean(nearest, did));
}

static psw_status read_except(const struct psw_spec *spec, const struct psw_yaml *node,
                              struct psw_block *out, struct psw_error *err)
{
    if (node->kind != PSW_YAML_LIST)
        return psw_spec_fail(spec, node->at, err,
                             "except: expected a list of settings, \"- {key: value}\"");
    out->except_at = node->key_at;
    out->except = calloc((size_t)node->n_child + 1, sizeof *out->except);
    if (!out->except) return psw_fail(err, PSW_ENOMEM, "%s: except", spec->path);
    for (int i = 0; i < node->n_child; i++) {
        struct psw_settings *item = &out->except[out->n_except++];
        psw_status rc =
            psw_settings_read(spec, &node->child[i], "", PSW_SETTINGS_VARIANT, item, err);
        if (rc == PSW_OK) rc = check_except_variant(spec, item, out, err);
        if (rc != PSW_OK) return rc;
        if (item->n == 0 && !item->variant)
            return psw_spec_fail(spec, item->at, err,
                                 "except: an empty item would remove everything");
    }
    return PSW_OK;
}

static psw_status contradiction(const struct psw_spec *spec, const struct psw_leaf *leaf,
                                struct psw_place axis, struct psw_place other, const char *what,
                                struct psw_error *err)
{
    return psw_spec_fail(spec, other, err,
                         "contradictory: %s is an axis of this block (line %d) and given by %s",
                         leaf->path, axis.line, what);
}

static psw_status check_axis(const struct psw_spec *spec, const struct psw_block *block, int d,
                             const struct psw_leaf *leaf, struct psw_error *err)
{
    char what[128];
    const struct psw_place at = block->dim[d].at;
    const struct psw_setting *set = psw_settings_find(&block->set, leaf);
    if (set) return contradiction(spec, leaf, at, set->at, "set", err);
    for (int i = 0; i < d; i++)
        for (int j = 0; j < block->dim[i].n_leaf; j++)
            if (block->dim[i].value[j].leaf == leaf)
                return contradiction(spec, leaf, block->dim[i].at, at, "another axis or zip",
                                     err);
    for (int i = 0; i < block->n_variant; i++) {
        const struct psw_settings *settings = &block->variant[i].settings;
        const struct psw_setting *own = psw_settings_find(settings, leaf);
        snprintf(what, sizeof what, "variant %s", block->variant[i].name);
        if (own) return contradiction(spec, leaf, at, own->at, what, err);
        if (!psw_preset_sets(settings->preset, leaf)) continue;
        snprintf(what, sizeof what,
                 "preset %s of variant %s (to sweep it, put the preset "
                 "under set)",
                 settings->preset->name, block->variant[i].name);
        return contradiction(spec, leaf, at, settings->preset_at, what, err);
    }
    return PSW_OK;
}

static psw_status check_seed(const struct psw_spec *spec, const struct psw_settings *settings,
                             struct psw_error *err)
{
    const struct psw_setting *seed = psw_settings_find(settings, psw_leaf_find("seed"));
    if (!seed) return PSW_OK;
    return psw_spec_fail(spec, seed->at, err,
                         "contradictory: seed in a block; seeds come from seeds, replicates or "
                         "base");
}

static psw_status check_block(const struct psw_spec *spec, const struct psw_block *block,
                              struct psw_error *err)
{
    psw_status rc = check_seed(spec, &block->set, err);
    for (int i = 0; rc == PSW_OK && i < block->n_variant; i++)
        rc = check_seed(spec, &block->variant[i].settings, err);
    for (int i = 0; rc == PSW_OK && i < block->n_dim; i++)
        for (int j = 0; rc == PSW_OK && j < block->dim[i].n_leaf; j++)
            rc = check_axis(spec, block, i, block->dim[i].value[j].leaf, err);
    return rc;
}

psw_status psw_block_read(const struct psw_spec *spec, const struct psw_yaml *node,
                          struct psw_block *out, struct psw_error *err)
{
    psw_status rc;
    out->at = node->at;
    if (node->kind != PSW_YAML_MAP)
        return psw_spec_fail(spec, node->at, err,
                             "a block: expected a map of set, axes, zip, variants, except");
    rc = psw_parts_check(spec, node, PARTS, N_PART, "set, axes, zip or variants", err);
    const struct psw_yaml *set = psw_yaml_get(node, "set"), *axes = psw_yaml_get(node, "axes"),
                          *zip = psw_yaml_get(node, "zip"),
                          *except = psw_yaml_get(node, "except");
    if (rc == PSW_OK && set)
        rc = psw_settings_read(spec, set, "", PSW_SETTINGS_PRESET, &out->set, err);
    if (rc == PSW_OK && axes) rc = read_axes(spec, axes, out, err);
    if (rc == PSW_OK && zip) rc = read_zips(spec, zip, out, err);
    if (rc == PSW_OK) rc = read_variants(spec, psw_yaml_get(node, "variants"), out, err);
    if (rc == PSW_OK && except) rc = read_except(spec, except, out, err);
    if (rc == PSW_OK) rc = check_block(spec, out, err);
    return rc;
}

void psw_block_clear(struct psw_block *block)
{
    psw_settings_clear(&block->set);
    for (int i = 0; i < block->n_dim; i++) free(block->dim[i].value);
    for (int i = 0; i < block->n_variant; i++) psw_settings_clear(&block->variant[i].settings);
    for (int i = 0; i < block->n_except; i++) psw_settings_clear(&block->except[i]);
    free(block->dim);
    free(block->variant);
    free(block->except);
}
