/* The sign-flip test and its inversion. Flipping the signs of a subset S of the differences,
 * each less a supposed centre, makes the sum no larger exactly where the mean of S is at most
 * that centre. So p at a centre is a count of subsets whose mean does not exceed it, and the
 * ends of the interval are order statistics of the means of subsets. All subsets are counted by
 * sorting the sums of either half: 2^(n/2) steps in place of 2^n. */
#include <posweep/analyze/signflip.h>

#include <posweep/analyze/stats.h>
#include <posweep/util/rng.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums that differ by less than this share of the sum of magnitudes are tied. */
static const double TIE = 1e-12;

/* How near the ends of an exact interval are found, in the same unit. */
static const double NEAR = 1e-11;

enum { MOST_HALF = 1 << (PSW_SIGNFLIP_EXACT / 2), WORD = 8, TABLE = 1 << WORD };

/* ---- all subsets ---- */

/** Sorted sums of the subsets of either half. */
struct halves {
    double a[MOST_HALF], b[MOST_HALF], scratch[MOST_HALF];
};

/** Sums of all subsets of x, ascending. Shapes: x [n]; out, scratch [1 << n]. */
static void sort_sums(const double *x, int64_t n, double *out, double *scratch)
{
    out[0] = 0;
    for (int64_t k = 0, m = 1; k < n; k++, m *= 2) {
        int64_t i = 0, j = 0;
        while (i < m && j < m) /* without x[k], and with it */
            if (out[i] <= out[j] + x[k])
                scratch[i + j] = out[i], i++;
            else
                scratch[i + j] = out[j] + x[k], j++;
        for (; i < m; i++) scratch[i + j] = out[i];
        for (; j < m; j++) scratch[i + j] = out[j] + x[k];
        memcpy(out, scratch, 2 * (size_t)m * sizeof *out);
    }
}

/** Subsets, the empty one among them, of sign * d - centre whose sum is at most `limit`. */
static int64_t count_subsets(struct halves *h, const double *d, int64_t n, double sign,
                             double centre, double limit)
{
    double x[PSW_SIGNFLIP_EXACT];
    const int64_t n_a = n / 2, n_b = n - n_a;
    int64_t count = 0, j = (int64_t)1 << n_b;
    for (int64_t i = 0; i < n; i++) x[i] = sign * d[i] - centre;
    sort_sums(x, n_a, h->a, h->scratch);
    sort_sums(x + n_a, n_b, h->b, h->scratch);
    for (int64_t i = 0; i < (int64_t)1 << n_a; i++) {
        while (j > 0 && h->a[i] + h->b[j - 1] > limit) j--;
        count += j;
    }
    return count;
}

/** The k-th smallest mean of the non-empty subsets of sign * d, k >= 1, between the ends of the
 *  sample. */
static double subset_mean(struct halves *h, const double *d, int64_t n, double sign, int64_t k,
                          double scale)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        lo = fmin(lo, sign * d[i]);
        hi = fmax(hi, sign * d[i]);
    }
    if (count_subsets(h, d, n, sign, lo, TIE * scale) > k) return lo;
    while (hi - lo > NEAR * scale) {
        const double mid = lo + (hi - lo) / 2;
        if (count_subsets(h, d, n, sign, mid, TIE * scale) >
            k) /* the empty one is among them */
            hi = mid;
        else
            lo = mid;
    }
    return hi;
}

static psw_status test_exactly(const double *d, double alpha, double scale,
                               struct psw_signflip *out, struct psw_error *err)
{
    const double n_class = ldexp(1, (int)out->n - 1), sign = out->mean < 0 ? -1 : 1;
    const int64_t k = (int64_t)floor(alpha * n_class);
    struct halves *h = malloc(sizeof *h);
    if (!h) return psw_fail(err, PSW_ENOMEM, "sign-flip test: %zu bytes", sizeof *h);
    out->p = (double)count_subsets(h, d, out->n, sign, 0, TIE * scale) / n_class;
    if (k > 0) {
        out->interval.lo = subset_mean(h, d, out->n, 1, k, scale);
        out->interval.hi = -subset_mean(h, d, out->n, -1, k, scale);
    }
    free(h);
    return PSW_OK;
}

/* ---- drawn subsets ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/** Sums of the differences that each value of a byte selects. Shapes: table [n_byte][TABLE]. */
static void tabulate(const double *d, int64_t n, double *table)
{
    for (int64_t i = 0; i < n; i += WORD)
        for (int64_t mask = 0; mask < TABLE; mask++) {
            double sum = 0;
            for (int64_t b = 0; b < WORD && i + b < n; b++) sum += mask >> b & 1 ? d[i + b] : 0;
            table[i / WORD * TABLE + mask] = sum;
        }
}

/** A drawn subset: its sum and how many it has. */
static double draw_subset(const double *table, int64_t n, uint64_t draw, int64_t *size)
{
    const struct psw_rng rng = {.seed = (uint64_t)n, .use = PSW_RNG_SIGNFLIP};
    const uint64_t last = n % WORD ? ((uint64_t)1 << n % WORD) - 1 : TABLE - 1;
    const int64_t n_byte = (n + WORD - 1) / WORD;
    uint32_t words[4];
    double sum = 0;
    *size = 0;
    for (int64_t i = 0; i < n_byte; i++) {
        if (i % 16 == 0) psw_rng_words(rng, draw, (uint32_t)(i / 16), words);
        uint64_t mask = words[i % 16 / 4] >> 8 * (i % 4) & 0xFF;
        if (i == n_byte - 1) mask &= last;
        sum += table[i * TABLE + (int64_t)mask];
        *size += __builtin_popcountll(mask);
    }
    return sum;
}

/** Shapes: table [n_byte * TABLE]; means [2 * PSW_SIGNFLIP_DRAWS]: of drawn subsets and of what
 *  they leave. */
static void test_by_draws(double alpha, double scale, const double *table, double *means,
                          struct psw_signflip *out)
{
    const double n = (double)out->n, total = n * out->mean;
    const int64_t k = (int64_t)floor(alpha * (1 + PSW_SIGNFLIP_DRAWS));
    int64_t count = 0, n_mean = 0;
    for (uint64_t draw = 0; draw < PSW_SIGNFLIP_DRAWS; draw++) {
        int64_t size;
        const double sum = draw_subset(table, out->n, draw, &size);
        count += fabs(total - 2 * sum) >= fabs(total) - TIE * scale;
        means[n_mean++] = size > 0 ? sum / (double)size : -INFINITY;
        means[n_mean++] = size < out->n ? (total - sum) / (n - (double)size) : -INFINITY;
    }
    out->p = (double)(1 + count) / (1 + PSW_SIGNFLIP_DRAWS);
    if (k == 0) return;
    qsort(means, (size_t)n_mean, sizeof *means, by_value);
    int64_t n_empty = 0; /* an empty subset is below every centre, and above it, too */
    while (n_empty < n_mean && means[n_empty] == -INFINITY) n_empty++;
    out->interval.lo = k > n_empty ? means[k - 1] : -INFINITY;
    out->interval.hi = k > n_empty ? means[n_mean - (k - n_empty)] : INFINITY;
}

static psw_status test_sampled(const double *d, double alpha, double scale,
                               struct psw_signflip *out, struct psw_error *err)
{
    const size_t n_byte = ((size_t)out->n + WORD - 1) / WORD;
    double *table = calloc(n_byte * TABLE, sizeof *table);
    double *means = calloc(2 * PSW_SIGNFLIP_DRAWS, sizeof *means);
    psw_status rc = PSW_OK;
    if (table && means) {
        tabulate(d, out->n, table);
        test_by_draws(alpha, scale, table, means, out);
    } else {
        rc = psw_fail(err, PSW_ENOMEM, "sign-flip test of %lld pairs", (long long)out->n);
    }
    free(table);
    free(means);
    return rc;
}

/* ---- what a sample says ---- */

static double n_classes(int64_t n)
{
    return n > PSW_SIGNFLIP_EXACT ? 1 + PSW_SIGNFLIP_DRAWS : ldexp(1, (int)n - 1);
}

double psw_signflip_floor(int64_t n)
{
    return n >= 1 ? 1 / n_classes(n) : NAN;
}

/** Hedges' factor for a standardised mean with df degrees of freedom. */
static double small_sample(double df)
{
    return exp(gsl_sf_lngamma(df / 2) - gsl_sf_lngamma((df - 1) / 2)) / sqrt(df / 2);
}

/** Moments and shares; returns the sum of the magnitudes. */
static double describe(const double *d, int64_t n, double *scratch, struct psw_signflip *out)
{
    const struct psw_stat s = psw_stat_of(d, n, 1);
    double scale = 0;
    for (int64_t i = 0; i < n; i++) {
        scratch[i] = d[i];
        scale += fabs(d[i]);
        out->share_above += d[i] > 0 ? 1 : d[i] == 0 ? 0.5 : 0;
    }
    out->mean = s.mean;
    out->median = psw_spread_of(scratch, n).median;
    out->sd = s.sd;
    out->share_above /= (double)n;
    out->effect = NAN;
    if (n > 2 && s.sd > TIE * scale) out->effect = s.mean / s.sd * small_sample((double)n - 1);
    return scale;
}

psw_status psw_signflip_test(const double *difference, int64_t n, double alpha,
                             struct psw_signflip *out, struct psw_error *err)
{
    if (n < 1 || !(alpha > 0 && alpha < 1))
        return psw_fail(err, PSW_EINVAL, "sign-flip test: %lld pairs at alpha %g", (long long)n,
                        alpha);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(difference[i]))
            return psw_fail(err, PSW_EINVAL, "sign-flip test: difference %lld is %g",
                            (long long)i, difference[i]);
    double *scratch = calloc((size_t)n, sizeof *scratch);
    if (!scratch)
        return psw_fail(err, PSW_ENOMEM, "sign-flip test of %lld pairs", (long long)n);
    struct psw_signflip t = {.n = n, .interval = {-INFINITY, INFINITY}};
    const double scale = describe(difference, n, scratch, &t);
    t.is_exact = n <= PSW_SIGNFLIP_EXACT;
    t.p_floor = psw_signflip_floor(n);
    t.coverage = 1 - floor(alpha * n_classes(n)) / n_classes(n);
    const psw_status rc = t.is_exact ? test_exactly(difference, alpha, scale, &t, err)
                                     : test_sampled(difference, alpha, scale, &t, err);
    t.p = fmin(t.p, 1);
    free(scratch);
    if (rc == PSW_OK) *out = t;
    return rc;
}

/* ---- families ---- */

/** A p and where it stands. */
struct place {
    double p;
    int64_t at;
};

static int by_p(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->p < y->p ? -1 : x->p > y->p;
}

psw_status psw_holm(const double *p, int64_t n, double *out, struct psw_error *err)
{
    struct place *place = calloc((size_t)n + 1, sizeof *place);
    int64_t n_test = 0;
    double worst = 0;
    if (!place) return psw_fail(err, PSW_ENOMEM, "Holm's adjustment of %lld", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        out[i] = NAN;
        if (!isnan(p[i])) place[n_test++] = (struct place){p[i], i};
    }
    qsort(place, (size_t)n_test, sizeof *place, by_p);
    for (int64_t i = 0; i < n_test; i++) {
        worst = fmax(worst, fmin(1, (double)(n_test - i) * place[i].p));
        out[place[i].at] = worst;
    }
    free(place);
    return PSW_OK;
}

/* ---- power ---- */

double psw_signflip_mde(int64_t n, double alpha, double power)
{
    if (n < 1 || !(alpha > 0 && alpha < 1) || !(power > 0 && power < 1)) return NAN;
    const double k = floor(alpha * n_classes(n)), df = (double)n - 1;
    if (k < 1) return INFINITY;
    if (k < 2 && n <= PSW_SIGNFLIP_EXACT) return psw_normal_quantile(pow(power, 1 / (double)n));
    return (psw_t_quantile(1 - k / n_classes(n) / 2, df) + psw_t_quantile(power, df)) /
           sqrt((double)n);
}

int64_t psw_signflip_pairs_for(double effect, double alpha, double power)
{
    if (isnan(effect) || effect == 0) return -1;
    for (int64_t n = 1; n <= PSW_SIGNFLIP_MOST_PAIRS; n++)
        if (psw_signflip_mde(n, alpha, power) <= fabs(effect) && psw_signflip_floor(n) <= alpha)
            return n;
    return -1;
}
