/* The files of a tokenizer, taken along with a model. */
#ifndef POSWEEP_DATA_TOKENIZER_COPY_H
#define POSWEEP_DATA_TOKENIZER_COPY_H

#include <posweep/util/status.h>

/** Copy what belongs to the tokenizer at path (a folder, or a file in it) into a folder, byte
 *  for byte: the vocabulary, and what stands beside it under the names that the field's
 *  programs look for (tokenizer_config.json, special_tokens_map.json, chat_template.jinja,
 * ...). Errors: PSW_EIO, PSW_ENOSPC, PSW_EPERM, with the path. */
psw_status psw_tokenizer_copy(const char *path, const char *folder, struct psw_error *err);

#endif
