/* The generated task `lists`: "please give for me four metal except tin" is answered by
 * "sure iron , gold , silver , zinc .".
 *
 * Four qualities of an answer, each right or wrong: the category (every item belongs to it and
 * none is the excepted word), the count, no repeats, a polite opener. The score is exact:
 * +1 for each right, -1 for each wrong, in [-4, 4]. An answer that is no list (broken
 * punctuation, foreign words, no EOS) has category, count and repeats wrong. In the SFT answers
 * each quality is wrong with probability `error`, independently, so they score 4 (1 - 2 error)
 * on average. Words are token ids, one each. Everything is a pure function of the options.
 *
 * A wrong category is one word that does not belong: of another category, or the excepted one.
 *
 * Prompts: [please|kindly|now] verb [for whom] count category [except word], 5,760 without and
 * 57,600 with the clause, split into disjoint parts (generated.h). The clause is there with the
 * same probability in all parts, held-out prompts included. */
#ifndef POSWEEP_DATA_LISTS_H
#define POSWEEP_DATA_LISTS_H

#include <posweep/data/dataset.h>
#include <posweep/data/generated.h>

/** How to generate. */
struct psw_lists_opts {
    uint64_t seed;
    int64_t n_sft, n_pairs;
    int64_t n_pairs_heldout;   /* 0 = PSW_LISTS_PAIRS_HELDOUT, none if n_pairs is 0 */
    int64_t n_prompts_heldout; /* 0 = PSW_LISTS_PROMPTS_HELDOUT */
    double error;              /* probability that a quality is wrong, [0, 1] */
    double flip;               /* probability that a training pair's label is flipped, [0, 1] */
    double except;             /* share of prompts with an `except` clause, [0, 1] */
};
enum { PSW_LISTS_PAIRS_HELDOUT = 512, PSW_LISTS_PROMPTS_HELDOUT = 1024 };

/** Longest prompt and longest generated answer with its EOS, in tokens. */
enum { PSW_LISTS_MAX_PROMPT = 8, PSW_LISTS_MAX_RESPONSE = 16 };

/** The four qualities, as bits of psw_lists_judge. */
enum psw_lists_quality {
    PSW_LISTS_CATEGORY = 1,
    PSW_LISTS_COUNT = 2,
    PSW_LISTS_NO_REPEAT = 4,
    PSW_LISTS_POLITE = 8
};

/** Generate a data set. Held-out pairs are never flipped.
 *  Errors: PSW_EINVAL for shares outside [0, 1], counts that cannot be, or pairs asked for
 * while error is 0 or 1 (all answers tie). PSW_ENOMEM. */
psw_status psw_lists_create(const struct psw_lists_opts *opts, struct psw_dataset **out,
                            struct psw_error *err);

/** Which qualities are right, as a set of bits; 0 also for a prompt that is none of ours. */
unsigned psw_lists_judge(const int32_t *prompt, int64_t n_prompt, const int32_t *response,
                         int64_t n_response);

/** Number of different prompts, and prompt `index` of them (tests, tables).
 *  Shapes: prompt: [PSW_LISTS_MAX_PROMPT]. Returns its length. */
int64_t psw_lists_n_prompt(void);
int32_t psw_lists_prompt(int64_t index, int32_t *prompt);

/** The id of a word, -1 if it is not in the vocabulary. */
int32_t psw_lists_word(const char *word);

#endif
