/* A token is a word of a list. */
#include <posweep/data/tokenizer.h>

#include <string.h>

static struct psw_text piece(const struct psw_tokenizer *tokenizer, int32_t id)
{
    if (id < 0 || id >= tokenizer->n_vocab) return (struct psw_text){0};
    const char *word = tokenizer->word[id];
    return (struct psw_text){word, id == tokenizer->eos ? 0 : strlen(word)};
}

/** The id of a word, -1 if it is none. EOS is none that a text can say. */
static int32_t find(const struct psw_tokenizer *tokenizer, struct psw_text word)
{
    for (int32_t i = 0; i < tokenizer->n_vocab; i++)
        if (psw_text_equal(word, piece(tokenizer, i))) return i;
    return -1;
}

static psw_status encode(const struct psw_tokenizer *tokenizer,
                         const struct psw_written_text *written, struct psw_token_list *out,
                         struct psw_error *err)
{
    const struct psw_text text = written->text;
    for (struct psw_text left = psw_text_trim(text); left.n > 0; left = psw_text_trim(left)) {
        struct psw_text word = {left.at, 0};
        while (word.n < left.n && !psw_is_blank(left.at[word.n])) word.n++;
        const int32_t found = find(tokenizer, word);
        int32_t *id = NULL;
        if (found < 0)
            return psw_fail(err, PSW_EDATA, "\"%.*s\" is none of the task's %d words",
                            (int)word.n, word.at, tokenizer->n_vocab);
        const psw_status rc = psw_token_list_grow(out, 1, &id, err);
        if (rc != PSW_OK) return rc;
        *id = found;
        left = (struct psw_text){left.at + word.n, left.n - word.n};
    }
    return PSW_OK;
}

const struct psw_tokenizer_kind PSW_WORDS_KIND = {"words", " ", encode, piece};
