/* The trace of a run: sample D' from the end, revisit every checkpoint. Each
 * measured point is written to a file of its own at once, so an interrupted trace continues
 * where it was; everything is emitted at the end. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/optim/optimizer.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct psw_tracer psw_policy_tracer(struct psw_policy *p, const struct psw_responses *final,
                                    struct psw_arena *arena)
{
    const struct psw_config *c = p->stage->config;
    return (struct psw_tracer){.model = p->model,
                               .team = &p->trainer.team,
                               .exec = &p->trainer.exec,
                               .arena = arena,
                               .tree = p->trainer.tree,
                               .temperature = c->policy.temperature,
                               .per_token = c->final.norm == PSW_NORM_TOKEN,
                               .share_prefix = 1,
                               .final = {final->pointer, final->n_prompt},
                               .seed = (uint64_t)c->seed,
                               .eta = c->trace.eta};
}

/* Every so many checkpoints, and the last two: there the noise of D' is most of v. */
static int is_error_point(const struct psw_config *c, int64_t checkpoint)
{
    const int64_t every = c->trace.final_error_every;
    return every > 0 &&
           (checkpoint % every == 0 || checkpoint >= psw_policy_n_checkpoint(c) - 2);
}

/* Soft targets at the parameters that are loaded, those that D' was drawn from; in the arena.
 */
static void aim_soft(struct psw_policy *p, struct psw_tracer *t, struct psw_trace_soft *soft)
{
    const struct psw_config *c = p->stage->config;
    if (!c->trace.soft) return;
    const struct psw_sample_opts how = psw_final_opts(c, p->stage->data, PSW_PROMPTS_FINAL);
    const struct psw_draw_opts draw = {
        .temperature = how.temperature, .top_p = how.top_p, .top_k = how.top_k};
    psw_trace_soft_init(t, p->trainer.param, draw, soft);
    t->soft = soft;
}

static struct psw_trace_at where(const struct psw_policy *p, int64_t checkpoint)
{
    const struct psw_config *c = p->stage->config;
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
    const struct psw_config_train *c = &p->train;
    struct psw_trainer *t = &p->trainer;
    float *out = psw_arena_f32(arena, t->n_param);
    if (!out || c->optimizer != PSW_OPTIMIZER_ADAMW || t->step == 0) return NULL;
    const struct psw_optimizer_opts opts = psw_optimizer_opts_of(c);
    const struct psw_slice own = {0, t->slice.end - t->slice.begin};
    float *ones = out + t->slice.begin;
    for (int64_t i = 0; i < own.end; i++) ones[i] = 1.0f;
    psw_optimizer_precondition(&opts, t->step, own, t->moment2, ones, ones);
    psw_slices_gather(t->team.comm, out, t->n_param);
    return out;
}

/* What a measurement takes from the arena before the tracer does. */
static void reserve(struct psw_policy *p, const struct psw_tracer *t, struct psw_trace_at *at,
                    struct psw_trace_tokens *tokens)
{
    if (at->directions) at->preconditioner = preconditioner(p, t->arena);
    if (!p->stage->config->trace.tokens) return;
    psw_trace_tokens_init(tokens, t->probe, t->arena);
    at->tokens = tokens;
}

psw_status psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena,
                                   struct psw_error *err)
{
    struct psw_responses bound = {0};
    struct psw_trace_point point;
    psw_status rc = psw_policy_sample_layout(p, PSW_PROMPTS_EVAL, arena, NULL, err);
    if (rc == PSW_OK) rc = psw_policy_sample_layout(p, PSW_PROMPTS_FINAL, arena, &bound, err);
    if (rc == PSW_OK) {
        struct psw_tracer t = psw_policy_tracer(p, &bound, arena);
        struct psw_trace_at at = where(p, 0);
        struct psw_trace_tokens tokens;
        struct psw_trace_soft soft;
        aim_soft(p, &t, &soft);
        rc = p->kind->probe(p, -1, &t, err);
        reserve(p, &t, &at, &tokens);
        if (rc == PSW_OK) rc = psw_trace_measure(&t, &at, &point, err);
        at.cosine = 0; /* without them the error through D' is found in another way */
        if (rc == PSW_OK) rc = psw_trace_measure(&t, &at, &point, err);
    }
    psw_responses_clear(&bound);
    return rc;
}

psw_status psw_policy_write_record(struct psw_record *record, const char *path,
                                   struct psw_error *err)
{
    const void *bytes = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_record_pack(record, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    const struct psw_file_part part = {bytes, n_bytes};
    return psw_file_write(path, &part, 1, err);
}

psw_status psw_policy_read_record(const char *path, struct psw_record **out,
                                  struct psw_error *err)
{
    char *bytes = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_file_read(path, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    rc = psw_record_unpack(bytes, n_bytes, out, err);
    if (rc != PSW_OK) psw_error_prefix(err, "%s", path);
    free(bytes);
    return rc;
}

static psw_status write_point(const struct psw_policy *p, const struct psw_policy_point *point,
                              const char *path, struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    rc = psw_policy_put_point(p, point, record, err);
    if (rc == PSW_OK) rc = psw_policy_write_record(record, path, err);
    psw_record_destroy(record);
    return rc;
}

/* The trace is the last fifth of the work. Points of an earlier attempt are not told of: the
 * first that is says how far that one had got. */
static void tell_point(const struct psw_policy *p, int64_t checkpoint)
{
    const double steps = (double)p->stage->config->policy.train.steps;
    const double n = (double)psw_policy_n_checkpoint(p->stage->config);
    psw_stage_progress(p->stage, steps * (1 + 0.25 * (double)(checkpoint + 1) / n),
                       1.25 * steps);
}

static psw_status measure_one(struct psw_policy *p, struct psw_tracer *t, int64_t checkpoint,
                              struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_trace_tokens tokens;
    const int64_t step = psw_policy_checkpoint_step(p->stage->config, checkpoint);
    struct psw_policy_point out = {.checkpoint = checkpoint, .step = step};
    psw_status rc = psw_policy_path(p, "point", step, "rec", path, err);
    if (rc != PSW_OK || psw_stage_have(t->team->comm, path)) return rc;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    PSW_TRY(psw_policy_load_checkpoint(p, step, err));
    PSW_TRY(p->kind->probe(p, checkpoint, t, err));
    struct psw_trace_at at = where(p, checkpoint);
    reserve(p, t, &at, &tokens);
    PSW_TRY(psw_trace_measure(t, &at, &out.point, err));
    out.components = psw_trace_components(t);
    out.probe = t->probe;
    out.tokens = at.tokens;
    if (t->team->rank == 0) rc = write_point(p, &out, path, err);
    rc = psw_agree(t->team->comm, rc, err);
    if (rc == PSW_OK) tell_point(p, checkpoint);
fail:
    psw_arena_rewind(t->arena, mark);
    return rc;
}

/* The parameters that D' was drawn from are loaded. */
static psw_status measure_all(struct psw_policy *p, const struct psw_responses *final,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_tracer t = psw_policy_tracer(p, final, p->trainer.arena);
    struct psw_trace_soft soft;
    const struct psw_arena_mark mark = psw_arena_mark(t.arena);
    aim_soft(p, &t, &soft);
    const int64_t n = psw_policy_n_checkpoint(p->stage->config);
    for (int64_t i = 0; i < n && rc == PSW_OK; i++) {
        if ((rc = measure_one(p, &t, i, err)) != PSW_OK) break;
        if (psw_stage_stopped(p->stage))
            rc = psw_fail(err, PSW_ESTOP, "stopped in the trace after checkpoint %lld of %lld",
                          (long long)i + 1, (long long)n);
    }
    psw_arena_rewind(t.arena, mark);
    return rc;
}

/* D' at the first and the last checkpoint. A point may come from an earlier attempt, so it is
 * read back from its record. */
static void take_end(const struct psw_policy *p, int64_t checkpoint,
                     const struct psw_record *point, struct psw_policy_end *end)
{
    const double logp = psw_record_f64(point, "logp_final", 0);
    if (checkpoint == 0) end->final_logp_sft = logp;
    if (checkpoint == psw_policy_n_checkpoint(p->stage->config) - 1) end->final_logp = logp;
}

static psw_status emit_file(const struct psw_policy *p, int64_t checkpoint,
                            struct psw_policy_end *end, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_record *record = NULL;
    const int64_t step = psw_policy_checkpoint_step(p->stage->config, checkpoint);
    psw_status rc = psw_policy_path(p, "point", step, "rec", path, err);
    if (rc == PSW_OK)
        rc = psw_file_set_aside(path, psw_policy_read_record(path, &record, err), err);
    if (rc == PSW_OK) {
        take_end(p, checkpoint, record, end);
        p->stage->hooks.emit(p->stage->hooks.ctx, record);
    }
    psw_record_destroy(record);
    return rc;
}

static psw_status emit_all(const struct psw_policy *p, struct psw_policy_end *end,
                           struct psw_error *err)
{
    if (!p->stage->hooks.emit) return PSW_OK;
    struct psw_record *record = NULL;
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < psw_policy_n_checkpoint(p->stage->config) && rc == PSW_OK; i++)
        rc = emit_file(p, i, end, err);
    if (rc == PSW_OK) {
        psw_policy_put_log(p, record);
        p->stage->hooks.emit(p->stage->hooks.ctx, record);
        psw_record_clear(record);
        psw_policy_put_end(p, end, record);
        p->stage->hooks.emit(p->stage->hooks.ctx, record);
    }
    psw_record_destroy(record);
    return rc;
}

static uint64_t hash_param(const struct psw_policy *p)
{
    return psw_hash_bytes(p->trainer.param, sizeof(float) * (size_t)p->trainer.n_param, 0);
}

psw_status psw_policy_trace(struct psw_policy *p, struct psw_error *err)
{
    struct psw_responses final = {0};
    struct psw_policy_end end;
    psw_status rc = psw_policy_load_checkpoint(p, p->stage->config->policy.train.steps, err);
    const uint64_t param_hash = hash_param(p);
    if (rc == PSW_OK) rc = psw_policy_sample(p, PSW_PROMPTS_FINAL, &final, err);
    if (rc == PSW_EDIVERGED) psw_error_prefix(err, "training diverged");
    if (rc != PSW_OK) return rc;
    const double begin_s = psw_clock_s();
    PSW_TRY(measure_all(p, &final, err));
    p->trace_s = psw_clock_s() - begin_s;
    PSW_TRY(psw_policy_judge(p, &final, &end, err));
    PSW_TRY(psw_policy_pairs_end(p, &end, err));
    end.param_hash = param_hash;
    rc = psw_agree(p->team.comm, p->team.rank == 0 ? emit_all(p, &end, err) : PSW_OK, err);
fail:
    psw_responses_clear(&final);
    return rc;
}
