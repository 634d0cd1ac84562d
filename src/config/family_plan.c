/* Families of tests in a sweep file. */
#include <posweep/config/family_plan.h>

#include "config_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const KEYS[] = {"metrics", "variants"};
enum { N_KEY = sizeof KEYS / sizeof KEYS[0] };

static int has(const char (*list)[PSW_FAMILY_NAME_BYTES], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0) return 1;
    return 0;
}

static psw_status read_list(const struct psw_spec *spec, const struct psw_yaml *list,
                            const char *what, char (*out)[PSW_FAMILY_NAME_BYTES], int *n,
                            struct psw_error *err)
{
    if (list->kind != PSW_YAML_LIST || list->n_child == 0 ||
        list->n_child > PSW_MAX_FAMILY_NAMES)
        return psw_spec_fail(spec, list->at, err,
                             "families: %s: expected a list of 1 to %d names", what,
                             PSW_MAX_FAMILY_NAMES);
    for (int i = 0; i < list->n_child; i++) {
        const struct psw_yaml *item = &list->child[i];
        const char *name = item->kind == PSW_YAML_SCALAR ? item->text : "";
        if (!name[0] || strlen(name) >= PSW_FAMILY_NAME_BYTES)
            return psw_spec_fail(spec, item->at, err,
                                 "families: %s: expected a name of 1 to %d characters", what,
                                 PSW_FAMILY_NAME_BYTES - 1);
        if (has((const char(*)[PSW_FAMILY_NAME_BYTES])out, *n, name))
            return psw_spec_fail(spec, item->at, err, "families: %s: \"%s\" is given twice",
                                 what, name);
        snprintf(out[(*n)++], PSW_FAMILY_NAME_BYTES, "%s", name);
    }
    return PSW_OK;
}

/** Whether some test is in both. */
static int overlap(const struct psw_test_family *a, const struct psw_test_family *b)
{
    int metrics = 0, variants = a->n_variant == 0 || b->n_variant == 0;
    for (int i = 0; i < a->n_metric; i++)
        metrics |=
            has((const char(*)[PSW_FAMILY_NAME_BYTES])b->metric, b->n_metric, a->metric[i]);
    for (int i = 0; i < a->n_variant; i++)
        variants |=
            has((const char(*)[PSW_FAMILY_NAME_BYTES])b->variant, b->n_variant, a->variant[i]);
    return metrics && variants;
}

static psw_status read_family(const struct psw_spec *spec, const struct psw_yaml *node,
                              struct psw_family_plan *plan, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_test_family *f = &plan->family[plan->n];
    const struct psw_yaml *metrics = psw_yaml_get(node, "metrics");
    const struct psw_yaml *variants = psw_yaml_get(node, "variants");
    if (strlen(node->key) >= PSW_FAMILY_NAME_BYTES || !node->key[0])
        return psw_spec_fail(spec, node->key_at, err,
                             "families: expected a name of 1 to %d characters",
                             PSW_FAMILY_NAME_BYTES - 1);
    if (node->kind != PSW_YAML_MAP || !metrics)
        return psw_spec_fail(spec, node->at, err,
                             "families: %s: expected {metrics: [score, ...], variants: [...]}",
                             node->key);
    PSW_TRY(psw_parts_check(spec, node, KEYS, N_KEY, "base", err));
    snprintf(f->name, sizeof f->name, "%s", node->key);
    PSW_TRY(read_list(spec, metrics, "metrics", f->metric, &f->n_metric, err));
    if (variants)
        PSW_TRY(read_list(spec, variants, "variants", f->variant, &f->n_variant, err));
    for (int i = 0; i < plan->n; i++)
        if (overlap(&plan->family[i], f))
            PSW_TRY(psw_spec_fail(spec, node->key_at, err,
                                  "families: %s and %s have a test in common: a test is in one "
                                  "family",
                                  plan->family[i].name, f->name));
    plan->n++;
fail:
    return rc;
}

psw_status psw_family_plan_read(const struct psw_spec *spec, struct psw_family_plan *out,
                                struct psw_error *err)
{
    const struct psw_yaml *map = psw_yaml_get(spec->root, "families");
    struct psw_family_plan plan = {0};
    psw_status rc = PSW_OK;
    if (map && (map->kind != PSW_YAML_MAP || map->n_child == 0 ||
                map->n_child > PSW_MAX_TEST_FAMILIES))
        return psw_spec_fail(spec, map->at, err,
                             "families: expected a map of 1 to %d families, such as {quality: "
                             "{metrics: [score]}}",
                             PSW_MAX_TEST_FAMILIES);
    if (map) {
        plan.family = calloc((size_t)map->n_child, sizeof *plan.family);
        if (!plan.family) return psw_fail(err, PSW_ENOMEM, "%d families", map->n_child);
    }
    for (int i = 0; rc == PSW_OK && map && i < map->n_child; i++)
        rc = read_family(spec, &map->child[i], &plan, err);
    if (rc == PSW_OK)
        *out = plan;
    else
        psw_family_plan_clear(&plan);
    return rc;
}

psw_status psw_family_plan_check(const struct psw_spec *spec, const struct psw_sweep *sweep,
                                 struct psw_error *err)
{
    const struct psw_yaml *map = psw_yaml_get(spec->root, "families");
    for (int i = 0; map && i < map->n_child; i++) {
        const struct psw_yaml *list = psw_yaml_get(&map->child[i], "variants");
        for (int v = 0; list && v < list->n_child; v++) {
            const char *name = list->child[v].text;
            int64_t at = 0;
            while (at < sweep->n_run && strcmp(sweep->run[at].variant, name) != 0) at++;
            if (at == sweep->n_run)
                return psw_spec_fail(spec, list->child[v].at, err,
                                     "families: %s: the sweep has no variant \"%s\"",
                                     map->child[i].key, name);
        }
    }
    return PSW_OK;
}

psw_status psw_family_plan_parse(const char *path, const char *text, size_t n_bytes,
                                 struct psw_family_plan *out, struct psw_error *err)
{
    const char *at = text, *end = text + n_bytes, *begin, *stop;
    psw_status rc = PSW_OK;
    *out = (struct psw_family_plan){0};
    while (rc == PSW_OK && out->n == 0 && psw_document_next(&at, end, &begin, &stop)) {
        struct psw_spec spec = {.path = path};
        rc = psw_yaml_parse(path, begin, (size_t)(stop - begin), &spec.root, err);
        if (rc == PSW_OK && spec.root->kind == PSW_YAML_MAP)
            rc = psw_family_plan_read(&spec, out, err);
        psw_yaml_destroy(spec.root);
    }
    return rc;
}

void psw_family_plan_clear(struct psw_family_plan *plan)
{
    free(plan->family);
    *plan = (struct psw_family_plan){0};
}

int psw_family_plan_find(const struct psw_family_plan *plan, const char *metric,
                         const char *variant)
{
    for (int i = 0; i < plan->n; i++) {
        const struct psw_test_family *f = &plan->family[i];
        if (has((const char(*)[PSW_FAMILY_NAME_BYTES])f->metric, f->n_metric, metric) &&
            (f->n_variant == 0 ||
             has((const char(*)[PSW_FAMILY_NAME_BYTES])f->variant, f->n_variant, variant)))
            return i;
    }
    return -1;
}
