/* `stop:` of a sweep file: asha or median, or a map with more about it. */
#include "config_internal.h"

#include <posweep/config/leaves.h>
#include <posweep/config/source.h>

#include <stdlib.h>
#include <string.h>

static const char *const KEYS[] = {"rule", "metric", "mode", "grace", "reduction", "min_runs"};
enum { N_KEY = sizeof KEYS / sizeof KEYS[0] };

static const char *const KINDS[PSW_N_STOP_KIND] = {"", "median", "asha"};

static const struct {
    const char *name;
    int is_min;
} METRICS[PSW_N_STOP_METRIC] = {[PSW_STOP_SCORE] = {"score", 0},
                                [PSW_STOP_TRAIN_LOSS] = {"train_loss", 1},
                                [PSW_STOP_TRAIN_ACCURACY] = {"train_accuracy", 0},
                                [PSW_STOP_TRAIN_MARGIN] = {"train_margin", 0}};

const char *psw_stop_kind_name(enum psw_stop_kind kind)
{
    return (unsigned)kind < PSW_N_STOP_KIND ? KINDS[kind] : "";
}

const char *psw_stop_metric_name(enum psw_stop_metric metric)
{
    return (unsigned)metric < PSW_N_STOP_METRIC ? METRICS[metric].name : "";
}

int psw_stop_rule_equal(const struct psw_stop_rule *a, const struct psw_stop_rule *b)
{
    return a->kind == b->kind && a->metric == b->metric && a->is_min == b->is_min &&
           a->grace == b->grace && a->reduction == b->reduction && a->min_runs == b->min_runs;
}

int64_t psw_stop_next_rung(const struct psw_stop_rule *rule, int64_t step, int64_t n_step)
{
    int64_t rung = rule->grace;
    if (rule->kind == PSW_STOP_NEVER) return 0;
    if (rule->kind == PSW_STOP_MEDIAN) rung *= step / rule->grace + 1;
    while (rung <= step && rung < n_step) rung *= rule->reduction;
    return rung < n_step ? rung : 0;
}

static psw_status read_choice(const struct psw_spec *spec, const struct psw_yaml *node,
                              const char *key, const char *const *names, int n, int *out,
                              struct psw_error *err)
{
    const char *text = node && node->kind == PSW_YAML_SCALAR ? node->text : "";
    char list[160] = "", did[PSW_DID_BYTES] = "";
    for (int i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) return *out = i, PSW_OK;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                 i == 0      ? ""
                 : i < n - 1 ? ", "
                             : " or ",
                 names[i]);
    }
    return psw_spec_fail(spec, node->at, err, "stop.%s: expected %s, found \"%.80s\"%s", key,
                         list, text, psw_did_you_mean(psw_nearest(text, names, n), did));
}

static psw_status read_count(const struct psw_spec *spec, const struct psw_yaml *map,
                             const char *key, int64_t lo, int64_t *out, struct psw_error *err)
{
    const struct psw_yaml *node = map->kind == PSW_YAML_MAP ? psw_yaml_get(map, key) : NULL;
    const char *text = node && node->kind == PSW_YAML_SCALAR ? node->text : "";
    char *end;
    if (!node) return PSW_OK;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < lo || value > 1000000000)
        return psw_spec_fail(spec, node->at, err,
                             "stop.%s: expected a whole number of at least %lld, found "
                             "\"%.80s\"",
                             key, (long long)lo, text);
    *out = value;
    return PSW_OK;
}

/* What only the other rule knows is a mistake. */
static psw_status check_keys(const struct psw_spec *spec, const struct psw_yaml *map,
                             const struct psw_stop_rule *rule, struct psw_error *err)
{
    const char *key = rule->kind == PSW_STOP_ASHA ? "min_runs" : "reduction";
    const struct psw_yaml *node = psw_yaml_get(map, key);
    if (!node) return PSW_OK;
    return psw_spec_fail(spec, node->key_at, err, "stop.%s: the rule %s has none", key,
                         KINDS[rule->kind]);
}

static psw_status read_map(const struct psw_spec *spec, const struct psw_yaml *map,
                           struct psw_stop_rule *rule, struct psw_error *err)
{
    static const char *const MODES[] = {"max", "min"};
    const char *names[PSW_N_STOP_METRIC];
    const struct psw_yaml *metric = psw_yaml_get(map, "metric"),
                          *mode = psw_yaml_get(map, "mode");
    psw_status rc = PSW_OK;
    int choice = 0;
    for (int i = 0; i < PSW_N_STOP_METRIC; i++) names[i] = METRICS[i].name;
    PSW_TRY(psw_parts_check(spec, map, KEYS, N_KEY, "base", err));
    PSW_TRY(check_keys(spec, map, rule, err));
    if (metric)
        PSW_TRY(read_choice(spec, metric, "metric", names, PSW_N_STOP_METRIC, &choice, err));
    rule->metric = (enum psw_stop_metric)choice;
    rule->is_min = METRICS[choice].is_min;
    if (mode) {
        PSW_TRY(read_choice(spec, mode, "mode", MODES, 2, &choice, err));
        rule->is_min = choice;
    }
fail:
    return rc;
}

psw_status psw_stop_rule_read(const struct psw_spec *spec, struct psw_stop_rule *out,
                              struct psw_error *err)
{
    const struct psw_yaml *node = psw_yaml_get(spec->root, "stop");
    struct psw_stop_rule rule = {.reduction = 3, .min_runs = 5};
    psw_status rc = PSW_OK;
    int kind = 0;
    if (!node || psw_yaml_is_null(node)) return *out = (struct psw_stop_rule){0}, PSW_OK;
    const struct psw_yaml *name =
        node->kind == PSW_YAML_MAP ? psw_yaml_get(node, "rule") : node;
    if (!name)
        return psw_spec_fail(spec, node->at, err,
                             "stop: expected a rule, for example {rule: asha, metric: score, "
                             "grace: 100}");
    PSW_TRY(read_choice(spec, name, "rule", KINDS + 1, PSW_N_STOP_KIND - 1, &kind, err));
    rule.kind = (enum psw_stop_kind)(kind + 1);
    if (node->kind == PSW_YAML_MAP) PSW_TRY(read_map(spec, node, &rule, err));
    PSW_TRY(read_count(spec, node, "grace", 1, &rule.grace, err));
    PSW_TRY(read_count(spec, node, "reduction", 2, &rule.reduction, err));
    PSW_TRY(read_count(spec, node, "min_runs", 1, &rule.min_runs, err));
    *out = rule;
fail:
    return rc;
}

/* What a run must have to be compared. */
static psw_status check_run(const struct psw_spec *spec, const struct psw_yaml *node,
                            const struct psw_stop_rule *rule, const struct psw_run *run,
                            const struct psw_config *c, struct psw_error *err)
{
    const char *metric = METRICS[rule->metric].name;
    if (rule->metric == PSW_STOP_SCORE) {
        if (psw_source_row(psw_config_source(c))->has_scorer && c->eval.prompts > 0)
            return PSW_OK;
        return psw_spec_fail(spec, node->at, err,
                             "stop: %s %s has no score along training: that takes a task with "
                             "a scorer and eval.prompts above 0. Choose another metric, such "
                             "as train_loss",
                             run->method, run->variant);
    }
    if (psw_config_is_onpolicy(c))
        return psw_spec_fail(spec, node->at, err,
                             "stop: %s is not recorded by %s: expected score, or a sweep of "
                             "pairwise methods alone",
                             metric, run->method);
    if (c->log.every > rule->grace)
        return psw_spec_fail(spec, node->at, err,
                             "stop: %s is recorded every log.every = %lld steps, which is more "
                             "than grace %lld",
                             metric, (long long)c->log.every, (long long)rule->grace);
    return PSW_OK;
}

psw_status psw_stop_rule_check(const struct psw_spec *spec, struct psw_sweep *sweep,
                               struct psw_error *err)
{
    const struct psw_yaml *node = psw_yaml_get(spec->root, "stop");
    struct psw_stop_rule *rule = &sweep->stop;
    struct psw_config_reader reader = {0};
    int64_t n_most = 0;
    *rule = spec->stop;
    if (rule->kind == PSW_STOP_NEVER) return PSW_OK;
    if (sweep->seed_plan.batch > 0)
        return psw_spec_fail(spec, node->at, err,
                             "stop: replicates as a map adds seeds until a comparison is "
                             "decided, which takes runs that are not stopped: expected a count "
                             "of replicates, or no stop");
    for (int64_t i = 0; i < sweep->n_run; i = psw_sweep_next_config(sweep, i + 1)) {
        const int64_t n = psw_sweep_config(sweep, i, &reader)->policy.train.steps;
        if (n > n_most) n_most = n;
    }
    if (rule->grace == 0) /* of the short form: the first look after a ninth of the longest */
        rule->grace = n_most > 9 ? n_most / 9 : 1;
    if (rule->grace >= n_most)
        return psw_spec_fail(spec, node->at, err,
                             "stop.grace: expected less than the longest run's policy.steps = "
                             "%lld, found %lld",
                             (long long)n_most, (long long)rule->grace);
    for (int64_t i = 0; i < sweep->n_run; i = psw_sweep_next_config(sweep, i + 1)) {
        const psw_status rc = check_run(spec, node, rule, &sweep->run[i],
                                        psw_sweep_config(sweep, i, &reader), err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}
