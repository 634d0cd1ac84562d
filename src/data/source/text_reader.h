/* From the rows of files of texts and conversations to examples. A row goes through the same
 * stations whatever its form: texts or turns, parts (prompt and replies), filters with their
 * counts, tokens. Training rows come first, because held-out rows are compared with what they
 * ask. */
#ifndef POSWEEP_SRC_DATA_SOURCE_TEXT_READER_H
#define POSWEEP_SRC_DATA_SOURCE_TEXT_READER_H

#include "key_set.h"
#include "source/form.h"
#include "source/row_reader.h"

/** What is being built; zeroed but for the first two members. Owns: psw_text_reader_clear. */
struct psw_text_reader {
    const struct psw_file_opts *opts;
    struct psw_dataset *data;
    struct psw_row_writer writer;
    struct psw_row_scratch scratch;
    uint64_t *asked; /* [n_asked] hashes of what training rows ask. owned */
    int64_t n_asked, n_asked_max;
    struct {
        const struct psw_examples *from; /* the list whose distinct prompts are final ones */
        struct psw_key_set asked;        /* owned */
    } final;
    struct psw_token_list prompt, reply[2]; /* owned: of the row, nothing cut */
};

/** One file: what its rows are, where they go. */
struct psw_text_file {
    enum psw_data_role role;
    enum psw_form_use use;
    const char *path;
    int64_t limit;
    struct psw_file_side {
        struct psw_examples *kept; /* NULL: such rows are not kept */
        struct psw_data_counts *counts;
    } train, heldout;
    const char *asked_form;      /* NULL: that of opts, or by the first row */
    const struct psw_form *form; /* found by the first row */
    int splits;                  /* a share is left for final prompts, whatever opts say */
    int repeats_prompt;          /* -1 until the first row with a prompt key */
    struct psw_text_reader *reader;
};

/** Read a file; its form is remembered in the data set. Errors: those of form.h,
 *  json_rows.h and of encoding. */
psw_status psw_text_file_read(struct psw_text_reader *reader, struct psw_text_file *file,
                              struct psw_error *err);

/** Training rows are complete: held-out rows may be compared. */
void psw_text_reader_sort(struct psw_text_reader *reader);

void psw_text_reader_clear(struct psw_text_reader *reader);

#endif
