/* Sampling and scoring the rollouts of a step. */
#include <posweep/data/epoch_order.h>
#include <posweep/rollout/rollout.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROW_ARRAY = 11 };

_Static_assert((int)PSW_CFG_MAX_SAMPLES <= (int)PSW_EXAMPLE_SEQS,
               "a sweep may ask for more samples than an example carries");

static int64_t n_prompt_of(const struct psw_config *c)
{
    return c->policy.train.batch / psw_config_samples(c);
}

/* The longest response for which every prompt of the list leaves room. */
static psw_status longest_response(const struct psw_config *c, const struct psw_dataset *data,
                                   int64_t *out, struct psw_error *err)
{
    const struct psw_examples *list = psw_dataset_rollout_prompts(data);
    int64_t least = c->model.context;
    if (list->n < 1)
        return psw_fail(err, PSW_EINVAL, "the data has no prompts to sample responses to");
    for (int64_t i = 0; i < list->n; i++) {
        const struct psw_example e = psw_examples_at(list, i), *const one = &e;
        const int64_t n = psw_responses_limit(&one, 1, c->model.context, c->rollout.max_new);
        if (n < least) least = n;
    }
    if (least < 1)
        return psw_fail(err, PSW_EINVAL,
                        "a prompt fills the context of %lld tokens, so nothing can be sampled "
                        "behind it; lower data.max_prompt or raise model.context",
                        (long long)c->model.context);
    *out = least;
    return PSW_OK;
}

static psw_status allocate(struct psw_rollout *r, struct psw_error *err)
{
    const int64_t n_prompt = r->responses.n_prompt, n_seq = r->responses.n_seq;
    r->n_most_row = n_seq * r->responses.stride;
    r->seq_row = calloc((size_t)n_seq + 1, sizeof *r->seq_row);
    r->index = calloc((size_t)n_prompt, sizeof *r->index);
    r->is_mixed = calloc((size_t)n_prompt, sizeof *r->is_mixed);
    r->score = calloc((size_t)(4 * n_seq + N_ROW_ARRAY * r->n_most_row), sizeof *r->score);
    r->order = calloc((size_t)r->n_most_row, sizeof *r->order);
    if (!r->seq_row || !r->index || !r->is_mixed || !r->score || !r->order)
        return psw_fail(err, PSW_ENOMEM, "rollouts: %lld responses of %lld tokens",
                        (long long)n_seq, (long long)r->responses.stride);
    r->plain = r->score + n_seq;
    r->redraw.score = r->plain + n_seq;
    r->redraw.plain = r->redraw.score + n_seq;
    double *at = r->redraw.plain + n_seq;
    struct psw_rollout_values *v = &r->row;
    double **const row[N_ROW_ARRAY] = {&v->old,      &v->ref,       &v->value,  &v->entropy,
                                       &v->reward,   &v->advantage, &v->raw,    &v->ret,
                                       &v->unscaled, &v->learnt,    &v->scratch};
    for (int i = 0; i < N_ROW_ARRAY; i++, at += r->n_most_row) *row[i] = at;
    return PSW_OK;
}

psw_status psw_rollout_init(const struct psw_config *c, const struct psw_dataset *data,
                            struct psw_rollout *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n_prompt = n_prompt_of(c), n_sample = psw_config_samples(c);
    int64_t stride = 0;
    *out = (struct psw_rollout){.n_most_row = 0};
    PSW_TRY(longest_response(c, data, &stride, err));
    if (c->rollout.overlong >= stride)
        PSW_TRY(psw_fail(err, PSW_EINVAL,
                         "rollout.overlong is %lld, but prompts and model.context leave room "
                         "for %lld tokens: every response would be penalised",
                         (long long)c->rollout.overlong, (long long)stride));
    PSW_TRY(psw_responses_init(n_prompt, n_sample, stride, &out->responses, err));
    if (psw_method_reads(c->policy.method, PSW_USE_REDRAWS))
        PSW_TRY(psw_responses_init(n_prompt, n_sample, stride, &out->redraw.responses, err));
    PSW_TRY(psw_picked_init(&out->pick, n_prompt, err));
    PSW_TRY(allocate(out, err));
    out->rows = (struct psw_rollout_rows){.n_prompt = n_prompt,
                                          .n_sample = n_sample,
                                          .n_seq = n_prompt * n_sample,
                                          .seq_row = out->seq_row};
    return PSW_OK;
fail:
    psw_rollout_clear(out);
    return rc;
}

void psw_rollout_clear(struct psw_rollout *r)
{
    psw_responses_clear(&r->responses);
    psw_responses_clear(&r->redraw.responses);
    free(r->seq_row);
    free(r->index);
    free(r->is_mixed);
    psw_picked_clear(&r->pick);
    free(r->score);
    free(r->order);
    *r = (struct psw_rollout){0};
}

void psw_rollout_count_rows(struct psw_rollout *r)
{
    for (int64_t q = 0; q < r->rows.n_seq; q++)
        r->seq_row[q + 1] = r->seq_row[q] + r->responses.n_token[q];
    r->rows.n_row = r->seq_row[r->rows.n_seq];
}

void psw_rollout_bound(struct psw_rollout *r, const struct psw_dataset *data)
{
    const struct psw_examples *list = psw_dataset_rollout_prompts(data);
    struct psw_example longest = psw_examples_at(list, 0);
    for (int64_t i = 1; i < list->n; i++) {
        const struct psw_example e = psw_examples_at(list, i);
        if (e.n_prompt > longest.n_prompt) longest = e;
    }
    for (int64_t i = 0; i < r->rows.n_prompt; i++) r->pick.item[i] = longest;
    psw_responses_set_prompts(&r->responses, r->pick.at);
    psw_responses_bound(&r->responses);
    psw_rollout_count_rows(r);
}

static struct psw_sample_opts opts_of(const struct psw_rollout_with *with, uint64_t first_item)
{
    const struct psw_config *c = with->config;
    return (struct psw_sample_opts){.temperature = c->policy.temperature,
                                    .top_p = c->rollout.top_p,
                                    .top_k = (int32_t)c->rollout.top_k,
                                    .eos = with->data->tokenizer->eos,
                                    .rng = {.seed = (uint64_t)c->seed,
                                            .use = PSW_RNG_ROLLOUT,
                                            .step = (uint32_t)with->step},
                                    .first_item = first_item};
}

/* What is added to or taken off the score of response q. */
static double adjust(const struct psw_rollout_with *with, const struct psw_responses *r,
                     int64_t q, uint64_t item, double score)
{
    const struct psw_config *c = with->config;
    const int32_t n = r->n_token[q];
    const struct psw_rng noise = {
        .seed = (uint64_t)c->seed, .use = PSW_RNG_NOISE, .step = (uint32_t)with->step};
    if (c->reward.noise > 0) score += c->reward.noise * psw_rng_normal(noise, item, 0);
    if (psw_method_reads(c->policy.method, PSW_USE_REDRAWS))
        score += psw_overlong_penalty(n, r->stride, c->rollout.overlong);
    return score;
}

static psw_status sample_and_score(const struct psw_rollout_with *with, uint64_t first_item,
                                   struct psw_responses *r, double *score, double *plain,
                                   struct psw_error *err)
{
    const struct psw_sample_opts opts = opts_of(with, first_item);
    psw_status rc = psw_responses_sample(&with->sampler, &opts, r, err);
    if (rc != PSW_OK) return rc;
    psw_reward_score(with->reward, with->sampler.team, with->sampler.exec, r, score);
    for (int64_t q = 0; q < r->n_seq; q++) {
        if (!isfinite(score[q]))
            return psw_fail(
                err, PSW_EDIVERGED,
                "the reward of response %lld is %g: the reward model diverged, or the "
                "task has no scorer",
                (long long)q, score[q]);
        plain[q] = score[q];
        score[q] = adjust(with, r, q, first_item + (uint64_t)q, score[q]);
    }
    return PSW_OK;
}

/* Put redraw's group j in place of group i. */
static void replace(struct psw_rollout *r, int64_t j, int64_t i)
{
    struct psw_responses *to = &r->responses;
    const struct psw_responses *from = &r->redraw.responses;
    const int64_t n = to->n_sample, stride = to->stride;
    memcpy(to->token + i * n * stride, from->token + j * n * stride,
           sizeof *to->token * (size_t)(n * stride));
    memcpy(to->n_token + i * n, from->n_token + j * n, sizeof *to->n_token * (size_t)n);
    memcpy(r->score + i * n, r->redraw.score + j * n, sizeof *r->score * (size_t)n);
    memcpy(r->plain + i * n, r->redraw.plain + j * n, sizeof *r->plain * (size_t)n);
    to->example[i] = from->example[j];
    for (int64_t k = 0; k < n; k++)
        to->example[i].response[k] = to->token + (i * n + k) * stride;
}

/* One round of dynamic sampling: new prompts for the groups that teach nothing. */
static psw_status redraw(struct psw_rollout *r, const struct psw_rollout_with *with,
                         int64_t round, struct psw_error *err)
{
    const struct psw_examples *list = psw_dataset_rollout_prompts(with->data);
    const struct psw_rng rng = {.seed = (uint64_t)with->config->seed,
                                .use = PSW_RNG_REDRAW,
                                .step = (uint32_t)with->step};
    const int64_t n_prompt = r->rows.n_prompt;
    int64_t n = 0;
    for (int64_t i = 0; i < n_prompt; i++) {
        if (r->is_mixed[i]) continue;
        r->index[i] =
            (int64_t)psw_rng_below(rng, (uint64_t)(round * n_prompt + i), 0, (uint64_t)list->n);
        r->pick.item[n++] = psw_examples_at(list, r->index[i]);
    }
    struct psw_responses *again = &r->redraw.responses;
    again->n_prompt = n;
    again->n_seq = n * again->n_sample;
    psw_responses_set_prompts(again, r->pick.at);
    const psw_status rc = sample_and_score(with, (uint64_t)((round + 1) * r->rows.n_seq), again,
                                           r->redraw.score, r->redraw.plain, err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0, j = 0; i < n_prompt; i++)
        if (!r->is_mixed[i]) replace(r, j++, i);
    return PSW_OK;
}

psw_status psw_rollout_sample(struct psw_rollout *r, const struct psw_rollout_with *with,
                              struct psw_error *err)
{
    const struct psw_config *c = with->config;
    const struct psw_examples *list = psw_dataset_rollout_prompts(with->data);
    psw_data_order((uint64_t)c->seed, PSW_ROLLOUT_ORDER, list->n, with->step, r->rows.n_prompt,
                   r->index);
    psw_picked_put(&r->pick, 0, list, r->index, r->rows.n_prompt);
    psw_responses_set_prompts(&r->responses, r->pick.at);
    psw_status rc = sample_and_score(with, 0, &r->responses, r->score, r->plain, err);
    const int is_dynamic = psw_method_reads(c->policy.method, PSW_USE_REDRAWS);
    for (int64_t k = 0; rc == PSW_OK; k++) {
        const int64_t n_mixed = psw_group_mixed(&r->rows, r->plain, r->is_mixed);
        if (!is_dynamic || n_mixed == r->rows.n_prompt || k == c->rollout.redraws) break;
        rc = redraw(r, with, k, err);
    }
    if (rc == PSW_OK) psw_rollout_count_rows(r);
    return rc;
}

static void group_advantages(struct psw_rollout *r, const struct psw_config *c)
{
    double *by_seq = r->redraw.score; /* free by now */
    psw_group_advantage(&r->rows, c->policy.whiten, r->score, by_seq);
    psw_rows_spread(&r->rows, by_seq, r->row.advantage);
    psw_rows_spread(&r->rows, r->score, r->row.raw);
    psw_group_advantage(&r->rows, 0, r->score, by_seq);
    psw_rows_spread(&r->rows, by_seq, r->row.unscaled);
}

void psw_rollout_advantages(struct psw_rollout *r, const struct psw_config *c, double kl_coef)
{
    if (!psw_method_reads(c->policy.method, PSW_USE_CRITIC)) {
        group_advantages(r, c);
        return;
    }
    psw_reward_tokens(&r->rows, c->policy.kl_kind, kl_coef, r->score, r->row.old, r->row.ref,
                      r->row.reward);
    psw_gae(&r->rows, c->policy.discount, c->policy.gae_lambda, r->row.reward, r->row.value,
            r->row.raw, r->row.ret);
    memcpy(r->row.unscaled, r->row.raw, sizeof(double) * (size_t)r->rows.n_row);
    if (c->policy.whiten)
        psw_whiten(r->rows.n_row, r->row.raw, r->row.advantage);
    else
        memcpy(r->row.advantage, r->row.raw, sizeof(double) * (size_t)r->rows.n_row);
}
