/* Grids and block-cyclic matrices: their shapes and the memory behind them. */
#include <posweep/analyze/blacs.h>

#include <posweep/comm/agree.h>
#include <posweep/util/cast.h>

#include <limits.h>
#include <stdlib.h>

void psw_grid_shape(int size, int *n_row, int *n_column)
{
    int n = 1;
    for (int i = 1; i * i <= size; i++)
        if (size % i == 0) n = i;
    *n_row = n;
    *n_column = size / n;
}

psw_status psw_grid_init(MPI_Comm comm, int n_row, int n_column, struct psw_grid *out,
                         struct psw_error *err)
{
    const int size = psw_comm_size(comm);
    struct psw_grid g = {.comm = comm};
    if (n_row == 0) psw_grid_shape(size, &n_row, &n_column);
    if (n_row < 1 || n_column < 1 || (int64_t)n_row * n_column != size)
        return psw_fail(
            err, PSW_EINVAL,
            "a grid of %d x %d ranks, but there are %d: start as many, or ask for no grid",
            n_row, n_column, size);
    PSW_MPI(MPI_Comm_dup(comm, &g.own)); /* BLACS has one handle per communicator */
    g.handle = Csys2blacs_handle(g.own);
    g.context = g.handle;
    Cblacs_gridinit(&g.context, "Row", n_row, n_column);
    Cblacs_gridinfo(g.context, &g.n_row, &g.n_column, &g.row, &g.column);
    *out = g;
    return PSW_OK;
}

void psw_grid_clear(struct psw_grid *grid)
{
    if (grid->n_row == 0) return;
    Cblacs_gridexit(grid->context);
    Cfree_blacs_system_handle(grid->handle);
    PSW_MPI(MPI_Comm_free(&grid->own));
    *grid = (struct psw_grid){0};
}

/* ScaLAPACK computes places in a rank's part with 32-bit ints. */
static psw_status check_size(const struct psw_grid_matrix *x, struct psw_error *err)
{
    const double n_elem = (double)x->lld * (double)(x->n_local > 0 ? x->n_local : 1);
    const int size = x->grid->n_row * x->grid->n_column;
    if (n_elem <= (double)INT_MAX) return PSW_OK;
    return psw_fail(err, PSW_EINVAL,
                    "a matrix of %d x %d numbers on %d ranks is too large for ScaLAPACK, which "
                    "takes 2^31 - 1 on each: start more ranks, %.0f or more, or select fewer "
                    "runs",
                    x->m, x->n, size, (double)size * n_elem / (double)INT_MAX * 1.1 + 1);
}

psw_status psw_grid_matrix_init(const struct psw_grid *grid, int64_t m, int64_t n,
                                int row_block, int column_block, struct psw_grid_matrix *out,
                                struct psw_error *err)
{
    const int zero = 0;
    int info = 0;
    struct psw_grid_matrix x = {.grid = grid,
                                .m = psw_int_cast(m),
                                .n = psw_int_cast(n),
                                .row_block = row_block,
                                .column_block = column_block};
    x.m_local = numroc_(&x.m, &row_block, &grid->row, &zero, &grid->n_row);
    x.n_local = numroc_(&x.n, &column_block, &grid->column, &zero, &grid->n_column);
    x.lld = x.m_local > 0 ? x.m_local : 1;
    const psw_status rc = check_size(&x, err);
    if (rc != PSW_OK) return rc;
    descinit_(x.desc, &x.m, &x.n, &row_block, &column_block, &zero, &zero, &grid->context,
              &x.lld, &info);
    PSW_ASSERT(info == 0);
    const size_t n_elem = (size_t)x.lld * (size_t)x.n_local + 1;
    x.local = calloc(n_elem, sizeof *x.local);
    if (!x.local)
        return psw_fail(err, PSW_ENOMEM,
                        "%.1f GiB for this rank's part of a matrix of %d x %d numbers: start "
                        "more ranks, or select fewer runs",
                        (double)n_elem * 8 / 0x1p30, x.m, x.n);
    *out = x;
    return PSW_OK;
}

void psw_grid_matrix_clear(struct psw_grid_matrix *matrix)
{
    free(matrix->local);
    *matrix = (struct psw_grid_matrix){0};
}

static int64_t global_of(int64_t local, int block, int place, int n_place)
{
    return (local / block * n_place + place) * block + local % block;
}

int64_t psw_grid_row(const struct psw_grid_matrix *matrix, int64_t local)
{
    return global_of(local, matrix->row_block, matrix->grid->row, matrix->grid->n_row);
}

int64_t psw_grid_column(const struct psw_grid_matrix *matrix, int64_t local)
{
    return global_of(local, matrix->column_block, matrix->grid->column, matrix->grid->n_column);
}
