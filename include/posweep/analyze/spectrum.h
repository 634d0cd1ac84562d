/* The geometry of a sweep: how directions (v, a component's gradient, the displacement of the
 * parameters) lie to one another along training, between variants, methods and seeds; from the
 * sketches in a results file (trace.sketch), on all ranks.
 *
 * Directions are compared as unit vectors, v and gradients because their norms say little (v's
 * is mostly the noise of D'); displacements keep their length. The last checkpoint of a run is
 * left out for v: there its expectation is 0. Seeds start from models of their own, and where
 * these have nothing in common, neither have their directions: therefore variants and methods
 * are compared within a seed, and the map lays the seeds side by side.
 *
 * Rank 0 finds out what there is to compare; every rank reads the sketches of its share of the
 * runs from the file. Gram matrices are distributed (gram.h). What comes out is on rank 0. */
#ifndef POSWEEP_ANALYZE_SPECTRUM_H
#define POSWEEP_ANALYZE_SPECTRUM_H

#include <mpi.h>
#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

enum psw_spectrum_of { PSW_SPECTRUM_V, PSW_SPECTRUM_DISPLACEMENT, PSW_SPECTRUM_COMPONENT };

struct psw_spectrum_opts {
    enum psw_spectrum_of of;
    const char *component; /* its name; NULL: total */
    struct psw_selection selection;
    int64_t n_dim;                 /* of the subspaces that are compared; 0: 2 */
    int n_grid_row, n_grid_column; /* 0: near-square over all ranks */
};

enum { PSW_SPECTRUM_MAX_DIM = 16, PSW_SPECTRUM_N_AXIS = 2 };

/** What is compared: as many numbers of each direction, of runs of models of one size. Whole on
 *  every rank; all arrays owned. */
struct psw_spectrum_plan {
    enum psw_spectrum_of of;
    int64_t component; /* index in the file; -1 */
    int64_t k, n_dim, n_run, n_checkpoint, n_cell, n_seed;
    int64_t *run;    /* [n_run] row in the file */
    int64_t *cell;   /* [n_run] its cell, [0, n_cell) */
    int64_t *seed;   /* [n_run] its seed's place among all, [0, n_seed) */
    int64_t *n_used; /* [n_run] leading checkpoints that are looked at */
};

/** What rank 0 knows of it in words. */
struct psw_spectrum_words {
    char (*cell)[192];   /* [n_cell] labels; owned */
    int64_t *seed_value; /* [n_seed] owned */
    int64_t *step;       /* [n_run][n_checkpoint]; -1: none. Owned */
    double *signal; /* [n_run][n_checkpoint] share of the squared norm of v that is not noise of
                       D', v_halves over v_norm squared; NaN: not known. Owned */
    double *norm;   /* [n_run][n_checkpoint] of the vectors themselves; NaN: not in the file.
                       Owned */
    char left_out[1024]; /* sentences about runs that are not compared; "" */
    char title[128];     /* of the sweep */
    char source[256];    /* name of the results file, without its folder */
    char of[96];         /* "v", "the gradient of pos", "the displacement" */
};

/** Results, on rank 0 only; NaN where there is nothing. Owned. C: n_checkpoint. */
struct psw_spectrum {
    struct {                   /* of every run */
        double *cosine;        /* [n_run][C][C] of the directions at two checkpoints */
        double *cosine_clean;  /* [n_run][C][C] of v without the noise of D'; else NaN */
        double *entropy_rank;  /* [n_run][C] effective rank of the directions up to here */
        double *participation; /* [n_run][C] the same by participation ratio */
        double *explained;     /* [n_run][C] share of the variance in so many leading axes */
        double *norm;          /* [n_run][C] of the sketch */
    } run;
    struct {                /* cosines of principal angles, means over the pairs there are */
        double *same_seed;  /* [n_cell][n_cell][n_dim] different cells, same seed */
        double *other_seed; /* [n_cell][n_dim] one cell, different seeds */
    } angle;
    struct { /* of all directions together */
        int64_t n;
        double *explained; /* [n] as of a run */
        double entropy_rank, participation;
    } all;
    struct {            /* the map: of cells, with the seeds that all cells have, and of runs */
        int64_t n_seed; /* side by side */
        double *cell;   /* [n_cell][C][PSW_SPECTRUM_N_AXIS] */
        double *run;    /* [n_run][C][PSW_SPECTRUM_N_AXIS] */
        double share[PSW_SPECTRUM_N_AXIS];
    } map;
};

/** Find out what can be compared. Of the runs that are done and not set apart (`selection`),
 * the largest group with sketches of one length and one number of parameters. Owns:   the
 * caller clears both. MPI:    Local; on rank 0. Errors: PSW_EDATA when no run has sketches,
 * with the setting that stores them, or none two checkpoints; PSW_EINVAL for an unknown
 * component, with the nearest. */
psw_status psw_spectrum_plan_init(struct psw_results *results,
                                  const struct psw_spectrum_opts *opts,
                                  struct psw_spectrum_plan *plan,
                                  struct psw_spectrum_words *words, struct psw_error *err);
void psw_spectrum_plan_clear(struct psw_spectrum_plan *plan);
void psw_spectrum_words_clear(struct psw_spectrum_words *words);

/** Read every sketch of a plan once, and forget it: in a child, that a file of a stranger may
 *  crash. MPI: Local. Errors: those of psw_results_block; PSW_ENOMEM. */
psw_status psw_spectrum_try(struct psw_results *results, const struct psw_spectrum_plan *plan,
                            struct psw_error *err);

/** Everybody gets rank 0's plan. MPI: Collective (comm). Errors: PSW_ENOMEM, on all ranks. */
psw_status psw_spectrum_plan_share(MPI_Comm comm, struct psw_spectrum_plan *plan,
                                   struct psw_error *err);

/** Read, compare, and bring the results to rank 0.
 *  Owns:   the caller clears out, on every rank.
 *  MPI:    Collective (comm). Same on all ranks: plan, opts.
 *  Errors: those of psw_results_block, psw_grid_matrix_init; on all ranks. */
psw_status psw_spectrum_compute(MPI_Comm comm, struct psw_results *results,
                                const struct psw_spectrum_plan *plan,
                                const struct psw_spectrum_opts *opts, struct psw_spectrum *out,
                                struct psw_error *err);
void psw_spectrum_clear(struct psw_spectrum *spectrum);

/** Errors of the squared norms of sketches, root mean square over sqrt(2): what an inner
 * product of two orthogonal unit vectors has. n: norms that could be compared; 0 leaves NaN. */
struct psw_sketch_error {
    double promised, realised;
    int64_t n;
};
struct psw_sketch_error psw_spectrum_error(const struct psw_spectrum_plan *plan,
                                           const struct psw_spectrum_words *words,
                                           const struct psw_spectrum *spectrum);

/** Whether enough of v at a checkpoint is signal for its direction to be known: half of the
 *  squared norm. */
int psw_spectrum_is_known(const struct psw_spectrum_plan *plan,
                          const struct psw_spectrum_words *words, int64_t run,
                          int64_t checkpoint);

/** What came out, as a file (psw_schema_spectrum_rows).
 *  MPI: Local; on rank 0. Errors: those of psw_derived_write. */
psw_status psw_spectrum_write(const char *path, struct psw_results *results,
                              const struct psw_spectrum_plan *plan,
                              const struct psw_spectrum_words *words,
                              const struct psw_spectrum *spectrum, struct psw_error *err);

/** What came out, as a picture: the map, and cosines between checkpoints; written atomically.
 *  MPI: Local; on rank 0. Errors: PSW_ENOMEM; those of psw_file_write. */
psw_status psw_spectrum_svg(const char *path, const struct psw_spectrum_plan *plan,
                            const struct psw_spectrum_words *words,
                            const struct psw_spectrum *spectrum, struct psw_error *err);

/** What came out, as text. MPI: Local; on rank 0. Errors: PSW_ENOMEM. */
psw_status psw_spectrum_print(FILE *out, const struct psw_spectrum_plan *plan,
                              const struct psw_spectrum_words *words,
                              const struct psw_spectrum *spectrum, struct psw_error *err);

/** Effective rank of a set of directions from the eigenvalues of their Gram matrix: how many
 *  equal ones would be as spread. By entropy, exp(-sum p log p), and by participation ratio,
 *  1 / sum p^2, of the shares p of the eigenvalues; negative ones (rounding) count as 0. NaN
 *  when all are 0.
 *  Source: Roy & Vetterli 2007 (there of singular values), Del Giudice 2021 (both). */
struct psw_effective_rank {
    double entropy, participation;
};
struct psw_effective_rank psw_effective_rank(int64_t n, const double *eigenvalue);

#endif
