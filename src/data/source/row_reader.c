#include "source/row_reader.h"

psw_status psw_row_file_read(const struct psw_row_file *file, struct psw_dataset *data,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_json_rows *rows = NULL;
    const json_t *row = NULL;
    int done = 0;
    PSW_TRY(psw_json_rows_open(file->path, &file->opts->limits, &rows, err));
    for (int64_t i = 0; !done && (file->opts->limit == 0 || i < file->opts->limit); i++) {
        PSW_TRY(psw_json_rows_next(rows, &row, err));
        if (!row) break;
        PSW_TRY(file->take(file->ctx, row, psw_json_rows_place(rows), &done, err));
    }
    if (data) psw_dataset_read_from(data, file->role, file->path, file->opts->limit, rows);
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
    return psw_file_splits(opts) && (double)(hash >> 11) * 0x1p-53 < share;
}

psw_status psw_row_encode(const struct psw_dataset *data, struct psw_text text,
                          struct psw_token_list *list, struct psw_error *err)
{
    list->n = 0;
    return psw_tokenizer_encode(data->tokenizer, text, list, err);
}

psw_status psw_row_end(const struct psw_dataset *data, struct psw_token_list *list,
                       struct psw_error *err)
{
    int32_t *eos = NULL;
    const psw_status rc = psw_token_list_grow(list, 1, &eos, err);
    if (rc == PSW_OK) *eos = data->eos;
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
