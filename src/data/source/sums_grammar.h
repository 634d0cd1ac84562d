/* The words of `sums`. A digit's id is its value plus one constant, so numbers are read and
 * written by arithmetic. */
#ifndef POSWEEP_SRC_DATA_SUMS_GRAMMAR_H
#define POSWEEP_SRC_DATA_SUMS_GRAMMAR_H

#include <posweep/data/sums.h>

enum { SUM_N_POLITENESS = 3, SUM_N_VERB = 8, SUM_N_WHOM = 4, SUM_N_DIGIT = 10 };
enum { SUM_N_PHRASE = (1 + SUM_N_POLITENESS) * SUM_N_VERB * (1 + SUM_N_WHOM) };

enum {
    SUM_EOS,
    SUM_FOR,
    SUM_PLUS,
    SUM_MARK,
    SUM_POLITENESS,
    SUM_VERB = SUM_POLITENESS + SUM_N_POLITENESS,
    SUM_WHOM = SUM_VERB + SUM_N_VERB,
    SUM_DIGIT = SUM_WHOM + SUM_N_WHOM,
    SUM_N_WORD = SUM_DIGIT + SUM_N_DIGIT
};

/** The right answer to a prompt, or -1 for a prompt that is none of ours. */
int psw_sums_of(struct psw_tokens prompt);

#endif
