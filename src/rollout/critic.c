/* The critic's model and memory. */
#include <posweep/rollout/critic.h>

#include <posweep/rollout/reward_model.h>

psw_status psw_critic_init(const struct psw_config *config, const struct psw_model *base,
                           const struct psw_config_train *train, struct psw_critic_model *out,
                           struct psw_error *err)
{
    const struct psw_config_policy *c = &config->policy;
    *out = (struct psw_critic_model){.train = *train};
    if (c->critic_lr > 0) out->train.lr = c->critic_lr;
    if (!psw_method_reads(c->method, PSW_USE_CRITIC)) return PSW_OK;
    out->is_shared = c->critic == PSW_CRITIC_SHARED;
    return psw_value_model(base, &out->model, err);
}

void psw_critic_clear(struct psw_critic_model *c)
{
    psw_model_destroy(c->model);
    *c = (struct psw_critic_model){0};
}

int psw_critic_is_separate(const struct psw_critic_model *c)
{
    return c->model && !c->is_shared;
}

void psw_critic_layout(struct psw_critic_model *c, const struct psw_team *team,
                       int64_t per_step, struct psw_exec exec)
{
    if (!psw_critic_is_separate(c)) return;
    psw_trainer_init(&c->trainer, c->model, &c->train, team, exec);
    c->trainer.per_step = per_step;
}
