/* Rollouts as a record: prompts by their places, tokens, and what is known of every row. */
#include "rollout_file.h"

#include <posweep/store/record_file.h>

#include <stdlib.h>
#include <string.h>

/* The arrays over rows that are kept. */
static void row_arrays(const struct psw_rollout *r, const char *name[4], double *array[4])
{
    const char *const names[4] = {"advantage", "raw", "ref", "ret"};
    double *const arrays[4] = {r->row.advantage, r->row.raw, r->row.ref, r->row.ret};
    memcpy(name, names, sizeof names);
    memcpy(array, arrays, sizeof arrays);
}

psw_status psw_rollout_write(const struct psw_rollout *r, const char *path,
                             struct psw_error *err)
{
    struct psw_record *record = NULL;
    const struct psw_responses *s = &r->responses;
    const char *name[4];
    double *array[4];
    psw_status rc = psw_record_create(&record, err);
    if (rc != PSW_OK) return rc;
    int32_t *token = malloc(sizeof *token * (size_t)r->rows.n_row + 1);
    if (!token) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: out of memory", path));
    for (int64_t q = 0; q < s->n_seq; q++)
        memcpy(token + r->seq_row[q], s->token + q * s->stride,
               sizeof *token * (size_t)s->n_token[q]);
    psw_record_put(record, "index", PSW_I64, psw_shape_1d(s->n_prompt), r->index);
    psw_record_put(record, "n_token", PSW_I32, psw_shape_1d(s->n_seq), s->n_token);
    psw_record_put(record, "token", PSW_I32, psw_shape_1d(r->rows.n_row), token);
    row_arrays(r, name, array);
    for (int i = 0; i < 4; i++)
        psw_record_put(record, name[i], PSW_F64, psw_shape_1d(r->rows.n_row), array[i]);
    rc = psw_record_write(record, path, err);
fail:
    free(token);
    psw_record_destroy(record);
    return rc;
}

/* A field of that length, or NULL. */
static const void *field(const struct psw_record *record, const char *name, int64_t n)
{
    const struct psw_field *f = psw_record_get(record, name);
    return f && psw_shape_count(f->shape) == n ? f->data : NULL;
}

static psw_status take_tokens(struct psw_rollout *r, const struct psw_record *record,
                              const struct psw_examples *list, const char *path,
                              struct psw_error *err)
{
    struct psw_responses *s = &r->responses;
    const int64_t *index = field(record, "index", s->n_prompt);
    const int32_t *n_token = field(record, "n_token", s->n_seq);
    int fits = index && n_token;
    for (int64_t i = 0; fits && i < s->n_prompt; i++)
        fits = index[i] >= 0 && index[i] < list->n;
    for (int64_t q = 0; fits && q < s->n_seq; q++)
        fits = n_token[q] >= 1 && n_token[q] <= s->stride;
    if (fits) {
        psw_picked_put(&r->pick, 0, list, index, s->n_prompt);
        memcpy(r->index, index, sizeof *index * (size_t)s->n_prompt);
        memcpy(s->n_token, n_token, sizeof *n_token * (size_t)s->n_seq);
        psw_rollout_count_rows(r);
    }
    const int32_t *token = fits ? field(record, "token", r->rows.n_row) : NULL;
    if (!token) return psw_fail(err, PSW_EDATA, "%s: does not fit the run", path);
    for (int64_t q = 0; q < s->n_seq; q++)
        memcpy(s->token + q * s->stride, token + r->seq_row[q],
               sizeof *token * (size_t)s->n_token[q]);
    return PSW_OK;
}

psw_status psw_rollout_read(struct psw_rollout *r, const struct psw_dataset *data,
                            const char *path, struct psw_error *err)
{
    struct psw_record *record = NULL;
    const char *name[4];
    double *array[4];
    psw_status rc = psw_record_read(path, &record, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(take_tokens(r, record, psw_dataset_rollout_prompts(data), path, err));
    row_arrays(r, name, array);
    for (int i = 0; i < 4; i++) {
        const void *x = field(record, name[i], r->rows.n_row);
        if (!x) PSW_TRY(psw_fail(err, PSW_EDATA, "%s: has no %s of all tokens", path, name[i]));
        memcpy(array[i], x, sizeof(double) * (size_t)r->rows.n_row);
    }
    psw_responses_set_prompts(&r->responses, r->pick.at);
    psw_responses_attach(&r->responses);
fail:
    psw_record_destroy(record);
    return rc;
}
