/* Settings without effect: given in a sweep, and used by none of the runs that have them. Such
 * runs are legal, cost their time, and differ from others by their identity alone. */
#include "config_internal.h"

#include <posweep/config/source.h>

#include <string.h>

#define METHOD(name) (1u << PSW_METHOD_##name)
enum {
    ON_POLICY = METHOD(PPO) | METHOD(GRPO) | METHOD(DAPO),
    PAIRWISE = METHOD(PPO) - 1,
    MARGIN_METHODS = ~(METHOD(ORPO) | METHOD(SFT) | ON_POLICY)
};

typedef const struct psw_config *config_p;

static int with_files(config_p c)
{
    return !psw_config_is_generated(c);
}

#define WITH(NAME, ...)                                                                        \
    static int with_##NAME(config_p c)                                                         \
    {                                                                                          \
        return psw_config_source(c) == PSW_SOURCE_##NAME;                                      \
    }
PSW_GENERATED_SOURCES(WITH)

static int with_pair_files(config_p c)
{
    return with_files(c) && psw_source_facts(psw_config_source(c))->has_pairs;
}

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

/* A key, or a section with its dot, and when it matters: by method, or else by a condition. The
 * first row that covers a key counts. */
static const struct use {
    const char *path, *when;
    unsigned methods;
    int (*condition)(config_p);
} USES[] = {
#define SECTION(NAME, name, ...) {name ".", "task: " name, 0, with_##NAME},
    PSW_GENERATED_SOURCES(SECTION) /* and of files: */
    {"data.drop_equal", "files of pairs", 0, with_pair_files},
    {"data.drop_prompt_mismatch", "files of pairs", 0, with_pair_files},
    {"data.", "task: none", 0, with_files},
    {"policy.beta", "pairwise methods other than orpo and sft", (unsigned)MARGIN_METHODS, NULL},
    {"policy.gamma", "simpo", METHOD(SIMPO), NULL},
    {"policy.epsilon", "dpo_smooth and dpo_robust", METHOD(DPO_SMOOTH) | METHOD(DPO_ROBUST),
     NULL},
    {"policy.lambda", "dpop", METHOD(DPOP), NULL},
    {"policy.alpha", "orpo, cpo and rpo", METHOD(ORPO) | METHOD(CPO) | METHOD(RPO), NULL},
    {"policy.epochs", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.minibatches", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.clip_low", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.clip_high", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.entropy_coef", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.kl_coef", "ppo and grpo", METHOD(PPO) | METHOD(GRPO), NULL},
    {"policy.kl_kind", "ppo", METHOD(PPO), NULL},
    {"policy.kl_target", "ppo", METHOD(PPO), NULL},
    {"policy.kl_horizon", "ppo", METHOD(PPO), NULL},
    {"policy.discount", "ppo", METHOD(PPO), NULL},
    {"policy.gae_lambda", "ppo", METHOD(PPO), NULL},
    {"policy.whiten", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.critic", "ppo", METHOD(PPO), NULL},
    {"policy.critic_lr", "ppo", METHOD(PPO), NULL},
    {"policy.value_coef", "ppo", METHOD(PPO), NULL},
    {"policy.value_clip", "ppo", METHOD(PPO), NULL},
    {"policy.damp", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"policy.tau", "policy.damp: below or scale", 0, damps},
    {"policy.share_prefix", "pairwise methods", PAIRWISE, NULL},
    {"trace.probe", "pairwise methods", PAIRWISE, NULL},
    {"trace.probe_from", "pairwise methods", PAIRWISE, NULL},
    {"rollout.redraws", "dapo", METHOD(DAPO), NULL},
    {"rollout.overlong", "dapo", METHOD(DAPO), NULL},
    {"rollout.", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"reward.source", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"reward.noise", "ppo, grpo and dapo", ON_POLICY, NULL},
    {"reward.missing_eos", "ppo, grpo, dapo, or a reward model as judge", 0, is_rewarded},
    {"reward.", "a reward model (reward.source: model, or eval.judge: reward)", 0,
     has_reward_model},
    {"policy.flat_from", "policy.reweight: off", 0, when_flat},
    {"policy.flat_until", "policy.reweight: off", 0, when_flat},
    {"policy.positive.to", "a schedule that is not constant", 0, positive_moves},
    {"policy.negative.to", "a schedule that is not constant", 0, negative_moves},
    {"policy.positive.at", "schedule: step", 0, positive_steps},
    {"policy.negative.at", "schedule: step", 0, negative_steps},
};

static int covers(const struct use *use, const char *path)
{
    const size_t n = strlen(use->path);
    return use->path[n - 1] == '.' ? strncmp(path, use->path, n) == 0
                                   : strcmp(path, use->path) == 0;
}

/* The first row that covers a leaf; NULL: it always matters. */
static const struct use *use_of(const char *path)
{
    for (size_t u = 0; u < sizeof USES / sizeof USES[0]; u++)
        if (covers(&USES[u], path)) return &USES[u];
    return NULL;
}

static int is_used(const struct use *use, config_p config)
{
    return use->condition ? use->condition(config)
                          : (use->methods >> config->policy.method & 1) != 0;
}

/* Is the leaf off its default somewhere, and used nowhere that it is? */
static int is_idle(const struct psw_sweep *sweep, const struct use *use,
                   const struct psw_leaf *leaf)
{
    struct psw_config base;
    int given = 0;
    psw_config_default(&base);
    for (int64_t i = 0; i < sweep->n_run; i++) {
        if (psw_leaf_equal(leaf, &sweep->run[i].config, &base)) continue;
        if (is_used(use, &sweep->run[i].config)) return 0;
        given = 1;
    }
    return given;
}

psw_status psw_sweep_warn_unused(struct psw_sweep *sweep, const char *path,
                                 struct psw_error *err)
{
    int n;
    const struct psw_leaf *leaf = psw_schema(&n);
    for (int i = 0; i < n; i++) {
        const struct use *use = use_of(leaf[i].path);
        if (!use || !is_idle(sweep, use, &leaf[i])) continue;
        const psw_status rc = psw_sweep_warn(
            sweep, err, "%s: %s is given, but matters only with %s: no run that has it uses it",
            path, leaf[i].path, use->when);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}
