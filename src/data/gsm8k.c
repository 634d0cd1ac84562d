/* Right answers are looked up by the prompt's token ids, so that a scorer needs nothing but the
 * prompt. The same table tells whether a prompt is met again, and on which side. */
#include <posweep/data/gsm8k.h>
#include <posweep/data/pairs.h>

#include "data_internal.h"
#include <math.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <string.h>

static const char MARK[] = "####";
enum { FINAL_LINE_BYTES = 64 };
_Static_assert((int)PSW_GSM8K_NUMBER_BYTES == (int)PSW_NUMBER_BYTES, "one size of numbers");

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Step over a sign and a "$" in either order. Returns whether the sign was a minus. */
static int take_marks(struct psw_text *t)
{
    int sign = 0, dollar = 0, minus = 0;
    while (t->n > 0) {
        const char c = t->at[0];
        if ((c == '-' || c == '+') && !sign++)
            minus = c == '-';
        else if (c != '$' || dollar++)
            break;
        *t = (struct psw_text){t->at + 1, t->n - 1};
    }
    return minus;
}

/** Take digits, commas between them dropped where allowed. Returns how many; what does not fit
 * stays. Shapes: out: [FINAL_LINE_BYTES]. */
static int take_digits(struct psw_text *t, int with_commas, char *out)
{
    int n = 0;
    while (t->n > 0 && n < FINAL_LINE_BYTES) {
        const int comma =
            with_commas && n > 0 && t->at[0] == ',' && t->n > 1 && is_digit(t->at[1]);
        if (!is_digit(t->at[0]) && !comma) break;
        if (!comma) out[n++] = t->at[0];
        *t = (struct psw_text){t->at + 1, t->n - 1};
    }
    return n;
}

int psw_gsm8k_number(const char *text, size_t n_bytes, char out[PSW_GSM8K_NUMBER_BYTES])
{
    char whole[FINAL_LINE_BYTES], fraction[FINAL_LINE_BYTES];
    struct psw_text t = psw_text_trim((struct psw_text){text, n_bytes});
    memset(out, 0, PSW_NUMBER_BYTES);
    int minus = take_marks(&t), n_fraction = 0;
    int n_whole = take_digits(&t, 1, whole);
    if (t.n > 0 && t.at[0] == '.') {
        t = (struct psw_text){t.at + 1, t.n - 1};
        n_fraction = take_digits(&t, 0, fraction);
    }
    if (t.n > 0 || n_whole + n_fraction == 0) return 0;
    const char *first = whole;
    for (; n_whole > 0 && *first == '0'; n_whole--) first++;
    while (n_fraction > 0 && fraction[n_fraction - 1] == '0') n_fraction--;
    if (n_whole + n_fraction + 4 > PSW_NUMBER_BYTES) return 0; /* sign, 0, point, end */
    minus = minus && n_whole + n_fraction > 0;
    snprintf(out, PSW_NUMBER_BYTES, "%s%.*s%s%.*s", minus ? "-" : "", n_whole ? n_whole : 1,
             n_whole ? first : "0", n_fraction ? "." : "", n_fraction, fraction);
    return 1;
}

/** The number behind the last "####" of an answer. Returns 0 if there is none. */
static int final_number(struct psw_text answer, char out[PSW_NUMBER_BYTES])
{
    for (size_t i = answer.n; i-- > 0;)
        if (answer.n - i >= sizeof MARK - 1 && !memcmp(answer.at + i, MARK, sizeof MARK - 1))
            return psw_gsm8k_number(answer.at + i + sizeof MARK - 1,
                                    answer.n - i - (sizeof MARK - 1), out);
    return 0;
}

/** Is there a "####" at these ids? */
static int is_mark(const int32_t *id, int64_t n)
{
    for (size_t i = 0; i < sizeof MARK - 1; i++)
        if ((int64_t)i >= n || id[i] != MARK[i]) return 0;
    return 1;
}

/** The same of a response: the line behind its last "####", ended by a line break or EOS; one
 * that just breaks off may have been about to say another number. */
static int final_number_of(struct psw_words response, char out[PSW_NUMBER_BYTES])
{
    int64_t at = response.n;
    while (at > 0 && !is_mark(response.id + at - 1, response.n - at + 1)) at--;
    if (at == 0) return 0;
    const int32_t *id = response.id + at - 1 + (sizeof MARK - 1);
    char line[FINAL_LINE_BYTES];
    for (size_t n = 0; id + n < response.id + response.n && n < sizeof line; n++) {
        if (id[n] == PSW_BYTES_EOS || id[n] == '\n') return psw_gsm8k_number(line, n, out);
        if (id[n] < 0 || id[n] > 255) return 0; /* a token that is no byte writes no digit */
        line[n] = (char)id[n];
    }
    return 0;
}

static uint64_t key_of(const int32_t *prompt, int64_t n)
{
    return psw_hash_bytes(prompt, (size_t)n * sizeof *prompt, 0);
}

static double score(const struct psw_dataset *data, struct psw_words prompt,
                    struct psw_words response)
{
    char number[PSW_NUMBER_BYTES];
    const struct psw_gold *gold = psw_golds_find(data->golds, key_of(prompt.id, prompt.n));
    if (!gold) return NAN;
    return final_number_of(response, number) && !strcmp(number, gold->number);
}

static const struct psw_data_source SOURCE = {.name = "gsm8k",
                                              .n_vocab = PSW_BYTES_N_VOCAB,
                                              .eos = PSW_BYTES_EOS,
                                              .score_lo = 0.0,
                                              .score_hi = 1.0,
                                              .score = score,
                                              .text = psw_bytes_text};

/** One row. Texts are borrowed from its JSON object. */
struct row {
    struct psw_text question, answer;
    struct psw_gold gold;
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

/** What is being built, and the file that is being read. */
struct reader {
    const struct psw_gsm8k_opts *opts;
    struct psw_dataset *data;
    int is_heldout; /* all rows of the file */
};

static int splits(const struct psw_gsm8k_opts *opts)
{
    return !opts->heldout || !*opts->heldout;
}

/** Decide about a row by itself, counting why. Returns whether to keep it. */
static int filter(const struct psw_gsm8k_opts *opts, struct row *row,
                  struct psw_data_counts *counts)
{
    if (!final_number(row->answer, row->gold.number)) {
        counts->n_no_answer++;
        return 0;
    }
    const int long_prompt = psw_text_exceeds(row->question, 1, opts->max_prompt);
    const int long_answer =
        !row->gold.is_heldout && psw_text_exceeds(row->answer, 1, opts->max_response);
    if (long_answer || (opts->drop_long && long_prompt)) {
        counts->n_too_long++;
        return 0;
    }
    return 1;
}

/** Decide about a row whose prompt has been met before, counting why. */
static int filter_again(const struct row *row, const struct psw_gold *before,
                        struct psw_data_counts *counts)
{
    const int conflict = strcmp(before->number, row->gold.number) != 0;
    const int overlap = !conflict && before->is_heldout != row->gold.is_heldout;
    const int repeated = !conflict && !overlap && row->gold.is_heldout;
    counts->n_conflict += conflict;
    counts->n_overlap += overlap;
    counts->n_repeated += repeated;
    return !conflict && !overlap && !repeated;
}

/** The ids of a prompt: the end of the question that fits, and a line break. */
static psw_status keep_prompt(const struct reader *r, struct psw_text question,
                              struct psw_example *e, struct psw_error *err)
{
    int32_t *id = NULL;
    const int32_t most = r->opts->max_prompt;
    if (most == 1) question.n = 0;
    const struct psw_text t = psw_text_end(question, most > 1 ? most - 1 : 0);
    const psw_status rc = psw_dataset_room(r->data, (int64_t)t.n + 1, &id, err);
    if (rc != PSW_OK) return rc;
    for (size_t i = 0; i < t.n; i++) id[i] = (unsigned char)t.at[i];
    id[t.n] = '\n';
    e->prompt = id;
    e->n_prompt = (int32_t)t.n + 1;
    e->prompt_key = key_of(id, e->n_prompt);
    return PSW_OK;
}

static psw_status take_row(const struct reader *r, struct row *row, struct psw_error *err)
{
    struct psw_dataset *d = r->data;
    const int heldout = row->gold.is_heldout;
    struct psw_data_counts *counts = heldout ? &d->counts_heldout : &d->counts_sft;
    struct psw_example e = {.n_seq = !heldout};
    counts->n_row++;
    if (!filter(r->opts, row, counts)) return PSW_OK;
    psw_status rc = keep_prompt(r, row->question, &e, err);
    if (rc != PSW_OK) return rc;
    row->gold.key = e.prompt_key;
    const struct psw_gold *before = psw_golds_find(d->golds, e.prompt_key);
    if (before && !filter_again(row, before, counts)) return PSW_OK;
    if (!before) rc = psw_golds_add(d->golds, &row->gold, err);
    if (rc == PSW_OK && !heldout) {
        e.n_response[0] = (int32_t)row->answer.n + 1;
        rc = psw_bytes_keep(d, row->answer, 1, &e.response[0], err);
    }
    counts->n_kept++;
    counts->n_cut_prompt += psw_text_exceeds(row->question, 1, r->opts->max_prompt);
    return rc == PSW_OK ? psw_examples_push(heldout ? &d->prompts_heldout : &d->sft, &e, err)
                        : rc;
}

static psw_status read_file(const struct reader *r, const char *path, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_rows *rows = NULL;
    const json_t *object = NULL;
    PSW_TRY(psw_rows_open(path, &r->opts->limits, &rows, err));
    for (int64_t i = 0; r->opts->limit == 0 || i < r->opts->limit; i++) {
        struct row row = {0};
        PSW_TRY(psw_rows_next(rows, &object, err));
        if (!object) break;
        PSW_TRY(get_text(object, "question", psw_rows_place(rows), &row.question, err));
        PSW_TRY(get_text(object, "answer", psw_rows_place(rows), &row.answer, err));
        const uint64_t hash = psw_hash_bytes(row.question.at, row.question.n, 0);
        row.gold.is_heldout =
            r->is_heldout ||
            (splits(r->opts) && psw_split_is_heldout(hash, r->opts->heldout_share));
        PSW_TRY(take_row(r, &row, err));
    }
    psw_dataset_read_from(r->data, r->is_heldout ? PSW_ROLE_HELDOUT : PSW_ROLE_SFT, path,
                          r->opts->limit, rows);
fail:
    psw_rows_close(rows);
    return rc;
}

/** A set without training items or held-out prompts is of no use: say what became of the rows.
 */
static psw_status check_content(const struct psw_gsm8k_opts *opts,
                                const struct psw_dataset *data, struct psw_error *err)
{
    char text[512];
    const int no_sft = data->sft.n == 0;
    if (!no_sft && data->prompts_heldout.n > 0) return PSW_OK;
    const struct psw_data_counts *counts = no_sft ? &data->counts_sft : &data->counts_heldout;
    const char *path = no_sft || splits(opts) ? opts->sft : opts->heldout;
    psw_data_counts_text(counts, text, sizeof text);
    if (counts->n_row > 0 && counts->n_no_answer == counts->n_row)
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

psw_status psw_gsm8k_open(const struct psw_gsm8k_opts *opts, struct psw_dataset **out,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct reader r = {.opts = opts};
    if (!opts->sft || !*opts->sft)
        return psw_fail(err, PSW_EINVAL, "data.sft: no file is named");
    if (opts->limit < 0 || opts->max_prompt < 0 || opts->max_response < 0)
        return psw_fail(err, PSW_EINVAL, "data: a limit is negative");
    PSW_TRY(psw_dataset_create(&SOURCE, &r.data, err));
    PSW_TRY(psw_golds_create(&r.data->golds, err));
    PSW_TRY(read_file(&r, opts->sft, err));
    if (!splits(opts)) {
        r.is_heldout = 1;
        PSW_TRY(read_file(&r, opts->heldout, err));
    }
    PSW_TRY(check_content(opts, r.data, err));
    psw_dataset_count_cuts(r.data);
    psw_dataset_seal(r.data);
    *out = r.data;
    return PSW_OK;
fail:
    psw_dataset_destroy(r.data);
    return rc;
}
