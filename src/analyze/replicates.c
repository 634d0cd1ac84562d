/* Statistics over replicates. A file may have 100,000 runs, so nothing is searched twice. */
#include <posweep/analyze/replicates.h>

#include <math.h>

static int counts(const struct psw_cell *cell, int64_t i)
{
    return cell->apart[i] == PSW_APART_NOT;
}

struct psw_replicates psw_replicates_at(const struct psw_traces *t, const struct psw_cell *cell,
                                        int64_t component, int64_t checkpoint, double *scratch)
{
    struct psw_replicates r = {.step = NAN};
    int64_t n = 0;
    for (int64_t i = 0; i < cell->n_run; i++) {
        if (!counts(cell, i)) continue;
        const struct psw_trace_value v =
            psw_trace_at(t, cell->along, cell->run[i], checkpoint, component);
        const enum psw_sign sign = psw_sign_of(v.g, v.se);
        if (isnan(r.step)) r.step = v.step;
        r.n_above += sign == PSW_SIGN_ABOVE;
        r.n_below += sign == PSW_SIGN_BELOW;
        r.n_open += sign == PSW_SIGN_OPEN;
        scratch[n++] = v.scaled;
    }
    r.scaled = psw_stat_of(scratch, n, 1);
    r.middle = psw_spread_of(scratch, n);
    n = 0;
    for (int64_t i = 0; i < cell->n_run; i++)
        if (counts(cell, i))
            scratch[n++] = psw_trace_at(t, cell->along, cell->run[i], checkpoint, component).g;
    r.g = psw_spread_of(scratch, n);
    return r;
}

int psw_replicates_have(const struct psw_traces *t, const struct psw_cell *cell,
                        int64_t component)
{
    for (int64_t i = 0; i < cell->n_run; i++) {
        if (!counts(cell, i)) continue;
        for (int64_t k = 0; k < psw_trace_length(t, cell->run[i]); k++)
            if (isfinite(psw_trace_at(t, cell->along, cell->run[i], k, component).g)) return 1;
    }
    return 0;
}

struct psw_shares psw_replicates_shares(const struct psw_traces *t, const struct psw_cell *cell,
                                        int64_t component)
{
    struct psw_shares sum = {0};
    for (int64_t i = 0; i < cell->n_run; i++) {
        struct psw_shares own = {0};
        if (!counts(cell, i)) continue;
        for (int64_t k = 0; k < psw_trace_length(t, cell->run[i]); k++) {
            const struct psw_trace_value v =
                psw_trace_at(t, cell->along, cell->run[i], k, component);
            const struct psw_shares one = psw_shares_of(&v.g, &v.se, 1);
            if (one.n == 0) continue;
            own.n++;
            own.above += one.above, own.open += one.open, own.below += one.below;
        }
        if (own.n == 0) continue;
        sum.n++;
        sum.above += own.above / (double)own.n;
        sum.open += own.open / (double)own.n;
        sum.below += own.below / (double)own.n;
    }
    const double scale = sum.n > 0 ? 1 / (double)sum.n : NAN;
    return (struct psw_shares){sum.n, scale * sum.above, scale * sum.open, scale * sum.below};
}

int64_t psw_replicates_scratch(const struct psw_traces *t, const struct psw_cell *cell)
{
    return 2 * cell->n_run + 3 * t->n_checkpoint;
}

/** Crossing of one replicate, and whether its pos - neg can be judged anywhere. Shapes: scratch
 *  [3 * n_checkpoint]. */
static struct psw_crossing crossing_of(const struct psw_traces *t, enum psw_along along,
                                       int64_t run, double *scratch, int *is_judged)
{
    double *step = scratch, *g = step + t->n_checkpoint, *se = g + t->n_checkpoint;
    const int64_t n = psw_trace_length(t, run);
    *is_judged = 0;
    for (int64_t k = 0; k < n; k++) {
        const struct psw_trace_value v = psw_trace_at(t, along, run, k, PSW_POS_MINUS_NEG);
        step[k] = v.step, g[k] = v.g, se[k] = v.se;
        *is_judged |= psw_sign_of(v.g, v.se) != PSW_SIGN_UNKNOWN;
    }
    return psw_crossing_of(step, g, se, n);
}

struct psw_replicates_crossing psw_replicates_crossing(const struct psw_traces *t,
                                                       const struct psw_cell *cell,
                                                       double *scratch)
{
    struct psw_replicates_crossing out = {0};
    double *lo = scratch + 3 * t->n_checkpoint, *hi = lo + cell->n_run;
    int64_t n = 0;
    for (int64_t i = 0; i < cell->n_run; i++) {
        int is_judged;
        if (!counts(cell, i)) continue;
        const struct psw_crossing c =
            crossing_of(t, cell->along, cell->run[i], scratch, &is_judged);
        out.n += is_judged;
        if (c.first == PSW_SIGN_OPEN) continue;
        out.n_pos_first += c.first == PSW_SIGN_ABOVE;
        out.n_neg_first += c.first == PSW_SIGN_BELOW;
        lo[n] = c.lo, hi[n++] = c.hi;
    }
    out.lo = psw_spread_of(lo, n);
    out.hi = psw_spread_of(hi, n);
    out.share = psw_wilson_interval((double)n, (double)out.n, 0.95);
    return out;
}

struct psw_stat psw_replicates_metric(struct psw_results *results, const struct psw_cell *cell,
                                      const char *name)
{
    const double *x = psw_results_f64(results, name);
    struct psw_stat s = {.mean = NAN, .sd = NAN, .se = NAN};
    double squares = 0; /* running mean and squared deviation (Welford): no buffer */
    for (int64_t i = 0; x && i < cell->n_run; i++) {
        const double value = x[cell->run[i]], delta = s.n > 0 ? value - s.mean : value;
        if (!counts(cell, i) || !isfinite(value)) continue;
        s.n++;
        s.mean = s.n > 1 ? s.mean + delta / (double)s.n : value;
        if (s.n > 1) squares += delta * (value - s.mean);
    }
    if (s.n > 1) s.sd = sqrt(squares / (double)(s.n - 1));
    if (s.n > 1) s.se = s.sd / sqrt((double)s.n);
    return s;
}
