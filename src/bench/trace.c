/* The speed of a trace checkpoint. Coefficients are random: what they are costs nothing. */
#include <posweep/bench/trace.h>

#include <math.h>
#include <posweep/objective/clustered_mean.h>
#include <posweep/parallel/shards.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>
#include <posweep/util/rng.h>
#include <string.h>

const int64_t PSW_BENCH_TRACE_K[PSW_BENCH_TRACE_N_K] = {1, 4, 16};

enum { K_MAX = 16, N_SIDE = 2 };
enum sample {
    V,
    STEP,
    EXPLICIT,
    SOFT,
    ERROR,
    TANGENT,
    N_SAMPLE = TANGENT + PSW_BENCH_TRACE_N_K
};

struct bench {
    const struct psw_bench_trace_opts *opts;
    struct psw_model *model; /* owned */
    struct psw_arena *arena; /* owned */
    struct psw_exec exec;
    struct psw_team team;
    struct psw_tree *tree;
    int64_t n_param;
    float *param, *v;   /* [P] */
    float *hidden;      /* [rows of D'][C] */
    double *coef;       /* [K_MAX][n_pair][2] */
    uint64_t *cluster;  /* [n_pair] */
    double *sample;     /* [N_SAMPLE + 1][n_rep], the last row is scratch */
    double g[K_MAX];    /* by tangent */
    double size[K_MAX]; /* sum |coefficient kappa| / n_pair */
    double difference;
    int64_t n_tok, n_row;
};

static int is_dry(const struct bench *b)
{
    return psw_arena_is_measuring(b->arena);
}

static struct psw_shards shards_of(struct bench *b)
{
    return (struct psw_shards){.model = b->model,
                               .team = &b->team,
                               .exec = &b->exec,
                               .arena = b->arena,
                               .opts = {.share_prefix = 1, .temperature = 1.0}};
}

/* Forward and backward over examples whose sequences all weigh the same; the gradient. */
static const float *mean_gradient(struct bench *b, const struct psw_example *const *example,
                                  int64_t n)
{
    const struct psw_arena_mark mark = psw_arena_mark(b->arena);
    struct psw_shards pass = shards_of(b);
    psw_shards_pack(&pass, example, n);
    double *weight = psw_arena_f64(b->arena, pass.n_seq);
    for (int64_t q = 0; weight && q < pass.n_seq; q++) weight[q] = 1.0 / (double)pass.n_seq;
    psw_shards_nll(&pass, b->param, weight, b->tree);
    psw_arena_rewind(b->arena, mark);
    return is_dry(b) ? NULL : psw_tree_reduce(b->team.comm, b->tree);
}

static void run_v(struct bench *b)
{
    const float *grad = mean_gradient(b, b->opts->final, b->opts->n_final);
    if (grad) memcpy(b->v, grad, sizeof *grad * (size_t)b->n_param);
}

/* A pass over D' against soft targets of zeros, the uniform distribution: the cost does not
 * depend on them. */
static struct psw_shards soft_shards_of(struct bench *b)
{
    struct psw_shards pass = shards_of(b);
    pass.opts.want = PSW_WANT_LOGP | PSW_WANT_SOFT;
    pass.opts.soft =
        (struct psw_soft_target){.x = b->hidden, .draw = {.temperature = 1.0, .top_p = 1.0}};
    if (b->param) pass.opts.soft.w = b->param + psw_model_layout(b->model)->head;
    psw_shards_pack(&pass, b->opts->final, b->opts->n_final);
    return pass;
}

static void run_soft(struct bench *b)
{
    const struct psw_arena_mark mark = psw_arena_mark(b->arena);
    struct psw_shards pass = soft_shards_of(b);
    double *weight = psw_arena_f64(b->arena, pass.n_seq);
    for (int64_t q = 0; weight && q < pass.n_seq; q++) weight[q] = 1.0 / (double)pass.n_seq;
    psw_shards_soft_nll(&pass, b->param, weight, b->tree);
    if (!is_dry(b)) psw_tree_reduce(b->team.comm, b->tree);
    psw_arena_rewind(b->arena, mark);
}

/* Of two components. */
static void run_error(struct bench *b)
{
    for (int k = 0; k < 2; k++) {
        const float *grad = mean_gradient(b, b->opts->pair, b->opts->n_pair);
        const struct psw_arena_mark mark = psw_arena_mark(b->arena);
        struct psw_shards pass = soft_shards_of(b);
        psw_shards_tangent(&pass, b->param, grad);
        psw_arena_rewind(b->arena, mark);
    }
}

static void run_step(struct bench *b)
{
    (void)mean_gradient(b, b->opts->pair, b->opts->n_pair);
}

/* G of K components from kappa; what a component's terms add up to without their signs. */
static void reduce_g(struct bench *b, int64_t K, const double *kappa)
{
    const int64_t n = b->opts->n_pair;
    const struct psw_reduce_in in = {.n_component = K,
                                     .n_item = n,
                                     .n_side = N_SIDE,
                                     .exists = (1u << K) - 1,
                                     .coef = b->coef,
                                     .kappa = kappa,
                                     .cluster = b->cluster};
    double g_se[K_MAX];
    psw_component_reduce(&in, b->arena, b->g, g_se);
    if (is_dry(b)) return;
    for (int64_t k = 0; k < K; k++) {
        b->size[k] = 0;
        for (int64_t q = 0; q < N_SIDE * n; q++)
            b->size[k] += fabs(b->coef[k * N_SIDE * n + q] * kappa[q]) / (double)n;
    }
}

static void run_tangent(struct bench *b, int64_t K)
{
    const struct psw_arena_mark mark = psw_arena_mark(b->arena);
    const int64_t n_seq = N_SIDE * b->opts->n_pair;
    struct psw_shards pass = shards_of(b);
    psw_shards_pack(&pass, b->opts->pair, b->opts->n_pair);
    double *logp = psw_arena_f64(b->arena, n_seq), *kappa = psw_arena_f64(b->arena, n_seq);
    psw_shards_tangent(&pass, b->param, b->v);
    psw_shards_sum_logp(&pass, logp);
    psw_shards_sum_logp_dot(&pass, kappa);
    for (int64_t q = 0; kappa && q < n_seq; q++) kappa[q] = -kappa[q];
    reduce_g(b, K, kappa);
    b->n_tok = pass.local.n_tok;
    b->n_row = pass.local.n_row;
    psw_arena_rewind(b->arena, mark);
}

static void run_explicit(struct bench *b)
{
    const struct psw_arena_mark mark = psw_arena_mark(b->arena);
    const int64_t n_seq = N_SIDE * b->opts->n_pair;
    struct psw_shards pass = shards_of(b);
    psw_shards_pack(&pass, b->opts->pair, b->opts->n_pair);
    double *weight = psw_arena_f64(b->arena, n_seq);
    psw_shards_forward(&pass, b->param);
    for (int64_t k = 0; k < PSW_BENCH_TRACE_EXPLICIT; k++) {
        for (int64_t q = 0; weight && q < n_seq; q++)
            weight[q] = b->coef[k * n_seq + q] / (double)b->opts->n_pair;
        psw_shards_backward(&pass, b->param, weight, b->tree);
        if (is_dry(b)) continue;
        const float *grad = psw_tree_reduce(b->team.comm, b->tree);
        const double g =
            psw_slices_dot(b->team.comm, &(struct psw_exec){0}, grad, b->v, b->n_param);
        b->difference = fmax(b->difference, fabs(g - b->g[k]) / b->size[k]);
    }
    psw_arena_rewind(b->arena, mark);
}

static void take_memory(struct bench *b)
{
    const int64_t n_seq = N_SIDE * b->opts->n_pair;
    b->exec = (struct psw_exec){.n_thread = 1, .scratch = b->arena};
    b->param = psw_arena_f32(b->arena, b->n_param);
    b->v = psw_arena_f32(b->arena, b->n_param);
    b->tree =
        psw_tree_create((struct psw_exec){.scratch = b->arena}, b->n_param, b->opts->n_shard);
    const int64_t n_row = psw_shards_n_row(b->opts->final, b->opts->n_final);
    b->hidden = psw_arena_f32(b->arena, n_row * b->opts->dims.width);
    b->coef = psw_arena_f64(b->arena, K_MAX * n_seq);
    b->cluster = psw_arena_alloc(b->arena, sizeof *b->cluster * (size_t)b->opts->n_pair);
    b->sample = psw_arena_f64(b->arena, (N_SAMPLE + 1) * b->opts->n_rep);
    if (is_dry(b)) return;
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_TEST};
    psw_model_init(b->model, &(struct psw_exec){0}, 1, b->param);
    memset(b->hidden, 0, sizeof *b->hidden * (size_t)(n_row * b->opts->dims.width));
    for (int64_t i = 0; i < K_MAX * n_seq; i++)
        b->coef[i] = psw_rng_uniform(rng, (uint64_t)i, 0) - 0.5;
    for (int64_t i = 0; i < b->opts->n_pair; i++) b->cluster[i] = b->opts->pair[i]->prompt_key;
}

static double timed(struct bench *b, void (*run)(struct bench *))
{
    const double start = psw_clock_s();
    run(b);
    return psw_clock_s() - start;
}

static void measure(struct bench *b, double time_s[N_SAMPLE])
{
    time_s[V] = timed(b, run_v);
    time_s[STEP] = timed(b, run_step);
    for (int i = 0; i < PSW_BENCH_TRACE_N_K; i++) {
        const double start = psw_clock_s();
        run_tangent(b, PSW_BENCH_TRACE_K[i]);
        time_s[TANGENT + i] = psw_clock_s() - start;
    }
    time_s[EXPLICIT] = timed(b, run_explicit);
    time_s[SOFT] = timed(b, run_soft);
    time_s[ERROR] = timed(b, run_error);
}

/* Median over repetitions of (a + more) / (b + more); more may be NULL. */
static double ratio_of(const struct bench *b, const double *x, const double *y,
                       const double *more)
{
    const int64_t n = b->opts->n_rep;
    double *ratio = b->sample + N_SAMPLE * n;
    for (int64_t i = 0; i < n; i++)
        ratio[i] = (x[i] + (more ? more[i] : 0)) / (y[i] + (more ? more[i] : 0));
    return psw_median(ratio, n);
}

/* Median of x, and of a tangent pass too if wanted, to a checkpoint without soft targets. */
static double checkpoint_ratio(const struct bench *b, enum sample x, int with_tangent)
{
    const int64_t n = b->opts->n_rep;
    const double *v = b->sample + V * n, *tangent = b->sample + (N_SAMPLE - 1) * n;
    double *ratio = b->sample + N_SAMPLE * n;
    for (int64_t i = 0; i < n; i++)
        ratio[i] =
            (b->sample[x * n + i] + (with_tangent ? tangent[i] : 0)) / (v[i] + tangent[i]);
    return psw_median(ratio, n);
}

static void summarise(struct bench *b, struct psw_bench_trace_result *r)
{
    const int64_t n = b->opts->n_rep;
    double *v = b->sample + V * n, *step = b->sample + STEP * n;
    double *explicit = b->sample + EXPLICIT * n;
    *r = (struct psw_bench_trace_result){.n_tok = b->n_tok,
                                         .n_row = b->n_row,
                                         .difference = b->difference,
                                         .memory_bytes = psw_arena_peak_bytes(b->arena)};
    for (int i = 0; i < PSW_BENCH_TRACE_N_K; i++) {
        double *tangent = b->sample + (TANGENT + i) * n;
        r->tangent[i].ratio = ratio_of(b, tangent, step, NULL);
        r->tangent[i].explicit_ratio = ratio_of(b, explicit, tangent, NULL);
        r->tangent[i].with_v_ratio = ratio_of(b, explicit, tangent, v);
    }
    r->soft.v_ratio = checkpoint_ratio(b, SOFT, 0);
    r->soft.ratio = checkpoint_ratio(b, SOFT, 1);
    r->error.ratio = checkpoint_ratio(b, ERROR, 0);
    /* medians sort, so they come last */
    for (int i = 0; i < PSW_BENCH_TRACE_N_K; i++)
        r->tangent[i].s = psw_median(b->sample + (TANGENT + i) * n, n);
    r->v_s = psw_median(v, n);
    r->step_s = psw_median(step, n);
    r->explicit_s = psw_median(explicit, n);
    r->soft.v_s = psw_median(b->sample + SOFT * n, n);
    r->error.s = psw_median(b->sample + ERROR * n, n);
}

static psw_status plan(struct bench *b, size_t *peak_bytes, struct psw_error *err)
{
    double unused[N_SAMPLE];
    const psw_status rc = psw_arena_create_measuring("bench trace", &b->arena, err);
    if (rc != PSW_OK) return rc;
    take_memory(b);
    measure(b, unused);
    *peak_bytes = psw_arena_peak_bytes(b->arena);
    psw_arena_destroy(b->arena);
    b->arena = NULL;
    return PSW_OK;
}

psw_status psw_bench_trace(const struct psw_bench_trace_opts *opts,
                           struct psw_bench_trace_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    size_t peak_bytes = 0;
    double time_s[N_SAMPLE];
    struct bench b = {.opts = opts};
    if (opts->n_pair < 1 || opts->n_final < 1 || opts->n_rep < 1)
        return psw_fail(err, PSW_EINVAL, "bench: %lld pairs, %lld final, %lld repetitions",
                        (long long)opts->n_pair, (long long)opts->n_final,
                        (long long)opts->n_rep);
    PSW_TRY(psw_team_init(MPI_COMM_SELF, opts->n_shard, &b.team, err));
    PSW_TRY(psw_model_create(&opts->dims, &b.model, err));
    b.n_param = psw_model_n_param(b.model);
    PSW_TRY(plan(&b, &peak_bytes, err));
    PSW_TRY(psw_arena_create("bench trace", peak_bytes, &b.arena, err));
    take_memory(&b);
    for (int64_t i = -1; i < opts->n_rep; i++) {
        measure(&b, time_s);
        for (int k = 0; i >= 0 && k < N_SAMPLE; k++) b.sample[k * opts->n_rep + i] = time_s[k];
    }
    summarise(&b, out);
fail:
    psw_arena_destroy(b.arena);
    psw_model_destroy(b.model);
    return rc;
}
