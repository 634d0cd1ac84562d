/* The sampler is called twice per repetition, for n_new + 1 tokens and for one: the difference
 * is n_new steps of drawing and feeding. */
#include "yardstick.h"

#include <posweep/bench/sample_speed.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/sample.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>
#include <stdlib.h>

enum { MAX_REP = 64 };

struct bench {
    const struct psw_bench_sample_opts *opts;
    struct psw_model *model;   /* owned */
    struct psw_arena *arena;   /* owned: parameters, prompts, outputs, yardstick */
    struct psw_arena *scratch; /* owned */
    struct psw_yardstick yardstick;
    float *param;
    int32_t *prompt; /* [n_seq][n_prompt] */
    int32_t *token, *n_token;
    struct psw_example *example;   /* [n_seq] */
    const struct psw_example **at; /* [n_seq] */
};

static void take(struct bench *b, struct psw_arena *arena)
{
    const struct psw_bench_sample_opts *o = b->opts;
    const size_t n_seq = (size_t)o->n_seq;
    b->param = psw_arena_f32(arena, psw_model_n_param(b->model));
    psw_yardstick_init(&b->yardstick, arena);
    b->prompt = psw_arena_i32(arena, o->n_seq * o->n_prompt);
    b->token = psw_arena_i32(arena, o->n_seq * (o->n_new + 1));
    b->n_token = psw_arena_i32(arena, o->n_seq);
    b->example = psw_arena_alloc(arena, n_seq * sizeof *b->example);
    b->at = psw_arena_alloc(arena, n_seq * sizeof *b->at);
}

static void fill(struct bench *b)
{
    const struct psw_bench_sample_opts *o = b->opts;
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_TEST};
    psw_model_init(b->model, &(struct psw_exec){0}, 1, b->param);
    for (int64_t i = 0; i < o->n_seq * o->n_prompt; i++)
        b->prompt[i] = (int32_t)psw_rng_below(rng, (uint64_t)i, 0, (uint64_t)o->dims.n_vocab);
    for (int64_t s = 0; s < o->n_seq; s++) {
        b->example[s] = (struct psw_example){.prompt = b->prompt + s * o->n_prompt,
                                             .n_prompt = (int32_t)o->n_prompt};
        b->at[s] = &b->example[s];
    }
}

static psw_status setup(struct bench *b, size_t *memory_bytes, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    size_t n_bytes = 0;
    const struct psw_sample_shape shape = {.n_seq = b->opts->n_seq,
                                           .max_prompt = b->opts->n_prompt,
                                           .max_new = b->opts->n_new + 1};
    PSW_TRY(psw_arena_create_measuring("sampling benchmark plan", &b->arena, err));
    take(b, b->arena);
    *memory_bytes = psw_arena_peak_bytes(b->arena);
    psw_arena_destroy(b->arena);
    b->arena = NULL;
    PSW_TRY(psw_arena_create("sampling benchmark", *memory_bytes, &b->arena, err));
    PSW_TRY(psw_model_sample_bytes(b->model, &shape, &n_bytes, err));
    PSW_TRY(psw_arena_create("sampling benchmark scratch", n_bytes, &b->scratch, err));
    *memory_bytes += n_bytes;
    take(b, b->arena);
    fill(b);
fail:
    return rc;
}

static psw_status time_sampling(struct bench *b, int64_t n_new, double *time_s,
                                struct psw_error *err)
{
    struct psw_exec exec = {.n_thread = 1, .scratch = b->scratch};
    const struct psw_sample_opts how = {.temperature = 1.0,
                                        .top_p = 1.0,
                                        .max_new = (int32_t)n_new,
                                        .eos = -1,
                                        .rng = {.seed = 1, .use = PSW_RNG_TEST}};
    const struct psw_sample_in in = {
        .prompt = b->at, .n_prompt = b->opts->n_seq, .n_sample = 1, .opts = &how};
    const struct psw_sample_out out = {.token = b->token, .n_token = b->n_token};
    const double start_s = psw_clock_s();
    const psw_status rc = psw_model_sample(b->model, &exec, b->param, &in, &out, err);
    *time_s = psw_clock_s() - start_s;
    return rc;
}

static psw_status measure(struct bench *b, struct psw_bench_sample_result *r,
                          struct psw_error *err)
{
    double step_s[MAX_REP], prefill_s[MAX_REP], stream_s[MAX_REP], rate[MAX_REP];
    const int64_t n_rep = b->opts->n_rep;
    for (int64_t i = -1; i < n_rep; i++) { /* the first to warm up */
        const int64_t k = i < 0 ? 0 : i;
        double whole_s = 0.0;
        psw_status rc = time_sampling(b, 1, &prefill_s[k], err);
        if (rc == PSW_OK) rc = time_sampling(b, b->opts->n_new + 1, &whole_s, err);
        if (rc != PSW_OK) return rc;
        step_s[k] = (whole_s - prefill_s[k]) / (double)b->opts->n_new;
        stream_s[k] =
            psw_yardstick_stream_s(&b->yardstick, psw_model_n_param(b->model), b->param);
        rate[k] = psw_yardstick_flop_per_s(&b->yardstick);
    }
    r->step_s = psw_median(step_s, n_rep);
    r->prefill_s = psw_median(prefill_s, n_rep);
    r->stream_s = psw_median(stream_s, n_rep);
    r->gemm_flop_per_s = psw_median(rate, n_rep);
    return PSW_OK;
}

static void derive(const struct psw_bench_sample_opts *o, const struct psw_model *model,
                   struct psw_bench_sample_result *r)
{
    const double n = (double)o->n_seq, T = (double)o->n_prompt + 0.5 * (double)o->n_new;
    r->weight_bytes = 4.0 * (double)psw_model_n_read(model);
    r->stream_s *= r->weight_bytes / (4.0 * (double)psw_model_n_weight(model));
    r->flop_per_step =
        psw_model_flops(model, (struct psw_load){.n_tok = n, .n_row = n, .n_seen = n * T});
    const double flop_s = r->flop_per_step / r->gemm_flop_per_s;
    r->floor_s = r->stream_s > flop_s ? r->stream_s : flop_s;
    r->tok_per_s = (double)o->n_seq / r->step_s;
    r->ratio = r->floor_s / r->step_s;
}

psw_status psw_bench_sample(const struct psw_bench_sample_opts *opts,
                            struct psw_bench_sample_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct bench b = {.opts = opts};
    struct psw_bench_sample_result r = {0};
    if (opts->n_rep < 1 || opts->n_rep > MAX_REP || opts->n_seq < 1 || opts->n_prompt < 1 ||
        opts->n_new < 1 || opts->n_prompt + opts->n_new + 1 > opts->dims.context)
        return psw_fail(err, PSW_EINVAL,
                        "sampling benchmark: 1 to %d repetitions, at least one sequence and "
                        "token, and a context that holds them and one more are needed",
                        MAX_REP);
    psw_blas_pin(1); /* the SGEMM beside us */
    PSW_TRY(psw_model_create(&opts->dims, &b.model, err));
    PSW_TRY(setup(&b, &r.memory_bytes, err));
    PSW_TRY(measure(&b, &r, err));
    derive(opts, b.model, &r);
    *out = r;
fail:
    psw_arena_destroy(b.scratch);
    psw_arena_destroy(b.arena);
    psw_model_destroy(b.model);
    return rc;
}
