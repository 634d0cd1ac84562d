/* The table of forms and their readers. Readers fill a row with plain texts (prompt and sides)
 * or with conversations (is_chat); what becomes of these is decided in pair_row.c and pairs.c.
 */
#include "source/form.h"

#include "json_rows.h"
#include <stdio.h>
#include <string.h>

/** The string under a key; at NULL for none. */
static struct psw_text text_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return (struct psw_text){0};
    return (struct psw_text){json_string_value(value), json_string_length(value)};
}

/* ---- plain texts ---- */

/** hh, trl, dahoas, completion: strings. */
static psw_status read_texts(const struct psw_form *form, const json_t *object,
                             const char *place, struct psw_pair_row *row, struct psw_error *err)
{
    (void)form;
    return row->n_side == 2 ? psw_pair_row_read(object, place, row, err)
                            : psw_pair_row_read_sft(object, place, row, err);
}

/** {"text"}: nothing before it, and no template around it. */
static psw_status read_text(const struct psw_form *form, const json_t *object,
                            const char *place, struct psw_pair_row *row, struct psw_error *err)
{
    (void)form;
    if (!json_is_string(json_object_get(object, "text")))
        return psw_fail(err, PSW_EDATA, "%s: no key \"text\"", place);
    row->side[0] = row->reply[0] = text_at(object, "text");
    row->prompt[0] = (struct psw_text){"", 0};
    row->is_bare = 1;
    return PSW_OK;
}

/* ---- conversations ---- */

/** End a conversation with a reply: a string, or messages. */
static psw_status push_reply(struct psw_chat *chat, const json_t *object, const char *key,
                             const char *place, struct psw_error *err)
{
    const struct psw_text text = text_at(object, key);
    if (text.at) return psw_chat_push(chat, PSW_CHAT_ASSISTANT, text, err);
    return psw_chat_push_messages(chat, object, key, place, err);
}

/** A prompt: messages, a dialogue with marks, or what a user says. */
static psw_status push_prompt(struct psw_chat *chat, const json_t *object, const char *key,
                              const char *place, struct psw_error *err)
{
    const struct psw_text text = text_at(object, key);
    if (!text.at) return psw_chat_push_messages(chat, object, key, place, err);
    return psw_chat_push_prompt(chat, text, err);
}

/** One side where chosen and rejected are messages: they have the prompt in them, or not. A
 *  prompt of messages is in them if they begin with it; a prompt that is a string, as
 *  UltraFeedback has beside whole conversations, if there is any turn of a user. */
static psw_status read_side(const json_t *object, const char *key, const char *place,
                            struct psw_pair_row *row, struct psw_chat *side,
                            struct psw_error *err)
{
    struct psw_chat *prompt = &row->scratch->prompt;
    const json_t *prompt_json = json_object_get(object, "prompt");
    psw_status rc = push_reply(side, object, key, place, err);
    if (rc != PSW_OK || !prompt_json || json_is_null(prompt_json)) return rc;
    prompt->n = 0;
    rc = push_prompt(prompt, object, "prompt", place, err);
    if (rc != PSW_OK) return rc;
    if (json_is_string(prompt_json) ? psw_chat_next(side, PSW_CHAT_USER, 0) < side->n
                                    : psw_chat_starts_with(side, prompt))
        return PSW_OK;
    for (int64_t i = 0; i < side->n && rc == PSW_OK; i++)
        rc = psw_chat_push(prompt, side->turn[i].role, side->turn[i].content, err);
    const struct psw_chat whole = *prompt;
    *prompt = *side;
    *side = whole;
    return rc;
}

/** trl with messages, ultrafeedback, completion with messages. */
static psw_status read_messages_sides(const struct psw_form *form, const json_t *object,
                                      const char *place, struct psw_pair_row *row,
                                      struct psw_error *err)
{
    static const char *const PAIR[] = {"chosen", "rejected"};
    const int is_completion = !strcmp(form->name, "completion");
    psw_status rc = PSW_OK;
    row->is_chat = 1;
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++)
        rc = read_side(object, is_completion ? "completion" : PAIR[s], place, row,
                       &row->scratch->chat[s], err);
    return rc;
}

/** sharegpt ranking: conversations, and a chosen and a rejected message that end them. */
static psw_status read_ranking(const struct psw_form *form, const json_t *object,
                               const char *place, struct psw_pair_row *row,
                               struct psw_error *err)
{
    static const char *const PAIR[] = {"chosen", "rejected"};
    psw_status rc = PSW_OK;
    (void)form;
    row->is_chat = 1;
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++) {
        struct psw_chat *chat = &row->scratch->chat[s];
        const struct psw_text system = text_at(object, "system");
        if (system.n > 0) rc = psw_chat_push(chat, PSW_CHAT_SYSTEM, system, err);
        if (rc == PSW_OK)
            rc = psw_chat_push_messages(chat, object, "conversations", place, err);
        if (rc == PSW_OK) rc = push_reply(chat, object, PAIR[s], place, err);
    }
    return rc;
}

/** A conversation under one key: messages, conversations. */
static psw_status read_list(const struct psw_form *form, const json_t *object,
                            const char *place, struct psw_pair_row *row, struct psw_error *err)
{
    struct psw_chat *chat = &row->scratch->chat[0];
    const struct psw_text system = text_at(object, "system");
    psw_status rc = PSW_OK;
    row->is_chat = 1;
    if (system.n > 0) rc = psw_chat_push(chat, PSW_CHAT_SYSTEM, system, err);
    return rc == PSW_OK ? psw_chat_push_messages(chat, object, form->keys[0] + 1, place, err)
                        : rc;
}

/** UltraChat as it was published: texts of a user and an assistant in turn. */
static psw_status read_ultrachat(const struct psw_form *form, const json_t *object,
                                 const char *place, struct psw_pair_row *row,
                                 struct psw_error *err)
{
    const json_t *list = json_object_get(object, "data");
    char found[PSW_VALUE_BYTES];
    psw_status rc = PSW_OK;
    (void)form;
    row->is_chat = 1;
    for (size_t i = 0; i < json_array_size(list) && rc == PSW_OK; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_string(value))
            return psw_fail(err, PSW_EDATA,
                            "%s: \"data\" has %s; expected texts of a user and "
                            "an assistant in turn",
                            place, psw_value_text(value, found));
        rc = psw_chat_push(
            &row->scratch->chat[0], i % 2 ? PSW_CHAT_ASSISTANT : PSW_CHAT_USER,
            (struct psw_text){json_string_value(value), json_string_length(value)}, err);
    }
    return rc;
}

/** alpaca: the user says the instruction and, on the next line, the input. */
static psw_status read_alpaca(const struct psw_form *form, const json_t *object,
                              const char *place, struct psw_pair_row *row,
                              struct psw_error *err)
{
    static const char *const PAIR[] = {"chosen", "rejected"};
    struct psw_text_buffer *user = &row->scratch->user;
    const struct psw_text input = text_at(object, "input"), system = text_at(object, "system");
    const int is_pair = form->uses & PSW_FORM_PAIRS;
    psw_status rc = psw_text_buffer_add(user, text_at(object, "instruction"), err);
    if (rc == PSW_OK && input.n > 0)
        rc = psw_text_buffer_add(user, (struct psw_text){"\n", 1}, err);
    if (rc == PSW_OK && input.n > 0) rc = psw_text_buffer_add(user, input, err);
    row->is_chat = 1;
    for (int s = 0; s < (row->n_side ? row->n_side : 1) && rc == PSW_OK; s++) {
        struct psw_chat *chat = &row->scratch->chat[s];
        if (system.n > 0) rc = psw_chat_push(chat, PSW_CHAT_SYSTEM, system, err);
        if (rc == PSW_OK)
            rc = psw_chat_push(chat, PSW_CHAT_USER, (struct psw_text){user->at, user->n}, err);
        if (rc == PSW_OK && row->n_side)
            rc = push_reply(chat, object, is_pair ? PAIR[s] : "output", place, err);
    }
    return rc;
}

/** A prompt alone. */
static psw_status read_prompt(const struct psw_form *form, const json_t *object,
                              const char *place, struct psw_pair_row *row,
                              struct psw_error *err)
{
    const char *key = form->keys[0] + 1;
    const struct psw_text text = text_at(object, key);
    if (text.at) {
        row->prompt[0] = text;
        row->reply[0] = row->side[0] = (struct psw_text){"", 0};
        return PSW_OK;
    }
    row->is_chat = 1;
    return psw_chat_push_messages(&row->scratch->chat[0], object, key, place, err);
}

/* ---- the table ---- */

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})
enum { ALL = PSW_FORM_PAIRS | PSW_FORM_SFT | PSW_FORM_PROMPTS };
static const struct psw_form FORMS[] = {
    {"sharegpt", "conversations, and a chosen and a rejected message that end them", ALL,
     KEYS("aconversations", "ochosen", "orejected"), read_ranking},
    {"alpaca", "instruction, input, chosen and rejected", ALL,
     KEYS("sinstruction", "schosen", "srejected"), read_alpaca},
    {"dahoas", "prompt, chosen and rejected texts, and the chosen one again as response", ALL,
     KEYS("sprompt", "sresponse", "schosen", "srejected"), read_texts},
    {"ultrafeedback", "chosen and rejected conversations, and the prompt as a text",
     PSW_FORM_PAIRS | PSW_FORM_PROMPTS, KEYS("achosen", "arejected", "sprompt"),
     read_messages_sides},
    {"trl", "chosen and rejected conversations, with or without their prompt",
     PSW_FORM_PAIRS | PSW_FORM_PROMPTS, KEYS("achosen", "arejected"), read_messages_sides},
    {"trl", "prompt, chosen and rejected texts", ALL, KEYS("sprompt", "schosen", "srejected"),
     read_texts},
    {"hh", "chosen and rejected dialogues with \"\\n\\nHuman:\" and \"\\n\\nAssistant:\"", ALL,
     KEYS("schosen", "srejected"), read_texts},
    {"messages", "messages, a conversation", PSW_FORM_SFT | PSW_FORM_PROMPTS, KEYS("amessages"),
     read_list},
    {"sharegpt", "conversations", PSW_FORM_SFT | PSW_FORM_PROMPTS, KEYS("aconversations"),
     read_list},
    {"ultrafeedback", "chosen and rejected conversations, and the prompt as a text",
     PSW_FORM_SFT, KEYS("achosen"), read_messages_sides},
    {"ultrachat", "data, texts of a user and an assistant in turn",
     PSW_FORM_SFT | PSW_FORM_PROMPTS, KEYS("adata"), read_ultrachat},
    {"alpaca", "instruction, input and output", PSW_FORM_SFT | PSW_FORM_PROMPTS,
     KEYS("sinstruction", "soutput"), read_alpaca},
    {"completion", "prompt and completion, messages", PSW_FORM_SFT | PSW_FORM_PROMPTS,
     KEYS("acompletion"), read_messages_sides},
    {"completion", "prompt and completion texts", PSW_FORM_SFT, KEYS("scompletion"),
     read_texts},
    {"completion", "prompt and response texts", PSW_FORM_SFT, KEYS("sresponse"), read_texts},
    {"completion", "prompt and chosen texts, or a chosen dialogue", PSW_FORM_SFT,
     KEYS("schosen"), read_texts},
    {"prompts", "prompt", PSW_FORM_PROMPTS, KEYS("sprompt"), read_prompt},
    {"prompts", "prompt, messages", PSW_FORM_PROMPTS, KEYS("aprompt"), read_prompt},
    {"gsm8k", "question", PSW_FORM_PROMPTS, KEYS("squestion"), read_prompt},
    {"text", "text, all of it trained", PSW_FORM_SFT, KEYS("stext", "-prompt"), read_text},
};
enum { N_FORM = sizeof FORMS / sizeof *FORMS };

int psw_form_serves(const char *name, enum psw_form_use use)
{
    for (int i = 0; i < N_FORM; i++)
        if (!strcmp(FORMS[i].name, name) && (FORMS[i].uses & (unsigned)use)) return 1;
    return 0;
}

static int has_key(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key + 1);
    switch (key[0]) {
    case 'a':
        return json_is_array(value);
    case 'o':
        return json_is_object(value);
    case 's':
        return json_is_string(value);
    default:
        return !value || json_is_null(value);
    }
}

static int matches(const struct psw_form *form, const json_t *object)
{
    int i = 0;
    while (form->keys[i] && has_key(object, form->keys[i])) i++;
    return !form->keys[i];
}

/** The keys of a row with the kinds of their values: "chosen (list), score". */
static char *found_text(const json_t *object, char *out, size_t n_bytes)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    out[0] = 0;
    json_object_foreach((json_t *)object, key, value)
    {
        if (n + 48 >= n_bytes) break;
        n += (size_t)snprintf(out + n, n_bytes - n, "%s%.30s%s", n ? ", " : "", key,
                              json_is_array(value)    ? " (list)"
                              : json_is_object(value) ? " (object)"
                              : json_is_string(value) ? ""
                              : json_is_null(value)   ? " (null)"
                                                      : " (number)");
    }
    return out;
}

/** The forms that serve a use, with their layouts, or where these are too many, by name alone,
 *  each once. Returns whether out has all of them. */
static int known_text(enum psw_form_use use, const char *asked, int with_layout, char *out,
                      size_t n_bytes)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < N_FORM && n < n_bytes; i++) {
        int is_said = 0;
        for (int j = 0; j < i && !with_layout; j++)
            is_said |= (FORMS[j].uses & (unsigned)use) && !strcmp(FORMS[j].name, FORMS[i].name);
        if (is_said || !(FORMS[i].uses & (unsigned)use) ||
            (asked && strcmp(asked, FORMS[i].name) != 0))
            continue;
        n += with_layout
                 ? (size_t)snprintf(out + n, n_bytes - n, "%s%s (%s)", n ? "; " : "",
                                    FORMS[i].name, FORMS[i].layout)
                 : (size_t)snprintf(out + n, n_bytes - n, "%s%s", n ? ", " : "", FORMS[i].name);
    }
    if (!with_layout && n < n_bytes)
        snprintf(out + n, n_bytes - n, "; `posweep help data` has their keys");
    return n < n_bytes;
}

static psw_status say_none(const json_t *object, enum psw_form_use use, const char *asked,
                           const char *place, struct psw_error *err)
{
    const char *what = use == PSW_FORM_PAIRS     ? "pairs"
                       : use == PSW_FORM_SFT     ? "SFT items"
                       : use == PSW_FORM_PROMPTS ? "prompts"
                                                 : "data";
    char found[256], known[512];
    if (!known_text(use, asked, 1, known, sizeof known))
        known_text(use, asked, 0, known, sizeof known);
    const int is_sums = json_object_get(object, "question") && use != PSW_FORM_PROMPTS;
    return psw_fail(err, PSW_EDATA, "%s: no form of %s has these keys: %s; expected %s%s%s",
                    place, what, found_text(object, found, sizeof found),
                    asked ? "" : "one of ", known,
                    is_sums ? "; for questions with answers write data.format: gsm8k" : "");
}

psw_status psw_form_detect(const json_t *object, enum psw_form_use use, const char *asked,
                           const char *place, const struct psw_form **out,
                           struct psw_error *err)
{
    int n_named = 0;
    for (int i = 0; i < N_FORM; i++) {
        const int is_it =
            (FORMS[i].uses & (unsigned)use) && (!asked || !strcmp(asked, FORMS[i].name));
        if (asked && is_it && n_named++ == 0) *out = &FORMS[i];
        if (!is_it || !matches(&FORMS[i], object)) continue;
        *out = &FORMS[i];
        return PSW_OK;
    }
    if (n_named == 1) return PSW_OK; /* its reader says what is missing */
    return say_none(object, use, asked, place, err);
}

/** What a row is read as: of a prompt in a pair or conversation the chosen side tells. */
static int n_side_of(const struct psw_form *form, enum psw_form_use use)
{
    const int is_bare = form->read == read_prompt || form->read == read_alpaca;
    if (use == PSW_FORM_PROMPTS) return !is_bare;
    return use == PSW_FORM_PAIRS ? 2 : 1;
}

psw_status psw_form_read(const struct psw_form *form, enum psw_form_use use,
                         const json_t *object, const char *place, struct psw_pair_row *row,
                         struct psw_error *err)
{
    char found[256];
    *row = (struct psw_pair_row){.scratch = row->scratch, .n_side = n_side_of(form, use)};
    row->scratch->chat[0].n = row->scratch->chat[1].n = row->scratch->user.n = 0;
    if (form->read != read_texts && !matches(form, object))
        return psw_fail(err, PSW_EDATA, "%s: the keys are %s; expected %s, as in the form %s",
                        place, found_text(object, found, sizeof found), form->layout,
                        form->name);
    psw_status rc = form->read(form, object, place, row, err);
    if (use == PSW_FORM_PROMPTS) row->n_side = 0;
    return rc == PSW_OK ? psw_pair_row_check(row, place, err) : rc;
}
