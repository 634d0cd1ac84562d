/* Preference pairs: files in any form of form.c. */
#include "source/text_reader.h"
#include <stdlib.h>
#include <string.h>

/** The chosen side of every training pair, sharing its ids. */
static psw_status sft_from_pairs(struct psw_dataset *data, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < data->pairs.n && rc == PSW_OK; i++) {
        struct psw_example e = data->pairs.item[i];
        e.n_seq = 1;
        e.response[PSW_SIDE_REJECTED] = NULL;
        e.n_response[PSW_SIDE_REJECTED] = 0;
        rc = psw_examples_push(&data->sft, &e, err);
    }
    data->counts[PSW_DATA_SFT] = data->counts[PSW_DATA_PAIRS];
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct psw_example *x = *(const struct psw_example *const *)a;
    const struct psw_example *y = *(const struct psw_example *const *)b;
    if (x->prompt_key != y->prompt_key) return x->prompt_key < y->prompt_key ? -1 : 1;
    return (x > y) - (x < y);
}

static int by_place(const void *a, const void *b)
{
    const struct psw_example *x = *(const struct psw_example *const *)a;
    const struct psw_example *y = *(const struct psw_example *const *)b;
    return (x > y) - (x < y);
}

/** The distinct prompts of a list, in their order; *n_repeated is how many were met before. */
static psw_status distinct_prompts(const struct psw_examples *from, struct psw_examples *to,
                                   int64_t *n_repeated, struct psw_error *err)
{
    const int64_t n = from->n;
    int64_t n_distinct = 0;
    psw_status rc = PSW_OK;
    const struct psw_example **item = malloc((size_t)(n + 1) * sizeof *item);
    if (!item) return psw_fail(err, PSW_ENOMEM, "pairs: %lld prompts", (long long)n);
    for (int64_t i = 0; i < n; i++) item[i] = &from->item[i];
    qsort(item, (size_t)n, sizeof *item, by_key);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || item[i]->prompt_key != item[n_distinct - 1]->prompt_key)
            item[n_distinct++] = item[i];
    qsort(item, (size_t)n_distinct, sizeof *item, by_place);
    for (int64_t i = 0; i < n_distinct && rc == PSW_OK; i++) {
        const struct psw_example e = {.prompt = item[i]->prompt,
                                      .n_prompt = item[i]->n_prompt,
                                      .prompt_key = item[i]->prompt_key};
        rc = psw_examples_push(to, &e, err);
    }
    *n_repeated = n - n_distinct;
    free(item);
    return rc;
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
    struct psw_examples all = {0};
    struct psw_data_counts *counts = &d->counts[PSW_DATA_FINAL_PROMPTS];
    struct psw_text_file file = {.role = PSW_ROLE_FINAL_PROMPTS,
                                 .use = PSW_FORM_PROMPTS,
                                 .path = p->path,
                                 .limit = p->limit,
                                 .asked_form = p->form,
                                 .heldout = {&all, counts}};
    int64_t n_repeated = 0;
    char text[512];
    if (!is_given(p->path))
        return distinct_prompts(&d->pairs_heldout, &d->prompts_heldout, &n_repeated, err);
    psw_status rc = psw_text_file_read(r, &file, err);
    if (rc == PSW_OK)
        rc = distinct_prompts(&all, &d->prompts_heldout, &counts->dropped.n_repeated, err);
    counts->n_kept -= counts->dropped.n_repeated;
    free(all.item);
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
    if (rc == PSW_OK)
        rc = o->sft && *o->sft ? psw_text_file_read(r, &sft, err) : sft_from_pairs(d, err);
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
