/* See prompt_maker.h. The stations of a row of a file, without the file. */
#include <posweep/data/prompt_maker.h>

#include "source/generator.h"
#include "source/row_reader.h"
#include "words.h"

#include <stdlib.h>

struct psw_prompt_maker {
    struct psw_dataset *data;          /* owned: empty; knows the tokenizer */
    struct psw_words words;            /* owned; the tokenizer is the data set's */
    int32_t max_prompt;                /* tokens; 0: no limit */
    const struct psw_template *around; /* borrowed; NULL: a text stays as it is */
    struct psw_token_list ids;
    struct psw_chat chat;
    struct psw_rendered rendered;
};

/** What stands around a text that somebody writes: as the sources have it. */
static const struct psw_template *template_around(enum psw_source source,
                                                  const struct psw_template *given)
{
    if (!given->keeps_texts || source == PSW_SOURCE_VERL) return given;
    return source == PSW_SOURCE_GSM8K ? psw_template_find("none") : NULL;
}

static psw_status open_words(const struct psw_config *config, struct psw_prompt_maker *m,
                             const struct psw_data_source *source, struct psw_error *err)
{
    const struct psw_config_data *data = &config->data;
    const char *chat_template = data->template[0] ? data->template : data->template_written;
    m->max_prompt = (int32_t)data->max_prompt;
    psw_status rc = psw_words_open(data->tokenizer, chat_template, &m->words, err);
    if (rc != PSW_OK) return rc;
    m->around = template_around(psw_config_source(config), m->words.chat_template);
    rc = psw_dataset_create(
        source, m->words.tokenizer ? m->words.tokenizer : &PSW_BYTE_TOKENIZER, &m->data, err);
    if (rc == PSW_OK && m->words.tokenizer) {
        psw_dataset_own_tokenizer(m->data, m->words.tokenizer);
        m->words.tokenizer = NULL;
    }
    return rc;
}

psw_status psw_prompt_maker_create(const struct psw_config *config,
                                   struct psw_prompt_maker **out, struct psw_error *err)
{
    const struct psw_data_source *source = psw_data_source_of(psw_config_source(config));
    struct psw_prompt_maker *m = calloc(1, sizeof *m);
    if (!m) return psw_fail(err, PSW_ENOMEM, "prompts: %zu bytes", sizeof *m);
    const psw_status rc =
        source->generator
            ? psw_dataset_create(source, source->generator->tokenizer, &m->data, err)
            : open_words(config, m, source, err);
    if (rc == PSW_OK)
        *out = m;
    else
        psw_prompt_maker_destroy(m);
    return rc;
}

void psw_prompt_maker_destroy(struct psw_prompt_maker *maker)
{
    if (!maker) return;
    psw_dataset_destroy(maker->data);
    psw_words_close(&maker->words);
    psw_rendered_clear(&maker->rendered);
    free(maker->chat.turn);
    free(maker->ids.id);
    free(maker);
}

const struct psw_tokenizer *psw_prompt_maker_tokenizer(const struct psw_prompt_maker *maker)
{
    return maker->data->tokenizer;
}

/** The template around a text; a dialogue that ends with a reply goes on behind it. */
static psw_status encode_chat(struct psw_prompt_maker *m, struct psw_text text,
                              struct psw_error *err)
{
    m->chat.n = 0;
    psw_status rc = psw_chat_push_prompt(&m->chat, text, err);
    if (rc == PSW_OK)
        rc = psw_template_prompt(m->around, &m->chat, m->chat.n, &m->rendered, err);
    m->ids.n = 0;
    if (rc == PSW_OK)
        rc = psw_rendered_encode(&m->rendered, m->data->tokenizer, PSW_TEXT_BEGINS, &m->ids,
                                 err);
    return rc;
}

psw_status psw_prompt_maker_tokens(struct psw_prompt_maker *maker, struct psw_text text,
                                   struct psw_tokens *out, int64_t *n_lost,
                                   struct psw_error *err)
{
    psw_status rc = maker->around
                        ? encode_chat(maker, text, err)
                        : psw_row_encode(maker->data, text, PSW_TEXT_BEGINS, &maker->ids, err);
    if (rc != PSW_OK) return rc;
    const int64_t n = maker->ids.n;
    rc = psw_row_prompt(maker->data, &maker->ids, maker->max_prompt, out, err);
    if (rc == PSW_OK) *n_lost = n == 0 ? 0 : n + maker->data->tokenizer->before.n - out->n;
    return rc;
}
