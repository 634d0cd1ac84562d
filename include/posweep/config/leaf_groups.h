/* Settings that several sections have, as rows (leaves.def) whose makers are given: INT, REAL
 * and ENUM take a path, the way to the member, and the rest of the row. */
#ifndef POSWEEP_CONFIG_LEAF_GROUPS_H
#define POSWEEP_CONFIG_LEAF_GROUPS_H

/** What every training stage has: steps, batches, optimiser, shards. Only the defaults that are
 *  named differ between stages. `bits` are the flags of what decides how items are packed, and
 * so the last bits of every result. */
#define PSW_STAGE_LEAVES(INT, REAL, ENUM, p, m, f, bits, steps_, lr_, decay_, clip_, w)        \
    INT(p, m, steps, steps_, 0, MANY, f, "step", "optimiser steps", w)                         \
    INT(p, m, batch, 32, 1, MANY, bits, "item", "items per step, over all ranks", w)           \
    REAL(p, m, lr, lr_, 0, 1e3, "[]", f, "", "peak learning rate", w)                          \
    INT(p, m, warmup, 0, 0, MANY, f, "step", "steps of linear warm-up from 0", w)              \
    ENUM(p, m, decay, decay, decay_, f,                                                        \
         "learning rate after the warm-up, down to 0 at the "                                  \
         "end",                                                                                \
         w)                                                                                    \
    ENUM(p, m, optimizer, optimizer, PSW_OPTIMIZER_ADAMW, f, "how a gradient becomes a step",  \
         w)                                                                                    \
    REAL(p, m, beta1, 0.9, 0, 1, "[)", f, "", "decay of the first moment (adamw)", w)          \
    REAL(p, m, beta2, 0.999, 0, 1, "[)", f, "", "decay of the second moment", w)               \
    REAL(p, m, eps, 1e-8, 0, 1, "(]", f, "", "added to the root of the moment", w)             \
    REAL(p, m, weight_decay, 0, 0, 1e3, "[]", f, "", "decoupled decay", w)                     \
    REAL(p, m, clip, clip_, 0, 1e9, "[]", f, "", "largest gradient norm; 0 = any", w)          \
    INT(p, m, shards, 8, 1, 64, bits, "",                                                      \
        "parts of a step, a power of two: bits depend on it, not on the ranks", w)

/** a(s), the factor on positive or negative learning, s = step / steps (SCIENCE section 4). It
 * is 0 while step < off_until, whatever the schedule says. */
#define PSW_EMPHASIS_LEAVES(INT, REAL, ENUM, p, m, what, w)                                    \
    ENUM(p, m, schedule, emphasis, PSW_EMPHASIS_CONSTANT, RUN,                                 \
         "factor on " what " learning along the run", ALWAYS)                                  \
    REAL(p, m, from, 1, 0, 1e3, "[]", RUN, "", "the factor at the start", ALWAYS)              \
    REAL(p, m, to, 1, 0, 1e3, "[]", RUN, "", "the factor at the end", w##_MOVES)               \
    REAL(p, m, at, 0.5, 0, 1, "[]", RUN, "", "share of the run at which step jumps",           \
         w##_STEPS)                                                                            \
    INT(p, m, off_until, 0, 0, MANY, RUN, "step", "no " what " learning before this step",     \
        ALWAYS)

#endif
