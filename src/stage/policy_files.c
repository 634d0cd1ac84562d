/* The files of a run under way: which steps are checkpoints, their parameters, and whether all
 * that the trace reads is there. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>

enum { HASH_BLOCK = 4096 };

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

static psw_status hash_param(struct psw_trainer *t, uint64_t *out, struct psw_error *err)
{
    float block[HASH_BLOCK];
    struct psw_hash_stream *stream = psw_hash_stream_create();
    if (!stream) return psw_fail(err, PSW_ENOMEM, "hash of the parameters");
    for (int64_t at = 0; at < t->n_param; at += HASH_BLOCK) {
        const int64_t n = psw_min(t->n_param - at, HASH_BLOCK);
        psw_exec_backend(&t->exec)->buffer->read(&t->exec, n, t->param + at, block);
        psw_hash_stream_add(stream, block, sizeof *block * (size_t)n);
    }
    *out = psw_hash_stream_value(stream);
    psw_hash_stream_destroy(stream);
    return PSW_OK;
}

psw_status psw_policy_param_hash(struct psw_policy *p, uint64_t *out, struct psw_error *err)
{
    return psw_agree(p->trainer.team.comm, hash_param(&p->trainer, out, err), err);
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
