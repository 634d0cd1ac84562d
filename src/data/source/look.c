/* One file for itself: what it is is told by its first row. */
#include "source/text_reader.h"
#include "store/index.h"
#include "words.h"

#include <posweep/data/tokenizer_file.h>
#include <string.h>
#include <sys/stat.h>

/** What is tried, in this order. A row of questions with answers is more than a prompt. */
static const struct {
    enum psw_form_use use;
    enum psw_data_role role;
    const char *name;
} TRIES[] = {{PSW_FORM_PAIRS, PSW_ROLE_PAIRS, "pairs"},
             {PSW_FORM_SFT, PSW_ROLE_SFT, "sft"},
             {PSW_FORM_PROMPTS, PSW_ROLE_HELDOUT, "prompts"}};
enum { N_TRY = sizeof TRIES / sizeof *TRIES };

/** The form of questions with answers that a row has; NULL for none. */
static const char *sums_form(const json_t *row, const char *form)
{
    const json_t *rule = json_object_get(row, "reward_model");
    if ((!form || !strcmp(form, "verl")) && json_object_get(rule, "ground_truth"))
        return "verl";
    const int is_sums = (!form || !strcmp(form, "gsm8k")) &&
                        json_is_string(json_object_get(row, "question")) &&
                        json_is_string(json_object_get(row, "answer"));
    return is_sums ? "gsm8k" : NULL;
}

/** Which of the tries fits the first row; N_TRY: questions with answers, *sums is their form.
 */
static psw_status first_fit(const char *path, const struct psw_file_opts *opts, int *out,
                            const char **sums, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_json_rows *rows = NULL;
    struct stat info;
    const json_t *row = NULL;
    const char *place = NULL;
    const struct psw_form *form;
    const enum psw_form_use ANY =
        (enum psw_form_use)(PSW_FORM_PAIRS | PSW_FORM_SFT | PSW_FORM_PROMPTS);
    if (stat(path, &info) == 0 && S_ISFIFO(info.st_mode))
        PSW_TRY(
            psw_fail(err, PSW_EUNSUP,
                     "%s: its first row is read twice, to tell what it is: expected a file, "
                     "found a pipe",
                     path));
    PSW_TRY(psw_json_rows_open(path, &opts->limits, &rows, err));
    PSW_TRY(psw_json_rows_next(rows, &row, err));
    if (!row)
        PSW_TRY(psw_fail(err, PSW_EDATA, "%s: there are no rows; expected JSON objects", path));
    place = psw_json_rows_place(rows);
    *out = N_TRY;
    *sums = opts->look.as ? NULL : sums_form(row, opts->rows.form);
    if (*sums) goto fail;
    for (int i = 0; i < N_TRY; i++) {
        if (opts->look.as && strcmp(opts->look.as, TRIES[i].name)) continue;
        *out = i;
        if (opts->rows.form && !psw_form_serves(opts->rows.form, TRIES[i].use)) continue;
        rc = psw_form_detect(row, TRIES[i].use, opts->rows.form, place, &form, err);
        if (rc == PSW_OK) goto fail;
    }
    if (rc != PSW_OK && !opts->rows.form && !opts->look.as)
        rc = psw_form_detect(row, ANY, NULL, place, &form, err);
    if (rc == PSW_OK)
        rc = psw_fail(err, PSW_EINVAL, "there is no form \"%s\"; posweep help data has them",
                      opts->rows.form);
fail:
    psw_json_rows_close(rows);
    return rc;
}

static psw_status read_texts(const char *path, int fit, const struct psw_file_opts *opts,
                             struct psw_dataset *data, struct psw_error *err)
{
    struct psw_examples *const list[N_TRY] = {&data->pairs, &data->sft, &data->prompts_heldout};
    struct psw_data_counts *const counts[N_TRY] = {&data->counts[PSW_DATA_PAIRS],
                                                   &data->counts[PSW_DATA_SFT],
                                                   &data->counts[PSW_DATA_HELDOUT]};
    struct psw_text_reader r = {.opts = opts, .data = data};
    struct psw_text_file file = {.role = TRIES[fit].role,
                                 .use = TRIES[fit].use,
                                 .path = path,
                                 .limit = opts->rows.limit,
                                 .train = {list[fit], counts[fit]}};
    psw_status rc = psw_row_writer_init(&r.writer, opts, data->tokenizer, err);
    if (rc == PSW_OK) rc = psw_text_file_read(&r, &file, err);
    psw_text_reader_clear(&r);
    return rc;
}

psw_status psw_files_look(const char *path, const char *tokenizer, const char *chat_template,
                          const struct psw_file_opts *opts, struct psw_dataset **out,
                          struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_words words = {.tokenizer = NULL};
    struct psw_dataset *data = NULL;
    struct psw_file_opts o = *opts;
    struct psw_index index;
    int fit = 0;
    const char *sums = NULL;
    PSW_TRY(psw_words_open(tokenizer, chat_template, &words, err));
    psw_words_use(&words, &o);
    o.look.keeps_all = 1;
    o.sft = path;
    PSW_TRY(first_fit(path, &o, &fit, &sums, err));
    if (sums) o.rows.form = sums;
    PSW_TRY(psw_dataset_create(fit == N_TRY ? &PSW_GSM8K_SOURCE : &PSW_AUTO_SOURCE,
                               words.tokenizer ? words.tokenizer : &PSW_BYTE_TOKENIZER, &data,
                               err));
    if (words.tokenizer) psw_dataset_own_tokenizer(data, words.tokenizer);
    words.tokenizer = NULL;
    psw_index_init(&index, PSW_SOURCE_AUTO, &o, data->tokenizer);
    if (index.is_large) PSW_TRY(psw_index_begin(&index, data, err));
    PSW_TRY(fit == N_TRY ? PSW_GSM8K_SOURCE.read(&o, data, err)
                         : read_texts(path, fit, &o, data, err));
    PSW_TRY(psw_dataset_finish(data, err));
    psw_dataset_count_cuts(data);
    PSW_TRY(psw_dataset_seal(data, err));
    *out = data;
    data = NULL;
fail:
    psw_dataset_destroy(data);
    psw_words_close(&words);
    return rc;
}
