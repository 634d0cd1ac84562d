/* Gram matrices over grids: what PBLAS and ScaLAPACK give is what LAPACK gives for the whole
 * matrix on one rank, whatever the grid, and whether or not the block divides the rows. */
#include <support/support.h>

#include <posweep/analyze/gram.h>
#include <posweep/comm/agree.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest entry or eigenvalue. */
static const double TOLERANCE = 1e-10;

/* Row r of a matrix with one row twice, one row of zeros and rows of very different lengths. */
static double element(int64_t n, int64_t row, int64_t i)
{
    const struct psw_rng rng = {.seed = 7, .use = PSW_RNG_TEST};
    if (row == n / 2) return 0;
    if (row == n - 1) row = 0;
    return psw_rng_normal(rng, (uint64_t)row, (uint32_t)i) * exp(-0.05 * (double)row);
}

/** A case: rows over all ranks, and the same on every rank alone. */
struct both {
    struct psw_grid line, grid;
    struct psw_grid_matrix rows;
    double *x, *gram; /* [n][k]; [m][m] of the side */
    int64_t n, k, m;
};

static void fill(struct both *b, int64_t n, int64_t k, enum psw_gram_side side, int center)
{
    struct psw_gram_share own;
    const int of_rows = side == PSW_GRAM_OF_ROWS;
    const int64_t each = n % 2 ? 1 : 2;
    assert_int_equal(psw_gram_rows_init(&b->line, n / each, each, k, &b->rows, &own, NULL),
                     PSW_OK);
    assert_int_equal((own.end - own.begin) * each, b->rows.n_local);
    for (int64_t r = own.begin * each; r < own.end * each; r++)
        for (int64_t i = 0; i < k; i++)
            b->rows.local[(r - own.begin * each) * k + i] = element(n, r, i);
    b->n = n, b->k = k, b->m = of_rows ? n : k;
    b->x = malloc(sizeof(double) * (size_t)(n * k));
    b->gram = calloc((size_t)(b->m * b->m), sizeof(double));
    for (int64_t i = 0; i < k; i++) {
        double mean = 0;
        for (int64_t r = 0; r < n; r++) mean += (b->x[r * k + i] = element(n, r, i));
        for (int64_t r = 0; center && r < n; r++) b->x[r * k + i] -= mean / (double)n;
    }
    if (center) assert_int_equal(psw_gram_center(&b->rows, NULL, NULL), PSW_OK);
    for (int64_t a = 0; a < b->m; a++)
        for (int64_t c = 0; c < b->m; c++)
            for (int64_t i = 0; i < (of_rows ? k : n); i++)
                b->gram[a * b->m + c] += of_rows ? b->x[a * k + i] * b->x[c * k + i]
                                                 : b->x[i * k + a] * b->x[i * k + c];
}

static void init(struct both *b, int n_row, int n_column)
{
    const int size = psw_comm_size(MPI_COMM_WORLD);
    *b = (struct both){0};
    assert_int_equal(psw_grid_init(MPI_COMM_WORLD, 1, size, &b->line, NULL), PSW_OK);
    assert_int_equal(psw_grid_init(MPI_COMM_WORLD, n_row, n_column, &b->grid, NULL), PSW_OK);
}

static void clear(struct both *b)
{
    psw_grid_matrix_clear(&b->rows);
    psw_grid_clear(&b->grid);
    psw_grid_clear(&b->line);
    free(b->x);
    free(b->gram);
}

static void assert_all_close(const double *a, const double *b, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i++)
        assert_true(fabs(a[i] - b[i]) <= TOLERANCE * scale); /* NaN is not close */
}

/* Vectors are orthonormal, and the matrix only stretches them. */
static void assert_eigen(const struct both *b, const struct psw_eigen *e)
{
    const int64_t m = b->m;
    for (int64_t v = 0; v < e->n_vector; v++) {
        const double *x = e->vector + v * m;
        for (int64_t r = 0; r < m; r++) {
            double y = 0;
            for (int64_t c = 0; c < m; c++) y += b->gram[r * m + c] * x[c];
            assert_true(fabs(y - e->value[v] * x[r]) <= TOLERANCE * e->value[0]);
        }
        for (int64_t w = 0; w <= v; w++) {
            double dot = 0;
            for (int64_t c = 0; c < m; c++) dot += x[c] * e->vector[w * m + c];
            assert_true(fabs(dot - (v == w)) <= TOLERANCE);
        }
    }
}

static void hold(struct both *b, enum psw_gram_side side, int block, int64_t n_vector)
{
    struct psw_grid_matrix gram;
    struct psw_eigen whole, grid, chosen;
    const int64_t m = b->m;
    double *got = malloc(sizeof(double) * (size_t)(m * m));
    double *copy = malloc(sizeof(double) * (size_t)(m * m));
    memcpy(copy, b->gram, sizeof(double) * (size_t)(m * m));
    assert_int_equal(psw_eigen_serial(m, copy, n_vector, &whole, NULL), PSW_OK);
    assert_int_equal(psw_gram_init(&b->rows, &b->grid, side, block, &gram, NULL), PSW_OK);
    psw_gram_gather(&gram, got);
    assert_all_close(got, b->gram, m * m, whole.value[0]);
    assert_int_equal(psw_gram_eigen_grid(&gram, n_vector, &grid, NULL), PSW_OK);
    assert_all_close(grid.value, whole.value, m, whole.value[0]);
    assert_eigen(b, &grid);
    assert_eigen(b, &whole);
    psw_grid_matrix_clear(&gram);
    assert_int_equal(psw_gram_init(&b->rows, &b->grid, side, block, &gram, NULL), PSW_OK);
    assert_int_equal(psw_gram_eigen(&gram, n_vector, &chosen, NULL), PSW_OK);
    assert_all_close(chosen.value, whole.value, m, whole.value[0]);
    assert_eigen(b, &chosen);
    psw_grid_matrix_clear(&gram);
    psw_eigen_clear(&whole);
    psw_eigen_clear(&grid);
    psw_eigen_clear(&chosen);
    free(got);
    free(copy);
}

static void gram_and_eigenvalues_are_those_of_lapack_on_every_grid(void **state)
{
    static const struct {
        int64_t n, k, n_vector;
        int block, center;
    } CASES[] = {{37, 50, 3, 8, 0}, {64, 20, 5, 16, 1}, {5, 9, 2, 8, 0}, {130, 40, 2, 64, 1}};
    (void)state;
    const int size = psw_comm_size(MPI_COMM_WORLD);
    for (int n_row = 1; n_row <= size; n_row++) {
        if (size % n_row) continue;
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
            for (int side = 0; side < 2; side++) {
                struct both b;
                init(&b, n_row, size / n_row);
                fill(&b, CASES[i].n, CASES[i].k, (enum psw_gram_side)side, CASES[i].center);
                hold(&b, (enum psw_gram_side)side, CASES[i].block, CASES[i].n_vector);
                clear(&b);
            }
    }
}

static void all_vectors_and_none_can_be_asked_for(void **state)
{
    (void)state;
    struct both b;
    init(&b, 0, 0);
    fill(&b, 40, 41, PSW_GRAM_OF_ROWS, 0);
    hold(&b, PSW_GRAM_OF_ROWS, 8, 40);
    hold(&b, PSW_GRAM_OF_ROWS, 8, 0);
    clear(&b);
}

/* Above the threshold the driver takes the grid. */
static void a_large_matrix_has_the_eigenvalues_of_its_other_side(void **state)
{
    (void)state;
    struct both b;
    enum { N = PSW_GRAM_SERIAL + 33, K = 24 };
    struct psw_grid_matrix rows, columns;
    struct psw_eigen of_rows, of_columns;
    init(&b, 0, 0);
    fill(&b, N, K, PSW_GRAM_OF_COLUMNS, 0);
    assert_int_equal(psw_gram_init(&b.rows, &b.grid, PSW_GRAM_OF_ROWS, 64, &rows, NULL),
                     PSW_OK);
    assert_int_equal(psw_gram_init(&b.rows, &b.grid, PSW_GRAM_OF_COLUMNS, 64, &columns, NULL),
                     PSW_OK);
    assert_int_equal(psw_gram_eigen(&rows, 2, &of_rows, NULL), PSW_OK);
    assert_int_equal(psw_gram_eigen(&columns, 2, &of_columns, NULL), PSW_OK);
    assert_all_close(of_rows.value, of_columns.value, K, of_columns.value[0]);
    for (int64_t i = K; i < N; i++)
        assert_true(fabs(of_rows.value[i]) <= TOLERANCE * of_rows.value[0]);
    psw_grid_matrix_clear(&rows);
    psw_grid_matrix_clear(&columns);
    psw_eigen_clear(&of_rows);
    psw_eigen_clear(&of_columns);
    clear(&b);
}

static void a_number_that_is_not_finite_fails_on_all_ranks(void **state)
{
    (void)state;
    struct both b;
    struct psw_grid_matrix gram;
    struct psw_eigen e;
    init(&b, 0, 0);
    fill(&b, 20, 30, PSW_GRAM_OF_ROWS, 0);
    if (b.rows.n_local > 0) b.rows.local[0] = NAN;
    assert_int_equal(psw_gram_init(&b.rows, &b.grid, PSW_GRAM_OF_ROWS, 8, &gram, NULL), PSW_OK);
    assert_int_equal(psw_gram_eigen(&gram, 2, &e, NULL), PSW_EDATA);
    psw_grid_matrix_clear(&gram);
    clear(&b);
}

static void grids_are_nearly_square_and_hold_all_ranks(void **state)
{
    static const int SHAPES[][3] = {{1, 1, 1}, {2, 1, 2},  {4, 2, 2}, {5, 1, 5},
                                    {6, 2, 3}, {12, 3, 4}, {16, 4, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++) {
        int n_row, n_column;
        psw_grid_shape(SHAPES[i][0], &n_row, &n_column);
        assert_int_equal(n_row, SHAPES[i][1]);
        assert_int_equal(n_column, SHAPES[i][2]);
    }
    struct psw_grid grid;
    struct psw_error err;
    const int size = psw_comm_size(MPI_COMM_WORLD);
    assert_int_equal(psw_grid_init(MPI_COMM_WORLD, size + 1, 1, &grid, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "ranks, but there are"));
}

/* 65,536 x 65,536 doubles are more than an int counts on four ranks or fewer. */
static void a_matrix_too_large_for_its_ranks_is_refused(void **state)
{
    (void)state;
    struct psw_grid grid;
    struct psw_grid_matrix matrix;
    struct psw_error err;
    assert_int_equal(psw_grid_init(MPI_COMM_WORLD, 0, 0, &grid, NULL), PSW_OK);
    assert_int_equal(psw_grid_matrix_init(&grid, 1 << 18, 1 << 18, 64, 64, &matrix, &err),
                     PSW_EINVAL);
    assert_non_null(strstr(err.text, "start more ranks"));
    psw_grid_clear(&grid);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_and_eigenvalues_are_those_of_lapack_on_every_grid),
        cmocka_unit_test(all_vectors_and_none_can_be_asked_for),
        cmocka_unit_test(a_large_matrix_has_the_eigenvalues_of_its_other_side),
        cmocka_unit_test(a_number_that_is_not_finite_fails_on_all_ranks),
        cmocka_unit_test(grids_are_nearly_square_and_hold_all_ranks),
        cmocka_unit_test(a_matrix_too_large_for_its_ranks_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
