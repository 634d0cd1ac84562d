/* What texts become tokens with: a tokenizer of files and a chat template, together, because
 * the template decides which token ends a reply. */
#ifndef POSWEEP_SRC_DATA_WORDS_H
#define POSWEEP_SRC_DATA_WORDS_H

#include "chat/template.h"
#include <posweep/data/files.h>

/** Zeroed at first. Owns: psw_words_close. */
struct psw_words {
    struct psw_tokenizer *tokenizer;          /* owned; NULL: bytes */
    const struct psw_template *chat_template; /* built in, or own_template */
    struct psw_template *own_template;        /* owned; NULL: a built-in one */
};

/** Read a tokenizer ("": bytes) and a template (a built-in name, "": hh, or a path). EOS
 * becomes what ends a reply by the template. Errors: PSW_EDATA for a tokenizer without EOS;
 * those of psw_tokenizer_create and psw_template_read. */
psw_status psw_words_open(const char *tokenizer, const char *chat_template,
                          struct psw_words *out, struct psw_error *err);

/** Let files be read with them. */
void psw_words_use(const struct psw_words *words, struct psw_file_opts *opts);

void psw_words_close(struct psw_words *words);

#endif
