/* The words of `lists`, and what they ask: by classes of contiguous ids, so that grammar and
 * judgement are comparisons of ranges. */
#ifndef POSWEEP_SRC_DATA_LISTS_GRAMMAR_H
#define POSWEEP_SRC_DATA_LISTS_GRAMMAR_H

#include <posweep/data/lists.h>

enum {
    LIST_N_POLITENESS = 3,
    LIST_N_VERB = 12,
    LIST_N_WHOM = 4,
    LIST_N_COUNT = 4,
    LIST_N_POLITE = 3,
    LIST_N_RUDE = 3,
    LIST_N_CATEGORY = 6,
    LIST_N_IN_CATEGORY = 10,
    LIST_MIN_COUNT = 2, /* what the word LIST_COUNT means */
    LIST_MAX_ITEMS = 7
};

enum {
    LIST_EOS,
    LIST_COMMA,
    LIST_STOP,
    LIST_FOR,
    LIST_EXCEPT,
    LIST_POLITENESS,
    LIST_VERB = LIST_POLITENESS + LIST_N_POLITENESS,
    LIST_WHOM = LIST_VERB + LIST_N_VERB,
    LIST_COUNT = LIST_WHOM + LIST_N_WHOM,
    LIST_POLITE = LIST_COUNT + LIST_N_COUNT,
    LIST_RUDE = LIST_POLITE + LIST_N_POLITE,
    LIST_CATEGORY = LIST_RUDE + LIST_N_RUDE,
    LIST_ITEM = LIST_CATEGORY + LIST_N_CATEGORY,
    LIST_N_WORD = LIST_ITEM + LIST_N_CATEGORY * LIST_N_IN_CATEGORY
};

/** Prompts without the `except` clause; they come first. */
enum {
    LIST_N_BASE = (1 + LIST_N_POLITENESS) * LIST_N_VERB * (1 + LIST_N_WHOM) * LIST_N_COUNT *
                  LIST_N_CATEGORY
};

/** What a prompt asks for. */
struct psw_lists_request {
    int count, category, except; /* except: place in the category, -1 for none */
};

/** Returns 0 for a prompt that is none of ours. */
int psw_lists_parse(struct psw_tokens prompt, struct psw_lists_request *out);

/** The word at a place of a category. */
static inline int32_t psw_lists_item(int category, int place)
{
    return LIST_ITEM + category * LIST_N_IN_CATEGORY + place;
}

#endif
