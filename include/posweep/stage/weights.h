/* Weights of others, in and out: a model's parameters and a checkpoint in the form of Hugging
 * Face, whose tensors have the names of the model's table. */
#ifndef POSWEEP_STAGE_WEIGHTS_H
#define POSWEEP_STAGE_WEIGHTS_H

#include <posweep/config/config.h>
#include <posweep/kernels/exec.h>
#include <posweep/model/model.h>

/** Read all parameters from a file or an index, widened to float; a scalar head and the padding
 *  become 0. Buffers that follow from the sizes (rotary_emb.inv_freq, attention.bias and
 *  masked_bias) and the head of a tied model may stand in it and are passed over.
 *  Shapes: param [n_param].
 *  MPI:    Local.
 *  Errors: those of psw_safetensors_open; PSW_EDATA with the tensor, what was expected and what
 *          was found, for one that is missing, surplus, of another shape or type. */
psw_status psw_weights_read(const char *path, const struct psw_model *model,
                            struct psw_exec *exec, float *param,
                            struct psw_error *err) PSW_MUST_CHECK;

/** Are the files of model.from still those whose identity the configuration has?
 *  MPI: Local. Errors: PSW_EDATA with both; those of reading. */
psw_status psw_weights_check(const struct psw_config *config, struct psw_error *err);

#endif
