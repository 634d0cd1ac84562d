/* Signs that sampled responses have degenerated, for any task: how often they repeat
 * themselves. */
#ifndef POSWEEP_DATA_QUALITY_H
#define POSWEEP_DATA_QUALITY_H

#include <posweep/util/status.h>
#include <stdint.h>

/** Sampled sequences, as the sampler leaves them. Borrowed. */
struct psw_token_block {
    const int32_t *token;   /* [n_seq][stride] */
    const int32_t *n_token; /* [n_seq] with EOS */
    int64_t n_seq, stride;
};

/** Share of distinct n-grams among all n-grams of the sequences (EOS counts as a token): 1 is
 *  all different, near 0 is one phrase over and over; NaN when there is no n-gram.
 *  Errors: PSW_EINVAL unless 1 <= order <= 8; PSW_ENOMEM.
 *  Source: Li et al. 2016, "distinct-1/2". */
psw_status psw_distinct_n(const struct psw_token_block *block, int order, double *out,
                          struct psw_error *err);

#endif
