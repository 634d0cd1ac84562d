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

/* Means of subsets that are nearer than this, in the same unit, are one. */
static const double NEAR = 1e-12;

enum { MOST_HALF = 1 << (PSW_SIGNFLIP_EXACT / 2), FEW = 64, WORD = 8, TABLE = 1 << WORD };

/* ---- all subsets ---- */

/** The subsets of one half of the sample by ascending sum. */
struct half {
    double sum[MOST_HALF];
    unsigned char size[MOST_HALF];
    int64_t n;
};

/** Both halves at one centre, and how many subsets of the whole are counted there: those whose
 *  mean is at most the centre, and the empty one. */
struct subsets {
    struct half a, b, scratch;
    const double *d; /* borrowed */
    int64_t n;
    double sign; /* of sign * d */
    double tie;  /* sums up to this much count as 0 */
};

static void put_subset(struct half *to, int64_t at, double sum, int size)
{
    to->sum[at] = sum;
    to->size[at] = (unsigned char)size;
}

/** Subsets of n values, by ascending sum. Shapes: x [n]. */
static void sort_sums(const double *x, int64_t n, struct half *out, struct half *scratch)
{
    put_subset(out, 0, 0, 0);
    out->n = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t i = 0, j = 0;
        while (i < out->n && j < out->n) /* without x[k], and with it */
            if (out->sum[i] <= out->sum[j] + x[k]) {
                put_subset(scratch, i + j, out->sum[i], out->size[i]);
                i++;
            } else {
                put_subset(scratch, i + j, out->sum[j] + x[k], out->size[j] + 1);
                j++;
            }
        for (; i < out->n; i++) put_subset(scratch, i + j, out->sum[i], out->size[i]);
        for (; j < out->n; j++)
            put_subset(scratch, i + j, out->sum[j] + x[k], out->size[j] + 1);
        out->n *= 2;
        memcpy(out->sum, scratch->sum, (size_t)out->n * sizeof *out->sum);
        memcpy(out->size, scratch->size, (size_t)out->n);
    }
}

static int64_t count_subsets(struct subsets *s, double centre)
{
    double x[PSW_SIGNFLIP_EXACT];
    int64_t count = 0;
    for (int64_t i = 0; i < s->n; i++) x[i] = s->sign * s->d[i] - centre;
    sort_sums(x, s->n / 2, &s->a, &s->scratch);
    sort_sums(x + s->n / 2, s->n - s->n / 2, &s->b, &s->scratch);
    for (int64_t i = 0, j = s->b.n; i < s->a.n; i++) {
        while (j > 0 && s->a.sum[i] + s->b.sum[j - 1] > s->tie) j--;
        count += j;
    }
    return count;
}

/** Two centres, and the counts there. */
struct bracket {
    double lo, hi;
    int64_t n_lo, n_hi; /* n_lo <= k < n_hi */
};

/** Look at a centre inside the bracket, which shrinks. */
static void probe(struct subsets *s, struct bracket *b, int64_t k, double centre)
{
    const int64_t count = count_subsets(s, centre);
    if (count > k)
        b->hi = centre, b->n_hi = count;
    else
        b->lo = centre, b->n_lo = count;
}

/** Where the count passes k, if means of subsets were normal. */
static double guess(const struct subsets *s, const struct bracket *b, int64_t k)
{
    const double n = ldexp(1, (int)s->n) + 1;
    const double lo = psw_normal_quantile(((double)b->n_lo + 0.5) / n);
    const double hi = psw_normal_quantile(((double)b->n_hi + 0.5) / n);
    return b->lo +
           (b->hi - b->lo) * (psw_normal_quantile(((double)k + 0.5) / n) - lo) / (hi - lo);
}

/** The subset mean that the count passes k at, of the few in the bracket. */
static double pick(struct subsets *s, const struct bracket *b, int64_t k)
{
    double mean[FEW];
    int64_t n = 0;
    const double width = b->hi - b->lo, least = s->tie - width * (double)s->n;
    count_subsets(s, b->hi);
    for (int64_t i = 0, j = s->b.n; i < s->a.n; i++) {
        while (j > 0 && s->a.sum[i] + s->b.sum[j - 1] > s->tie) j--;
        for (int64_t m = j; m > 0 && s->a.sum[i] + s->b.sum[m - 1] >= least; m--) {
            const double sum = s->a.sum[i] + s->b.sum[m - 1];
            const double size = s->a.size[i] + s->b.size[m - 1];
            if (size == 0 || sum + width * size <= s->tie || n == FEW) continue;
            double own = b->hi + sum / size;
            for (int64_t at = n++; at >= 0; at--) { /* insert */
                if (at == 0 || mean[at - 1] <= own) {
                    mean[at] = own;
                    break;
                }
                mean[at] = mean[at - 1];
            }
        }
    }
    return k - b->n_lo < n ? mean[k - b->n_lo] : b->hi;
}

/** The k-th smallest mean of the non-empty subsets of sign * d, k >= 1. */
static double subset_mean(struct subsets *s, double sign, int64_t k, double scale)
{
    struct bracket b = {INFINITY, -INFINITY, 1, (int64_t)1 << s->n};
    s->sign = sign;
    for (int64_t i = 0; i < s->n; i++) {
        b.lo = fmin(b.lo, sign * s->d[i]);
        b.hi = fmax(b.hi, sign * s->d[i]);
    }
    b.lo -= NEAR * scale + (b.hi - b.lo) / 8;
    while (b.n_hi - b.n_lo > FEW && b.hi - b.lo > NEAR * scale) {
        const double width = b.hi - b.lo, at = guess(s, &b, k);
        if (at - width / 32 > b.lo) probe(s, &b, k, at - width / 32);
        if (at + width / 32 < b.hi && at + width / 32 > b.lo) probe(s, &b, k, at + width / 32);
        if (b.hi - b.lo > width / 2) probe(s, &b, k, b.lo + (b.hi - b.lo) / 2);
    }
    return pick(s, &b, k);
}

static psw_status test_exactly(const double *d, double alpha, double scale,
                               struct psw_signflip *out, struct psw_error *err)
{
    const double n_class = ldexp(1, (int)out->n - 1);
    const int64_t k = (int64_t)floor(alpha * n_class);
    struct subsets *s = malloc(sizeof *s);
    if (!s) return psw_fail(err, PSW_ENOMEM, "sign-flip test: %zu bytes", sizeof *s);
    s->d = d;
    s->n = out->n;
    s->sign = out->mean < 0 ? -1 : 1;
    s->tie = TIE * scale;
    out->p = (double)count_subsets(s, 0) / n_class;
    if (k > 0) {
        out->interval.lo = subset_mean(s, 1, k, scale);
        out->interval.hi = -subset_mean(s, -1, k, scale);
    }
    free(s);
    return PSW_OK;
}

/* ---- drawn subsets ---- */

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
    int64_t count = 0, n_mean = 0, n_empty = 0;
    for (uint64_t draw = 0; draw < PSW_SIGNFLIP_DRAWS; draw++) {
        int64_t size;
        const double sum = draw_subset(table, out->n, draw, &size);
        count += fabs(total - 2 * sum) >= fabs(total) - TIE * scale;
        if (size > 0) means[n_mean++] = sum / (double)size;
        if (size < out->n) means[n_mean++] = (total - sum) / (n - (double)size);
        n_empty += size == 0 || size == out->n; /* below every centre, and above it, too */
    }
    out->p = (double)(1 + count) / (1 + PSW_SIGNFLIP_DRAWS);
    if (k <= n_empty) return;
    out->interval.lo = psw_stat_kth(means, n_mean, k - n_empty - 1);
    out->interval.hi = psw_stat_kth(means, n_mean, n_mean - (k - n_empty));
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
