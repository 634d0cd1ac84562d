/* Sampling D' and judging it. A response that broke off without EOS stays as it is: its last
 * token is a target like any other. */
#include <posweep/comm/agree.h>
#include <posweep/data/quality.h>
#include <posweep/model/sample.h>
#include <posweep/trace/final.h>
#include <posweep/util/cast.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static psw_status allocate(struct psw_final *f, struct psw_error *err)
{
    f->token = calloc((size_t)(f->n_seq * f->stride), sizeof *f->token);
    f->n_token = calloc((size_t)f->n_seq, sizeof *f->n_token);
    f->example = calloc((size_t)f->n_prompt, sizeof *f->example);
    f->pointer = calloc((size_t)f->n_prompt, sizeof *f->pointer);
    if (f->token && f->n_token && f->example && f->pointer) return PSW_OK;
    const long long n_seq = f->n_seq, stride = f->stride;
    psw_final_clear(f);
    return psw_fail(err, PSW_ENOMEM, "final responses: %lld x %lld tokens", n_seq, stride);
}

void psw_final_clear(struct psw_final *final)
{
    free(final->token);
    free(final->n_token);
    free(final->example);
    free(final->pointer);
    *final = (struct psw_final){0};
}

static int64_t longest_prompt(const struct psw_example *item, int64_t n)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < n; i++)
        if (item[i].n_prompt > longest) longest = item[i].n_prompt;
    return longest;
}

/* Sample one shard into its place. */
static psw_status sample_shard(const struct psw_sampler *with, int32_t eos, int shard,
                               struct psw_final *f, struct psw_error *err)
{
    int64_t begin, end;
    psw_shard_items(f->n_prompt, with->team->n_shard, shard, &begin, &end);
    if (begin == end) return PSW_OK;
    const struct psw_config_final *c = &with->config->final;
    const struct psw_sample_opts opts = {
        .temperature = c->temperature,
        .top_p = c->top_p,
        .top_k = (int32_t)c->top_k,
        .max_new = (int32_t)f->stride,
        .eos = eos,
        .rng = {.seed = (uint64_t)with->config->seed, .use = PSW_RNG_SAMPLE, .step = 0},
        .first_item = (uint64_t)(begin * f->n_sample)};
    const int64_t at = begin * f->n_sample;
    const struct psw_sample_in in = {.prompt = f->pointer + begin,
                                     .n_prompt = end - begin,
                                     .n_sample = (int32_t)f->n_sample,
                                     .opts = &opts};
    const struct psw_sample_out out = {.token = f->token + at * f->stride,
                                       .n_token = f->n_token + at};
    return psw_model_sample(with->model, with->exec, with->param, &in, &out, err);
}

/* Every rank gets the tokens of all shards. Ranks own equal, consecutive runs of shards. */
static void share(const struct psw_team *team, struct psw_final *f)
{
    if (team->size == 1) return;
    for (int r = 0; r < team->size; r++) {
        int64_t begin, end, unused;
        const int n_local = team->n_shard / team->size;
        psw_shard_items(f->n_prompt, team->n_shard, r * n_local, &begin, &unused);
        psw_shard_items(f->n_prompt, team->n_shard, (r + 1) * n_local - 1, &unused, &end);
        const int64_t at = begin * f->n_sample, n = (end - begin) * f->n_sample;
        PSW_MPI(MPI_Bcast(f->n_token + at, psw_int_cast(n), MPI_INT32_T, r, team->comm));
        PSW_MPI(MPI_Bcast(f->token + at * f->stride, psw_int_cast(n * f->stride), MPI_INT32_T,
                          r, team->comm));
    }
}

static void attach(struct psw_final *f)
{
    for (int64_t i = 0; i < f->n_prompt; i++) {
        struct psw_example *e = &f->example[i];
        e->n_seq = (int32_t)f->n_sample;
        for (int64_t k = 0; k < f->n_sample; k++) {
            const int64_t q = i * f->n_sample + k;
            e->response[k] = f->token + q * f->stride;
            e->n_response[k] = f->n_token[q];
        }
    }
}

/* Sizes, prompts and memory; no sampling yet. */
static psw_status prepare(const struct psw_config *config, const struct psw_dataset *data,
                          struct psw_final *f, struct psw_error *err)
{
    const struct psw_examples *from = &data->prompts_heldout;
    *f = (struct psw_final){.n_prompt = config->final.prompts,
                            .n_sample = config->final.samples};
    if (f->n_prompt > from->n) f->n_prompt = from->n;
    if (f->n_prompt < 1)
        return psw_fail(err, PSW_EINVAL,
                        "the data has no held-out prompt to respond to; give "
                        "data.heldout a file");
    f->n_seq = f->n_prompt * f->n_sample;
    const int64_t room = config->model.context - longest_prompt(from->item, f->n_prompt);
    f->stride =
        config->final.max_new && config->final.max_new < room ? config->final.max_new : room;
    if (f->stride < 1)
        return psw_fail(err, PSW_EINVAL,
                        "a held-out prompt fills the context of %lld tokens; lower "
                        "data.max_prompt or raise model.context",
                        (long long)config->model.context);
    psw_status rc = allocate(f, err);
    for (int64_t i = 0; rc == PSW_OK && i < f->n_prompt; i++) {
        f->example[i] = from->item[i];
        f->example[i].n_seq = 0;
        f->pointer[i] = &f->example[i];
    }
    return rc;
}

psw_status psw_final_bound(const struct psw_config *config, const struct psw_dataset *data,
                           struct psw_final *out, struct psw_error *err)
{
    psw_status rc = prepare(config, data, out, err);
    if (rc != PSW_OK) return rc;
    for (int64_t q = 0; q < out->n_seq; q++) out->n_token[q] = (int32_t)out->stride;
    attach(out);
    return PSW_OK;
}

psw_status psw_final_sample(const struct psw_sampler *with, const struct psw_dataset *data,
                            struct psw_final *out, struct psw_error *err)
{
    struct psw_final f;
    const struct psw_team *team = with->team;
    psw_status rc = psw_agree(team->comm, prepare(with->config, data, &f, err), err);
    if (rc != PSW_OK) {
        psw_final_clear(&f);
        return rc;
    }
    for (int s = team->shard_begin; s < team->shard_end && rc == PSW_OK; s++)
        rc = sample_shard(with, data->eos, s, &f, err);
    if ((rc = psw_agree(team->comm, rc, err)) != PSW_OK) {
        psw_final_clear(&f);
        return rc;
    }
    share(team, &f);
    attach(&f);
    *out = f;
    return PSW_OK;
}

psw_status psw_final_scratch(const struct psw_model *model, const struct psw_final *bound,
                             int n_shard, size_t *n_bytes, struct psw_error *err)
{
    struct psw_sample_shape shape = {.max_prompt =
                                         longest_prompt(bound->example, bound->n_prompt),
                                     .max_new = bound->stride};
    for (int s = 0; s < n_shard; s++) {
        int64_t begin, end;
        psw_shard_items(bound->n_prompt, n_shard, s, &begin, &end);
        if ((end - begin) * bound->n_sample > shape.n_seq)
            shape.n_seq = (end - begin) * bound->n_sample;
    }
    return psw_model_sample_bytes(model, &shape, n_bytes, err);
}

void psw_final_scores(const struct psw_final *final, const struct psw_dataset *data,
                      double *out)
{
    for (int64_t q = 0; q < final->n_seq; q++) {
        const struct psw_example *e = &final->example[q / final->n_sample];
        out[q] = psw_dataset_score(data, e->prompt, e->n_prompt,
                                   final->token + q * final->stride, final->n_token[q]);
    }
}

psw_status psw_final_measure(const struct psw_final *final, const struct psw_dataset *data,
                             struct psw_final_quality *out, struct psw_error *err)
{
    struct psw_final_quality q = {0};
    double *score = calloc((size_t) final->n_seq, sizeof *score);
    if (!score) return psw_fail(err, PSW_ENOMEM, "final responses: scores");
    psw_final_scores(final, data, score);
    for (int64_t i = 0; i < final->n_seq; i++) {
        const int32_t n = final->n_token[i];
        q.score += score[i];
        q.length_tok += n;
        q.eos_rate += final->token[i * final->stride + n - 1] == data->eos;
    }
    free(score);
    q.score /= (double) final->n_seq;
    q.length_tok /= (double) final->n_seq;
    q.eos_rate /= (double) final->n_seq;
    const struct psw_token_block block = {.token = final->token,
                                          .n_token = final->n_token,
                                          .n_seq = final->n_seq,
                                          .stride = final->stride};
    psw_status rc = psw_distinct_n(&block, 1, &q.distinct_1, err);
    if (rc == PSW_OK) rc = psw_distinct_n(&block, 2, &q.distinct_2, err);
    /* Hardly any ending, or nearly every bigram a repetition of a few. */
    q.degenerate = q.eos_rate < 0.5 || !(q.distinct_2 > 0.005);
    if (rc == PSW_OK) *out = q;
    return rc;
}
