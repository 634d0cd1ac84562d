/* The sft stage: next-token training on responses, mean over the response tokens of the batch.
 */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/optim/divergence.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* State of the stage in one rank. */
struct sft {
    const struct psw_stage *stage;
    const struct psw_config_train *train;
    struct psw_team team;
    struct psw_trainer trainer;
    int64_t *index;                    /* [batch] owned */
    const struct psw_example **picked; /* [batch] owned */
};

static void pick_step(struct sft *s, int64_t step)
{
    const struct psw_examples *items = &s->stage->data->sft;
    psw_data_order((uint64_t)s->stage->config->seed, PSW_STAGE_SFT, items->n, step,
                   s->train->batch, s->index);
    psw_stage_pick(items, s->index, s->train->batch, s->picked);
}

/* Every response token has weight 1 / (response tokens of the batch). */
static void push_gradients(struct sft *s, struct psw_arena *arena)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = s->stage->model,
                              .team = &s->trainer.team,
                              .exec = &s->trainer.exec,
                              .arena = arena,
                              .opts = {.share_prefix = 1, .temperature = 1.0}};
    psw_shards_pack(&pass, s->picked, s->train->batch);
    int64_t n_tok = 0;
    for (int64_t i = 0; i < s->train->batch; i++) n_tok += s->picked[i]->n_response[0];
    double *weight = psw_arena_f64(arena, pass.n_seq);
    for (int64_t q = 0; weight && q < pass.n_seq; q++) weight[q] = 1.0 / (double)n_tok;
    psw_shards_nll(&pass, s->trainer.param, weight, s->trainer.tree);
    psw_arena_rewind(arena, mark);
}

/* Loss per token of the last batch. */
static double loss_of(struct sft *s, struct psw_arena *arena)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = s->stage->model,
                              .team = &s->trainer.team,
                              .exec = &s->trainer.exec,
                              .arena = arena,
                              .opts = {.share_prefix = 1, .temperature = 1.0}};
    double sum = 0, n_tok = 0;
    psw_shards_pack(&pass, s->picked, s->train->batch);
    double *logp = psw_arena_f64(arena, pass.n_seq);
    psw_shards_evaluate(&pass, s->trainer.param);
    psw_shards_sum_logp(&pass, logp);
    for (int64_t i = 0; logp && i < s->train->batch; i++) {
        sum -= logp[i];
        n_tok += s->picked[i]->n_response[0];
    }
    psw_arena_rewind(arena, mark);
    return sum / n_tok;
}

/* A model that is worse than guessing is nothing to begin from. */
static psw_status check_loss(struct sft *s, struct psw_error *err)
{
    if (s->train->steps == 0) return PSW_OK;
    pick_step(s, s->train->steps - 1);
    return psw_divergence_check(PSW_DIVERGED_SFT, loss_of(s, s->trainer.arena),
                                log((double)psw_model_dims(s->stage->model)->n_vocab),
                                (struct psw_divergence_at){s->train->steps, s->train->lr}, err);
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct sft *s = ctx;
    psw_trainer_init(&s->trainer, s->stage->model, s->train, &s->team, arena);
    for (int64_t step = 0; step < s->train->steps; step++) {
        pick_step(s, step);
        push_gradients(s, arena);
    }
    if (s->train->steps > 0) loss_of(s, arena);
}

static psw_status train(struct sft *s, const char *path, uint64_t key, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_trainer *t = &s->trainer;
    char partial[PSW_PATH_BYTES];
    PSW_TRY(psw_path(partial, sizeof partial, err, "%s.partial", path));
    if (psw_stage_have(t->team.comm, partial))
        PSW_TRY(psw_trainer_load(t, partial, key, NULL, 0, err));
    else
        psw_model_init(t->model, (uint64_t)s->stage->config->seed, t->param);
    double saved_s = psw_clock_s();
    while (t->step < s->train->steps) {
        pick_step(s, t->step);
        push_gradients(s, t->arena);
        PSW_TRY(psw_trainer_update(t, NULL, err));
        psw_stage_progress(s->stage, (double)t->step, (double)s->train->steps);
        int save = psw_stage_stopped(s->stage);
        const int stop = save;
        if (psw_clock_s() - saved_s > s->stage->config->limits.checkpoint_s) save |= 2;
        PSW_MPI(MPI_Bcast(&save, 1, MPI_INT, 0, t->team.comm));
        if (!save || t->step == s->train->steps) continue;
        PSW_TRY(psw_trainer_save(t, partial, key, NULL, 0, err));
        saved_s = psw_clock_s();
        if (stop)
            return psw_fail(err, PSW_ESTOP, "stopped in sft at step %lld", (long long)t->step);
    }
    PSW_TRY(check_loss(s, err));
    PSW_TRY(psw_trainer_save_param(t, path, key, err));
    if (t->team.rank == 0) remove(partial);
fail:
    return rc;
}

static void sft_clear(struct sft *s)
{
    free(s->index);
    free(s->picked);
    *s = (struct sft){0};
}

static psw_status sft_init(struct sft *s, const struct psw_stage *stage, struct psw_error *err)
{
    *s = (struct sft){.stage = stage, .train = &stage->config->sft};
    s->index = calloc((size_t)s->train->batch, sizeof *s->index);
    s->picked = calloc((size_t)s->train->batch, sizeof *s->picked);
    if (s->index && s->picked) return PSW_OK;
    sft_clear(s);
    return psw_fail(err, PSW_ENOMEM, "sft: batch of %lld", (long long)s->train->batch);
}

psw_status psw_stage_sft(const struct psw_stage *stage, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, PSW_STAGE_SFT, path, err);
    if (rc != PSW_OK || psw_stage_have(stage->comm, path)) return rc;
    struct sft s;
    struct psw_arena *arena = NULL;
    size_t peak_bytes = 0;
    PSW_TRY(psw_agree(stage->comm, sft_init(&s, stage, err), err));
    PSW_TRY(psw_stage_team(stage, s.train->shards, &s.team, err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_plan(layout, &s, &peak_bytes, err), err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_create("sft", peak_bytes, &arena, err), err));
    psw_trainer_init(&s.trainer, stage->model, s.train, &s.team, arena);
    PSW_TRY(train(&s, path,
                  psw_stage_key(PSW_STAGE_SFT, stage->config, stage->data->content_hash), err));
fail:
    psw_stage_memory(stage, peak_bytes, arena);
    psw_arena_destroy(arena);
    sft_clear(&s);
    return rc;
}

psw_status psw_sft_peak(const struct psw_stage *stage, const struct psw_team *team,
                        size_t *n_bytes, struct psw_error *err)
{
    struct sft s;
    psw_status rc = sft_init(&s, stage, err);
    if (rc != PSW_OK) return rc;
    s.team = *team;
    rc = psw_arena_plan(layout, &s, n_bytes, err);
    sft_clear(&s);
    return rc;
}
