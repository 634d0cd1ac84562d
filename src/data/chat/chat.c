/* Roles are known by the names that files give them; one table. */
#include "chat/chat.h"

#include "json_rows.h"
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum psw_chat_role role;
} ROLES[] = {
    {"system", PSW_CHAT_SYSTEM},     {"developer", PSW_CHAT_SYSTEM},
    {"user", PSW_CHAT_USER},         {"human", PSW_CHAT_USER},
    {"prompter", PSW_CHAT_USER},     {"assistant", PSW_CHAT_ASSISTANT},
    {"gpt", PSW_CHAT_ASSISTANT},     {"model", PSW_CHAT_ASSISTANT},
    {"chatgpt", PSW_CHAT_ASSISTANT}, {"bot", PSW_CHAT_ASSISTANT},
};

psw_status psw_chat_push(struct psw_chat *chat, enum psw_chat_role role,
                         struct psw_text content, struct psw_error *err)
{
    if (chat->n == chat->n_room) {
        const int64_t n_room = 2 * chat->n_room + 8;
        struct psw_chat_turn *grown = realloc(chat->turn, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %lld turns", (long long)n_room);
        chat->turn = grown;
        chat->n_room = n_room;
    }
    chat->turn[chat->n++] = (struct psw_chat_turn){role, content};
    return PSW_OK;
}

/* ---- messages ---- */

static const json_t *either(const json_t *object, const char *key, const char *other)
{
    const json_t *value = json_object_get(object, key);
    return value ? value : json_object_get(object, other);
}

/** The text of a message: a string, or a list with one part that is text. */
static const json_t *content_of(const json_t *message)
{
    const json_t *content = either(message, "content", "value");
    if (json_array_size(content) != 1) return content;
    return either(json_array_get(content, 0), "text", "value");
}

static psw_status push_message(struct psw_chat *chat, const json_t *message, const char *key,
                               const char *place, struct psw_error *err)
{
    char found[PSW_VALUE_BYTES];
    const json_t *role = either(message, "role", "from"), *content = content_of(message);
    if (!json_is_string(role) || !json_is_string(content))
        return psw_fail(
            err, PSW_EDATA,
            "%s: \"%s\" has %s; expected messages, {\"role\": ..., \"content\": ...} "
            "or {\"from\": ..., \"value\": ...}, whose content is one text",
            place, key, psw_value_text(message, found));
    const struct psw_text text = {json_string_value(content), json_string_length(content)};
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        if (!strcmp(json_string_value(role), ROLES[i].name))
            return psw_chat_push(chat, ROLES[i].role, text, err);
    return psw_fail(
        err, PSW_EUNSUP,
        "%s: \"%s\" has a message of the role %s; known are system, user (human) and "
        "assistant (gpt): leave such conversations out",
        place, key, psw_value_text(role, found));
}

psw_status psw_chat_push_messages(struct psw_chat *chat, const json_t *row, const char *key,
                                  const char *place, struct psw_error *err)
{
    char found[PSW_VALUE_BYTES];
    const json_t *list = json_object_get(row, key);
    psw_status rc = PSW_OK;
    if (json_is_object(list)) return push_message(chat, list, key, place, err);
    if (!json_is_array(list))
        return psw_fail(err, PSW_EDATA, "%s: \"%s\" is %s; expected a list of messages", place,
                        key, psw_value_text(list, found));
    for (size_t i = 0; i < json_array_size(list) && rc == PSW_OK; i++)
        rc = push_message(chat, json_array_get(list, i), key, place, err);
    return rc;
}

/* ---- dialogues ---- */

size_t psw_text_find(struct psw_text text, const char *mark, size_t from)
{
    if (from >= text.n) return text.n;
    const size_t n_mark = strlen(mark);
    const char *end = text.at + text.n, *at = text.at + from;
    /* marks begin with what is rare in texts, and memchr is several times faster than memmem */
    while ((at = memchr(at, mark[0], (size_t)(end - at))) && (size_t)(end - at) >= n_mark) {
        if (memcmp(at, mark, n_mark) == 0) return (size_t)(at - text.at);
        if (++at == end) break;
    }
    return text.n;
}

psw_status psw_chat_push_dialogue(struct psw_chat *chat, struct psw_text dialogue,
                                  struct psw_error *err)
{
    enum psw_chat_role role = PSW_CHAT_SYSTEM;
    size_t at = 0;
    psw_status rc = PSW_OK;
    while (at <= dialogue.n && rc == PSW_OK) {
        const size_t human = psw_text_find(dialogue, PSW_HUMAN_MARK, at);
        const size_t assistant = psw_text_find(dialogue, PSW_ASSISTANT_MARK, at);
        const size_t end = human < assistant ? human : assistant;
        const struct psw_text content =
            psw_text_trim((struct psw_text){dialogue.at + at, end - at});
        const int is_open = end == dialogue.n && role == PSW_CHAT_ASSISTANT;
        if (content.n > 0 || (role != PSW_CHAT_SYSTEM && !is_open))
            rc = psw_chat_push(chat, role, content, err);
        if (end == dialogue.n) break;
        role = human < assistant ? PSW_CHAT_USER : PSW_CHAT_ASSISTANT;
        at = end + (role == PSW_CHAT_USER ? sizeof PSW_HUMAN_MARK : sizeof PSW_ASSISTANT_MARK) -
             1;
    }
    return rc;
}

psw_status psw_chat_push_prompt(struct psw_chat *chat, struct psw_text prompt,
                                struct psw_error *err)
{
    static const struct psw_text MARK = {PSW_HUMAN_MARK, sizeof PSW_HUMAN_MARK - 1};
    if (psw_text_starts_with(prompt, MARK)) return psw_chat_push_dialogue(chat, prompt, err);
    return prompt.n > 0 ? psw_chat_push(chat, PSW_CHAT_USER, prompt, err) : PSW_OK;
}

/* ---- conversations ---- */

int64_t psw_chat_next(const struct psw_chat *chat, enum psw_chat_role role, int64_t from)
{
    while (from < chat->n && chat->turn[from].role != role) from++;
    return from;
}

int psw_chat_starts_with(const struct psw_chat *chat, const struct psw_chat *beginning)
{
    int64_t i = 0;
    while (i < beginning->n && i < chat->n && chat->turn[i].role == beginning->turn[i].role &&
           psw_text_equal(chat->turn[i].content, beginning->turn[i].content))
        i++;
    return i == beginning->n;
}
