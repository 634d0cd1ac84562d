/* Generated tasks (lists.h, sums.h): prompts with answers made by rule, and pairs of them.
 * Everything is a pure function of the options. */
#ifndef POSWEEP_DATA_GENERATED_H
#define POSWEEP_DATA_GENERATED_H

#include <posweep/data/dataset.h>
#include <posweep/data/split.h>

/** How to generate. */
struct psw_generated_opts {
    uint64_t seed;
    int64_t n_sft, n_pairs;
    int64_t n_pairs_heldout;   /* 0 = PSW_GENERATED_PAIRS_HELDOUT, none if n_pairs is 0 */
    int64_t n_prompts_heldout; /* 0 = PSW_GENERATED_PROMPTS_HELDOUT */
    double error;              /* probability of what is wrong in an SFT answer, [0, 1] */
    double flip;               /* probability that a training pair's label is flipped, [0, 1] */
    double except;             /* lists: share of prompts with an `except` clause, [0, 1] */
    int64_t terms;             /* sums: numbers to add */
};
enum { PSW_GENERATED_PAIRS_HELDOUT = 512, PSW_GENERATED_PROMPTS_HELDOUT = 1024 };

/** Generate a data set. Held-out pairs are never flipped.
 *  Errors: PSW_EINVAL for shares outside [0, 1] and counts that cannot be, and what the task's
 *  header says; PSW_ENOMEM. */
psw_status psw_generated_create(enum psw_source source, const struct psw_generated_opts *opts,
                                struct psw_dataset **out, struct psw_error *err);

#endif
