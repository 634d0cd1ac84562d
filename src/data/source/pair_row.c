/* One row of a file of pairs: its texts, cut into prompt and replies. Finding the parts is all
 * that happens here; which rows are kept, and as which tokens, is decided in pairs.c. */
#include "pair_row.h"

#include "json_rows.h"
#include <posweep/util/hash.h>
#include <string.h>

static const char ASSISTANT[] = "\n\nAssistant:", HUMAN[] = "\n\nHuman:";

/** First occurrence of a mark at or behind `from`: its place, or whole.n if there is none. */
static size_t find(struct psw_text whole, const char *mark, size_t from)
{
    if (from >= whole.n) return whole.n;
    const char *hit = memmem(whole.at + from, whole.n - from, mark, strlen(mark));
    return hit ? (size_t)(hit - whole.at) : whole.n;
}

/** Number of marks; *last is the place of the last one, or whole.n. */
static int64_t count_marks(struct psw_text whole, const char *mark, size_t *last)
{
    int64_t n = 0;
    *last = whole.n;
    for (size_t i = find(whole, mark, 0); i < whole.n; i = find(whole, mark, i + 1)) {
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
                    "%s: no key \"%s\"; expected \"chosen\" and \"rejected\" in every row",
                    place, key);
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
    *out = (struct psw_pair_row){.n_side = 2};
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
    *out = (struct psw_pair_row){.n_side = 1};
    psw_status rc = get_text(object, "prompt", 1, place, &prompt, err);
    for (int i = 0; i < 3 && rc == PSW_OK && !out->side[0].at; i++)
        rc = get_text(object, key[i], 1, place, &out->side[0], err);
    if (rc != PSW_OK) return rc;
    if (!out->side[0].at)
        return psw_fail(err, PSW_EDATA, "%s: no key \"completion\", \"response\" or \"chosen\"",
                        place);
    return cut_row(out, prompt, place, err);
}

uint64_t psw_pair_row_opening(const struct psw_pair_row *row)
{
    const struct psw_text prompt = row->prompt[PSW_SIDE_CHOSEN];
    return psw_hash_bytes(prompt.at, find(prompt, ASSISTANT, 0), 0);
}

void psw_pair_row_count(const struct psw_pair_row *row, struct psw_data_counts *counts)
{
    int is_empty = 0, ends_human = 0;
    for (int s = 0; s < row->n_side; s++) {
        size_t human = 0, assistant = 0;
        const int64_t n_human = count_marks(row->side[s], HUMAN, &human);
        const int64_t n_assistant = count_marks(row->side[s], ASSISTANT, &assistant);
        is_empty |= psw_text_is_blank(row->reply[s]);
        if (!row->is_dialogue) continue;
        ends_human |= n_human > 0 && human > assistant;
        if (s == PSW_SIDE_CHOSEN) counts->n_unequal_marks += n_human != n_assistant;
    }
    counts->n_empty += is_empty;
    counts->n_prompt_taken += row->repeats_prompt;
    counts->n_ends_human += ends_human;
    if (row->n_side == 2)
        counts->n_equal +=
            psw_text_equal(row->side[PSW_SIDE_CHOSEN], row->side[PSW_SIDE_REJECTED]);
}

int psw_pair_row_share_prompt(struct psw_pair_row *row)
{
    const struct psw_text *side = row->side;
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
