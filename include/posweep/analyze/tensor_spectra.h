/* How many directions training took in each matrix of a model: singular values of the
 * parameters at the end of a run less those of the SFT model, exactly, from the models that the
 * sweep kept
 * (`limits: {keep: final}`).
 *
 * Differences of float32 are exact in double; LAPACK's DGESDD takes the singular values s of
 * one matrix after another. The effective rank is the exponential of the entropy of the shares
 * s^2 / sum s^2, the participation ratio one over the sum of their squares. */
#ifndef POSWEEP_ANALYZE_TENSOR_SPECTRA_H
#define POSWEEP_ANALYZE_TENSOR_SPECTRA_H

#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/file.h>
#include <posweep/util/status.h>

#include <mpi.h>
#include <stdint.h>
#include <stdio.h>

enum { PSW_MATRIX_NAME_BYTES = 96, PSW_MATRIX_LEADING = 16 };

/** A matrix of the model. */
struct psw_matrix {
    char name[PSW_MATRIX_NAME_BYTES];
    int64_t n_row, n_col;
};

/** What is known of one matrix of one run; NaN: nothing. Plain data, doubles alone. */
struct psw_matrix_spectrum {
    double norm; /* root of the sum of the squares */
    double effective_rank, participation;
    double value[PSW_MATRIX_LEADING]; /* largest singular values; NaN beyond the last */
};

/** All of a file. Whole on every rank; arrays owned. */
struct psw_tensor_spectra {
    struct psw_cells cells; /* selected */
    int64_t *run;           /* [n_run] rows of the file, cell by cell */
    int64_t *cell;          /* [n_run] */
    int64_t *step;          /* [n_run] of the last model that was kept */
    struct psw_matrix *matrix;
    struct psw_matrix_spectrum *spectrum; /* [n_run][n_matrix] */
    int64_t n_run, n_matrix;
    int64_t n_missing; /* runs that count and are not kept, or have other matrices */
    char folder[PSW_PATH_BYTES];
};

/** Find the runs that count and were kept, and the matrices of the first of them. work_dir:
 * NULL: beside the results. MPI: Local. Owns: the caller clears. Errors: PSW_ENOENT when none
 * was kept, with the setting that keeps them; PSW_EDATA for models that cannot be read;
 * PSW_ENOMEM. */
psw_status psw_tensor_spectra_init(struct psw_results *results, const char *path,
                                   const char *work_dir, const struct psw_selection *selection,
                                   struct psw_tensor_spectra *out, struct psw_error *err);
void psw_tensor_spectra_clear(struct psw_tensor_spectra *s);

/** Compute; ranks share the matrices. MPI: Collective (comm). Same on all ranks: everything.
 *  Errors: PSW_EDATA with file and tensor, PSW_ENOMEM. */
psw_status psw_tensor_spectra_compute(MPI_Comm comm, struct psw_results *results,
                                      struct psw_tensor_spectra *s, struct psw_error *err);

/** A table per cell, means over seeds; and everything as a file (schema_tensors.c). MPI: Local.
 *  Errors: PSW_EIO; those of psw_derived_write. */
psw_status psw_tensor_spectra_print(FILE *out, const struct psw_tensor_spectra *s,
                                    struct psw_error *err);
psw_status psw_tensor_spectra_write(const char *path, const char *source,
                                    struct psw_results *results,
                                    const struct psw_tensor_spectra *s, struct psw_error *err);

#endif
