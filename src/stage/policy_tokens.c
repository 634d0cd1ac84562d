/* The token table: what is known of every response token of a probe, under the names of the
 * schema. */
#include "policy_internal.h"

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

psw_status psw_policy_put_tokens(struct psw_record *record, const struct psw_policy_point *at,
                                 struct psw_error *err)
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
fail:
    free(s.size);
    free(s.item);
    free(s.cluster);
    free(s.role);
    free(id);
    free(row);
    return rc;
}
