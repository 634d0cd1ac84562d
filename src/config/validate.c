/* Rules between leaves. What one leaf alone must satisfy stands in its row of the schema. */
#include "config_internal.h"

#include <posweep/config/source.h>

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef const struct psw_config *config_p;
#define LL (long long)

static const struct psw_source_row *source_of(config_p c)
{
    return psw_source_row(psw_config_source(c));
}

/* The key that chooses the source. */
static const char *source_key(config_p c)
{
    return psw_config_is_generated(c) ? "task" : "data.format";
}

static int is_power_of_two(int64_t n)
{
    return n > 0 && (n & (n - 1)) == 0;
}

static psw_status shards(const char *key, int64_t n, struct psw_error *err)
{
    if (is_power_of_two(n)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "%s is %lld: expected a power of two", key, LL n);
}

static psw_status sft_shards(config_p c, struct psw_error *err)
{
    return shards("sft.shards", c->sft.shards, err);
}

static psw_status policy_shards(config_p c, struct psw_error *err)
{
    return shards("policy.shards", c->policy.train.shards, err);
}

static psw_status ranks(config_p c, struct psw_error *err)
{
    const int64_t n = c->limits.ranks_per_run;
    if (!is_power_of_two(n))
        return psw_fail(err, PSW_EINVAL,
                        "limits.ranks_per_run is %lld: expected a power of two", LL n);
    if (n > c->sft.shards || n > c->policy.train.shards)
        return psw_fail(err, PSW_EINVAL,
                        "limits.ranks_per_run is %lld: more than sft.shards (%lld) or "
                        "policy.shards (%lld), so some ranks would have no work",
                        LL n, LL c->sft.shards, LL c->policy.train.shards);
    return PSW_OK;
}

static psw_status heads(config_p c, struct psw_error *err)
{
    if (c->model.head_width || c->model.width % c->model.heads == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "model.heads %lld does not divide model.width %lld",
                    LL c->model.heads, LL c->model.width);
}

static psw_status kv_heads(config_p c, struct psw_error *err)
{
    const struct psw_family_row *family = psw_family_row((enum psw_family)c->model.family);
    const int64_t n = c->model.kv_heads;
    if (n == 0 || n == c->model.heads) return PSW_OK;
    if (family->by_head)
        return psw_fail(err, PSW_EINVAL,
                        "model.kv_heads is %lld: model.family %s has as many as heads, %lld",
                        LL n, family->name, LL c->model.heads);
    if (c->model.heads % n == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "model.kv_heads %lld does not divide model.heads %lld",
                    LL n, LL c->model.heads);
}

static int64_t head_width(config_p c)
{
    return c->model.head_width ? c->model.head_width : c->model.width / c->model.heads;
}

static psw_status rotary(config_p c, struct psw_error *err)
{
    const int64_t dims = (int64_t)(c->model.rotary_pct * (double)head_width(c) + 1e-9);
    if (psw_family_row((enum psw_family)c->model.family)->rotates_all) return PSW_OK;
    if (dims % 2 == 0 && (dims > 0 || c->model.rotary_pct == 0)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "model.rotary_pct %g of a head's width %lld rotates %lld dimensions: "
                    "expected an even number",
                    c->model.rotary_pct, LL head_width(c), LL dims);
}

static psw_status whole_rotary(config_p c, struct psw_error *err)
{
    const struct psw_family_row *family = psw_family_row((enum psw_family)c->model.family);
    if (!family->rotates_all || head_width(c) % 2 == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "model.heads: a head's width is %lld: expected an even number, because "
                    "model.family %s rotates all of it",
                    LL head_width(c), family->name);
}

/* What is kept has to be said in config.json. */
static psw_status keep(config_p c, struct psw_error *err)
{
    const int is_odd = head_width(c) * c->model.heads != c->model.width;
    const struct psw_family_row *family = psw_family_row((enum psw_family)c->model.family);
    if (c->limits.keep == PSW_KEEP_NONE || !family->by_head || !is_odd) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "limits.keep: models of %s are kept with heads of model.width / model.heads, "
        "%lld / %lld, and model.head_width is %lld: leave one of the two out",
        family->name, LL c->model.width, LL c->model.heads, LL c->model.head_width);
}

static psw_status eval_every(config_p c, struct psw_error *err)
{
    if (c->eval.every == 0 || c->eval.prompts > 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "eval.every is %lld, but eval.prompts is 0: there is nothing to answer",
                    LL c->eval.every);
}

static psw_status trace_every(config_p c, struct psw_error *err)
{
    if (c->trace.every <= c->policy.train.steps) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "trace.every %lld is more than policy.steps %lld: nothing would be traced "
                    "but the start",
                    LL c->trace.every, LL c->policy.train.steps);
}

static psw_status cosine_every(config_p c, struct psw_error *err)
{
    if (c->trace.cosine_every % c->trace.every == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "trace.cosine_every %lld is not a multiple of trace.every %lld",
                    LL c->trace.cosine_every, LL c->trace.every);
}

static psw_status sketch(config_p c, struct psw_error *err)
{
    const int64_t k = c->trace.sketch;
    if (k == 0 || k % 64 == 0 || (k >= 16 && is_power_of_two(k))) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "trace.sketch %lld: expected 0, a power of two from 16, or a multiple of "
        "64; an inner product of two sketches has an error of 1 / sqrt(trace.sketch) "
        "of the norms, so 1024 is a good start",
        LL k);
}

static psw_status warmup(const char *stage, const struct psw_config_train *t,
                         struct psw_error *err)
{
    if (t->warmup <= t->steps) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "%s.warmup %lld is longer than %s.steps %lld", stage,
                    LL t->warmup, stage, LL t->steps);
}

static psw_status sft_warmup(config_p c, struct psw_error *err)
{
    return warmup("sft", &c->sft, err);
}

static psw_status policy_warmup(config_p c, struct psw_error *err)
{
    return warmup("policy", &c->policy.train, err);
}

static psw_status flat_interval(config_p c, struct psw_error *err)
{
    if (c->policy.flat_until == 0 || c->policy.flat_from < c->policy.flat_until) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.flat_from %lld is not before policy.flat_until %lld",
                    LL c->policy.flat_from, LL c->policy.flat_until);
}

static psw_status reward_warmup(config_p c, struct psw_error *err)
{
    return warmup("reward", &c->reward.train, err);
}

static psw_status reward_shards(config_p c, struct psw_error *err)
{
    if (c->limits.ranks_per_run <= c->reward.train.shards || !psw_config_needs_reward_model(c))
        return shards("reward.shards", c->reward.train.shards, err);
    return psw_fail(err, PSW_EINVAL,
                    "limits.ranks_per_run is %lld: more than reward.shards (%lld), so some "
                    "ranks would have no work",
                    LL c->limits.ranks_per_run, LL c->reward.train.shards);
}

static psw_status groups(config_p c, struct psw_error *err)
{
    const int64_t n = psw_config_samples(c);
    if (!psw_config_is_onpolicy(c)) return PSW_OK;
    if (c->policy.method != PSW_METHOD_PPO && n < 2)
        return psw_fail(err, PSW_EINVAL,
                        "rollout.samples is %lld: %s compares the responses to a prompt and "
                        "needs at least 2",
                        LL n, psw_config_method(c));
    if (c->policy.train.batch % n == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.batch %lld is not a multiple of the %lld responses per prompt "
                    "(rollout.samples)",
                    LL c->policy.train.batch, LL n);
}

static psw_status minibatches(config_p c, struct psw_error *err)
{
    const int64_t n_prompt = c->policy.train.batch / psw_config_samples(c);
    if (!psw_config_is_onpolicy(c) || n_prompt % c->policy.minibatches == 0) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.minibatches %lld does not divide the %lld prompts of a step",
                    LL c->policy.minibatches, LL n_prompt);
}

/* A step's proportional error is clipped to 0.2 either way, so ppo's coefficient is multiplied
 * by at least 1 - 0.2 batch / horizon. Ziegler et al. 2019, arXiv 1909.08593, section 2.2. */
static psw_status kl_horizon(config_p c, struct psw_error *err)
{
    const double least = 0.2 * (double)c->policy.train.batch;
    if (c->policy.method != PSW_METHOD_PPO || !(c->policy.kl_target > 0)) return PSW_OK;
    if (c->policy.kl_horizon > least) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.kl_horizon %g is too short for policy.batch %lld: one step could "
                    "turn the coefficient of the KL off or negative; expected more than %g",
                    c->policy.kl_horizon, LL c->policy.train.batch, least);
}

/* -1 stands for the method's own; -0.1 is a slip, and is not taken for it. */
static psw_status kl_coef(config_p c, struct psw_error *err)
{
    if (c->policy.kl_coef >= 0 || c->policy.kl_coef == -1) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.kl_coef is %g: expected 0 or more, or -1 for the method's own",
                    c->policy.kl_coef);
}

static psw_status scorer(config_p c, struct psw_error *err)
{
    const int by_reward = psw_config_is_onpolicy(c) && c->reward.source == PSW_REWARD_SCORER;
    if (source_of(c)->has_scorer || (!by_reward && c->eval.judge != PSW_JUDGE_SCORER))
        return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "%s is scorer, but %s %s has none: use a reward model, or a task whose "
                    "answers can be checked",
                    by_reward ? "reward.source" : "eval.judge", source_key(c),
                    source_of(c)->name);
}

static psw_status rollout_length(config_p c, struct psw_error *err)
{
    if (c->rollout.max_new >= c->model.context)
        return psw_fail(err, PSW_EINVAL,
                        "rollout.max_new %lld leaves no room for a prompt in model.context "
                        "%lld",
                        LL c->rollout.max_new, LL c->model.context);
    if (c->rollout.overlong == 0 || c->rollout.overlong < c->rollout.max_new) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "rollout.overlong %lld is not below rollout.max_new %lld: the soft penalty "
                    "needs a longest response to count from",
                    LL c->rollout.overlong, LL c->rollout.max_new);
}

static psw_status max_new(config_p c, struct psw_error *err)
{
    if (c->final.max_new < c->model.context) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "final.max_new %lld leaves no room for a prompt in model.context %lld",
                    LL c->final.max_new, LL c->model.context);
}

static psw_status lengths(config_p c, struct psw_error *err)
{
    const int64_t need = c->data.max_prompt + c->data.max_response;
    if (psw_config_is_generated(c) || need <= c->model.context) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "data.max_prompt %lld + data.max_response %lld = %lld tokens do not fit "
                    "into model.context %lld",
                    LL c->data.max_prompt, LL c->data.max_response, LL need,
                    LL c->model.context);
}

/* A generated task has as many pairs as the setting of its section says. */
static psw_status probe_size(config_p c, struct psw_error *err)
{
    char key[PSW_CFG_STR];
    snprintf(key, sizeof key, "%s.pairs", source_of(c)->name);
    const struct psw_leaf *leaf = psw_leaf_find(key);
    if (!psw_config_is_generated(c) || !leaf || c->trace.probe_from != PSW_PROBE_TRAIN ||
        psw_config_is_onpolicy(c))
        return PSW_OK;
    const int64_t n_pair = *(const int64_t *)((const char *)c + leaf->offset);
    if (c->trace.probe <= n_pair) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "trace.probe %lld is more than %s %lld", LL c->trace.probe,
                    key, LL n_pair);
}

static psw_status reward_pairs(config_p c, struct psw_error *err)
{
    if (source_of(c)->has_pairs || !psw_config_needs_reward_model(c)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "%s %s has no pairs to train a reward model on: write reward.source: "
                    "scorer (and no eval.judge: reward)",
                    source_key(c), source_of(c)->name);
}

static psw_status files_given(config_p c, struct psw_error *err)
{
    const struct psw_source_row *source = source_of(c);
    const struct psw_leaf *leaf = psw_leaf_find(source->trains_on ? source->trains_on : "");
    if (!leaf || ((const char *)c)[leaf->resolved]) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "task is none, data.format is %s and %s is not given: expected the path of "
                    "%s",
                    source->name, source->trains_on, source->expected);
}

static psw_status pairs_used(config_p c, struct psw_error *err)
{
    const struct psw_source_row *source = source_of(c);
    if (!c->data.pairs[0]) return PSW_OK;
    if (psw_config_is_generated(c))
        return psw_fail(err, PSW_EINVAL,
                        "data.pairs is given, but task is %s%s: write task: none to read files",
                        source->name,
                        c->task == (int64_t)psw_leaf_find("task")->fallback ? " (the default)"
                                                                            : "");
    if (source->has_pairs) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "data.pairs is given, but data.format is %s, whose rows are no pairs: "
                    "expected their path in %s alone",
                    source->name, source->trains_on);
}

static psw_status method_has_pairs(config_p c, struct psw_error *err)
{
    if (source_of(c)->has_pairs || psw_config_is_onpolicy(c)) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "policy.method %s learns from pairs, but %s %s has none: expected a method "
                    "that samples",
                    psw_config_method(c), source_key(c), source_of(c)->name);
}

static psw_status file_there(const char *key, const char *path, struct psw_error *err)
{
    struct stat info;
    char words[256] = "";
    const struct psw_leaf *leaf = psw_leaf_find(key);
    if (!path[0]) return PSW_OK;
    if (leaf && leaf->names) psw_leaf_expected(leaf, words, sizeof words);
    if (stat(path, &info) != 0)
        return psw_fail(err, PSW_EINVAL, "%s: there is no file %s (" PSW_PATHS_START ")%s%s",
                        key, path, words[0] ? "; expected " : "", words);
    if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
        return psw_fail(err, PSW_EINVAL, "%s: %s is not a file", key, path);
    if (access(path, R_OK) != 0)
        return psw_fail(err, PSW_EINVAL, "%s: %s may not be read", key, path);
    return PSW_OK;
}

static psw_status tokenizer_there(config_p c, struct psw_error *err)
{
    struct stat info;
    if (!c->data.tokenizer[0]) return PSW_OK;
    if (psw_config_is_generated(c))
        return psw_fail(
            err, PSW_EINVAL,
            "data.tokenizer is given, but task is %s, whose tokens are its own words: "
            "write task: none to read files, or data.tokenizer: bytes",
            source_of(c)->name);
    if (stat(c->data.tokenizer, &info) == 0 && S_ISDIR(info.st_mode)) return PSW_OK;
    return file_there("data.tokenizer", c->data.tokenizer, err);
}

/* Files of prompts stand beside files of pairs. */
static psw_status prompt_files(config_p c, const char *key, const char *path,
                               struct psw_error *err)
{
    if (!path[0]) return PSW_OK;
    if (psw_config_is_generated(c) || !source_of(c)->has_pairs)
        return psw_fail(
            err, PSW_EINVAL,
            "%s is given, but %s is %s, which brings its own prompts: expected task: "
            "none and a data.format of pairs",
            key, source_key(c), source_of(c)->name);
    return file_there(key, path, err);
}

static psw_status prompts_there(config_p c, struct psw_error *err)
{
    return prompt_files(c, "data.prompts", c->data.prompts, err);
}

static psw_status final_prompts_there(config_p c, struct psw_error *err)
{
    return prompt_files(c, "data.final_prompts", c->data.final_prompts, err);
}

static psw_status template_there(config_p c, struct psw_error *err)
{
    return file_there("data.template", c->data.template, err);
}

static psw_status pairs_there(config_p c, struct psw_error *err)
{
    return file_there("data.pairs", c->data.pairs, err);
}

static psw_status heldout_there(config_p c, struct psw_error *err)
{
    return file_there("data.heldout", c->data.heldout, err);
}

static psw_status sft_there(config_p c, struct psw_error *err)
{
    return file_there("data.sft", c->data.sft, err);
}

static const struct psw_rule RULES[] = {
    {{"sft.shards"}, sft_shards},
    {{"policy.shards"}, policy_shards},
    {{"limits.ranks_per_run", "policy.shards", "sft.shards"}, ranks},
    {{"model.heads", "model.width"}, heads},
    {{"model.kv_heads", "model.heads", "model.family"}, kv_heads},
    {{"model.rotary_pct", "model.heads", "model.width"}, rotary},
    {{"model.head_width", "model.heads", "model.width"}, whole_rotary},
    {{"limits.keep", "model.head_width"}, keep},
    {{"trace.every", "policy.steps"}, trace_every},
    {{"trace.cosine_every", "trace.every"}, cosine_every},
    {{"trace.sketch"}, sketch},
    {{"eval.every", "eval.prompts"}, eval_every},
    {{"sft.warmup", "sft.steps"}, sft_warmup},
    {{"policy.warmup", "policy.steps"}, policy_warmup},
    {{"policy.flat_from", "policy.flat_until"}, flat_interval},
    {{"final.max_new", "model.context"}, max_new},
    {{
         "trace.probe",
#define GENERATED(ID, name, ...) #name ".pairs",
#define FILES(...)
#include <posweep/config/sources.def>
     },
     probe_size},
    {{"reward.warmup", "reward.steps"}, reward_warmup},
    {{"reward.shards", "limits.ranks_per_run"}, reward_shards},
    {{"policy.batch", "rollout.samples", "policy.method"}, groups},
    {{"policy.minibatches", "policy.batch", "rollout.samples"}, minibatches},
    {{"policy.kl_coef"}, kl_coef},
    {{"policy.kl_horizon", "policy.batch", "policy.kl_target"}, kl_horizon},
    {{"reward.source", "eval.judge", "task"}, scorer},
    {{"rollout.max_new", "rollout.overlong", "model.context"}, rollout_length},
    {{"reward.source", "eval.judge", "data.format"}, reward_pairs},
    {{"data.format", "task"}, files_given},
    {{"data.pairs", "task", "data.format"}, pairs_used},
    {{"policy.method", "data.format"}, method_has_pairs},
    {{"data.pairs"}, pairs_there},
    {{"data.heldout"}, heldout_there},
    {{"data.sft"}, sft_there},
    {{"data.tokenizer", "task"}, tokenizer_there},
    {{"data.template"}, template_there},
    {{"data.prompts", "data.format", "task"}, prompts_there},
    {{"data.final_prompts", "data.format", "task"}, final_prompts_there},
    {{"model.context", "data.max_prompt", "data.max_response"}, lengths},
};

psw_status psw_config_check(const struct psw_config *config, const struct psw_rule **broken,
                            struct psw_error *err)
{
    for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
        const psw_status rc = RULES[i].check(config, err);
        if (rc == PSW_OK) continue;
        *broken = &RULES[i];
        return rc;
    }
    return PSW_OK;
}

psw_status psw_config_validate(const struct psw_config *config, struct psw_error *err)
{
    const struct psw_rule *broken;
    return psw_config_check(config, &broken, err);
}
