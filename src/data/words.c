/* See words.h. */
#include "words.h"

#include <posweep/data/tokenizer_file.h>
#include <stdlib.h>

/** A tokenizer that data sets can be made with: responses end with an EOS. */
static psw_status read_tokenizer(const char *path, struct psw_tokenizer **out,
                                 struct psw_error *err)
{
    const psw_status rc = psw_tokenizer_create(path, out, err);
    if (rc != PSW_OK || (*out)->eos >= 0) return rc;
    psw_tokenizer_destroy(*out);
    *out = NULL;
    return psw_fail(err, PSW_EDATA,
                    "%s: the tokenizer has no EOS, which every response ends with: name one of "
                    "its tokens as \"eos_token\" in tokenizer_config.json beside it",
                    path);
}

psw_status psw_words_open(const char *tokenizer, const char *chat_template,
                          struct psw_words *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_words w = {.chat_template =
                              psw_template_find(*chat_template ? chat_template : "hh")};
    struct psw_reply_end end;
    if (*tokenizer) PSW_TRY(read_tokenizer(tokenizer, &w.tokenizer, err));
    if (!w.chat_template) {
        PSW_TRY(psw_template_read(chat_template, &w.own_template, err));
        w.chat_template = w.own_template;
    }
    if (w.tokenizer) {
        PSW_TRY(psw_template_end(w.chat_template, w.tokenizer, &end, err));
        w.tokenizer->eos = end.id;
    }
    *out = w;
    return PSW_OK;
fail:
    psw_words_close(&w);
    return rc;
}

void psw_words_use(const struct psw_words *words, struct psw_file_opts *opts)
{
    opts->text.tokenizer = words->tokenizer;
    opts->text.chat_template = words->chat_template;
}

void psw_words_close(struct psw_words *words)
{
    psw_tokenizer_destroy(words->tokenizer);
    free(words->own_template);
    *words = (struct psw_words){0};
}
