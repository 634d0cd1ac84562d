/* Preference pairs: files in any form of form.c. */
#include "source/text_reader.h"
#include <stdlib.h>

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
    data->counts_sft = data->counts;
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

/** The distinct prompts of the held-out pairs, in their order. */
static psw_status distinct_prompts(struct psw_dataset *data, struct psw_error *err)
{
    const int64_t n = data->pairs_heldout.n;
    int64_t n_distinct = 0;
    psw_status rc = PSW_OK;
    const struct psw_example **pair = malloc((size_t)(n + 1) * sizeof *pair);
    if (!pair) return psw_fail(err, PSW_ENOMEM, "pairs: %lld prompts", (long long)n);
    for (int64_t i = 0; i < n; i++) pair[i] = &data->pairs_heldout.item[i];
    qsort(pair, (size_t)n, sizeof *pair, by_key);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || pair[i]->prompt_key != pair[n_distinct - 1]->prompt_key)
            pair[n_distinct++] = pair[i];
    qsort(pair, (size_t)n_distinct, sizeof *pair, by_place);
    for (int64_t i = 0; i < n_distinct && rc == PSW_OK; i++) {
        const struct psw_example e = {.prompt = pair[i]->prompt,
                                      .n_prompt = pair[i]->n_prompt,
                                      .prompt_key = pair[i]->prompt_key};
        rc = psw_examples_push(&data->prompts_heldout, &e, err);
    }
    free(pair);
    return rc;
}

static psw_status read_files(struct psw_text_reader *r, struct psw_error *err)
{
    const struct psw_file_opts *o = r->opts;
    struct psw_dataset *d = r->data;
    struct psw_text_file pairs = {.role = PSW_ROLE_PAIRS,
                                  .use = PSW_FORM_PAIRS,
                                  .path = o->pairs,
                                  .limit = o->limit,
                                  .train = &d->pairs,
                                  .heldout = &d->pairs_heldout,
                                  .counts_train = &d->counts,
                                  .counts_heldout = &d->counts_heldout};
    struct psw_text_file sft = {.role = PSW_ROLE_SFT,
                                .use = PSW_FORM_SFT,
                                .path = o->sft,
                                .limit = o->limit,
                                .train = &d->sft,
                                .counts_train = &d->counts_sft,
                                .counts_heldout = &d->counts_sft};
    struct psw_text_file heldout = {.role = PSW_ROLE_HELDOUT,
                                    .use = PSW_FORM_PAIRS,
                                    .path = o->heldout,
                                    .limit = o->limit,
                                    .heldout = &d->pairs_heldout,
                                    .counts_heldout = &d->counts_heldout};
    psw_status rc = psw_text_file_read(r, &pairs, err);
    if (rc == PSW_OK)
        rc = o->sft && *o->sft ? psw_text_file_read(r, &sft, err) : sft_from_pairs(d, err);
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
                        psw_data_counts_text(&data->counts, text, sizeof text));
    if (data->sft.n == 0)
        return psw_fail(err, PSW_EDATA, "%s: no SFT item is left (%s)", opts->sft,
                        psw_data_counts_text(&data->counts_sft, text, sizeof text));
    if (data->pairs_heldout.n == 0 && psw_file_splits(opts))
        return psw_fail(err, PSW_EDATA,
                        "%s: no held-out pair is left: the split by prompt gave all %lld pairs "
                        "to training; name a file in data.heldout, or give more pairs",
                        opts->pairs, (long long)data->pairs.n);
    if (data->pairs_heldout.n == 0)
        return psw_fail(err, PSW_EDATA,
                        "%s: no held-out pair is left (%s); expected pairs with other prompts "
                        "than data.pairs in data.heldout",
                        opts->heldout,
                        psw_data_counts_text(&data->counts_heldout, text, sizeof text));
    return PSW_OK;
}

static psw_status read(const struct psw_file_opts *opts, struct psw_dataset *data,
                       struct psw_error *err)
{
    struct psw_text_reader r = {.opts = opts, .data = data};
    psw_status rc = psw_text_reader_init(&r, err);
    if (rc == PSW_OK) rc = read_files(&r, err);
    if (rc == PSW_OK) rc = check_content(opts, data, err);
    if (rc == PSW_OK) rc = distinct_prompts(data, err);
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
