/* Two made-up files that the tests of show and of the picture look at. */
#ifndef POSWEEP_TESTS_SHOW_FILES_H
#define POSWEEP_TESTS_SHOW_FILES_H

#include "traces_file.h"

#include <math.h>
#include <posweep/store/schema.h>

/** vanilla: seeds 1 and 2 cross between steps 20 and 60, seed 3 within errors; seed 4 has run
 *  away, and its G is 300 times as large. flat: neg leads throughout but for the last
 * checkpoint; one D' is cut, one repeats itself; seed 3 has diverged. */
static const struct tf_run SHOW_RUNS[] = {{.variant = "vanilla",
                                           .seed = 1,
                                           .kl = 0.2,
                                           .pos = {1.5, 1.2, 0.5, 0.1, 0, 9},
                                           .neg = {0.5, 0.6, 0.6, 0.8, 0.9, 0}},
                                          {.variant = "vanilla",
                                           .seed = 2,
                                           .kl = 0.3,
                                           .pos = {1.7, 1.2, 0.5, 0.1, 0, 9},
                                           .neg = {0.5, 0.6, 0.6, 0.8, 0.9, 0}},
                                          {.variant = "vanilla",
                                           .seed = 3,
                                           .kl = 0.2,
                                           .pos = {0.1, -0.1, 0.1, -0.1, 0.1, 9},
                                           .neg = {0, 0, 0, 0, 0, -9}},
                                          {.variant = "vanilla",
                                           .seed = 4,
                                           .kl = 92,
                                           .pos = {300, 300, 300, 300, 300, 0},
                                           .neg = {300, 300, 300, 300, 300, 0}},
                                          {.variant = "flat",
                                           .seed = 1,
                                           .kl = 0.1,
                                           .cut_rate = 0.75,
                                           .finding = PSW_FINDING_CUT,
                                           .pos = {0, 0, 0, 0, 0, 9},
                                           .neg = {1, 1, 1, 1, 1, -9}},
                                          {.variant = "flat",
                                           .seed = 2,
                                           .kl = 0.1,
                                           .cut_rate = 0.01,
                                           .finding = PSW_FINDING_REPEATS,
                                           .pos = {0, 0, 0, 0, 0, 9},
                                           .neg = {1, 1, 1, 1, 1, -9}},
                                          {.variant = "flat", .seed = 3, .is_diverged = 1}};

static const struct tf_file SHOW_FILE = {.run = SHOW_RUNS,
                                         .n_run = 7,
                                         .se = 0.1,
                                         .se_difference = 0.1,
                                         .se_final = {0.05, NAN, NAN, NAN, 0.05, 0.05},
                                         .norm = 10};

#endif
