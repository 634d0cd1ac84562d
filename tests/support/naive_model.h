/* The naive twin of the transformer: double precision, one token and one key at a time, written
 * from the published description of gpt_neox and not from the fast code. */
#ifndef POSWEEP_TESTS_NAIVE_MODEL_H
#define POSWEEP_TESTS_NAIVE_MODEL_H

#include <posweep/model/model.h>

/** What is known of a row. */
enum naive_quantity { NAIVE_LOGP, NAIVE_ENTROPY, NAIVE_VALUE, NAIVE_N };

/** Log-probability of every row's target, entropy, and value (0 without a scalar head).
 *  Shapes: param [n_param], out [NAIVE_N][n_row]. */
void naive_model_rows(const struct psw_model *model, const double *param,
                      const struct psw_batch *batch, double temperature, double *out);

#endif
