/* What is allowed in a sweep and yet seldom meant. Such runs are legal, cost their time, and do
 * not what their file seems to say: learning that is off to the end, rollouts from another
 * distribution than the one they are weighed by, settings that none of the runs that have them
 * uses. */
#include "config_internal.h"
#include <posweep/config/source.h>

#include <stdlib.h>
#include <string.h>

static int never_learns(const struct psw_config_emphasis *e, int64_t n_step)
{
    return e->off_until >= n_step && n_step > 0;
}

/* Once per variant: what the run will do is legal, but seldom what was meant. */
static psw_status warn_of(struct psw_sweep *sweep, const char *path, int64_t i_run,
                          struct psw_error *err)
{
    struct psw_config_reader reader = {0};
    const struct psw_run *run = &sweep->run[i_run];
    const struct psw_config_policy *p = &psw_sweep_config(sweep, i_run, &reader)->policy;
    const struct {
        const char *name;
        const struct psw_config_emphasis *emphasis;
    } ROLES[] = {{"positive", &p->positive}, {"negative", &p->negative}};
    for (int i = 0; i < 2; i++) {
        if (!never_learns(ROLES[i].emphasis, p->train.steps)) continue;
        const psw_status rc = psw_sweep_add_warning(
            sweep, err,
            "%s:%d: variant %s: policy.%s.off_until %lld is not before policy.steps %lld, so "
            "the whole run is without %s learning",
            path, run->line, run->variant, ROLES[i].name,
            (long long)ROLES[i].emphasis->off_until, (long long)p->train.steps, ROLES[i].name);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

/* Once per sweep: rollouts drawn from another distribution than the one they are weighed by. */
static psw_status warn_truncated(struct psw_sweep *sweep, const char *path,
                                 struct psw_error *err)
{
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < sweep->n_run; i = psw_sweep_next_config(sweep, i + 1)) {
        const struct psw_run *run = &sweep->run[i];
        const struct psw_config *config = psw_sweep_config(sweep, i, &reader);
        const int top_p = config->rollout.top_p < 1;
        const int top_k = config->rollout.top_k > 0;
        if (!psw_config_is_onpolicy(config) || !(top_p || top_k)) continue;
        return psw_sweep_add_warning(
            sweep, err,
            "%s:%d: %s leaves tokens out of rollouts, but ratios and KL of %s are of the full "
            "distribution, not of the one sampled from",
            path, run->line, top_p ? "rollout.top_p" : "rollout.top_k",
            psw_config_method(config));
    }
    return PSW_OK;
}

static psw_status warn_variants(struct psw_sweep *sweep, const char *path,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run;
         i = psw_sweep_next_config(sweep, i + 1)) {
        const struct psw_run *run = &sweep->run[i];
        if (i == 0 || run->block != run[-1].block || strcmp(run->variant, run[-1].variant) != 0)
            rc = warn_of(sweep, path, i, err);
    }
    return rc;
}

/* ---- settings without effect ---- */

typedef const struct psw_config *config_p;

static int with_files(config_p c)
{
    return !psw_config_is_generated(c);
}

static int groups_heads(config_p c)
{
    return !psw_family_row((enum psw_family)c->model.family)->by_head;
}

static int rotates_a_part(config_p c)
{
    return !psw_family_row((enum psw_family)c->model.family)->rotates_all;
}

static int scales_rotary(config_p c)
{
    return c->model.rotary_scaling != PSW_ROTARY_PLAIN;
}

static int scales_as_llama3(config_p c)
{
    return c->model.rotary_scaling == PSW_ROTARY_LLAMA3;
}

static int with_file_pairs(config_p c)
{
    return with_files(c) && psw_source_row(psw_config_source(c))->has_pairs;
}

#define GENERATED(ID, ...)                                                                     \
    static int with_##ID(config_p c)                                                           \
    {                                                                                          \
        return psw_config_source(c) == PSW_SOURCE_##ID;                                        \
    }
#define FILES(...)
#include <posweep/config/sources.def>

static int when_flat(config_p c)
{
    return !c->policy.reweight;
}

static int positive_moves(config_p c)
{
    return c->policy.positive.schedule != PSW_EMPHASIS_CONSTANT;
}

static int negative_moves(config_p c)
{
    return c->policy.negative.schedule != PSW_EMPHASIS_CONSTANT;
}

static int positive_steps(config_p c)
{
    return c->policy.positive.schedule == PSW_EMPHASIS_STEP;
}

static int negative_steps(config_p c)
{
    return c->policy.negative.schedule == PSW_EMPHASIS_STEP;
}

static int damps(config_p c)
{
    return c->policy.damp != PSW_DAMP_NONE;
}

static int has_reward_model(config_p c)
{
    return psw_config_needs_reward_model(c);
}

static int is_rewarded(config_p c)
{
    return psw_config_is_onpolicy(c) || psw_config_needs_reward_model(c);
}

/* Every use but those that the rows of the methods name. */
static const struct {
    int (*condition)(config_p);
    const char *when;
} CONDITIONS[PSW_N_USE] = {
    [PSW_USE_FILES] = {with_files, "task: none"},
    [PSW_USE_FILE_PAIRS] = {with_file_pairs, "files of pairs (task: none)"},
#define GENERATED(ID, name, ...) [PSW_USE_##ID] = {with_##ID, "task: " #name},
#define FILES(...)
#include <posweep/config/sources.def>
    [PSW_USE_GROUPED_HEADS] = {groups_heads, "a family that groups heads (not gpt_neox)"},
    [PSW_USE_PARTIAL_ROTARY] = {rotates_a_part, "a family that rotates a part (gpt_neox)"},
    [PSW_USE_SCALED_ROTARY] = {scales_rotary, "model.rotary_scaling: linear or llama3"},
    [PSW_USE_LLAMA3_ROTARY] = {scales_as_llama3, "model.rotary_scaling: llama3"},
    [PSW_USE_FLAT] = {when_flat, "policy.reweight: off"},
    [PSW_USE_POSITIVE_MOVES] = {positive_moves, "a schedule that is not constant"},
    [PSW_USE_POSITIVE_STEPS] = {positive_steps, "schedule: step"},
    [PSW_USE_NEGATIVE_MOVES] = {negative_moves, "a schedule that is not constant"},
    [PSW_USE_NEGATIVE_STEPS] = {negative_steps, "schedule: step"},
    [PSW_USE_DAMPING] = {damps, "policy.damp: below or scale"},
    [PSW_USE_REWARD_MODEL] = {has_reward_model,
                              "a reward model (reward.source: model, or eval.judge: reward)"},
    [PSW_USE_REWARDED] = {is_rewarded, "ppo, grpo, dapo, or a reward model as judge"},
};

static int is_used(const struct psw_leaf *leaf, config_p config)
{
    if (leaf->use == PSW_USE_ALWAYS) return 1;
    if (leaf->use < PSW_N_USE_OF_METHOD)
        return psw_method_reads(config->policy.method, leaf->use);
    return CONDITIONS[leaf->use].condition(config);
}

/* "dpo_smooth and dpo_robust": the methods that read it; or the condition in words. */
static const char *when_used(const struct psw_leaf *leaf, char out[PSW_WARNING_BYTES])
{
    int n = 0, left = 0;
    if (leaf->use >= PSW_N_USE_OF_METHOD) return CONDITIONS[leaf->use].when;
    for (int m = 0; m < PSW_N_METHOD; m++) left += psw_method_reads(m, leaf->use);
    for (int m = 0; m < PSW_N_METHOD && n < PSW_WARNING_BYTES; m++) {
        if (!psw_method_reads(m, leaf->use)) continue;
        left--;
        n += snprintf(out + n, (size_t)(PSW_WARNING_BYTES - n), "%s%s", psw_method_row(m)->name,
                      left > 1    ? ", "
                      : left == 1 ? " and "
                                  : "");
    }
    return out;
}

/* Leaves that are off their default somewhere, and used nowhere that they are. */
static void find_idle(const struct psw_sweep *sweep, uint8_t *is_idle, uint8_t *is_needed)
{
    int n;
    struct psw_config base;
    struct psw_config_reader reader = {0};
    const struct psw_leaf *leaf = psw_leaves(&n);
    psw_config_default(&base);
    for (int64_t r = 0; r < sweep->n_run; r = psw_sweep_next_config(sweep, r + 1)) {
        const struct psw_config *config = psw_sweep_config(sweep, r, &reader);
        for (int i = 0; i < n; i++) {
            if (is_needed[i] || psw_leaf_equal(&leaf[i], config, &base)) continue;
            is_needed[i] = (uint8_t)is_used(&leaf[i], config);
            is_idle[i] = !is_needed[i];
        }
    }
}

static psw_status warn_unused(struct psw_sweep *sweep, const char *path, struct psw_error *err)
{
    int n;
    char when[PSW_WARNING_BYTES];
    psw_status rc = PSW_OK;
    const struct psw_leaf *leaf = psw_leaves(&n);
    uint8_t *is_idle = calloc(2 * (size_t)n, 1);
    if (!is_idle) return psw_fail(err, PSW_ENOMEM, "%d leaves", n);
    find_idle(sweep, is_idle, is_idle + n);
    for (int i = 0; rc == PSW_OK && i < n; i++)
        if (is_idle[i])
            rc = psw_sweep_add_warning(
                sweep, err,
                "%s: %s is given, but matters only with %s: no run that has it uses it", path,
                leaf[i].path, when_used(&leaf[i], when));
    free(is_idle);
    return rc;
}

psw_status psw_sweep_warn(struct psw_sweep *sweep, const char *path, struct psw_error *err)
{
    psw_status rc = warn_truncated(sweep, path, err);
    if (rc == PSW_OK) rc = warn_variants(sweep, path, err);
    return rc == PSW_OK ? warn_unused(sweep, path, err) : rc;
}
