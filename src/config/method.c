/* The table of methods, and what settings come to whose defaults depend on the method. */
#include <posweep/config/config.h>
#include <posweep/util/status.h>

#include <string.h>

#define R(use) (1u << PSW_USE_##use)
#define PAIRWISE(id, name_, reads_, compares_, has_reference_, has_nll_, loss_, source_)       \
    [PSW_METHOD_##id] = {.name = #name_,                                                       \
                         .reads = R(PAIRS) | (reads_),                                         \
                         .compares = compares_,                                                \
                         .has_reference = has_reference_,                                      \
                         .has_nll = has_nll_,                                                  \
                         .samples = 1,                                                         \
                         .loss = loss_,                                                        \
                         .source = source_},
#define ONPOLICY(id, name_, reads_, per_response_, samples_, clip_high_, kl_coef_, loss_,      \
                 source_)                                                                      \
    [PSW_METHOD_##id] = {.name = #name_,                                                       \
                         .reads = R(ROLLOUTS) | (reads_),                                      \
                         .per_response = per_response_,                                        \
                         .samples = samples_,                                                  \
                         .clip_high = clip_high_,                                              \
                         .kl_coef = kl_coef_,                                                  \
                         .loss = loss_,                                                        \
                         .source = source_},
static const struct psw_method_row METHODS[PSW_N_METHOD] = {
#include <posweep/config/methods.def>
};

const struct psw_method_row *psw_method_row(int64_t method)
{
    PSW_ASSERT(method >= 0 && method < PSW_N_METHOD);
    return &METHODS[method];
}

int psw_method_find(const char *name)
{
    for (int m = 0; m < PSW_N_METHOD; m++)
        if (strcmp(METHODS[m].name, name) == 0) return m;
    return -1;
}

int psw_method_reads(int64_t method, enum psw_use use)
{
    return psw_method_row(method)->reads >> use & 1;
}

const char *psw_config_method(const struct psw_config *config)
{
    return psw_method_row(config->policy.method)->name;
}

int psw_config_is_onpolicy(const struct psw_config *config)
{
    return psw_method_reads(config->policy.method, PSW_USE_ROLLOUTS);
}

int psw_config_needs_reward_model(const struct psw_config *config)
{
    if (config->eval.judge == PSW_JUDGE_REWARD) return 1;
    return psw_config_is_onpolicy(config) && config->reward.source == PSW_REWARD_MODEL;
}

int64_t psw_config_samples(const struct psw_config *config)
{
    return config->rollout.samples ? config->rollout.samples
                                   : psw_method_row(config->policy.method)->samples;
}

double psw_config_clip_high(const struct psw_config *config)
{
    if (config->policy.clip_high > 0) return config->policy.clip_high;
    const double own = psw_method_row(config->policy.method)->clip_high;
    return own > 0 ? own : config->policy.clip_low;
}

double psw_config_kl_coef(const struct psw_config *config)
{
    return config->policy.kl_coef >= 0 ? config->policy.kl_coef
                                       : psw_method_row(config->policy.method)->kl_coef;
}
