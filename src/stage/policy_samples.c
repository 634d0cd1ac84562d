/* What was said to the evaluation prompts, and what it is worth, under the names of the schema;
 * and beside it the held-out pairs that these prompts came from. */
#include "policy_internal.h"

#include <posweep/data/tokenizer_file.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a text of a sample, its end included; of an id, the space before it included. */
enum { SAMPLE_BYTES = 2048, ID_BYTES = 12 };

/* ---- the pairs of the prompts ---- */

static int64_t n_sample_of(const struct psw_policy *p)
{
    const struct psw_config *c = p->work->stage->config;
    return psw_min(c->eval.samples,
                   psw_final_n_prompt(c, p->work->stage->data, PSW_PROMPTS_EVAL));
}

/* The pair that the k-th evaluation prompt came from; 0: none. */
static int find_pair(const struct psw_policy *p, int64_t k, struct psw_example *out)
{
    const struct psw_dataset *data = p->work->stage->data;
    const int64_t first = psw_final_n_prompt(p->work->stage->config, data, PSW_PROMPTS_FINAL);
    const struct psw_example prompt = psw_examples_at(&data->prompts_heldout, first + k);
    return psw_dataset_find_pair(data, &prompt, out);
}

/* Both sides of a pair as the responses to prompt i. */
static void put_pair(struct psw_responses *r, int64_t i, const struct psw_example *pair)
{
    r->example[i] = *pair;
    r->example[i].n_seq = 0;
    for (int64_t s = 0; s < r->n_sample; s++) {
        const int64_t q = i * r->n_sample + s;
        r->n_token[q] = pair->n_response[s];
        memcpy(r->token + q * r->stride, pair->response[s],
               (size_t)pair->n_response[s] * sizeof *r->token);
    }
}

psw_status psw_policy_records_init(const struct psw_policy *p, struct psw_policy_records *out,
                                   struct psw_error *err)
{
    struct psw_policy_records r = {0};
    struct psw_example pair;
    psw_status rc = PSW_OK;
    const int64_t n_sample = n_sample_of(p);
    int64_t longest = 1;
    r.sample = calloc((size_t)n_sample + 1, sizeof *r.sample);
    if (!r.sample) return psw_fail(err, PSW_ENOMEM, "samples: %lld", (long long)n_sample);
    for (int64_t k = 0; k < n_sample; k++) {
        if (!find_pair(p, k, &pair)) continue;
        longest = psw_max(longest, psw_max(pair.n_response[0], pair.n_response[1]));
        r.sample[r.n++] = k;
    }
    if (r.n == 0) goto fail; /* nothing to keep, which is no failure */
    r.reward = calloc((size_t)r.n, 2 * sizeof *r.reward);
    if (!r.reward) PSW_TRY(psw_fail(err, PSW_ENOMEM, "samples: %lld pairs", (long long)r.n));
    for (int64_t i = 0; i < 2 * r.n; i++) r.reward[i] = NAN;
    PSW_TRY(psw_responses_init(r.n, 2, longest, &r.side, err));
    for (int64_t i = 0; i < r.n; i++)
        if (find_pair(p, r.sample[i], &pair)) put_pair(&r.side, i, &pair);
    psw_responses_attach(&r.side);
    *out = r;
    return PSW_OK;
fail:
    psw_policy_records_clear(&r);
    if (rc == PSW_OK) *out = r;
    return rc;
}

void psw_policy_records_clear(struct psw_policy_records *r)
{
    psw_responses_clear(&r->side);
    free(r->sample);
    free(r->reward);
    *r = (struct psw_policy_records){0};
}

psw_status psw_policy_records_layout(struct psw_policy *p, struct psw_error *err)
{
    struct psw_policy_records r = {0};
    if (!p->reward.model) return PSW_OK;
    const psw_status rc = psw_policy_records_init(p, &r, err);
    if (rc == PSW_OK && r.n > 0)
        psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &r.side, NULL);
    psw_policy_records_clear(&r);
    return rc;
}

/* ---- outcomes ---- */

/* Of the same responses, where any has a score. */
static psw_status put_worth(struct psw_record *record, const char *name, const double *score,
                            int64_t n_sample, int64_t n, struct psw_error *err)
{
    int is_known = 0;
    double *first = malloc(sizeof *first * (size_t)n + 1);
    if (!first) return psw_fail(err, PSW_ENOMEM, "%s: %lld values", name, (long long)n);
    for (int64_t i = 0; i < n; i++) {
        first[i] = score[i * n_sample];
        is_known |= !isnan(first[i]);
    }
    if (is_known) psw_record_put(record, name, PSW_F64, psw_shape_1d(n), first);
    free(first);
    return PSW_OK;
}

/* What came of every evaluation prompt. */
static psw_status put_outcomes(struct psw_record *record, const struct psw_policy_answers *a,
                               struct psw_error *err)
{
    const int64_t n = a->eval.n_prompt, n_sample = a->eval.n_sample;
    int8_t *outcome = malloc((size_t)n + 1);
    if (!outcome) return psw_fail(err, PSW_ENOMEM, "judging: %lld outcomes", (long long)n);
    for (int64_t i = 0; a->judged && i < n; i++) {
        const double x = psw_policy_outcome(&a->eval, &a->sft, a->judged, i * n_sample);
        outcome[i] = (int8_t)(isnan(x) ? -1 : 1 + x);
    }
    if (a->judged) psw_record_put(record, "eval_outcome", PSW_I8, psw_shape_1d(n), outcome);
    free(outcome);
    const psw_status rc = put_worth(record, "eval_score", a->score, n_sample, n, err);
    return rc != PSW_OK ? rc : put_worth(record, "eval_reward", a->reward, n_sample, n, err);
}

/* ---- samples ---- */

/* Put a list of texts, and free it and what it points into; either is NULL without memory. */
static psw_status take_texts(struct psw_record *record, const char *name, char *text,
                             const char **list, int64_t n, struct psw_error *err)
{
    const int is_there = text && list;
    if (is_there) psw_record_put_texts(record, name, list, n);
    free(text);
    free(list);
    if (is_there) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "samples: %lld texts", (long long)n);
}

/* Tokens as a list of texts; "" where there are none. */
static psw_status put_texts(const struct psw_policy *p, struct psw_record *record,
                            const char *name, const struct psw_tokens *of, int64_t n,
                            struct psw_error *err)
{
    const struct psw_tokenizer *tokenizer = p->work->stage->data->tokenizer;
    char *text = malloc((size_t)n * SAMPLE_BYTES + 1);
    const char **list = malloc(sizeof *list * (size_t)n + 1);
    for (int64_t i = 0; text && list && i < n; i++)
        list[i] = of[i].n == 0 ? ""
                               : psw_tokenizer_prompt_text(
                                     tokenizer, of[i], text + i * SAMPLE_BYTES, SAMPLE_BYTES);
    return take_texts(record, name, text, list, n, err);
}

/* Their ids, all of them, as "12 5 0". */
static psw_status put_ids(struct psw_record *record, const char *name,
                          const struct psw_tokens *of, int64_t n, struct psw_error *err)
{
    size_t n_bytes = 1, at = 0;
    for (int64_t i = 0; i < n; i++) n_bytes += ID_BYTES * (size_t)of[i].n + 1;
    char *text = malloc(n_bytes);
    const char **list = malloc(sizeof *list * (size_t)n + 1);
    for (int64_t i = 0; text && list && i < n; i++) {
        list[i] = text + at;
        text[at] = 0;
        for (int64_t k = 0; k < of[i].n; k++)
            at += (size_t)snprintf(text + at, ID_BYTES, k ? " %d" : "%d", of[i].id[k]);
        at++;
    }
    return take_texts(record, name, text, list, n, err);
}

/* The first response to each of n prompts. */
static void gather_responses(const struct psw_responses *r, int64_t n, struct psw_tokens *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (struct psw_tokens){r->token + i * r->n_sample * r->stride,
                                     r->n_token[i * r->n_sample]};
}

static void gather_prompts(const struct psw_responses *r, int64_t n, struct psw_tokens *out)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = (struct psw_tokens){r->example[i].prompt, r->example[i].n_prompt};
}

/* A side of the pairs, each at its sample. */
static void gather_side(const struct psw_policy_records *r, int64_t n, int64_t side,
                        struct psw_tokens *out)
{
    memset(out, 0, sizeof *out * (size_t)n);
    for (int64_t i = 0; i < r->n; i++) {
        const int64_t q = i * r->side.n_sample + side;
        out[r->sample[i]] =
            (struct psw_tokens){r->side.token + q * r->side.stride, r->side.n_token[q]};
    }
}

static psw_status put_said(const struct psw_policy *p, struct psw_record *record,
                           const char *name, const char *ids, const struct psw_tokens *of,
                           int64_t n, struct psw_error *err)
{
    const psw_status rc = put_texts(p, record, name, of, n, err);
    return rc == PSW_OK ? put_ids(record, ids, of, n, err) : rc;
}

/* What the reward model says of a side, where there is one. */
static psw_status put_side_reward(struct psw_record *record, const char *name,
                                  const struct psw_policy_records *r, int64_t n, int64_t side,
                                  struct psw_error *err)
{
    double *reward = malloc(sizeof *reward * (size_t)n + 1);
    if (!reward) return psw_fail(err, PSW_ENOMEM, "samples: %lld rewards", (long long)n);
    for (int64_t i = 0; i < n; i++) reward[i] = NAN;
    for (int64_t i = 0; i < r->n; i++) reward[r->sample[i]] = r->reward[2 * i + side];
    const psw_status rc = put_worth(record, name, reward, 1, n, err);
    free(reward);
    return rc;
}

/* The sides of the pairs that the first n prompts came from. Shapes: scratch [n]. */
static psw_status put_records(const struct psw_policy *p, struct psw_record *record,
                              const struct psw_policy_records *r, int64_t n,
                              struct psw_tokens *scratch, struct psw_error *err)
{
    static const char *const NAMES[2][3] = {
        {"sample_chosen", "sample_chosen_ids", "sample_reward_chosen"},
        {"sample_rejected", "sample_rejected_ids", "sample_reward_rejected"}};
    psw_status rc = PSW_OK;
    for (int64_t s = 0; s < 2 && rc == PSW_OK && r->n > 0; s++) {
        gather_side(r, n, s, scratch);
        rc = put_said(p, record, NAMES[s][0], NAMES[s][1], scratch, n, err);
        if (rc == PSW_OK) rc = put_side_reward(record, NAMES[s][2], r, n, s, err);
    }
    return rc;
}

/* What is said to the first n prompts. */
static psw_status put_samples(const struct psw_policy *p, struct psw_record *record,
                              const struct psw_policy_answers *a, int64_t n,
                              struct psw_error *err)
{
    const int64_t n_seq = a->eval.n_seq, n_sample = a->eval.n_sample;
    const struct {
        const char *name;
        const double *value;
    } worths[] = {{"sample_score", a->score},
                  {"sample_score_sft", a->score + n_seq},
                  {"sample_reward", a->reward},
                  {"sample_reward_sft", a->reward + n_seq}};
    struct psw_tokens *tokens = calloc((size_t)n + 1, sizeof *tokens);
    psw_status rc = PSW_OK;
    if (!tokens) return psw_fail(err, PSW_ENOMEM, "samples: %lld texts", (long long)n);
    gather_prompts(&a->eval, n, tokens);
    PSW_TRY(put_said(p, record, "sample_prompt", "sample_prompt_ids", tokens, n, err));
    gather_responses(&a->eval, n, tokens);
    PSW_TRY(put_said(p, record, "sample_response", "sample_response_ids", tokens, n, err));
    gather_responses(&a->sft, n, tokens);
    PSW_TRY(
        put_said(p, record, "sample_response_sft", "sample_response_sft_ids", tokens, n, err));
    PSW_TRY(put_records(p, record, &a->records, n, tokens, err));
    for (size_t k = 0; k < sizeof worths / sizeof *worths; k++)
        PSW_TRY(put_worth(record, worths[k].name, worths[k].value, n_sample, n, err));
fail:
    free(tokens);
    return rc;
}

psw_status psw_policy_put_answers(const struct psw_policy *p, struct psw_record *record,
                                  const struct psw_policy_answers *a, struct psw_error *err)
{
    const int64_t n = n_sample_of(p);
    const psw_status rc = put_outcomes(record, a, err);
    return rc == PSW_OK && n > 0 ? put_samples(p, record, a, n, err) : rc;
}
