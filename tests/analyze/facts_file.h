/* Results files made of facts: each run has a method, a variant, a seed, and any datasets of
 * the schema, given by name and values; written by the store's own writer. */
#ifndef POSWEEP_TESTS_FACTS_FILE_H
#define POSWEEP_TESTS_FACTS_FILE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

enum {
    FF_CHECKPOINTS = 5,
    FF_LOGS = 16,
    FF_COMPONENTS = 9,
    FF_MOST_FACTS = 12,
    FF_MOST_RUNS = 24
};

/** A dataset of a run. How its values fill it:
 *  over run: v[0]. Over checkpoints: v[k], or v[0] at all. Over components (and directions, of
 *  which there is one, "chosen"): 3 values, of total, pos and neg, the same at all checkpoints;
 *  3 times FF_CHECKPOINTS, of each checkpoint in turn; or FF_COMPONENTS, of all of them. Over
 * the log: from v[0] to v[1] in a straight line, plus and minus v[2] in turns. */
struct ff_fact {
    const char *name;
    int n;
    double v[3 * FF_CHECKPOINTS];
};

struct ff_run {
    const char *method, *variant, *config /* may be NULL */;
    int64_t seed;
    enum psw_journal_type end; /* 0: PSW_J_DONE */
    struct ff_fact fact[FF_MOST_FACTS];
};

/** Components total, pos, neg, top, mid, bot, rand1 to 3; checkpoints at steps 0, 20, ... 80;
 * log lines at 1, 2, ... G and G_se are there in any case: 1 and 0.1. */
void ff_write(const char *path, const struct ff_run *run, int n_run);

#endif
