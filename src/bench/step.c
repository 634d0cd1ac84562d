/* The speed of a training step, beside the matrix products it consists of. */
#include <posweep/bench/step.h>

#include <posweep/kernels/blas.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>
#include <posweep/util/minmax.h>
#include <posweep/util/rng.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_ROWS = 256 };
enum sample { STEP, GEMM, FORWARD, TANGENT, UPDATE, N_SAMPLE };

/* Everything the benchmark holds, in one arena. */
struct bench {
    const struct psw_bench_step_opts *opts;
    struct psw_model *model;   /* owned */
    struct psw_arena *memory;  /* owned */
    struct psw_arena *scratch; /* owned */
    struct psw_batch batch;
    struct psw_exec exec;
    struct psw_act *act;
    float *param, *grad, *direction;    /* [P] */
    float *logp, *logp_dot, *weight;    /* [B T] */
    float *wide[3], *square[2], *logit; /* operands of the bare products */
    double *sample;                     /* [N_SAMPLE + 1][n_rep] */
};

/* B sequences of T tokens; every token predicts. */
static void build_batch(struct bench *b)
{
    const int64_t T = b->opts->T, B = b->opts->B, V = b->opts->dims.n_vocab, n = B * T;
    int32_t *token = psw_arena_i32(b->memory, n), *position = psw_arena_i32(b->memory, n);
    int32_t *source = psw_arena_i32(b->memory, n), *target = psw_arena_i32(b->memory, n);
    struct psw_segment *segment = psw_arena_alloc(b->memory, (size_t)B * sizeof *segment);
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_TEST};
    b->batch = (struct psw_batch){.n_tok = n,
                                  .n_seg = B,
                                  .n_seq = B,
                                  .n_row = n,
                                  .n_item = B,
                                  .max_path = T,
                                  .token = token,
                                  .position = position,
                                  .segment = segment,
                                  .row.source = source,
                                  .row.target = target};
    if (psw_arena_is_measuring(b->memory)) return;
    for (int64_t s = 0; s < B; s++) segment[s] = (struct psw_segment){s * T, T, -1};
    for (int64_t t = 0; t < n; t++) {
        token[t] = (int32_t)psw_rng_below(rng, (uint64_t)t, 0, (uint64_t)V);
        target[t] = (int32_t)psw_rng_below(rng, (uint64_t)t, 1, (uint64_t)V);
        source[t] = (int32_t)t;
        position[t] = (int32_t)(t % T);
    }
}

static float *filled(struct bench *b, int64_t n)
{
    float *x = psw_arena_f32(b->memory, n);
    if (psw_arena_is_measuring(b->memory)) return x;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((uint64_t)i * 2654435761u >> 9 & 0xffff) / 65536.0f - 0.5f;
    return x;
}

/* Take everything from b->memory, which may be measuring. */
static void take_memory(struct bench *b)
{
    const struct psw_model_dims *d = &b->opts->dims;
    const int64_t n = b->opts->B * b->opts->T, n_param = psw_model_n_param(b->model);
    const int64_t wide = psw_max(d->hidden, 3 * d->width);
    build_batch(b);
    b->act = psw_act_create(b->model, &b->batch, b->memory, 0);
    b->param = filled(b, n_param);
    b->grad = filled(b, n_param);
    b->direction = filled(b, n_param);
    b->logp = filled(b, n);
    b->logp_dot = filled(b, n);
    b->weight = filled(b, n);
    for (int i = 0; i < 3; i++) b->wide[i] = filled(b, n * wide);
    for (int i = 0; i < 2; i++) b->square[i] = filled(b, b->opts->T * b->opts->T);
    b->logit = filled(b, HEAD_ROWS * d->n_vocab);
    b->sample = psw_arena_f64(b->memory, (N_SAMPLE + 1) * b->opts->n_rep);
    if (psw_arena_is_measuring(b->memory)) return;
    psw_model_init(b->model, &(struct psw_exec){0}, 1, b->param);
    for (int64_t i = 0; i < n; i++) b->weight[i] = 1.0f / (float)n;
}

static struct psw_pass pass_of(struct bench *b)
{
    return (struct psw_pass){
        .model = b->model, .exec = &b->exec, .param = b->param, .batch = &b->batch};
}

static void run_passes(struct bench *b, int which)
{
    const struct psw_pass pass = pass_of(b);
    if (which == 0) psw_model_nll(&pass, b->act, b->weight, b->logp, b->grad);
    float planned = 0.0f; /* stands for the array while memory is planned */
    const struct psw_rows at = {.logp = b->logp ? b->logp : &planned};
    const struct psw_rows dot = {.logp = b->logp_dot};
    if (which == 1) psw_model_forward(&pass, b->act, at);
    if (which == 2) psw_model_tangent(&pass, b->direction, at, dot);
}

static void bench_clear(struct bench *b)
{
    psw_model_destroy(b->model);
    psw_arena_destroy(b->memory);
    psw_arena_destroy(b->scratch);
}

/* Plan both arenas with measuring ones, then take the memory. */
static psw_status bench_init(struct bench *b, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int real = 0; real < 2; real++) {
        const size_t memory_bytes = b->memory ? psw_arena_peak_bytes(b->memory) : 0;
        const size_t scratch_bytes = b->scratch ? psw_arena_peak_bytes(b->scratch) : 0;
        psw_arena_destroy(b->memory);
        psw_arena_destroy(b->scratch);
        b->memory = b->scratch = NULL;
        if (real) {
            PSW_TRY(psw_arena_create("bench", memory_bytes, &b->memory, err));
            PSW_TRY(psw_arena_create("bench scratch", scratch_bytes, &b->scratch, err));
        } else {
            PSW_TRY(psw_arena_create_measuring("bench", &b->memory, err));
            PSW_TRY(psw_arena_create_measuring("bench scratch", &b->scratch, err));
        }
        b->exec = (struct psw_exec){.n_thread = b->opts->n_thread, .scratch = b->scratch};
        take_memory(b);
        for (int which = 0; which < 3; which++) run_passes(b, which);
    }
fail:
    return rc;
}

/* A linear map of n_row rows: y = x w' forward; x_bar = y_bar w and w_bar += y_bar' x back. */
static void gemm_linear(struct bench *b, int back, int64_t n_in, int64_t n_out, int64_t offset)
{
    const int64_t n = b->opts->B * b->opts->T;
    float *x = b->wide[0], *y = b->wide[1];
    const float *w = b->param + offset;
    if (!back) {
        psw_blas_multiply(PSW_BLAS_NT,
                          (struct psw_blas_product){n, n_out, n_in, n_in, n_in, n_out, 0}, x, w,
                          y);
        return;
    }
    psw_blas_multiply(PSW_BLAS_NN,
                      (struct psw_blas_product){n, n_in, n_out, n_out, n_in, n_in, 0}, y, w, x);
    psw_blas_multiply(PSW_BLAS_TN,
                      (struct psw_blas_product){n_out, n_in, n, n_out, n_in, n_in, 1}, y, x,
                      b->grad + offset);
}

/* The products of one head's attention over a full square. */
static void gemm_head_attention(struct bench *b, int back, int64_t sequence, int64_t h)
{
    const int64_t T = b->opts->T, C = b->opts->dims.width, D = C / b->opts->dims.n_head;
    const float *q = b->wide[2] + sequence * T * 3 * C + h * D, *k = q + C, *v = q + 2 * C;
    float *out = b->wide[1] + sequence * T * C + h * D;
    float *q_bar = b->wide[0] + sequence * T * 3 * C + h * D;
    float *s = b->square[0], *p = b->square[1];
    const struct psw_blas_product square = {T, T, D, 3 * C, 3 * C, T, 0};
    const struct psw_blas_product tall = {T, D, T, T, 3 * C, 3 * C, 0};
    if (!back) {
        psw_blas_multiply(PSW_BLAS_NT, square, q, k, s);
        psw_blas_multiply(PSW_BLAS_NN, (struct psw_blas_product){T, D, T, T, 3 * C, C, 0}, s, v,
                          out);
        return;
    }
    psw_blas_multiply(PSW_BLAS_NT, (struct psw_blas_product){T, T, D, C, 3 * C, T, 0}, out, v,
                      p);
    psw_blas_multiply(PSW_BLAS_TN, (struct psw_blas_product){T, D, T, T, C, 3 * C, 0}, s, out,
                      q_bar + 2 * C);
    psw_blas_multiply(PSW_BLAS_NN, tall, p, k, q_bar);
    psw_blas_multiply(PSW_BLAS_TN, tall, p, q, q_bar + C);
}

static void gemm_vocabulary(struct bench *b)
{
    const int64_t n = b->opts->B * b->opts->T, C = b->opts->dims.width;
    const int64_t V = b->opts->dims.n_vocab, head = psw_model_layout(b->model)->head;
    const float *w = b->param + head;
    for (int64_t r = 0; r < n; r += HEAD_ROWS) {
        const int64_t m = n - r < HEAD_ROWS ? n - r : HEAD_ROWS;
        const float *x = b->wide[0] + r * C;
        psw_blas_multiply(PSW_BLAS_NT, (struct psw_blas_product){m, V, C, C, C, V, 0}, x, w,
                          b->logit);
        psw_blas_multiply(PSW_BLAS_NN, (struct psw_blas_product){m, C, V, V, C, C, 0}, b->logit,
                          w, b->wide[1] + r * C);
        psw_blas_multiply(PSW_BLAS_TN, (struct psw_blas_product){V, C, m, V, C, C, 1}, b->logit,
                          x, b->grad + head);
    }
}

/* Every matrix product of a step and nothing else. */
static void run_gemm_only(struct bench *b)
{
    int64_t n = 0;
    const struct psw_product *p = psw_model_products(b->model, &n);
    for (int back = 0; back < 2; back++)
        for (int64_t i = 0; i < n - 1; i++) {
            if (!p[i].is_attention) gemm_linear(b, back, p[i].n_in, p[i].n_out, p[i].weight);
            for (int64_t s = 0; p[i].is_attention && s < b->opts->B; s++)
                for (int64_t h = 0; h < p[i].qkv.n_head; h++)
                    gemm_head_attention(b, back, s, h);
        }
    gemm_vocabulary(b);
}

/* One repetition of everything, in turn. */
static void measure(struct bench *b, double time_s[N_SAMPLE])
{
    const int64_t n_param = psw_model_n_param(b->model);
    double start = psw_clock_s();
    memset(b->grad, 0, (size_t)n_param * sizeof *b->grad);
    run_passes(b, 0);
    const double updated = psw_clock_s();
    if (b->opts->update) b->opts->update(b->opts->ctx, n_param, b->param, b->grad);
    time_s[UPDATE] = psw_clock_s() - updated;
    time_s[STEP] = psw_clock_s() - start;
    start = psw_clock_s();
    run_gemm_only(b);
    time_s[GEMM] = psw_clock_s() - start;
    start = psw_clock_s();
    run_passes(b, 1);
    time_s[FORWARD] = psw_clock_s() - start;
    start = psw_clock_s();
    run_passes(b, 2);
    time_s[TANGENT] = psw_clock_s() - start;
}

static struct psw_bench_step_result measure_all(struct bench *b)
{
    const struct psw_bench_step_opts *o = b->opts;
    const int64_t n = o->n_rep;
    double time_s[N_SAMPLE];
    for (int64_t i = -1; i < n; i++) {
        measure(b, time_s);
        for (int k = 0; i >= 0 && k < N_SAMPLE; k++) b->sample[k * n + i] = time_s[k];
    }
    struct psw_bench_step_result r = {0};
    double *ratios = b->sample + N_SAMPLE * n;
    for (int64_t i = 0; i < n; i++)
        ratios[i] = b->sample[GEMM * n + i] / b->sample[STEP * n + i];
    r.ratio = psw_median(ratios, n);
    r.step_s = psw_median(b->sample + STEP * n, n);
    r.gemm_s = psw_median(b->sample + GEMM * n, n);
    r.forward_s = psw_median(b->sample + FORWARD * n, n);
    r.tangent_s = psw_median(b->sample + TANGENT * n, n);
    r.update_s = psw_median(b->sample + UPDATE * n, n);
    const double n_tok = (double)(o->B * o->T);
    const double forward_flops = psw_model_flops(
        b->model,
        (struct psw_load){.n_tok = n_tok, .n_row = n_tok, .n_seen = n_tok * (double)o->T});
    r.tok_per_s = n_tok / r.step_s;
    r.gemm_tok_per_s = n_tok / r.gemm_s;
    r.gflop_per_s = 1e-9 * 3.0 * forward_flops / r.step_s;
    r.memory_bytes = psw_arena_peak_bytes(b->memory) + psw_arena_peak_bytes(b->scratch);
    return r;
}

psw_status psw_bench_step(const struct psw_bench_step_opts *opts,
                          struct psw_bench_step_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct bench b = {.opts = opts};
    if (opts->T < 1 || opts->B < 1 || opts->n_rep < 1 || opts->T > opts->dims.context)
        return psw_fail(err, PSW_EINVAL,
                        "bench: %lld sequences of %lld tokens, %lld repetitions: not possible "
                        "with context %lld",
                        (long long)opts->B, (long long)opts->T, (long long)opts->n_rep,
                        (long long)opts->dims.context);
    PSW_TRY(psw_model_create(&opts->dims, &b.model, err));
    PSW_TRY(bench_init(&b, err));
    psw_blas_pin(opts->n_thread);
    *out = measure_all(&b);
fail:
    bench_clear(&b);
    return rc;
}
