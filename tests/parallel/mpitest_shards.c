/* Passes over sharded examples: order, the spread of weights over sequences and rows, and the
 * same bits on any number of ranks. The reference is the same pass on one rank, which every
 * rank computes for itself.
 */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/parallel/shards.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_ITEM = 11, N_SHARD = 8, V = 40, LONGEST = 9, ARENA_BYTES = 200 << 20 };

/* A model of several blocks of PSW_BLOCK_FLOATS, so that four ranks all own a slice. */
static const struct psw_model_dims DIMS = {.n_layer = 2,
                                           .width = 128,
                                           .n_head = 2,
                                           .hidden = 512,
                                           .n_vocab = V,
                                           .context = 32,
                                           .rotary_dims = 16,
                                           .rotary_base = 10000,
                                           .norm_eps = 1e-5,
                                           .init_std = 0.1,
                                           .value = 1};

struct fixture {
    struct psw_model *model;
    struct psw_arena *arena;
    struct psw_exec exec;
    struct psw_team world, self;
    int32_t token[N_ITEM][3][LONGEST];
    struct psw_example item[N_ITEM];
    const struct psw_example *pointer[N_ITEM];
    int64_t n_param, n_seq, n_row;
    float *param;
};

/* Pairs and single responses, of uneven length. */
static void make_items(struct fixture *f)
{
    float x[N_ITEM * 3 * LONGEST];
    support_fill(x, N_ITEM * 3 * LONGEST, 0.5f, 5);
    for (int i = 0; i < N_ITEM; i++) {
        for (int k = 0; k < 3 * LONGEST; k++)
            f->token[i][k / LONGEST][k % LONGEST] =
                (int32_t)((x[i * 3 * LONGEST + k] + 0.5f) * V);
        f->item[i] = (struct psw_example){.prompt = f->token[i][0],
                                          .n_prompt = 1 + i % 5,
                                          .n_seq = i % 3 == 2 ? 1 : 2,
                                          .prompt_key = (uint64_t)i};
        for (int s = 0; s < f->item[i].n_seq; s++) {
            f->item[i].response[s] = f->token[i][1 + s];
            f->item[i].n_response[s] = 1 + (i * 5 + s * 3) % LONGEST;
        }
        f->pointer[i] = &f->item[i];
    }
    f->n_seq = psw_shards_n_seq(f->pointer, N_ITEM);
    f->n_row = psw_shards_n_row(f->pointer, N_ITEM);
}

static int setup(void **state)
{
    static struct fixture f;
    if (psw_model_create(&DIMS, &f.model, NULL) != PSW_OK ||
        psw_arena_create("shards", ARENA_BYTES, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.world, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_SELF, N_SHARD, &f.self, NULL) != PSW_OK)
        return -1;
    f.exec = (struct psw_exec){.n_thread = 1, .scratch = f.arena};
    psw_blas_pin(1);
    f.n_param = psw_model_n_param(f.model);
    f.param = psw_arena_f32(f.arena, f.n_param);
    psw_model_init(f.model, &(struct psw_exec){0}, 3, f.param);
    make_items(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model);
    return 0;
}

static struct psw_shards pass_of(struct fixture *f, const struct psw_team *team)
{
    return (struct psw_shards){.model = f->model,
                               .team = team,
                               .exec = &f->exec,
                               .arena = f->arena,
                               .opts = {.share_prefix = 1, .temperature = 1.0}};
}

/* Everything a pass can give, of n items on a team. */
struct result {
    double *logp, *logp_dot, *falling, *row, *row_dot; /* [n_seq] x 3, [n_row] x 2 */
    float *grad;                                       /* [n_param] */
};

static struct result compute(struct fixture *f, const struct psw_team *team, int64_t n_item,
                             const double *weight, int at_once)
{
    struct result r = {.logp = psw_arena_f64(f->arena, f->n_seq),
                       .logp_dot = psw_arena_f64(f->arena, f->n_seq),
                       .falling = psw_arena_f64(f->arena, f->n_seq),
                       .row = psw_arena_f64(f->arena, f->n_row),
                       .row_dot = psw_arena_f64(f->arena, f->n_row),
                       .grad = psw_arena_f32(f->arena, f->n_param)};
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    struct psw_shards pass = pass_of(f, team);
    struct psw_tree *tree = psw_tree_create((struct psw_exec){.scratch = f->arena}, f->n_param,
                                            team->shard_end - team->shard_begin);
    psw_shards_pack(&pass, f->pointer, n_item);
    assert_int_equal(pass.n_seq, psw_shards_n_seq(f->pointer, n_item));
    if (at_once) {
        psw_shards_nll(&pass, f->param, weight, tree);
    } else {
        psw_shards_forward(&pass, f->param);
        psw_shards_backward(&pass, f->param, weight, tree);
    }
    psw_shards_sum_logp(&pass, r.logp);
    psw_shards_gather(&pass, PSW_ROW_LOGP, r.row);
    float *grad = psw_tree_reduce(team->comm, tree);
    psw_slices_gather(team->comm, &(struct psw_exec){0}, grad, f->n_param);
    memcpy(r.grad, grad, sizeof(float) * (size_t)f->n_param);
    psw_shards_tangent(&pass, f->param, r.grad);
    psw_shards_sum_logp_dot(&pass, r.logp_dot);
    psw_shards_count_falling(&pass, r.falling);
    psw_shards_gather(&pass, PSW_ROW_LOGP_DOT, r.row_dot);
    psw_arena_rewind(f->arena, mark);
    return r;
}

static void some_weights(const struct fixture *f, double *weight)
{
    for (int64_t q = 0; q < f->n_seq; q++) weight[q] = 0.1 * (double)(q % 7) - 0.25;
}

static void every_number_has_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    double weight[2 * N_ITEM];
    some_weights(f, weight);
    for (int64_t n = 3; n <= N_ITEM; n += 4) /* also fewer items than shards */
        for (int at_once = 0; at_once < 2; at_once++) {
            const struct psw_arena_mark mark = psw_arena_mark(f->arena);
            const struct result a = compute(f, &f->world, n, weight, at_once);
            const struct result b = compute(f, &f->self, n, weight, at_once);
            const size_t n_seq = (size_t)psw_shards_n_seq(f->pointer, n);
            const size_t n_row = (size_t)psw_shards_n_row(f->pointer, n);
            assert_memory_equal(a.logp, b.logp, sizeof(double) * n_seq);
            assert_memory_equal(a.logp_dot, b.logp_dot, sizeof(double) * n_seq);
            assert_memory_equal(a.falling, b.falling, sizeof(double) * n_seq);
            assert_memory_equal(a.row, b.row, sizeof(double) * n_row);
            assert_memory_equal(a.row_dot, b.row_dot, sizeof(double) * n_row);
            assert_memory_equal(a.grad, b.grad, sizeof(float) * (size_t)f->n_param);
            psw_arena_rewind(f->arena, mark);
        }
}

/* Log-probabilities of a few tens of nat, each from float32 logits. */
static const double LOGP_TOLERANCE = 1e-5;

static void sequences_and_rows_come_in_item_order(void **state)
{
    struct fixture *f = *state;
    double weight[2 * N_ITEM];
    some_weights(f, weight);
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    const struct result all = compute(f, &f->world, N_ITEM, weight, 0);
    int64_t q = 0, row = 0;
    for (int i = 0; i < N_ITEM; i++) {
        double alone[PSW_EXAMPLE_SEQS];
        struct psw_shards pass = pass_of(f, &f->self);
        psw_shards_pack(&pass, &f->pointer[i], 1);
        psw_shards_evaluate(&pass, f->param);
        psw_shards_sum_logp(&pass, alone);
        for (int s = 0; s < f->item[i].n_seq; s++, q++) {
            double sum = 0, sum_dot = 0, n_falling = 0;
            for (int k = 0; k < f->item[i].n_response[s]; k++, row++) {
                sum += all.row[row];
                sum_dot += all.row_dot[row];
                n_falling += all.row_dot[row] < 0;
            }
            assert_close(all.logp[q], alone[s], LOGP_TOLERANCE);
            assert_close(all.logp[q], sum, 0.0);
            assert_close(all.logp_dot[q], sum_dot, 0.0);
            assert_close(all.falling[q], n_falling, 0.0);
        }
    }
    assert_int_equal(q, f->n_seq);
    assert_int_equal(row, f->n_row);
    psw_arena_rewind(f->arena, mark);
}

static double dot(const struct fixture *f, const float *a, const float *b)
{
    double sum = 0;
    for (int64_t i = 0; i < f->n_param; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The gradient of one sequence's weight is that of its example alone, and gradients add up. */
static void a_weight_reaches_its_own_sequence_only(void **state)
{
    struct fixture *f = *state;
    int64_t q = 0;
    for (int i = 0; i < N_ITEM; q += f->item[i].n_seq, i++) {
        if (i != 0 && i != 4 && i != N_ITEM - 1) continue;
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        const int s = f->item[i].n_seq - 1;
        double weight[2 * N_ITEM] = {0}, one[2] = {0};
        weight[q + s] = one[s] = 0.75;
        const struct result all = compute(f, &f->world, N_ITEM, weight, 0);
        struct psw_shards pass = pass_of(f, &f->self);
        struct psw_tree *tree =
            psw_tree_create((struct psw_exec){.scratch = f->arena}, f->n_param, N_SHARD);
        psw_shards_pack(&pass, &f->pointer[i], 1);
        psw_shards_nll(&pass, f->param, one, tree);
        const float *alone = psw_tree_reduce(MPI_COMM_SELF, tree);
        const double aa = dot(f, alone, alone);
        assert_close(dot(f, all.grad, alone) / aa, 1.0, 1e-5);
        assert_close(dot(f, all.grad, all.grad) / aa, 1.0, 1e-5);
        psw_arena_rewind(f->arena, mark);
    }
}

enum { WANT_ALL = PSW_WANT_LOGP | PSW_WANT_ENTROPY | PSW_WANT_VALUE, N_ROW_VALUE = 6 };

/* Every quantity of the rows, their weights, and the gradient. */
struct rows_result {
    int64_t n_row;
    double *value[N_ROW_VALUE]; /* [n_row] by enum psw_row_value */
    struct psw_shards_weights weight;
    float *grad; /* [n_param] */
};

static double *random_weights(struct fixture *f, int64_t n, uint64_t seed)
{
    double *weight = psw_arena_f64(f->arena, n);
    float x;
    for (int64_t r = 0; r < n; r++) {
        support_fill(&x, 1, 1.0f, seed + (uint64_t)r);
        weight[r] = x;
    }
    return weight;
}

/* Forward, backward with random weights, tangent along the gradient. weigh: which quantities
 * have weights, bits of enum psw_want. */
static struct rows_result compute_rows(struct fixture *f, const struct psw_team *team,
                                       int64_t n_item, int last_only, unsigned weigh)
{
    struct rows_result r = {.grad = psw_arena_f32(f->arena, f->n_param)};
    for (int k = 0; k < N_ROW_VALUE; k++) r.value[k] = psw_arena_f64(f->arena, f->n_row);
    if (weigh & PSW_WANT_LOGP) r.weight.logp = random_weights(f, f->n_row, 100);
    if (weigh & PSW_WANT_ENTROPY) r.weight.entropy = random_weights(f, f->n_row, 300);
    if (weigh & PSW_WANT_VALUE) r.weight.value = random_weights(f, f->n_row, 500);
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    struct psw_shards pass = pass_of(f, team);
    pass.opts.last_only = last_only;
    pass.opts.want = WANT_ALL;
    struct psw_tree *tree = psw_tree_create((struct psw_exec){.scratch = f->arena}, f->n_param,
                                            team->shard_end - team->shard_begin);
    psw_shards_pack(&pass, f->pointer, n_item);
    r.n_row = pass.n_row;
    psw_shards_forward(&pass, f->param);
    psw_shards_backward_rows(&pass, f->param, r.weight, tree);
    float *grad = psw_tree_reduce(team->comm, tree);
    psw_slices_gather(team->comm, &(struct psw_exec){0}, grad, f->n_param);
    memcpy(r.grad, grad, sizeof(float) * (size_t)f->n_param);
    for (int k = 0; k < N_ROW_VALUE; k += 2)
        psw_shards_gather(&pass, (enum psw_row_value)k, r.value[k]);
    psw_shards_tangent(&pass, f->param, r.grad);
    for (int k = 1; k < N_ROW_VALUE; k += 2)
        psw_shards_gather(&pass, (enum psw_row_value)k, r.value[k]);
    psw_arena_rewind(f->arena, mark);
    return r;
}

static void rows_of_every_quantity_have_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    for (int64_t n = 3; n <= N_ITEM; n += 8) /* also fewer items than shards */
        for (int last_only = 0; last_only < 2; last_only++) {
            const struct psw_arena_mark mark = psw_arena_mark(f->arena);
            const unsigned weigh = last_only ? PSW_WANT_VALUE : WANT_ALL;
            const struct rows_result a = compute_rows(f, &f->world, n, last_only, weigh);
            const struct rows_result b = compute_rows(f, &f->self, n, last_only, weigh);
            assert_int_equal(a.n_row,
                             (last_only ? psw_shards_n_seq : psw_shards_n_row)(f->pointer, n));
            assert_int_equal(a.n_row, b.n_row);
            for (int k = 0; k < N_ROW_VALUE; k++)
                assert_memory_equal(a.value[k], b.value[k], sizeof(double) * (size_t)a.n_row);
            assert_memory_equal(a.grad, b.grad, sizeof(float) * (size_t)f->n_param);
            psw_arena_rewind(f->arena, mark);
        }
}

/* <grad, grad> = -sum over rows of weight * derivative along grad holds only when weights and
 * gathered rows stand in the same order, for every quantity. */
static void a_weight_reaches_its_own_row_and_quantity(void **state)
{
    struct fixture *f = *state;
    for (unsigned weigh = 1; weigh <= WANT_ALL; weigh++) {
        if (weigh == 3 || weigh == 5) continue;
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        const struct rows_result r = compute_rows(f, &f->world, N_ITEM, weigh == 4, weigh);
        const double *const weight[] = {r.weight.logp, r.weight.entropy, r.weight.value};
        double sum = 0, scale = 0;
        for (int q = 0; q < 3; q++)
            for (int64_t k = 0; weight[q] && k < r.n_row; k++) {
                sum -= weight[q][k] * r.value[2 * q + 1][k];
                scale += fabs(weight[q][k] * r.value[2 * q + 1][k]);
            }
        assert_close(dot(f, r.grad, r.grad) / scale, sum / scale, 1e-5);
        psw_arena_rewind(f->arena, mark);
    }
}

static void equal_weights_of_a_sequences_rows_are_its_weight(void **state)
{
    struct fixture *f = *state;
    double weight[2 * N_ITEM];
    some_weights(f, weight);
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    const struct result by_seq = compute(f, &f->world, N_ITEM, weight, 0);
    double *row = psw_arena_f64(f->arena, f->n_row);
    int64_t q = 0, r = 0;
    for (int i = 0; i < N_ITEM; i++)
        for (int s = 0; s < f->item[i].n_seq; s++, q++)
            for (int k = 0; k < f->item[i].n_response[s]; k++) row[r++] = weight[q];
    struct psw_shards pass = pass_of(f, &f->world);
    struct psw_tree *tree = psw_tree_create((struct psw_exec){.scratch = f->arena}, f->n_param,
                                            f->world.shard_end - f->world.shard_begin);
    psw_shards_pack(&pass, f->pointer, N_ITEM);
    psw_shards_forward(&pass, f->param);
    psw_shards_backward_rows(&pass, f->param, (struct psw_shards_weights){.logp = row}, tree);
    float *grad = psw_tree_reduce(MPI_COMM_WORLD, tree);
    psw_slices_gather(MPI_COMM_WORLD, &(struct psw_exec){0}, grad, f->n_param);
    assert_memory_equal(grad, by_seq.grad, sizeof(float) * (size_t)f->n_param);
    psw_arena_rewind(f->arena, mark);
}

/* Everything a pass may do, with as many quantities as are wanted. */
static void all_passes(struct fixture *f, struct psw_shards *pass, struct psw_tree *tree)
{
    const unsigned want = pass->opts.want ? pass->opts.want : PSW_WANT_LOGP;
    double weight[2 * N_ITEM * LONGEST] = {0}, gathered[2 * N_ITEM * LONGEST];
    const struct psw_shards_weights weights = {want & PSW_WANT_LOGP ? weight : NULL,
                                               want & PSW_WANT_ENTROPY ? weight : NULL,
                                               want & PSW_WANT_VALUE ? weight : NULL};
    psw_shards_pack(pass, f->pointer, N_ITEM);
    psw_shards_forward(pass, f->param);
    if (want & PSW_WANT_LOGP) {
        psw_shards_backward(pass, f->param, weight, tree);
        if (tree) psw_tree_reduce(MPI_COMM_WORLD, tree);
    }
    psw_shards_backward_rows(pass, f->param, weights, tree);
    if (tree) psw_tree_reduce(MPI_COMM_WORLD, tree);
    psw_shards_tangent(pass, f->param, f->param);
    if (want & PSW_WANT_LOGP) psw_shards_sum_logp(pass, gathered);
    if (want & PSW_WANT_ENTROPY) psw_shards_gather(pass, PSW_ROW_ENTROPY_DOT, gathered);
    if (want & PSW_WANT_VALUE) psw_shards_gather(pass, PSW_ROW_VALUE, gathered);
}

static void planning_counts_what_the_passes_take(void **state)
{
    struct fixture *f = *state;
    static const unsigned WANTS[] = {0, PSW_WANT_VALUE, WANT_ALL};
    for (size_t i = 0; i < sizeof WANTS / sizeof *WANTS; i++) {
        const unsigned want = WANTS[i];
        struct psw_arena *plan = NULL, *work = NULL;
        assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
        for (int real = 0; real < 2; real++) {
            if (real)
                assert_int_equal(
                    psw_arena_create("work", psw_arena_peak_bytes(plan), &work, NULL), PSW_OK);
            struct psw_arena *arena = real ? work : plan;
            struct psw_exec exec = {.n_thread = 1, .scratch = arena};
            struct psw_shards pass = pass_of(f, &f->world);
            pass.arena = arena;
            pass.exec = &exec;
            pass.opts.want = want;
            pass.opts.last_only = want == PSW_WANT_VALUE;
            all_passes(f, &pass,
                       psw_tree_create((struct psw_exec){.scratch = arena}, f->n_param,
                                       f->world.shard_end - f->world.shard_begin));
        }
        assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(work));
        psw_arena_destroy(plan);
        psw_arena_destroy(work);
    }
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_the_bits_of_one_rank),
        cmocka_unit_test(sequences_and_rows_come_in_item_order),
        cmocka_unit_test(a_weight_reaches_its_own_sequence_only),
        cmocka_unit_test(rows_of_every_quantity_have_the_bits_of_one_rank),
        cmocka_unit_test(a_weight_reaches_its_own_row_and_quantity),
        cmocka_unit_test(equal_weights_of_a_sequences_rows_are_its_weight),
        cmocka_unit_test(planning_counts_what_the_passes_take),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
