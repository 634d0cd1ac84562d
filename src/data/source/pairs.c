/* A row goes through the same four stations whatever its form: texts, parts (prompt and two
 * replies), filters with their counts, tokens. Training rows come first, because held-out rows
 * are compared with their openings. */
#include "pair_row.h"
#include "source/row_reader.h"
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/** What is being built. */
struct pair_reader {
    const struct psw_file_opts *opts;
    struct psw_dataset *data;
    uint64_t *opening; /* [n_opening] hashes of what training rows begin with. owned */
    int64_t n_opening, n_opening_max;
    struct psw_token_list prompt, reply[2]; /* owned: of the row, nothing cut */
};

/** One file: how its rows are read, where they go. */
struct pair_file {
    enum psw_data_role role;
    const char *path;
    psw_status (*read)(const json_t *, const char *place, struct psw_pair_row *,
                       struct psw_error *);
    struct psw_examples *train, *heldout; /* NULL: such rows are not kept */
    struct psw_data_counts *counts_train, *counts_heldout;
    struct pair_reader *reader;
    int repeats_prompt; /* -1 until the first row with a prompt key */
};

static psw_status remember_opening(struct pair_reader *r, uint64_t opening,
                                   struct psw_error *err)
{
    if (r->n_opening == r->n_opening_max) {
        const int64_t n_max = r->n_opening_max ? 2 * r->n_opening_max : 1024;
        uint64_t *grown = realloc(r->opening, (size_t)n_max * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "pairs: %lld rows", (long long)n_max);
        r->opening = grown;
        r->n_opening_max = n_max;
    }
    r->opening[r->n_opening++] = opening;
    return PSW_OK;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int is_in_training(const struct pair_reader *r, uint64_t opening)
{
    return r->n_opening > 0 && bsearch(&opening, r->opening, (size_t)r->n_opening,
                                       sizeof opening, by_value) != NULL;
}

static psw_status encode(struct pair_reader *r, const struct psw_pair_row *row,
                         struct psw_error *err)
{
    const struct psw_text prompt = row->prompt[PSW_SIDE_CHOSEN];
    const enum psw_text_place behind = prompt.n > 0 ? PSW_TEXT_GOES_ON : PSW_TEXT_AFTER_TOKEN;
    psw_status rc = psw_row_encode(r->data, prompt, PSW_TEXT_BEGINS, &r->prompt, err);
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++)
        rc = psw_row_encode(r->data, row->reply[s], behind, &r->reply[s], err);
    return rc;
}

/** As much of a reply as fits. */
static struct psw_tokens beginning(const struct pair_reader *r, int side)
{
    return psw_tokens_begin(r->data->tokenizer, psw_list_tokens(&r->reply[side]),
                            r->opts->max_response);
}

/** Whether a row is longer than it may be: where long rows are dropped, and always where
 * nothing of a reply would be left, its first character being longer than the limit. */
static int exceeds_limits(const struct pair_reader *r, const struct psw_pair_row *row)
{
    const struct psw_file_opts *opts = r->opts;
    int drop = opts->drop_long && psw_row_prompt_exceeds(r->data, &r->prompt, opts->max_prompt);
    for (int s = 0; s < row->n_side; s++)
        if (psw_row_exceeds(&r->reply[s], 1, opts->max_response))
            drop |= opts->drop_long || beginning(r, s).n == 0;
    return drop;
}

/** Decide about the texts of a row, counting why. Returns whether to keep it. */
static int filter(const struct psw_file_opts *opts, struct psw_pair_row *row,
                  struct psw_data_counts *counts)
{
    psw_pair_row_count(row, counts);
    if (row->n_side == 2 &&
        !psw_text_equal(row->prompt[PSW_SIDE_CHOSEN], row->prompt[PSW_SIDE_REJECTED])) {
        counts->n_prompt_differs++;
        if (!opts->keep_prompt_mismatch || !psw_pair_row_share_prompt(row)) return 0;
        counts->n_prompt_common++;
    }
    if (row->n_side == 2 && opts->drop_equal &&
        psw_text_equal(row->side[PSW_SIDE_CHOSEN], row->side[PSW_SIDE_REJECTED]))
        return 0;
    return 1;
}

/** Keep a reply: all of it and an EOS, or as much as fits and no EOS, for a text that goes on
 *  must not be taught to end there. */
static psw_status keep_reply(struct pair_reader *r, int side, struct psw_example *e,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_tokens kept = beginning(r, side);
    if (!psw_row_exceeds(&r->reply[side], 1, r->opts->max_response)) {
        rc = psw_row_end(r->data, &r->reply[side], err);
        kept = psw_list_tokens(&r->reply[side]);
    }
    if (rc != PSW_OK) return rc;
    e->n_response[side] = (int32_t)kept.n;
    return psw_dataset_keep(r->data, kept, &e->response[side], err);
}

/** Keep a row. */
static psw_status push(struct pair_reader *r, const struct psw_pair_row *row,
                       struct psw_examples *list, struct psw_data_counts *counts,
                       struct psw_error *err)
{
    const struct psw_text text = row->prompt[PSW_SIDE_CHOSEN];
    struct psw_example e = {.n_seq = row->n_side};
    e.prompt_key = psw_hash_bytes(text.at, text.n, 0);
    counts->n_cut_prompt += psw_row_prompt_exceeds(r->data, &r->prompt, r->opts->max_prompt);
    counts->n_empty_prompt += r->prompt.n == 0;
    struct psw_tokens prompt;
    psw_status rc = psw_row_prompt(r->data, &r->prompt, r->opts->max_prompt, &prompt, err);
    if (rc != PSW_OK) return rc;
    e.n_prompt = (int32_t)prompt.n;
    rc = psw_dataset_keep(r->data, prompt, &e.prompt, err);
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++) rc = keep_reply(r, s, &e, err);
    return rc == PSW_OK ? psw_examples_push(list, &e, err) : rc;
}

static psw_status take_row(struct pair_reader *r, const struct pair_file *file,
                           struct psw_pair_row *row, struct psw_error *err)
{
    const uint64_t opening = psw_pair_row_opening(row);
    const int heldout = !file->train || psw_file_row_is_heldout(r->opts, opening);
    struct psw_data_counts *counts = heldout ? file->counts_heldout : file->counts_train;
    struct psw_examples *list = heldout ? file->heldout : file->train;
    counts->n_row++;
    if (!filter(r->opts, row, counts)) return PSW_OK;
    psw_status rc = encode(r, row, err);
    if (rc != PSW_OK) return rc;
    if (exceeds_limits(r, row)) {
        counts->n_too_long++;
        return PSW_OK;
    }
    if (!list || (!file->train && is_in_training(r, opening))) {
        counts->n_overlap++;
        return PSW_OK;
    }
    counts->n_kept++;
    rc = push(r, row, list, counts, err);
    if (rc == PSW_OK && !heldout) rc = remember_opening(r, opening, err);
    return rc;
}

static psw_status look_ahead(void *ctx, const json_t *object, const char *place, int *done,
                             struct psw_error *err)
{
    struct pair_file *file = ctx;
    struct psw_pair_row row;
    const psw_status rc = file->read(object, place, &row, err);
    if (rc != PSW_OK) return rc;
    file->repeats_prompt = row.is_dialogue || row.repeats_prompt;
    *done = !file->repeats_prompt;
    return PSW_OK;
}

/** Whether every row of a file that has a prompt key repeats it: a reply may begin with the
 *  words of its prompt by chance, replies of a whole file do not. */
static psw_status all_repeat(struct pair_file *file, struct psw_error *err)
{
    struct stat info;
    if (stat(file->path, &info) == 0 && !S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EUNSUP,
                        "%s: the rows seem to repeat their prompts, and must be read twice to "
                        "tell: expected a file, found a pipe",
                        file->path);
    const struct psw_row_file ahead = {file->reader->opts, file->path, file->role, look_ahead,
                                       file};
    return psw_row_file_read(&ahead, NULL, err);
}

/** Take the prompt off the sides of a row, if its file repeats prompts. */
static psw_status take_prompt_off(struct pair_file *file, struct psw_pair_row *row,
                                  struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (row->is_dialogue) return PSW_OK;
    if (file->repeats_prompt < 0) {
        file->repeats_prompt = 0;
        if (row->repeats_prompt) rc = all_repeat(file, err);
    }
    if (rc == PSW_OK && file->repeats_prompt) psw_pair_row_take_prompt_off(row);
    row->repeats_prompt = file->repeats_prompt;
    return rc;
}

static psw_status take(void *ctx, const json_t *object, const char *place, int *done,
                       struct psw_error *err)
{
    struct pair_file *file = ctx;
    struct psw_pair_row row;
    (void)done;
    psw_status rc = file->read(object, place, &row, err);
    if (rc == PSW_OK) rc = take_prompt_off(file, &row, err);
    return rc == PSW_OK ? take_row(file->reader, file, &row, err) : rc;
}

static psw_status read_file(struct pair_file *file, struct psw_error *err)
{
    const struct psw_row_file rows = {file->reader->opts, file->path, file->role, take, file};
    file->repeats_prompt = -1;
    return psw_row_file_read(&rows, file->reader->data, err);
}

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

static psw_status read_files(struct pair_reader *r, struct psw_error *err)
{
    const struct psw_file_opts *o = r->opts;
    struct psw_dataset *d = r->data;
    struct pair_file pairs = {PSW_ROLE_PAIRS,
                              o->pairs,
                              psw_pair_row_read,
                              &d->pairs,
                              &d->pairs_heldout,
                              &d->counts,
                              &d->counts_heldout,
                              r,
                              0};
    struct pair_file sft = {PSW_ROLE_SFT,   o->sft, psw_pair_row_read_sft,
                            &d->sft,        NULL,   &d->counts_sft,
                            &d->counts_sft, r,      0};
    struct pair_file heldout = {PSW_ROLE_HELDOUT,
                                o->heldout,
                                psw_pair_row_read,
                                NULL,
                                &d->pairs_heldout,
                                NULL,
                                &d->counts_heldout,
                                r,
                                0};
    psw_status rc = read_file(&pairs, err);
    if (rc == PSW_OK) rc = o->sft && *o->sft ? read_file(&sft, err) : sft_from_pairs(d, err);
    if (rc == PSW_OK && r->n_opening > 0)
        qsort(r->opening, (size_t)r->n_opening, sizeof *r->opening, by_value);
    if (rc == PSW_OK && !psw_file_splits(o)) rc = read_file(&heldout, err);
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
    struct pair_reader r = {.opts = opts, .data = data};
    psw_status rc = read_files(&r, err);
    if (rc == PSW_OK) rc = check_content(opts, data, err);
    if (rc == PSW_OK) rc = distinct_prompts(data, err);
    free(r.opening);
    free(r.prompt.id);
    for (int s = 0; s < 2; s++) free(r.reply[s].id);
    return rc;
}

const struct psw_data_source PSW_HH_SOURCE = {.read = read};
