/* Rows of files of texts and conversations: their parts, before anything is decided about them.
 */
#ifndef POSWEEP_SRC_DATA_SOURCE_PAIR_ROW_H
#define POSWEEP_SRC_DATA_SOURCE_PAIR_ROW_H

#include "chat/template.h"
#include <jansson.h>
#include <posweep/data/files.h>

enum { PSW_SIDE_CHOSEN, PSW_SIDE_REJECTED };

/** What rows are made in, one after the other; zeroed at first. Owns: psw_row_scratch_clear. */
struct psw_row_scratch {
    struct psw_chat chat[2]; /* of a row with is_chat: the conversation of each side */
    struct psw_chat prompt;
    struct psw_text_buffer user;
    struct psw_rendered rendered_prompt[2], rendered_reply[2];
};

void psw_row_scratch_clear(struct psw_row_scratch *scratch);

/** One row: its sides as they stand in the file, and cut into parts. Of a conversation the
 * sides are the contents of the replies; prompt and reply come with psw_pair_row_render. A row
 * without sides has prompt[0] or chat[0] only. */
struct psw_pair_row {
    int n_side; /* 2, 1 for SFT, or 0 for a bare prompt */
    struct psw_text side[2], prompt[2], reply[2];
    int is_dialogue;    /* HH form: no prompt key */
    int repeats_prompt; /* there is one, and all sides begin with it; then: it was taken off */
    int is_chat;        /* scratch->chat has the turns */
    int is_bare;        /* a text that no template goes around */
    struct psw_row_scratch *scratch; /* borrowed */
};

/** Read a row of pairs: `chosen` and `rejected`, with a `prompt` or as whole dialogues. Texts
 *  are borrowed from the object. Errors: PSW_EDATA, PSW_EUNSUP with the place. */
psw_status psw_pair_row_read(const json_t *object, const char *place, struct psw_pair_row *out,
                             struct psw_error *err);

/** The same of a row of SFT items: `completion`, `response` or `chosen`. */
psw_status psw_pair_row_read_sft(const json_t *object, const char *place,
                                 struct psw_pair_row *out, struct psw_error *err);

/** What the user of a row says first, without blanks around it: rows of any form ask the same
 * if this is the same. Borrowed. */
struct psw_text psw_pair_row_asked(const struct psw_pair_row *row);

/** Hash of what a row begins with: the text before the first Assistant mark; of conversations
 *  what is asked. Rows with the same opening stay on the same side of a split. */
uint64_t psw_pair_row_opening(const struct psw_pair_row *row);

/** Count what is odd about a row, whether it is kept or not. */
void psw_pair_row_count(const struct psw_pair_row *row, struct psw_data_counts *counts);

/** Give both sides of a dialogue the longest prompt they share: the text up to the last
 *  Assistant mark before they part. Returns 0 if there is none. */
int psw_pair_row_share_prompt(struct psw_pair_row *row);

/** Take the prompt off the replies, which begin with it. */
void psw_pair_row_take_prompt_off(struct psw_pair_row *row);

/** Make conversations of texts: a dialogue is its turns, another prompt what a user says.
 *  Errors: PSW_ENOMEM. */
psw_status psw_pair_row_to_chat(struct psw_pair_row *row, struct psw_error *err);

/** Whether the conversations of a row can be used: pairs end with an assistant's turn; SFT
 * items have one, and what follows the last one is left out; prompts are what stands before it.
 *  Errors: PSW_EDATA with the place. */
psw_status psw_pair_row_check(const struct psw_pair_row *row, const char *place,
                              struct psw_error *err);

/** How conversations are written. */
struct psw_row_writer {
    const struct psw_template *chat_template; /* borrowed */
    struct psw_reply_end end;
};

/** By the template of opts, or hh. Errors: those of psw_template_end. */
psw_status psw_row_writer_init(struct psw_row_writer *writer, const struct psw_file_opts *opts,
                               const struct psw_tokenizer *tokenizer, struct psw_error *err);

/** Write prompt and reply of side s: the reply is turn number `turn` of its conversation; n for
 *  a prompt alone. Errors: PSW_ENOMEM. */
psw_status psw_pair_row_render(struct psw_pair_row *row, const struct psw_row_writer *writer,
                               int s, int64_t turn, struct psw_error *err);

#endif
