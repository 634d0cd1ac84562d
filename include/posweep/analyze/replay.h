/* A run that was trained again, held against what a results file says of it: every number and
 * text that two computations of one run have in common, bit for bit. */
#ifndef POSWEEP_ANALYZE_REPLAY_H
#define POSWEEP_ANALYZE_REPLAY_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>

enum { PSW_REPLAY_NAME_BYTES = 64 };

/** What differs. Plain data. */
struct psw_replay_check {
    int64_t n_dataset, n_value;          /* compared: in both files, not volatile, no sketch */
    int64_t n_different;                 /* values */
    char first[PSW_REPLAY_NAME_BYTES];   /* dataset of the first that differs, "" for none */
    char largest[PSW_REPLAY_NAME_BYTES]; /* dataset of the largest difference of two numbers */
    double was, is, distance;     /* those numbers; their distance over the largest of it */
    int has_model, is_same_model; /* whether the hash of the final parameters is known; equal */
};

/** Compare row `was` of a file with row `is` of another. Datasets that one of them lacks, as
 *  between versions, are left out; places that one of them lacks hold no value there.
 *  Errors: PSW_EDATA when the files have no dataset in common; PSW_ENOMEM. */
psw_status psw_replay_compare(struct psw_results *before, int64_t was, struct psw_results *now,
                              int64_t is, struct psw_replay_check *out, struct psw_error *err);

#endif
