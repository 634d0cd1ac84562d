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
 * times 10 to the power of `terms`, split into disjoint parts (split.h). Words are token
 * ids, a digit each. */
#ifndef POSWEEP_DATA_SUMS_H
#define POSWEEP_DATA_SUMS_H

#include <posweep/data/generated.h>

enum { PSW_SUMS_MIN_TERMS = 2, PSW_SUMS_MAX_TERMS = 4, PSW_SUMS_MAX_SLIP = 2 };

/** Longest prompt and longest generated answer with its EOS, in tokens. */
enum { PSW_SUMS_MAX_PROMPT = 11, PSW_SUMS_MAX_RESPONSE = 6 };

/** Its words; EOS is one of them, and a text cannot say it. */
extern const struct psw_tokenizer PSW_SUMS_TOKENIZER;

/** Number of different prompts of that many terms, and prompt `index` of them (tests, tables).
 *  Shapes: prompt: [PSW_SUMS_MAX_PROMPT]. Returns its length. */
int64_t psw_sums_n_prompt(int terms);
int32_t psw_sums_prompt(int terms, int64_t index, int32_t *prompt);

#endif
