/* Sketches: the sum of signed coordinates that a naive twin makes, linear, inner products right
 * on average with the error that the manual promises, and the same bits on any number of ranks.
 */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/trace/sketch.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 5000, K = 192, N_PAIR = 400 };

static void draw(float *x, int64_t n, uint64_t which)
{
    const struct psw_rng rng = {.seed = which, .use = PSW_RNG_TEST};
    for (int64_t i = 0; i < n; i++) x[i] = (float)psw_rng_normal(rng, (uint64_t)i, 0);
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* The projection as a matrix, a unit vector at a time. */
static void a_sketch_is_linear_with_one_sign_per_block_and_coordinate(void **state)
{
    (void)state;
    static float x[N];
    static double whole[K], sum[K];
    draw(x, N, 1);
    psw_sketch_add(K, 0, 2000, x, whole);
    psw_sketch_add(K, 2000, N - 2000, x + 2000, whole); /* in pieces */
    for (int64_t i = 0; i < N; i++) {
        const float one = 1;
        double column[K] = {0};
        psw_sketch_add(K, i, 1, &one, column);
        for (int b = 0; b < PSW_SKETCH_BLOCKS; b++) {
            double n_sign = 0;
            for (int r = 0; r < K / PSW_SKETCH_BLOCKS; r++)
                n_sign += fabs(column[b * K / PSW_SKETCH_BLOCKS + r]);
            assert_close(n_sign, 1, 0);
        }
        for (int r = 0; r < K; r++) sum[r] += column[r] * (double)x[i];
    }
    for (int r = 0; r < K; r++) assert_close(whole[r], sum[r], 1e-12);
}

/* Every pair has coordinates of its own, so errors are independent: their mean is 0 and their
 * mean square the promised variance, within four standard errors of each. */
static void inner_products_have_no_bias_and_the_promised_variance(void **state)
{
    (void)state;
    static float x[N], y[N];
    double mean = 0, square = 0;
    for (int p = 0; p < N_PAIR; p++) {
        double a[K] = {0}, b[K] = {0}, xx = 0, yy = 0, xy = 0, xxyy = 0;
        draw(x, N, 2 * (uint64_t)p + 10);
        draw(y, N, 2 * (uint64_t)p + 11);
        for (int64_t i = 0; i < N; i++) {
            y[i] += p % 2 ? x[i] : 0; /* half of the pairs are far from orthogonal */
            const double u = (double)x[i], v = (double)y[i];
            xx += u * u, yy += v * v, xy += u * v, xxyy += u * u * v * v;
        }
        psw_sketch_add(K, (int64_t)p * N, N, x, a);
        psw_sketch_add(K, (int64_t)p * N, N, y, b);
        const double error = dot(a, b, K) / PSW_SKETCH_BLOCKS - xy;
        const double variance = (xx * yy + xy * xy - 2 * xxyy) / K;
        mean += error / sqrt(variance) / N_PAIR;
        square += error * error / variance / N_PAIR;
    }
    assert_true(fabs(mean) < 4 / sqrt(N_PAIR));
    assert_true(fabs(square - 1) < 4 * sqrt(2.0 / N_PAIR));
}

/* A model whose parameters fill several blocks. */
static struct psw_model *make_model(void)
{
    struct psw_model *model = NULL;
    const struct psw_model_dims dims = {.n_layer = 2,
                                        .width = 128,
                                        .n_head = 4,
                                        .hidden = 512,
                                        .n_vocab = 100,
                                        .context = 16,
                                        .rotary_dims = 8,
                                        .rotary_base = 10000,
                                        .norm_eps = 1e-5,
                                        .init_std = 0.05};
    assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
    return model;
}

/* With memory of just the size that a dry walk says. */
static void take(const struct psw_model *model, MPI_Comm comm, const float *x, double *out)
{
    struct psw_team team;
    struct psw_arena *arena[2] = {NULL, NULL};
    assert_int_equal(psw_team_init(comm, 8, &team, NULL), PSW_OK);
    assert_int_equal(psw_arena_create_measuring("plan", &arena[0], NULL), PSW_OK);
    for (int real = 0; real < 2; real++) {
        if (real)
            assert_int_equal(
                psw_arena_create("work", psw_arena_peak_bytes(arena[0]), &arena[1], NULL),
                PSW_OK);
        struct psw_exec exec = {.n_thread = 1, .scratch = arena[real]};
        const struct psw_tracer t = {
            .model = model, .team = &team, .exec = &exec, .arena = arena[real]};
        psw_trace_sketch_take(&t, K, x, out);
    }
    psw_arena_destroy(arena[0]);
    psw_arena_destroy(arena[1]);
}

static void a_sketch_has_the_bits_of_one_rank_and_the_sum_of_its_coordinates(void **state)
{
    (void)state;
    struct psw_model *model = make_model();
    const int64_t n_param = psw_model_n_param(model);
    float *x = malloc(sizeof *x * (size_t)n_param);
    double team[K], alone[K], naive[K] = {0};
    assert_true(n_param > 4 * PSW_BLOCK_FLOATS);
    draw(x, n_param, 3);
    take(model, MPI_COMM_WORLD, x, team);
    take(model, MPI_COMM_SELF, x, alone);
    assert_memory_equal(team, alone, sizeof team);
    psw_sketch_add(K, 0, n_param, x, naive);
    for (int i = 0; i < K; i++) assert_close(team[i], naive[i] / 2, 1e-12);
    free(x);
    psw_model_destroy(model);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sketch_is_linear_with_one_sign_per_block_and_coordinate),
        cmocka_unit_test(inner_products_have_no_bias_and_the_promised_variance),
        cmocka_unit_test(a_sketch_has_the_bits_of_one_rank_and_the_sum_of_its_coordinates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
