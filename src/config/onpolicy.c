/* What the settings of on-policy methods come to: defaults that depend on the method. */
#include <posweep/config/config.h>

int psw_config_is_onpolicy(const struct psw_config *config)
{
    return config->policy.method >= PSW_N_PAIRWISE;
}

int psw_config_needs_reward_model(const struct psw_config *config)
{
    if (config->eval.judge == PSW_JUDGE_REWARD) return 1;
    return psw_config_is_onpolicy(config) && config->reward.source == PSW_REWARD_MODEL;
}

/** A method's own settings. */
static const struct own {
    int64_t samples;
    double clip_high; /* 0: clip_low */
    double kl_coef;
} OWN[PSW_N_METHOD - PSW_N_PAIRWISE] = {
    [PSW_METHOD_PPO - PSW_N_PAIRWISE] = {1, 0, 0.05},
    [PSW_METHOD_GRPO - PSW_N_PAIRWISE] = {8, 0, 0.04},
    [PSW_METHOD_DAPO - PSW_N_PAIRWISE] = {8, 0.28, 0},
};

static const struct own *own_of(const struct psw_config *config)
{
    static const struct own NONE = {1, 0, 0};
    return psw_config_is_onpolicy(config) ? &OWN[config->policy.method - PSW_N_PAIRWISE]
                                          : &NONE;
}

int64_t psw_config_samples(const struct psw_config *config)
{
    return config->rollout.samples ? config->rollout.samples : own_of(config)->samples;
}

double psw_config_clip_high(const struct psw_config *config)
{
    if (config->policy.clip_high > 0) return config->policy.clip_high;
    const double own = own_of(config)->clip_high;
    return own > 0 ? own : config->policy.clip_low;
}

double psw_config_kl_coef(const struct psw_config *config)
{
    return config->policy.kl_coef >= 0 ? config->policy.kl_coef : own_of(config)->kl_coef;
}
