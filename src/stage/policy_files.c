/* The files of a run under way: which steps are checkpoints, their parameters, and whether all
 * that the trace reads is there. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>

int64_t psw_stage_n_checkpoint(const struct psw_config *config)
{
    return (config->policy.train.steps + config->trace.every - 1) / config->trace.every + 1;
}

int64_t psw_policy_checkpoint_step(const struct psw_config *config, int64_t checkpoint)
{
    const int64_t step = checkpoint * config->trace.every;
    return step < config->policy.train.steps ? step : config->policy.train.steps;
}

int psw_policy_is_checkpoint(const struct psw_config *config, int64_t step)
{
    return step % config->trace.every == 0 || step == config->policy.train.steps;
}

psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s-%06lld.%s",
                    p->work->place[PSW_STAGE_POLICY].path, what, (long long)number, suffix);
}

/* With directions the moments are kept as well: Adam's preconditioner is one of them. */
psw_status psw_policy_keep(struct psw_policy *p, int64_t n_step, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const struct psw_config *c = p->work->stage->config;
    const uint64_t key = p->work->training_key;
    if (!psw_policy_is_checkpoint(c, n_step)) return PSW_OK;
    psw_status rc = psw_policy_path(p, "ckpt", n_step, "state", path, err);
    if (rc != PSW_OK || psw_comm_file_exists(p->trainer.team.comm, path)) return rc;
    if (c->trace.directions) return psw_trainer_save(&p->trainer, path, key, NULL, 0, err);
    return psw_trainer_save_param(&p->trainer, path, key, err);
}

psw_status psw_policy_load_checkpoint(struct psw_policy *p, int64_t step, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const uint64_t key = p->work->training_key;
    psw_status rc = psw_policy_path(p, "ckpt", step, "state", path, err);
    if (rc != PSW_OK) return rc;
    if (p->work->stage->config->trace.directions)
        return psw_trainer_load(&p->trainer, path, key, NULL, NULL, err);
    return psw_trainer_load_param(&p->trainer, path, key, err);
}

int psw_policy_is_whole(const struct psw_policy *p)
{
    const struct psw_config *c = p->work->stage->config;
    char path[PSW_PATH_BYTES];
    for (int64_t i = 0; i < psw_stage_n_checkpoint(c); i++)
        for (int f = 0; p->kind->file[f][0]; f++)
            if (psw_policy_path(p, p->kind->file[f][0], psw_policy_checkpoint_step(c, i),
                                p->kind->file[f][1], path, NULL) != PSW_OK ||
                !psw_file_exists(path))
                return 0;
    return 1;
}
