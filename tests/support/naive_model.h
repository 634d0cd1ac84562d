/* The naive twin of the transformer: double precision, one token and one key at a time, written
 * from the published description of gpt_neox and not from the fast code. */
#ifndef POSWEEP_TESTS_NAIVE_MODEL_H
#define POSWEEP_TESTS_NAIVE_MODEL_H

#include <posweep/model/model.h>

/** Log-probability of every row's target. Shapes: param [n_param], logp [n_row]. */
void naive_model_logp(const struct psw_model *model, const double *param,
                      const struct psw_batch *batch, double temperature, double *logp);

#endif
