/* Bands: traces gathered into a matrix, and the quantile of the largest |t| over sign flips. */
#include <posweep/analyze/bands.h>

#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the factor ---- */

/** Curves less their mean, and what does not change with the signs. */
struct residuals {
    const double *r;       /* [n][n_point] */
    const double *squares; /* [n_point] sums of their squares */
    double *sum;           /* [n_point] scratch */
    double *sign;          /* [n] scratch */
    int64_t n, n_point;
};

/** The signs of a pattern: 0 flips none, and the last trace always stays. Shapes: out [n]. */
static void make_signs(const struct residuals *c, int64_t pattern, double *out)
{
    const struct psw_rng rng = {.seed = (uint64_t)c->n, .use = PSW_RNG_SIGNFLIP, .step = 1};
    uint32_t words[4] = {(uint32_t)pattern};
    for (int64_t i = 0; i < c->n; i++) {
        if (c->n > PSW_BAND_EXACT && pattern > 0 && i % 128 == 0)
            psw_rng_words(rng, (uint64_t)pattern, (uint32_t)(i / 128), words);
        out[i] = i < c->n - 1 && (words[i % 128 / 32] >> i % 32 & 1) ? -1 : 1;
    }
}

/** Largest |t| along the curves under a pattern of signs. */
static double largest_t(const struct residuals *c, int64_t pattern)
{
    const double n = (double)c->n;
    double largest = 0;
    make_signs(c, pattern, c->sign);
    for (int64_t k = 0; k < c->n_point; k++) c->sum[k] = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const double *r = c->r + i * c->n_point;
        for (int64_t k = 0; k < c->n_point; k++) c->sum[k] += c->sign[i] * r[k];
    }
    for (int64_t k = 0; k < c->n_point; k++) {
        const double square = c->sum[k] * c->sum[k] / n, rest = c->squares[k] - square;
        if (c->squares[k] == 0) continue; /* all curves meet here */
        largest = fmax(largest, rest > 0 ? square * (n - 1) / rest : INFINITY);
    }
    return sqrt(largest);
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/** Shapes: t [n_pattern]. */
static double factor_of(const struct residuals *c, int64_t n_pattern, double alpha, double *t)
{
    const int64_t n_refused = (int64_t)floor(alpha * (double)n_pattern);
    for (int64_t p = 0; p < n_pattern; p++) t[p] = largest_t(c, p);
    qsort(t, (size_t)n_pattern, sizeof *t, descending);
    return n_refused > 0 ? t[n_refused] : INFINITY;
}

/** Mean and squares per point, and the residuals. */
static void centre(const double *x, struct residuals *c, double *r, double *squares,
                   double *mean)
{
    for (int64_t k = 0; k < c->n_point; k++) {
        double sum = 0;
        for (int64_t i = 0; i < c->n; i++) sum += x[i * c->n_point + k];
        mean[k] = sum / (double)c->n;
        squares[k] = 0;
        for (int64_t i = 0; i < c->n; i++) {
            const double own = x[i * c->n_point + k] - mean[k];
            r[i * c->n_point + k] = own;
            squares[k] += own * own;
        }
    }
}

static psw_status reserve(struct psw_band *b, int64_t n_point, struct psw_error *err)
{
    b->step = calloc(4 * (size_t)n_point + 1, sizeof *b->step);
    if (!b->step) return psw_fail(err, PSW_ENOMEM, "band of %lld points", (long long)n_point);
    b->mean = b->step + n_point;
    b->lo = b->mean + n_point;
    b->hi = b->lo + n_point;
    b->n_point = n_point;
    return PSW_OK;
}

psw_status psw_band_of_curves(const double *x, int64_t n, int64_t n_point, double alpha,
                              struct psw_band *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_band b = {.n = n};
    const int64_t n_pattern =
        n <= PSW_BAND_EXACT ? (int64_t)1 << (n > 0 ? n - 1 : 0) : 1 + PSW_BAND_DRAWS;
    double *room = NULL;
    if (n < 2 || n_point < 1 || !(alpha > 0 && alpha < 1))
        return psw_fail(err, PSW_EINVAL, "band of %lld traces of %lld points at alpha %g",
                        (long long)n, (long long)n_point, alpha);
    PSW_TRY(reserve(&b, n_point, err));
    room = calloc((size_t)(n * n_point + 2 * n_point + n + n_pattern), sizeof *room);
    if (!room) PSW_TRY(psw_fail(err, PSW_ENOMEM, "band of %lld traces", (long long)n));
    double *squares = room + n * n_point, *sum = squares + n_point;
    struct residuals c = {.r = room, .squares = squares, .n = n, .n_point = n_point};
    c.sum = sum;
    c.sign = sum + n_point;
    centre(x, &c, room, squares, b.mean);
    b.factor = factor_of(&c, n_pattern, alpha, c.sign + n);
    for (int64_t k = 0; k < n_point; k++) {
        const double half = b.factor * sqrt(squares[k] / (double)(n * (n - 1)));
        const int is_open = isinf(b.factor);
        b.step[k] = (double)k;
        b.lo[k] = is_open ? -INFINITY : b.mean[k] - half;
        b.hi[k] = is_open ? INFINITY : b.mean[k] + half;
    }
fail:
    free(room);
    if (rc == PSW_OK)
        *out = b;
    else
        psw_band_clear(&b);
    return rc;
}

void psw_band_clear(struct psw_band *band)
{
    free(band->step);
    *band = (struct psw_band){0};
}

/* ---- traces ---- */

/** Runs whose traces are taken, or pairs of them whose difference is. */
struct gathered {
    const struct psw_traces *t;
    int64_t component;
    enum psw_along along;
    const int64_t *of, *against; /* [n] rows of the file; against NULL: no difference */
    int64_t n;
};

/** Value of trace i at a checkpoint; NaN where it or its partner has none, or another step. */
static double value_at(const struct gathered *g, int64_t i, int64_t checkpoint, double step)
{
    const struct psw_trace_value v =
        psw_trace_at(g->t, g->along, g->of[i], checkpoint, g->component);
    if (v.step != step) return NAN;
    if (!g->against) return v.scaled;
    const struct psw_trace_value base =
        psw_trace_at(g->t, g->along, g->against[i], checkpoint, g->component);
    return base.step == step ? v.scaled - base.scaled : NAN;
}

/** Band at the checkpoints that all have. */
static psw_status band_of(const struct gathered *g, double alpha, struct psw_band *out,
                          struct psw_error *err)
{
    const int64_t n_checkpoint = g->t->n_checkpoint;
    int64_t n_point = 0;
    double *x, *step, *packed;
    *out = (struct psw_band){.n = g->n};
    if (g->n < 2) return PSW_OK;
    x = calloc((size_t)(2 * g->n * n_checkpoint + n_checkpoint + 1), sizeof *x);
    if (!x) return psw_fail(err, PSW_ENOMEM, "band of %lld traces", (long long)g->n);
    packed = x + g->n * n_checkpoint;
    step = packed + g->n * n_checkpoint;
    for (int64_t k = 0; k < n_checkpoint; k++) {
        int is_whole = 1;
        step[n_point] =
            psw_trace_at(g->t, g->along, g->of[0], k, g->component).step; /* NaN: none */
        for (int64_t i = 0; i < g->n && is_whole; i++) {
            x[i * n_checkpoint + n_point] = value_at(g, i, k, step[n_point]);
            is_whole = isfinite(x[i * n_checkpoint + n_point]);
        }
        n_point += is_whole;
    }
    for (int64_t i = 0; i < g->n; i++)
        memcpy(packed + i * n_point, x + i * n_checkpoint, (size_t)n_point * sizeof *x);
    psw_status rc = PSW_OK;
    if (n_point > 0) rc = psw_band_of_curves(packed, g->n, n_point, alpha, out, err);
    if (n_point > 0 && rc == PSW_OK) memcpy(out->step, step, (size_t)n_point * sizeof *step);
    free(x);
    return rc;
}

static int has_component(const struct psw_traces *t, enum psw_along along, int64_t run,
                         int64_t component)
{
    for (int64_t k = 0; k < psw_trace_length(t, run); k++)
        if (isfinite(psw_trace_at(t, along, run, k, component).scaled)) return 1;
    return 0;
}

psw_status psw_band_of_cell(const struct psw_traces *t, const struct psw_cell *cell,
                            int64_t component, double alpha, struct psw_band *out,
                            struct psw_error *err)
{
    int64_t *run = calloc((size_t)cell->n_run + 1, sizeof *run), n = 0;
    if (!run) return psw_fail(err, PSW_ENOMEM, "band of %lld runs", (long long)cell->n_run);
    for (int64_t i = 0; i < cell->n_run; i++)
        if (cell->apart[i] == PSW_APART_NOT &&
            has_component(t, cell->along, cell->run[i], component))
            run[n++] = cell->run[i];
    const struct gathered g = {
        .t = t, .component = component, .along = cell->along, .of = run, .n = n};
    const psw_status rc = band_of(&g, alpha, out, err);
    free(run);
    return rc;
}

psw_status psw_band_of_contrast(struct psw_results *results, const struct psw_traces *t,
                                const struct psw_contrast *contrast, int64_t component,
                                double alpha, struct psw_band *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_cell *cell = contrast->cell, *baseline = contrast->baseline;
    struct gathered g = {.t = t, .component = component};
    double *value = calloc((size_t)t->n_run + 1, sizeof *value);
    int64_t *run = calloc((size_t)(cell->n_run + baseline->n_run) + 1, sizeof *run);
    if (!value || !run) {
        rc = psw_fail(err, PSW_ENOMEM, "band of %lld runs", (long long)t->n_run);
    } else {
        g.along = cell->along == baseline->along ? cell->along : PSW_ALONG_SAMPLED;
        for (int k = 0; k < 2; k++) {
            const struct psw_cell *c = k ? baseline : cell;
            for (int64_t i = 0; i < c->n_run; i++)
                value[c->run[i]] = has_component(t, g.along, c->run[i], component) ? 1 : NAN;
        }
        g.of = run;
        g.against = run + cell->n_run;
        g.n = psw_contrast_runs(results, contrast, value, run, run + cell->n_run).n;
        rc = band_of(&g, alpha, out, err);
    }
    free(value);
    free(run);
    return rc;
}
