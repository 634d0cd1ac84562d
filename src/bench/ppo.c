/* The policy stage is opened as for a run; its steps are then called one by one, each followed
 * by the products that it consisted of. */
#include "products.h"

#include <posweep/bench/ppo.h>
#include <posweep/stage/policy_steps.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/median.h>

#include <stdlib.h>

const char *const PSW_BENCH_PPO_PART[PSW_BENCH_PPO_PARTS] = {
    [PSW_PHASE_SAMPLE] = "sample and score",
    [PSW_PHASE_OLD] = "old log-probabilities",
    [PSW_PHASE_REFERENCE] = "reference",
    [PSW_PHASE_VALUE] = "values",
    [PSW_PHASE_FORWARD] = "policy forward",
    [PSW_PHASE_BACKWARD] = "policy backward",
    [PSW_PHASE_CRITIC_FORWARD] = "critic forward",
    [PSW_PHASE_CRITIC_BACKWARD] = "critic backward",
    [PSW_PHASE_UPDATE] = "reduce, AdamW",
    [PSW_N_PHASE] = "rest",
};
_Static_assert((int)PSW_N_PHASE + 1 == (int)PSW_BENCH_PPO_PARTS, "every phase has a name");

enum { STEP = PSW_BENCH_PPO_PARTS, PRODUCTS, SAMPLING, SHARE, N_TIME };

struct bench {
    const struct psw_bench_ppo_opts *opts;
    struct psw_config config;
    struct psw_dataset *data; /* owned */
    struct psw_model *model;  /* owned */
    struct psw_stage stage;
    struct psw_policy_steps *steps; /* owned */
    struct psw_arena *arena;        /* owned: products, and the batches that they follow */
    struct psw_products products;
    double *time_s; /* [N_TIME][n_rep] owned */
    double n_response_tok, n_tok;
};

static void configure(struct bench *b)
{
    const struct psw_bench_ppo_opts *o = b->opts;
    struct psw_config *c = &b->config;
    psw_config_default(c);
    psw_config_set_source(c, PSW_SOURCE_LISTS);
    c->model.layers = o->n_layer;
    c->model.width = o->width;
    c->model.heads = o->n_head;
    c->model.context = o->context;
    c->sft.steps = o->n_sft;
    c->sft.batch = 32;
    c->sft.lr = 2e-3;
    c->policy.method = PSW_METHOD_PPO;
    c->policy.train.steps = o->n_rep + 2;
    c->policy.train.batch = o->batch;
    c->policy.train.lr = 1e-4;
    c->policy.epochs = o->epochs;
    c->rollout.max_new = o->max_new;
    c->reward.source = PSW_REWARD_SCORER;
    c->trace.every = o->n_rep + 2; /* the first step only, which warms up, is a checkpoint */
}

/* The batches of the last step's rollouts, one per shard. */
static struct psw_shards pack(struct bench *b)
{
    const struct psw_onpolicy_step *s = psw_policy_steps_last(b->steps);
    const struct psw_responses *r = &s->rollout.responses;
    struct psw_shards pass = {.model = b->model,
                              .team = &s->trainer->team,
                              .arena = b->arena,
                              .opts = {.share_prefix = 1, .temperature = 1.0}};
    psw_shards_pack(&pass, r->pointer, r->n_prompt);
    return pass;
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct bench *b = ctx;
    const int64_t n =
        (b->opts->batch + b->config.policy.train.shards - 1) / b->config.policy.train.shards;
    const struct psw_products_size size = {.n_row = n * b->opts->context,
                                           .n_seq = n,
                                           .max_prompt = b->opts->context - b->opts->max_new,
                                           .max_new = b->opts->max_new};
    b->arena = arena;
    psw_products_init(&b->products, b->model, size, arena);
    if (psw_arena_is_measuring(arena)) pack(b); /* the responses are as long as they may get */
}

/* The passes of a step, as often as it makes them: reference and critic without activations,
 * then both models in every epoch. (The entropy of a logged step needs the logits again.) */
static void replay_passes(struct bench *b, const struct psw_shards *pass)
{
    const int n_shard = (int)b->config.policy.train.shards;
    for (int i = 0; i < n_shard; i++)
        for (int n_head = 1; n_head >= 0; n_head--)
            psw_products_forward(&b->products, &pass->shard[i].batch, n_head);
    for (int64_t e = 0; e < b->opts->epochs; e++)
        for (int n_head = 1; n_head >= 0; n_head--) {
            for (int i = 0; i < n_shard; i++)
                psw_products_forward(&b->products, &pass->shard[i].batch, n_head);
            for (int i = 0; i < n_shard; i++)
                psw_products_backward(&b->products, &pass->shard[i].batch, n_head);
        }
}

static void replay_sampling(struct bench *b)
{
    const struct psw_onpolicy_step *s = psw_policy_steps_last(b->steps);
    const struct psw_responses *r = &s->rollout.responses;
    const int n_shard = (int)b->config.policy.train.shards;
    for (int i = 0; i < n_shard; i++) {
        int64_t begin, end;
        psw_shard_items(r->n_prompt, n_shard, i, &begin, &end);
        psw_products_sample(&b->products, r->pointer + begin, end - begin);
    }
}

/* Products alone; replayed in the same minute as the step. */
static void replay(struct bench *b, double *products_s, double *sampling_s)
{
    const struct psw_arena_mark mark = psw_arena_mark(b->arena);
    const struct psw_shards pass = pack(b);
    double begin_s = psw_clock_s();
    replay_passes(b, &pass);
    *products_s = psw_clock_s() - begin_s;
    begin_s = psw_clock_s();
    replay_sampling(b);
    *sampling_s = psw_clock_s() - begin_s;
    psw_arena_rewind(b->arena, mark);
    const double n = (double)b->opts->n_rep;
    b->n_response_tok += (double)pass.n_row / (double)pass.n_seq / n;
    b->n_tok += (double)pass.local.n_tok / n;
}

static psw_status one_step(struct bench *b, double time_s[N_TIME], struct psw_error *err)
{
    const double *phase_s = psw_policy_steps_last(b->steps)->phase_s;
    const double begin_s = psw_clock_s();
    const psw_status rc = psw_policy_steps_next(b->steps, err);
    time_s[STEP] = psw_clock_s() - begin_s;
    time_s[PSW_N_PHASE] = time_s[STEP];
    for (int i = 0; i < PSW_N_PHASE; i++) {
        time_s[i] = phase_s[i];
        time_s[PSW_N_PHASE] -= phase_s[i];
    }
    if (rc != PSW_OK) return rc;
    replay(b, &time_s[PRODUCTS], &time_s[SAMPLING]);
    time_s[SHARE] = (time_s[PRODUCTS] + time_s[SAMPLING]) / time_s[STEP];
    return PSW_OK;
}

static psw_status measure(struct bench *b, struct psw_error *err)
{
    double time_s[N_TIME];
    const int64_t n_rep = b->opts->n_rep;
    psw_status rc = one_step(b, time_s, err); /* to warm up */
    b->n_response_tok = b->n_tok = 0;
    for (int64_t k = 0; rc == PSW_OK && k < n_rep; k++) {
        rc = one_step(b, time_s, err);
        for (int i = 0; i < N_TIME; i++) b->time_s[i * n_rep + k] = time_s[i];
    }
    return rc;
}

static void summarise(struct bench *b, struct psw_bench_ppo_result *r)
{
    const int64_t n = b->opts->n_rep;
    for (int i = 0; i < PSW_BENCH_PPO_PARTS; i++)
        r->part_s[i] = psw_median(b->time_s + i * n, n);
    r->step_s = psw_median(b->time_s + STEP * n, n);
    r->products_s = psw_median(b->time_s + PRODUCTS * n, n);
    r->sampling_s = psw_median(b->time_s + SAMPLING * n, n);
    r->share = psw_median(b->time_s + SHARE * n, n);
    r->mean_tok = b->n_response_tok;
    r->tok = b->n_tok;
    r->n_param = psw_model_n_weight(b->model);
    r->memory_bytes = psw_policy_steps_bytes(b->steps);
}

/* Up to the first step of PPO. */
static psw_status prepare(struct bench *b, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_dims dims;
    struct psw_arena *arena = NULL;
    struct psw_arena_bytes peak = {0};
    PSW_TRY(psw_config_validate(&b->config, err));
    PSW_TRY(psw_dataset_open(&b->config, &b->data, err));
    PSW_TRY(psw_stage_model_dims(&b->config, b->data->tokenizer->n_vocab, &dims, err));
    PSW_TRY(psw_model_create(&dims, &b->model, err));
    PSW_TRY(psw_file_make_dir(b->opts->work_dir, err));
    b->stage = (struct psw_stage){.config = &b->config,
                                  .data = b->data,
                                  .model = b->model,
                                  .comm = MPI_COMM_SELF,
                                  .work_dir = b->opts->work_dir,
                                  .attempt = 1};
    PSW_TRY(psw_stage_perform(PSW_STAGE_SFT, &b->stage, err));
    PSW_TRY(psw_policy_steps_open(&b->stage, &b->steps, err));
    PSW_TRY(psw_arena_plan(layout, b, &peak, err));
    PSW_TRY(psw_arena_create_over("bench ppo", &psw_host_memory, peak, &arena, err));
    layout(b, arena);
fail:
    b->arena = arena; /* layout's was borrowed */
    return rc;
}

psw_status psw_bench_ppo(const struct psw_bench_ppo_opts *opts,
                         struct psw_bench_ppo_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (opts->n_rep < 1 || opts->n_rep > 64 || opts->max_new < 1 ||
        opts->max_new >= opts->context)
        return psw_fail(err, PSW_EINVAL,
                        "bench: %lld repetitions (1 to 64 are possible), %lld new tokens in a "
                        "context of %lld",
                        (long long)opts->n_rep, (long long)opts->max_new,
                        (long long)opts->context);
    struct bench *b = calloc(1, sizeof *b);
    if (!b) return psw_fail(err, PSW_ENOMEM, "bench: %zu bytes", sizeof *b);
    b->opts = opts;
    b->time_s = calloc(N_TIME * (size_t)opts->n_rep, sizeof *b->time_s);
    if (!b->time_s) PSW_TRY(psw_fail(err, PSW_ENOMEM, "bench: times"));
    configure(b);
    PSW_TRY(prepare(b, err));
    PSW_TRY(measure(b, err));
    summarise(b, out);
fail:
    psw_policy_steps_close(b->steps);
    psw_arena_destroy(b->arena);
    psw_model_destroy(b->model);
    psw_dataset_destroy(b->data);
    if (b->stage.work_dir && psw_file_remove_tree(opts->work_dir, NULL) != PSW_OK &&
        rc == PSW_OK)
        rc = psw_fail(err, PSW_EIO, "%s: cannot be removed", opts->work_dir);
    free(b->time_s);
    free(b);
    return rc;
}
