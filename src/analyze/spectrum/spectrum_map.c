/* Principal angles between subspaces, and the map of trajectories.
 *
 * The map is of principal coordinates (Gower 1966) of cells: the directions of a cell at a
 * checkpoint, with all seeds side by side as one long vector, centred. The mean over the seeds
 * of a run's own coordinates is that of its cell. */
#include "spectrum_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AXES = PSW_SPECTRUM_N_AXIS };

static psw_status no_memory(const char *what, struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "spectrum: %s", what);
}

/* ---- angles ---- */

/* Sums of the cosines over pairs, and how many. */
struct sums {
    double *same, *other; /* [n_cell][n_cell][D + 1], [n_cell][D + 1]; the last counts */
    int64_t n_cell, n_dim;
};

/* Singular values of a block of inner products between two bases, largest first. */
static psw_status singular_values(int64_t D, const double *block, double *out,
                                  struct psw_error *err)
{
    double square[PSW_SPECTRUM_MAX_DIM * PSW_SPECTRUM_MAX_DIM] = {0};
    struct psw_eigen e = {0};
    for (int64_t a = 0; a < D; a++)
        for (int64_t b = 0; b < D; b++)
            for (int64_t i = 0; i < D; i++)
                square[a * D + b] += block[a * D + i] * block[b * D + i];
    const psw_status rc = psw_eigen_serial(D, square, 0, &e, err);
    for (int64_t i = 0; rc == PSW_OK && i < D; i++) out[i] = fmin(1, sqrt(fmax(0, e.value[i])));
    psw_eigen_clear(&e);
    return rc;
}

/* A pair of runs: of two cells and one seed, or of one cell. */
static void add_pair(const struct psw_spectrum_plan *p, int64_t a, int64_t b,
                     const double *cosine, struct sums *s)
{
    const int64_t D = s->n_dim, ca = p->cell[a], cb = p->cell[b];
    double *to[2] = {NULL, NULL};
    if (ca == cb) {
        to[0] = s->other + ca * (D + 1);
    } else if (p->seed[a] == p->seed[b]) {
        to[0] = s->same + (ca * s->n_cell + cb) * (D + 1);
        to[1] = s->same + (cb * s->n_cell + ca) * (D + 1);
    }
    for (int i = 0; i < 2 && to[i]; i++) {
        for (int64_t d = 0; d < D; d++) to[i][d] += cosine[d];
        to[i][D]++;
    }
}

/* Blocks are whole on one rank: D divides the block of the distribution. */
static psw_status add_local(const struct psw_grid_matrix *gram,
                            const struct psw_spectrum_plan *p, struct sums *s,
                            struct psw_error *err)
{
    const int64_t D = p->n_dim;
    double block[PSW_SPECTRUM_MAX_DIM * PSW_SPECTRUM_MAX_DIM], cosine[PSW_SPECTRUM_MAX_DIM];
    for (int64_t c = 0; c < gram->n_local; c += D)
        for (int64_t r = 0; r < gram->m_local; r += D) {
            const int64_t a = psw_grid_row(gram, r) / D, b = psw_grid_column(gram, c) / D;
            if (a <= b || (p->cell[a] != p->cell[b] && p->seed[a] != p->seed[b])) continue;
            for (int64_t j = 0; j < D; j++)
                memcpy(block + j * D, gram->local + (c + j) * gram->lld + r,
                       sizeof *block * (size_t)D);
            const psw_status rc = singular_values(D, block, cosine, err);
            if (rc != PSW_OK) return rc;
            add_pair(p, a, b, cosine, s);
        }
    return PSW_OK;
}

/* Means in place of sums, without the counts. */
static double *means(const double *sum, int64_t n, int64_t D)
{
    double *out = malloc(sizeof *out * (size_t)(n * D) + 1);
    for (int64_t i = 0; out && i < n; i++)
        for (int64_t d = 0; d < D; d++) {
            const double *at = sum + i * (D + 1);
            out[i * D + d] = at[D] > 0 ? at[d] / at[D] : NAN;
        }
    return out;
}

psw_status psw_spectrum_angles(const struct psw_grid_matrix *bases, const struct psw_grid *grid,
                               const struct psw_spectrum_plan *plan, struct psw_spectrum *out,
                               struct psw_error *err)
{
    const int64_t D = plan->n_dim, n = plan->n_cell;
    struct psw_grid_matrix gram = {0};
    struct sums s = {.n_cell = n, .n_dim = D};
    psw_status rc = PSW_OK;
    s.same = calloc((size_t)(n * n * (D + 1)), sizeof *s.same);
    s.other = calloc((size_t)(n * (D + 1)), sizeof *s.other);
    PSW_TRY(psw_agree(grid->comm, s.same && s.other ? PSW_OK : no_memory("angles", err), err));
    PSW_TRY(psw_gram_init(bases, grid, PSW_GRAM_OF_ROWS, psw_int_cast(PSW_GRAM_BLOCK / D * D),
                          &gram, err));
    PSW_TRY(psw_agree(grid->comm, add_local(&gram, plan, &s, err), err));
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, s.same, psw_int_cast(n * n * (D + 1)), MPI_DOUBLE,
                          MPI_SUM, grid->comm));
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, s.other, psw_int_cast(n * (D + 1)), MPI_DOUBLE, MPI_SUM,
                          grid->comm));
    if (psw_comm_rank(grid->comm) == 0) {
        out->angle.same_seed = means(s.same, n * n, D);
        out->angle.other_seed = means(s.other, n, D);
        if (!out->angle.same_seed || !out->angle.other_seed) rc = no_memory("angles", err);
    }
    rc = psw_agree(grid->comm, rc, err);
fail:
    psw_grid_matrix_clear(&gram);
    free(s.same);
    free(s.other);
    return rc;
}

/* ---- the map ---- */

/** The map under way. S: seeds that every cell has. A row: S sketches of k numbers. */
struct map {
    const struct psw_spectrum_plan *plan;
    int64_t *run_at; /* [n_cell][S] place of the run in the plan; owned */
    int64_t S;
    struct psw_grid_matrix rows;
    struct psw_gram_share share;
    uint8_t *is_there; /* [rows of this rank] owned */
};

/* Seeds that every cell has, and their runs. */
static int find_seeds(struct map *m)
{
    const struct psw_spectrum_plan *p = m->plan;
    int64_t *all = malloc(sizeof *all * (size_t)(p->n_cell * p->n_seed) + 1);
    m->run_at = malloc(sizeof *all * (size_t)(p->n_cell * p->n_seed) + 1);
    if (!all || !m->run_at) {
        free(all);
        return 0;
    }
    for (int64_t i = 0; i < p->n_cell * p->n_seed; i++) all[i] = -1;
    for (int64_t i = 0; i < p->n_run; i++) all[p->cell[i] * p->n_seed + p->seed[i]] = i;
    for (int64_t s = 0; s < p->n_seed; s++) {
        int whole = 1;
        for (int64_t c = 0; c < p->n_cell; c++) whole &= all[c * p->n_seed + s] >= 0;
        if (!whole) continue;
        for (int64_t c = 0; c < p->n_cell; c++)
            m->run_at[c * p->n_seed + m->S] = all[c * p->n_seed + s];
        m->S++;
    }
    free(all);
    return 1;
}

/* One seed's part of a cell's rows. */
static psw_status read_part(struct psw_results *results, struct map *m, int64_t cell, int64_t s,
                            double *x, double *norm, struct psw_error *err)
{
    const struct psw_spectrum_plan *p = m->plan;
    const int64_t C = p->n_checkpoint, k = p->k, first = (cell - m->share.begin) * C;
    const psw_status rc =
        psw_spectrum_read_run(results, p, m->run_at[cell * p->n_seed + s], x, norm, err);
    for (int64_t t = 0; rc == PSW_OK && t < C; t++) {
        const int is_start = p->of == PSW_SPECTRUM_DISPLACEMENT && t == 0;
        double *to = m->rows.local + (first + t) * m->S * k + s * k;
        const double scale = p->of == PSW_SPECTRUM_DISPLACEMENT || norm[t] == 0 ? 1 : norm[t];
        if (norm[t] == 0 && !is_start) m->is_there[first + t] = 0;
        for (int64_t i = 0; i < k; i++) to[i] = x[t * k + i] / scale / sqrt((double)m->S);
    }
    return rc;
}

static psw_status read_rows(struct psw_results *results, struct map *m, struct psw_error *err)
{
    const int64_t C = m->plan->n_checkpoint, k = m->plan->k;
    double *x = malloc(sizeof *x * (size_t)(C * k) + 1);
    double *norm = malloc(sizeof *norm * (size_t)C + 1);
    m->is_there = malloc((size_t)m->rows.n_local + 1);
    psw_status rc = PSW_OK;
    if (!x || !norm || !m->is_there) PSW_TRY(no_memory("the map", err));
    memset(m->is_there, 1, (size_t)m->rows.n_local);
    for (int64_t c = m->share.begin; c < m->share.end; c++)
        for (int64_t s = 0; s < m->S; s++) PSW_TRY(read_part(results, m, c, s, x, norm, err));
    for (int64_t r = 0; r < m->rows.n_local; r++) /* some seeds have it: no part of the map */
        if (!m->is_there[r])
            memset(m->rows.local + r * m->S * k, 0, sizeof *x * (size_t)(m->S * k));
fail:
    free(x);
    free(norm);
    return rc;
}

/* Axes in the space of the rows: X' u / sqrt(lambda). */
static psw_status take_axes(const struct map *m, const struct psw_eigen *e, double *axis)
{
    const int64_t K = m->rows.m, begin = m->share.begin * m->plan->n_checkpoint;
    for (int64_t d = 0; d < e->n_vector; d++)
        for (int64_t r = 0; r < m->rows.n_local; r++) {
            const double u =
                e->value[d] > 0 ? e->vector[d * e->n + begin + r] / sqrt(e->value[d]) : 0;
            for (int64_t i = 0; i < K; i++) axis[d * K + i] += u * m->rows.local[r * K + i];
        }
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, axis, psw_int_cast(AXES * K), MPI_DOUBLE, MPI_SUM,
                          m->rows.grid->comm));
    return PSW_OK;
}

/* Coordinates of cells and of their runs, of this rank's; the sum over all ranks is the map. */
static void project(const struct map *m, const double *axis, double *map, double *map_run)
{
    const struct psw_spectrum_plan *p = m->plan;
    const int64_t C = p->n_checkpoint, k = p->k, K = m->rows.m;
    for (int64_t r = 0; r < m->rows.n_local; r++) {
        const int64_t cell = m->share.begin + r / C, t = r % C;
        for (int d = 0; d < AXES; d++) {
            double sum = 0;
            for (int64_t s = 0; s < m->S; s++) {
                const double *x = m->rows.local + r * K + s * k, *w = axis + d * K + s * k;
                double part = 0;
                for (int64_t i = 0; i < k; i++) part += x[i] * w[i];
                const int64_t run = m->run_at[cell * p->n_seed + s];
                map_run[(run * C + t) * AXES + d] = m->is_there[r] ? part * (double)m->S : NAN;
                sum += part;
            }
            map[(cell * C + t) * AXES + d] = m->is_there[r] ? sum : NAN;
        }
    }
}

static psw_status bring(const struct map *m, const struct psw_eigen *e,
                        struct psw_spectrum *out, struct psw_error *err)
{
    const struct psw_spectrum_plan *p = m->plan;
    const MPI_Comm comm = m->rows.grid->comm;
    const int64_t C = p->n_checkpoint, n_cell = p->n_cell * C * AXES,
                  n_run = p->n_run * C * AXES;
    double *axis = calloc((size_t)(AXES * m->rows.m) + 1, sizeof *axis);
    double *map = calloc((size_t)n_cell + 1, sizeof *map);
    double *map_run = calloc((size_t)n_run + 1, sizeof *map_run);
    psw_status rc = axis && map && map_run ? PSW_OK : no_memory("the map", err);
    rc = psw_agree(comm, rc, err);
    if (rc == PSW_OK) {
        const int is_first = psw_comm_rank(comm) == 0;
        take_axes(m, e, axis);
        project(m, axis, map, map_run);
        PSW_MPI(MPI_Reduce(is_first ? MPI_IN_PLACE : map, map, psw_int_cast(n_cell), MPI_DOUBLE,
                           MPI_SUM, 0, comm));
        PSW_MPI(MPI_Reduce(is_first ? MPI_IN_PLACE : map_run, map_run, psw_int_cast(n_run),
                           MPI_DOUBLE, MPI_SUM, 0, comm));
        if (is_first) out->map.cell = map, out->map.run = map_run, map = map_run = NULL;
    }
    free(axis);
    free(map);
    free(map_run);
    return rc;
}

/* Runs that are no part of the map have no place on it. */
static void blank_others(const struct map *m, struct psw_spectrum *out)
{
    const struct psw_spectrum_plan *p = m->plan;
    for (int64_t i = 0; out->map.run && i < p->n_run; i++) {
        int is_on = 0;
        for (int64_t s = 0; s < m->S; s++) is_on |= m->run_at[p->cell[i] * p->n_seed + s] == i;
        for (int64_t j = 0; j < p->n_checkpoint * AXES && !is_on; j++)
            out->map.run[i * p->n_checkpoint * AXES + j] = NAN;
    }
}

psw_status psw_spectrum_map(struct psw_results *results, const struct psw_grid *line,
                            const struct psw_grid *grid, const struct psw_spectrum_plan *plan,
                            struct psw_spectrum *out, struct psw_error *err)
{
    struct map m = {.plan = plan};
    struct psw_grid_matrix gram = {0};
    struct psw_eigen e = {0};
    psw_status rc = psw_agree(
        grid->comm, find_seeds(&m) ? PSW_OK : no_memory("seeds of the map", err), err);
    out->map.n_seed = m.S;
    if (rc != PSW_OK || m.S == 0) goto fail;
    rc = psw_gram_rows_init(line, plan->n_cell, plan->n_checkpoint, m.S * plan->k, &m.rows,
                            &m.share, err);
    if (rc == PSW_OK) rc = read_rows(results, &m, err);
    PSW_TRY(psw_agree(grid->comm, rc, err));
    PSW_TRY(psw_gram_center(&m.rows, m.is_there, err));
    PSW_TRY(psw_gram_init(&m.rows, grid, PSW_GRAM_OF_ROWS, PSW_GRAM_BLOCK, &gram, err));
    PSW_TRY(psw_gram_eigen(&gram, AXES, &e, err));
    PSW_TRY(bring(&m, &e, out, err));
    blank_others(&m, out);
    double sum = 0;
    for (int64_t i = 0; i < e.n; i++) sum += fmax(0, e.value[i]);
    for (int d = 0; d < AXES; d++) out->map.share[d] = d < e.n ? e.value[d] / sum : 0;
fail:
    psw_eigen_clear(&e);
    psw_grid_matrix_clear(&gram);
    psw_grid_matrix_clear(&m.rows);
    free(m.run_at);
    free(m.is_there);
    return rc;
}
