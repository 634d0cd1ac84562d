/* One training step on pairs: forward over all shards, log-probabilities of every pair gathered
 * in item order, weights of the whole batch on every rank, backward over all shards. */
#include <posweep/stage/pair_step.h>

#include <posweep/objective/intervene.h>

#include <stdlib.h>

static void *take(char **at, int64_t n)
{
    void *p = *at;
    *at += 8 * n;
    return p;
}

psw_status psw_pair_step_init(const struct psw_config *config, struct psw_trainer *trainer,
                              struct psw_pair_step *s, struct psw_error *err)
{
    const int64_t n = config->policy.train.batch;
    *s = (struct psw_pair_step){
        .config = config, .trainer = trainer, .opts = psw_pair_opts_of(config), .n_pair = n};
    char *block = calloc(17 * (size_t)n + 1, 8);
    s->ref = (double *)block;
    if (!block || psw_picked_init(&s->picked, n, NULL) != PSW_OK) {
        psw_pair_step_clear(s);
        return psw_fail(err, PSW_ENOMEM, "policy: batch of %lld pairs", (long long)n);
    }
    char *at = block;
    s->ref = take(&at, 2 * n);
    s->logp = take(&at, 2 * n);
    s->seq_weight = take(&at, 2 * n);
    s->n_tok = take(&at, 2 * n);
    s->order = take(&at, n);
    s->is_equal = take(&at, n);
    s->out = (struct psw_pair_out){.loss = take(&at, n),
                                   .nll = take(&at, n),
                                   .omega = take(&at, n),
                                   .weight = take(&at, 2 * n),
                                   .score = take(&at, 2 * n)};
    return PSW_OK;
}

void psw_pair_step_clear(struct psw_pair_step *s)
{
    free(s->ref);
    psw_picked_clear(&s->picked);
    *s = (struct psw_pair_step){0};
}

struct psw_pair_in psw_pair_step_batch(const struct psw_pair_step *s)
{
    return (struct psw_pair_in){.n_pair = s->n_pair,
                                .logp = s->logp,
                                .ref = s->ref,
                                .n_tok = s->n_tok,
                                .is_equal = s->is_equal};
}

/* Log-probabilities -> weight per token of every response, for the mean over the batch. */
static psw_status weigh(struct psw_pair_step *s, int64_t step, struct psw_error *err)
{
    const int64_t n = s->n_pair;
    const struct psw_pair_in in = psw_pair_step_batch(s);
    psw_status rc = psw_objective_pairwise(&s->opts, &in, &s->out, err);
    if (rc != PSW_OK) return rc;
    psw_intervene(&s->config->policy, step, &s->opts, &in, &s->out, s->order);
    for (int64_t i = 0; i < n; i++) {
        s->seq_weight[2 * i] = (s->out.weight[2 * i] + s->out.nll[i]) / (double)n;
        s->seq_weight[2 * i + 1] = s->out.weight[2 * i + 1] / (double)n;
    }
    return PSW_OK;
}

psw_status psw_pair_step_gradient(struct psw_pair_step *s, int64_t step,
                                  struct psw_arena *arena, int64_t *n_tok_local,
                                  struct psw_error *err)
{
    struct psw_trainer *t = s->trainer;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = t->model,
                              .team = &t->team,
                              .exec = &t->exec,
                              .arena = arena,
                              .opts = {.share_prefix = s->config->policy.share_prefix,
                                       .covers_smaller = step < 0,
                                       .temperature = s->config->policy.temperature}};
    psw_status rc = PSW_OK;
    psw_shards_pack(&pass, s->picked.at, s->n_pair);
    psw_shards_forward(&pass, t->param);
    psw_shards_sum_logp(&pass, s->logp);
    if (!psw_arena_is_measuring(arena)) PSW_TRY(weigh(s, step, err));
    psw_shards_backward(&pass, t->param, s->seq_weight, t->tree);
    if (n_tok_local) *n_tok_local = pass.local.n_tok;
fail:
    psw_arena_rewind(arena, mark);
    return rc;
}
