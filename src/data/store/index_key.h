/* What the reading of data files depends on, but for their content. */
#ifndef POSWEEP_SRC_DATA_INDEX_KEY_H
#define POSWEEP_SRC_DATA_INDEX_KEY_H

#include "data_internal.h"
#include <posweep/data/files.h>

/** Hash of the options, of the paths, of tokenizer and template by content, of this build of
 * the program (another one may read otherwise), and of a layout. Shapes: path: [PSW_N_ROLE]. */
uint64_t psw_index_key(enum psw_source source, const struct psw_file_opts *opts,
                       const char *const *path, const struct psw_tokenizer *tokenizer,
                       int layout);

#endif
