/* What all stages share: model dimensions, hooks, training a model that is the result, and
 * loading what the sft and the reward stage left. */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>

#include <math.h>
#include <stdio.h>

static struct psw_rope_scaling scaling_of(const struct psw_config_model *m)
{
    return (struct psw_rope_scaling){.kind = (enum psw_rope_kind)m->rotary_scaling,
                                     .factor = m->rotary_factor,
                                     .low_freq_factor = m->rotary_low_freq,
                                     .high_freq_factor = m->rotary_high_freq,
                                     .original_context = m->rotary_original};
}

psw_status psw_stage_model_dims(const struct psw_config *config, int32_t n_vocab,
                                struct psw_model_dims *out, struct psw_error *err)
{
    _Static_assert((int)PSW_ROTARY_LLAMA3 == (int)PSW_ROPE_LLAMA3 &&
                       (int)PSW_ROTARY_LINEAR == (int)PSW_ROPE_LINEAR,
                   "words of the sweep file in the order of the kinds");
    const struct psw_config_model *m = &config->model;
    const int64_t head_width = m->head_width ? m->head_width : m->width / m->heads;
    int64_t rotary_dims = (int64_t)floor((double)head_width * m->rotary_pct);
    rotary_dims -= rotary_dims % 2;
    if (n_vocab < 2)
        return psw_fail(err, PSW_EINVAL, "the data has a vocabulary of %d tokens", n_vocab);
    if (m->vocab != 0 && m->vocab < n_vocab)
        return psw_fail(err, PSW_EINVAL,
                        "model.vocab is %lld, fewer rows than the %d tokens of the data: %s",
                        (long long)m->vocab, n_vocab,
                        m->from[0] ? "read the texts with the tokenizer of that model "
                                     "(data.tokenizer)"
                                   : "leave model.vocab out, or make it larger");
    *out = (struct psw_model_dims){.family = (enum psw_family)m->family,
                                   .n_layer = m->layers,
                                   .width = m->width,
                                   .n_head = m->heads,
                                   .n_kv_head = m->kv_heads,
                                   .head_width = head_width,
                                   .window = m->window,
                                   .hidden = m->hidden ? m->hidden : 4 * m->width,
                                   .n_vocab = m->vocab ? m->vocab : n_vocab,
                                   .context = m->context,
                                   .rotary_dims = rotary_dims,
                                   .rotary_base = m->rotary_base,
                                   .scaling = scaling_of(m),
                                   .norm_eps = m->norm_eps,
                                   .init_std = m->init_std,
                                   .sequential = (int)m->sequential,
                                   .tied = (int)m->tied};
    return PSW_OK;
}

const struct psw_backend *psw_stage_backend(const struct psw_stage *stage)
{
    static const struct psw_backend *const BACKENDS[] = {
        [PSW_BACKEND_CPU] = &psw_backend_cpu, [PSW_BACKEND_REFERENCE] = &psw_backend_reference};
    return stage->backend ? stage->backend : BACKENDS[stage->config->limits.backend];
}

struct psw_exec psw_stage_exec(const struct psw_stage_work *w, struct psw_arena *arena)
{
    return (struct psw_exec){.n_thread = 1,
                             .scratch = arena,
                             .backend = psw_stage_backend(w->stage),
                             .alive = w->stage->hooks.alive,
                             .alive_ctx = w->stage->hooks.ctx};
}

void psw_stage_progress(const struct psw_stage *stage, double done, double total)
{
    if (stage->hooks.progress) stage->hooks.progress(stage->hooks.ctx, done, total);
}

int psw_stage_stopped(const struct psw_stage *stage)
{
    return stage->hooks.should_stop && stage->hooks.should_stop(stage->hooks.ctx);
}

static int is_stop_wanted(void *ctx)
{
    return psw_stage_stopped(ctx);
}

struct psw_sample_stop psw_stage_sample_stop(const struct psw_stage *stage)
{
    return (struct psw_sample_stop){is_stop_wanted, (void *)stage};
}

static psw_status partial_of(const struct psw_stage_work *w, char out[PSW_PATH_BYTES],
                             struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s.partial", w->place[w->kind].path);
}

psw_status psw_stage_train(const struct psw_stage_work *w, const struct psw_loop_code *code,
                           void *ctx, struct psw_trainer *trainer, struct psw_error *err)
{
    char partial[PSW_PATH_BYTES];
    const struct psw_loop loop = {.code = code,
                                  .ctx = ctx,
                                  .trainer = trainer,
                                  .name = w->name,
                                  .path = partial,
                                  .key = w->place[w->kind].key,
                                  .n_step = trainer->train->steps,
                                  .checkpoint_s = w->stage->config->limits.checkpoint_s};
    const psw_status rc = partial_of(w, partial, err);
    return rc == PSW_OK ? psw_loop_run(&loop, err) : rc;
}

psw_status psw_stage_leave(const struct psw_stage_work *w, struct psw_trainer *trainer,
                           void *extra, size_t n_extra_bytes, struct psw_error *err)
{
    char partial[PSW_PATH_BYTES];
    const struct psw_stage_place *own = &w->place[w->kind];
    const struct psw_state s = {.key = own->key,
                                .step = trainer->step,
                                .n_param = trainer->n_param,
                                .param = trainer->param,
                                .extra = extra,
                                .n_extra_bytes = n_extra_bytes};
    psw_status rc = psw_state_write(&w->team, &trainer->exec, own->path, &s, NULL, err);
    if (rc == PSW_OK) rc = partial_of(w, partial, err);
    if (rc == PSW_OK && w->team.rank == 0) remove(partial);
    return rc;
}

/* A damaged file is out of the way of the next attempt. Every rank reads the file; node memory
 * is written by one. */
static psw_status load(const struct psw_stage_work *w, enum psw_stage_kind from,
                       struct psw_state *s, struct psw_error *err)
{
    struct psw_exec exec = psw_stage_exec(w, w->arena);
    const int is_of_node = psw_node_memory_holds(w->node, s->param);
    const size_t n_extra_bytes = s->n_extra_bytes;
    s->key = w->place[from].key;
    if (is_of_node && !psw_node_memory_begin(w->node)) s->param = NULL;
    psw_status rc = psw_state_read(&w->team, &exec, w->place[from].path, s, err);
    if (is_of_node) psw_node_memory_end(w->node);
    if (rc == PSW_OK && s->n_extra_bytes != n_extra_bytes)
        rc = psw_fail(err, PSW_EDATA, "%s: %zu extra bytes, expected %zu", w->place[from].path,
                      s->n_extra_bytes, n_extra_bytes);
    return w->team.rank == 0 ? psw_file_set_aside(w->place[from].path, rc, err) : rc;
}

psw_status psw_load_sft(const struct psw_stage_work *w, float *param, struct psw_error *err)
{
    struct psw_state s = {.n_param = psw_model_n_param(w->stage->model), .param = param};
    return load(w, PSW_STAGE_SFT, &s, err);
}

psw_status psw_load_reward(const struct psw_stage_work *w, const struct psw_model *model,
                           float *param, struct psw_reward_info *info, struct psw_error *err)
{
    struct psw_reward_info unused;
    struct psw_state s = {.n_param = psw_model_n_param(model),
                          .param = param,
                          .extra = info ? info : &unused,
                          .n_extra_bytes = sizeof unused};
    return load(w, PSW_STAGE_REWARD, &s, err);
}
