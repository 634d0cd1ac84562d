/* The model and the preference pairs that PyTorch's numbers are about (golden/step.h). Add
 * tests/support/golden_model.c to the SOURCES of a test that uses it. */
#ifndef POSWEEP_TESTS_GOLDEN_MODEL_H
#define POSWEEP_TESTS_GOLDEN_MODEL_H

#include <posweep/data/batch.h>
#include <posweep/model/model.h>

enum { GOLDEN_N_PAIR = 3, GOLDEN_N_SEQ = 6 };

/** A gpt_neox of a few hundred weights. Fails the test when anything does. Owns: the caller
 *  destroys. */
struct psw_model *golden_model(void);

/** The golden parameters of a seed; those of a scalar head stay 0. */
void golden_fill(const struct psw_model *model, uint64_t seed, float *param);

/** The pairs, chosen first. Shapes: out [GOLDEN_N_PAIR]. */
void golden_pairs(struct psw_example *out);

#endif
