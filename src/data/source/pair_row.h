/* Rows of files of pairs: texts and their parts, before anything is decided about them. */
#ifndef POSWEEP_SRC_DATA_SOURCE_PAIR_ROW_H
#define POSWEEP_SRC_DATA_SOURCE_PAIR_ROW_H

#include <jansson.h>
#include <posweep/data/dataset.h>

enum { PSW_SIDE_CHOSEN, PSW_SIDE_REJECTED };

/** One row: its sides as they stand in the file, and cut into parts. */
struct psw_pair_row {
    int n_side; /* 2, or 1 for SFT */
    struct psw_text side[2], prompt[2], reply[2];
    int is_dialogue;    /* HH form: no prompt key */
    int repeats_prompt; /* there is one, and all sides begin with it; then: it was taken off */
};

/** Read a row of pairs: `chosen` and `rejected`, with a `prompt` or as whole dialogues. Texts
 *  are borrowed from the object. Errors: PSW_EDATA, PSW_EUNSUP with the place. */
psw_status psw_pair_row_read(const json_t *object, const char *place, struct psw_pair_row *out,
                             struct psw_error *err);

/** The same of a row of SFT items: `completion`, `response` or `chosen`. */
psw_status psw_pair_row_read_sft(const json_t *object, const char *place,
                                 struct psw_pair_row *out, struct psw_error *err);

/** Hash of what a row begins with: the text before the first Assistant mark. Rows with the same
 *  opening stay on the same side of a split. */
uint64_t psw_pair_row_opening(const struct psw_pair_row *row);

/** Count what is odd about a row, whether it is kept or not. */
void psw_pair_row_count(const struct psw_pair_row *row, struct psw_data_counts *counts);

/** Give both sides of a dialogue the longest prompt they share: the text up to the last
 *  Assistant mark before they part. Returns 0 if there is none. */
int psw_pair_row_share_prompt(struct psw_pair_row *row);

/** Take the prompt off the replies, which begin with it. */
void psw_pair_row_take_prompt_off(struct psw_pair_row *row);

#endif
