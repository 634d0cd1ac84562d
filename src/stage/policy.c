/* The policy stage: train from the SFT model, keep the parameters of every trace checkpoint,
 * then hand over to the trace. What is needed to continue with the same bits is saved every
 * limits.checkpoint_s seconds and when asked to stop. */
#include "policy_internal.h"
#include "training.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>

static psw_status start(void *ctx, struct psw_error *err)
{
    struct psw_policy *p = ctx;
    psw_status rc = psw_load_sft(p->work, p->trainer.param, err);
    if (rc == PSW_OK && p->kind->loop.start) rc = p->kind->loop.start(p, err);
    if (rc == PSW_OK) psw_trainer_begin(&p->trainer);
    return rc;
}

static psw_status keep(void *ctx, int64_t n_step, struct psw_error *err)
{
    const psw_status rc = psw_policy_keep(ctx, n_step, err);
    return rc == PSW_OK ? psw_policy_rung(ctx, n_step, err) : rc;
}

/* The trace is the last fifth of the work. */
static void progress(void *ctx, int64_t n_step)
{
    struct psw_policy *p = ctx;
    const struct psw_stage *stage = p->work->stage;
    psw_energy_look(&p->energy.meter, 0);
    psw_stage_progress(stage, (double)n_step, 1.25 * (double)stage->config->policy.train.steps);
}

static int should_stop(void *ctx)
{
    return psw_stage_stopped(((const struct psw_policy *)ctx)->work->stage);
}

/* The training as a loop; code is the kind's with what is the same for both. */
static struct psw_loop loop_of(struct psw_policy *p, struct psw_loop_code *code,
                               const char *path)
{
    const struct psw_config *c = p->work->stage->config;
    *code = p->kind->loop;
    code->start = start;
    code->keep = keep;
    code->progress = progress;
    code->should_stop = should_stop;
    return (struct psw_loop){.code = code,
                             .ctx = p,
                             .trainer = &p->trainer,
                             .log = &p->log,
                             .name = p->work->name,
                             .path = path,
                             .key = p->work->training_key,
                             .n_step = c->policy.train.steps,
                             .checkpoint_s = c->limits.checkpoint_s,
                             .saves_end = 1};
}

psw_status psw_policy_begin(struct psw_policy *p, struct psw_error *err)
{
    struct psw_loop_code code;
    const struct psw_loop loop = loop_of(p, &code, "");
    return psw_loop_start(&loop, err);
}

static psw_status resume_path(const struct psw_policy *p, char out[PSW_PATH_BYTES],
                              struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/resume.state",
                    p->work->place[PSW_STAGE_POLICY].path);
}

static psw_status train(struct psw_policy *p, struct psw_error *err)
{
    char resume[PSW_PATH_BYTES];
    struct psw_loop_code code;
    const struct psw_loop loop = loop_of(p, &code, resume);
    const double begin_s = psw_clock_s();
    psw_status rc = resume_path(p, resume, err);
    if (rc == PSW_OK) rc = psw_loop_run(&loop, err);
    if (rc == PSW_OK && p->kind->finish) rc = p->kind->finish(p, err);
    p->train_s = psw_clock_s() - begin_s;
    return rc;
}

/* A trace that misses something has the next attempt train again, from the start; what is there
 * is not written again. */
static void forget_training(const struct psw_policy *p, psw_status rc)
{
    char resume[PSW_PATH_BYTES];
    if (p->trainer.team.rank != 0 || (rc != PSW_ENOENT && rc != PSW_EDATA) ||
        psw_policy_is_whole(p))
        return;
    if (resume_path(p, resume, NULL) == PSW_OK) remove(resume);
}

/* How training went wrong is seen in the steps before. For want of memory it is left out. */
static void emit_diverged(const struct psw_policy *p)
{
    const psw_status rc = p->log.n_step > 0 ? psw_policy_emit_log(p, NULL) : PSW_OK;
    (void)rc;
}

/* The folder of a run that begins: the training of a shorter run that is kept, or a new one. */
static psw_status begin_folder(const struct psw_stage_work *w, struct psw_error *err)
{
    const char *path = w->place[PSW_STAGE_POLICY].path;
    if (psw_file_exists(path)) return PSW_OK;
    const int64_t n_most = psw_training_most_steps(w->stage->config, w->stage->stop);
    const int64_t n = psw_training_take(w->stage->work_dir, w->training_key, n_most, path);
    if (n > 0)
        psw_log(PSW_LOG_INFO, "%s: goes on from step %lld, where a finished run had its end",
                w->name, (long long)n);
    return psw_file_make_dir(path, err);
}

static psw_status run(struct psw_stage_work *w, struct psw_error *err)
{
    struct psw_policy *p = w->own;
    psw_status rc = PSW_OK;
    p->energy.is_read = psw_comm_is_first_of_node(w->team.comm);
    if (p->energy.is_read) psw_energy_begin(&p->energy.meter, "");
    if (w->team.rank == 0) rc = begin_folder(w, err);
    rc = psw_agree(w->team.comm, rc, err);
    if (rc == PSW_OK) rc = train(p, err);
    if (rc == PSW_OK) {
        rc = psw_policy_trace(p, err);
        if (rc == PSW_OK) rc = psw_policy_keep_models(p, err);
        forget_training(p, rc);
    }
    if (rc == PSW_EDIVERGED) emit_diverged(p);
    return rc;
}

static psw_status layout(struct psw_stage_work *w, struct psw_arena *arena,
                         struct psw_error *err)
{
    struct psw_policy *p = w->own;
    p->kind->layout(p, arena);
    psw_reward_function_layout(&p->reward, w->frozen);
    if (!psw_arena_is_measuring(arena)) return PSW_OK;
    p->kind->walk(p, arena);
    return psw_policy_trace_layout(p, arena, err);
}

static void close(struct psw_stage_work *w)
{
    struct psw_policy *p = w->own;
    p->kind->close(p);
    psw_reward_function_clear(&p->reward);
    psw_train_log_clear(&p->log);
    free(p);
}

static psw_status open(struct psw_stage_work *w, struct psw_error *err)
{
    static const struct psw_policy_kind *const KINDS[] = {&PSW_POLICY_PAIRS,
                                                          &PSW_POLICY_ROLLOUTS};
    const struct psw_config *c = w->stage->config;
    const struct psw_model *judge = psw_config_needs_reward_model(c) ? w->stage->model : NULL;
    struct psw_policy *p = w->own = calloc(1, sizeof *p);
    if (!p) return psw_fail(err, PSW_ENOMEM, "policy: no memory");
    p->work = w;
    p->kind = KINDS[psw_config_is_onpolicy(c)];
    psw_status rc = psw_train_log_init(&p->log, p->kind->metric, c->policy.train.steps,
                                       c->log.every, p->kind->n_controller, err);
    if (rc == PSW_OK) rc = psw_reward_function_init(c, w->stage->data, judge, &p->reward, err);
    return rc == PSW_OK ? p->kind->open(p, err) : rc;
}

const struct psw_stage_code PSW_POLICY = {open, close, layout, run};
