/* The reward stage: Bradley-Terry on the training pairs, -log sigma(r+ - r-), from the SFT
 * model with a fresh linear head on a response's last token; then judged on the held-out pairs
 * and shifted so that the SFT model's own responses are worth 0 on average. */
#include "stage_internal.h"

#include <posweep/kernels/backend.h>
#include <posweep/objective/pairwise.h>
#include <posweep/optim/divergence.h>
#include <posweep/rollout/reward_model.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>

enum { BLOCK_PAIRS = 64, N_CENTER = 256, N_BIN = 10 };

/* State of the stage in one rank. */
struct reward {
    const struct psw_stage *stage;
    const struct psw_config_train *train;
    const struct psw_stage_work *work;
    struct psw_model *model; /* owned: the SFT model with a head */
    struct psw_trainer trainer;
    struct psw_responses sft; /* owned: what the SFT model says */
    int64_t n_pair;           /* training pairs used */
    int64_t *index;           /* [batch] owned */
    struct psw_picked picked; /* [batch or a block] owned */
    uint8_t *is_flipped;      /* [batch] owned */
    double *score, *weight;   /* [largest of both][2] owned */
};

/* Whether the model sees a pair the wrong way round: a property of the pair. */
static int is_flipped(const struct reward *r, int64_t pair)
{
    const struct psw_config *c = r->stage->config;
    const struct psw_rng rng = {.seed = (uint64_t)c->seed, .use = PSW_RNG_REWARD_FLIP};
    return psw_rng_uniform(rng, (uint64_t)pair, 0) < c->reward.flip;
}

static void pick_step(struct reward *r, int64_t step)
{
    psw_data_order((uint64_t)r->stage->config->seed, PSW_STAGE_REWARD, r->n_pair, step,
                   r->train->batch, r->index);
    psw_picked_put(&r->picked, 0, &r->stage->data->pairs, r->index, r->train->batch);
    for (int64_t i = 0; i < r->train->batch; i++)
        r->is_flipped[i] = (uint8_t)is_flipped(r, r->index[i]);
}

static struct psw_reward_pass pass_of(struct reward *r, struct psw_arena *arena)
{
    return (struct psw_reward_pass){.model = r->model,
                                    .team = &r->trainer.team,
                                    .exec = &r->trainer.exec,
                                    .arena = arena,
                                    .param = r->trainer.param};
}

static void push_gradients(struct reward *r, struct psw_arena *arena)
{
    const struct psw_reward_pass with = pass_of(r, arena);
    const struct psw_reward_batch batch = {.pair = r->picked.at,
                                           .n = r->train->batch,
                                           .is_flipped = r->is_flipped,
                                           .score = r->score,
                                           .weight = r->weight};
    psw_reward_gradient(&with, &batch, r->trainer.tree);
}

/* Scores of a block of held-out pairs; returns how many. */
static int64_t score_block(struct reward *r, int64_t begin, struct psw_arena *arena)
{
    const struct psw_examples *list = &r->stage->data->pairs_heldout;
    const int64_t n = psw_min(list->n - begin, BLOCK_PAIRS);
    const struct psw_reward_pass with = pass_of(r, arena);
    psw_picked_put_block(&r->picked, 0, list, begin, n);
    psw_reward_evaluate(&with, r->picked.at, n, r->score);
    return n;
}

/* Margins of equal confidence, for the calibration. */
struct bin {
    double n, confidence, n_right;
};

static void judge_pair(double margin, struct psw_reward_info *info, struct bin *bin)
{
    const double confidence = psw_sigmoid(fabs(margin));
    const double right = margin > 0 ? 1 : margin < 0 ? 0 : 0.5;
    const int at = (int)psw_min((int64_t)((confidence - 0.5) * 2 * N_BIN), N_BIN - 1);
    info->n_heldout++;
    info->accuracy += right;
    info->loss -= psw_log_sigmoid(margin);
    bin[at].n++;
    bin[at].confidence += confidence;
    bin[at].n_right += right;
}

static void judge(struct reward *r, struct psw_reward_info *info)
{
    struct bin bin[N_BIN] = {{0}};
    *info = (struct psw_reward_info){0};
    for (int64_t i = 0; i < r->stage->data->pairs_heldout.n; i += BLOCK_PAIRS) {
        const int64_t n = score_block(r, i, r->trainer.arena);
        for (int64_t k = 0; k < n; k++) {
            const struct psw_example *e = r->picked.at[k];
            const double margin = r->score[2 * k] - r->score[2 * k + 1];
            judge_pair(psw_response_equal(e, 0, e, 1) ? 0 : margin, info, bin);
        }
    }
    const double n = info->n_heldout;
    info->accuracy /= n; /* 0/0: no held-out pairs, nothing known */
    info->loss /= n;
    for (int b = 0; b < N_BIN; b++)
        info->calibration += fabs(bin[b].n_right - bin[b].confidence) / n;
}

static void lower_bias(struct reward *r, float by)
{
    struct psw_trainer *t = &r->trainer;
    const struct psw_buffer_ops *buffer = psw_exec_backend(&t->exec)->buffer;
    float bias = 0, *at = t->param + psw_model_layout(r->model)->value_b;
    buffer->read(&t->exec, 1, at, &bias);
    bias -= by;
    buffer->write(&t->exec, 1, &bias, at);
}

/* Take the SFT model's mean score off the bias. `param` has room for the SFT model. */
static psw_status center(struct reward *r, struct psw_reward_info *info, struct psw_error *err)
{
    struct psw_trainer *t = &r->trainer;
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    float *param = psw_arena_f32(t->arena, psw_model_n_param(r->stage->model));
    double *score = psw_arena_f64(t->arena, r->sft.n_seq);
    const struct psw_sampler with = {
        .team = &t->team, .model = r->stage->model, .exec = &t->exec, .param = param};
    const struct psw_sample_opts opts = {
        .temperature = 1,
        .top_p = 1,
        .eos = r->stage->data->tokenizer->eos,
        .rng = {.seed = (uint64_t)r->stage->config->seed, .use = PSW_RNG_CENTER}};
    psw_status rc = psw_load_sft(r->work, param, err);
    if (rc == PSW_OK) rc = psw_responses_sample(&with, &opts, &r->sft, err);
    if (rc == PSW_OK) {
        const struct psw_reward_pass pass = pass_of(r, t->arena);
        psw_reward_evaluate(&pass, r->sft.pointer, r->sft.n_prompt, score);
        for (int64_t q = 0; q < r->sft.n_seq; q++)
            info->shift += score[q] / (double)r->sft.n_seq;
        lower_bias(r, (float)info->shift);
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

/* The largest step. */
static void walk(struct reward *r, struct psw_arena *arena)
{
    const int64_t n_step = psw_stage_walks_steps(r->train) ? r->train->steps : 0;
    for (int64_t step = 0; step < n_step; step++) {
        pick_step(r, step);
        push_gradients(r, arena);
    }
    if (n_step == r->train->steps) return;
    psw_stage_put_longest(&r->stage->data->pairs, r->n_pair, r->train, &r->picked);
    push_gradients(r, arena);
}

static psw_status layout(struct psw_stage_work *w, struct psw_arena *arena,
                         struct psw_error *err)
{
    struct reward *r = w->own;
    (void)err;
    psw_trainer_init(&r->trainer, r->model, r->train, &w->team, psw_stage_exec(w, arena));
    if (!psw_arena_is_measuring(arena)) return PSW_OK;
    walk(r, arena);
    for (int64_t i = 0; i < r->stage->data->pairs_heldout.n; i += BLOCK_PAIRS)
        score_block(r, i, arena);
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    const struct psw_sampler with = {
        .team = &w->team, .model = r->stage->model, .exec = &r->trainer.exec};
    psw_arena_f32(arena, psw_model_n_param(r->stage->model));
    psw_arena_f64(arena, r->sft.n_seq);
    psw_responses_layout(&with, &r->sft, arena);
    psw_responses_bound(&r->sft);
    const struct psw_reward_pass pass = pass_of(r, arena);
    psw_reward_evaluate(&pass, r->sft.pointer, r->sft.n_prompt, NULL);
    psw_arena_rewind(arena, mark);
    return PSW_OK;
}

/* A fresh head on the SFT model. */
static psw_status start(void *ctx, struct psw_error *err)
{
    struct reward *r = ctx;
    psw_model_init(r->model, &r->trainer.exec, (uint64_t)r->stage->config->seed,
                   r->trainer.param);
    const psw_status rc = psw_load_sft(r->work, r->trainer.param, err);
    if (rc == PSW_OK) psw_trainer_begin(&r->trainer);
    return rc;
}

static psw_status step(void *ctx, int64_t step, double *metric, double *n_tok,
                       struct psw_error *err)
{
    struct reward *r = ctx;
    (void)metric, (void)n_tok;
    pick_step(r, step);
    push_gradients(r, r->trainer.arena);
    return psw_trainer_update(&r->trainer, NULL, err);
}

static void progress(void *ctx, int64_t n_step)
{
    const struct reward *r = ctx;
    psw_stage_progress(r->stage, (double)n_step, (double)r->train->steps);
}

static int should_stop(void *ctx)
{
    return psw_stage_stopped(((const struct reward *)ctx)->stage);
}

static psw_status run(struct psw_stage_work *w, struct psw_error *err)
{
    static const struct psw_loop_code CODE = {
        .start = start, .step = step, .progress = progress, .should_stop = should_stop};
    struct reward *r = w->own;
    struct psw_reward_info info;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_stage_train(w, &CODE, r, &r->trainer, err));
    judge(r, &info);
    if (info.n_heldout > 0)
        PSW_TRY(psw_divergence_check(PSW_DIVERGED_REWARD, info.loss, log(2),
                                     (struct psw_divergence_at){r->trainer.step, r->train->lr},
                                     err));
    if (r->stage->config->reward.center) PSW_TRY(center(r, &info, err));
    rc = psw_stage_leave(w, &r->trainer, &info, sizeof info, err);
fail:
    return rc;
}

static void close(struct psw_stage_work *w)
{
    struct reward *r = w->own;
    psw_model_destroy(r->model);
    psw_responses_clear(&r->sft);
    free(r->index);
    psw_picked_clear(&r->picked);
    free(r->is_flipped);
    free(r->score);
    free(r);
}

/* The SFT model answers training prompts, at most as long as it was taught to. */
static psw_status choose_prompts(struct reward *r, struct psw_error *err)
{
    const struct psw_examples *list = &r->stage->data->sft;
    const int64_t n = psw_min(list->n, N_CENTER);
    int64_t longest = 1;
    struct psw_picked prompt;
    psw_status rc = psw_picked_init(&prompt, n, err);
    if (rc != PSW_OK) return rc;
    psw_picked_put_block(&prompt, 0, list, 0, n);
    for (int64_t i = 0; i < n; i++)
        if (prompt.item[i].n_response[0] > longest) longest = prompt.item[i].n_response[0];
    const int64_t stride =
        psw_responses_limit(prompt.at, n, r->stage->config->model.context, longest);
    rc = psw_responses_init(n, 1, stride > 0 ? stride : 1, &r->sft, err);
    if (rc == PSW_OK) psw_responses_set_prompts(&r->sft, prompt.at);
    psw_picked_clear(&prompt);
    return rc;
}

static psw_status open(struct psw_stage_work *w, struct psw_error *err)
{
    const struct psw_stage *stage = w->stage;
    const struct psw_config_reward *c = &stage->config->reward;
    const int64_t n_all = stage->data->pairs.n;
    const int64_t n_most = c->train.batch > BLOCK_PAIRS ? c->train.batch : BLOCK_PAIRS;
    struct reward *r = w->own = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "reward: no memory");
    *r = (struct reward){.stage = stage, .train = &c->train, .work = w};
    r->n_pair = c->pairs && c->pairs < n_all ? c->pairs : n_all;
    if (r->n_pair < 1)
        return psw_fail(err, PSW_EINVAL,
                        "the data has no preference pairs to train a reward model on; set "
                        "reward.source: scorer, or give data.pairs a file");
    r->index = calloc((size_t)n_most, sizeof *r->index);
    r->is_flipped = calloc((size_t)n_most, sizeof *r->is_flipped);
    r->score = calloc(4 * (size_t)n_most, sizeof *r->score);
    if (!r->index || !r->is_flipped || !r->score)
        return psw_fail(err, PSW_ENOMEM, "reward: batch of %lld", (long long)n_most);
    r->weight = r->score + 2 * n_most;
    psw_status rc = psw_picked_init(&r->picked, n_most, err);
    if (rc == PSW_OK) rc = psw_value_model(stage->model, &r->model, err);
    return rc == PSW_OK ? choose_prompts(r, err) : rc;
}

const struct psw_stage_code PSW_REWARD = {open, close, layout, run};
