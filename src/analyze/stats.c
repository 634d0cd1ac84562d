/* Small statistics of samples; distributions are GSL's. */
#include <posweep/analyze/stats.h>

#include <posweep/util/median.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
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
    if (n_finite == 0) return (struct psw_spread){0, NAN, NAN, NAN, NAN, NAN};
    struct psw_spread s = {.n = n_finite};
    s.median = psw_median(x, n_finite); /* sorts */
    s.least = x[0];
    s.most = x[n_finite - 1];
    s.lower = gsl_stats_quantile_from_sorted_data(x, 1, (size_t)n_finite, 0.25);
    s.upper = gsl_stats_quantile_from_sorted_data(x, 1, (size_t)n_finite, 0.75);
    return s;
}

double psw_stat_kth(double *x, int64_t n, int64_t k)
{
    for (int64_t lo = 0, hi = n - 1; lo < hi;) {
        const double pivot = x[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi;
        while (i <= j) {
            while (x[i] < pivot) i++;
            while (x[j] > pivot) j--;
            if (i > j) break;
            const double kept = x[i];
            x[i++] = x[j], x[j--] = kept;
        }
        if (k <= j)
            hi = j;
        else if (k >= i)
            lo = i;
        else
            return x[k];
    }
    return x[k];
}

double psw_t_quantile(double p, double df)
{
    return df > 0 && p > 0 && p < 1 ? gsl_cdf_tdist_Pinv(p, df) : NAN;
}

struct psw_interval psw_stat_interval(struct psw_stat s, double level)
{
    if (s.n < 2) return (struct psw_interval){NAN, NAN};
    const double half = s.se * psw_t_quantile(0.5 + 0.5 * level, (double)(s.n - 1));
    return (struct psw_interval){s.mean - half, s.mean + half};
}
