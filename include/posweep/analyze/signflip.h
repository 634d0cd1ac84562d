/* The paired comparison: what n differences of two settings, one per seed, allow to be said.
 *
 * Under "no difference" every difference could as well have had the other sign. A pattern of
 * signs and its mirror count as one class. Up to PSW_SIGNFLIP_EXACT pairs all 2^(n-1) classes
 * are counted; above, PSW_SIGNFLIP_DRAWS classes are drawn, the same ones for every sample of
 * that size, and the observed one is added: p = (1 + count) / (1 + draws). Ties count as
 * extreme. The test is exact for differences that are symmetric around their centre, whatever
 * their distribution; so are differences of two settings whose runs are exchangeable.
 * Of differences that are not (simulated: exponential), a nominal 95 % interval covers the mean
 * in 90 to 93 %. Ties make it conservative: of scores in tenths and 6 pairs, 98 % for 96.9.
 *
 * Nothing can be shown below p = 1 / classes: 2 pairs 0.5, 5 pairs 0.0625, 6 pairs 0.03125. */
#ifndef POSWEEP_ANALYZE_SIGNFLIP_H
#define POSWEEP_ANALYZE_SIGNFLIP_H

#include <posweep/util/interval.h>
#include <posweep/util/status.h>
#include <stdint.h>

enum { PSW_SIGNFLIP_EXACT = 20, PSW_SIGNFLIP_DRAWS = 19999 };

/** What a sample of paired differences says. Plain data. */
struct psw_signflip {
    int64_t n;
    double mean, median;
    double sd;                    /* of the differences, with n - 1; NaN when n < 2 */
    double p;                     /* two-sided, of the mean */
    double p_floor;               /* the smallest p that n pairs can reach */
    struct psw_interval interval; /* of the centre: what the test at alpha does not refuse;
                                     infinite where no p can be as small as alpha */
    double coverage;              /* of the interval: 1 - floor(alpha classes) / classes */
    double share_above;           /* of the pairs with a difference > 0, ties half */
    double effect;                /* mean / sd, times Hedges' correction for small n; NaN when
                                     n < 3 or sd = 0 */
    int is_exact;                 /* 0: Monte-Carlo */
};

/** Test and describe differences.
 *  Shapes: difference [n], all finite, n >= 1. Units: those of the differences.
 *  Errors: PSW_EINVAL when a difference is not finite, n < 1, or alpha is not in (0, 1);
 *  PSW_ENOMEM.
 *  Source: interval by means of subsets: Hartigan 1969, JASA 64:1303; correction: Hedges 1981.
 */
psw_status psw_signflip_test(const double *difference, int64_t n, double alpha,
                             struct psw_signflip *out, struct psw_error *err);

/** Holm's adjustment: what each p is worth when all are looked at. NaN in p is no test: it gets
 *  NaN and does not count. Shapes: p, out [n]; may not overlap. Errors: PSW_ENOMEM. */
psw_status psw_holm(const double *p, int64_t n, double *out, struct psw_error *err);

/** Smallest p that n pairs can reach: 1 / classes. */
double psw_signflip_floor(int64_t n);

/** Minimal detectable effect: mean over sd of normal differences that the test at alpha finds
 *  with this power; infinite where the floor forbids it, NaN when n < 1 or a share is not one.
 *  Where only one class can be refused this is exact: all n differences must have one sign.
 * Else (t(1 - a/2) + t(power)) / sqrt(n) with n - 1 degrees of freedom and a, the attainable
 * level, which simulation finds up to 4 % too small at alpha = 0.05, up to 10 % at 0.01. */
double psw_signflip_mde(int64_t n, double alpha, double power);

enum { PSW_SIGNFLIP_MOST_PAIRS = 1000 };

/** Smallest number of pairs whose minimal detectable effect is at most |effect|; -1: more than
 *  PSW_SIGNFLIP_MOST_PAIRS, or the effect is 0 or not known. An infinite effect is fine. */
int64_t psw_signflip_pairs_for(double effect, double alpha, double power);

#endif
