/* The generated task `sums`: "please add for me 8 + 3 + 6" is answered by "1 7 # 1 7".
 *
 * An answer is the sum (the working), "#" and the final answer, digit by digit. The score is
 * exact: 1 if the final answer, what stands between the last "#" and the EOS, is the sum, else
 * 0. The working is free, but no "#", no digits behind it, other words, a leading zero or no
 * EOS is 0.
 *
 * In the SFT answers the working is right and the final answer a slip with probability `error`:
 * off by 1 to PSW_SUMS_MAX_SLIP. So a model learns to add, and to slip: sampled as it is, it
 * scores not quite 1 - error, and it knows the way to 1. That is the task of methods that
 * sample and are rewarded. Pairs prefer a right final answer to a slip.
 *
 * Prompts: [please|kindly|now] verb [for whom] and 2 to 4 numbers of one digit: 160 phrases
 * times 10 to the power of `terms`, split into disjoint parts (generated.h). Words are token
 * ids, a digit each. Everything is a pure function of the options. */
#ifndef POSWEEP_DATA_SUMS_H
#define POSWEEP_DATA_SUMS_H

#include <posweep/data/dataset.h>
#include <posweep/data/generated.h>

/** How to generate. */
struct psw_sums_opts {
    uint64_t seed;
    int64_t n_sft, n_pairs;
    int64_t n_pairs_heldout;   /* 0 = PSW_SUMS_PAIRS_HELDOUT, none if n_pairs is 0 */
    int64_t n_prompts_heldout; /* 0 = PSW_SUMS_PROMPTS_HELDOUT */
    int64_t terms;             /* numbers to add, PSW_SUMS_MIN_TERMS .. PSW_SUMS_MAX_TERMS */
    double error;              /* probability that an SFT answer is a slip, [0, 1] */
    double flip;               /* probability that a training pair's label is flipped, [0, 1] */
};
enum { PSW_SUMS_PAIRS_HELDOUT = 512, PSW_SUMS_PROMPTS_HELDOUT = 1024 };
enum { PSW_SUMS_MIN_TERMS = 2, PSW_SUMS_MAX_TERMS = 4, PSW_SUMS_MAX_SLIP = 2 };

/** Longest prompt and longest generated answer with its EOS, in tokens. */
enum { PSW_SUMS_MAX_PROMPT = 11, PSW_SUMS_MAX_RESPONSE = 6 };

/** Generate a data set. Held-out pairs are never flipped.
 *  Errors: PSW_EINVAL for shares outside [0, 1] and counts that cannot be; PSW_ENOMEM. */
psw_status psw_sums_create(const struct psw_sums_opts *opts, struct psw_dataset **out,
                           struct psw_error *err);

/** Number of different prompts of that many terms, and prompt `index` of them (tests, tables).
 *  Shapes: prompt: [PSW_SUMS_MAX_PROMPT]. Returns its length. */
int64_t psw_sums_n_prompt(int terms);
int32_t psw_sums_prompt(int terms, int64_t index, int32_t *prompt);

/** The id of a word, -1 if it is not in the vocabulary. */
int32_t psw_sums_word(const char *word);

#endif
