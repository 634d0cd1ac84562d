/* Score intervals: all values that a score test of this level would not reject. */
#include <posweep/util/interval.h>

#include <math.h>

static double normal_cdf(double z)
{
    return 0.5 * erfc(-z / sqrt(2.0));
}

double psw_normal_quantile(double p)
{
    double lo = -40, hi = 40; /* beyond them the tails are 0 in double */
    if (!(p > 0 && p < 1)) return NAN;
    for (int i = 0; i < 200; i++) {
        const double mid = 0.5 * (lo + hi);
        if (mid <= lo || mid >= hi) break;
        if (normal_cdf(mid) < p)
            lo = mid;
        else
            hi = mid;
    }
    return 0.5 * (lo + hi);
}

struct psw_interval psw_wilson_interval(double n_hit, double n, double level)
{
    if (!(n > 0)) return (struct psw_interval){0, 1};
    const double z = psw_normal_quantile(0.5 + 0.5 * level), z2 = z * z, p = n_hit / n;
    const double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    const double half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    return (struct psw_interval){fmax(0, middle - half), fmin(1, middle + half)};
}

/* The score statistic of a difference d of the chances to win and to lose: the observed
 * difference less d, over its deviation under d. The chance to lose is then the root of a
 * quadratic, where the likelihood is largest among those with this d. */
static double statistic(double n_win, double n_loss, double n, double d)
{
    const double b = -n_win - n_loss + (2 * n - n_win + n_loss) * d;
    const double c = -n_loss * d * (1 - d);
    const double loss = (sqrt(fmax(0, b * b - 8 * n * c)) - b) / (4 * n);
    const double variance = n * (2 * loss + d * (1 - d));
    const double off = n_win - n_loss - n * d;
    return variance > 0 ? off / sqrt(variance) : off == 0 ? 0 : copysign(INFINITY, off);
}

/* Where between the observed difference and an end (1 or -1) the statistic passes z. */
static double end_of(double n_win, double n_loss, double n, double z, double end)
{
    double inside = (n_win - n_loss) / n, outside = end;
    for (int i = 0; i < 60; i++) {
        const double mid = 0.5 * (inside + outside);
        if (fabs(statistic(n_win, n_loss, n, mid)) <= z)
            inside = mid;
        else
            outside = mid;
    }
    return inside;
}

struct psw_interval psw_tied_interval(double n_win, double n_tie, double n, double level)
{
    if (!(n > 0)) return (struct psw_interval){0, 1};
    const double n_loss = fmax(0, n - n_win - n_tie);
    const double z = psw_normal_quantile(0.5 + 0.5 * level);
    return (struct psw_interval){0.5 + 0.5 * end_of(n_win, n_loss, n, z, -1),
                                 0.5 + 0.5 * end_of(n_win, n_loss, n, z, 1)};
}
