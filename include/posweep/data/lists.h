/* The generated task `lists`: "please give for me four metal except tin" is answered by
 * "sure iron , gold , silver , zinc .".
 *
 * Four qualities of an answer, each right or wrong: the category (every item belongs to it and
 * none is the excepted word), the count, no repeats, a polite opener. The score is exact:
 * +1 for each right, -1 for each wrong, in [-4, 4]. An answer that is no list (broken
 * punctuation, foreign words, no EOS) has category, count and repeats wrong. In the SFT answers
 * each quality is wrong with probability `error`, independently, so they score 4 (1 - 2 error)
 * on average. Words are token ids, one each.
 *
 * A wrong category is one word that does not belong: of another category, or the excepted one.
 *
 * Prompts: [please|kindly|now] verb [for whom] count category [except word], 5,760 without and
 * 57,600 with the clause, split into disjoint parts (split.h). The clause is there with the
 * same probability in all parts, held-out prompts included.
 *
 * No pairs can be made while `error` is 0 or 1, for then all answers tie: PSW_EINVAL. */
#ifndef POSWEEP_DATA_LISTS_H
#define POSWEEP_DATA_LISTS_H

#include <posweep/data/generated.h>

/** Longest prompt and longest generated answer with its EOS, in tokens. */
enum { PSW_LISTS_MAX_PROMPT = 8, PSW_LISTS_MAX_RESPONSE = 16 };

/** The four qualities, as bits of psw_lists_judge. */
enum psw_lists_quality {
    PSW_LISTS_CATEGORY = 1,
    PSW_LISTS_COUNT = 2,
    PSW_LISTS_NO_REPEAT = 4,
    PSW_LISTS_POLITE = 8
};

/** Which qualities are right, as a set of bits; 0 also for a prompt that is none of ours. */
unsigned psw_lists_judge(const int32_t *prompt, int64_t n_prompt, const int32_t *response,
                         int64_t n_response);

/** Its words; EOS is one of them, and a text cannot say it. */
extern const struct psw_tokenizer PSW_LISTS_TOKENIZER;

/** Number of different prompts, and prompt `index` of them (tests, tables).
 *  Shapes: prompt: [PSW_LISTS_MAX_PROMPT]. Returns its length. */
int64_t psw_lists_n_prompt(void);
int32_t psw_lists_prompt(int64_t index, int32_t *prompt);

#endif
