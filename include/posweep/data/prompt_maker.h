/* What somebody types, as the prompt that a run's model would have met: by the tokenizer and
 * the chat template of the run, as a row {"prompt": text} of a file of prompts becomes one. No
 * data are read for it. */
#ifndef POSWEEP_DATA_PROMPT_MAKER_H
#define POSWEEP_DATA_PROMPT_MAKER_H

#include <posweep/config/config.h>
#include <posweep/data/tokenizer.h>

struct psw_prompt_maker; /* opaque, owns tokenizer and template */

/** For the task, tokenizer and template of a configuration.
 *  Owns: the caller destroys. Errors: those of reading tokenizer and template; PSW_ENOMEM. */
psw_status psw_prompt_maker_create(const struct psw_config *config,
                                   struct psw_prompt_maker **out, struct psw_error *err);

/** Accepts NULL. */
void psw_prompt_maker_destroy(struct psw_prompt_maker *maker);

/** The tokenizer; its eos is what ends a reply. Borrowed. */
const struct psw_tokenizer *psw_prompt_maker_tokenizer(const struct psw_prompt_maker *maker);

/** The ids of a prompt; one longer than data.max_prompt loses its beginning, and *n_lost counts
 *  these tokens. Shapes: out: borrowed until the next call.
 *  Errors: PSW_EDATA for a text that the vocabulary cannot say; PSW_ENOMEM. */
psw_status psw_prompt_maker_tokens(struct psw_prompt_maker *maker, struct psw_text text,
                                   struct psw_tokens *out, int64_t *n_lost,
                                   struct psw_error *err);

#endif
