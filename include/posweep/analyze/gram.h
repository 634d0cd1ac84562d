/* Gram matrices and their eigenvalues, on one rank or over all of them.
 *
 * Directions are the rows of X [n][k], spread over the ranks in equal blocks. X X' has their
 * inner products; X' X, which is smaller where n > k, has the same eigenvalues above 0. Both
 * are block-cyclic over a near-square grid, and only their lower triangle is set.
 *
 * All eigenvalues are wanted, but few vectors. So a matrix over the grid is made tridiagonal
 * once (PDSYNTRD), every rank takes the eigenvalues and the leading vectors of the tridiagonal
 * matrix (LAPACK), and the vectors are turned back (PDORMTR). Up to PSW_GRAM_SERIAL rows the
 * matrix is gathered and given to LAPACK's DSYEVD: that is faster, and ScaLAPACK's drivers are
 * not to be trusted with a handful of rows. Every rank has the same bits of the result; on
 * other numbers of ranks they differ by rounding. */
#ifndef POSWEEP_ANALYZE_GRAM_H
#define POSWEEP_ANALYZE_GRAM_H

#include <posweep/analyze/blacs.h>

enum { PSW_GRAM_BLOCK = 64, PSW_GRAM_SERIAL = 512 };

/** Eigenvalues, largest first, and the leading eigenvectors, whose largest element is positive.
 */
struct psw_eigen {
    int64_t n, n_vector;
    double *value;  /* [n] owned */
    double *vector; /* [n_vector][n] owned */
};
void psw_eigen_clear(struct psw_eigen *eigen); /* accepts a zeroed one */

/** Groups [begin, end). */
struct psw_gram_share {
    int64_t begin, end;
};

/** Room for the rows of X, n_group groups of n_each rows of k numbers that stay together: this
 *  rank has the groups of *share, one row after the other in out->local, cleared. Here the grid
 *  is a row of ranks, psw_grid_init(comm, 1, size).
 *  Owns:   the caller clears.
 *  MPI:    Local.
 *  Errors: those of psw_grid_matrix_init. */
psw_status psw_gram_rows_init(const struct psw_grid *line, int64_t n_group, int64_t n_each,
                              int64_t k, struct psw_grid_matrix *out,
                              struct psw_gram_share *share, struct psw_error *err);

/** Take the mean of the rows that are there from each of them.
 *  Shapes: is_there [rows of this rank]; NULL: all.
 *  MPI:    Collective (rows->grid->comm). Errors: PSW_ENOMEM. */
psw_status psw_gram_center(struct psw_grid_matrix *rows, const uint8_t *is_there,
                           struct psw_error *err);

enum psw_gram_side { PSW_GRAM_OF_ROWS /* X X' */, PSW_GRAM_OF_COLUMNS /* X' X */ };

/** The Gram matrix over a grid of the same ranks, by PDSYRK: its lower triangle.
 *  Owns:   the caller clears *out.
 *  MPI:    Collective (grid->comm).
 *  Errors: those of psw_grid_matrix_init, on all ranks. */
psw_status psw_gram_init(const struct psw_grid_matrix *rows, const struct psw_grid *grid,
                         enum psw_gram_side side, int block, struct psw_grid_matrix *out,
                         struct psw_error *err);

/** The lower triangle of a square matrix, whole on every rank.
 *  Shapes: out [n][n], the upper triangle by symmetry.
 *  MPI:    Collective (gram->grid->comm). */
void psw_gram_gather(const struct psw_grid_matrix *gram, double *out);

/** Eigenvalues and n_vector leading eigenvectors; the matrix is destroyed.
 *  Owns:   the caller clears *out.
 *  MPI:    Collective (gram->grid->comm). Same on all ranks: out.
 *  Errors: PSW_ENOMEM; PSW_EDATA when there is no solution: a number is not finite. */
psw_status psw_gram_eigen(struct psw_grid_matrix *gram, int64_t n_vector, struct psw_eigen *out,
                          struct psw_error *err);

/** The same over the grid, whatever the size. */
psw_status psw_gram_eigen_grid(struct psw_grid_matrix *gram, int64_t n_vector,
                               struct psw_eigen *out, struct psw_error *err);

/** The same of a matrix on this rank alone.
 *  Shapes: gram [n][n], destroyed; its lower triangle in the columns' order counts.
 *  MPI:    Local. */
psw_status psw_eigen_serial(int64_t n, double *gram, int64_t n_vector, struct psw_eigen *out,
                            struct psw_error *err);

#endif
