/* What of BLACS, PBLAS, ScaLAPACK and LAPACK is used, and a process grid that owns its context.
 *
 * The libraries have no C headers. Matrices are column-major; a distributed one is a block per
 * process and a descriptor of PSW_DESC_INTS ints. All counts are 32-bit ints. */
#ifndef POSWEEP_ANALYZE_BLACS_H
#define POSWEEP_ANALYZE_BLACS_H

#include <mpi.h>
#include <posweep/util/status.h>
#include <stdint.h>

/* BLACS */
int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *context, const char *order, int n_row, int n_column);
void Cblacs_gridinfo(int context, int *n_row, int *n_column, int *row, int *column);
void Cblacs_gridexit(int context);

/* ScaLAPACK's tools, PBLAS, ScaLAPACK */
int numroc_(const int *n, const int *block, const int *place, const int *first,
            const int *n_place);
void descinit_(int *desc, const int *m, const int *n, const int *row_block,
               const int *column_block, const int *first_row, const int *first_column,
               const int *context, const int *lld, int *info);
void pdsyrk_(const char *uplo, const char *trans, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja,
             const int *desc_a, const double *beta, double *c, const int *ic, const int *jc,
             const int *desc_c);
void pdsyntrd_(const char *uplo, const int *n, double *a, const int *ia, const int *ja,
               const int *desc_a, double *d, double *e, double *tau, double *work,
               const int *n_work, int *info);
void pdsytrd_(const char *uplo, const int *n, double *a, const int *ia, const int *ja,
              const int *desc_a, double *d, double *e, double *tau, double *work,
              const int *n_work, int *info);
void pdlared1d_(const int *n, const int *ia, const int *ja, const int *desc, double *by_column,
                double *by_all, double *work, const int *n_work);
void pdormtr_(const char *side, const char *uplo, const char *trans, const int *m, const int *n,
              double *a, const int *ia, const int *ja, const int *desc_a, double *tau,
              double *c, const int *ic, const int *jc, const int *desc_c, double *work,
              const int *n_work, int *info);

/* BLAS and LAPACK */
void dsyrk_(const char *uplo, const char *trans, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *beta, double *c,
            const int *ldc);
void dgemm_(const char *trans_a, const char *trans_b, const int *m, const int *n, const int *k,
            const double *alpha, const double *a, const int *lda, const double *b,
            const int *ldb, const double *beta, double *c, const int *ldc);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
             double *w, double *work, const int *n_work, int *i_work, const int *n_i_work,
             int *info);
void dgesdd_(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s,
             double *u, const int *ldu, double *vt, const int *ldvt, double *work,
             const int *n_work, int *i_work, int *info);
void dsterf_(const int *n, double *d, double *e, int *info);
void dstemr_(const char *jobz, const char *range, const int *n, double *d, double *e,
             const double *vl, const double *vu, const int *il, const int *iu, int *m,
             double *w, double *z, const int *ldz, const int *nzc, int *isuppz, int *tryrac,
             double *work, const int *n_work, int *i_work, const int *n_i_work, int *info);

enum { PSW_DESC_INTS = 9 };

/** A process grid over all ranks of a communicator, row by row. Plain data. */
struct psw_grid {
    MPI_Comm comm;       /* borrowed */
    MPI_Comm own;        /* its copy, for BLACS alone; owned */
    int n_row, n_column; /* n_row n_column = size of comm */
    int row, column;     /* of this rank */
    int context, handle; /* of BLACS */
};

/** The grid nearest to a square that has every rank: 4 = 2 x 2, 6 = 2 x 3, 5 = 1 x 5.
 *  MPI: Local. */
void psw_grid_shape(int size, int *n_row, int *n_column);

/** n_row 0: psw_grid_shape. Owns: the caller clears.
 *  MPI:    Collective (comm).
 *  Errors: PSW_EINVAL unless n_row n_column is the size of comm. */
psw_status psw_grid_init(MPI_Comm comm, int n_row, int n_column, struct psw_grid *out,
                         struct psw_error *err);
void psw_grid_clear(struct psw_grid *grid); /* MPI: Collective (grid->comm) */

/** A block-cyclic matrix over a grid: what this rank has of it. */
struct psw_grid_matrix {
    const struct psw_grid *grid; /* borrowed */
    int m, n, row_block, column_block;
    int m_local, n_local, lld; /* column-major, lld >= 1 */
    int desc[PSW_DESC_INTS];
    double *local; /* [n_local][lld] owned */
};

/** Room for an m x n matrix, cleared. Owns: the caller clears.
 *  MPI:    Local.
 *  Errors: PSW_ENOMEM; PSW_EINVAL when the part of a rank has more than 2^31 - 1 elements, with
 *          the number of ranks that would do. */
psw_status psw_grid_matrix_init(const struct psw_grid *grid, int64_t m, int64_t n,
                                int row_block, int column_block, struct psw_grid_matrix *out,
                                struct psw_error *err);
void psw_grid_matrix_clear(struct psw_grid_matrix *matrix); /* accepts a zeroed one */

/** Global index of a local row or column. MPI: Local. */
int64_t psw_grid_row(const struct psw_grid_matrix *matrix, int64_t local);
int64_t psw_grid_column(const struct psw_grid_matrix *matrix, int64_t local);

#endif
