/* What one run's directions have to do with one another: cosines between checkpoints, with and
 * without the noise of D', how many directions there are, and the subspace that holds most.
 *
 * v = a + b, the shares of the two halves of D'. The halves are independent samples, so
 * (<a_s, b_t> + <b_s, a_t>) / 2 has none of the noise that v_s and v_t share through D', and
 * over the roots of its values at s = t it is the cosine of v's expectation. */
#include "spectrum_internal.h"

#include <math.h>
#include <posweep/util/cast.h>
#include <stdlib.h>
#include <string.h>

static const double UNIT = 1, NOTHING = 0;
/* An eigenvalue below this share of the largest is rounding. */
static const double ROUNDING = 1e-10;

struct psw_effective_rank psw_effective_rank(int64_t n, const double *eigenvalue)
{
    struct psw_effective_rank r = {NAN, NAN};
    double sum = 0, entropy = 0, square = 0;
    for (int64_t i = 0; i < n; i++) sum += fmax(0, eigenvalue[i]);
    if (!(sum > 0)) return r;
    for (int64_t i = 0; i < n; i++) {
        const double p = fmax(0, eigenvalue[i]) / sum;
        if (p > 0) entropy -= p * log(p);
        square += p * p;
    }
    r.entropy = exp(entropy);
    r.participation = 1 / square;
    return r;
}

struct psw_spectrum_places psw_spectrum_places_of(int64_t C)
{
    const int64_t square = C * C, begin = 2 * square;
    return (struct psw_spectrum_places){.cosine = 0,
                                        .cosine_clean = square,
                                        .entropy_rank = begin,
                                        .participation = begin + C,
                                        .explained = begin + 2 * C,
                                        .norm = begin + 3 * C,
                                        .n = begin + 4 * C};
}

psw_status psw_spectrum_room_init(const struct psw_spectrum_plan *plan,
                                  struct psw_spectrum_room *out, struct psw_error *err)
{
    const size_t C = (size_t)plan->n_checkpoint, k = (size_t)plan->k;
    struct psw_spectrum_room r = {.half = malloc(sizeof *r.half * C * k),
                                  .gram = malloc(sizeof *r.gram * C * C),
                                  .part = malloc(sizeof *r.part * C * C)};
    if (r.half && r.gram && r.part) {
        *out = r;
        return PSW_OK;
    }
    psw_spectrum_room_clear(&r);
    return psw_fail(err, PSW_ENOMEM, "spectrum: %zu checkpoints of %zu numbers", C, k);
}

void psw_spectrum_room_clear(struct psw_spectrum_room *room)
{
    free(room->half);
    free(room->gram);
    free(room->part);
    *room = (struct psw_spectrum_room){0};
}

/* ---- reading ---- */

static psw_status read_sketches(struct psw_results *results,
                                const struct psw_spectrum_plan *plan, const char *name,
                                int64_t i, double *x, struct psw_error *err)
{
    const int has_component = plan->of == PSW_SPECTRUM_COMPONENT;
    const int64_t start[4] = {plan->run[i], 0, has_component ? plan->component : 0, 0};
    const int64_t count[4] = {1, plan->n_checkpoint, has_component ? 1 : plan->k, plan->k};
    return psw_results_block(results, name, start, count, x, err);
}

static double norm_of(const double *x, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++) sum += x[i] * x[i];
    return sqrt(sum); /* NaN where anything is */
}

psw_status psw_spectrum_read_run(struct psw_results *results,
                                 const struct psw_spectrum_plan *plan, int64_t i, double *x,
                                 double *norm, struct psw_error *err)
{
    static const char *const NAMES[] = {[PSW_SPECTRUM_V] = "sketch_v",
                                        [PSW_SPECTRUM_DISPLACEMENT] = "sketch_displacement",
                                        [PSW_SPECTRUM_COMPONENT] = "sketch_component"};
    const int64_t k = plan->k;
    const psw_status rc = read_sketches(results, plan, NAMES[plan->of], i, x, err);
    for (int64_t t = 0; rc == PSW_OK && t < plan->n_checkpoint; t++) {
        norm[t] = t < plan->n_used[i] ? norm_of(x + t * k, k) : 0;
        if (!isfinite(norm[t])) norm[t] = 0;
        if (norm[t] == 0) memset(x + t * k, 0, sizeof *x * (size_t)k);
    }
    return rc;
}

psw_status psw_spectrum_try(struct psw_results *results, const struct psw_spectrum_plan *plan,
                            struct psw_error *err)
{
    struct psw_spectrum_room room = {0};
    psw_status rc = psw_spectrum_room_init(plan, &room, err);
    for (int64_t i = 0; i < plan->n_run && rc == PSW_OK; i++) {
        rc = psw_spectrum_read_run(results, plan, i, room.half, room.gram, err);
        if (rc == PSW_OK && plan->of == PSW_SPECTRUM_V)
            rc = read_sketches(results, plan, "sketch_v_half", i, room.half, err);
    }
    psw_spectrum_room_clear(&room);
    return rc;
}

/* ---- measuring ---- */

/* Inner products of rows with rows, [C][C]. */
static void products(int64_t C, int64_t k, const double *a, const double *b, double *out)
{
    const int n = psw_int_cast(C), depth = psw_int_cast(k);
    dgemm_("T", "N", &n, &n, &depth, &UNIT, a, &depth, b, &depth, &NOTHING, out, &n);
}

static void take_cosines(int64_t C, const double *gram, double *out)
{
    for (int64_t s = 0; s < C; s++)
        for (int64_t t = 0; t < C; t++) {
            const double size = gram[s * C + s] * gram[t * C + t];
            const int is_there = gram[s * C + s] > 0 && gram[t * C + t] > 0;
            out[s * C + t] = is_there ? gram[s * C + t] / sqrt(size) : NAN;
        }
}

/* x: v, not scaled. */
static psw_status take_clean(struct psw_results *results, const struct psw_spectrum_plan *plan,
                             int64_t i, const struct psw_spectrum_room *room, const double *x,
                             double *out, struct psw_error *err)
{
    const int64_t C = plan->n_checkpoint, k = plan->k;
    psw_status rc = read_sketches(results, plan, "sketch_v_half", i, room->half, err);
    if (rc != PSW_OK) return rc;
    for (int64_t t = 0; t < C; t++)
        if (t >= plan->n_used[i] || !isfinite(norm_of(room->half + t * k, k)))
            memset(room->half + t * k, 0, sizeof(double) * (size_t)k);
    products(C, k, room->half, x, room->gram);                          /* <a_s, v_t> */
    products(C, k, room->half, room->half, room->part);                 /* <a_s, a_t> */
    for (int64_t j = 0; j < C * C; j++) room->gram[j] -= room->part[j]; /* <a_s, b_t> */
    for (int64_t s = 0; s < C; s++)
        for (int64_t t = 0; t <= s; t++)
            room->gram[s * C + t] = room->gram[t * C + s] =
                0.5 * (room->gram[s * C + t] + room->gram[t * C + s]);
    take_cosines(C, room->gram, out);
    return PSW_OK;
}

/* Effective ranks of the directions up to each checkpoint that is there, and what the leading
 * axes of all of them hold. */
static psw_status take_ranks(int64_t C, const double *gram, double *packed,
                             const struct psw_spectrum_places *p, struct psw_eigen *last,
                             int64_t n_dim, double *scratch, struct psw_error *err)
{
    for (int64_t t = 0; t < C; t++) {
        const int64_t n = t + 1;
        struct psw_eigen e = {0};
        packed[p->entropy_rank + t] = packed[p->participation + t] = NAN;
        if (!(gram[t * C + t] > 0) && n < C) continue;
        for (int64_t r = 0; r < n; r++)
            memcpy(scratch + r * n, gram + r * C, sizeof *gram * (size_t)n);
        const psw_status rc = psw_eigen_serial(n, scratch, n < C ? 0 : n_dim, &e, err);
        if (rc != PSW_OK) return rc;
        const struct psw_effective_rank r = psw_effective_rank(n, e.value);
        if (gram[t * C + t] > 0) {
            packed[p->entropy_rank + t] = r.entropy;
            packed[p->participation + t] = r.participation;
        }
        if (n == C)
            *last = e;
        else
            psw_eigen_clear(&e);
    }
    double sum = 0, part = 0;
    for (int64_t i = 0; i < C; i++) sum += fmax(0, last->value[i]);
    for (int64_t i = 0; i < C; i++)
        packed[p->explained + i] = sum > 0 ? (part += fmax(0, last->value[i])) / sum : NAN;
    return PSW_OK;
}

/* Orthonormal directions that span most of the rows; 0 where there are not so many. */
static void take_basis(const struct psw_eigen *e, const struct psw_spectrum_plan *plan,
                       const double *x, double *basis)
{
    const int64_t C = plan->n_checkpoint, k = plan->k;
    memset(basis, 0, sizeof *basis * (size_t)(plan->n_dim * k));
    for (int64_t d = 0; d < e->n_vector; d++) {
        if (!(e->value[d] > ROUNDING * e->value[0])) continue;
        for (int64_t t = 0; t < C; t++) {
            const double factor = e->vector[d * C + t] / sqrt(e->value[d]);
            for (int64_t i = 0; i < k && factor != 0; i++)
                basis[d * k + i] += factor * x[t * k + i];
        }
    }
}

psw_status psw_spectrum_run(struct psw_results *results, const struct psw_spectrum_plan *plan,
                            int64_t i, const struct psw_spectrum_room *room, double *x,
                            double *packed, double *basis, struct psw_error *err)
{
    const int64_t C = plan->n_checkpoint, k = plan->k;
    const struct psw_spectrum_places p = psw_spectrum_places_of(C);
    struct psw_eigen e = {0};
    psw_status rc = PSW_OK;
    double *norm = packed + p.norm;
    PSW_TRY(psw_spectrum_read_run(results, plan, i, x, norm, err));
    for (int64_t j = 0; j < C * C; j++) packed[p.cosine_clean + j] = NAN;
    if (plan->of == PSW_SPECTRUM_V)
        PSW_TRY(take_clean(results, plan, i, room, x, packed + p.cosine_clean, err));
    for (int64_t t = 0; t < C; t++)
        for (int64_t j = 0; j < k && plan->of != PSW_SPECTRUM_DISPLACEMENT && norm[t] > 0; j++)
            x[t * k + j] /= norm[t];
    products(C, k, x, x, room->gram);
    take_cosines(C, room->gram, packed + p.cosine);
    PSW_TRY(take_ranks(C, room->gram, packed, &p, &e, plan->n_dim, room->part, err));
    take_basis(&e, plan, x, basis);
    for (int64_t t = 0; t < C; t++)
        if (norm[t] == 0) norm[t] = NAN;
fail:
    psw_eigen_clear(&e);
    return rc;
}
