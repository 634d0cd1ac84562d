/* Where rows stop being text. */
#include "source/text_reader.h"

#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t hash_of(struct psw_text text)
{
    return psw_hash_bytes(text.at, text.n, 0);
}

static psw_status remember_asked(struct psw_text_reader *r, uint64_t asked,
                                 struct psw_error *err)
{
    if (r->n_asked == r->n_asked_max) {
        const int64_t n_max = r->n_asked_max ? 2 * r->n_asked_max : 1024;
        uint64_t *grown = realloc(r->asked, (size_t)n_max * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "pairs: %lld rows", (long long)n_max);
        r->asked = grown;
        r->n_asked_max = n_max;
    }
    r->asked[r->n_asked++] = asked;
    return PSW_OK;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int is_in_training(const struct psw_text_reader *r, uint64_t asked)
{
    return r->n_asked > 0 &&
           bsearch(&asked, r->asked, (size_t)r->n_asked, sizeof asked, by_value) != NULL;
}

static psw_status encode_text(struct psw_text_reader *r, const struct psw_pair_row *row,
                              const struct psw_rendered *rendered, struct psw_text text,
                              enum psw_text_place place, struct psw_token_list *out,
                              struct psw_error *err)
{
    if (!row->is_chat) return psw_row_encode(r->data, text, place, out, err);
    out->n = 0;
    return psw_rendered_encode(rendered, r->data->tokenizer, place, out, err);
}

static psw_status encode(struct psw_text_reader *r, const struct psw_pair_row *row,
                         struct psw_error *err)
{
    const struct psw_row_scratch *scratch = row->scratch;
    const struct psw_text prompt = row->prompt[PSW_SIDE_CHOSEN];
    psw_status rc =
        encode_text(r, row, scratch->rendered_prompt, prompt, PSW_TEXT_BEGINS, &r->prompt, err);
    const enum psw_text_place behind = psw_row_place_behind(r->data, &r->prompt);
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++)
        rc = encode_text(r, row, &scratch->rendered_reply[s], row->reply[s], behind,
                         &r->reply[s], err);
    return rc;
}

/** As much of a reply as fits. */
static struct psw_tokens beginning(const struct psw_text_reader *r, int side)
{
    return psw_tokens_begin(r->data->tokenizer, psw_list_tokens(&r->reply[side]),
                            r->opts->length.max_response);
}

/** Whether a row is longer than it may be: where long rows are dropped, and always where
 * nothing of a reply would be left, its first character being longer than the limit. */
static int exceeds_limits(const struct psw_text_reader *r, const struct psw_pair_row *row)
{
    const struct psw_file_opts *opts = r->opts;
    int drop = opts->length.drop_long &&
               psw_row_prompt_exceeds(r->data, &r->prompt, opts->length.max_prompt);
    for (int s = 0; s < row->n_side; s++)
        if (psw_row_exceeds(&r->reply[s], 1, opts->length.max_response))
            drop |= opts->length.drop_long || beginning(r, s).n == 0;
    return drop;
}

/** Decide about the texts of a row, counting why. Returns whether to keep it. */
static int filter(const struct psw_file_opts *opts, struct psw_pair_row *row,
                  struct psw_data_counts *counts)
{
    psw_pair_row_count(row, counts);
    if (row->n_side == 2 &&
        !psw_text_equal(row->prompt[PSW_SIDE_CHOSEN], row->prompt[PSW_SIDE_REJECTED])) {
        counts->prompt.n_differs++;
        if (!opts->rows.keep_prompt_mismatch || !psw_pair_row_share_prompt(row)) return 0;
        counts->prompt.n_common++;
    }
    if (row->n_side == 2 && opts->rows.drop_equal &&
        psw_text_equal(row->side[PSW_SIDE_CHOSEN], row->side[PSW_SIDE_REJECTED]))
        return 0;
    return 1;
}

/** What is kept of a reply: all of it and an EOS, or as much as fits and no EOS, for a text
 * that goes on must not be taught to end there. */
static psw_status reply_of(struct psw_text_reader *r, int side, struct psw_example *e,
                           struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_tokens kept = beginning(r, side);
    if (!psw_row_exceeds(&r->reply[side], 1, r->opts->length.max_response)) {
        rc = psw_row_end(r->data, &r->reply[side], err);
        kept = psw_list_tokens(&r->reply[side]);
    }
    if (rc != PSW_OK) return rc;
    e->response[side] = kept.id;
    e->n_response[side] = (int32_t)kept.n;
    return PSW_OK;
}

/** Keep an example; where each prompt is asked once only, the first of it. The prompts of
 *  held-out pairs are final prompts, where there are no others. */
static psw_status keep(struct psw_text_reader *r, const struct psw_example *e,
                       struct psw_examples *list, struct psw_data_counts *counts,
                       struct psw_error *err)
{
    struct psw_dataset *d = r->data;
    int is_new = 1;
    if (list != r->final.from) return psw_dataset_push(d, list, e, err);
    psw_status rc = psw_key_set_add(&r->final.asked, e->prompt_key, &is_new, err);
    if (rc == PSW_OK && list != &d->prompts_heldout) {
        rc = psw_dataset_push(d, list, e, err);
        if (rc == PSW_OK && is_new) rc = psw_dataset_push_prompt(d, &d->prompts_heldout, err);
        return rc;
    }
    counts->n_kept -= !is_new;
    counts->dropped.n_repeated += !is_new;
    return rc == PSW_OK && is_new ? psw_dataset_push(d, list, e, err) : rc;
}

/** Keep a row. */
static psw_status push(struct psw_text_reader *r, const struct psw_pair_row *row,
                       struct psw_examples *list, struct psw_data_counts *counts,
                       struct psw_error *err)
{
    const struct psw_text text = row->prompt[PSW_SIDE_CHOSEN];
    struct psw_example e = {.n_seq = row->n_side};
    e.prompt_key = psw_hash_bytes(text.at, text.n, 0);
    counts->length.n_cut_prompt +=
        psw_row_prompt_exceeds(r->data, &r->prompt, r->opts->length.max_prompt);
    counts->prompt.n_empty += r->prompt.n == 0;
    struct psw_tokens prompt;
    psw_status rc =
        psw_row_prompt(r->data, &r->prompt, r->opts->length.max_prompt, &prompt, err);
    if (rc != PSW_OK) return rc;
    e.prompt = prompt.id;
    e.n_prompt = (int32_t)prompt.n;
    for (int s = 0; s < row->n_side && rc == PSW_OK; s++) rc = reply_of(r, s, &e, err);
    return rc == PSW_OK ? keep(r, &e, list, counts, err) : rc;
}

/** Rows that are split off from a training file; of files that give no held-out rows they are
 *  left out. */
static int is_heldout(const struct psw_text_file *file, const struct psw_pair_row *row)
{
    if (!file->train.kept) return 1;
    struct psw_file_opts opts = *file->reader->opts;
    if (file->splits) opts.heldout = NULL;
    return psw_file_row_is_heldout(&opts, psw_pair_row_opening(row));
}

static psw_status take_row(struct psw_text_file *file, struct psw_pair_row *row,
                           struct psw_error *err)
{
    struct psw_text_reader *r = file->reader;
    const uint64_t asked = hash_of(psw_pair_row_asked(row));
    const int heldout = is_heldout(file, row);
    struct psw_data_counts *counts = heldout ? file->heldout.counts : file->train.counts;
    struct psw_examples *list = heldout ? file->heldout.kept : file->train.kept;
    if (!filter(r->opts, row, counts)) return PSW_OK;
    psw_status rc = encode(r, row, err);
    if (rc != PSW_OK) return rc;
    if (exceeds_limits(r, row)) {
        counts->length.n_too_long++;
        return PSW_OK;
    }
    if (!list || (!file->train.kept && is_in_training(r, asked))) {
        counts->dropped.n_overlap++;
        return PSW_OK;
    }
    counts->n_kept++;
    rc = push(r, row, list, counts, err);
    return rc == PSW_OK && !heldout ? remember_asked(r, asked, err) : rc;
}

static psw_status look_ahead(void *ctx, const json_t *object, const char *place, int *done,
                             struct psw_error *err)
{
    struct psw_text_file *file = ctx;
    struct psw_pair_row row = {.scratch = &file->reader->scratch};
    const psw_status rc = psw_form_read(file->form, file->use, object, place, &row, err);
    if (rc != PSW_OK) return rc;
    file->repeats_prompt = row.is_dialogue || row.repeats_prompt;
    *done = !file->repeats_prompt;
    return PSW_OK;
}

/** Whether every row of a file that has a prompt key repeats it: a reply may begin with the
 *  words of its prompt by chance, replies of a whole file do not. */
static psw_status all_repeat(struct psw_text_file *file, struct psw_error *err)
{
    struct stat info;
    if (stat(file->path, &info) == 0 && !S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EUNSUP,
                        "%s: the rows seem to repeat their prompts, and must be read twice to "
                        "tell: expected a file, found a pipe",
                        file->path);
    const struct psw_row_file ahead = {.opts = file->reader->opts,
                                       .path = file->path,
                                       .role = file->role,
                                       .limit = file->limit,
                                       .take = look_ahead,
                                       .ctx = file};
    return psw_row_file_read(&ahead, NULL, err);
}

/** Take the prompt off the sides of a row, if its file repeats prompts. */
static psw_status take_prompt_off(struct psw_text_file *file, struct psw_pair_row *row,
                                  struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_pair_row now = *row;
    if (row->is_dialogue || row->is_chat || row->is_bare || row->n_side == 0) return PSW_OK;
    if (file->repeats_prompt < 0) {
        file->repeats_prompt = 0;
        if (row->repeats_prompt) rc = all_repeat(file, err);
        *row = now;
    }
    if (rc == PSW_OK && file->repeats_prompt) psw_pair_row_take_prompt_off(row);
    row->repeats_prompt = file->repeats_prompt;
    return rc;
}

/** Whether a text is to be cut into turns: a template goes around them, or each is trained. */
static int wants_turns(const struct psw_text_file *file, const struct psw_pair_row *row)
{
    const struct psw_text_reader *r = file->reader;
    if (row->is_chat || row->is_bare) return 0;
    return !r->writer.chat_template->keeps_texts ||
           (row->is_dialogue && row->n_side == 1 && r->opts->rows.all_turns);
}

/** The last turn of an assistant, n for none. */
static int64_t last_reply(const struct psw_chat *chat)
{
    int64_t last = chat->n - 1;
    while (last >= 0 && chat->turn[last].role != PSW_CHAT_ASSISTANT) last--;
    return last >= 0 ? last : chat->n;
}

/** What a prompt is in a conversation: all before the reply that ends it. */
static int64_t n_prompt_turn(const struct psw_chat *chat)
{
    const int64_t last = last_reply(chat);
    return last == chat->n - 1 ? last : chat->n;
}

static psw_status take_chat(struct psw_text_file *file, struct psw_pair_row *row,
                            struct psw_error *err)
{
    const struct psw_text_reader *r = file->reader;
    const struct psw_chat *chat = row->scratch->chat;
    const int is_each = row->n_side == 1 && r->opts->rows.all_turns;
    psw_status rc = PSW_OK;
    if (row->n_side == 0)
        rc = psw_pair_row_render(row, &r->writer, 0, n_prompt_turn(chat), err);
    for (int s = 0; s < row->n_side && !is_each && rc == PSW_OK; s++)
        rc = psw_pair_row_render(row, &r->writer, s, last_reply(&chat[s]), err);
    if (!is_each) return rc == PSW_OK ? take_row(file, row, err) : rc;
    for (int64_t t = 0; t < chat->n && rc == PSW_OK; t++) {
        if (chat->turn[t].role != PSW_CHAT_ASSISTANT) continue;
        rc = psw_pair_row_render(row, &r->writer, 0, t, err);
        if (rc == PSW_OK) rc = take_row(file, row, err);
    }
    return rc;
}

static psw_status find_form(struct psw_text_file *file, const json_t *object, const char *place,
                            struct psw_error *err)
{
    const char *asked = file->asked_form ? file->asked_form : file->reader->opts->rows.form;
    if (file->form) return PSW_OK;
    /* data.format is the pairs': what SFT reads may have another one */
    const int is_others = file->use == PSW_FORM_SFT && !file->reader->opts->look.keeps_all;
    if (asked && (is_others || !psw_form_serves(asked, file->use))) asked = NULL;
    const psw_status rc = psw_form_detect(object, file->use, asked, place, &file->form, err);
    if (rc != PSW_OK) return rc;
    file->reader->data->files.form[file->role] =
        (struct psw_data_form){file->form->name, file->form->layout};
    return PSW_OK;
}

static psw_status take(void *ctx, const json_t *object, const char *place, int *done,
                       struct psw_error *err)
{
    struct psw_text_file *file = ctx;
    struct psw_pair_row row = {.scratch = &file->reader->scratch};
    (void)done;
    psw_status rc = find_form(file, object, place, err);
    if (rc == PSW_OK) rc = psw_form_read(file->form, file->use, object, place, &row, err);
    if (rc == PSW_OK) rc = take_prompt_off(file, &row, err);
    if (rc == PSW_OK && wants_turns(file, &row)) rc = psw_pair_row_to_chat(&row, err);
    if (rc != PSW_OK) return rc;
    (is_heldout(file, &row) ? file->heldout.counts : file->train.counts)->n_row++;
    return row.is_chat ? take_chat(file, &row, err) : take_row(file, &row, err);
}

psw_status psw_text_file_read(struct psw_text_reader *reader, struct psw_text_file *file,
                              struct psw_error *err)
{
    const struct psw_row_file rows = {.opts = reader->opts,
                                      .path = file->path,
                                      .role = file->role,
                                      .limit = file->limit,
                                      .take = take,
                                      .ctx = file};
    file->reader = reader;
    file->repeats_prompt = -1;
    return psw_row_file_read(&rows, reader->data, err);
}

void psw_text_reader_sort(struct psw_text_reader *reader)
{
    if (reader->n_asked > 0)
        qsort(reader->asked, (size_t)reader->n_asked, sizeof *reader->asked, by_value);
}

void psw_text_reader_clear(struct psw_text_reader *reader)
{
    psw_row_scratch_clear(&reader->scratch);
    free(reader->asked);
    psw_key_set_clear(&reader->final.asked);
    free(reader->prompt.id);
    for (int s = 0; s < 2; s++) free(reader->reply[s].id);
}
