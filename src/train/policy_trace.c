/* The trace of a run: sample D' from the end, revisit every checkpoint, judge the end. Each
 * measured point is written to a file of its own at once, so an interrupted trace continues
 * where it was; everything is emitted at the end. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/train/optimizer.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lists of examples for the tracer, with their reference log-probabilities. */
struct sets {
    const struct psw_example **pointer; /* owned: probe, heldout, chosen one after the other */
    double *ref;                        /* owned: probe, heldout */
    struct psw_trace_set probe, heldout, chosen;
    const double *probe_ref, *heldout_ref;
};

static void sets_clear(struct sets *s)
{
    free(s->pointer);
    free(s->ref);
}

static int64_t at_most(int64_t n, int64_t limit)
{
    return n < limit ? n : limit;
}

static psw_status sets_init(const struct psw_policy *p, struct sets *s, struct psw_error *err)
{
    const struct psw_config *c = p->stage->config;
    const struct psw_dataset *data = p->stage->data;
    const int heldout_probe = c->trace.probe_from == PSW_PROBE_HELDOUT;
    const struct psw_examples *from = heldout_probe ? &data->pairs_heldout : &data->pairs;
    const double *from_ref = heldout_probe ? p->ref.heldout : p->ref.train;
    const int64_t n_heldout = at_most(data->pairs_heldout.n, c->trace.probe);
    const int64_t n_chosen = at_most(data->pairs_heldout.n, c->final.prompts);
    psw_status rc = PSW_OK;
    *s = (struct sets){0};
    int64_t *index = calloc((size_t)c->trace.probe + 1, sizeof *index);
    s->pointer =
        calloc((size_t)(c->trace.probe + n_heldout + n_chosen) + 1, sizeof *s->pointer);
    s->ref = calloc(2 * (size_t)(c->trace.probe + n_heldout) + 1, sizeof *s->ref);
    if (!index || !s->pointer || !s->ref)
        PSW_TRY(
            psw_fail(err, PSW_ENOMEM, "trace: probe of %lld pairs", (long long)c->trace.probe));
    const int64_t n_probe =
        psw_dataset_probe(data, c->trace.probe_from, (uint64_t)c->seed, c->trace.probe, index);
    if (n_probe < 1)
        PSW_TRY(psw_fail(err, PSW_EINVAL, "trace.probe_from: the data has no such pairs"));
    psw_stage_pick(from, index, n_probe, s->pointer);
    for (int64_t i = 0; from_ref && i < 2 * n_probe; i++)
        s->ref[i] = from_ref[2 * index[i / 2] + i % 2];
    for (int64_t i = 0; i < n_heldout; i++)
        s->pointer[n_probe + i] = &data->pairs_heldout.item[i];
    for (int64_t i = 0; p->ref.heldout && i < 2 * n_heldout; i++)
        s->ref[2 * n_probe + i] = p->ref.heldout[i];
    for (int64_t i = 0; i < n_chosen; i++)
        s->pointer[n_probe + n_heldout + i] = &data->pairs_heldout.item[i];
    s->probe = (struct psw_trace_set){s->pointer, n_probe};
    s->heldout = (struct psw_trace_set){s->pointer + n_probe, n_heldout};
    s->chosen = (struct psw_trace_set){s->pointer + n_probe + n_heldout, n_chosen};
    s->probe_ref = s->ref;
    s->heldout_ref = s->ref + 2 * n_probe;
fail:
    free(index);
    return rc;
}

static struct psw_tracer tracer_of(struct psw_policy *p, const struct sets *s,
                                   const struct psw_final *final, struct psw_arena *arena)
{
    const struct psw_config *c = p->stage->config;
    return (struct psw_tracer){.model = p->stage->model,
                               .team = &p->trainer.team,
                               .exec = &p->trainer.exec,
                               .arena = arena,
                               .tree = p->trainer.tree,
                               .opts = p->opts,
                               .temperature = c->policy.temperature,
                               .per_token = c->final.norm == PSW_NORM_TOKEN,
                               .share_prefix = c->policy.share_prefix,
                               .probe = s->probe,
                               .probe_ref = s->probe_ref,
                               .final = {final->pointer, final->n_prompt},
                               .chosen = s->chosen,
                               .heldout = s->heldout,
                               .heldout_ref = s->heldout_ref,
                               .seed = (uint64_t)c->seed,
                               .eta = c->trace.eta};
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
        .directions = c->trace.directions};
}

/* Adam's preconditioner at this checkpoint, whole on every rank; needs the loaded moments. */
static const float *preconditioner(struct psw_policy *p, struct psw_arena *arena)
{
    const struct psw_config_train *c = p->train;
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

void psw_policy_trace_layout(struct psw_policy *p, struct psw_arena *arena)
{
    struct sets s;
    struct psw_final bound = {0};
    struct psw_trace_point point;
    const struct psw_config *c = p->stage->config;
    psw_status rc = sets_init(p, &s, NULL);
    size_t scratch_bytes = 0;
    if (rc == PSW_OK) rc = psw_final_bound(c, p->stage->data, &bound, NULL);
    if (rc == PSW_OK)
        rc = psw_final_scratch(p->stage->model, &bound, p->team.n_shard, &scratch_bytes, NULL);
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    psw_arena_alloc(arena, scratch_bytes);
    psw_arena_rewind(arena, mark);
    if (rc == PSW_OK) {
        const struct psw_tracer t = tracer_of(p, &s, &bound, arena);
        struct psw_trace_at at = where(p, 0);
        struct psw_trace_tokens tokens;
        reserve(p, &t, &at, &tokens);
        rc = psw_trace_measure(&t, &at, &point, NULL);
    }
    sets_clear(&s);
    psw_final_clear(&bound);
}

static psw_status load_checkpoint(struct psw_policy *p, int64_t step, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_policy_path(p, "ckpt", step, "state", path, err);
    if (rc != PSW_OK) return rc;
    if (p->stage->config->trace.directions)
        return psw_trainer_load(&p->trainer, path, p->key, NULL, 0, err);
    return psw_trainer_load_param(&p->trainer, path, p->key, err);
}

static psw_status write_record(struct psw_record *record, const char *path,
                               struct psw_error *err)
{
    const void *bytes = NULL;
    size_t n_bytes = 0;
    psw_status rc = psw_record_pack(record, &bytes, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    const struct psw_file_part part = {bytes, n_bytes};
    return psw_file_write(path, &part, 1, err);
}

static psw_status write_point(const struct psw_policy *p, const struct psw_policy_point *point,
                              const char *path, struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    rc = psw_policy_put_point(p, point, record, err);
    if (rc == PSW_OK) rc = write_record(record, path, err);
    psw_record_destroy(record);
    return rc;
}

static psw_status measure_one(struct psw_policy *p, const struct psw_tracer *t,
                              int64_t checkpoint, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_trace_tokens tokens;
    const int64_t step = psw_policy_checkpoint_step(p->stage->config, checkpoint);
    struct psw_policy_point out = {.checkpoint = checkpoint, .step = step, .probe = t->probe};
    psw_status rc = psw_policy_path(p, "point", step, "rec", path, err);
    if (rc != PSW_OK || psw_stage_have(t->team->comm, path)) return rc;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    PSW_TRY(load_checkpoint(p, step, err));
    struct psw_trace_at at = where(p, checkpoint);
    reserve(p, t, &at, &tokens);
    PSW_TRY(psw_trace_measure(t, &at, &out.point, err));
    out.tokens = at.tokens;
    if (t->team->rank == 0) rc = write_point(p, &out, path, err);
    rc = psw_agree(t->team->comm, rc, err);
fail:
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static psw_status measure_all(struct psw_policy *p, const struct psw_final *final,
                              struct psw_error *err)
{
    struct sets s;
    psw_status rc = psw_agree(p->team.comm, sets_init(p, &s, err), err);
    if (rc == PSW_OK) {
        const struct psw_tracer t = tracer_of(p, &s, final, p->trainer.arena);
        const int64_t n = psw_policy_n_checkpoint(p->stage->config);
        const double steps = (double)p->train->steps;
        for (int64_t i = 0; i < n && rc == PSW_OK; i++) {
            if ((rc = measure_one(p, &t, i, err)) != PSW_OK) break;
            psw_stage_progress(p->stage, steps * (1 + 0.25 * (double)(i + 1) / (double)n),
                               1.25 * steps);
            if (psw_stage_stopped(p->stage))
                rc = psw_fail(err, PSW_ESTOP,
                              "stopped in the trace after checkpoint %lld of %lld",
                              (long long)i + 1, (long long)n);
        }
    }
    sets_clear(&s);
    return rc;
}

/* Responses of the parameters that are loaded. */
static psw_status sample(struct psw_policy *p, struct psw_final *out, struct psw_error *err)
{
    const struct psw_sampler with = {.team = &p->trainer.team,
                                     .model = p->stage->model,
                                     .exec = &p->trainer.exec,
                                     .config = p->stage->config,
                                     .param = p->trainer.param};
    const double begin_s = psw_clock_s();
    const psw_status rc = psw_final_sample(&with, p->stage->data, out, err);
    p->sample_s += psw_clock_s() - begin_s;
    return rc;
}

/* Paired by prompt: the final responses against those of the SFT model, drawn with the same
 * random numbers. */
static psw_status judge(struct psw_policy *p, const struct psw_final *final,
                        struct psw_policy_end *end, struct psw_error *err)
{
    struct psw_final sft = {0};
    const struct psw_dataset *data = p->stage->data;
    double *score = NULL;
    psw_status rc = load_checkpoint(p, 0, err);
    if (rc == PSW_OK) rc = sample(p, &sft, err);
    if (rc != PSW_OK) return rc;
    *end = (struct psw_policy_end){.win = NAN, .tie = NAN, .n_prompt = final->n_prompt};
    PSW_TRY(psw_final_measure(final, data, &end->final, err));
    PSW_TRY(psw_final_measure(&sft, data, &end->sft, err));
    score = calloc(2 * (size_t) final->n_seq, sizeof *score);
    if (!score)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "judging: %lld scores", (long long) final->n_seq));
    psw_final_scores(final, data, score);
    psw_final_scores(&sft, data, score + final->n_seq);
    if (isfinite(end->final.score)) end->win = end->tie = 0;
    for (int64_t q = 0; q < final->n_seq && isfinite(end->final.score); q++) {
        const double d = score[q] - score[final->n_seq + q];
        end->win += (d > 0) / (double) final->n_seq;
        end->tie += (d == 0) / (double) final->n_seq;
    }
fail:
    free(score);
    psw_final_clear(&sft);
    return rc;
}

/* What of the first and the last checkpoint says how the run ended. A point may come from an
 * earlier attempt, so it is read back from its record. */
static void take_end(const struct psw_policy *p, int64_t checkpoint,
                     const struct psw_record *point, struct psw_policy_end *end)
{
    const double logp = psw_record_f64(point, "logp_final", 0);
    if (checkpoint == 0) end->final_logp_sft = logp;
    if (checkpoint < psw_policy_n_checkpoint(p->stage->config) - 1) return;
    end->final_logp = logp;
    end->heldout_loss = psw_record_f64(point, "trace_heldout_loss", 0);
    end->heldout_accuracy = psw_record_f64(point, "trace_heldout_accuracy", 0);
}

static psw_status emit_file(const struct psw_policy *p, int64_t checkpoint,
                            struct psw_policy_end *end, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], *bytes = NULL;
    size_t n_bytes = 0;
    struct psw_record *record = NULL;
    const int64_t step = psw_policy_checkpoint_step(p->stage->config, checkpoint);
    psw_status rc = psw_policy_path(p, "point", step, "rec", path, err);
    if (rc == PSW_OK) rc = psw_file_read(path, &bytes, &n_bytes, err);
    if (rc == PSW_OK) rc = psw_record_unpack(bytes, n_bytes, &record, err);
    if (rc == PSW_OK) {
        take_end(p, checkpoint, record, end);
        p->stage->hooks.emit(p->stage->hooks.ctx, record);
    }
    psw_record_destroy(record);
    free(bytes);
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
    struct psw_final final = {0};
    struct psw_policy_end end;
    psw_status rc = load_checkpoint(p, p->train->steps, err);
    const uint64_t param_hash = hash_param(p);
    if (rc == PSW_OK) rc = sample(p, &final, err);
    if (rc == PSW_EDIVERGED) psw_error_prefix(err, "training diverged");
    if (rc != PSW_OK) return rc;
    const double begin_s = psw_clock_s();
    PSW_TRY(measure_all(p, &final, err));
    p->trace_s = psw_clock_s() - begin_s;
    PSW_TRY(psw_agree(p->team.comm, judge(p, &final, &end, err), err));
    end.param_hash = param_hash;
    rc = psw_agree(p->team.comm, p->team.rank == 0 ? emit_all(p, &end, err) : PSW_OK, err);
fail:
    psw_final_clear(&final);
    return rc;
}
