/* Replicates that are added until a comparison is decided: `replicates` as a map. */
#include "config_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const KEYS[] = {"batch", "max", "alpha", "by", "baseline", "metric"};
enum { N_KEY = sizeof KEYS / sizeof KEYS[0] };

static psw_status read_text(const struct psw_spec *spec, const struct psw_yaml *map,
                            const char *key, const char *fallback,
                            char out[PSW_SEED_PLAN_BYTES], struct psw_error *err)
{
    const struct psw_yaml *node = psw_yaml_get(map, key);
    const char *text = node && node->kind == PSW_YAML_SCALAR ? node->text : fallback;
    if (!text || (node && node->kind != PSW_YAML_SCALAR))
        return psw_spec_fail(
            spec, node ? node->at : map->at, err,
            "replicates: expected %s, for example {batch: 4, max: 16, baseline: "
            "vanilla, metric: score}",
            key);
    if (strlen(text) >= PSW_SEED_PLAN_BYTES || !text[0])
        return psw_spec_fail(spec, node ? node->at : map->at, err,
                             "replicates.%s: expected a name of 1 to %d characters", key,
                             PSW_SEED_PLAN_BYTES - 1);
    memcpy(out, text, strlen(text) + 1);
    return PSW_OK;
}

static psw_status read_number(const struct psw_spec *spec, const struct psw_yaml *map,
                              const char *key, double lo, double hi, double *out,
                              struct psw_error *err)
{
    const struct psw_yaml *node = psw_yaml_get(map, key);
    const char *text = node && node->kind == PSW_YAML_SCALAR ? node->text : "";
    char *end;
    const double x = strtod(text, &end);
    if (end != text && !*end && x >= lo && x <= hi) {
        *out = x;
        return PSW_OK;
    }
    return psw_spec_fail(spec, node ? node->at : map->at, err,
                         "replicates.%s: expected a number in [%g, %g], found \"%.80s\"", key,
                         lo, hi, text);
}

psw_status psw_seed_plan_read(const struct psw_spec *spec, const struct psw_yaml *map,
                              struct psw_seed_plan *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_seed_plan plan = {.alpha = 0.05};
    double batch = 0, max = 0;
    PSW_TRY(psw_parts_check(spec, map, KEYS, N_KEY, "base", err));
    PSW_TRY(read_text(spec, map, "baseline", NULL, plan.baseline, err));
    PSW_TRY(read_text(spec, map, "metric", NULL, plan.metric, err));
    PSW_TRY(read_text(spec, map, "by", "variant", plan.by, err));
    PSW_TRY(read_number(spec, map, "batch", 1, 1000, &batch, err));
    PSW_TRY(read_number(spec, map, "max", batch, 1000, &max, err));
    if (psw_yaml_get(map, "alpha"))
        PSW_TRY(read_number(spec, map, "alpha", 1e-6, 0.5, &plan.alpha, err));
    plan.batch = (int64_t)batch;
    plan.max = (int64_t)max;
    if (ldexp(1, 1 - (int)plan.max) > plan.alpha)
        PSW_TRY(psw_spec_fail(spec, psw_yaml_get(map, "max")->at, err,
                              "replicates.max: %lld seeds cannot show anything at alpha %g: "
                              "expected %d or more",
                              (long long)plan.max, plan.alpha,
                              1 + (int)ceil(-log2(plan.alpha))));
    *out = plan;
fail:
    return rc;
}

psw_status psw_seed_plan_check(const struct psw_sweep *sweep, struct psw_error *err)
{
    const struct psw_seed_plan *plan = &sweep->seed_plan;
    const int is_method = strcmp(plan->by, "method") == 0;
    if (plan->batch == 0) return PSW_OK;
    if (!is_method && strcmp(plan->by, "variant") != 0) {
        for (int32_t i = 0; i < sweep->swept.n; i++) {
            int n;
            if (strcmp(psw_leaves(&n)[sweep->swept.leaf[i]].path, plan->by) == 0) return PSW_OK;
        }
        return psw_fail(
            err, PSW_EINVAL,
            "%s: replicates.by: %s is not varied: expected variant, method or a swept "
            "setting such as policy.beta",
            sweep->path, plan->by);
    }
    for (int64_t i = 0; i < sweep->n_run; i++)
        if (strcmp(is_method ? sweep->run[i].method : sweep->run[i].variant, plan->baseline) ==
            0)
            return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "%s: replicates.baseline: the sweep has no %s \"%s\"",
                    sweep->path, plan->by, plan->baseline);
}
