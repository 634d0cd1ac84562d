/* Preference pairs: files in any form of form.c. */
#include "source/text_reader.h"
#include <string.h>

/** The chosen side of every training pair. */
static void sft_from_pairs(struct psw_dataset *data)
{
    data->sft = data->pairs;
    data->sft.n_seq = 1;
    data->counts[PSW_DATA_SFT] = data->counts[PSW_DATA_PAIRS];
}

static int is_given(const char *path)
{
    return path && *path;
}

/** Prompts of rollouts. Where the final ones come from the same file, it is split. */
static psw_status read_prompts(struct psw_text_reader *r, struct psw_error *err)
{
    const struct psw_prompt_file *p = &r->opts->prompts, *final = &r->opts->final_prompts;
    struct psw_text_file file = {
        .role = PSW_ROLE_PROMPTS,
        .use = PSW_FORM_PROMPTS,
        .path = p->path,
        .limit = p->limit,
        .asked_form = p->form,
        .splits = is_given(p->path) && is_given(final->path) && !strcmp(p->path, final->path),
        .train = {&r->data->prompts, &r->data->counts[PSW_DATA_PROMPTS]},
        .heldout = {NULL, &r->data->counts[PSW_DATA_PROMPTS]}};
    char text[512];
    if (!is_given(p->path)) return PSW_OK;
    const psw_status rc = psw_text_file_read(r, &file, err);
    if (rc != PSW_OK || r->data->prompts.n > 0) return rc;
    return psw_fail(
        err, PSW_EDATA, "%s: no prompt is left (%s)", p->path,
        psw_data_counts_text(&r->data->counts[PSW_DATA_PROMPTS], text, sizeof text));
}

/** Prompts of final responses and evaluation: those of a file that training does not ask, or
 *  those of the held-out pairs. */
static psw_status read_final_prompts(struct psw_text_reader *r, struct psw_error *err)
{
    const struct psw_prompt_file *p = &r->opts->final_prompts;
    struct psw_dataset *d = r->data;
    struct psw_data_counts *counts = &d->counts[PSW_DATA_FINAL_PROMPTS];
    struct psw_text_file file = {.role = PSW_ROLE_FINAL_PROMPTS,
                                 .use = PSW_FORM_PROMPTS,
                                 .path = p->path,
                                 .limit = p->limit,
                                 .asked_form = p->form,
                                 .heldout = {&d->prompts_heldout, counts}};
    char text[512];
    if (!is_given(p->path)) return PSW_OK; /* those of the held-out pairs: text_reader.c */
    const psw_status rc = psw_text_file_read(r, &file, err);
    if (rc != PSW_OK || d->prompts_heldout.n > 0) return rc;
    return psw_fail(err, PSW_EDATA,
                    "%s: no final prompt is left (%s); expected prompts that training does not "
                    "ask in data.final_prompts",
                    p->path, psw_data_counts_text(counts, text, sizeof text));
}

static psw_status read_files(struct psw_text_reader *r, struct psw_error *err)
{
    const struct psw_file_opts *o = r->opts;
    struct psw_dataset *d = r->data;
    struct psw_text_file pairs = {.role = PSW_ROLE_PAIRS,
                                  .use = PSW_FORM_PAIRS,
                                  .path = o->pairs,
                                  .limit = o->rows.limit,
                                  .train = {&d->pairs, &d->counts[PSW_DATA_PAIRS]},
                                  .heldout = {&d->pairs_heldout, &d->counts[PSW_DATA_HELDOUT]}};
    struct psw_text_file sft = {.role = PSW_ROLE_SFT,
                                .use = PSW_FORM_SFT,
                                .path = o->sft,
                                .limit = o->rows.limit,
                                .train = {&d->sft, &d->counts[PSW_DATA_SFT]},
                                .heldout = {NULL, &d->counts[PSW_DATA_SFT]}};
    struct psw_text_file heldout = {
        .role = PSW_ROLE_HELDOUT,
        .use = PSW_FORM_PAIRS,
        .path = o->heldout,
        .limit = o->rows.limit,
        .heldout = {&d->pairs_heldout, &d->counts[PSW_DATA_HELDOUT]}};
    psw_status rc = psw_text_file_read(r, &pairs, err);
    if (rc == PSW_OK) {
        if (is_given(o->sft))
            rc = psw_text_file_read(r, &sft, err);
        else
            sft_from_pairs(d);
    }
    if (rc == PSW_OK) rc = read_prompts(r, err);
    psw_text_reader_sort(r);
    if (rc == PSW_OK && !psw_file_splits(o)) rc = psw_text_file_read(r, &heldout, err);
    return rc;
}

/** A set without training or held-out pairs is of no use: say what became of the rows. */
static psw_status check_content(const struct psw_file_opts *opts,
                                const struct psw_dataset *data, struct psw_error *err)
{
    char text[512];
    if (data->pairs.n == 0)
        return psw_fail(err, PSW_EDATA, "%s: no training pair is left (%s)", opts->pairs,
                        psw_data_counts_text(&data->counts[PSW_DATA_PAIRS], text, sizeof text));
    if (data->sft.n == 0)
        return psw_fail(err, PSW_EDATA, "%s: no SFT item is left (%s)", opts->sft,
                        psw_data_counts_text(&data->counts[PSW_DATA_SFT], text, sizeof text));
    if (data->pairs_heldout.n == 0 && psw_file_splits(opts))
        return psw_fail(err, PSW_EDATA,
                        "%s: no held-out pair is left: the split by prompt gave all %lld pairs "
                        "to training; name a file in data.heldout, or give more pairs",
                        opts->pairs, (long long)data->pairs.n);
    if (data->pairs_heldout.n == 0)
        return psw_fail(
            err, PSW_EDATA,
            "%s: no held-out pair is left (%s); expected pairs with other prompts "
            "than data.pairs in data.heldout",
            opts->heldout,
            psw_data_counts_text(&data->counts[PSW_DATA_HELDOUT], text, sizeof text));
    return PSW_OK;
}

static psw_status read(const struct psw_file_opts *opts, struct psw_dataset *data,
                       struct psw_error *err)
{
    struct psw_text_reader r = {.opts = opts, .data = data};
    r.final.from =
        is_given(opts->final_prompts.path) ? &data->prompts_heldout : &data->pairs_heldout;
    psw_status rc = psw_row_writer_init(&r.writer, opts, data->tokenizer, err);
    if (rc == PSW_OK) rc = read_files(&r, err);
    if (rc == PSW_OK) rc = check_content(opts, data, err);
    if (rc == PSW_OK) rc = read_final_prompts(&r, err);
    psw_text_reader_clear(&r);
    return rc;
}

const struct psw_data_source PSW_AUTO_SOURCE = {.read = read};
const struct psw_data_source PSW_HH_SOURCE = {.read = read};
const struct psw_data_source PSW_TRL_SOURCE = {.read = read};
const struct psw_data_source PSW_ULTRAFEEDBACK_SOURCE = {.read = read};
const struct psw_data_source PSW_SHAREGPT_SOURCE = {.read = read};
const struct psw_data_source PSW_ALPACA_SOURCE = {.read = read};
const struct psw_data_source PSW_DAHOAS_SOURCE = {.read = read};
