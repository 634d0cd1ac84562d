/* A model of a folder in the form of Hugging Face that answers prompts, outside of any sweep.
 *
 * Each response is the same bits whatever is drawn beside it, and the same as a run's own D' or
 * evaluation responses where parameters, prompt, options and stream are the same. */
#ifndef POSWEEP_STAGE_RESPOND_H
#define POSWEEP_STAGE_RESPOND_H

#include <posweep/data/batch.h>
#include <posweep/model/sample.h>

struct psw_responder; /* opaque: owns the model and its parameters */

/** Read config.json and the tensors of a folder; its rows must suffice for n_vocab tokens.
 *  MPI: Local. Owns: the caller closes.
 *  Errors: those of psw_model_dir_read and psw_weights_read; PSW_EINVAL; PSW_ENOMEM. */
psw_status psw_responder_open(const char *dir, int32_t n_vocab, struct psw_responder **out,
                              struct psw_error *err);

/** Accepts NULL. */
void psw_responder_close(struct psw_responder *responder);

/** The most tokens of prompt and response together. */
int64_t psw_responder_context(const struct psw_responder *responder);

/** Draw responses; shapes and errors are those of psw_model_sample. MPI: Local. */
psw_status psw_responder_draw(const struct psw_responder *responder,
                              const struct psw_sample_in *in, const struct psw_sample_out *out,
                              struct psw_error *err);

#endif
