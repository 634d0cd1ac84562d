/* What the files of the spectrum share: how a run's sketches are read, and what of them every
 * rank keeps of its own runs. */
#ifndef PSW_SPECTRUM_INTERNAL_H
#define PSW_SPECTRUM_INTERNAL_H

#include <posweep/analyze/gram.h>
#include <posweep/analyze/spectrum.h>

/** Where the numbers of a run stand in its packed results. Offsets in doubles. */
struct psw_spectrum_places {
    int64_t cosine, cosine_clean, entropy_rank, participation, explained, norm, n;
};
struct psw_spectrum_places psw_spectrum_places_of(int64_t n_checkpoint);

/** The sketches of a run, one checkpoint after the other; rows that are not there are 0.
 *  Shapes: x [n_checkpoint][k]. norm [n_checkpoint]: 0 where it is not there.
 *  MPI: Local. Errors: those of psw_results_block. */
psw_status psw_spectrum_read_run(struct psw_results *results,
                                 const struct psw_spectrum_plan *plan, int64_t i, double *x,
                                 double *norm, struct psw_error *err);

/** Room to measure a run in; owned. */
struct psw_spectrum_room {
    double *half, *gram, *part; /* [C][k], [C][C] x 2 */
};
psw_status psw_spectrum_room_init(const struct psw_spectrum_plan *plan,
                                  struct psw_spectrum_room *out, struct psw_error *err);
void psw_spectrum_room_clear(struct psw_spectrum_room *room);

/** Everything of one run: read its sketches into x, scale them, measure.
 *  Shapes: x [C][k]; packed [places.n]; basis [n_dim][k] of the leading subspace.
 *  MPI: Local. Errors: those of psw_results_block; PSW_ENOMEM; PSW_EDATA. */
psw_status psw_spectrum_run(struct psw_results *results, const struct psw_spectrum_plan *plan,
                            int64_t i, const struct psw_spectrum_room *room, double *x,
                            double *packed, double *basis, struct psw_error *err);

/** Principal angles between the subspaces of runs, from their bases [n_run][n_dim].
 *  MPI: Collective (grid->comm). Sets same_seed and other_seed on rank 0. */
psw_status psw_spectrum_angles(const struct psw_grid_matrix *bases, const struct psw_grid *grid,
                               const struct psw_spectrum_plan *plan, struct psw_spectrum *out,
                               struct psw_error *err);

/** The map. MPI: Collective (grid->comm). Sets n_map_seed, map, map_run, map_share on rank 0.
 */
psw_status psw_spectrum_map(struct psw_results *results, const struct psw_grid *line,
                            const struct psw_grid *grid, const struct psw_spectrum_plan *plan,
                            struct psw_spectrum *out, struct psw_error *err);

#endif
