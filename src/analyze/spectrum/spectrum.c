/* The spectrum of a sweep: every rank measures its runs, then all of them the Gram matrices. */
#include "spectrum_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What every rank has while it works. */
struct work {
    const struct psw_spectrum_plan *plan;
    struct psw_grid line, grid;
    struct psw_grid_matrix rows, bases; /* [n_run][C], [n_run][n_dim] sketches */
    struct psw_gram_share share;        /* runs of this rank */
    double *packed;                     /* [runs of this rank][places.n] owned */
};

void psw_spectrum_clear(struct psw_spectrum *s)
{
    double *const owned[] = {s->run.cosine,        s->run.cosine_clean, s->run.entropy_rank,
                             s->run.participation, s->run.explained,    s->run.norm,
                             s->angle.same_seed,   s->angle.other_seed, s->all.explained,
                             s->map.cell,          s->map.run};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    *s = (struct psw_spectrum){0};
}

static psw_status no_memory(int64_t n, struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "spectrum: %lld runs", (long long)n);
}

/* ---- runs ---- */

static psw_status measure_runs(struct psw_results *results, struct work *w,
                               struct psw_error *err)
{
    const struct psw_spectrum_plan *p = w->plan;
    const int64_t n_packed = psw_spectrum_places_of(p->n_checkpoint).n;
    struct psw_spectrum_room room = {0};
    w->packed =
        calloc((size_t)((w->share.end - w->share.begin) * n_packed) + 1, sizeof *w->packed);
    psw_status rc = w->packed ? PSW_OK : no_memory(p->n_run, err);
    if (rc == PSW_OK) rc = psw_spectrum_room_init(p, &room, err);
    for (int64_t i = w->share.begin; i < w->share.end && rc == PSW_OK; i++) {
        const int64_t at = i - w->share.begin;
        rc = psw_spectrum_run(results, p, i, &room, w->rows.local + at * p->n_checkpoint * p->k,
                              w->packed + at * n_packed, w->bases.local + at * p->n_dim * p->k,
                              err);
    }
    psw_spectrum_room_clear(&room);
    return rc;
}

/* Columns [from, from + n) of a matrix of n_row rows. */
static double *cut(const double *x, int64_t n_row, int64_t row, int64_t from, int64_t n)
{
    double *out = malloc(sizeof *out * (size_t)(n_row * n) + 1);
    for (int64_t r = 0; out && r < n_row; r++)
        memcpy(out + r * n, x + r * row + from, sizeof *out * (size_t)n);
    return out;
}

static int unpack(const struct psw_spectrum_plan *plan, const double *packed,
                  struct psw_spectrum *out)
{
    const int64_t n = plan->n_run, C = plan->n_checkpoint;
    const struct psw_spectrum_places p = psw_spectrum_places_of(C);
    out->run.cosine = cut(packed, n, p.n, p.cosine, C * C);
    out->run.cosine_clean = cut(packed, n, p.n, p.cosine_clean, C * C);
    out->run.entropy_rank = cut(packed, n, p.n, p.entropy_rank, C);
    out->run.participation = cut(packed, n, p.n, p.participation, C);
    out->run.explained = cut(packed, n, p.n, p.explained, C);
    out->run.norm = cut(packed, n, p.n, p.norm, C);
    return out->run.cosine && out->run.cosine_clean && out->run.entropy_rank &&
           out->run.participation && out->run.explained && out->run.norm;
}

/* Runs stand in the order of the ranks. */
static psw_status bring_runs(MPI_Comm comm, const struct work *w, struct psw_spectrum *out,
                             struct psw_error *err)
{
    const int size = psw_comm_size(comm), is_first = psw_comm_rank(comm) == 0;
    const int64_t n_packed = psw_spectrum_places_of(w->plan->n_checkpoint).n;
    const int n_own = psw_int_cast(w->share.end - w->share.begin);
    int *count = calloc(2 * (size_t)size, sizeof *count), *from = count ? count + size : NULL;
    double *all = NULL;
    if (is_first) all = malloc(sizeof *all * (size_t)(w->plan->n_run * n_packed) + 1);
    psw_status rc = count && (all || !is_first) ? PSW_OK : no_memory(w->plan->n_run, err);
    rc = psw_agree(comm, rc, err);
    if (rc == PSW_OK) {
        MPI_Datatype one;
        PSW_MPI(MPI_Type_contiguous(psw_int_cast(n_packed), MPI_DOUBLE, &one));
        PSW_MPI(MPI_Type_commit(&one));
        PSW_MPI(MPI_Gather(&n_own, 1, MPI_INT, count, 1, MPI_INT, 0, comm));
        for (int r = 1; r < size; r++) from[r] = from[r - 1] + count[r - 1];
        PSW_MPI(MPI_Gatherv(w->packed, n_own, one, all, count, from, one, 0, comm));
        PSW_MPI(MPI_Type_free(&one));
        if (is_first && !unpack(w->plan, all, out)) rc = no_memory(w->plan->n_run, err);
        rc = psw_agree(comm, rc, err);
    }
    free(count);
    free(all);
    return rc;
}

/* ---- all directions ---- */

static psw_status measure_all(MPI_Comm comm, const struct work *w, struct psw_spectrum *out,
                              struct psw_error *err)
{
    struct psw_grid_matrix gram = {0};
    struct psw_eigen e = {0};
    psw_status rc = PSW_OK;
    const enum psw_gram_side side =
        w->rows.n <= w->rows.m ? PSW_GRAM_OF_ROWS : PSW_GRAM_OF_COLUMNS;
    PSW_TRY(psw_gram_init(&w->rows, &w->grid, side, PSW_GRAM_BLOCK, &gram, err));
    PSW_TRY(psw_gram_eigen(&gram, 0, &e, err));
    const struct psw_effective_rank r = psw_effective_rank(e.n, e.value);
    out->all.n = e.n;
    out->all.entropy_rank = r.entropy;
    out->all.participation = r.participation;
    double sum = 0, part = 0;
    for (int64_t i = 0; i < e.n; i++) sum += fmax(0, e.value[i]);
    for (int64_t i = 0; i < e.n; i++) e.value[i] = (part += fmax(0, e.value[i])) / sum;
    if (psw_comm_rank(comm) == 0) out->all.explained = e.value, e.value = NULL;
fail:
    psw_eigen_clear(&e);
    psw_grid_matrix_clear(&gram);
    return rc;
}

/* ---- the whole ---- */

static psw_status prepare(MPI_Comm comm, const struct psw_spectrum_opts *opts, struct work *w,
                          struct psw_error *err)
{
    const struct psw_spectrum_plan *p = w->plan;
    struct psw_gram_share same;
    psw_status rc = psw_grid_init(comm, opts->n_grid_row, opts->n_grid_column, &w->grid, err);
    if (rc != PSW_OK) return rc;
    rc = psw_grid_init(comm, 1, psw_comm_size(comm), &w->line, err);
    if (rc == PSW_OK)
        rc = psw_gram_rows_init(&w->line, p->n_run, p->n_checkpoint, p->k, &w->rows, &w->share,
                                err);
    if (rc == PSW_OK)
        rc = psw_gram_rows_init(&w->line, p->n_run, p->n_dim, p->k, &w->bases, &same, err);
    return psw_agree(comm, rc, err);
}

psw_status psw_spectrum_compute(MPI_Comm comm, struct psw_results *results,
                                const struct psw_spectrum_plan *plan,
                                const struct psw_spectrum_opts *opts, struct psw_spectrum *out,
                                struct psw_error *err)
{
    struct work w = {.plan = plan};
    struct psw_spectrum s = {0};
    psw_status rc = PSW_OK;
    PSW_TRY(prepare(comm, opts, &w, err));
    PSW_TRY(psw_agree(comm, measure_runs(results, &w, err), err));
    PSW_TRY(bring_runs(comm, &w, &s, err));
    PSW_TRY(measure_all(comm, &w, &s, err));
    psw_grid_matrix_clear(&w.rows);
    PSW_TRY(psw_spectrum_angles(&w.bases, &w.grid, plan, &s, err));
    psw_grid_matrix_clear(&w.bases);
    PSW_TRY(psw_spectrum_map(results, &w.line, &w.grid, plan, &s, err));
fail:
    free(w.packed);
    psw_grid_matrix_clear(&w.rows);
    psw_grid_matrix_clear(&w.bases);
    psw_grid_clear(&w.line);
    psw_grid_clear(&w.grid);
    if (rc == PSW_OK)
        *out = s;
    else
        psw_spectrum_clear(&s);
    return rc;
}
