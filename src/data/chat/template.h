/* Chat templates: what stands around the turns of a conversation, and which of it is trained.
 *
 * A template is a table: for each role what comes before a turn and after it. The prompt is all
 * turns up to the reply and what comes before an assistant's; the reply is its content and what
 * ends it. What a template writes is markup: in it names of special tokens become these tokens,
 * "{eos}" is EOS and "{bos}" is what the tokenizer puts before a text. What people wrote is
 * never looked at for any of this. */
#ifndef POSWEEP_SRC_DATA_TEMPLATE_H
#define POSWEEP_SRC_DATA_TEMPLATE_H

#include "chat/chat.h"
#include <posweep/data/tokenizer_file.h>

/** Around a turn. */
enum { PSW_TURN_BYTES = 256 };
struct psw_turn_marks {
    char prefix[PSW_TURN_BYTES];
    char lead[PSW_TURN_BYTES]; /* of an assistant's: what its trained text begins with */
    char suffix[PSW_TURN_BYTES];
};

/** A template. Plain data. */
struct psw_template {
    const char *name;
    struct psw_turn_marks turn[PSW_N_CHAT_ROLE];
    struct psw_turn_marks behind_system; /* of a user; prefix and suffix empty: as else */
    uint64_t content;                    /* of a file: its hash and length; 0: built in */
    int64_t n_bytes;
    int keeps_texts; /* rows that are plain texts stay as they are, only messages are rendered
                      */
};

/** A built-in one, NULL for no such name. */
const struct psw_template *psw_template_find(const char *name);

/** Read one from JSON: {"user": {"prefix": ..., "suffix": ...}, "assistant": {...}, "system":
 *  {...}, "user_behind_system": {...}}; assistant may have a "lead". Owns: the caller frees.
 *  Errors: PSW_EDATA with the place and what is expected, also where nothing would be trained;
 *  those of reading. */
psw_status psw_template_read(const char *path, struct psw_template **out,
                             struct psw_error *err);

/** What a byte of a rendered text is. */
enum psw_render_mark { PSW_RENDER_WRITTEN, PSW_RENDER_MARKUP, PSW_RENDER_EOS, PSW_RENDER_BOS };

/** A rendered text; zeroed at first. Owns: psw_rendered_clear. */
struct psw_rendered {
    struct psw_text_buffer text;
    struct psw_text_buffer mark; /* enum psw_render_mark of each byte; of EOS and BOS, whose
                                    byte is no text */
};

/** The end of replies by a template: its special token, else EOS; and how many bytes of the
 *  assistant's suffix stand before it. */
struct psw_reply_end {
    int32_t id;
    size_t n_before;
};
psw_status psw_template_end(const struct psw_template *t, const struct psw_tokenizer *tokenizer,
                            struct psw_reply_end *out, struct psw_error *err);

/** Write the turns before number n_turn and the beginning of an assistant's turn. `out` is
 *  emptied first. Errors: PSW_ENOMEM. */
psw_status psw_template_prompt(const struct psw_template *t, const struct psw_chat *chat,
                               int64_t n_turn, struct psw_rendered *out, struct psw_error *err);

/** Write a reply, without its end. Errors: PSW_ENOMEM. */
psw_status psw_template_reply(const struct psw_template *t, const struct psw_reply_end *end,
                              struct psw_text content, struct psw_rendered *out,
                              struct psw_error *err);

/** Append the ids of a rendered text. Errors: those of psw_tokenizer_encode_written. */
psw_status psw_rendered_encode(const struct psw_rendered *rendered,
                               const struct psw_tokenizer *tokenizer, enum psw_text_place place,
                               struct psw_token_list *out, struct psw_error *err);

void psw_rendered_clear(struct psw_rendered *rendered);

#endif
