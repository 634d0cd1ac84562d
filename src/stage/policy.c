/* The policy stage: train from the SFT model, keep the parameters of every trace checkpoint,
 * then hand over to the trace. What is needed to continue with the same bits is saved every
 * limits.checkpoint_s seconds and when asked to stop. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

int64_t psw_policy_n_checkpoint(const struct psw_config *config)
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

int psw_policy_is_logged(const struct psw_config *config, int64_t step)
{
    return step % config->log.every == 0;
}

int64_t psw_policy_step(const struct psw_policy *p)
{
    return p->trainer.step / p->n_update;
}

psw_status psw_policy_path(const struct psw_policy *p, const char *what, int64_t number,
                           const char *suffix, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s-%06lld.%s", p->dir, what,
                    (long long)number, suffix);
}

/* With directions the moments are kept as well: Adam's preconditioner is one of them. */
static psw_status save_checkpoint(struct psw_policy *p, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_trainer *t = &p->trainer;
    psw_status rc = psw_policy_path(p, "ckpt", psw_policy_step(p), "state", path, err);
    if (rc != PSW_OK || psw_stage_have(t->team.comm, path)) return rc;
    if (p->stage->config->trace.directions)
        return psw_trainer_save(t, path, p->key, NULL, 0, err);
    return psw_trainer_save_param(t, path, p->key, err);
}

psw_status psw_policy_load_checkpoint(struct psw_policy *p, int64_t step, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_policy_path(p, "ckpt", step, "state", path, err);
    if (rc != PSW_OK) return rc;
    if (p->stage->config->trace.directions)
        return psw_trainer_load(&p->trainer, path, p->key, NULL, 0, err);
    return psw_trainer_load_param(&p->trainer, path, p->key, err);
}

static void log_step(struct psw_policy *p, int64_t step, const double *metric)
{
    const int64_t every = p->stage->config->log.every;
    if (!psw_policy_is_logged(p->stage->config, step)) return;
    for (int i = 0; i < p->n_metric; i++) p->log[i * p->n_log + step / every] = metric[i];
}

/* The last metric of every kind is tokens per second. */
static psw_status one_step(struct psw_policy *p, struct psw_error *err)
{
    const int64_t step = psw_policy_step(p);
    const double begin_s = psw_clock_s();
    double metric[PSW_MAX_METRICS], n_tok = 0;
    for (int i = 0; i < PSW_MAX_METRICS; i++) metric[i] = NAN;
    psw_status rc = p->kind->step(p, metric, &n_tok, err);
    metric[p->n_metric - 1] = n_tok / (psw_clock_s() - begin_s);
    if (rc == PSW_OK || (rc == PSW_EDIVERGED && !isnan(metric[0]))) {
        log_step(p, step, metric);
        p->n_trained = step + 1;
    }
    if (rc != PSW_OK || !psw_policy_is_checkpoint(p->stage->config, psw_policy_step(p)))
        return rc;
    return save_checkpoint(p, err);
}

static size_t log_bytes(const struct psw_policy *p)
{
    return sizeof(double) * ((size_t)p->n_metric * (size_t)p->n_log + 1); /* and the carry */
}

/* The kind's own state goes first: the trainer's names the step that both belong to. */
static psw_status save_resume(struct psw_policy *p, const char *path, struct psw_error *err)
{
    psw_status rc = p->kind->save ? p->kind->save(p, err) : PSW_OK;
    if (rc != PSW_OK) return rc;
    return psw_trainer_save(&p->trainer, path, p->key, p->log, log_bytes(p), err);
}

/* From the last saved state, or from the SFT model. */
psw_status psw_policy_start(struct psw_policy *p, const char *resume, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_trainer *t = &p->trainer;
    if (p->kind->load_fixed) PSW_TRY(p->kind->load_fixed(p, err));
    PSW_TRY(psw_load_sft(p->stage, &t->team, t->param, err));
    if (p->kind->start) PSW_TRY(p->kind->start(p, err));
    psw_trainer_begin(t);
    if (psw_stage_have(t->team.comm, resume)) {
        PSW_TRY(psw_trainer_load(t, resume, p->key, p->log, log_bytes(p), err));
        if (p->kind->load) rc = p->kind->load(p, err);
        return p->team.rank == 0 ? psw_file_set_aside(resume, rc, err) : rc;
    }
    rc = save_checkpoint(p, err);
fail:
    return rc;
}

static psw_status train(struct psw_policy *p, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n_step = p->stage->config->policy.train.steps;
    char resume[PSW_PATH_BYTES];
    PSW_TRY(psw_path(resume, sizeof resume, err, "%s/resume.state", p->dir));
    PSW_TRY(psw_policy_start(p, resume, err));
    double saved_s = psw_clock_s();
    p->n_trained = psw_policy_step(p);
    while (p->n_trained < n_step) {
        PSW_TRY(one_step(p, err));
        const int64_t step = p->n_trained;
        psw_stage_progress(p->stage, (double)step, 1.25 * (double)n_step);
        const int stop = psw_stage_stopped(p->stage);
        int save = psw_clock_s() - saved_s > p->stage->config->limits.checkpoint_s;
        PSW_MPI(MPI_Bcast(&save, 1, MPI_INT, 0, p->team.comm));
        if (!save && !stop && step < n_step) continue;
        PSW_TRY(save_resume(p, resume, err));
        saved_s = psw_clock_s();
        if (stop && step < n_step)
            return psw_fail(err, PSW_ESTOP, "stopped in policy at step %lld", (long long)step);
    }
    if (p->kind->finish) rc = p->kind->finish(p, err);
fail:
    return rc;
}

/* A layout, and what went wrong in it. */
struct plan {
    struct psw_policy *policy;
    psw_status rc;
    struct psw_error *err;
};

static void layout(void *ctx, struct psw_arena *arena)
{
    struct plan *plan = ctx;
    struct psw_policy *p = plan->policy;
    psw_trainer_init(&p->trainer, p->model, &p->train, &p->team, arena);
    p->trainer.per_step = p->n_update;
    psw_scorer_layout(&p->reward, arena);
    if (p->kind->layout) p->kind->layout(p, arena);
    if (!psw_arena_is_measuring(arena)) return;
    p->kind->walk(p, arena);
    plan->rc = psw_policy_trace_layout(p, arena, plan->err);
}

static psw_status peak(struct psw_policy *p, size_t *n_bytes, struct psw_error *err)
{
    struct plan plan = {.policy = p, .err = err};
    const psw_status rc = psw_arena_plan(layout, &plan, n_bytes, err);
    return rc != PSW_OK ? rc : plan.rc;
}

static psw_status prepare_dir(struct psw_policy *p, struct psw_error *err)
{
    const struct psw_stage *stage = p->stage;
    p->key = psw_stage_key(PSW_STAGE_POLICY, stage->config, stage->data->content_hash);
    psw_status rc = psw_stage_path(stage, PSW_STAGE_POLICY, p->dir, err);
    if (rc == PSW_OK && p->team.rank == 0) rc = psw_file_make_dir(p->dir, err);
    return psw_agree(stage->comm, rc, err);
}

static void policy_clear(struct psw_policy *p)
{
    if (p->kind) p->kind->close(p);
    psw_scorer_clear(&p->reward);
    free(p->log);
    *p = (struct psw_policy){0};
}

static psw_status policy_init(struct psw_policy *p, const struct psw_stage *stage,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_config *c = stage->config;
    *p = (struct psw_policy){
        .stage = stage,
        .kind = psw_config_is_onpolicy(c) ? &PSW_POLICY_ROLLOUTS : &PSW_POLICY_PAIRS,
        .model = stage->model,
        .train = c->policy.train,
        .n_update = 1,
        .n_log = (c->policy.train.steps + c->log.every - 1) / c->log.every};
    while (p->kind->metric[p->n_metric]) p->n_metric++;
    PSW_ASSERT(p->n_metric <= PSW_MAX_METRICS);
    p->log = calloc((size_t)(p->n_metric * p->n_log) + 1, sizeof *p->log);
    if (!p->log)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "policy: log of %lld rows", (long long)p->n_log));
    p->carry = p->log + p->n_metric * p->n_log;
    PSW_TRY(psw_scorer_init(stage, psw_config_needs_reward_model(c), &p->reward, err));
    PSW_TRY(p->kind->open(p, err));
    return PSW_OK;
fail:
    policy_clear(p);
    return rc;
}

psw_status psw_policy_open(const struct psw_stage *stage, struct psw_policy *p,
                           struct psw_error *err)
{
    psw_status rc = PSW_OK;
    PSW_TRY(psw_agree(stage->comm, policy_init(p, stage, err), err));
    PSW_TRY(psw_stage_team(stage, p->train.shards, &p->team, err));
    PSW_TRY(prepare_dir(p, err));
    PSW_TRY(psw_agree(stage->comm, peak(p, &p->planned_bytes, err), err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_create("policy", p->planned_bytes, &p->arena, err),
                      err));
    layout(&(struct plan){.policy = p}, p->arena);
fail:
    return rc;
}

void psw_policy_close(struct psw_policy *p)
{
    psw_stage_memory(p->stage, p->planned_bytes, p->arena);
    psw_arena_destroy(p->arena);
    policy_clear(p);
}

/* How training went wrong is seen in the steps before. For want of memory it is left out. */
static void emit_diverged(const struct psw_policy *p)
{
    struct psw_record *record = NULL;
    if (p->team.rank != 0 || !p->stage->hooks.emit || p->n_trained == 0) return;
    if (psw_record_create(&record, NULL) != PSW_OK) return;
    psw_policy_put_log(p, record);
    p->stage->hooks.emit(p->stage->hooks.ctx, record);
    psw_record_destroy(record);
}

/* What training left for the trace, checkpoints and rollouts, is all there. */
static int is_whole(const struct psw_policy *p)
{
    static const char *const NAMES[][2] = {{"ckpt", "state"}, {"rollout", "rec"}};
    const struct psw_config *c = p->stage->config;
    const int n_name = 1 + psw_config_is_onpolicy(c);
    char path[PSW_PATH_BYTES];
    for (int64_t i = 0; i < psw_policy_n_checkpoint(c); i++)
        for (int k = 0; k < n_name; k++)
            if (psw_policy_path(p, NAMES[k][0], psw_policy_checkpoint_step(c, i), NAMES[k][1],
                                path, NULL) != PSW_OK ||
                !psw_file_exists(path))
                return 0;
    return 1;
}

/* A trace that misses something has the next attempt train again, from the start; what is there
 * is not written again. */
static void forget_training(const struct psw_policy *p, psw_status rc)
{
    char resume[PSW_PATH_BYTES];
    if (p->team.rank != 0 || (rc != PSW_ENOENT && rc != PSW_EDATA) || is_whole(p)) return;
    if (psw_path(resume, sizeof resume, NULL, "%s/resume.state", p->dir) == PSW_OK)
        remove(resume);
}

psw_status psw_stage_policy(const struct psw_stage *stage, struct psw_error *err)
{
    struct psw_policy p;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_policy_open(stage, &p, err));
    const double begin_s = psw_clock_s();
    rc = train(&p, err);
    p.train_s = psw_clock_s() - begin_s;
    if (rc == PSW_OK) {
        rc = psw_policy_trace(&p, err);
        forget_training(&p, rc);
    }
    if (rc == PSW_EDIVERGED) emit_diverged(&p);
fail:
    psw_policy_close(&p);
    return rc;
}

psw_status psw_policy_peak(const struct psw_stage *stage, const struct psw_team *team,
                           size_t *n_bytes, struct psw_error *err)
{
    struct psw_policy p;
    size_t peak_bytes = 0;
    psw_status rc = policy_init(&p, stage, err);
    if (rc != PSW_OK) return rc;
    p.team = *team;
    rc = peak(&p, &peak_bytes, err);
    if (rc == PSW_OK) *n_bytes = peak_bytes;
    policy_clear(&p);
    return rc;
}
