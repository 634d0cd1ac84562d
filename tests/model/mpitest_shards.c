/* Passes over sharded examples: order, the spread of weights, and the same bits on any number
 * of ranks. The reference is the same pass on one rank, which every rank computes for itself.
 */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/shards.h>

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
                                           .init_std = 0.1};

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
    psw_model_init(f.model, 3, f.param);
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
    struct psw_tree *tree =
        psw_tree_create(f->arena, f->n_param, team->shard_end - team->shard_begin);
    psw_shards_pack(&pass, f->pointer, n_item);
    assert_int_equal(pass.n_seq, psw_shards_n_seq(f->pointer, n_item));
    if (at_once) {
        psw_shards_nll(&pass, f->param, weight, tree);
    } else {
        psw_shards_forward(&pass, f->param);
        psw_shards_backward(&pass, f->param, weight, tree);
    }
    psw_shards_sum_logp(&pass, r.logp);
    psw_shards_gather_logp(&pass, r.row);
    float *grad = psw_tree_reduce(team->comm, tree);
    psw_slices_gather(team->comm, grad, f->n_param);
    memcpy(r.grad, grad, sizeof(float) * (size_t)f->n_param);
    psw_shards_tangent(&pass, f->param, r.grad);
    psw_shards_sum_logp_dot(&pass, r.logp_dot);
    psw_shards_count_falling(&pass, r.falling);
    psw_shards_gather_logp_dot(&pass, r.row_dot);
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
        struct psw_tree *tree = psw_tree_create(f->arena, f->n_param, N_SHARD);
        psw_shards_pack(&pass, &f->pointer[i], 1);
        psw_shards_nll(&pass, f->param, one, tree);
        const float *alone = psw_tree_reduce(MPI_COMM_SELF, tree);
        const double aa = dot(f, alone, alone);
        assert_close(dot(f, all.grad, alone) / aa, 1.0, 1e-5);
        assert_close(dot(f, all.grad, all.grad) / aa, 1.0, 1e-5);
        psw_arena_rewind(f->arena, mark);
    }
}

static void planning_counts_what_the_passes_take(void **state)
{
    struct fixture *f = *state;
    struct psw_arena *plan = NULL, *work = NULL;
    double weight[2 * N_ITEM];
    some_weights(f, weight);
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    for (int real = 0; real < 2; real++) {
        if (real)
            assert_int_equal(psw_arena_create("work", psw_arena_peak_bytes(plan), &work, NULL),
                             PSW_OK);
        struct psw_arena *arena = real ? work : plan;
        struct psw_exec exec = {.n_thread = 1, .scratch = arena};
        struct psw_shards pass = pass_of(f, &f->world);
        pass.arena = arena;
        pass.exec = &exec;
        struct psw_tree *tree =
            psw_tree_create(arena, f->n_param, f->world.shard_end - f->world.shard_begin);
        psw_shards_pack(&pass, f->pointer, N_ITEM);
        psw_shards_forward(&pass, f->param);
        psw_shards_backward(&pass, f->param, weight, tree);
        psw_shards_tangent(&pass, f->param, f->param);
        double *sum = psw_arena_f64(arena, f->n_seq);
        psw_shards_sum_logp(&pass, sum);
        if (tree) psw_tree_reduce(MPI_COMM_WORLD, tree);
    }
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(work));
    psw_arena_destroy(plan);
    psw_arena_destroy(work);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_the_bits_of_one_rank),
        cmocka_unit_test(sequences_and_rows_come_in_item_order),
        cmocka_unit_test(a_weight_reaches_its_own_sequence_only),
        cmocka_unit_test(planning_counts_what_the_passes_take),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
