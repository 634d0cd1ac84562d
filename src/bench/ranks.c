/* The speed of one run on several ranks. Rank 0 owns two trainers: one for itself and its share
 * of the common one. */
#include <posweep/bench/ranks.h>
#include <posweep/comm/agree.h>
#include <posweep/optim/trainer.h>
#include <posweep/util/clock.h>
#include <posweep/util/median.h>
#include <posweep/util/rng.h>

#include <stdlib.h>

enum sample { STEP, UPDATE, N_SAMPLE };

/* Ranks that train together. */
struct crew {
    const struct psw_bench_ranks_opts *opts;
    struct psw_config_train train;
    const struct psw_model *model;        /* borrowed */
    const struct psw_example *const *all; /* borrowed: B items of every rank */
    struct psw_team team;
    struct psw_trainer trainer;
    struct psw_arena *arena; /* owned; NULL: this rank does not belong to it */
};

static void push_gradients(struct crew *c, struct psw_arena *arena)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = c->model,
                              .team = &c->team,
                              .exec = &c->trainer.exec,
                              .arena = arena,
                              .opts = {.share_prefix = 1, .temperature = 1.0}};
    const int64_t n_item = c->opts->B * c->team.size;
    psw_shards_pack(&pass, c->all, n_item);
    double *weight = psw_arena_f64(arena, pass.n_seq);
    for (int64_t q = 0; weight && q < pass.n_seq; q++)
        weight[q] = 1.0 / (double)(n_item * c->opts->T);
    psw_shards_nll(&pass, c->trainer.param, weight, c->trainer.tree);
    psw_arena_rewind(arena, mark);
}

static void layout(void *ctx, struct psw_arena *arena)
{
    struct crew *c = ctx;
    psw_trainer_init(&c->trainer, c->model, &c->train, &c->team,
                     (struct psw_exec){.n_thread = 1, .scratch = arena});
    if (psw_arena_is_measuring(arena)) push_gradients(c, arena);
}

static psw_status crew_init(struct crew *c, MPI_Comm comm, struct psw_error *err)
{
    struct psw_arena_bytes peak = {0};
    psw_status rc = psw_team_init(comm, psw_comm_size(comm), &c->team, err);
    if (rc == PSW_OK) rc = psw_arena_plan(layout, c, &peak, err);
    if (rc == PSW_OK)
        rc = psw_arena_create_over("bench ranks", &psw_host_memory, peak, &c->arena, err);
    if (rc != PSW_OK) return rc;
    layout(c, c->arena);
    psw_model_init(c->model, &(struct psw_exec){0}, 1, c->trainer.param);
    return PSW_OK;
}

static psw_status crew_step(struct crew *c, double time_s[N_SAMPLE], struct psw_error *err)
{
    const double start = psw_clock_s();
    push_gradients(c, c->arena);
    const double pushed = psw_clock_s();
    const psw_status rc = psw_trainer_update(&c->trainer, NULL, err);
    time_s[UPDATE] = psw_clock_s() - pushed;
    time_s[STEP] = psw_clock_s() - start;
    return rc;
}

/* A barrier that leaves the cores to those who still work. */
static void sleep_until_all(MPI_Comm comm)
{
    MPI_Request request;
    int done = 0;
    PSW_MPI(MPI_Ibarrier(comm, &request));
    for (;;) {
        PSW_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (done) return;
        psw_clock_sleep_s(0.002);
    }
}

struct bench {
    MPI_Comm comm;
    struct crew alone, together;
    double *time_s; /* [2][N_SAMPLE][n_rep], then [n_rep] scratch; owned */
};

/* One step of rank 0, then one of all. */
static psw_status measure(struct bench *b, double time_s[2 * N_SAMPLE], struct psw_error *err)
{
    psw_status rc = PSW_OK;
    sleep_until_all(b->comm);
    if (b->alone.arena) rc = crew_step(&b->alone, time_s, err);
    sleep_until_all(b->comm);
    if ((rc = psw_agree(b->comm, rc, err)) != PSW_OK) return rc;
    PSW_MPI(MPI_Barrier(b->comm));
    if ((rc = crew_step(&b->together, time_s + N_SAMPLE, err)) != PSW_OK) return rc;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, time_s, 2 * N_SAMPLE, MPI_DOUBLE, MPI_MAX, b->comm));
    return PSW_OK;
}

static psw_status measure_all(struct bench *b, int64_t n_rep, struct psw_error *err)
{
    for (int64_t i = -1; i < n_rep; i++) {
        double time_s[2 * N_SAMPLE] = {0};
        const psw_status rc = measure(b, time_s, err);
        if (rc != PSW_OK) return rc;
        for (int k = 0; i >= 0 && k < 2 * N_SAMPLE; k++) b->time_s[k * n_rep + i] = time_s[k];
    }
    return PSW_OK;
}

static void summarise(struct bench *b, const struct psw_bench_ranks_opts *opts,
                      struct psw_bench_ranks_result *r)
{
    const int64_t n = opts->n_rep;
    const double size = b->together.team.size;
    double *alone = b->time_s, *together = alone + N_SAMPLE * n;
    double *ratio = b->time_s + 2 * N_SAMPLE * n;
    double peak_bytes = (double)psw_arena_peak_bytes(b->together.arena);
    if (b->alone.arena) peak_bytes += (double)psw_arena_peak_bytes(b->alone.arena);
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &peak_bytes, 1, MPI_DOUBLE, MPI_MAX, b->comm));
    for (int64_t i = 0; i < n; i++) ratio[i] = size * alone[i] / together[i];
    *r = (struct psw_bench_ranks_result){.ratio = psw_median(ratio, n),
                                         .alone_s = psw_median(alone + STEP * n, n),
                                         .alone_update_s = psw_median(alone + UPDATE * n, n),
                                         .together_s = psw_median(together + STEP * n, n),
                                         .memory_bytes = (size_t)peak_bytes};
    r->together_update_s = psw_median(together + UPDATE * n, n);
    r->tok_per_s = size * (double)(opts->B * opts->T) / r->together_s;
}

/* Random text: a prompt of one token and a response of T, so that T tokens all predict. */
static psw_status make_items(const struct psw_bench_ranks_opts *opts, int64_t n,
                             struct psw_example **item, int32_t **token, struct psw_error *err)
{
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_TEST};
    const int64_t n_tok = n * (opts->T + 1);
    *item = calloc((size_t)n, sizeof **item);
    *token = calloc((size_t)n_tok, sizeof **token);
    if (!*item || !*token)
        return psw_fail(err, PSW_ENOMEM, "bench: %lld tokens", (long long)n_tok);
    for (int64_t i = 0; i < n_tok; i++)
        (*token)[i] = (int32_t)psw_rng_below(rng, (uint64_t)i, 0, (uint64_t)opts->dims.n_vocab);
    for (int64_t i = 0; i < n; i++) {
        int32_t *at = *token + i * (opts->T + 1);
        (*item)[i] = (struct psw_example){.prompt = at,
                                          .n_prompt = 1,
                                          .n_seq = 1,
                                          .response = {at + 1},
                                          .n_response = {(int32_t)opts->T},
                                          .prompt_key = (uint64_t)i};
    }
    return PSW_OK;
}

psw_status psw_bench_ranks(MPI_Comm comm, const struct psw_bench_ranks_opts *opts,
                           struct psw_bench_ranks_result *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model *model = NULL;
    struct psw_example *item = NULL;
    int32_t *token = NULL;
    struct psw_config *config = calloc(1, sizeof *config);
    const int64_t n_item = opts->B * psw_comm_size(comm);
    const struct psw_example **all = calloc((size_t)n_item, sizeof *all);
    struct bench b = {.comm = comm,
                      .time_s = calloc((2 * N_SAMPLE + 1) * (size_t)opts->n_rep, 8)};
    if (!config || !all || !b.time_s) rc = psw_fail(err, PSW_ENOMEM, "bench: tables");
    if (rc == PSW_OK) rc = make_items(opts, n_item, &item, &token, err);
    if (rc == PSW_OK) rc = psw_model_create(&opts->dims, &model, err);
    if (rc == PSW_OK) {
        psw_config_default(config);
        for (int64_t i = 0; i < n_item; i++) all[i] = &item[i];
        b.together = b.alone = (struct crew){
            .opts = opts, .train = config->policy.train, .model = model, .all = all};
        rc = crew_init(&b.together, comm, err);
    }
    if (rc == PSW_OK && psw_comm_rank(comm) == 0) rc = crew_init(&b.alone, MPI_COMM_SELF, err);
    PSW_TRY(psw_agree(comm, rc, err));
    PSW_TRY(measure_all(&b, opts->n_rep, err));
    summarise(&b, opts, out);
fail:
    psw_arena_destroy(b.alone.arena);
    psw_arena_destroy(b.together.arena);
    psw_model_destroy(model);
    free(token);
    free(item);
    free(all);
    free(config);
    free(b.time_s);
    return rc;
}
