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

/** Does model.from hold this model, all of it and nothing else? Headers are read, no numbers.
 *  Nothing to ask where there is no model.from, or config.json alone.
 *  MPI: Local. Errors: those of psw_weights_read. */
psw_status psw_weights_fit(const struct psw_config *config, const struct psw_model *model,
                           struct psw_error *err) PSW_MUST_CHECK;

/** What is written of a model. Borrowed. */
struct psw_weights {
    const struct psw_model *model;
    struct psw_exec *exec;
    const float *param; /* [n_param] */
    int is_classifier;  /* the scalar head, not the vocabulary's; else the other way round */
};

/** Make the folder of a model in the form of Hugging Face at dir, whole or not at all:
 *  config.json, model.safetensors of F32, and the files of the tokenizer at `tokenizer` ("": of
 *  none) byte for byte. A folder that is there is replaced.
 *  MPI:    Local.
 *  Errors: PSW_ENOSPC, PSW_EPERM, PSW_EIO with the path; those of psw_model_dir_write. */
psw_status psw_weights_write(const char *dir, const struct psw_config *config,
                             const struct psw_weights *weights, int32_t eos,
                             const char *tokenizer, struct psw_error *err) PSW_MUST_CHECK;

/** Are the files of model.from still those whose identity the configuration has?
 *  MPI: Local. Errors: PSW_EDATA with both; those of reading. */
psw_status psw_weights_check(const struct psw_config *config, struct psw_error *err);

#endif
