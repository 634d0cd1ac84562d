/* Sampling by a team: each rank samples the prompts of its own shards, then everyone gets all
 * tokens. A response that broke off without EOS stays as it is: its last token is a target like
 * any other. */
#include <posweep/comm/agree.h>
#include <posweep/parallel/responses.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <stdlib.h>
#include <string.h>

psw_status psw_responses_init(int64_t n_prompt, int64_t n_sample, int64_t stride,
                              struct psw_responses *out, struct psw_error *err)
{
    struct psw_responses r = {.n_prompt = n_prompt,
                              .n_sample = n_sample,
                              .n_seq = n_prompt * n_sample,
                              .stride = stride};
    PSW_ASSERT(n_sample >= 1 && n_sample <= PSW_EXAMPLE_SEQS);
    r.token = calloc((size_t)(r.n_seq * r.stride), sizeof *r.token);
    r.n_token = calloc((size_t)r.n_seq, sizeof *r.n_token);
    r.example = calloc((size_t)r.n_prompt, sizeof *r.example);
    r.pointer = calloc((size_t)r.n_prompt, sizeof *r.pointer);
    if (r.token && r.n_token && r.example && r.pointer) {
        for (int64_t i = 0; i < n_prompt; i++) r.pointer[i] = &r.example[i];
        *out = r;
        return PSW_OK;
    }
    psw_responses_clear(&r);
    return psw_fail(err, PSW_ENOMEM, "responses: %lld x %lld tokens", (long long)n_prompt,
                    (long long)(n_sample * stride));
}

void psw_responses_clear(struct psw_responses *r)
{
    free(r->token);
    free(r->n_token);
    free(r->example);
    free(r->pointer);
    *r = (struct psw_responses){0};
}

void psw_responses_set_prompts(struct psw_responses *r, const struct psw_example *const *prompt)
{
    for (int64_t i = 0; i < r->n_prompt; i++) {
        r->example[i] = *prompt[i];
        r->example[i].n_seq = 0;
    }
}

static int64_t longest_prompt(const struct psw_example *const *prompt, int64_t n)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < n; i++)
        if (prompt[i]->n_prompt > longest) longest = prompt[i]->n_prompt;
    return longest;
}

int64_t psw_responses_limit(const struct psw_example *const *prompt, int64_t n_prompt,
                            int64_t context, int64_t most)
{
    const int64_t room = context - longest_prompt(prompt, n_prompt);
    return most && most < room ? most : room > 0 ? room : 0;
}

void psw_responses_attach(struct psw_responses *r)
{
    for (int64_t i = 0; i < r->n_prompt; i++) {
        struct psw_example *e = &r->example[i];
        e->n_seq = (int32_t)r->n_sample;
        for (int64_t k = 0; k < r->n_sample; k++) {
            const int64_t q = i * r->n_sample + k;
            e->response[k] = r->token + q * r->stride;
            e->n_response[k] = r->n_token[q];
        }
    }
}

void psw_responses_bound(struct psw_responses *r)
{
    for (int64_t q = 0; q < r->n_seq; q++) r->n_token[q] = (int32_t)r->stride;
    psw_responses_attach(r);
}

/* All ranks ask together whether to stop, as often as the one that takes longest: who has
 * sampled its shards goes on asking until everybody has. */
struct vote {
    const struct psw_sampler *with;
    int all_done, is_stopped;
};

static void ask(struct vote *v, int is_done)
{
    const struct psw_sample_stop *stop = &v->with->stop;
    const struct psw_team *team = v->with->team;
    v->all_done = is_done;
    if (team->size > 1)
        PSW_MPI(MPI_Allreduce(&is_done, &v->all_done, 1, MPI_INT, MPI_MIN, team->comm));
    if (!v->all_done) v->is_stopped = stop->is_wanted(stop->ctx);
}

static int is_stopped(void *ctx)
{
    struct vote *v = ctx;
    ask(v, 0);
    return v->is_stopped;
}

/* Sample the prompts of a shard into their place. */
static psw_status sample_prompts(const struct psw_sampler *with,
                                 const struct psw_sample_opts *opts, int shard,
                                 struct vote *vote, struct psw_responses *r,
                                 struct psw_error *err)
{
    int64_t begin, end;
    psw_shard_items(r->n_prompt, with->team->n_shard, shard, &begin, &end);
    if (begin == end) return PSW_OK;
    const int64_t at = begin * r->n_sample;
    struct psw_sample_opts own = *opts;
    own.max_new = (int32_t)r->stride;
    own.first_item += (uint64_t)at;
    const struct psw_sample_in in = {.prompt = r->pointer + begin,
                                     .n_prompt = end - begin,
                                     .n_sample = (int32_t)r->n_sample,
                                     .opts = &own,
                                     .stop = {with->stop.is_wanted ? is_stopped : NULL, vote}};
    const struct psw_sample_out out = {.token = r->token + at * r->stride,
                                       .n_token = r->n_token + at};
    return psw_model_sample(with->model, with->exec, with->param, &in, &out, err);
}

static psw_status sample_shard(const struct psw_sampler *with,
                               const struct psw_sample_opts *opts, int shard, struct vote *vote,
                               struct psw_responses *r, struct psw_error *err)
{
    const struct psw_shard_keeper *keeper = &with->keeper;
    if (keeper->has && keeper->has(keeper->ctx, shard)) return PSW_OK;
    const psw_status rc = sample_prompts(with, opts, shard, vote, r, err);
    if (rc == PSW_OK && keeper->done) keeper->done(keeper->ctx, shard);
    return rc;
}

/* Every rank gets the tokens of all shards. Ranks own equal, consecutive runs of shards. */
static void share(const struct psw_team *team, struct psw_responses *r)
{
    if (team->size == 1) return;
    for (int k = 0; k < team->size; k++) {
        int64_t begin, end, unused;
        const int n_local = team->n_shard / team->size;
        psw_shard_items(r->n_prompt, team->n_shard, k * n_local, &begin, &unused);
        psw_shard_items(r->n_prompt, team->n_shard, (k + 1) * n_local - 1, &unused, &end);
        const int64_t at = begin * r->n_sample, n = (end - begin) * r->n_sample;
        PSW_MPI(MPI_Bcast(r->n_token + at, psw_int_cast(n), MPI_INT32_T, k, team->comm));
        PSW_MPI(MPI_Bcast(r->token + at * r->stride, psw_int_cast(n * r->stride), MPI_INT32_T,
                          k, team->comm));
    }
}

psw_status psw_responses_sample(const struct psw_sampler *with,
                                const struct psw_sample_opts *opts, struct psw_responses *r,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct vote vote = {.with = with};
    const struct psw_team *team = with->team;
    PSW_CHECK_SAME(team->comm, r->n_seq);
    PSW_CHECK_SAME(team->comm, r->stride);
    for (int s = team->shard_begin; s < team->shard_end && rc == PSW_OK; s++)
        rc = sample_shard(with, opts, s, &vote, r, err);
    while (with->stop.is_wanted && !vote.all_done && !vote.is_stopped) ask(&vote, 1);
    if (rc == PSW_OK && vote.is_stopped)
        rc = psw_fail(err, PSW_ESTOP, "stopped in the sampling of %lld responses",
                      (long long)r->n_seq);
    if ((rc = psw_agree(team->comm, rc, err)) != PSW_OK) return rc;
    share(team, r);
    psw_responses_attach(r);
    return PSW_OK;
}

void psw_responses_layout(const struct psw_sampler *with, const struct psw_responses *r,
                          struct psw_arena *arena)
{
    const int n_shard = with->team->n_shard;
    struct psw_sample_shape shape = {.max_prompt = longest_prompt(r->pointer, r->n_prompt),
                                     .max_new = r->stride,
                                     .backend = with->exec->backend};
    for (int s = 0; s < n_shard; s++) {
        int64_t begin, end;
        psw_shard_items(r->n_prompt, n_shard, s, &begin, &end);
        shape.n_seq = psw_max(shape.n_seq, (end - begin) * r->n_sample);
    }
    psw_model_sample_layout(with->model, &shape, arena);
}
