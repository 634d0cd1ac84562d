/* The group-sequential sign-flip test. Signs of a pattern depend on the pattern and the place
 * of a pair alone, so that what was crossed out at a look stays so when pairs are added. */
#include <posweep/analyze/sequential.h>

#include <posweep/analyze/stats.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>

/* Sums that differ by less than this share of the sum of magnitudes are tied. */
static const double TIE = 1e-12;

/** Patterns of signs, pattern 0 the observed one. The first pair keeps its sign: a pattern and
 * its mirror are one class. */
struct patterns {
    int64_t n;
    int is_exact;
    double *sum;       /* owned [n] of the pairs so far */
    double *size;      /* owned [n] scratch */
    char *is_crossed;  /* owned [n] */
    int64_t n_crossed; /* patterns that are crossed out */
};

static int is_flipped(const struct patterns *p, int64_t pattern, int64_t pair)
{
    uint32_t words[4];
    if (pattern == 0 || pair == 0) return 0;
    if (p->is_exact) return (int)(pattern >> (pair - 1) & 1);
    const struct psw_rng rng = {.use = PSW_RNG_SIGNFLIP, .step = 2};
    psw_rng_words(rng, (uint64_t)pattern, (uint32_t)(pair / 128), words);
    return (int)(words[pair % 128 / 32] >> pair % 32 & 1);
}

static void add_pairs(struct patterns *p, const double *d, int64_t from, int64_t to)
{
    for (int64_t k = 0; k < p->n; k++)
        for (int64_t i = from; i < to; i++) p->sum[k] += is_flipped(p, k, i) ? -d[i] : d[i];
}

/** Cross out patterns up to a total of n_allowed; returns the boundary of |sum|. */
static double cross_out(struct patterns *p, int64_t n_allowed, double tie)
{
    int64_t n_left = 0, n_new = n_allowed - p->n_crossed;
    for (int64_t k = 0; k < p->n; k++)
        if (!p->is_crossed[k]) p->size[n_left++] = fabs(p->sum[k]);
    if (n_new <= 0 || n_new >= n_left) return INFINITY;
    const double boundary = psw_stat_kth(p->size, n_left, n_left - 1 - n_new) + tie;
    for (int64_t k = 0; k < p->n; k++) {
        if (p->is_crossed[k] || !(fabs(p->sum[k]) > boundary)) continue;
        p->is_crossed[k] = 1;
        p->n_crossed++;
    }
    return boundary;
}

static int64_t look_size(const struct psw_sequential_opts *o, int64_t look)
{
    return look * o->batch < o->max ? look * o->batch : o->max;
}

static void take_looks(struct patterns *p, const double *d, int64_t n,
                       const struct psw_sequential_opts *o, struct psw_sequential *out)
{
    const int64_t n_look = (o->max + o->batch - 1) / o->batch;
    double tie = 0;
    for (int64_t look = 1; look <= n_look && look_size(o, look) <= n; look++) {
        const int64_t from = look_size(o, look - 1), to = look_size(o, look);
        const double share = o->alpha / (double)o->n_family * (double)look / (double)n_look;
        for (int64_t i = from; i < to; i++) tie += TIE * fabs(d[i]);
        add_pairs(p, d, from, to);
        out->boundary = cross_out(p, (int64_t)floor(share * (double)p->n), tie) / (double)to;
        out->n_look = look;
        out->n_used = to;
        if (p->is_crossed[0]) {
            out->decision = PSW_SEQUENTIAL_DIFFERS;
            return;
        }
    }
    out->decision = out->n_look == n_look ? PSW_SEQUENTIAL_OPEN : PSW_SEQUENTIAL_GO_ON;
    if (out->n_look < n_look) out->n_next = look_size(o, out->n_look + 1);
}

static psw_status check(const double *difference, int64_t n,
                        const struct psw_sequential_opts *o, struct psw_error *err)
{
    if (o->batch < 1 || o->max < o->batch || o->n_family < 1 || n < 0 ||
        !(o->alpha > 0 && o->alpha < 1))
        return psw_fail(err, PSW_EINVAL,
                        "sequential test: batches of %lld up to %lld pairs, %lld comparisons, "
                        "alpha %g",
                        (long long)o->batch, (long long)o->max, (long long)o->n_family,
                        o->alpha);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(difference[i]))
            return psw_fail(err, PSW_EINVAL, "sequential test: difference %lld is %g",
                            (long long)i, difference[i]);
    return PSW_OK;
}

psw_status psw_sequential_test(const double *difference, int64_t n,
                               const struct psw_sequential_opts *opts,
                               struct psw_sequential *out, struct psw_error *err)
{
    psw_status rc = check(difference, n, opts, err);
    if (rc != PSW_OK) return rc;
    struct psw_sequential s = {.boundary = INFINITY};
    struct patterns p = {.is_exact = opts->max <= PSW_SEQUENTIAL_EXACT};
    const int64_t n_last = n < opts->max ? n : opts->max;
    p.n = !p.is_exact ? 1 + PSW_SEQUENTIAL_DRAWS : (int64_t)1 << (n_last > 0 ? n_last - 1 : 0);
    p.sum = calloc(2 * (size_t)p.n, sizeof *p.sum);
    p.is_crossed = calloc((size_t)p.n, 1);
    if (p.sum && p.is_crossed) {
        p.size = p.sum + p.n;
        take_looks(&p, difference, n, opts, &s);
        *out = s;
    } else {
        rc = psw_fail(err, PSW_ENOMEM, "sequential test: %lld patterns", (long long)p.n);
    }
    free(p.sum);
    free(p.is_crossed);
    return rc;
}
