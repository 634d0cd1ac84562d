/* The sft stage: next-token training on responses, mean over the response tokens of the batch.
 */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/config/model_dir.h>
#include <posweep/optim/divergence.h>
#include <posweep/stage/weights.h>

#include <math.h>
#include <stdlib.h>

/* State of the stage in one rank. */
struct sft {
    const struct psw_stage *stage;
    const struct psw_config_train *train;
    struct psw_trainer trainer;
    int64_t *index;           /* [batch] owned */
    struct psw_picked picked; /* [batch] owned */
};

static void pick_step(struct sft *s, int64_t step)
{
    const struct psw_examples *items = &s->stage->data->sft;
    psw_data_order((uint64_t)s->stage->config->seed, PSW_STAGE_SFT, items->n, step,
                   s->train->batch, s->index);
    psw_picked_put(&s->picked, 0, items, s->index, s->train->batch);
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
    psw_shards_pack(&pass, s->picked.at, s->train->batch);
    int64_t n_tok = 0;
    for (int64_t i = 0; i < s->train->batch; i++) n_tok += s->picked.item[i].n_response[0];
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
    psw_shards_pack(&pass, s->picked.at, s->train->batch);
    double *logp = psw_arena_f64(arena, pass.n_seq);
    psw_shards_evaluate(&pass, s->trainer.param);
    psw_shards_sum_logp(&pass, logp);
    for (int64_t i = 0; logp && i < s->train->batch; i++) {
        sum -= logp[i];
        n_tok += s->picked.item[i].n_response[0];
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

/* The largest step. */
static void walk(struct sft *s, struct psw_arena *arena)
{
    const int64_t n_step = psw_stage_walks_steps(s->train) ? s->train->steps : 0;
    for (int64_t step = 0; step < n_step; step++) {
        pick_step(s, step);
        push_gradients(s, arena);
    }
    if (n_step == s->train->steps) return;
    psw_stage_put_longest(&s->stage->data->sft, s->stage->data->sft.n, s->train, &s->picked);
    push_gradients(s, arena);
}

static psw_status layout(struct psw_stage_work *w, struct psw_arena *arena,
                         struct psw_error *err)
{
    struct sft *s = w->own;
    (void)err;
    psw_trainer_init(&s->trainer, s->stage->model, s->train, &w->team,
                     psw_stage_exec(w, arena));
    if (!psw_arena_is_measuring(arena)) return PSW_OK;
    walk(s, arena);
    if (s->train->steps > 0) loss_of(s, arena);
    return PSW_OK;
}

/* The weights of model.from. Every rank reads them; one looks whether they are the right ones.
 */
static psw_status start_from(struct sft *s, struct psw_error *err)
{
    char path[PSW_CFG_PATH];
    const struct psw_config *c = s->stage->config;
    const struct psw_team *team = &s->trainer.team;
    psw_status rc = psw_model_dir_tensors(c->model.from, path, err);
    if (rc == PSW_OK && team->rank == 0) rc = psw_weights_check(c, err);
    if (rc == PSW_OK)
        rc = psw_weights_read(path, s->trainer.model, &s->trainer.exec, s->trainer.param, err);
    return psw_agree(team->comm, rc, err);
}

static psw_status start(void *ctx, struct psw_error *err)
{
    struct sft *s = ctx;
    if (s->stage->config->model.from[0]) return start_from(s, err);
    psw_model_init(s->trainer.model, &s->trainer.exec, (uint64_t)s->stage->config->seed,
                   s->trainer.param);
    return PSW_OK;
}

static psw_status step(void *ctx, int64_t step, double *metric, double *n_tok,
                       struct psw_error *err)
{
    struct sft *s = ctx;
    (void)metric, (void)n_tok;
    pick_step(s, step);
    push_gradients(s, s->trainer.arena);
    return psw_trainer_update(&s->trainer, NULL, err);
}

static void progress(void *ctx, int64_t n_step)
{
    const struct sft *s = ctx;
    psw_stage_progress(s->stage, (double)n_step, (double)s->train->steps);
}

static int should_stop(void *ctx)
{
    return psw_stage_stopped(((const struct sft *)ctx)->stage);
}

static psw_status run(struct psw_stage_work *w, struct psw_error *err)
{
    static const struct psw_loop_code CODE = {
        .start = start, .step = step, .progress = progress, .should_stop = should_stop};
    struct sft *s = w->own;
    psw_status rc = psw_stage_train(w, &CODE, s, &s->trainer, err);
    if (rc == PSW_OK) rc = check_loss(s, err);
    return rc == PSW_OK ? psw_stage_leave(w, &s->trainer, NULL, 0, err) : rc;
}

static void close(struct psw_stage_work *w)
{
    struct sft *s = w->own;
    free(s->index);
    psw_picked_clear(&s->picked);
    free(s);
}

static psw_status open(struct psw_stage_work *w, struct psw_error *err)
{
    struct sft *s = w->own = calloc(1, sizeof *s);
    if (!s) return psw_fail(err, PSW_ENOMEM, "sft: no memory");
    *s = (struct sft){.stage = w->stage, .train = &w->stage->config->sft};
    s->index = calloc((size_t)s->train->batch, sizeof *s->index);
    if (!s->index)
        return psw_fail(err, PSW_ENOMEM, "sft: batch of %lld", (long long)s->train->batch);
    return psw_picked_init(&s->picked, s->train->batch, err);
}

const struct psw_stage_code PSW_SFT = {open, close, layout, run};
