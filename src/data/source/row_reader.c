#include "source/row_reader.h"

#include <posweep/data/tokenizer_file.h>
#include <string.h>

psw_status psw_row_file_read(const struct psw_row_file *file, struct psw_dataset *data,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_json_rows *rows = NULL;
    const json_t *row = NULL;
    int done = 0;
    PSW_TRY(psw_json_rows_open(file->path, &file->opts->limits, &rows, err));
    for (int64_t i = 0; !done && (file->limit == 0 || i < file->limit); i++) {
        PSW_TRY(psw_json_rows_next(rows, &row, err));
        if (!row) break;
        PSW_TRY(file->take(file->ctx, row, psw_json_rows_place(rows), &done, err));
    }
    if (data) psw_dataset_read_from(data, file->role, file->path, file->limit, rows);
fail:
    psw_json_rows_close(rows);
    return rc;
}

int psw_file_splits(const struct psw_file_opts *opts)
{
    return !opts->heldout || !*opts->heldout;
}

int psw_file_row_is_heldout(const struct psw_file_opts *opts, uint64_t hash)
{
    const double share = opts->heldout_share > 0.0 ? opts->heldout_share : 0.05;
    return psw_file_splits(opts) && !opts->look.keeps_all &&
           (double)(hash >> 11) * 0x1p-53 < share;
}

psw_status psw_row_encode(const struct psw_dataset *data, struct psw_text text,
                          enum psw_text_place place, struct psw_token_list *list,
                          struct psw_error *err)
{
    const struct psw_written_text written = {.text = text, .place = place};
    list->n = 0;
    return psw_tokenizer_encode_written(data->tokenizer, &written, list, err);
}

enum psw_text_place psw_row_place_behind(const struct psw_dataset *data,
                                         const struct psw_token_list *prompt)
{
    if (prompt->n == 0) return PSW_TEXT_BEGINS;
    return psw_tokenizer_is_special(data->tokenizer, prompt->id[prompt->n - 1])
               ? PSW_TEXT_AFTER_TOKEN
               : PSW_TEXT_GOES_ON;
}

int psw_row_prompt_exceeds(const struct psw_dataset *data, const struct psw_token_list *list,
                           int32_t n_max)
{
    return psw_row_exceeds(list, (int)data->tokenizer->before.n, n_max);
}

psw_status psw_row_prompt(const struct psw_dataset *data, struct psw_token_list *list,
                          int32_t n_max, struct psw_tokens *out, struct psw_error *err)
{
    const struct psw_tokens before = data->tokenizer->before;
    const int64_t room = n_max - before.n;
    struct psw_tokens text = psw_list_tokens(list);
    if (n_max > 0)
        text = room > 0 ? psw_tokens_end(data->tokenizer, text, room)
                        : (struct psw_tokens){text.id, 0};
    const int64_t from = text.n > 0 ? text.id - list->id : 0;
    const int64_t n_first = before.n == 0 && text.n == 0 ? 1 : before.n;
    int32_t *grown = NULL;
    const psw_status rc = psw_token_list_grow(list, n_first, &grown, err);
    if (rc != PSW_OK) return rc;
    memmove(list->id + n_first, list->id + from, (size_t)text.n * sizeof *list->id);
    if (before.n > 0) memcpy(list->id, before.id, (size_t)before.n * sizeof *before.id);
    if (before.n == 0 && n_first) list->id[0] = data->tokenizer->eos;
    list->n = n_first + text.n;
    *out = psw_list_tokens(list);
    return PSW_OK;
}

psw_status psw_row_end(const struct psw_dataset *data, struct psw_token_list *list,
                       struct psw_error *err)
{
    int32_t *eos = NULL;
    const psw_status rc = psw_token_list_grow(list, 1, &eos, err);
    if (rc == PSW_OK) *eos = data->tokenizer->eos;
    return rc;
}

int psw_row_exceeds(const struct psw_token_list *list, int n_more, int32_t n_max)
{
    return n_max > 0 && list->n + n_more > n_max;
}

struct psw_tokens psw_list_tokens(const struct psw_token_list *list)
{
    return (struct psw_tokens){list->id, list->n};
}
