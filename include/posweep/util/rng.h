/* Counter-based random numbers: a value depends on its key and place only, never on history, so
 * it is the same whatever the number of ranks, the order of work or interruptions.
 *
 * The bits are Philox 4x32-10 of Random123 (Salmon et al. 2011). */
#ifndef POSWEEP_UTIL_RNG_H
#define POSWEEP_UTIL_RNG_H

#include <stdint.h>

/** What a stream of numbers is for: the same (step, item, position) in two uses is independent.
 *  Values are part of the results' bits: append, never renumber. */
enum psw_rng_use {
    PSW_RNG_INIT = 1,    /* model initialisation; step = tensor, item = element */
    PSW_RNG_TASK,        /* generated tasks */
    PSW_RNG_PAIRS,       /* generated preference pairs, label flips */
    PSW_RNG_ORDER,       /* order of items in an epoch */
    PSW_RNG_SAMPLE,      /* sampling from the policy; item = sequence, position = token */
    PSW_RNG_PROBE,       /* choice of probe items */
    PSW_RNG_GROUPS,      /* random control groups */
    PSW_RNG_SHUFFLE,     /* shuffled controls */
    PSW_RNG_BOOTSTRAP,   /* statistics */
    PSW_RNG_TEST,        /* tests and benchmarks */
    PSW_RNG_ROLLOUT,     /* sampling rollouts; step = training step, item = sequence */
    PSW_RNG_REDRAW,      /* prompts drawn again; step = training step */
    PSW_RNG_EPOCH,       /* order of rollouts in a pass; step = training step, item = pass */
    PSW_RNG_NOISE,       /* noise on scores; step = training step, item = sequence */
    PSW_RNG_REWARD_FLIP, /* labels that the reward model sees flipped; item = pair */
    PSW_RNG_CENTER,      /* responses that center the reward model */
    PSW_RNG_EVAL,        /* evaluation responses; item = sequence, position = token */
    PSW_RNG_SIGNFLIP,    /* sign-flip tests; seed = pairs, item = draw */
    PSW_RNG_SKETCH,      /* random projections of vectors; item = coordinate */
    PSW_RNG_JUDGE        /* order of two responses; seed = what they say, item = sample */
};

/** A stream: 64-bit seed and a use. Plain data. */
struct psw_rng {
    uint64_t seed;
    uint32_t use;
    uint32_t step;
};

/** Four 32-bit words at (item, position) of the stream. */
void psw_rng_words(struct psw_rng rng, uint64_t item, uint32_t position, uint32_t out[4]);

/** Uniform in the open interval (0, 1), 53 bits. */
double psw_rng_uniform(struct psw_rng rng, uint64_t item, uint32_t position);

/** Standard normal (Box-Muller). */
double psw_rng_normal(struct psw_rng rng, uint64_t item, uint32_t position);

/** Uniform integer in [0, n), n >= 1, without modulo bias beyond 2^-64. */
uint64_t psw_rng_below(struct psw_rng rng, uint64_t item, uint32_t position, uint64_t n);

/** Permutation of 0..n-1 (Fisher-Yates on the stream at `item`), n < 2^31.
 *  Shapes: perm [n]. */
void psw_rng_permute(struct psw_rng rng, uint64_t item, int64_t n, int64_t *perm);

#endif
