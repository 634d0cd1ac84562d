/* Settings that stand together: maps of keys, dotted or nested, every value checked where it
 * stands. */
#include "config_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

psw_status psw_spec_fail(const struct psw_spec *spec, struct psw_place at,
                         struct psw_error *err, const char *format, ...)
{
    char text[PSW_ERROR_TEXT_BYTES - PSW_SPEC_PLACE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at.line == 0) return psw_fail(err, PSW_EINVAL, "%s: %s", spec->path, text);
    return psw_fail(err, PSW_EINVAL, "%s:%d:%d: %s", spec->path, at.line, at.column, text);
}

psw_status psw_setting_leaf(const struct psw_spec *spec, const char *path, struct psw_place at,
                            const struct psw_leaf **out, struct psw_error *err)
{
    char did[PSW_DID_BYTES];
    const struct psw_leaf *leaf = psw_leaf_find(path);
    if (leaf) {
        *out = leaf;
        return PSW_OK;
    }
    return psw_spec_fail(spec, at, err, "unknown key \"%.80s\"%s", path,
                         psw_leaf_hint(path, did));
}

psw_status psw_setting_check(const struct psw_spec *spec, const struct psw_setting *setting,
                             struct psw_error *err)
{
    struct psw_config scratch;
    struct psw_error why = {0};
    if (psw_leaf_set(setting->leaf, setting->text, spec->folder, &scratch, &why) == PSW_OK)
        return PSW_OK;
    return psw_spec_fail(spec, setting->at, err, "%s", why.text);
}

psw_status psw_setting_read(const struct psw_spec *spec, const struct psw_leaf *leaf,
                            const struct psw_yaml *value, struct psw_setting *out,
                            struct psw_error *err)
{
    static const char *const FOUND[] = {
        [PSW_YAML_MAP] = "a map", [PSW_YAML_LIST] = "a list (lists belong under axes or zip)"};
    char expected[256];
    if (value->kind != PSW_YAML_SCALAR)
        return psw_spec_fail(spec, value->at, err, "%s: expected %s, found %s", leaf->path,
                             psw_leaf_expected(leaf, expected, sizeof expected),
                             FOUND[value->kind]);
    if (psw_yaml_is_null(value))
        return psw_spec_fail(spec, value->at, err, "%s: expected %s, found nothing", leaf->path,
                             psw_leaf_expected(leaf, expected, sizeof expected));
    if (value->quoted && leaf->type != PSW_LEAF_PATH && leaf->type != PSW_LEAF_ENUM &&
        leaf->type != PSW_LEAF_HASH)
        return psw_spec_fail(spec, value->at, err, "%s: expected %s, found the text '%.80s'",
                             leaf->path, psw_leaf_expected(leaf, expected, sizeof expected),
                             value->text);
    *out = (struct psw_setting){leaf, value->text, value->at};
    return psw_setting_check(spec, out, err);
}

const struct psw_setting *psw_settings_find(const struct psw_settings *settings,
                                            const struct psw_leaf *leaf)
{
    for (int i = 0; i < settings->n; i++)
        if (settings->item[i].leaf == leaf) return &settings->item[i];
    return NULL;
}

int psw_preset_sets(const struct psw_preset *preset, const struct psw_leaf *leaf)
{
    for (int i = 0; preset && i < PSW_PRESET_SETTINGS && preset->setting[i].path; i++)
        if (strcmp(preset->setting[i].path, leaf->path) == 0) return 1;
    return 0;
}

psw_status psw_settings_add(const struct psw_spec *spec, struct psw_setting setting,
                            struct psw_settings *settings, struct psw_error *err)
{
    const struct psw_setting *first = psw_settings_find(settings, setting.leaf);
    if (first)
        return psw_spec_fail(spec, setting.at, err, "%s is given twice, first in line %d",
                             setting.leaf->path, first->at.line);
    struct psw_setting *grown =
        realloc(settings->item, ((size_t)settings->n + 1) * sizeof *settings->item);
    if (!grown)
        return psw_fail(err, PSW_ENOMEM, "%s: %d settings", spec->path, settings->n + 1);
    grown[settings->n++] = setting;
    settings->item = grown;
    return PSW_OK;
}

static psw_status add_visited(const struct psw_spec *spec, const struct psw_leaf *leaf,
                              const struct psw_yaml *value, void *settings,
                              struct psw_error *err)
{
    struct psw_setting setting;
    const psw_status rc = psw_setting_read(spec, leaf, value, &setting, err);
    return rc == PSW_OK ? psw_settings_add(spec, setting, settings, err) : rc;
}

static psw_status unknown_key(const struct psw_spec *spec, const struct psw_yaml *entry,
                              const char *path, struct psw_error *err)
{
    char did[PSW_DID_BYTES], section[PSW_LEAF_COLUMN_BYTES];
    const struct psw_leaf *leaf;
    if (entry->kind != PSW_YAML_MAP)
        return psw_setting_leaf(spec, path, entry->key_at, &leaf, err);
    return psw_spec_fail(spec, entry->key_at, err, "unknown section \"%.80s\"%s", path,
                         psw_did_you_mean(psw_leaf_nearest_section(path, section), did));
}

static psw_status refuse_no_map(const struct psw_spec *spec, const struct psw_yaml *node,
                                const char *prefix, struct psw_error *err)
{
    const char *below = prefix[0] ? " below " : "";
    if (node->kind == PSW_YAML_LIST)
        return psw_spec_fail(spec, node->at, err,
                             "expected a map of settings%s%s, found a list", below, prefix);
    return psw_spec_fail(spec, node->at, err, "expected a map of settings%s%s, found \"%.80s\"",
                         below, prefix, node->text);
}

psw_status psw_settings_walk(const struct psw_spec *spec, const struct psw_yaml *map,
                             const char *prefix, const struct psw_visitor *visitor,
                             struct psw_error *err)
{
    char path[2 * PSW_LEAF_COLUMN_BYTES];
    if (psw_yaml_is_null(map)) return PSW_OK;
    if (map->kind != PSW_YAML_MAP) return refuse_no_map(spec, map, prefix, err);
    for (int i = 0; i < map->n_child; i++) {
        const struct psw_yaml *entry = &map->child[i];
        psw_status rc;
        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", entry->key);
        const struct psw_leaf *leaf = psw_leaf_find(path);
        if (!prefix[0] && visitor->skip &&
            (!strcmp(path, visitor->skip) || !strcmp(path, visitor->skip_too)))
            continue;
        if (leaf)
            rc = visitor->visit(spec, leaf, entry, visitor->ctx, err);
        else if (!psw_leaf_is_section(path))
            rc = unknown_key(spec, entry, path, err);
        else
            rc = psw_settings_walk(spec, entry, path, visitor, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

psw_status psw_preset_read(const struct psw_spec *spec, const struct psw_yaml *node,
                           struct psw_settings *out, struct psw_error *err)
{
    const char *names[64];
    char did[PSW_DID_BYTES];
    int n;
    const struct psw_preset *preset = psw_presets(&n);
    out->preset_at = node->at;
    if (node->kind != PSW_YAML_SCALAR)
        return psw_spec_fail(spec, node->at, err, "preset: expected one name");
    out->preset = psw_preset_find(node->text);
    if (out->preset) return PSW_OK;
    for (int i = 0; i < n; i++) names[i] = preset[i].name;
    return psw_spec_fail(spec, node->at, err, "unknown preset \"%.80s\"%s", node->text,
                         psw_did_you_mean(psw_nearest(node->text, names, n), did));
}

psw_status psw_settings_read(const struct psw_spec *spec, const struct psw_yaml *map,
                             const char *prefix, unsigned flags, struct psw_settings *out,
                             struct psw_error *err)
{
    const struct psw_visitor add = {add_visited, out,
                                    flags & PSW_SETTINGS_PRESET ? "preset" : "variant",
                                    flags & PSW_SETTINGS_VARIANT ? "variant" : "preset"};
    const struct psw_visitor plain = {add_visited, out, NULL, NULL};
    psw_status rc = psw_settings_walk(spec, map, prefix, flags ? &add : &plain, err);
    const struct psw_yaml *preset = psw_yaml_get(map, "preset");
    const struct psw_yaml *variant = psw_yaml_get(map, "variant");
    out->at = map->at;
    if (rc == PSW_OK && preset && (flags & PSW_SETTINGS_PRESET))
        rc = psw_preset_read(spec, preset, out, err);
    if (rc == PSW_OK && variant && (flags & PSW_SETTINGS_VARIANT)) {
        if (variant->kind != PSW_YAML_SCALAR)
            return psw_spec_fail(spec, variant->at, err, "variant: expected one name");
        out->variant = variant->text;
    }
    return rc;
}

void psw_settings_clear(struct psw_settings *settings)
{
    free(settings->item);
    *settings = (struct psw_settings){0};
}

psw_status psw_parts_check(const struct psw_spec *spec, const struct psw_yaml *map,
                           const char *const *parts, int n, const char *home,
                           struct psw_error *err)
{
    char did[PSW_DID_BYTES];
    for (int i = 0; i < map->n_child; i++) {
        const struct psw_yaml *entry = &map->child[i];
        int known = 0;
        for (int j = 0; j < n; j++) known |= strcmp(entry->key, parts[j]) == 0;
        if (known) continue;
        if (psw_leaf_find(entry->key) || psw_leaf_is_section(entry->key))
            return psw_spec_fail(spec, entry->key_at, err, "\"%s\" belongs under %s",
                                 entry->key, home);
        return psw_spec_fail(spec, entry->key_at, err, "unknown key \"%.80s\"%s", entry->key,
                             psw_did_you_mean(psw_nearest(entry->key, parts, n), did));
    }
    return PSW_OK;
}
