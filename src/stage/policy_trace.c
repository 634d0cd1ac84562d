/* The trace of a run: sample D' from the end, revisit every checkpoint. Each point is emitted
 * when it is measured; those that an earlier attempt has emitted are left out, so an
 * interrupted trace continues where it was. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/optim/optimizer.h>
#include <posweep/util/clock.h>

#include <math.h>

static struct psw_tracer tracer_of(struct psw_policy *p, const struct psw_responses *final,
                                   struct psw_arena *arena)
{
    const struct psw_config *c = p->work->stage->config;
    return (struct psw_tracer){.model = p->trainer.model,
                               .team = &p->trainer.team,
                               .exec = &p->trainer.exec,
                               .arena = arena,
                               .tree = p->trainer.tree,
                               .how.temperature = c->policy.temperature,
                               .how.per_token = c->final.norm == PSW_NORM_TOKEN,
                               .how.share_prefix = 1,
                               .final = {final->pointer, final->n_prompt},
                               .how.seed = (uint64_t)c->seed,
                               .how.eta = c->trace.eta};
}

/* Every so many checkpoints, and the last two: there the noise of D' is most of v. */
static int is_error_point(const struct psw_config *c, int64_t checkpoint)
{
    const int64_t every = c->trace.final_error_every;
    return every > 0 &&
           (checkpoint % every == 0 || checkpoint >= psw_stage_n_checkpoint(c) - 2);
}

/* Soft targets at the parameters that are loaded, those that D' was drawn from; in the arena.
 */
static void set_soft(struct psw_policy *p, struct psw_tracer *t, struct psw_trace_soft *soft)
{
    const struct psw_config *c = p->work->stage->config;
    if (!c->trace.soft) return;
    const struct psw_sample_opts how =
        psw_final_opts(c, p->work->stage->data, PSW_PROMPTS_FINAL);
    const struct psw_draw_opts draw = {
        .temperature = how.temperature, .top_p = how.top_p, .top_k = how.top_k};
    psw_trace_soft_init(t, p->trainer.param, draw, soft);
    t->soft = soft;
}

static struct psw_trace_at where(const struct psw_policy *p, int64_t checkpoint)
{
    const struct psw_config *c = p->work->stage->config;
    const int64_t step = psw_policy_checkpoint_step(c, checkpoint);
    return (struct psw_trace_at){
        .param = p->trainer.param,
        .checkpoint = checkpoint,
        .cosine = c->trace.cosine_every > 0 &&
                  (step % c->trace.cosine_every == 0 || step == c->policy.train.steps),
        .error_final = is_error_point(c, checkpoint),
        .directions = c->trace.directions};
}

/* Adam's preconditioner at this checkpoint, whole on every rank; needs the loaded moments. */
static const float *preconditioner(struct psw_policy *p, struct psw_arena *arena)
{
    const struct psw_config_train *c = p->trainer.train;
    struct psw_trainer *t = &p->trainer;
    float *out = psw_arena_f32(arena, t->n_param);
    if (!out || c->optimizer != PSW_OPTIMIZER_ADAMW || t->step == 0) return NULL;
    const struct psw_optimizer_opts opts = psw_optimizer_opts_of(c);
    const struct psw_slice own = {0, t->optimizer.slice.end - t->optimizer.slice.begin};
    float *ones = out + t->optimizer.slice.begin;
    psw_exec_backend(&t->exec)->buffer->fill(&t->exec, own.end, 1.0f, ones);
    psw_optimizer_precondition(&t->exec, &opts, t->step, own, t->optimizer.moment2, ones, ones);
    psw_slices_gather(t->team.comm, &t->exec, out, t->n_param);
    return out;
}

/* What a measurement leaves beside its numbers. */
struct extras {
    struct psw_trace_tokens tokens;
    struct psw_trace_sketch sketch;
};

/* What a measurement takes from the arena before the tracer does. start: as psw_trace_sketch
 * has it. */
static void reserve(struct psw_policy *p, const struct psw_tracer *t, const double *start,
                    struct psw_trace_at *at, struct extras *extras)
{
    const struct psw_config *c = p->work->stage->config;
    if (at->directions) at->preconditioner = preconditioner(p, t->arena);
    if (c->trace.sketch > 0) {
        psw_trace_sketch_init(t, c->trace.sketch, start, &extras->sketch);
        at->sketch = &extras->sketch;
    }
    if (!c->trace.tokens) return;
    psw_trace_tokens_init(&extras->tokens, t->probe, t->arena);
    at->tokens = &extras->tokens;
}

/* Sketch of the parameters that are loaded, in the arena; NULL: no sketches are wanted. */
static double *sketch_start(struct psw_policy *p, const struct psw_tracer *t)
{
    const int64_t k = p->work->stage->config->trace.sketch;
    if (k == 0) return NULL;
    double *start = psw_arena_f64(t->arena, k);
    psw_trace_sketch_take(t, k, p->trainer.param, start);
    return start;
}

psw_status psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena,
                                   struct psw_error *err)
{
    struct psw_responses bound = {0};
    struct psw_trace_point point;
    psw_status rc = psw_policy_sample_layout(p, PSW_PROMPTS_EVAL, arena, NULL, err);
    if (rc == PSW_OK) rc = psw_policy_sample_layout(p, PSW_PROMPTS_FINAL, arena, &bound, err);
    if (rc == PSW_OK) {
        struct psw_tracer t = tracer_of(p, &bound, arena);
        struct psw_trace_at at = where(p, 0);
        struct extras extras;
        struct psw_trace_soft soft;
        set_soft(p, &t, &soft);
        const double *start = sketch_start(p, &t);
        if (p->work->stage->config->trace.greedy) psw_policy_logp_layout(p, &bound, arena);
        rc = psw_policy_eval_layout(p, arena, err);
        if (rc == PSW_OK) rc = p->kind->probe(p, -1, &t, err);
        reserve(p, &t, start, &at, &extras);
        if (rc == PSW_OK) rc = psw_trace_measure(&t, &at, &point, err);
        at.cosine = 0; /* without them the error through D' is found in another way */
        if (rc == PSW_OK) rc = psw_trace_measure(&t, &at, &point, err);
    }
    psw_responses_clear(&bound);
    return rc;
}

/* The trace is the last fifth of the work. Points of an earlier attempt are not told of: the
 * first that is says how far that one had got. */
static void tell_point(struct psw_policy *p, int64_t checkpoint)
{
    const double steps = (double)p->work->stage->config->policy.train.steps;
    const double n = (double)psw_stage_n_checkpoint(p->work->stage->config);
    psw_energy_look(&p->energy.meter, 0);
    psw_stage_progress(p->work->stage, steps * (1 + 0.25 * (double)(checkpoint + 1) / n),
                       1.25 * steps);
}

/* Of D' at the first and the last checkpoint; NaN: not measured by this attempt. */
struct final_logp {
    double first, last;
};

static psw_status measure_one(struct psw_policy *p, struct psw_tracer *t, const double *start,
                              int64_t checkpoint, struct psw_trace_point *point,
                              struct psw_error *err)
{
    struct extras extras;
    const int64_t step = psw_policy_checkpoint_step(p->work->stage->config, checkpoint);
    struct psw_policy_point out = {
        .checkpoint = checkpoint, .step = step, .logp_greedy_sft = NAN};
    struct psw_eval_point eval;
    psw_status rc = PSW_OK;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    PSW_TRY(psw_policy_load_checkpoint(p, step, err));
    if (psw_policy_is_eval_point(p->work->stage, checkpoint)) {
        PSW_TRY(psw_policy_eval(p, step, &eval, err));
        out.eval = &eval;
    }
    if (p->greedy.n_seq > 0) out.logp_greedy_sft = psw_policy_mean_logp(p, &p->greedy);
    PSW_TRY(p->kind->probe(p, checkpoint, t, err));
    struct psw_trace_at at = where(p, checkpoint);
    reserve(p, t, start, &at, &extras);
    PSW_TRY(psw_trace_measure(t, &at, &out.point, err));
    out.components = psw_trace_components(t);
    out.probe = t->probe;
    out.rollouts = t->rollouts;
    out.tokens = at.tokens;
    out.sketch = at.sketch;
    PSW_TRY(psw_agree(t->team->comm, psw_policy_emit_point(p, &out, err), err));
    tell_point(p, checkpoint);
    *point = out.point;
fail:
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static int is_measured(const struct psw_policy *p, int64_t checkpoint)
{
    const struct psw_stage_hooks *hooks = &p->work->stage->hooks;
    return hooks->is_measured && hooks->is_measured(hooks->ctx, checkpoint);
}

static psw_status measure_all(struct psw_policy *p, struct psw_tracer *t, const double *start,
                              struct final_logp *logp, struct psw_error *err)
{
    struct psw_trace_point point;
    const int64_t n = psw_stage_n_checkpoint(p->work->stage->config);
    for (int64_t i = 0; i < n; i++) {
        if (is_measured(p, i)) continue;
        const psw_status rc = measure_one(p, t, start, i, &point, err);
        if (rc != PSW_OK) return rc;
        if (i == 0) logp->first = point.v.final_logp;
        if (i == n - 1) logp->last = point.v.final_logp;
        if (psw_stage_stopped(p->work->stage))
            return psw_fail(err, PSW_ESTOP,
                            "stopped in the trace after checkpoint %lld of %lld",
                            (long long)i + 1, (long long)n);
    }
    return PSW_OK;
}

/* What this attempt has not seen is measured again. */
static psw_status find_logp(struct psw_policy *p, const struct psw_tracer *t, int64_t step,
                            double *logp, struct psw_error *err)
{
    if (!isnan(*logp)) return PSW_OK;
    const psw_status rc = psw_policy_load_checkpoint(p, step, err);
    if (rc == PSW_OK) *logp = psw_trace_final_logp(t, p->trainer.param);
    return rc;
}

/* The parameters that D' was drawn from are loaded. */
static psw_status measure(struct psw_policy *p, const struct psw_responses *final,
                          double *kl_sft, struct psw_error *err)
{
    struct psw_tracer t = tracer_of(p, final, p->trainer.arena);
    struct psw_trace_soft soft;
    struct final_logp logp = {NAN, NAN};
    const struct psw_arena_mark mark = psw_arena_mark(t.arena);
    const double begin_s = psw_clock_s();
    psw_status rc = PSW_OK;
    set_soft(p, &t, &soft);
    if (p->work->stage->config->trace.sketch > 0)
        PSW_TRY(psw_policy_load_checkpoint(p, 0, err));
    PSW_TRY(measure_all(p, &t, sketch_start(p, &t), &logp, err));
    PSW_TRY(find_logp(p, &t, 0, &logp.first, err));
    PSW_TRY(find_logp(p, &t, p->work->stage->config->policy.train.steps, &logp.last, err));
    *kl_sft = logp.last - logp.first;
    p->trace_s = psw_clock_s() - begin_s;
fail:
    psw_arena_rewind(t.arena, mark);
    return rc;
}

/* What the SFT model says greedily, if its log-probability is to be followed. */
static psw_status sample_greedy(struct psw_policy *p, struct psw_error *err)
{
    if (!p->work->stage->config->trace.greedy) return PSW_OK;
    const psw_status rc = psw_policy_load_checkpoint(p, 0, err);
    return rc == PSW_OK ? psw_policy_sample_greedy(p, &p->greedy, err) : rc;
}

psw_status psw_policy_trace(struct psw_policy *p, struct psw_error *err)
{
    struct psw_responses final = {0};
    struct psw_policy_end end;
    double kl_sft = NAN;
    uint64_t param_hash = 0;
    psw_status rc = sample_greedy(p, err);
    if (rc == PSW_OK)
        rc = psw_policy_load_checkpoint(p, p->work->stage->config->policy.train.steps, err);
    if (rc == PSW_OK) rc = psw_policy_param_hash(p, &param_hash, err);
    if (rc == PSW_OK) rc = psw_policy_sample(p, PSW_PROMPTS_FINAL, &final, err);
    if (rc == PSW_EDIVERGED) psw_error_prefix(err, "training diverged");
    if (rc != PSW_OK) goto fail;
    PSW_TRY(measure(p, &final, &kl_sft, err));
    PSW_TRY(psw_policy_judge(p, &final, &end, err));
    if (p->kind->end) PSW_TRY(p->kind->end(p, &end, err));
    end.param_hash = param_hash;
    end.kl_sft = kl_sft;
    rc = psw_policy_emit_log(p, err);
    end.energy_j = psw_policy_energy_j(p);
    if (rc == PSW_OK) rc = psw_policy_emit_end(p, &end, err);
    rc = psw_agree(p->trainer.team.comm, rc, err);
fail:
    psw_responses_clear(&final);
    psw_responses_clear(&p->greedy);
    return rc;
}
