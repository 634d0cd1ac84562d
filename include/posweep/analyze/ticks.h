/* Ticks of an axis: at round numbers, 1, 2 or 5 times a power of ten. */
#ifndef POSWEEP_ANALYZE_TICKS_H
#define POSWEEP_ANALYZE_TICKS_H

/** The multiples of `step` from first * step to last * step. Zero is one of them when the axis
 *  holds it: index 0. Plain data. */
struct psw_ticks {
    double step;
    long first, last;
    int digits; /* behind the point, so that neighbours read differently */
};

/** Round ticks that cover [lo, hi] with about `n_about` steps; the outer ticks lie at or
 * outside the ends. An empty or broken range counts as [lo, lo + 1] or [0, 1]. */
struct psw_ticks psw_ticks_over(double lo, double hi, int n_about);

/** Value of tick i. */
double psw_tick(const struct psw_ticks *ticks, long i);

/** Power of 1000 in which a size between 0.01 and 1000 reads well: 1 there, 1e-3 for 0.004. */
double psw_unit_for(double size);

#endif
