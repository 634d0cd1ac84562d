/* Confidence intervals of shares: score intervals, which hold their level for small samples and
 * near 0 and 1. One place for all that the results file and its summaries state. */
#ifndef POSWEEP_UTIL_INTERVAL_H
#define POSWEEP_UTIL_INTERVAL_H

struct psw_interval {
    double lo, hi;
};

/** Quantile of the standard normal distribution; NaN unless 0 < p < 1. */
double psw_normal_quantile(double p);

/** Interval of a share of n independent trials, n_hit of them hits; (0, 1) when n is 0.
 *  level: 0.95 and the like. Source: Wilson 1927. */
struct psw_interval psw_wilson_interval(double n_hit, double n, double level);

/** Interval of the share (wins + ties / 2) / n of n independent trials that are won, tied or
 *  lost; (0, 1) when n is 0. The variance of such a share is (p - ties / 4 n - p^2) / n, less
 * than Wilson's; of the chance of a tie the test takes what is likeliest at each p. Without
 * ties it is Wilson's interval. Source: Tango 1998, Statistics in Medicine 17:891, of a
 * difference of paired shares: wins - losses is such a one, and p = (1 + difference) / 2. */
struct psw_interval psw_tied_interval(double n_win, double n_tie, double n, double level);

#endif
