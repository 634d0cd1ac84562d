/* An interval for a mean over seeds from what every prompt says, by a two-level bootstrap.
 *
 * A draw takes as many seeds as there are, with replacement, then in each of them as many of
 * its prompts, with replacement. Of a draw counts how far its mean is from the observed one, in
 * units of its own standard error between seeds (bootstrap-t): percentiles of plain means are
 * too narrow with few seeds and count the prompts twice with many. The interval is symmetric,
 * mean +- h sd / sqrt(n), h the 1 - alpha quantile of |t|.
 *
 * Simulated with normal seeds and prompts (tests/analyze/test_twolevel.c), a 95 % interval
 * covers the truth in 93 to 97 %, whatever share of the variance is between seeds, from n = 3
 * on (93.6 % there). With 3 seeds it is twice to three times as wide as with 6, and unbounded
 * where differences between prompts are nothing beside those between seeds: one draw in nine
 * then has no spread at all. Prompts that all seeds have in common count as independent ones:
 * then it speaks of these prompts. */
#ifndef POSWEEP_ANALYZE_TWOLEVEL_H
#define POSWEEP_ANALYZE_TWOLEVEL_H

#include <posweep/util/interval.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Draws: so many, or fewer where prompts are many, but never below the second number. */
enum { PSW_TWOLEVEL_DRAWS = 1999, PSW_TWOLEVEL_LEAST_DRAWS = 199 };

/** What it says. Plain data. */
struct psw_twolevel {
    int64_t n_seed, n_prompt; /* n_prompt: of all seeds together; n_seed 0: nothing is known */
    double mean;              /* mean over seeds of the means over prompts */
    struct psw_interval interval; /* infinite where it has no bound; NaN when n_seed < 2 */
};

/** Deterministic: the draws depend on n_seed and the numbers of prompts alone.
 *  Shapes: value [first[n_seed]], finite; first [n_seed + 1] from 0, ascending: prompts of a
 * seed. Errors: PSW_EINVAL when a seed has no prompt, a value is not finite or alpha is not in
 * (0, 1); PSW_ENOMEM. Source: Davison and Hinkley 1997, Bootstrap Methods, sections 2.4, 3.8
 * and 5.2. */
psw_status psw_twolevel_interval(const double *value, const int64_t *first, int64_t n_seed,
                                 double alpha, struct psw_twolevel *out, struct psw_error *err);

#endif
