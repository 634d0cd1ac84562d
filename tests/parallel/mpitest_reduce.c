/* The reduction gives the same bits on any number of ranks. The reference is computed by every
 * rank for itself: the tree over all shards, written as the recursion that defines it. Values
 * span eight orders of magnitude, so that another order of summation would show. */
#include <posweep/comm/agree.h>
#include <posweep/parallel/reduce.h>
#include <posweep/util/arena.h>
#include <posweep/util/rng.h>
#include <support/support.h>

#include <math.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum { N_SHARD = 8 };

static const int64_t SIZES[] = {1,      2,      3,      7,      64,     1000,
                                65535,  65536,  65537,  131071, 131072, 131073,
                                196608, 262144, 262145, 327681, 524289, 1000000};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0], LARGEST = 1000000 };

static float value_at(int shard, int64_t i)
{
    const uint64_t bits = ((uint64_t)i * 8 + (uint64_t)shard) * 0x9E3779B97F4A7C15u;
    const float mantissa = (float)(int32_t)(bits >> 40) / 16777216.0f - 0.5f;
    static const float SCALE[] = {1e-4f, 1e-2f, 1.0f, 1e4f};
    return mantissa * SCALE[(bits >> 20) & 3];
}

static void fill_shard(float *x, int shard, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i] += value_at(shard, i);
}

/* Node (level, index) of the tree, as reduce.h defines it. */
static float tree_at(int first, int n_shard, int64_t i)
{
    if (n_shard == 1) return 0.0f + value_at(first, i);
    const int half = n_shard / 2;
    return tree_at(first, half, i) + tree_at(first + half, half, i);
}

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int size(void)
{
    return psw_comm_size(MPI_COMM_WORLD);
}

/* This rank's vector after the reduction of its shards of N_SHARD. */
static float *reduce_shards(struct psw_tree *tree, int begin, int end, int64_t n)
{
    for (int s = begin; s < end; s++) {
        fill_shard(psw_tree_next(tree), s, n);
        psw_tree_push(tree);
    }
    return psw_tree_reduce(MPI_COMM_WORLD, tree);
}

/* The same in a fresh arena. */
static float *reduce(struct psw_arena **arena, struct psw_tree **tree, int64_t n)
{
    int begin = 0, end = 0;
    assert_int_equal(psw_shard_range(rank(), size(), N_SHARD, &begin, &end, NULL), PSW_OK);
    const size_t n_bytes = (size_t)(n + 16) * sizeof(float) * 5 + 4096;
    assert_int_equal(psw_arena_create("tree", n_bytes, arena, NULL), PSW_OK);
    *tree = psw_tree_create((struct psw_exec){.scratch = *arena}, n, end - begin);
    return reduce_shards(*tree, begin, end, n);
}

static void the_sum_has_the_bits_of_the_tree_on_any_number_of_ranks(void **state)
{
    (void)state;
    for (int k = 0; k < N_SIZES; k++) {
        const int64_t n = SIZES[k];
        struct psw_arena *arena = NULL;
        struct psw_tree *tree = NULL;
        const float *sum = reduce(&arena, &tree, n);
        const struct psw_slice mine = psw_slice_of(rank(), size(), n);
        for (int64_t i = mine.begin; i < mine.end; i++) {
            const float expected = tree_at(0, N_SHARD, i);
            if (memcmp(&sum[i], &expected, sizeof expected) != 0)
                fail_msg("n %ld element %ld: %.9g, not %.9g", (long)n, (long)i, (double)sum[i],
                         (double)expected);
        }
        psw_arena_destroy(arena);
    }
}

static void gathered_slices_make_the_whole_vector_everywhere(void **state)
{
    (void)state;
    for (int k = 0; k < N_SIZES; k++) {
        const int64_t n = SIZES[k];
        struct psw_arena *arena = NULL;
        struct psw_tree *tree = NULL;
        float *sum = reduce(&arena, &tree, n);
        const struct psw_slice mine = psw_slice_of(rank(), size(), n);
        for (int64_t i = 0; i < n; i++)
            if (i < mine.begin || i >= mine.end) sum[i] = NAN; /* the rest is scratch */
        psw_slices_gather(MPI_COMM_WORLD, &(struct psw_exec){0}, sum, n);
        for (int64_t i = 0; i < n; i++)
            if (sum[i] != tree_at(0, N_SHARD, i))
                fail_msg("n %ld element %ld: %g", (long)n, (long)i, (double)sum[i]);
        psw_arena_destroy(arena);
    }
}

static void a_tree_can_be_used_again(void **state)
{
    (void)state;
    struct psw_arena *arena = NULL;
    struct psw_tree *tree = NULL;
    const struct psw_slice mine = psw_slice_of(rank(), size(), 1000);
    const float *sum = reduce(&arena, &tree, 1000);
    const float first = mine.end > mine.begin ? sum[mine.begin] : 0;
    int begin = 0, end = 0;
    assert_int_equal(psw_shard_range(rank(), size(), N_SHARD, &begin, &end, NULL), PSW_OK);
    for (int s = begin; s < end; s++) {
        fill_shard(psw_tree_next(tree), s, 1000);
        psw_tree_push(tree);
    }
    sum = psw_tree_reduce(MPI_COMM_WORLD, tree);
    if (mine.end > mine.begin) assert_true(first == sum[mine.begin]);
    psw_arena_destroy(arena);
}

static void slices_are_whole_blocks_and_cover_everything_once(void **state)
{
    (void)state;
    for (int n_rank = 1; n_rank <= 16; n_rank *= 2)
        for (int k = 0; k < N_SIZES; k++) {
            int64_t n_covered = 0;
            for (int r = 0; r < n_rank; r++) {
                const struct psw_slice s = psw_slice_of(r, n_rank, SIZES[k]);
                assert_true(s.begin <= s.end && s.end <= SIZES[k]);
                assert_true(s.begin % PSW_BLOCK_FLOATS == 0 || s.begin == SIZES[k]);
                assert_true(s.end % PSW_BLOCK_FLOATS == 0 || s.end == SIZES[k]);
                n_covered += s.end - s.begin;
                for (int q = 0; q < r; q++) {
                    const struct psw_slice t = psw_slice_of(q, n_rank, SIZES[k]);
                    assert_true(s.end <= t.begin || t.end <= s.begin || s.end == s.begin ||
                                t.end == t.begin);
                }
            }
            assert_int_equal(n_covered, SIZES[k]);
        }
}

/* The sum of squares and the product with a second vector, per block in index order, as
 * documented; computed without any slices. */
static void a_dot_product_has_the_same_bits_as_on_one_rank(void **state)
{
    (void)state;
    float *a = malloc(sizeof *a * LARGEST), *b = malloc(sizeof *b * LARGEST);
    assert_true(a && b);
    support_fill(a, LARGEST, 3.0f, 1);
    support_fill(b, LARGEST, 1e-3f, 2);
    for (int k = 0; k < N_SIZES; k++) {
        const int64_t n = SIZES[k];
        const double alone = psw_slices_dot(MPI_COMM_SELF, &(struct psw_exec){0}, a, b, n);
        const double shared = psw_slices_dot(MPI_COMM_WORLD, &(struct psw_exec){0}, a, b, n);
        assert_memory_equal(&alone, &shared, sizeof alone);
        double naive = 0, scale = 0;
        for (int64_t i = 0; i < n; i++) {
            naive += (double)a[i] * b[i];
            scale += fabs((double)a[i] * b[i]);
        }
        assert_true(fabs(alone - naive) <= 1e-13 * scale);
    }
    free(a);
    free(b);
}

static void a_dot_product_reads_only_the_own_slice(void **state)
{
    (void)state;
    const int64_t n = 262145;
    float *a = malloc(sizeof *a * (size_t)n);
    assert_non_null(a);
    const struct psw_slice mine = psw_slice_of(rank(), size(), n);
    for (int64_t i = 0; i < n; i++) a[i] = i >= mine.begin && i < mine.end ? 1.0f : NAN;
    assert_true(psw_slices_dot(MPI_COMM_WORLD, &(struct psw_exec){0}, a, a, n) == (double)n);
    free(a);
}

static void scalars_of_items_come_in_item_order(void **state)
{
    (void)state;
    enum { N_ITEM = 37 };
    double local[N_ITEM], all[N_ITEM] = {0};
    int begin = 0, end = 0;
    int64_t n_local = 0;
    assert_int_equal(psw_shard_range(rank(), size(), N_SHARD, &begin, &end, NULL), PSW_OK);
    for (int s = begin; s < end; s++) {
        int64_t from = 0, to = 0;
        psw_shard_items(N_ITEM, N_SHARD, s, &from, &to);
        for (int64_t i = from; i < to; i++) local[n_local++] = 0.5 + (double)i;
    }
    psw_items_gather(MPI_COMM_WORLD, local, n_local, all);
    for (int i = 0; i < N_ITEM; i++) assert_true(all[i] == 0.5 + i);
}

static void shards_cut_any_number_of_items_evenly(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 40; n++) {
        int64_t last = 0;
        for (int s = 0; s < N_SHARD; s++) {
            int64_t from = -1, to = -1;
            psw_shard_items(n, N_SHARD, s, &from, &to);
            assert_int_equal(from, last);
            assert_true(to - from >= n / N_SHARD && to - from <= n / N_SHARD + 1);
            last = to;
        }
        assert_int_equal(last, n);
    }
}

static void ranks_that_cannot_share_the_shards_are_refused(void **state)
{
    (void)state;
    int begin = -1, end = -1;
    struct psw_error err = {0};
    assert_int_equal(psw_shard_range(0, 3, 8, &begin, &end, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "3 ranks cannot share 8 shards"));
    assert_int_equal(psw_shard_range(0, 16, 8, &begin, &end, NULL), PSW_EINVAL);
    assert_int_equal(psw_shard_range(0, 2, 6, &begin, &end, NULL), PSW_EINVAL);
    assert_int_equal(begin, -1);
    assert_int_equal(psw_shard_range(1, 4, 8, &begin, &end, NULL), PSW_OK);
    assert_int_equal(begin, 2);
    assert_int_equal(end, 4);
}

static void a_measuring_arena_is_told_what_a_tree_takes(void **state)
{
    (void)state;
    struct psw_arena *plan = NULL, *real = NULL;
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("real", 1 << 20, &real, NULL), PSW_OK);
    assert_null(psw_tree_create((struct psw_exec){.scratch = plan}, 1000, 4));
    assert_non_null(psw_tree_create((struct psw_exec){.scratch = real}, 1000, 4));
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(real));
    psw_arena_destroy(plan);
    psw_arena_destroy(real);
}

/* What posweep's own code takes from the heap (linked with --wrap; not what MPI takes). */
static int64_t n_taken;
void *__real_malloc(size_t n_bytes);
void *__real_calloc(size_t n, size_t n_bytes);
void *__wrap_malloc(size_t n_bytes);
void *__wrap_calloc(size_t n, size_t n_bytes);

void *__wrap_malloc(size_t n_bytes)
{
    n_taken++;
    return __real_malloc(n_bytes);
}

void *__wrap_calloc(size_t n, size_t n_bytes)
{
    n_taken++;
    return __real_calloc(n, n_bytes);
}

static void a_step_takes_no_memory(void **state)
{
    (void)state;
    enum { N = 300000 };
    struct psw_arena *arena = NULL;
    struct psw_tree *tree = NULL;
    double item[N_SHARD] = {0}, own = 1.0;
    int begin = 0, end = 0;
    n_taken = 0;
    reduce(&arena, &tree, N);
    assert_true(n_taken > 0); /* the arena: what is counted is counted */
    assert_int_equal(psw_shard_range(rank(), size(), N_SHARD, &begin, &end, NULL), PSW_OK);
    n_taken = 0;
    float *vector = reduce_shards(tree, begin, end, N);
    psw_slices_gather(MPI_COMM_WORLD, &(struct psw_exec){0}, vector, N);
    psw_slices_dot(MPI_COMM_WORLD, &(struct psw_exec){0}, vector, vector, N);
    psw_items_gather(MPI_COMM_WORLD, &own, 1, item);
    assert_int_equal(n_taken, 0);
    psw_arena_destroy(arena);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sum_has_the_bits_of_the_tree_on_any_number_of_ranks),
        cmocka_unit_test(gathered_slices_make_the_whole_vector_everywhere),
        cmocka_unit_test(a_tree_can_be_used_again),
        cmocka_unit_test(slices_are_whole_blocks_and_cover_everything_once),
        cmocka_unit_test(a_dot_product_has_the_same_bits_as_on_one_rank),
        cmocka_unit_test(a_dot_product_reads_only_the_own_slice),
        cmocka_unit_test(scalars_of_items_come_in_item_order),
        cmocka_unit_test(shards_cut_any_number_of_items_evenly),
        cmocka_unit_test(ranks_that_cannot_share_the_shards_are_refused),
        cmocka_unit_test(a_measuring_arena_is_told_what_a_tree_takes),
        cmocka_unit_test(a_step_takes_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
