/* The token table: what is known of every response token of a probe, under the names of the
 * schema. */
#include "policy_internal.h"

#include <posweep/data/tokenizer_file.h>

#include <stdlib.h>
#include <string.h>

/** A row per response. Shapes: all [n_seq], owned. */
struct sequences {
    int64_t n;
    int64_t *size, *item, *cluster;
    int8_t *role;
};

/** The first item with the prompt of item i. */
static int64_t cluster_of(struct psw_trace_set probe, int64_t i)
{
    int64_t first = 0;
    while (probe.example[first]->prompt_key != probe.example[i]->prompt_key) first++;
    return first;
}

static void fill_sequences(struct psw_trace_set probe, struct sequences *out)
{
    int64_t q = 0;
    for (int64_t i = 0; i < probe.n; i++) {
        const int64_t cluster = cluster_of(probe, i);
        for (int s = 0; s < probe.example[i]->n_seq; s++, q++) {
            out->size[q] = probe.example[i]->n_response[s];
            out->item[q] = i;
            out->cluster[q] = cluster;
            out->role[q] = (int8_t)s;
        }
    }
}

static void put_sequences(struct psw_record *record, const struct sequences *s)
{
    const struct psw_shape shape = psw_shape_1d(s->n);
    psw_record_put(record, "row_size", PSW_I64, shape, s->size);
    psw_record_put(record, "sequence_item", PSW_I64, shape, s->item);
    psw_record_put(record, "sequence_role", PSW_I8, shape, s->role);
    psw_record_put(record, "sequence_cluster", PSW_I64, shape, s->cluster);
}

static void fill_ids(struct psw_trace_set probe, int32_t *id)
{
    for (int64_t i = 0; i < probe.n; i++)
        for (int s = 0; s < probe.example[i]->n_seq; s++) {
            const int64_t n = probe.example[i]->n_response[s];
            memcpy(id, probe.example[i]->response[s], sizeof *id * (size_t)n);
            id += n;
        }
}

/** Numbers of the rows as floats. Shapes: x [n], NULL: there are none; scratch [n]. */
static void put_rows(struct psw_record *record, const char *name, const double *x, int64_t n,
                     float *scratch)
{
    for (int64_t r = 0; x && r < n; r++) scratch[r] = (float)x[r];
    if (x) psw_record_put(record, name, PSW_F32, psw_shape_1d(n), scratch);
}

/* ---- texts ---- */

/** Texts one behind the other, each with its 0. */
struct texts {
    struct psw_text_buffer all; /* owned */
    const char **list;          /* owned [n], filled at the end: `all` moves while it grows */
    size_t *first;              /* owned [n] */
    int64_t n;
};

static psw_status texts_init(int64_t n, struct texts *out, struct psw_error *err)
{
    *out = (struct texts){.list = calloc((size_t)n + 1, sizeof *out->list),
                          .first = calloc((size_t)n + 1, sizeof *out->first)};
    if (out->list && out->first) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "trace: %lld texts", (long long)n);
}

static void texts_clear(struct texts *t)
{
    free(t->all.at);
    free(t->list);
    free(t->first);
}

/** Append what tokens say; end: bytes of the text up to the end of each, NULL: not wanted. */
static psw_status texts_add(struct texts *t, const struct psw_tokenizer *tokenizer,
                            struct psw_tokens tokens, int32_t *end, struct psw_error *err)
{
    struct psw_detokenizer d = {.tokenizer = tokenizer};
    const size_t first = t->all.n;
    psw_status rc = PSW_OK;
    t->first[t->n++] = first;
    for (int64_t i = 0; i < tokens.n; i++) {
        const int32_t id = tokens.id[i];
        if (tokenizer->kind->piece(tokenizer, id).at) /* a model may have more rows than that */
            PSW_TRY(psw_detokenizer_push(&d, id, &t->all, err));
        else
            PSW_TRY(psw_text_buffer_add(&t->all, psw_tokenizer_piece(tokenizer, id), err));
        if (end) end[i] = (int32_t)(t->all.n - first);
    }
    PSW_TRY(psw_detokenizer_end(&d, &t->all, err));
    if (end && tokens.n > 0) end[tokens.n - 1] = (int32_t)(t->all.n - first);
    PSW_TRY(psw_text_buffer_add(&t->all, (struct psw_text){"", 1}, err));
fail:
    return rc;
}

static void texts_put(struct texts *t, struct psw_record *record, const char *name)
{
    for (int64_t i = 0; i < t->n; i++) t->list[i] = t->all.at + t->first[i];
    psw_record_put_texts(record, name, t->list, t->n);
}

/** Prompts and responses of the probe. Shapes: end [n_row], scratch. */
static psw_status put_texts(const struct psw_tokenizer *tokenizer, struct psw_record *record,
                            const struct psw_policy_point *at, int32_t *end,
                            struct psw_error *err)
{
    const int64_t n_seq = psw_shards_n_seq(at->probe.example, at->probe.n);
    struct texts prompt = {0}, response = {0};
    int32_t *to = end;
    psw_status rc = PSW_OK;
    PSW_TRY(texts_init(n_seq, &prompt, err));
    PSW_TRY(texts_init(n_seq, &response, err));
    for (int64_t i = 0; i < at->probe.n; i++) {
        const struct psw_example *e = at->probe.example[i];
        for (int s = 0; s < e->n_seq; s++) {
            const struct psw_tokens y = {e->response[s], e->n_response[s]};
            PSW_TRY(texts_add(&prompt, tokenizer, (struct psw_tokens){e->prompt, e->n_prompt},
                              NULL, err));
            PSW_TRY(texts_add(&response, tokenizer, y, to, err));
            to += y.n;
        }
    }
    texts_put(&prompt, record, "sequence_prompt");
    texts_put(&response, record, "sequence_response");
    psw_record_put(record, "token_end", PSW_I32, psw_shape_1d(to - end), end);
fail:
    texts_clear(&prompt);
    texts_clear(&response);
    return rc;
}

/* ---- the table ---- */

psw_status psw_policy_put_tokens(const struct psw_policy *p, struct psw_record *record,
                                 const struct psw_policy_point *at, struct psw_error *err)
{
    const int64_t n_seq = psw_shards_n_seq(at->probe.example, at->probe.n);
    const int64_t n_row = at->tokens->n_row;
    struct sequences s = {.n = n_seq,
                          .size = calloc((size_t)n_seq + 1, sizeof *s.size),
                          .item = calloc((size_t)n_seq + 1, sizeof *s.item),
                          .cluster = calloc((size_t)n_seq + 1, sizeof *s.cluster),
                          .role = calloc((size_t)n_seq + 1, 1)};
    int32_t *id = calloc((size_t)n_row + 1, sizeof *id);
    float *row = calloc((size_t)n_row + 1, sizeof *row);
    psw_status rc = PSW_OK;
    if (!s.size || !s.item || !s.cluster || !s.role || !id || !row)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "trace: table of %lld tokens", (long long)n_row));
    fill_sequences(at->probe, &s);
    put_sequences(record, &s);
    fill_ids(at->probe, id);
    psw_record_put(record, "token_id", PSW_I32, psw_shape_1d(n_row), id);
    psw_record_put(record, "token_kappa", PSW_F32, psw_shape_1d(n_row), at->tokens->kappa);
    psw_record_put(record, "token_logp", PSW_F32, psw_shape_1d(n_row), at->tokens->logp);
    psw_record_put(record, "token_weight", PSW_F32, psw_shape_1d(n_row), at->tokens->weight);
    if (at->rollouts) {
        put_rows(record, "token_advantage", at->rollouts->advantage, n_row, row);
        put_rows(record, "token_ref", at->rollouts->ref, n_row, row);
    }
    if (at->rollouts || at->checkpoint == 0) /* the pairs of a probe stay the same */
        PSW_TRY(put_texts(p->work->stage->data->tokenizer, record, at, id, err));
fail:
    free(s.size);
    free(s.item);
    free(s.cluster);
    free(s.role);
    free(id);
    free(row);
    return rc;
}
