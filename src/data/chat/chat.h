/* Conversations: turns of a system, a user and an assistant, from lists of messages or from the
 * plain dialogues of HH-RLHF. */
#ifndef POSWEEP_SRC_DATA_CHAT_H
#define POSWEEP_SRC_DATA_CHAT_H

#include <jansson.h>
#include <posweep/util/status.h>
#include <posweep/util/text.h>
#include <stdint.h>

enum psw_chat_role { PSW_CHAT_SYSTEM, PSW_CHAT_USER, PSW_CHAT_ASSISTANT, PSW_N_CHAT_ROLE };

/** One turn. Borrowed. */
struct psw_chat_turn {
    enum psw_chat_role role;
    struct psw_text content;
};

/** Turns that grow; zeroed at first. Owns: free turn. */
struct psw_chat {
    struct psw_chat_turn *turn; /* owned [n_room] */
    int64_t n, n_room;
};

/** Append a turn. Errors: PSW_ENOMEM. */
psw_status psw_chat_push(struct psw_chat *chat, enum psw_chat_role role,
                         struct psw_text content, struct psw_error *err);

/** Append the messages under a key of a row: {role, content} or {from, value}; a single one may
 *  stand without its list. Texts are borrowed. Errors: PSW_EDATA with the place for what is no
 *  message; PSW_EUNSUP for a role that is not known; PSW_ENOMEM. */
psw_status psw_chat_push_messages(struct psw_chat *chat, const json_t *row, const char *key,
                                  const char *place, struct psw_error *err);

/** Append the turns of a dialogue with "\n\nHuman:" and "\n\nAssistant:" marks, blanks around
 *  them taken off; what stands before the first mark is the system's, and a mark at the end,
 * with nothing behind it, is none. Errors: PSW_ENOMEM. */
psw_status psw_chat_push_dialogue(struct psw_chat *chat, struct psw_text dialogue,
                                  struct psw_error *err);

/** Append a prompt that is one text: a dialogue that begins with such a mark, or what a user
 *  says; an empty one is no turn. Errors: PSW_ENOMEM. */
psw_status psw_chat_push_prompt(struct psw_chat *chat, struct psw_text prompt,
                                struct psw_error *err);

/** The marks of such dialogues. */
#define PSW_HUMAN_MARK "\n\nHuman:"
#define PSW_ASSISTANT_MARK "\n\nAssistant:"

/** First occurrence of a mark at or behind `from`: its place, or text.n if there is none. */
size_t psw_text_find(struct psw_text text, const char *mark, size_t from);

/** The first turn of a role at or behind `from`; n for none. */
int64_t psw_chat_next(const struct psw_chat *chat, enum psw_chat_role role, int64_t from);

/** Whether the first turns of a conversation are those of another. */
int psw_chat_starts_with(const struct psw_chat *chat, const struct psw_chat *beginning);

#endif
