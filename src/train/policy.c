/* The policy stage: train from the SFT model, keep the parameters of every trace checkpoint,
 * then hand over to the trace. What is needed to continue with the same bits is saved every
 * limits.checkpoint_s seconds and when asked to stop. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/train/state.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t psw_policy_n_checkpoint(const struct psw_config *config)
{
    return (config->policy.train.steps + config->trace.every - 1) / config->trace.every + 1;
}

int64_t psw_policy_checkpoint_step(const struct psw_config *config, int64_t checkpoint)
{
    const int64_t step = checkpoint * config->trace.every;
    return step < config->policy.train.steps ? step : config->policy.train.steps;
}

psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s-%06lld.%s", p->dir, what,
                    (long long)number, suffix);
}

static int is_checkpoint(const struct psw_config *config, int64_t step)
{
    return step % config->trace.every == 0 || step == config->policy.train.steps;
}

/* With directions the moments are kept as well: Adam's preconditioner is one of them. */
static psw_status save_checkpoint(struct psw_policy *p, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_trainer *t = &p->trainer;
    psw_status rc = psw_policy_path(p, "ckpt", t->step, "state", path, err);
    if (rc != PSW_OK || psw_stage_have(t->team.comm, path)) return rc;
    if (p->stage->config->trace.directions)
        return psw_trainer_save(t, path, p->key, NULL, 0, err);
    return psw_trainer_save_param(t, path, p->key, err);
}

static void log_step(struct psw_policy *p, int64_t step, const struct psw_step_info *info,
                     double tokens_per_s)
{
    if (step % p->stage->config->log.every != 0) return;
    const struct psw_pair_in in = {
        .n_pair = p->train->batch, .logp = p->a.logp, .ref = p->a.ref, .n_tok = p->a.n_tok};
    const struct psw_pair_metrics m = psw_pair_metrics_of(&p->opts, &in, &p->a.out);
    const double value[PSW_N_LOG] = {[PSW_LOG_LOSS] = m.loss,
                                     [PSW_LOG_MARGIN] = m.margin,
                                     [PSW_LOG_ACCURACY] = m.accuracy,
                                     [PSW_LOG_REWARD_CHOSEN] = m.reward_chosen,
                                     [PSW_LOG_REWARD_REJECTED] = m.reward_rejected,
                                     [PSW_LOG_LOGP_CHOSEN] = m.logp_chosen,
                                     [PSW_LOG_LOGP_REJECTED] = m.logp_rejected,
                                     [PSW_LOG_OMEGA] = m.omega,
                                     [PSW_LOG_GRAD_NORM] = info->grad_norm,
                                     [PSW_LOG_LR] = info->lr,
                                     [PSW_LOG_TOKENS_PER_S] = tokens_per_s};
    const int64_t at = step / p->stage->config->log.every;
    for (int i = 0; i < PSW_N_LOG; i++) p->log[i * p->n_log + at] = value[i];
}

static psw_status one_step(struct psw_policy *p, struct psw_error *err)
{
    struct psw_trainer *t = &p->trainer;
    const int64_t step = t->step;
    const double begin_s = psw_clock_s();
    struct psw_step_info info;
    int64_t n_tok = 0;
    psw_policy_pick(p, step);
    psw_status rc = psw_policy_gradient(p, step, t->arena, &n_tok, err);
    if (rc == PSW_OK) rc = psw_trainer_update(t, &info, err);
    if (rc != PSW_OK) return rc;
    const double wall_s = psw_clock_s() - begin_s;
    log_step(p, step, &info, (double)(n_tok * t->team.size) / wall_s);
    return is_checkpoint(p->stage->config, t->step) ? save_checkpoint(p, err) : PSW_OK;
}

static size_t log_bytes(const struct psw_policy *p)
{
    return sizeof(double) * PSW_N_LOG * (size_t)p->n_log;
}

static psw_status save_resume(struct psw_policy *p, const char *path, struct psw_error *err)
{
    return psw_trainer_save(&p->trainer, path, p->key, p->log, log_bytes(p), err);
}

/* From the last saved state, or from the SFT model. */
static psw_status start(struct psw_policy *p, const char *resume, struct psw_error *err)
{
    struct psw_trainer *t = &p->trainer;
    if (psw_stage_have(t->team.comm, resume))
        return psw_trainer_load(t, resume, p->key, p->log, log_bytes(p), err);
    char sft[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(p->stage, PSW_STAGE_SFT, sft, err);
    if (rc != PSW_OK) return rc;
    const uint64_t sft_key =
        psw_stage_key(PSW_STAGE_SFT, p->stage->config, p->stage->data->content_hash);
    rc = psw_trainer_load_param(t, sft, sft_key, err);
    t->step = 0;
    return rc == PSW_OK ? save_checkpoint(p, err) : rc;
}

static psw_status train(struct psw_policy *p, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_trainer *t = &p->trainer;
    char resume[PSW_PATH_BYTES];
    PSW_TRY(psw_path(resume, sizeof resume, err, "%s/resume.state", p->dir));
    PSW_TRY(start(p, resume, err));
    double saved_s = psw_clock_s();
    if (t->step >= p->train->steps) return PSW_OK;
    while (t->step < p->train->steps) {
        PSW_TRY(one_step(p, err));
        psw_stage_progress(p->stage, (double)t->step, 1.25 * (double)p->train->steps);
        const int stop = psw_stage_stopped(p->stage);
        int save = psw_clock_s() - saved_s > p->stage->config->limits.checkpoint_s;
        PSW_MPI(MPI_Bcast(&save, 1, MPI_INT, 0, t->team.comm));
        if (t->step == p->train->steps || (!save && !stop)) continue;
        PSW_TRY(save_resume(p, resume, err));
        saved_s = psw_clock_s();
        if (stop)
            return psw_fail(err, PSW_ESTOP, "stopped in policy at step %lld",
                            (long long)t->step);
    }
    rc = save_resume(p, resume, err);
fail:
    return rc;
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct psw_policy *p = ctx;
    psw_trainer_init(&p->trainer, p->stage->model, p->train, &p->team, arena);
    if (!psw_arena_is_measuring(arena)) return;
    for (int64_t step = 0; step < p->train->steps; step++) {
        psw_policy_pick(p, step);
        const psw_status rc = psw_policy_gradient(p, step, arena, NULL, NULL);
        (void)rc; /* nothing is computed, nothing can fail */
    }
    psw_policy_trace_layout(p, arena);
}

static psw_status prepare_dir(struct psw_policy *p, struct psw_error *err)
{
    const struct psw_stage *stage = p->stage;
    p->key = psw_stage_key(PSW_STAGE_POLICY, stage->config, stage->data->content_hash);
    psw_status rc = psw_stage_path(stage, PSW_STAGE_POLICY, p->dir, err);
    if (rc == PSW_OK && p->team.rank == 0) rc = psw_file_make_dir(p->dir, err);
    return psw_agree(stage->comm, rc, err);
}

psw_status psw_stage_policy(const struct psw_stage *stage, struct psw_error *err)
{
    struct psw_policy p;
    struct psw_arena *arena = NULL;
    size_t peak_bytes = 0;
    psw_status rc = psw_agree(stage->comm, psw_policy_init(&p, stage, err), err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(psw_stage_team(stage, p.train->shards, &p.team, err));
    PSW_TRY(prepare_dir(&p, err));
    PSW_TRY(psw_ref_load(stage, &p.ref, err));
    PSW_TRY(psw_layout_peak(layout, &p, &peak_bytes, err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_create("policy", peak_bytes, &arena, err), err));
    layout(&p, arena);
    const double begin_s = psw_clock_s();
    PSW_TRY(train(&p, err));
    p.train_s = psw_clock_s() - begin_s;
    rc = psw_policy_trace(&p, err);
fail:
    psw_stage_memory(stage, peak_bytes, arena);
    psw_arena_destroy(arena);
    psw_policy_clear(&p);
    return rc;
}

size_t psw_policy_peak(const struct psw_stage *stage, const struct psw_team *team)
{
    struct psw_policy p;
    size_t peak_bytes = 0;
    if (psw_policy_init(&p, stage, NULL) != PSW_OK) return 0;
    p.team = *team;
    const psw_status rc = psw_layout_peak(layout, &p, &peak_bytes, NULL);
    psw_policy_clear(&p);
    return rc == PSW_OK ? peak_bytes : 0;
}
