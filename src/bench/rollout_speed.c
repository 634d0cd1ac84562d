/* The sampler as training calls it. What is compared is timed in turn. */
#include "yardstick.h"

#include <math.h>
#include <posweep/bench/rollout_speed.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/sample.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>

enum { MAX_REP = 64, MAX_SLOT = 64, EOS = 0 };

/* Prompts, one after the other, each given n_sample times. */
struct job {
    int64_t n_prompt, n_sample, n_prompt_tok, max_new;
};

struct bench {
    struct job job;
    struct psw_model *model;   /* owned */
    struct psw_arena *arena;   /* owned: all that follows */
    struct psw_arena *scratch; /* owned: the sampler's */
    struct psw_yardstick yardstick;
    float *param;
    int32_t *prompt, *token, *n_token;
    struct psw_example *example;   /* [prompts] */
    const struct psw_example **at; /* [responses] the example of each */
};

static int64_t n_seq_of(const struct bench *b)
{
    return b->job.n_prompt * b->job.n_sample;
}

static void take(struct bench *b, struct psw_arena *arena)
{
    const int64_t n_seq = n_seq_of(b);
    psw_yardstick_init(&b->yardstick, arena);
    b->param = psw_arena_f32(arena, psw_model_n_param(b->model));
    b->prompt = psw_arena_i32(arena, b->job.n_prompt * b->job.n_prompt_tok);
    b->token = psw_arena_i32(arena, n_seq * b->job.max_new);
    b->n_token = psw_arena_i32(arena, n_seq);
    b->example = psw_arena_alloc(arena, (size_t)b->job.n_prompt * sizeof *b->example);
    b->at = psw_arena_alloc(arena, (size_t)n_seq * sizeof *b->at);
}

static void fill(struct bench *b)
{
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_TEST};
    const struct job *j = &b->job;
    const uint64_t n_vocab = (uint64_t)psw_model_dims(b->model)->n_vocab;
    psw_model_init(b->model, &(struct psw_exec){0}, 1, b->param);
    for (int64_t i = 0; i < j->n_prompt * j->n_prompt_tok; i++)
        b->prompt[i] = (int32_t)psw_rng_below(rng, (uint64_t)i, 0, n_vocab);
    for (int64_t i = 0; i < j->n_prompt; i++)
        b->example[i] = (struct psw_example){.prompt = b->prompt + i * j->n_prompt_tok,
                                             .n_prompt = (int32_t)j->n_prompt_tok};
    for (int64_t q = 0; q < n_seq_of(b); q++) b->at[q] = &b->example[q / j->n_sample];
}

static void bench_clear(struct bench *b)
{
    psw_arena_destroy(b->scratch);
    psw_arena_destroy(b->arena);
    psw_model_destroy(b->model);
}

static struct psw_sample_shape shape_of(const struct bench *b)
{
    return (struct psw_sample_shape){
        .n_seq = n_seq_of(b), .max_prompt = b->job.n_prompt_tok, .max_new = b->job.max_new};
}

static psw_status check(const struct psw_model_dims *dims, const struct job *j, int64_t n_rep,
                        struct psw_error *err)
{
    if (n_rep >= 1 && n_rep <= MAX_REP && j->n_prompt >= 1 && j->n_sample >= 1 &&
        j->n_prompt_tok >= 1 && j->max_new >= 1 &&
        j->n_prompt_tok + j->max_new <= dims->context)
        return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "rollout benchmark: 1 to %d repetitions, at least one prompt, response and "
                    "token, and a context that holds them are needed",
                    MAX_REP);
}

static psw_status bench_init(struct bench *b, const struct psw_model_dims *dims, struct job job,
                             size_t *memory_bytes, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    size_t scratch_bytes = 0;
    *b = (struct bench){.job = job};
    const struct psw_sample_shape shape = shape_of(b);
    psw_blas_pin(1); /* the SGEMM beside us */
    PSW_TRY(psw_model_create(dims, &b->model, err));
    PSW_TRY(psw_arena_create_measuring("rollout benchmark plan", &b->arena, err));
    take(b, b->arena);
    *memory_bytes = psw_arena_peak_bytes(b->arena);
    psw_arena_destroy(b->arena);
    b->arena = NULL;
    PSW_TRY(psw_arena_create("rollout benchmark", *memory_bytes, &b->arena, err));
    PSW_TRY(psw_model_sample_bytes(b->model, &shape, &scratch_bytes, err));
    PSW_TRY(psw_arena_create("rollout benchmark scratch", scratch_bytes, &b->scratch, err));
    *memory_bytes += scratch_bytes;
    take(b, b->arena);
    fill(b);
fail:
    return rc;
}

/* One call of the sampler. together: the responses to a prompt share it. */
static psw_status time_sampling(struct bench *b, int64_t max_new, int32_t eos, int together,
                                double *time_s, struct psw_error *err)
{
    struct psw_exec exec = {.n_thread = 1, .scratch = b->scratch};
    const struct psw_sample_opts how = {.temperature = 1.0,
                                        .top_p = 1.0,
                                        .max_new = (int32_t)max_new,
                                        .eos = eos,
                                        .rng = {.seed = 1, .use = PSW_RNG_TEST}};
    const int64_t n_sample = together ? b->job.n_sample : 1;
    const struct psw_example *one[MAX_SLOT];
    for (int64_t i = 0; together && i < b->job.n_prompt; i++) one[i] = &b->example[i];
    const struct psw_sample_in in = {.prompt = together ? one : b->at,
                                     .n_prompt = n_seq_of(b) / n_sample,
                                     .n_sample = (int32_t)n_sample,
                                     .opts = &how};
    const struct psw_sample_out out = {.token = b->token, .n_token = b->n_token};
    const double start_s = psw_clock_s();
    const psw_status rc = psw_model_sample(b->model, &exec, b->param, &in, &out, err);
    *time_s = psw_clock_s() - start_s;
    return rc;
}

/* FLOPs of n tokens fed at positions from `first` on, and of the logits of n_logit of them. */
static double flop_of(const struct psw_model *model, double first, double n, double n_logit)
{
    return psw_model_flops(model, (struct psw_load){.n_tok = n,
                                                    .n_row = n_logit,
                                                    .n_seen = n * first + 0.5 * n * (n + 1)});
}

/* The bias of the final norm along EOS's row adds to EOS's logit, and next to nothing to the
 * others: rows of a random head are almost orthogonal. */
static void make_eos_likely(struct bench *b, double end_tok)
{
    const struct psw_dims *d = &psw_model_layout(b->model)->d;
    const float *row = b->param + psw_model_layout(b->model)->head + EOS * d->C;
    float *bias = b->param + psw_model_find(b->model, "gpt_neox.final_layer_norm.bias")->offset;
    double square = 0;
    for (int64_t c = 0; c < d->C; c++) square += (double)row[c] * row[c];
    const double logit = log((double)(d->V - 1) / fmax(end_tok - 1, 1e-3));
    for (int64_t c = 0; c < d->C; c++) bias[c] += (float)(logit * row[c] / square);
}

/* The fewest steps: every slot draws in every step until the queue is empty. */
static int64_t fewest_steps(const struct bench *b, int64_t n_slot)
{
    int64_t free_at[MAX_SLOT] = {0}, last = 0;
    for (int64_t q = 0; q < n_seq_of(b); q++) {
        int64_t first = 0;
        for (int64_t i = 1; i < n_slot; i++)
            if (free_at[i] < free_at[first]) first = i;
        free_at[first] += b->n_token[q];
        if (free_at[first] > last) last = free_at[first];
    }
    return last;
}

/* What the lengths say; they are the same in every repetition. Returns the FLOPs. */
static double count(const struct bench *b, int64_t *n_step, struct psw_bench_rollout_result *r)
{
    const struct psw_sample_shape shape = shape_of(b);
    double n_tok = 0, flop = 0;
    for (int64_t q = 0; q < n_seq_of(b); q++) {
        const double n = b->n_token[q];
        n_tok += n;
        flop += flop_of(b->model, 0, (double)b->job.n_prompt_tok + n - 1, n);
    }
    r->n_slot = psw_model_sample_n_slot(b->model, &shape);
    PSW_ASSERT(r->n_slot <= MAX_SLOT);
    *n_step = fewest_steps(b, r->n_slot);
    r->mean_tok = n_tok / (double)n_seq_of(b);
    r->occupancy = n_tok / (double)(r->n_slot * *n_step);
    return flop;
}

static psw_status measure(struct bench *b, int64_t n_rep, struct psw_bench_rollout_result *r,
                          struct psw_error *err)
{
    double rate[MAX_REP], equal_rate[MAX_REP], ratio[MAX_REP], equal_ratio[MAX_REP];
    double floor_rate[MAX_REP];
    const int64_t n_seq = n_seq_of(b), n_param = psw_model_n_param(b->model);
    double time_s, equal_s;
    psw_status rc = time_sampling(b, 1, -1, 0, &time_s, err); /* to warm up */
    if (rc != PSW_OK) return rc;
    for (int64_t k = 0; k < n_rep; k++) {
        int64_t n_step;
        rc = time_sampling(b, b->job.max_new, EOS, 0, &time_s, err);
        if (rc != PSW_OK) return rc;
        const double flop = count(b, &n_step, r);
        const int64_t equal = llround(r->mean_tok);
        rc = time_sampling(b, equal, -1, 0, &equal_s, err);
        if (rc != PSW_OK) return rc;
        const double stream_s =
            (double)n_step * psw_yardstick_stream_s(&b->yardstick, n_param, b->param);
        const double flop_s = flop / psw_yardstick_flop_per_s(&b->yardstick);
        rate[k] = r->mean_tok * (double)n_seq / time_s;
        equal_rate[k] = (double)(equal * n_seq) / equal_s;
        floor_rate[k] = r->mean_tok * (double)n_seq / fmax(stream_s, flop_s);
        ratio[k] = rate[k] / floor_rate[k];
        equal_ratio[k] = rate[k] / equal_rate[k];
    }
    r->tok_per_s = psw_median(rate, n_rep);
    r->equal_tok_per_s = psw_median(equal_rate, n_rep);
    r->floor_tok_per_s = psw_median(floor_rate, n_rep);
    r->ratio = psw_median(ratio, n_rep);
    r->equal_ratio = psw_median(equal_ratio, n_rep);
    return PSW_OK;
}

psw_status psw_bench_rollout(const struct psw_bench_rollout_opts *opts,
                             struct psw_bench_rollout_result *out, struct psw_error *err)
{
    struct bench b;
    struct psw_bench_rollout_result r = {0};
    const struct job job = {.n_prompt = opts->n_seq,
                            .n_sample = 1,
                            .n_prompt_tok = opts->n_prompt,
                            .max_new = opts->max_new};
    psw_status rc = check(&opts->dims, &job, opts->n_rep, err);
    if (rc != PSW_OK) return rc;
    rc = bench_init(&b, &opts->dims, job, &r.memory_bytes, err);
    if (rc == PSW_OK) make_eos_likely(&b, opts->end_tok);
    if (rc == PSW_OK) rc = measure(&b, opts->n_rep, &r, err);
    if (rc == PSW_OK) *out = r;
    bench_clear(&b);
    return rc;
}

/* Apart, every response feeds prompt and response but its last token. Together the prompt is
 * fed once, and the first draw of all shares its logits. */
static double promised_ratio(const struct bench *b)
{
    const double P = (double)b->job.n_prompt_tok, n = (double)b->job.max_new;
    const double k = (double)b->job.n_sample, apart = k * flop_of(b->model, 0, P + n - 1, n);
    return apart / (flop_of(b->model, 0, P, 1) + k * flop_of(b->model, P, n - 1, n - 1));
}

psw_status psw_bench_group(const struct psw_bench_group_opts *opts,
                           struct psw_bench_group_result *out, struct psw_error *err)
{
    struct bench b;
    size_t unused;
    double apart_s[MAX_REP], shared_s[MAX_REP], ratio[MAX_REP];
    const struct job job = {.n_prompt = opts->n_group,
                            .n_sample = opts->n_sample,
                            .n_prompt_tok = opts->n_prompt,
                            .max_new = opts->n_new};
    psw_status rc = check(&opts->dims, &job, opts->n_rep, err);
    if (rc != PSW_OK) return rc;
    if (opts->n_group > MAX_SLOT)
        return psw_fail(err, PSW_EINVAL, "rollout benchmark: %lld prompts",
                        (long long)opts->n_group);
    rc = bench_init(&b, &opts->dims, job, &unused, err);
    if (rc == PSW_OK) rc = time_sampling(&b, 1, -1, 0, &apart_s[0], err); /* to warm up */
    for (int64_t k = 0; rc == PSW_OK && k < opts->n_rep; k++) {
        rc = time_sampling(&b, opts->n_new, -1, 0, &apart_s[k], err);
        if (rc == PSW_OK) rc = time_sampling(&b, opts->n_new, -1, 1, &shared_s[k], err);
        ratio[k] = rc == PSW_OK ? apart_s[k] / shared_s[k] : 0;
    }
    if (rc == PSW_OK)
        *out = (struct psw_bench_group_result){.apart_s = psw_median(apart_s, opts->n_rep),
                                               .shared_s = psw_median(shared_s, opts->n_rep),
                                               .ratio = psw_median(ratio, opts->n_rep),
                                               .flop_ratio = promised_ratio(&b)};
    bench_clear(&b);
    return rc;
}
