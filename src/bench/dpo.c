/* The speed of a DPO step: the policy stage's own step on batches that stand fixed. */
#include <posweep/bench/dpo.h>
#include <posweep/stage/pair_step.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>

#include <stdlib.h>

enum { COPIED, SHARED, N_WAY };

struct bench {
    const struct psw_bench_dpo_opts *opts;
    struct psw_config config;
    struct psw_model *model; /* owned */
    struct psw_trainer trainer;
    struct psw_team team;
    struct psw_pair_step step;
    double *time_s; /* [N_WAY + 1][n_rep] owned; the last row is scratch */
};

/* Set the batch of a repetition and the way it is packed. */
static void choose(struct bench *b, int64_t rep, int way)
{
    const int64_t n = b->opts->batch;
    b->config.policy.share_prefix = way == SHARED;
    for (int64_t i = 0; i < n; i++) {
        const struct psw_example *e = b->opts->pair[(rep + 1) * n + i];
        b->step.picked.at[i] = e;
        for (int s = 0; s < 2; s++) b->step.n_tok[2 * i + s] = e->n_response[s];
    }
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct bench *b = ctx;
    psw_trainer_init(&b->trainer, b->model, &b->config.policy.train, &b->team,
                     (struct psw_exec){.n_thread = 1, .scratch = arena});
    if (!psw_arena_is_measuring(arena)) return;
    for (int64_t rep = -1; rep < b->opts->n_rep; rep++)
        for (int way = 0; way < N_WAY; way++) {
            choose(b, rep, way);
            const psw_status rc = psw_pair_step_gradient(&b->step, 0, arena, NULL, NULL);
            (void)rc; /* nothing is computed, nothing can fail */
        }
}

static psw_status one_step(struct bench *b, double *time_s, struct psw_error *err)
{
    struct psw_trainer *t = &b->trainer;
    const double start = psw_clock_s();
    psw_status rc = psw_pair_step_gradient(&b->step, t->step, t->arena, NULL, err);
    if (rc == PSW_OK) rc = psw_trainer_update(t, NULL, err);
    *time_s = psw_clock_s() - start;
    return rc;
}

static psw_status measure_all(struct bench *b, struct psw_error *err)
{
    double time_s;
    for (int64_t rep = -1; rep < b->opts->n_rep; rep++)
        for (int way = 0; way < N_WAY; way++) {
            choose(b, rep, way);
            const psw_status rc = one_step(b, &time_s, err);
            if (rc != PSW_OK) return rc;
            if (rep >= 0) b->time_s[way * b->opts->n_rep + rep] = time_s;
        }
    return PSW_OK;
}

/* Scores that attention computes for one pair, causal ones only. */
static double n_score(const struct psw_example *e, int way)
{
    const double p = e->n_prompt;
    double n = way == SHARED ? 0.5 * p * p : 0;
    for (int s = 0; s < e->n_seq; s++) {
        const double r = e->n_response[s] - 1;
        n += r * p + 0.5 * r * r + (way == SHARED ? 0 : 0.5 * p * p);
    }
    return n;
}

/* Tokens and FLOPs of the mean step: forward once, backward twice. */
static void count(const struct bench *b, int way, struct psw_bench_dpo_way *out)
{
    const struct psw_model_dims *d = &b->opts->dims;
    const int64_t n = b->opts->batch * b->opts->n_rep;
    const struct psw_example *const *pair = b->opts->pair + b->opts->batch;
    const double C = (double)d->width, L = (double)d->n_layer;
    struct psw_batch batch;
    psw_batch_measure(pair, n, way == SHARED, &batch);
    double scores = 0;
    for (int64_t i = 0; i < n; i++) scores += n_score(pair[i], way);
    const double steps = (double)b->opts->n_rep;
    out->tok = (double)batch.n_tok / steps;
    out->flop = 6.0 / steps *
                ((double)batch.n_tok * L * (4.0 * C * C + 2.0 * C * (double)d->hidden) +
                 (double)batch.n_row * (double)d->n_vocab * C + 2.0 * L * C * scores);
}

static void summarise(struct bench *b, struct psw_bench_dpo_result *r)
{
    const int64_t n = b->opts->n_rep;
    double *copied = b->time_s + COPIED * n, *shared = b->time_s + SHARED * n;
    double *ratio = b->time_s + N_WAY * n;
    *r = (struct psw_bench_dpo_result){0};
    for (int64_t i = 0; i < n; i++) ratio[i] = copied[i] / shared[i];
    r->ratio = psw_median(ratio, n);
    r->copied.step_s = psw_median(copied, n);
    r->shared.step_s = psw_median(shared, n);
    r->copied.pairs_per_s = (double)b->opts->batch / r->copied.step_s;
    r->shared.pairs_per_s = (double)b->opts->batch / r->shared.step_s;
    count(b, COPIED, &r->copied);
    count(b, SHARED, &r->shared);
    r->flop_ratio = r->copied.flop / r->shared.flop;
    r->memory_bytes = psw_arena_peak_bytes(b->trainer.arena);
}

static void configure(struct bench *b)
{
    psw_config_default(&b->config);
    b->config.policy.method = PSW_METHOD_DPO;
    b->config.policy.train.batch = b->opts->batch;
    b->config.policy.train.shards = b->opts->n_shard;
    b->config.policy.train.optimizer = PSW_OPTIMIZER_ADAMW;
}

psw_status psw_bench_dpo(const struct psw_bench_dpo_opts *opts,
                         struct psw_bench_dpo_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_arena *arena = NULL;
    struct psw_arena_bytes peak = {0};
    if (opts->batch < 1 || opts->n_rep < 1)
        return psw_fail(err, PSW_EINVAL, "bench: batches of %lld pairs, %lld repetitions",
                        (long long)opts->batch, (long long)opts->n_rep);
    struct bench *b = calloc(1, sizeof *b);
    if (!b) return psw_fail(err, PSW_ENOMEM, "bench: %zu bytes", sizeof *b);
    b->opts = opts;
    configure(b);
    PSW_TRY(psw_model_create(&opts->dims, &b->model, err));
    PSW_TRY(psw_pair_step_init(&b->config, &b->trainer, &b->step, err));
    b->time_s = calloc((N_WAY + 1) * (size_t)opts->n_rep, sizeof *b->time_s);
    if (!b->time_s) PSW_TRY(psw_fail(err, PSW_ENOMEM, "bench: times"));
    PSW_TRY(psw_team_init(MPI_COMM_SELF, opts->n_shard, &b->team, err));
    PSW_TRY(psw_arena_plan(layout, b, &peak, err));
    PSW_TRY(psw_arena_create_over("bench dpo", &psw_host_memory, peak, &arena, err));
    layout(b, arena);
    psw_model_init(b->model, &(struct psw_exec){0}, 1, b->trainer.param);
    PSW_TRY(measure_all(b, err));
    summarise(b, out);
fail:
    psw_arena_destroy(arena);
    psw_model_destroy(b->model);
    psw_pair_step_clear(&b->step);
    free(b->time_s);
    free(b);
    return rc;
}
