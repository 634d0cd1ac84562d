/* Small statistics. Student's t goes through the incomplete beta function, evaluated by its
 * continued fraction; quantiles by bisection, which is slow and cannot fail. */
#include <posweep/analyze/stats.h>

#include <posweep/util/median.h>

#include <math.h>

struct psw_stat psw_stat_of(const double *x, int64_t n, int64_t stride)
{
    struct psw_stat s = {.mean = NAN, .sd = NAN, .se = NAN};
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i * stride])) {
            sum += x[i * stride];
            s.n++;
        }
    if (s.n == 0) return s;
    s.mean = sum / (double)s.n;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i * stride]))
            squares += (x[i * stride] - s.mean) * (x[i * stride] - s.mean);
    if (s.n < 2) return s;
    s.sd = sqrt(squares / (double)(s.n - 1));
    s.se = s.sd / sqrt((double)s.n);
    return s;
}

struct psw_spread psw_spread_of(double *x, int64_t n)
{
    int64_t n_finite = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) x[n_finite++] = x[i];
    if (n_finite == 0) return (struct psw_spread){0, NAN, NAN, NAN};
    const double median = psw_median(x, n_finite); /* sorts */
    return (struct psw_spread){n_finite, median, x[0], x[n_finite - 1]};
}

/** Continued fraction of the incomplete beta function (Lentz's method). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m < 500; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double numerator[2] = {even, odd};
        double change = 1;
        for (int k = 0; k < 2; k++) {
            d = 1 + numerator[k] * d;
            c = 1 + numerator[k] / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            f *= c * d;
            change = c * d;
        }
        if (fabs(change - 1) < 1e-15) break;
    }
    return f;
}

/** Regularised incomplete beta function I_x(a, b). */
static double beta_share(double a, double b, double x)
{
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double front =
        exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double psw_t_cdf(double t, double df)
{
    if (!(df > 0) || isnan(t)) return NAN;
    const double tail = 0.5 * beta_share(0.5 * df, 0.5, df / (df + t * t));
    return t > 0 ? 1 - tail : tail;
}

/** The x at which a rising function reaches p. */
static double invert(double (*rising)(double, double), double df, double p)
{
    double lo = -1, hi = 1;
    while (rising(lo, df) > p && lo > -1e12) lo *= 2;
    while (rising(hi, df) < p && hi < 1e12) hi *= 2;
    for (int i = 0; i < 200 && lo < hi; i++) {
        const double mid = 0.5 * (lo + hi);
        if (mid <= lo || mid >= hi) break;
        if (rising(mid, df) < p)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

double psw_t_quantile(double p, double df)
{
    if (!(df > 0) || !(p > 0 && p < 1)) return NAN;
    return invert(psw_t_cdf, df, p);
}

struct psw_interval psw_stat_interval(struct psw_stat s, double level)
{
    if (s.n < 2) return (struct psw_interval){NAN, NAN};
    const double half = s.se * psw_t_quantile(0.5 + 0.5 * level, (double)(s.n - 1));
    return (struct psw_interval){s.mean - half, s.mean + half};
}
