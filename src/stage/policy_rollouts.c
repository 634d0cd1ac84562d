/* Training on the policy's own samples. A checkpoint's rollouts are kept beside it: they are
 * its probe. */
#include "policy_internal.h"
#include "rollout_file.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/rollout/onpolicy_step.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdlib.h>

_Static_assert((int)PSW_ROLLOUT_ORDER == (int)PSW_STAGE_POLICY, "prompts are ordered by stage");

/* What the controller carries from step to step. */
struct controller {
    double kl_coef; /* in ppo's reward, as it stands */
};

/* Everything of the kind. */
struct rollouts {
    struct psw_onpolicy_step step;
    struct psw_reward_function
        task; /* by the task's scorer; a reward model may be there to judge */
    struct controller *controller;   /* borrowed: of the log */
    struct psw_trace_rollouts probe; /* what the tracer is aimed at */
    int64_t slot;                    /* 0 or 1: which file has the last critic saved */
};

static psw_status open(struct psw_policy *p, struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    struct rollouts *s = p->own = calloc(1, sizeof *s);
    if (!s) return psw_fail(err, PSW_ENOMEM, "policy: no memory");
    s->controller = (struct controller *)p->log.controller;
    s->controller->kl_coef = psw_config_kl_coef(stage->config);
    psw_status rc = psw_reward_function_init(stage->config, stage->data, NULL, &s->task, err);
    if (rc == PSW_OK)
        rc = psw_onpolicy_step_init(stage->config, stage->data, stage->model, &s->step, err);
    s->step.trainer = &p->trainer;
    s->step.stop = psw_stage_sample_stop(stage);
    s->step.reward = stage->config->reward.source == PSW_REWARD_MODEL ? &p->reward : &s->task;
    return rc;
}

static void close(struct psw_policy *p)
{
    struct rollouts *s = p->own;
    if (!s) return;
    psw_onpolicy_step_clear(&s->step);
    free(s);
}

static void layout(struct psw_policy *p, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    psw_trainer_init(&p->trainer, psw_onpolicy_model(&s->step), &s->step.train, &p->work->team,
                     psw_stage_exec(p->work, arena));
    p->trainer.per_step = psw_onpolicy_n_update(p->work->stage->config);
    psw_onpolicy_layout(&s->step, p->work->frozen);
}

static void walk(struct psw_policy *p, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    psw_onpolicy_walk(&s->step, arena);
    psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &s->step.rollout.responses,
                     NULL);
}

/* A critic of its own starts from the reward model where there is one, else from the SFT model
 * with a head of zeros; so does the head of a shared one, whose trunk knows no rewards yet. */
static psw_status start_critic(struct psw_policy *p, struct psw_error *err)
{
    struct rollouts *s = p->own;
    struct psw_critic_model *critic = &s->step.critic;
    const int64_t n_base = psw_model_n_param(p->work->stage->model);
    if (!critic->model) return PSW_OK;
    const int64_t n_all = psw_model_n_param(critic->model);
    const int is_separate = psw_critic_is_separate(critic);
    float *param = is_separate ? critic->trainer.param : p->trainer.param;
    struct psw_exec *exec = &p->trainer.exec;
    const struct psw_buffer_ops *buffer = psw_exec_backend(exec)->buffer;
    buffer->fill(exec, n_all - n_base, 0.0f, param + n_base);
    if (!is_separate) return PSW_OK;
    psw_status rc = PSW_OK;
    if (s->step.reward->param)
        buffer->copy(exec, n_all, s->step.reward->param, param);
    else
        rc = psw_load_sft(p->work, param, err);
    if (rc == PSW_OK) psw_trainer_begin(&critic->trainer);
    return rc;
}

static psw_status start(void *ctx, struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct rollouts *s = p->own;
    psw_status rc = psw_load_sft(p->work, s->step.reference.param, err);
    if (rc == PSW_OK && p->reward.model)
        rc = psw_load_reward(p->work, p->reward.model, p->reward.param, NULL, err);
    return rc == PSW_OK ? start_critic(p, err) : rc;
}

/* Fresh rollouts; those of a checkpoint are kept. is_learnt: updates follow. */
static psw_status sample(struct psw_policy *p, int64_t at, int is_learnt, int64_t *n_tok,
                         struct psw_error *err)
{
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_onpolicy_sample(&s->step, at, s->controller->kl_coef,
                                        psw_train_log_has(&p->log, at), is_learnt, n_tok, err);
    if (rc != PSW_OK || !psw_policy_is_checkpoint(p->work->stage->config, at)) return rc;
    rc = psw_policy_path(p, "rollout", at, "rec", path, err);
    if (rc == PSW_OK && p->trainer.team.rank == 0)
        rc = psw_rollout_write(&s->step.rollout, path, err);
    return psw_agree(p->trainer.team.comm, rc, err);
}

static psw_status step(void *ctx, int64_t at, double *metric, double *n_tok,
                       struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct rollouts *s = p->own;
    const double begin_s = psw_clock_s();
    int64_t n_tok_local = 0;
    psw_status rc = sample(p, at, 1, &n_tok_local, err);
    if (rc == PSW_OK) rc = psw_onpolicy_learn(&s->step, at, metric, &n_tok_local, err);
    metric[PSW_ROLLOUT_KL_COEF] = s->controller->kl_coef;
    metric[PSW_ROLLOUT_SHARE] = s->step.phase_s[PSW_PHASE_SAMPLE] / (psw_clock_s() - begin_s);
    *n_tok = (double)(n_tok_local * p->trainer.team.size);
    return rc;
}

/* The coefficient follows the KL at which it stands; Ziegler et al. 2019, arXiv 1909.08593. */
static void control(void *ctx, const double *metric)
{
    const struct psw_policy *p = ctx;
    const struct rollouts *s = p->own;
    const struct psw_config_policy *c = &p->work->stage->config->policy;
    if (!(c->kl_target > 0) || !psw_method_reads(c->method, PSW_USE_KL_REWARD)) return;
    const double error = fmax(-0.2, fmin(0.2, metric[PSW_ROLLOUT_KL] / c->kl_target - 1));
    s->controller->kl_coef *= 1 + error * (double)s->step.rollout.rows.n_seq / c->kl_horizon;
}

/* The last checkpoint has rollouts, too, though nothing is learnt from them. */
static psw_status finish(struct psw_policy *p, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    int64_t n_tok;
    const int64_t at = p->work->stage->config->policy.train.steps;
    psw_status rc = psw_policy_path(p, "rollout", at, "rec", path, err);
    if (rc != PSW_OK || psw_comm_file_exists(p->trainer.team.comm, path)) return rc;
    return sample(p, at, 0, &n_tok, err);
}

/* The critic goes to two files in turn, before the trainer's state: a run that is killed
 * between the two still has the critic that belongs to the older state. Its updates tell which
 * it is. */
static psw_status save(void *ctx, struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    if (!psw_critic_is_separate(&s->step.critic)) return PSW_OK;
    s->slot = !s->slot;
    const psw_status rc = psw_policy_path(p, "critic", s->slot, "state", path, err);
    if (rc != PSW_OK) return rc;
    return psw_trainer_save(&s->step.critic.trainer, path, p->work->training_key, NULL, 0, err);
}

static psw_status load(void *ctx, struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct rollouts *s = p->own;
    struct psw_trainer *critic = &s->step.critic.trainer;
    const struct psw_stage_place *own = &p->work->place[PSW_STAGE_POLICY];
    char path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    if (!psw_critic_is_separate(&s->step.critic)) return PSW_OK;
    for (s->slot = 0; s->slot < 2; s->slot++) {
        rc = psw_policy_path(p, "critic", s->slot, "state", path, err);
        if (rc != PSW_OK || !psw_comm_file_exists(critic->team.comm, path)) continue;
        rc = psw_trainer_load(critic, path, p->work->training_key, NULL, NULL, err);
        if (rc == PSW_OK && critic->step == p->trainer.step) return PSW_OK;
    }
    if (rc != PSW_OK) return rc;
    return psw_fail(err, PSW_EDATA, "%s: no critic belongs to its state", own->path);
}

static psw_status probe(struct psw_policy *p, int64_t checkpoint, struct psw_tracer *tracer,
                        struct psw_error *err)
{
    struct rollouts *s = p->own;
    struct psw_rollout *r = &s->step.rollout;
    const struct psw_stage *stage = p->work->stage;
    char path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    if (checkpoint < 0) {
        psw_rollout_bound(r, stage->data);
    } else {
        const int64_t at = psw_policy_checkpoint_step(stage->config, checkpoint);
        rc = psw_policy_path(p, "rollout", at, "rec", path, err);
        if (rc == PSW_OK) rc = psw_rollout_read(r, stage->data, path, err);
        rc = psw_agree(p->trainer.team.comm, rc, err);
        if (p->trainer.team.rank == 0) rc = psw_file_set_aside(path, rc, err);
        if (rc != PSW_OK) return rc;
    }
    s->probe = (struct psw_trace_rollouts){.opts = s->step.opts,
                                           .rows = r->rows,
                                           .advantage = r->row.advantage,
                                           .raw = r->row.raw,
                                           .ref = r->row.ref,
                                           .ret = r->row.ret};
    tracer->rollouts = &s->probe;
    tracer->probe = (struct psw_trace_set){r->responses.pointer, r->responses.n_prompt};
    return rc;
}

const struct psw_onpolicy_step *psw_policy_rollouts_step(const struct psw_policy *p)
{
    return &((const struct rollouts *)p->own)->step;
}

static const char *const FILES[][2] = {{"ckpt", "state"}, {"rollout", "rec"}, {NULL}};

const struct psw_policy_kind PSW_POLICY_ROLLOUTS = {
    .metric = PSW_ROLLOUT_METRICS,
    .n_controller = sizeof(struct controller) / sizeof(double),
    .file = FILES,
    .loop = {.start = start, .step = step, .control = control, .save = save, .load = load},
    .open = open,
    .close = close,
    .layout = layout,
    .walk = walk,
    .finish = finish,
    .probe = probe};
