/* Adding seeds until it is decided: the paired sign-flip test at several looks with one error
 * rate for all of them, so that looking early costs no false finding.
 *
 * At a look, patterns of signs whose |sum| is beyond a boundary are crossed out, as many as the
 * share of alpha up to that look allows (alpha times look over looks, in all); a finding is the
 * observed pattern among them. What a look could not spend, because few pairs have few
 * patterns, the next one may. The decision is a function of the differences so far and of
 * nothing else: no state is kept, and a later call repeats the earlier decisions. Up to
 * PSW_SEQUENTIAL_EXACT pairs at the last look all classes of patterns are counted, above
 * PSW_SEQUENTIAL_DRAWS are drawn. Batch, max and family have to be fixed before the first look.
 */
#ifndef POSWEEP_ANALYZE_SEQUENTIAL_H
#define POSWEEP_ANALYZE_SEQUENTIAL_H

#include <posweep/util/status.h>
#include <stdint.h>

enum { PSW_SEQUENTIAL_EXACT = 16, PSW_SEQUENTIAL_DRAWS = 9999 };

/** The plan. */
struct psw_sequential_opts {
    int64_t batch;    /* pairs from one look to the next */
    int64_t max;      /* pairs at the last look */
    int64_t n_family; /* comparisons that are watched together: each gets alpha / n_family */
    double alpha;     /* of all looks and all comparisons */
};

enum psw_sequential_decision {
    PSW_SEQUENTIAL_GO_ON,   /* nothing yet: n_next pairs are needed for the next look */
    PSW_SEQUENTIAL_DIFFERS, /* found at the look of n_used pairs */
    PSW_SEQUENTIAL_OPEN     /* the last look is over, nothing was found */
};

/** Where a comparison stands. Plain data. */
struct psw_sequential {
    enum psw_sequential_decision decision;
    int64_t n_look; /* looks taken */
    int64_t n_used; /* pairs at the last of them; 0: none yet */
    int64_t n_next; /* pairs of the next look; 0: decided */
    double
        boundary; /* |mean| that the last look had to exceed; infinite: it could find nothing */
};

/** Take every look that n pairs allow, in their order; pairs beyond the last look are not used.
 *  Shapes: difference [n], finite. Errors: PSW_EINVAL unless 1 <= batch <= max, n_family >= 1,
 *  alpha is a level and the differences are finite; PSW_ENOMEM.
 *  Source: group-sequential permutation tests as in AdaStop, Mathieu et al. 2023, arXiv
 *  2306.10882; here of paired differences, families by Bonferroni. */
psw_status psw_sequential_test(const double *difference, int64_t n,
                               const struct psw_sequential_opts *opts,
                               struct psw_sequential *out, struct psw_error *err);

#endif
