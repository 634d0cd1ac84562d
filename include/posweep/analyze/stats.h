/* Small statistics: what the tables of the first look need, in double, without allocation. */
#ifndef POSWEEP_ANALYZE_STATS_H
#define POSWEEP_ANALYZE_STATS_H

#include <posweep/util/interval.h>
#include <stdint.h>

/** Moments of the finite values of a sample. */
struct psw_stat {
    int64_t n;   /* finite values */
    double mean; /* NaN when n = 0 */
    double sd;   /* with n - 1; NaN when n < 2 */
    double se;   /* sd / sqrt(n); NaN when n < 2 */
};

/** Middle and ends of the finite values of a sample: one run-away value moves one end only. */
struct psw_spread {
    int64_t n;                  /* finite values */
    double median, least, most; /* NaN when n = 0 */
    double lower, upper;        /* quartiles, between them the middle half (linear between order
                                   statistics, as R and NumPy do unasked); NaN when n = 0 */
};

/** Shapes: x [n], read every `stride` elements. NaN and infinity are left out. */
struct psw_stat psw_stat_of(const double *x, int64_t n, int64_t stride);

/** Median (the mean of the two in the middle when there are as many), least and greatest.
 *  Shapes: x [n]; its finite values are moved to the front and sorted. */
struct psw_spread psw_spread_of(double *x, int64_t n);

/** The k-th smallest of n numbers, 0 <= k < n, without NaN (Hoare's selection). Shapes: x [n],
 *  reordered. */
double psw_stat_kth(double *x, int64_t n, int64_t k);

/** Quantile of Student's t with df > 0 degrees of freedom, 0 < p < 1; NaN elsewhere. */
double psw_t_quantile(double p, double df);

/** Confidence interval of the mean by Student's t; NaN when n < 2. level: 0.95 and the like. */
struct psw_interval psw_stat_interval(struct psw_stat s, double level);

#endif
