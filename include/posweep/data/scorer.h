/* What a response is worth by the task itself: an exact rule, no model. */
#ifndef POSWEEP_DATA_SCORER_H
#define POSWEEP_DATA_SCORER_H

#include <posweep/data/tokenizer.h>

struct psw_answer_key; /* opaque: right answers by prompt */

/** A response to judge. Borrowed. */
struct psw_scored {
    const struct psw_tokenizer *tokenizer;
    const struct psw_answer_key *answer_key; /* NULL where the rule needs none */
    struct psw_tokens prompt, response;
};

/** A rule. Higher is better; what it cannot tell, as a prompt whose right answer is not known,
 *  is NaN. */
struct psw_data_scorer {
    const char *name;
    double lo, hi; /* the worst and the best */
    double (*score)(const struct psw_scored *what);
};
extern const struct psw_data_scorer PSW_LISTS_SCORER, PSW_SUMS_SCORER, PSW_GSM8K_SCORER;

#endif
