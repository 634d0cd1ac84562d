/* What the files of merging share. */
#ifndef POSWEEP_STORE_JOURNAL_MERGE_INTERNAL_H
#define POSWEEP_STORE_JOURNAL_MERGE_INTERNAL_H

#include "store_internal.h"

#include <posweep/store/journal_merge.h>
#include <posweep/util/clock.h>

struct psw_merge_source {
    char *name;                  /* owned */
    struct psw_journal *journal; /* owned */
};

struct psw_journal_merge {
    char path[PSW_PATH_BYTES];
    struct psw_lock *lock;           /* owned */
    struct psw_merge_source *source; /* owned */
    int n_source;
    uint64_t *left_out; /* owned, ascending */
    int64_t n_left_out;
};

/** A run that the first source has as done, and the second one, too, or as stopped early. */
struct psw_merge_pair {
    uint64_t run;
    int source[2];
    int is_begun; /* stopped early in the second: what it has is the beginning of the first */
};

struct psw_merge_pairs {
    struct psw_merge_pair *item; /* owned by who made the list */
    int64_t n;
};

/** journal_equal.c: hold the results of each pair against each other.
 *  Errors: PSW_EDATA with run, dataset and sources of the first that differ. */
psw_status psw_merge_compare(const struct psw_journal_merge *merge,
                             const struct psw_merge_pairs *pairs,
                             const struct psw_results_axes *axes, struct psw_error *err);

#endif
