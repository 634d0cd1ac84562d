/* Signs that are there: a value has one only if it is farther from 0 than twice its standard
 * error. Shares of signs along a trace, and crossings of two traces by the sign of their
 * difference. */
#ifndef POSWEEP_ANALYZE_SIGNS_H
#define POSWEEP_ANALYZE_SIGNS_H

#include <stdint.h>

/** Standard errors from 0 beyond which a sign counts. */
#define PSW_SIGN_ERRORS 2.0

enum psw_sign {
    PSW_SIGN_BELOW = -1, /* below 0 by more than 2 errors */
    PSW_SIGN_OPEN = 0,   /* not known to differ from 0 */
    PSW_SIGN_ABOVE = 1,
    PSW_SIGN_UNKNOWN = 2 /* no value, or no error to judge it by */
};

enum psw_sign psw_sign_of(double value, double se);

/** Shares of the points of a trace, which add up to 1; NaN when n = 0. */
struct psw_shares {
    int64_t n; /* points with a value and an error */
    double above, open, below;
};

/** Shapes: value, se [n]. */
struct psw_shares psw_shares_of(const double *value, const double *se, int64_t n);

/** Where the difference of two traces changes its sign. */
struct psw_crossing {
    enum psw_sign first; /* sign before; PSW_SIGN_OPEN: there is no crossing */
    double lo, hi;       /* last x with the first sign, first x with the other; NaN: none */
};

/** The first crossing: a difference beyond 2 errors with one sign, and at a later point beyond
 * 2 with the other. Points in between that are open say nothing, and neither do points without
 *  an error. Noise alone: of 20 independent points with the right errors 13 % of traces cross;
 * with a correlation of neighbours of 0.9, as the noise of D' has it, 0.3 %. Shapes: x,
 * difference, se [n], x rising. */
struct psw_crossing psw_crossing_of(const double *x, const double *difference, const double *se,
                                    int64_t n);

#endif
