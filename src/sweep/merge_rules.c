/* Which rule the stopped runs of a merge have, from the sweeps that the sources keep; these are
 * read again only where there are such runs. */
#include "merge_rules.h"

#include <posweep/util/hash.h>

#include <stdio.h>
#include <string.h>

enum { RULE_TEXT_BYTES = 96 };

/** A rule, and the file that has it. */
struct named_rule {
    const char *name; /* borrowed */
    struct psw_stop_rule rule;
};

psw_status psw_merge_spec(const struct psw_journal_merge *m, int i, struct psw_sweep **out,
                          struct psw_error *err)
{
    const struct psw_record *spec = psw_journal_spec(psw_journal_merge_source(m, i));
    const char *name = psw_journal_merge_name(m, i);
    const psw_status rc = psw_sweep_reread(name, psw_record_text(spec, "spec_text"), out, err);
    if (rc == PSW_OK) return rc;
    struct psw_error why = *err;
    return psw_fail(
        err, rc,
        "%s: the sweep file that it keeps cannot be read again: %.700s. Name one that "
        "asks for all runs with --sweep",
        name, why.text);
}

static psw_status read_rule(const struct psw_journal_merge *m, int i, struct named_rule *out,
                            struct psw_error *err)
{
    struct psw_sweep *sweep = NULL;
    const psw_status rc = psw_merge_spec(m, i, &sweep, err);
    if (rc != PSW_OK) return rc;
    *out = (struct named_rule){psw_journal_merge_name(m, i), sweep->stop};
    psw_sweep_destroy(sweep);
    return PSW_OK;
}

static char *rule_text(const struct psw_stop_rule *rule, char out[RULE_TEXT_BYTES])
{
    const int is_asha = rule->kind == PSW_STOP_ASHA;
    snprintf(out, RULE_TEXT_BYTES, "that there is none");
    if (rule->kind != PSW_STOP_NEVER)
        snprintf(out, RULE_TEXT_BYTES, "{rule: %s, metric: %s, grace: %lld, %s: %lld}",
                 psw_stop_kind_name(rule->kind), psw_stop_metric_name(rule->metric),
                 (long long)rule->grace, is_asha ? "reduction" : "min_runs",
                 (long long)(is_asha ? rule->reduction : rule->min_runs));
    return out;
}

static int is_done_somewhere(const struct psw_journal_merge *m, uint64_t run)
{
    for (int i = 0; i < psw_journal_merge_n_source(m); i++)
        if (psw_journal_outcome(psw_journal_merge_source(m, i), run, NULL) == PSW_OUTCOME_DONE)
            return 1;
    return 0;
}

/* A run of the sweep that was stopped early in source i and is done in none; NULL: no such. */
static const struct psw_run *stopped_run(const struct psw_journal_merge *m,
                                         const struct psw_sweep *sweep, int i)
{
    for (int64_t r = 0; r < sweep->n_run; r++) {
        const uint64_t run = sweep->run[r].hash;
        if (psw_journal_outcome(psw_journal_merge_source(m, i), run, NULL) ==
                PSW_OUTCOME_CENSORED &&
            !is_done_somewhere(m, run))
            return &sweep->run[r];
    }
    return NULL;
}

static psw_status compare(const struct psw_run *run, const struct named_rule *of,
                          const struct named_rule *other, struct psw_error *err)
{
    char text[2][RULE_TEXT_BYTES], hash[PSW_HASH_TEXT_BYTES];
    if (psw_stop_rule_equal(&of->rule, &other->rule)) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "run %s (%s %s seed %lld) was stopped early in %s and is done in no file. The rule "
        "there "
        "is %s, that of %s %s: which runs are stopped is for one rule to say. Finish them "
        "(take "
        "`stop` out of the sweep file of %s and run it again), or name a sweep file without "
        "`stop` by --sweep, and the next start finishes them",
        psw_hash_text(run->hash, hash), run->method, run->variant, (long long)run->seed,
        of->name, rule_text(&of->rule, text[0]), other->name, rule_text(&other->rule, text[1]),
        of->name);
}

psw_status psw_merge_rules_check(const struct psw_journal_merge *m,
                                 const struct psw_sweep *sweep, const char *sweep_path,
                                 struct psw_error *err)
{
    const int n = psw_journal_merge_n_source(m);
    const struct psw_run *run = NULL;
    struct named_rule of, other = {sweep_path, sweep->stop};
    int first = 0;
    for (; first < n && !run; first++) run = stopped_run(m, sweep, first);
    if (!run || (sweep_path && sweep->stop.kind == PSW_STOP_NEVER)) return PSW_OK;
    psw_status rc = read_rule(m, --first, &of, err);
    if (rc == PSW_OK && sweep_path) rc = compare(run, &of, &other, err);
    for (int i = 0; i < n && rc == PSW_OK; i++) {
        if (i == first || (sweep_path && !stopped_run(m, sweep, i))) continue;
        rc = read_rule(m, i, &other, err);
        if (rc == PSW_OK) rc = compare(run, &of, &other, err);
    }
    return rc;
}
