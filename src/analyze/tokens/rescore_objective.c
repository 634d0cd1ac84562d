/* From "simpo,beta=2" to the options of an objective, run by run. */
#include "rescore_internal.h"

#include "../diagnosis/diagnosis_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/config/nearest.h>

#include <math.h>
#include <string.h>

/** What the weights of some objective depend on, as setting of the policy. */
static const char *const OPTIONS[PSW_N_OBJECTIVE_OPTION] = {
    "beta", "gamma", "epsilon", "lambda", "alpha", "kl_coef", "entropy_coef", "value_coef"};

static const struct psw_leaf *leaf_of(int option)
{
    char path[PSW_LEAF_COLUMN_BYTES];
    snprintf(path, sizeof path, "policy.%s", OPTIONS[option]);
    return psw_leaf_find(path);
}

/** Whether the weights of a method depend on it; the KL of ppo is in its rewards. */
static int reads(int64_t method, int option)
{
    const enum psw_use use = leaf_of(option)->use;
    if (use == PSW_USE_KL && psw_method_reads(method, PSW_USE_KL_REWARD)) return 0;
    return psw_method_reads(method, use);
}

/** What a method reads, "beta and gamma"; "none". */
static const char *options_of(int64_t method, char out[PSW_OBJECTIVE_BYTES])
{
    size_t used = 0;
    snprintf(out, PSW_OBJECTIVE_BYTES, "none");
    for (int i = 0; i < PSW_N_OBJECTIVE_OPTION; i++)
        if (reads(method, i))
            used += (size_t)snprintf(out + used, PSW_OBJECTIVE_BYTES - used, "%s%s",
                                     used ? ", " : "", OPTIONS[i]);
    return out;
}

static psw_status set_method(const char *word, struct psw_objective_request *out,
                             struct psw_error *err)
{
    const char *names[PSW_N_METHOD];
    char did[PSW_DID_BYTES], all[PSW_OBJECTIVE_BYTES] = "";
    size_t used = 0;
    for (int m = 0; m < PSW_N_METHOD; m++) {
        names[m] = psw_method_row(m)->name;
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", m ? ", " : "", names[m]);
    }
    if (psw_method_find(word) >= 0)
        return psw_config_set(&out->config, "policy.method", word, err);
    psw_did_you_mean(psw_nearest(word, names, PSW_N_METHOD), did);
    return psw_fail(err, PSW_EINVAL, "no objective \"%.60s\"%s There are %s", word,
                    did[0] ? did : ".", all);
}

/** "beta=2" or "policy.beta=2". */
static psw_status set_option(char *word, struct psw_objective_request *out,
                             struct psw_error *err)
{
    char all[PSW_OBJECTIVE_BYTES], path[PSW_LEAF_COLUMN_BYTES];
    const int64_t method = out->config.policy.method;
    char *equals = strchr(word, '=');
    if (!equals)
        return psw_fail(err, PSW_EINVAL, "\"%.60s\" is no option such as beta=0.1", word);
    *equals = 0;
    if (strncmp(word, "policy.", strlen("policy.")) == 0) word += strlen("policy.");
    for (int i = 0; i < PSW_N_OBJECTIVE_OPTION; i++) {
        if (strcmp(word, OPTIONS[i]) != 0 || !reads(method, i)) continue;
        out->is_given[i] = 1;
        snprintf(path, sizeof path, "policy.%s", OPTIONS[i]);
        return psw_config_set(&out->config, path, equals + 1, err);
    }
    return psw_fail(err, PSW_EINVAL,
                    "the weights of %s do not depend on \"%.60s\"; options: %s",
                    psw_method_row(method)->name, word, options_of(method, all));
}

psw_status psw_objective_request_parse(const char *text, struct psw_objective_request *out,
                                       struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char copy[PSW_OBJECTIVE_BYTES];
    *out = (struct psw_objective_request){.is_given = {0}};
    psw_config_default(&out->config);
    if (strlen(text) >= sizeof copy)
        PSW_TRY(psw_fail(err, PSW_EINVAL, "\"%.40s...\" is too long", text));
    snprintf(copy, sizeof copy, "%s", text);
    int n = 0;
    for (char *at = copy; at; n++) {
        char *comma = strchr(at, ',');
        if (comma) *comma++ = 0;
        PSW_TRY(n == 0 ? set_method(at, out, err) : set_option(at, out, err));
        at = comma;
    }
fail:
    if (rc != PSW_OK) psw_error_prefix(err, "--objective");
    return rc;
}

psw_status psw_objective_for_run(const struct psw_objective_request *request,
                                 struct psw_results *results, int64_t run,
                                 struct psw_config *out, char text[PSW_OBJECTIVE_BYTES],
                                 struct psw_error *err)
{
    const struct psw_patient self = {.results = results, .run = run};
    const int64_t method = request->config.policy.method;
    size_t used =
        (size_t)snprintf(text, PSW_OBJECTIVE_BYTES, "%s", psw_method_row(method)->name);
    *out = request->config;
    for (int i = 0; i < PSW_N_OBJECTIVE_OPTION; i++) {
        char value[PSW_LEAF_TEXT_BYTES];
        const struct psw_leaf *leaf = leaf_of(i);
        if (!reads(method, i)) continue;
        const double own = psw_fact_setting(&self, leaf->path);
        psw_leaf_number_text(leaf, own, value);
        if (!request->is_given[i] && isfinite(own)) {
            const psw_status rc = psw_leaf_set(leaf, value, NULL, out, err);
            if (rc != PSW_OK) return rc;
        }
        used += (size_t)snprintf(text + used, PSW_OBJECTIVE_BYTES - used, ",%s=%.40s",
                                 OPTIONS[i], psw_leaf_text(leaf, out, value));
    }
    return PSW_OK;
}
