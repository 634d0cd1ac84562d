/* What sources of files share: the rows of a file one by one, and how long rows may be. */
#ifndef POSWEEP_SRC_DATA_SOURCE_ROW_READER_H
#define POSWEEP_SRC_DATA_SOURCE_ROW_READER_H

#include "data_internal.h"
#include "json_rows.h"
#include <posweep/data/files.h>

/** One file, and what is done with its rows. */
struct psw_row_file {
    const struct psw_file_opts *opts;
    const char *path;
    enum psw_data_role role;
    int64_t limit; /* rows; 0 = all */
    /** Sets *done where no more rows are wanted. place: for messages. */
    psw_status (*take)(void *ctx, const json_t *row, const char *place, int *done,
                       struct psw_error *err);
    void *ctx;
};

/** Read the rows of a file, the first `limit` at most; read to that end, it becomes an
 *  origin of the data. data: NULL for a look ahead. Errors: those of json_rows.h and of take.
 */
psw_status psw_row_file_read(const struct psw_row_file *file, struct psw_dataset *data,
                             struct psw_error *err);

/** Whether held-out rows are split off from the training file; and, if they are, one by the
 * hash of what it begins with. */
int psw_file_splits(const struct psw_file_opts *opts);
int psw_file_row_is_heldout(const struct psw_file_opts *opts, uint64_t hash);

/** The ids of a row's texts: `list` is emptied first. Names of special tokens in them stay
 *  text. Errors: those of psw_tokenizer_encode. */
psw_status psw_row_encode(const struct psw_dataset *data, struct psw_text text,
                          enum psw_text_place place, struct psw_token_list *list,
                          struct psw_error *err);

/** Where a reply stands behind a prompt. */
enum psw_text_place psw_row_place_behind(const struct psw_dataset *data,
                                         const struct psw_token_list *prompt);

/** What a model sees of a prompt: as many of its last tokens as fit, behind what belongs before
 *  every text (BOS); EOS where nothing is left, as many base models begin. `list` holds the
 *  prompt, and gets it. Shapes: out: borrowed from list. Errors: PSW_ENOMEM. */
psw_status psw_row_prompt(const struct psw_dataset *data, struct psw_token_list *list,
                          int32_t n_max, struct psw_tokens *out, struct psw_error *err);

/** Whether it loses some. */
int psw_row_prompt_exceeds(const struct psw_dataset *data, const struct psw_token_list *list,
                           int32_t n_max);

/** Append an EOS. Errors: PSW_ENOMEM. */
psw_status psw_row_end(const struct psw_dataset *data, struct psw_token_list *list,
                       struct psw_error *err);

/** Whether tokens and n_more are more than n_max; 0 = no limit. */
int psw_row_exceeds(const struct psw_token_list *list, int n_more, int32_t n_max);

struct psw_tokens psw_list_tokens(const struct psw_token_list *list);

#endif
