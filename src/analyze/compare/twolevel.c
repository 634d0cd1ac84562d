/* Bootstrap-t over seeds and prompts. A draw costs one number per prompt; numbers come in fours
 * from a counter. */
#include <posweep/analyze/twolevel.h>

#include <posweep/analyze/stats.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>

/* Work of all draws together, in prompts: a tenth of a second or so. */
static const double MOST_WORK = 4e7;

/* What differs by less than this share is the same. */
static const double TIE = 1e-12;

/** Numbers below n, four to a block of the counter. */
struct dice {
    uint64_t draw;
    uint32_t words[4];
    uint32_t n_used;
};

static uint64_t roll(struct dice *d, uint64_t n)
{
    const struct psw_rng rng = {.use = PSW_RNG_BOOTSTRAP};
    if (d->n_used % 4 == 0) psw_rng_words(rng, d->draw, d->n_used / 4, d->words);
    return d->words[d->n_used++ % 4] * n >> 32;
}

/** Mean of prompts drawn from one seed. */
static double draw_prompts(struct dice *d, const double *value, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += value[roll(d, (uint64_t)n)];
    return sum / (double)n;
}

/** |t| of a draw. Shapes: mean [n_seed], scratch. */
static double draw_t(uint64_t draw, const double *value, const int64_t *first, int64_t n_seed,
                     double observed, double *mean)
{
    struct dice d = {.draw = draw};
    for (int64_t i = 0; i < n_seed; i++) {
        const int64_t s = (int64_t)roll(&d, (uint64_t)n_seed);
        mean[i] = draw_prompts(&d, value + first[s], first[s + 1] - first[s]);
    }
    const struct psw_stat x = psw_stat_of(mean, n_seed, 1);
    const double distance = fabs(x.mean - observed), tiny = TIE * fabs(observed);
    return distance <= tiny ? 0 : x.se <= tiny ? INFINITY : distance / x.se;
}

static psw_status check(const double *value, const int64_t *first, int64_t n_seed, double alpha,
                        struct psw_error *err)
{
    if (!(alpha > 0 && alpha < 1))
        return psw_fail(err, PSW_EINVAL, "two-level bootstrap at alpha %g", alpha);
    for (int64_t s = 0; s < n_seed; s++)
        if (first[s] >= first[s + 1])
            return psw_fail(err, PSW_EINVAL, "two-level bootstrap: seed %lld has no prompt",
                            (long long)s);
    for (int64_t i = 0; n_seed > 0 && i < first[n_seed]; i++)
        if (!isfinite(value[i]))
            return psw_fail(err, PSW_EINVAL, "two-level bootstrap: value %lld is %g",
                            (long long)i, value[i]);
    return PSW_OK;
}

static int all_equal(const double *value, int64_t n)
{
    for (int64_t i = 1; i < n; i++)
        if (value[i] != value[0]) return 0;
    return 1;
}

psw_status psw_twolevel_interval(const double *value, const int64_t *first, int64_t n_seed,
                                 double alpha, struct psw_twolevel *out, struct psw_error *err)
{
    psw_status rc = check(value, first, n_seed, alpha, err);
    if (rc != PSW_OK) return rc;
    struct psw_twolevel r = {
        .n_seed = n_seed, .n_prompt = n_seed > 0 ? first[n_seed] : 0, .mean = NAN};
    int64_t n_draw = PSW_TWOLEVEL_DRAWS;
    while (n_draw > PSW_TWOLEVEL_LEAST_DRAWS && (double)n_draw * (double)r.n_prompt > MOST_WORK)
        n_draw = (n_draw + 1) / 2 - 1; /* so that (n_draw + 1) alpha stays whole */
    double *mean = calloc((size_t)n_seed + 1, sizeof *mean);
    double *t = calloc((size_t)n_draw, sizeof *t);
    if (!mean || !t) PSW_TRY(psw_fail(err, PSW_ENOMEM, "two-level bootstrap"));
    for (int64_t s = 0; s < n_seed; s++)
        mean[s] = psw_stat_of(value + first[s], first[s + 1] - first[s], 1).mean;
    const struct psw_stat observed = psw_stat_of(mean, n_seed, 1);
    r.mean = observed.mean;
    r.interval = (struct psw_interval){NAN, NAN};
    if (n_seed >= 2) {
        for (int64_t k = 0; k < n_draw; k++)
            t[k] = draw_t((uint64_t)k, value, first, n_seed, r.mean, mean);
        const int64_t place = (int64_t)ceil((1 - alpha) * (double)(n_draw + 1) - 1e-9) - 1;
        const double h = place < n_draw ? psw_stat_kth(t, n_draw, place) : INFINITY;
        double half = h * observed.se;
        if (!(observed.se > TIE * fabs(r.mean)))
            half = all_equal(value, r.n_prompt) ? 0 : INFINITY;
        r.interval = (struct psw_interval){r.mean - half, r.mean + half};
    }
    *out = r;
fail:
    free(mean);
    free(t);
    return rc;
}
