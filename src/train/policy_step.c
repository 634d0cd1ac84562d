/* One optimiser step of a pairwise objective: forward over all shards, log-probabilities of
 * every pair gathered in item order, weights of the whole batch on every rank, backward over
 * all shards. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t *take_i64(char **at, int64_t n)
{
    int64_t *p = (int64_t *)*at;
    *at += sizeof *p * (size_t)n;
    return p;
}

static double *take_f64(char **at, int64_t n)
{
    return (double *)take_i64(at, n);
}

psw_status psw_policy_init(struct psw_policy *p, const struct psw_stage *stage,
                           struct psw_error *err)
{
    const struct psw_config *c = stage->config;
    *p =
        (struct psw_policy){.stage = stage,
                            .train = &c->policy.train,
                            .opts = psw_pair_opts_of(c),
                            .n_log = (c->policy.train.steps + c->log.every - 1) / c->log.every};
    const int64_t n = p->train->batch;
    char *block = calloc(17 * (size_t)n + 1, 8);
    p->a.picked = calloc((size_t)n, sizeof *p->a.picked);
    p->log = calloc(PSW_N_LOG * (size_t)p->n_log + 1, sizeof *p->log);
    p->a.ref = (double *)block;
    if (!block || !p->a.picked || !p->log) {
        psw_policy_clear(p);
        return psw_fail(err, PSW_ENOMEM, "policy: batch of %lld pairs", (long long)n);
    }
    char *at = block;
    p->a.ref = take_f64(&at, 2 * n);
    p->a.logp = take_f64(&at, 2 * n);
    p->a.seq_weight = take_f64(&at, 2 * n);
    p->a.n_tok = take_i64(&at, 2 * n);
    p->a.index = take_i64(&at, n);
    p->a.order = take_i64(&at, n);
    p->a.out = (struct psw_pair_out){.loss = take_f64(&at, n),
                                     .nll = take_f64(&at, n),
                                     .omega = take_f64(&at, n),
                                     .weight = take_f64(&at, 2 * n),
                                     .score = take_f64(&at, 2 * n)};
    return PSW_OK;
}

void psw_policy_clear(struct psw_policy *p)
{
    free(p->a.ref);
    free(p->a.picked);
    free(p->log);
    free(p->ref.train);
}

void psw_policy_pick(struct psw_policy *p, int64_t step)
{
    const struct psw_examples *pairs = &p->stage->data->pairs;
    const int64_t n = p->train->batch;
    psw_data_order((uint64_t)p->stage->config->seed, PSW_STAGE_POLICY, pairs->n, step, n,
                   p->a.index);
    psw_stage_pick(pairs, p->a.index, n, p->a.picked);
    for (int64_t i = 0; i < n; i++)
        for (int s = 0; s < 2; s++) {
            p->a.n_tok[2 * i + s] = p->a.picked[i]->n_response[s];
            if (p->ref.train) p->a.ref[2 * i + s] = p->ref.train[2 * p->a.index[i] + s];
        }
}

/* Log-probabilities -> weight per token of every response, for the mean over the batch. */
static psw_status weigh(struct psw_policy *p, int64_t step, struct psw_error *err)
{
    const int64_t n = p->train->batch;
    const struct psw_pair_in in = {
        .n_pair = n, .logp = p->a.logp, .ref = p->a.ref, .n_tok = p->a.n_tok};
    psw_status rc = psw_objective_pairwise(&p->opts, &in, &p->a.out, err);
    if (rc != PSW_OK) return rc;
    psw_intervene(&p->stage->config->policy, step, &p->opts, &in, &p->a.out, p->a.order);
    for (int64_t i = 0; i < n; i++) {
        p->a.seq_weight[2 * i] = (p->a.out.weight[2 * i] + p->a.out.nll[i]) / (double)n;
        p->a.seq_weight[2 * i + 1] = p->a.out.weight[2 * i + 1] / (double)n;
    }
    return PSW_OK;
}

psw_status psw_policy_gradient(struct psw_policy *p, int64_t step, struct psw_arena *arena,
                               int64_t *n_tok_local, struct psw_error *err)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = p->stage->model,
                              .team = &p->trainer.team,
                              .exec = &p->trainer.exec,
                              .arena = arena,
                              .opts = {.share_prefix = p->stage->config->policy.share_prefix,
                                       .temperature = p->stage->config->policy.temperature}};
    psw_status rc = PSW_OK;
    psw_shards_pack(&pass, p->a.picked, p->train->batch);
    psw_shards_forward(&pass, p->trainer.param);
    psw_shards_sum_logp(&pass, p->a.logp);
    if (!psw_arena_is_measuring(arena)) PSW_TRY(weigh(p, step, err));
    psw_shards_backward(&pass, p->trainer.param, p->a.seq_weight, p->trainer.tree);
    if (n_tok_local) *n_tok_local = pass.n_tok_local;
fail:
    psw_arena_rewind(arena, mark);
    return rc;
}
