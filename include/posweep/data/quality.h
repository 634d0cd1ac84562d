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

/** Whether a sequence repeats itself: some phrase of two tokens or more stands in it at least
 *  three times in a row. It may be a loop that is left again, or closed by a full stop.
 *  Human answers hardly do: none of 400 of HH cut at 64 bytes, 5 of 800 of GSM8K (as 1000000).
 *  Source: after Holtzman et al. 2020 (arXiv 1904.09751, figure 9), who ask for it at the end.
 */
int psw_repeats_itself(const int32_t *token, int32_t n_token);

/** Share of sequences that repeat themselves; NaN without sequences. */
double psw_repetition_rate(const struct psw_token_block *block);

#endif
