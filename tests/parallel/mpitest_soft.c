/* Passes against the distribution of another model: the naive twin in double, exact zero where
 * both are one, the expectation that sampled tokens only estimate, memory, ranks. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/parallel/responses.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <support/naive_model.h>

enum {
    N_PROMPT = 6,
    N_SAMPLE = 3,
    N_SEQ = N_PROMPT * N_SAMPLE,
    N_SHARD = 4,
    V = 11,
    MAX_ROW = 200
};

static const struct psw_model_dims DIMS = {.n_layer = 2,
                                           .width = 24,
                                           .n_head = 3,
                                           .hidden = 40,
                                           .n_vocab = V,
                                           .context = 16,
                                           .rotary_dims = 4,
                                           .rotary_base = 100,
                                           .norm_eps = 1e-5,
                                           .init_std = 0.3};

/* Float rounding through two layers, on sums over rows. */
static const double TOLERANCE = 1e-5;

struct fixture {
    struct psw_model *model;
    struct psw_arena *arena;
    struct psw_exec exec;
    struct psw_team team[2]; /* all ranks, this rank alone */
    struct psw_tree *tree[2];
    int32_t text[N_PROMPT][4];
    struct psw_example prompt[N_PROMPT];
    const struct psw_example *prompt_at[N_PROMPT];
    struct psw_responses drawn; /* from `target` */
    float *param, *target;      /* [n_param] */
    int64_t n_param;
    double weight[N_SEQ];
};

static float *parameters(const struct fixture *f, uint64_t seed)
{
    float *x = aligned_alloc(64, sizeof *x * (size_t)f->n_param);
    psw_model_init(f->model, &(struct psw_exec){0}, seed, x);
    for (int64_t i = 0; i < f->n_param; i++) x[i] += 0.1f * sinf((float)i + (float)seed);
    return x;
}

/* New responses of the target model; `round` is the place in the stream of random numbers. */
static void draw(struct fixture *f, struct psw_draw_opts how, int64_t round)
{
    const struct psw_sampler with = {
        .team = &f->team[0], .model = f->model, .exec = &f->exec, .param = f->target};
    const struct psw_sample_opts opts = {
        .temperature = how.temperature,
        .top_p = how.top_p,
        .top_k = how.top_k,
        .eos = 0,
        .rng = {.seed = 12, .use = PSW_RNG_TEST, .step = (uint32_t)round}};
    psw_responses_set_prompts(&f->drawn, f->prompt_at);
    assert_int_equal(psw_responses_sample(&with, &opts, &f->drawn, NULL), PSW_OK);
}

static int setup(void **state)
{
    static struct fixture f;
    psw_blas_pin(1);
    if (psw_model_create(&DIMS, &f.model, NULL) != PSW_OK ||
        psw_arena_create("work", 64 << 20, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team[0], NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_SELF, N_SHARD, &f.team[1], NULL) != PSW_OK ||
        psw_responses_init(N_PROMPT, N_SAMPLE, 7, &f.drawn, NULL) != PSW_OK)
        return -1;
    f.exec = (struct psw_exec){.n_thread = 1, .scratch = f.arena};
    f.n_param = psw_model_n_param(f.model);
    for (int k = 0; k < 2; k++)
        f.tree[k] = psw_tree_create((struct psw_exec){.scratch = f.arena}, f.n_param,
                                    f.team[k].shard_end - f.team[k].shard_begin);
    for (int i = 0; i < N_PROMPT; i++) {
        for (int k = 0; k < 4; k++) f.text[i][k] = (int32_t)(1 + (3 * i + 5 * k) % (V - 1));
        f.prompt[i] = (struct psw_example){
            .prompt = f.text[i], .n_prompt = 1 + i % 4, .prompt_key = (uint64_t)i};
        f.prompt_at[i] = &f.prompt[i];
    }
    for (int q = 0; q < N_SEQ; q++) f.weight[q] = 0.2 + 0.1 * (q % 5);
    f.param = parameters(&f, 5);
    f.target = parameters(&f, 6);
    for (int64_t i = 0; i < f.n_param; i++) /* as far as training may go */
        f.target[i] = f.param[i] + 0.3f * (f.target[i] - f.param[i]);
    draw(&f, (struct psw_draw_opts){.temperature = 1.0, .top_p = 1.0}, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_responses_clear(&f->drawn);
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model);
    free(f->param);
    free(f->target);
    return 0;
}

/* A pass over the drawn responses against the model `from`, packed, its target in the arena. */
static void soft_pass(struct fixture *f, int alone, const float *from, struct psw_draw_opts how,
                      struct psw_shards *pass)
{
    *pass = (struct psw_shards){
        .model = f->model,
        .team = &f->team[alone],
        .exec = &f->exec,
        .arena = f->arena,
        .opts = {.share_prefix = 1, .temperature = 1.0, .want = PSW_WANT_LOGP | PSW_WANT_SOFT}};
    psw_shards_pack(pass, f->drawn.pointer, N_PROMPT);
    float *hidden = psw_arena_f32(f->arena, pass->local.n_row * DIMS.width);
    psw_shards_hidden(pass, from, hidden);
    pass->opts.soft = (struct psw_soft_target){
        .x = hidden,
        .w = from + psw_model_find(f->model, "embed_out.weight")->offset,
        .draw = how};
}

/* Gradient of sum weight (-expected log-probability), or with hard targets; in `grad`. */
static void gradient(struct fixture *f, int alone, const float *from, struct psw_draw_opts how,
                     int hard, float *grad)
{
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    struct psw_shards pass;
    soft_pass(f, alone, from, how, &pass);
    (hard ? psw_shards_nll : psw_shards_soft_nll)(&pass, f->param, f->weight, f->tree[alone]);
    const MPI_Comm comm = f->team[alone].comm;
    float *sum = psw_tree_reduce(comm, f->tree[alone]);
    psw_slices_gather(comm, &(struct psw_exec){0}, sum, f->n_param);
    memcpy(grad, sum, sizeof *sum * (size_t)f->n_param);
    psw_arena_rewind(f->arena, mark);
}

/* Share of every token in what `how` draws from softmax probabilities p at temperature t. */
static void share_naive(struct psw_draw_opts how, const double *logp, double *share)
{
    double sum = 0.0;
    for (int v = 0; v < V; v++) {
        int n_before = 0;
        for (int k = 0; k < V; k++) n_before += logp[k] > logp[v];
        const int is_kept = how.top_k == 0 || n_before < how.top_k;
        share[v] = is_kept ? exp(logp[v] / how.temperature) : 0.0;
        sum += share[v];
    }
    for (int v = 0; v < V; v++) share[v] /= sum;
}

/* Log-probabilities of all tokens at all rows. Shapes: out [n_row][V]. */
static void distributions(const struct fixture *f, const double *param,
                          const struct psw_batch *batch, double *out)
{
    double rows[NAIVE_N * MAX_ROW];
    int32_t target[MAX_ROW];
    struct psw_batch b = *batch;
    b.row.target = target;
    for (int v = 0; v < V; v++) {
        for (int64_t r = 0; r < b.n_row; r++) target[r] = v;
        naive_model_rows(f->model, param, &b, 1.0, rows);
        for (int64_t r = 0; r < b.n_row; r++) out[r * V + v] = rows[r];
    }
}

/* Expected log-probability of every response, summed over its rows, at param + step * along. */
static void naive(struct fixture *f, struct psw_draw_opts how, double step, const float *along,
                  double out[N_SEQ])
{
    static double mine[MAX_ROW * V], its[MAX_ROW * V];
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    double *x = calloc((size_t)f->n_param, sizeof *x),
           *y = calloc((size_t)f->n_param, sizeof *y);
    struct psw_batch batch;
    psw_batch_pack(f->drawn.pointer, N_PROMPT, 0, f->arena, &batch);
    assert_true(batch.n_row <= MAX_ROW);
    for (int64_t i = 0; i < f->n_param; i++) {
        x[i] = f->param[i] + step * along[i];
        y[i] = f->target[i];
    }
    distributions(f, x, &batch, mine);
    distributions(f, y, &batch, its);
    for (int q = 0; q < N_SEQ; q++) {
        out[q] = 0.0;
        for (int64_t r = batch.seq_row[q]; r < batch.seq_row[q + 1]; r++) {
            double share[V];
            share_naive(how, its + r * V, share);
            for (int v = 0; v < V; v++) out[q] += share[v] * mine[r * V + v];
        }
    }
    free(x);
    free(y);
    psw_arena_rewind(f->arena, mark);
}

static const struct psw_draw_opts HOW[] = {{.temperature = 1.0, .top_p = 1.0},
                                           {.temperature = 0.7, .top_p = 1.0, .top_k = 4}};

static void gradients_and_tangents_equal_the_naive_twin(void **state)
{
    struct fixture *f = *state;
    float *grad = calloc((size_t)f->n_param, sizeof *grad);
    float *along = aligned_alloc(64, sizeof *along * (size_t)f->n_param);
    for (int h = 0; h < 2; h++)
        for (uint64_t seed = 1; seed < 4; seed++) {
            double plus[N_SEQ], minus[N_SEQ], dot[N_SEQ], inner = 0.0, sum = 0.0, size = 0.0;
            support_fill(along, f->n_param, 0.1f, seed);
            naive(f, HOW[h], 1e-5, along, plus);
            naive(f, HOW[h], -1e-5, along, minus);
            gradient(f, 0, f->target, HOW[h], 0, grad);
            for (int64_t i = 0; i < f->n_param; i++) inner += (double)grad[i] * along[i];
            const struct psw_arena_mark mark = psw_arena_mark(f->arena);
            struct psw_shards pass;
            soft_pass(f, 0, f->target, HOW[h], &pass);
            psw_shards_tangent(&pass, f->param, along);
            psw_shards_sum_soft_dot(&pass, dot);
            psw_arena_rewind(f->arena, mark);
            for (int q = 0; q < N_SEQ; q++) {
                const double expected = (plus[q] - minus[q]) / 2e-5;
                assert_close(dot[q], expected, TOLERANCE * (1.0 + fabs(expected)));
                sum -= f->weight[q] * expected;
                size += fabs(f->weight[q] * expected);
            }
            assert_true(fabs(inner - sum) <= TOLERANCE * size);
        }
    free(grad);
    free(along);
}

/* The gradient is 0 to the last bit. A tangent pass computes the policy's own distribution by
 * another order of sums than the forward pass that made the target, hence rounding. */
static void nothing_pulls_a_policy_towards_itself(void **state)
{
    struct fixture *f = *state;
    float *grad = calloc((size_t)f->n_param, sizeof *grad);
    gradient(f, 0, f->param, HOW[0], 0, grad);
    for (int64_t i = 0; i < f->n_param; i++) assert_true(grad[i] == 0.0f);
    double dot[N_SEQ], logp_dot[N_SEQ];
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    struct psw_shards pass;
    soft_pass(f, 0, f->param, HOW[0], &pass);
    psw_shards_tangent(&pass, f->param, f->target);
    psw_shards_sum_soft_dot(&pass, dot);
    psw_shards_sum_logp_dot(&pass, logp_dot);
    for (int q = 0; q < N_SEQ; q++)
        assert_true(fabs(dot[q]) <= 1e-5 * fabs(logp_dot[q]) + 1e-4);
    psw_arena_rewind(f->arena, mark);
    free(grad);
}

/* Mean over many draws of <hard - soft gradient, along>, in standard errors; along is where
 * training goes. */
static double bias(struct fixture *f, struct psw_draw_opts drawn_as, struct psw_draw_opts how,
                   double *variance_ratio)
{
    enum { N_ROUND = 200 };
    double sum[2] = {0, 0}, square[2] = {0, 0}, gap = 0.0, gap_square = 0.0;
    float *grad[2], *along = aligned_alloc(64, sizeof *along * (size_t)f->n_param);
    for (int k = 0; k < 2; k++) grad[k] = calloc((size_t)f->n_param, sizeof *grad[k]);
    for (int64_t i = 0; i < f->n_param; i++) along[i] = f->target[i] - f->param[i];
    for (int64_t round = 1; round <= N_ROUND; round++) {
        double x[2] = {0, 0};
        draw(f, drawn_as, round);
        for (int k = 0; k < 2; k++) {
            gradient(f, 1, f->target, how, k, grad[k]);
            for (int64_t i = 0; i < f->n_param; i++) x[k] += (double)grad[k][i] * along[i];
            sum[k] += x[k] / N_ROUND;
            square[k] += x[k] * x[k] / N_ROUND;
        }
        gap += (x[1] - x[0]) / N_ROUND;
        gap_square += (x[1] - x[0]) * (x[1] - x[0]) / N_ROUND;
    }
    *variance_ratio = (square[1] - sum[1] * sum[1]) / (square[0] - sum[0] * sum[0]);
    free(grad[0]);
    free(grad[1]);
    free(along);
    draw(f, HOW[0], 0);
    return gap / sqrt((gap_square - gap * gap) / N_ROUND);
}

/* The gradient of sampled tokens has the soft one as its expectation, and more variance; with
 * another rule of drawing than the real one the difference shows. */
static void sampled_tokens_give_the_soft_gradient_on_average(void **state)
{
    struct fixture *f = *state;
    double ratio;
    for (int h = 0; h < 2; h++) {
        assert_true(fabs(bias(f, HOW[h], HOW[h], &ratio)) < 3.0);
        assert_true(ratio > 1.5);
    }
    assert_true(fabs(bias(f, HOW[1], HOW[0], &ratio)) > 6.0);
}

static void soft_passes_have_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    const size_t n_bytes = sizeof(float) * (size_t)f->n_param;
    float *grad[2] = {malloc(n_bytes), malloc(n_bytes)};
    double dot[2][N_SEQ];
    for (int alone = 0; alone < 2; alone++) {
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        struct psw_shards pass;
        gradient(f, alone, f->target, HOW[1], 0, grad[alone]);
        soft_pass(f, alone, f->target, HOW[1], &pass);
        psw_shards_tangent(&pass, f->param, f->target);
        psw_shards_sum_soft_dot(&pass, dot[alone]);
        psw_arena_rewind(f->arena, mark);
    }
    assert_memory_equal(grad[0], grad[1], n_bytes);
    assert_memory_equal(dot[0], dot[1], sizeof dot[0]);
    free(grad[0]);
    free(grad[1]);
}

static void soft_passes_take_the_memory_that_is_planned(void **state)
{
    struct fixture *f = *state;
    size_t peak[2];
    for (int real = 0; real < 2; real++) {
        struct psw_arena *arena = NULL;
        assert_int_equal(real ? psw_arena_create("work", peak[0], &arena, NULL)
                              : psw_arena_create_measuring("plan", &arena, NULL),
                         PSW_OK);
        struct fixture g = *f;
        struct psw_shards pass;
        g.arena = g.exec.scratch = arena;
        pass.exec = &g.exec;
        g.tree[1] =
            real ? psw_tree_create((struct psw_exec){.scratch = arena}, f->n_param, N_SHARD)
                 : (psw_tree_create((struct psw_exec){.scratch = arena}, f->n_param, N_SHARD),
                    NULL);
        soft_pass(&g, 1, f->target, HOW[1], &pass);
        psw_shards_soft_nll(&pass, f->param, f->weight, g.tree[1]);
        psw_shards_tangent(&pass, f->param, f->target);
        peak[real] = psw_arena_peak_bytes(arena);
        psw_arena_destroy(arena);
    }
    assert_int_equal(peak[0], peak[1]);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_and_tangents_equal_the_naive_twin),
        cmocka_unit_test(nothing_pulls_a_policy_towards_itself),
        cmocka_unit_test(sampled_tokens_give_the_soft_gradient_on_average),
        cmocka_unit_test(soft_passes_have_the_bits_of_one_rank),
        cmocka_unit_test(soft_passes_take_the_memory_that_is_planned),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
