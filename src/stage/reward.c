/* The reward stage: Bradley-Terry on the training pairs, -log sigma(r+ - r-), from the SFT
 * model with a fresh linear head on a response's last token; then judged on the held-out pairs
 * and shifted so that the SFT model's own responses are worth 0 on average. */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/objective/pairwise.h>
#include <posweep/optim/divergence.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_PAIRS = 64, N_CENTER = 256, N_BIN = 10 };

/* State of the stage in one rank. */
struct reward {
    const struct psw_stage *stage;
    const struct psw_config_train *train;
    struct psw_model *model; /* owned: the SFT model with a head */
    struct psw_team team;
    struct psw_trainer trainer;
    struct psw_responses sft;          /* owned: what the SFT model says */
    int64_t n_pair;                    /* training pairs used */
    int64_t *index;                    /* [batch] owned */
    const struct psw_example **picked; /* [batch or a block] owned */
    double *score, *weight;            /* [largest of both][2] owned */
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void pick_step(struct reward *r, int64_t step)
{
    psw_data_order((uint64_t)r->stage->config->seed, PSW_STAGE_REWARD, r->n_pair, step,
                   r->train->batch, r->index);
    psw_stage_pick(&r->stage->data->pairs, r->index, r->train->batch, r->picked);
}

/* Whether the model sees a pair the wrong way round: a property of the pair. */
static int is_flipped(const struct reward *r, int64_t pair)
{
    const struct psw_config *c = r->stage->config;
    const struct psw_rng rng = {.seed = (uint64_t)c->seed, .use = PSW_RNG_REWARD_FLIP};
    return psw_rng_uniform(rng, (uint64_t)pair, 0) < c->reward.flip;
}

/* -dL/d(score) for the mean over the batch. */
static void weigh(struct reward *r)
{
    const int64_t n = r->train->batch;
    for (int64_t i = 0; i < n; i++) {
        const double sign = is_flipped(r, r->index[i]) ? -1 : 1;
        const double margin = sign * (r->score[2 * i] - r->score[2 * i + 1]);
        const double slope = sign * psw_sigmoid(-margin) / (double)n;
        r->weight[2 * i + PSW_CHOSEN] = slope;
        r->weight[2 * i + PSW_REJECTED] = -slope;
    }
}

static void push_gradients(struct reward *r, struct psw_arena *arena)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {
        .model = r->model,
        .team = &r->trainer.team,
        .exec = &r->trainer.exec,
        .arena = arena,
        .opts = {.share_prefix = 1, .last_only = 1, .want = PSW_WANT_VALUE}};
    psw_shards_pack(&pass, r->picked, r->train->batch);
    psw_shards_forward(&pass, r->trainer.param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, r->score);
    if (!psw_arena_is_measuring(arena)) weigh(r);
    const struct psw_shards_weights weight = {.value = r->weight};
    psw_shards_backward_rows(&pass, r->trainer.param, weight, r->trainer.tree);
    psw_arena_rewind(arena, mark);
}

static struct psw_reward_pass pass_of(struct reward *r, struct psw_arena *arena)
{
    return (struct psw_reward_pass){.model = r->model,
                                    .team = &r->trainer.team,
                                    .exec = &r->trainer.exec,
                                    .arena = arena,
                                    .param = r->trainer.param};
}

/* Scores of a block of held-out pairs; returns how many. */
static int64_t score_block(struct reward *r, int64_t begin, struct psw_arena *arena)
{
    const struct psw_examples *list = &r->stage->data->pairs_heldout;
    const int64_t n = smaller(list->n - begin, BLOCK_PAIRS);
    const struct psw_reward_pass with = pass_of(r, arena);
    for (int64_t i = 0; i < n; i++) r->picked[i] = &list->item[begin + i];
    psw_reward_evaluate(&with, r->picked, n, r->score);
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
    const int at = (int)smaller((int64_t)((confidence - 0.5) * 2 * N_BIN), N_BIN - 1);
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
            const struct psw_example *e = r->picked[k];
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
        .eos = r->stage->data->eos,
        .rng = {.seed = (uint64_t)r->stage->config->seed, .use = PSW_RNG_CENTER}};
    psw_status rc = psw_load_sft(r->stage, &t->team, param, err);
    if (rc == PSW_OK) rc = psw_responses_sample(&with, &opts, &r->sft, err);
    if (rc == PSW_OK) {
        const struct psw_reward_pass pass = pass_of(r, t->arena);
        psw_reward_evaluate(&pass, r->sft.pointer, r->sft.n_prompt, score);
        for (int64_t q = 0; q < r->sft.n_seq; q++)
            info->shift += score[q] / (double)r->sft.n_seq;
        t->param[psw_model_layout(r->model)->value_b] -= (float)info->shift;
    }
    psw_arena_rewind(t->arena, mark);
    return rc;
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct reward *r = ctx;
    size_t scratch_bytes = 0;
    psw_trainer_init(&r->trainer, r->model, r->train, &r->team, arena);
    if (!psw_arena_is_measuring(arena)) return;
    for (int64_t step = 0; step < r->train->steps; step++) {
        pick_step(r, step);
        push_gradients(r, arena);
    }
    for (int64_t i = 0; i < r->stage->data->pairs_heldout.n; i += BLOCK_PAIRS)
        score_block(r, i, arena);
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    psw_arena_f32(arena, psw_model_n_param(r->stage->model));
    psw_arena_f64(arena, r->sft.n_seq);
    if (psw_responses_scratch(r->stage->model, &r->sft, r->team.n_shard, &scratch_bytes,
                              NULL) == PSW_OK)
        psw_arena_alloc(arena, scratch_bytes);
    psw_arena_rewind(arena, mark);
    psw_arena_f32(arena, psw_model_n_param(r->stage->model));
    psw_arena_f64(arena, r->sft.n_seq);
    psw_responses_bound(&r->sft);
    const struct psw_reward_pass pass = pass_of(r, arena);
    psw_reward_evaluate(&pass, r->sft.pointer, r->sft.n_prompt, NULL);
    psw_arena_rewind(arena, mark);
}

/* A fresh head on the SFT model. */
static psw_status start(struct reward *r, struct psw_error *err)
{
    psw_model_init(r->model, (uint64_t)r->stage->config->seed, r->trainer.param);
    return psw_load_sft(r->stage, &r->trainer.team, r->trainer.param, err);
}

static psw_status train(struct reward *r, const char *partial, uint64_t key,
                        struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_trainer *t = &r->trainer;
    PSW_TRY(start(r, err));
    psw_trainer_begin(t);
    if (psw_stage_have(t->team.comm, partial))
        PSW_TRY(psw_trainer_load(t, partial, key, NULL, 0, err));
    double saved_s = psw_clock_s();
    while (t->step < r->train->steps) {
        pick_step(r, t->step);
        push_gradients(r, t->arena);
        PSW_TRY(psw_trainer_update(t, NULL, err));
        psw_stage_progress(r->stage, (double)t->step, (double)r->train->steps);
        const int stop = psw_stage_stopped(r->stage);
        int save = stop || psw_clock_s() - saved_s > r->stage->config->limits.checkpoint_s;
        PSW_MPI(MPI_Bcast(&save, 1, MPI_INT, 0, t->team.comm));
        if (!save || t->step == r->train->steps) continue;
        PSW_TRY(psw_trainer_save(t, partial, key, NULL, 0, err));
        saved_s = psw_clock_s();
        if (stop)
            return psw_fail(err, PSW_ESTOP, "stopped in reward at step %lld",
                            (long long)t->step);
    }
fail:
    return rc;
}

static psw_status finish(struct reward *r, const char *path, const char *partial, uint64_t key,
                         struct psw_error *err)
{
    struct psw_reward_info info;
    psw_status rc = PSW_OK;
    judge(r, &info);
    if (info.n_heldout > 0)
        PSW_TRY(psw_divergence_check(PSW_DIVERGED_REWARD, info.loss, log(2),
                                     (struct psw_divergence_at){r->trainer.step, r->train->lr},
                                     err));
    if (r->stage->config->reward.center) PSW_TRY(center(r, &info, err));
    struct psw_state s = {.key = key,
                          .step = r->trainer.step,
                          .n_param = r->trainer.n_param,
                          .param = r->trainer.param,
                          .extra = &info,
                          .n_extra_bytes = sizeof info};
    PSW_TRY(psw_state_write(&r->trainer.team, path, &s, NULL, err));
    if (r->trainer.team.rank == 0) remove(partial);
fail:
    return rc;
}

static void reward_clear(struct reward *r)
{
    psw_model_destroy(r->model);
    psw_responses_clear(&r->sft);
    free(r->index);
    free(r->picked);
    free(r->score);
    *r = (struct reward){0};
}

/* The SFT model answers training prompts, at most as long as it was taught to. */
static psw_status aim(struct reward *r, struct psw_error *err)
{
    const struct psw_examples *list = &r->stage->data->sft;
    const struct psw_example *prompt[N_CENTER];
    const int64_t n = smaller(list->n, N_CENTER);
    int64_t longest = 1;
    for (int64_t i = 0; i < n; i++) {
        prompt[i] = &list->item[i];
        if (prompt[i]->n_response[0] > longest) longest = prompt[i]->n_response[0];
    }
    const int64_t stride =
        psw_responses_room(prompt, n, r->stage->config->model.context, longest);
    psw_status rc = psw_responses_init(n, 1, stride > 0 ? stride : 1, &r->sft, err);
    if (rc == PSW_OK) psw_responses_aim(&r->sft, prompt);
    return rc;
}

static psw_status reward_init(struct reward *r, const struct psw_stage *stage,
                              struct psw_error *err)
{
    const struct psw_config_reward *c = &stage->config->reward;
    const int64_t n_all = stage->data->pairs.n;
    const int64_t n_most = c->train.batch > BLOCK_PAIRS ? c->train.batch : BLOCK_PAIRS;
    psw_status rc = PSW_OK;
    *r = (struct reward){.stage = stage, .train = &c->train};
    r->n_pair = c->pairs && c->pairs < n_all ? c->pairs : n_all;
    if (r->n_pair < 1)
        return psw_fail(err, PSW_EINVAL,
                        "the data has no preference pairs to train a reward model on; set "
                        "reward.source: scorer, or give data.pairs a file");
    r->index = calloc((size_t)n_most, sizeof *r->index);
    r->picked = calloc((size_t)n_most, sizeof *r->picked);
    r->score = calloc(4 * (size_t)n_most, sizeof *r->score);
    if (!r->index || !r->picked || !r->score)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "reward: batch of %lld", (long long)n_most));
    r->weight = r->score + 2 * n_most;
    PSW_TRY(psw_value_model(stage, &r->model, err));
    PSW_TRY(aim(r, err));
    return PSW_OK;
fail:
    reward_clear(r);
    return rc;
}

psw_status psw_stage_reward(const struct psw_stage *stage, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], partial[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, PSW_STAGE_REWARD, path, err);
    if (rc != PSW_OK || psw_stage_have(stage->comm, path)) return rc;
    struct reward r;
    struct psw_arena *arena = NULL;
    size_t peak_bytes = 0;
    const uint64_t key =
        psw_stage_key(PSW_STAGE_REWARD, stage->config, stage->data->content_hash);
    PSW_TRY(psw_agree(stage->comm, reward_init(&r, stage, err), err));
    PSW_TRY(psw_path(partial, sizeof partial, err, "%s.partial", path));
    PSW_TRY(psw_stage_team(stage, r.train->shards, &r.team, err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_plan(layout, &r, &peak_bytes, err), err));
    PSW_TRY(psw_agree(stage->comm, psw_arena_create("reward", peak_bytes, &arena, err), err));
    layout(&r, arena);
    PSW_TRY(train(&r, partial, key, err));
    rc = finish(&r, path, partial, key, err);
fail:
    psw_stage_memory(stage, peak_bytes, arena);
    psw_arena_destroy(arena);
    reward_clear(&r);
    return rc;
}

psw_status psw_reward_peak(const struct psw_stage *stage, const struct psw_team *team,
                           size_t *n_bytes, struct psw_error *err)
{
    struct reward r;
    psw_status rc = reward_init(&r, stage, err);
    if (rc != PSW_OK) return rc;
    r.team = *team;
    rc = psw_arena_plan(layout, &r, n_bytes, err);
    reward_clear(&r);
    return rc;
}
