/* Right answers are looked up by the prompt's token ids, so that a scorer needs nothing but the
 * prompt. The same table tells whether a prompt is met again, and on which side. */
#include <posweep/data/gsm8k.h>

#include "source/pair_row.h"
#include "source/row_reader.h"
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

static const char MARK[] = PSW_GSM8K_MARK;

/** The number behind the last "####" of an answer. Returns 0 if there is none. */
static int final_number(struct psw_text answer, char out[PSW_NUMBER_BYTES])
{
    for (size_t i = answer.n; i-- > 0;)
        if (answer.n - i >= sizeof MARK - 1 && !memcmp(answer.at + i, MARK, sizeof MARK - 1))
            return psw_gsm8k_number(answer.at + i + sizeof MARK - 1,
                                    answer.n - i - (sizeof MARK - 1), out);
    return 0;
}

/** One row. Texts are borrowed from its JSON object. */
struct gsm8k_row {
    struct psw_text question, answer; /* answer.at NULL: the file has none */
    struct psw_answer is;
};

/** What is being built, and the file that is being read. */
struct gsm8k_reader {
    const struct psw_file_opts *opts;
    struct psw_dataset *data;
    psw_status (*read)(struct gsm8k_reader *r, const json_t *object, const char *place,
                       struct gsm8k_row *out, struct psw_error *err);
    struct psw_row_writer writer;
    struct psw_chat chat;                 /* owned: of the row; no turns where it stays text */
    int is_heldout;                       /* all rows of the file */
    struct psw_rendered question, reply;  /* owned: of the row */
    struct psw_token_list prompt, answer; /* owned: of the row, answer with EOS */
};

static psw_status get_text(const json_t *object, const char *key, const char *place,
                           struct psw_text *out, struct psw_error *err)
{
    char found[PSW_VALUE_BYTES];
    const json_t *value = json_object_get(object, key);
    if (!value)
        return psw_fail(err, PSW_EDATA,
                        "%s: no key \"%s\"; data.format gsm8k expects \"question\" and "
                        "\"answer\" in every row%s",
                        place, key,
                        json_object_get(object, "chosen")
                            ? "; for pairs write data.format: hh and name them in data.pairs"
                            : "");
    if (!json_is_string(value))
        return psw_fail(err, PSW_EDATA, "%s: \"%s\" is %s; expected a string", place, key,
                        psw_value_text(value, found));
    *out = (struct psw_text){json_string_value(value), json_string_length(value)};
    return PSW_OK;
}

/** gsm8k: question and answer. A template makes the question what a user says. */
static psw_status read_sum(struct gsm8k_reader *r, const json_t *object, const char *place,
                           struct gsm8k_row *out, struct psw_error *err)
{
    psw_status rc = get_text(object, "question", place, &out->question, err);
    if (rc == PSW_OK) rc = get_text(object, "answer", place, &out->answer, err);
    if (rc == PSW_OK) (void)final_number(out->answer, out->is.number);
    if (rc != PSW_OK || r->writer.chat_template->keeps_texts) return rc;
    return psw_chat_push(&r->chat, PSW_CHAT_USER, out->question, err);
}

/** verl: a prompt of messages, and the right answer as the ground truth of a rule; what SFT
 *  learns is extra_info.answer. */
static psw_status read_rule(struct gsm8k_reader *r, const json_t *object, const char *place,
                            struct gsm8k_row *out, struct psw_error *err)
{
    char found[PSW_VALUE_BYTES];
    const json_t *model = json_object_get(object, "reward_model");
    const json_t *truth = json_object_get(model, "ground_truth");
    const json_t *answer = json_object_get(json_object_get(object, "extra_info"), "answer");
    psw_status rc = psw_chat_push_messages(&r->chat, object, "prompt", place, err);
    if (rc != PSW_OK) return rc;
    if (!json_is_string(truth))
        return psw_fail(
            err, PSW_EDATA,
            "%s: reward_model.ground_truth is %s; data.format verl expects the right "
            "number as a string",
            place, psw_value_text(truth, found));
    (void)psw_gsm8k_number(json_string_value(truth), json_string_length(truth), out->is.number);
    const int64_t user = psw_chat_next(&r->chat, PSW_CHAT_USER, 0);
    if (user < r->chat.n) out->question = r->chat.turn[user].content;
    if (json_is_string(answer))
        out->answer = (struct psw_text){json_string_value(answer), json_string_length(answer)};
    return PSW_OK;
}

/** The texts of a row as a template has them, or as they stand: question and line break. */
static psw_status render(struct gsm8k_reader *r, const struct gsm8k_row *row,
                         struct psw_error *err)
{
    const struct psw_template *none = psw_template_find("none");
    const struct psw_template *t = r->chat.n > 0 ? r->writer.chat_template : none;
    const struct psw_reply_end plain = {r->data->tokenizer->eos, 0};
    psw_status rc = PSW_OK;
    if (r->chat.n == 0) rc = psw_chat_push(&r->chat, PSW_CHAT_USER, row->question, err);
    if (rc == PSW_OK) rc = psw_template_prompt(t, &r->chat, r->chat.n, &r->question, err);
    if (rc != PSW_OK) return rc;
    return psw_template_reply(t, t == none ? &plain : &r->writer.end, row->answer, &r->reply,
                              err);
}

/** The ids of a row: prompt, answer and EOS. */
static psw_status encode(struct gsm8k_reader *r, const struct gsm8k_row *row,
                         struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_tokenizer *t = r->data->tokenizer;
    r->prompt.n = r->answer.n = 0;
    PSW_TRY(render(r, row, err));
    PSW_TRY(psw_rendered_encode(&r->question, t, PSW_TEXT_BEGINS, &r->prompt, err));
    PSW_TRY(psw_rendered_encode(&r->reply, t, psw_row_place_behind(r->data, &r->prompt),
                                &r->answer, err));
    PSW_TRY(psw_row_end(r->data, &r->answer, err));
fail:
    return rc;
}

/** Decide about a row by itself, counting why. Returns whether to keep it. */
static int filter(const struct gsm8k_reader *r, struct gsm8k_row *row,
                  struct psw_data_counts *counts)
{
    if (!row->is.number[0]) {
        counts->dropped.n_no_answer++;
        return 0;
    }
    const int long_prompt =
        psw_row_prompt_exceeds(r->data, &r->prompt, r->opts->length.max_prompt);
    const int long_answer =
        !row->is.is_heldout && psw_row_exceeds(&r->answer, 0, r->opts->length.max_response);
    if (long_answer || (r->opts->length.drop_long && long_prompt)) {
        counts->length.n_too_long++;
        return 0;
    }
    return 1;
}

/** Decide about a row whose prompt has been met before, counting why. */
static int filter_again(const struct gsm8k_row *row, const struct psw_answer *before,
                        struct psw_data_counts *counts)
{
    const int conflict = strcmp(before->number, row->is.number) != 0;
    const int overlap = !conflict && before->is_heldout != row->is.is_heldout;
    const int repeated = !conflict && !overlap && row->is.is_heldout;
    counts->dropped.n_conflict += conflict;
    counts->dropped.n_overlap += overlap;
    counts->dropped.n_repeated += repeated;
    return !conflict && !overlap && !repeated;
}

static psw_status take_row(struct gsm8k_reader *r, struct gsm8k_row *row, struct psw_error *err)
{
    struct psw_dataset *d = r->data;
    const int heldout = row->is.is_heldout;
    struct psw_data_counts *counts =
        heldout ? &d->counts[PSW_DATA_HELDOUT] : &d->counts[PSW_DATA_SFT];
    struct psw_example e = {.n_seq = !heldout};
    psw_status rc = encode(r, row, err);
    counts->n_row++;
    if (rc != PSW_OK || !filter(r, row, counts)) return rc;
    const int is_cut = psw_row_prompt_exceeds(d, &r->prompt, r->opts->length.max_prompt);
    struct psw_tokens prompt;
    rc = psw_row_prompt(d, &r->prompt, r->opts->length.max_prompt, &prompt, err);
    if (rc != PSW_OK) return rc;
    e.n_prompt = (int32_t)prompt.n;
    row->is.prompt = e.prompt_key = psw_tokens_hash(prompt);
    const struct psw_answer *before = psw_answer_key_find(d->answer_key, e.prompt_key);
    if (before && !filter_again(row, before, counts)) return PSW_OK;
    if (!before) rc = psw_answer_key_add(d->answer_key, &row->is, err);
    e.prompt = prompt.id;
    if (!heldout) {
        e.response[0] = r->answer.id;
        e.n_response[0] = (int32_t)r->answer.n;
    }
    counts->n_kept++;
    counts->length.n_cut_prompt += is_cut;
    return rc == PSW_OK ? psw_dataset_push(d, heldout ? &d->prompts_heldout : &d->sft, &e, err)
                        : rc;
}

static psw_status take(void *ctx, const json_t *object, const char *place, int *done,
                       struct psw_error *err)
{
    struct gsm8k_reader *r = ctx;
    struct gsm8k_row row = {.answer = {NULL, 0}};
    (void)done;
    r->chat.n = 0;
    const psw_status rc = r->read(r, object, place, &row, err);
    if (rc != PSW_OK) return rc;
    const uint64_t hash = psw_hash_bytes(row.question.at, row.question.n, 0);
    row.is.is_heldout = r->is_heldout || psw_file_row_is_heldout(r->opts, hash);
    if (!row.is.is_heldout && !row.answer.at)
        return psw_fail(
            err, PSW_EDATA,
            "%s: no extra_info.answer, which SFT learns; expected the worked answer, "
            "ending with \"#### \" and the number",
            place);
    return take_row(r, &row, err);
}

/** A set without training items or held-out prompts is of no use: say what became of the rows.
 */
static psw_status check_content(const struct psw_file_opts *opts,
                                const struct psw_dataset *data, struct psw_error *err)
{
    char text[512];
    const int no_sft = data->sft.n == 0;
    if (!no_sft && data->prompts_heldout.n > 0) return PSW_OK;
    const struct psw_data_counts *counts =
        no_sft ? &data->counts[PSW_DATA_SFT] : &data->counts[PSW_DATA_HELDOUT];
    const char *path = no_sft || psw_file_splits(opts) ? opts->sft : opts->heldout;
    psw_data_counts_text(counts, text, sizeof text);
    if (counts->n_row > 0 && counts->dropped.n_no_answer == counts->n_row)
        return psw_fail(err, PSW_EDATA,
                        "%s: no answer ends with \"#### \" and a number (%s); expected rows of "
                        "GSM8K",
                        path, text);
    if (no_sft)
        return psw_fail(err, PSW_EDATA,
                        "%s: no training item is left (%s); answers longer than "
                        "data.max_response are dropped",
                        path, text);
    return psw_fail(err, PSW_EDATA,
                    "%s: no held-out prompt is left (%s); name a file with other questions in "
                    "data.heldout, or give more rows",
                    path, text);
}

static psw_status read_files(struct gsm8k_reader *r, struct psw_error *err)
{
    const struct psw_file_opts *opts = r->opts;
    psw_status rc = PSW_OK;
    const struct psw_row_file sft = {opts, opts->sft, PSW_ROLE_SFT, opts->rows.limit, take, r},
                              heldout = {
                                  opts, opts->heldout, PSW_ROLE_HELDOUT, opts->rows.limit, take,
                                  r};
    PSW_TRY(psw_row_writer_init(&r->writer, opts, r->data->tokenizer, err));
    PSW_TRY(psw_answer_key_create(&r->data->answer_key, err));
    PSW_TRY(psw_row_file_read(&sft, r->data, err));
    r->is_heldout = 1;
    if (!psw_file_splits(opts)) PSW_TRY(psw_row_file_read(&heldout, r->data, err));
    if (!opts->look.keeps_all) PSW_TRY(check_content(opts, r->data, err));
fail:
    return rc;
}

static psw_status read(const struct psw_file_opts *opts, struct psw_dataset *data,
                       struct psw_error *err)
{
    const int is_verl = opts->rows.form && !strcmp(opts->rows.form, "verl");
    struct gsm8k_reader r = {
        .opts = opts, .data = data, .read = is_verl ? read_rule : read_sum};
    data->files.form[PSW_ROLE_SFT] =
        is_verl
            ? (struct psw_data_form){"verl", "prompt, messages, and reward_model with a "
                                             "ground_truth"}
            : (struct psw_data_form){"gsm8k", "question, and answer that ends with #### and "
                                              "a number"};
    const psw_status rc = read_files(&r, err);
    psw_rendered_clear(&r.question);
    psw_rendered_clear(&r.reply);
    free(r.chat.turn);
    free(r.prompt.id);
    free(r.answer.id);
    return rc;
}

const struct psw_data_source PSW_GSM8K_SOURCE = {.scorer = &PSW_GSM8K_SCORER, .read = read};
const struct psw_data_source PSW_VERL_SOURCE = {.scorer = &PSW_GSM8K_SCORER, .read = read};
