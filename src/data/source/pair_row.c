/* One row of a file of pairs: its texts, cut into prompt and replies. Finding the parts is all
 * that happens here; which rows are kept, and as which tokens, is decided in pairs.c. */
#include "pair_row.h"

#include "json_rows.h"
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

static const char ASSISTANT[] = PSW_ASSISTANT_MARK, HUMAN[] = PSW_HUMAN_MARK;

/** Number of marks; *last is the place of the last one, or whole.n. */
static int64_t count_marks(struct psw_text whole, const char *mark, size_t *last)
{
    int64_t n = 0;
    *last = whole.n;
    for (size_t i = psw_text_find(whole, mark, 0); i < whole.n;
         i = psw_text_find(whole, mark, i + 1)) {
        *last = i;
        n++;
    }
    return n;
}

static struct psw_text head(struct psw_text whole, size_t n)
{
    return (struct psw_text){whole.at, n};
}

static struct psw_text tail(struct psw_text whole, size_t from)
{
    return (struct psw_text){whole.at + from, whole.n - from};
}

/** Fetch a string. A missing or null key gives at = NULL where it may be missing. */
static psw_status get_text(const json_t *row, const char *key, int may_miss, const char *place,
                           struct psw_text *out, struct psw_error *err)
{
    const json_t *value = json_object_get(row, key);
    *out = (struct psw_text){0};
    if (json_is_string(value)) {
        *out = (struct psw_text){json_string_value(value), json_string_length(value)};
        return PSW_OK;
    }
    if (json_is_array(value) || json_is_object(value))
        return psw_fail(err, PSW_EUNSUP,
                        "%s: \"%s\" is a list of messages; only strings are read: the whole "
                        "dialogue, or the reply beside a \"prompt\" string",
                        place, key);
    char found[PSW_VALUE_BYTES];
    if (value && !json_is_null(value))
        return psw_fail(err, PSW_EDATA, "%s: \"%s\" is %s; expected a string", place, key,
                        psw_value_text(value, found));
    if (may_miss) return PSW_OK;
    return psw_fail(err, PSW_EDATA,
                    "%s: %s \"%s\"; expected \"chosen\" and \"rejected\" in every row", place,
                    value ? "null is no text:" : "no key", key);
}

/** Cut a whole dialogue behind its last Assistant mark. */
static psw_status cut_dialogue(struct psw_pair_row *row, int s, const char *place,
                               struct psw_error *err)
{
    size_t last = 0;
    if (count_marks(row->side[s], ASSISTANT, &last) == 0)
        return psw_fail(err, PSW_EDATA,
                        "%s: the %s side has no \"\\n\\nAssistant:\" mark, and there is no "
                        "\"prompt\" key",
                        place, s == PSW_SIDE_CHOSEN ? "chosen" : "rejected");
    const size_t end = last + sizeof ASSISTANT - 1;
    row->prompt[s] = head(row->side[s], end);
    row->reply[s] = tail(row->side[s], end);
    return PSW_OK;
}

/** Cut the sides of a row into prompts and replies. */
static psw_status cut_row(struct psw_pair_row *row, struct psw_text prompt, const char *place,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    row->is_dialogue = prompt.at == NULL;
    row->repeats_prompt = !row->is_dialogue;
    for (int s = 0; s < row->n_side; s++)
        row->repeats_prompt = row->repeats_prompt && psw_text_starts_with(row->side[s], prompt);
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++) {
        row->prompt[s] = prompt;
        row->reply[s] = row->side[s];
        if (row->is_dialogue) rc = cut_dialogue(row, s, place, err);
    }
    return rc;
}

psw_status psw_pair_row_read(const json_t *object, const char *place, struct psw_pair_row *out,
                             struct psw_error *err)
{
    struct psw_text prompt;
    psw_status rc = PSW_OK;
    *out = (struct psw_pair_row){.n_side = 2, .scratch = out->scratch};
    PSW_TRY(get_text(object, "chosen", 0, place, &out->side[PSW_SIDE_CHOSEN], err));
    PSW_TRY(get_text(object, "rejected", 0, place, &out->side[PSW_SIDE_REJECTED], err));
    PSW_TRY(get_text(object, "prompt", 1, place, &prompt, err));
    return cut_row(out, prompt, place, err);
fail:
    return rc;
}

psw_status psw_pair_row_read_sft(const json_t *object, const char *place,
                                 struct psw_pair_row *out, struct psw_error *err)
{
    static const char *const key[] = {"completion", "response", "chosen"};
    struct psw_text prompt;
    *out = (struct psw_pair_row){.n_side = 1, .scratch = out->scratch};
    psw_status rc = get_text(object, "prompt", 1, place, &prompt, err);
    for (int i = 0; i < 3 && rc == PSW_OK && !out->side[0].at; i++)
        rc = get_text(object, key[i], 1, place, &out->side[0], err);
    if (rc != PSW_OK) return rc;
    if (!out->side[0].at)
        return psw_fail(err, PSW_EDATA, "%s: no key \"completion\", \"response\" or \"chosen\"",
                        place);
    return cut_row(out, prompt, place, err);
}

struct psw_text psw_pair_row_asked(const struct psw_pair_row *row)
{
    if (row->is_chat) {
        const struct psw_chat *chat = &row->scratch->chat[0];
        const int64_t user = psw_chat_next(chat, PSW_CHAT_USER, 0);
        return psw_text_trim(user < chat->n ? chat->turn[user].content : (struct psw_text){0});
    }
    const struct psw_text prompt = row->prompt[PSW_SIDE_CHOSEN];
    const size_t human = psw_text_find(prompt, HUMAN, 0);
    const size_t from = human < prompt.n ? human + sizeof HUMAN - 1 : 0;
    const size_t to = psw_text_find(prompt, ASSISTANT, from);
    return psw_text_trim((struct psw_text){prompt.at + from, to - from});
}

/** The same as of a dialogue that asks this. */
static uint64_t opening_of_chat(struct psw_text asked)
{
    struct psw_hash_stream *stream = psw_hash_stream_create();
    if (!stream) return psw_hash_bytes(asked.at, asked.n, 0);
    psw_hash_stream_add(stream, PSW_HUMAN_MARK " ", sizeof PSW_HUMAN_MARK);
    psw_hash_stream_add(stream, asked.at, asked.n);
    const uint64_t hash = psw_hash_stream_value(stream);
    psw_hash_stream_destroy(stream);
    return hash;
}

uint64_t psw_pair_row_opening(const struct psw_pair_row *row)
{
    const struct psw_text prompt = row->prompt[PSW_SIDE_CHOSEN];
    if (!row->is_chat) return psw_hash_bytes(prompt.at, psw_text_find(prompt, ASSISTANT, 0), 0);
    return opening_of_chat(psw_pair_row_asked(row));
}

void psw_pair_row_count(const struct psw_pair_row *row, struct psw_data_counts *counts)
{
    int is_empty = 0, ends_human = 0;
    for (int s = 0; s < row->n_side; s++) {
        size_t human = 0, assistant = 0;
        const int64_t n_human = count_marks(row->side[s], HUMAN, &human);
        const int64_t n_assistant = count_marks(row->side[s], ASSISTANT, &assistant);
        is_empty |= psw_text_is_blank(row->is_chat ? row->side[s] : row->reply[s]);
        if (!row->is_dialogue) continue;
        ends_human |= n_human > 0 && human > assistant;
        if (s == PSW_SIDE_CHOSEN) counts->sides.n_unequal_marks += n_human != n_assistant;
    }
    counts->sides.n_empty += is_empty;
    counts->prompt.n_taken += row->repeats_prompt;
    counts->sides.n_ends_human += ends_human;
    if (row->n_side == 2)
        counts->sides.n_equal +=
            psw_text_equal(row->side[PSW_SIDE_CHOSEN], row->side[PSW_SIDE_REJECTED]);
}

int psw_pair_row_share_prompt(struct psw_pair_row *row)
{
    const struct psw_text *side = row->side;
    if (!row->is_dialogue) return 0;
    const size_t n_max = side[0].n < side[1].n ? side[0].n : side[1].n;
    size_t n = 0, last = 0;
    while (n < n_max && side[0].at[n] == side[1].at[n]) n++;
    if (count_marks(head(side[0], n), ASSISTANT, &last) == 0) return 0;
    for (int s = 0; s < 2; s++) {
        row->prompt[s] = head(side[s], last + sizeof ASSISTANT - 1);
        row->reply[s] = tail(side[s], last + sizeof ASSISTANT - 1);
    }
    return 1;
}

void psw_pair_row_take_prompt_off(struct psw_pair_row *row)
{
    for (int s = 0; s < row->n_side; s++) row->reply[s] = tail(row->side[s], row->prompt[s].n);
}

/* ---- conversations ---- */

void psw_row_scratch_clear(struct psw_row_scratch *scratch)
{
    for (int s = 0; s < 2; s++) {
        free(scratch->chat[s].turn);
        psw_rendered_clear(&scratch->rendered_prompt[s]);
        psw_rendered_clear(&scratch->rendered_reply[s]);
    }
    free(scratch->prompt.turn);
    free(scratch->user.at);
}

psw_status psw_pair_row_to_chat(struct psw_pair_row *row, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int s = 0; s < (row->n_side ? row->n_side : 1) && rc == PSW_OK; s++) {
        struct psw_chat *chat = &row->scratch->chat[s];
        chat->n = 0;
        rc = psw_chat_push_prompt(chat, row->prompt[s], err);
        if (rc == PSW_OK && row->n_side)
            rc = psw_chat_push(chat, PSW_CHAT_ASSISTANT, psw_text_trim(row->reply[s]), err);
    }
    row->is_chat = 1;
    row->is_dialogue = 0;
    return rc;
}

psw_status psw_pair_row_check(const struct psw_pair_row *row, const char *place,
                              struct psw_error *err)
{
    static const char *const SIDE[] = {"the chosen side", "the rejected side"};
    for (int s = 0; s < row->n_side && row->is_chat; s++) {
        const struct psw_chat *chat = &row->scratch->chat[s];
        if (row->n_side == 1 && psw_chat_next(chat, PSW_CHAT_ASSISTANT, 0) == chat->n)
            return psw_fail(
                err, PSW_EDATA,
                "%s: the conversation of %lld turns has no turn of an assistant, so "
                "there is nothing to train",
                place, (long long)chat->n);
        if (row->n_side == 2 &&
            (chat->n == 0 || chat->turn[chat->n - 1].role != PSW_CHAT_ASSISTANT))
            return psw_fail(err, PSW_EDATA,
                            "%s: %s does not end with a turn of an assistant: expected its "
                            "reply as the last message",
                            place, SIDE[s]);
    }
    if (row->n_side == 0 && row->is_chat && row->scratch->chat[0].n == 0)
        return psw_fail(err, PSW_EDATA, "%s: the prompt has no messages", place);
    return PSW_OK;
}

psw_status psw_row_writer_init(struct psw_row_writer *writer, const struct psw_file_opts *opts,
                               const struct psw_tokenizer *tokenizer, struct psw_error *err)
{
    const struct psw_template *given = opts->text.chat_template;
    writer->chat_template = given ? given : psw_template_find("hh");
    return psw_template_end(writer->chat_template, tokenizer, &writer->end, err);
}

static struct psw_text text_in(const struct psw_rendered *rendered)
{
    return (struct psw_text){rendered->text.at, rendered->text.n};
}

psw_status psw_pair_row_render(struct psw_pair_row *row, const struct psw_row_writer *writer,
                               int s, int64_t turn, struct psw_error *err)
{
    struct psw_row_scratch *scratch = row->scratch;
    const struct psw_chat *chat = &scratch->chat[s];
    psw_status rc = psw_template_prompt(writer->chat_template, chat, turn,
                                        &scratch->rendered_prompt[s], err);
    row->prompt[s] = text_in(&scratch->rendered_prompt[s]);
    if (rc != PSW_OK || turn == chat->n) return rc;
    row->side[s] = chat->turn[turn].content;
    rc = psw_template_reply(writer->chat_template, &writer->end, row->side[s],
                            &scratch->rendered_reply[s], err);
    row->reply[s] = text_in(&scratch->rendered_reply[s]);
    return rc;
}
