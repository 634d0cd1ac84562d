/* What the generated tasks (lists.h, sums.h) share with their readers: the parts of a prompt
 * space. A hash of the prompt, not of the seed, puts each prompt into one of three disjoint
 * parts, so no seed ever trains on what another is judged by. */
#ifndef POSWEEP_DATA_SPLIT_H
#define POSWEEP_DATA_SPLIT_H

#include <stdint.h>

/** Parts of a prompt space: 7, 1 and 2 of ten prompts. */
enum psw_split {
    PSW_SPLIT_TRAIN,   /* SFT items and training pairs */
    PSW_SPLIT_PROBE,   /* held-out pairs */
    PSW_SPLIT_HELDOUT, /* final responses, evaluation */
    PSW_N_SPLIT
};

/** The part that a prompt belongs to. */
enum psw_split psw_split_of(const int32_t *prompt, int64_t n_prompt);

#endif
