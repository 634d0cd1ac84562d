/* Training on given pairs; the probe of the trace is a fixed choice of them. */
#include "heldout.h"
#include "policy_internal.h"

#include <posweep/objective/metrics.h>
#include <posweep/optim/divergence.h>
#include <posweep/stage/pair_step.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is logged of a step, by the names of the schema. */
enum metric {
    LOSS,
    MARGIN,
    ACCURACY,
    REWARD_CHOSEN,
    REWARD_REJECTED,
    LOGP_CHOSEN,
    LOGP_REJECTED,
    OMEGA,
    GRAD_NORM,
    PARAM_NORM,
    LR,
    TOKENS_PER_S,
    N_METRIC
};
static const char *const METRICS[N_METRIC + 1] = {
    [LOSS] = "train_loss",
    [MARGIN] = "reward_margin",
    [ACCURACY] = "reward_accuracy",
    [REWARD_CHOSEN] = "reward_chosen",
    [REWARD_REJECTED] = "reward_rejected",
    [LOGP_CHOSEN] = "logp_chosen",
    [LOGP_REJECTED] = "logp_rejected",
    [OMEGA] = "train_omega",
    [GRAD_NORM] = "grad_norm",
    [PARAM_NORM] = "param_norm",
    [LR] = "lr",
    [TOKENS_PER_S] = "tokens_per_s",
};

/* Everything of the kind. */
struct pairs {
    struct psw_pair_step step;
    struct psw_ref ref; /* owned: ref.train */
    int64_t *index;     /* [batch] owned */

    /* of the trace */
    int64_t *probe_at;     /* [probe.n] owned: in the list that trace.probe_from names */
    struct psw_picked set; /* owned: probe, heldout, chosen one after the other */
    double *set_ref;       /* owned: probe, heldout */
    struct psw_trace_set probe, heldout, chosen;
};

/* Choose the pairs of the trace. */
static psw_status trace_sets(const struct psw_policy *p, struct pairs *s, struct psw_error *err)
{
    const struct psw_config *c = p->work->stage->config;
    const struct psw_dataset *data = p->work->stage->data;
    const struct psw_examples *from =
        c->trace.probe_from == PSW_PROBE_HELDOUT ? &data->pairs_heldout : &data->pairs;
    const int64_t n_heldout = psw_min(data->pairs_heldout.n, c->trace.probe);
    const int64_t n_chosen = psw_min(data->pairs_heldout.n, c->final.prompts);
    psw_status rc = PSW_OK;
    s->probe_at = calloc((size_t)c->trace.probe + 1, sizeof *s->probe_at);
    s->set_ref = calloc(2 * (size_t)(c->trace.probe + n_heldout) + 1, sizeof *s->set_ref);
    PSW_TRY(psw_picked_init(&s->set, c->trace.probe + n_heldout + n_chosen, err));
    if (!s->probe_at || !s->set_ref)
        PSW_TRY(
            psw_fail(err, PSW_ENOMEM, "trace: probe of %lld pairs", (long long)c->trace.probe));
    const int64_t n_probe = psw_dataset_probe(data, c->trace.probe_from, (uint64_t)c->seed,
                                              c->trace.probe, s->probe_at);
    if (n_probe < 1)
        PSW_TRY(psw_fail(err, PSW_EINVAL, "trace.probe_from: the data has no such pairs"));
    psw_picked_put(&s->set, 0, from, s->probe_at, n_probe);
    psw_picked_put_block(&s->set, n_probe, &data->pairs_heldout, 0, n_heldout);
    psw_picked_put_block(&s->set, n_probe + n_heldout, &data->pairs_heldout, 0, n_chosen);
    s->probe = (struct psw_trace_set){s->set.at, n_probe};
    s->heldout = (struct psw_trace_set){s->set.at + n_probe, n_heldout};
    s->chosen = (struct psw_trace_set){s->set.at + n_probe + n_heldout, n_chosen};
fail:
    return rc;
}

static psw_status open(struct psw_policy *p, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct pairs *s = calloc(1, sizeof *s);
    if (!s) return psw_fail(err, PSW_ENOMEM, "policy: no memory");
    p->own = s;
    if (p->work->stage->data->pairs.n < 1)
        return psw_fail(err, PSW_EINVAL,
                        "the data has no preference pairs to train %s on; use grpo, dapo or "
                        "ppo, or give data.pairs a file",
                        psw_config_method(p->work->stage->config));
    PSW_TRY(psw_pair_step_init(p->work->stage->config, &p->trainer, &s->step, err));
    s->index = calloc((size_t)p->work->stage->config->policy.train.batch, sizeof *s->index);
    if (!s->index) PSW_TRY(psw_fail(err, PSW_ENOMEM, "policy: no memory"));
    PSW_TRY(trace_sets(p, s, err));
fail:
    return rc;
}

static void close(struct psw_policy *p)
{
    struct pairs *s = p->own;
    if (!s) return;
    psw_pair_step_clear(&s->step);
    free(s->index);
    free(s->probe_at);
    psw_picked_clear(&s->set);
    free(s->set_ref);
    free(s->ref.train);
    free(s);
    p->own = NULL;
}

/* The reference log-probabilities, and those of the trace's pairs. */
static psw_status start(void *ctx, struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct pairs *s = p->own;
    const psw_status rc = psw_ref_load(p->work, &s->ref, err);
    if (rc != PSW_OK) return rc;
    const double *from = p->work->stage->config->trace.probe_from == PSW_PROBE_HELDOUT
                             ? s->ref.heldout
                             : s->ref.train;
    for (int64_t i = 0; i < s->probe.n; i++)
        memcpy(s->set_ref + 2 * i, from + 2 * s->probe_at[i], 2 * sizeof *from);
    memcpy(s->set_ref + 2 * s->probe.n, s->ref.heldout,
           2 * sizeof *from * (size_t)s->heldout.n);
    return PSW_OK;
}

/* Choose the pairs of a step. */
static void choose(struct psw_policy *p, int64_t step)
{
    struct pairs *s = p->own;
    const struct psw_examples *pairs = &p->work->stage->data->pairs;
    const int64_t n = p->work->stage->config->policy.train.batch;
    psw_data_order((uint64_t)p->work->stage->config->seed, PSW_STAGE_POLICY, pairs->n, step, n,
                   s->index);
    psw_picked_put(&s->step.picked, 0, pairs, s->index, n);
}

/* The same, and what is known of them. */
static void pick(struct psw_policy *p, int64_t step)
{
    struct pairs *s = p->own;
    choose(p, step);
    for (int64_t i = 0; i < s->step.n_pair; i++) {
        const struct psw_example *e = s->step.picked.at[i];
        s->step.is_equal[i] = (uint8_t)psw_response_equal(e, 0, e, 1);
        for (int k = 0; k < 2; k++) {
            s->step.n_tok[2 * i + k] = e->n_response[k];
            if (s->ref.train) s->step.ref[2 * i + k] = s->ref.train[2 * s->index[i] + k];
        }
    }
}

/* Whether the policy still says what it is taught to say, or anything. */
static psw_status check_chosen(const struct psw_trainer *t, int64_t step,
                               const struct psw_pair_in *in, struct psw_error *err)
{
    double sum = 0, n_tok = 0;
    for (int64_t i = 0; i < in->n_pair; i++) {
        sum -= in->logp[2 * i + PSW_CHOSEN];
        n_tok += (double)in->n_tok[2 * i + PSW_CHOSEN];
    }
    return psw_divergence_check(PSW_DIVERGED_CHOSEN, sum / n_tok,
                                log((double)psw_model_dims(t->model)->n_vocab),
                                (struct psw_divergence_at){step, t->train->lr}, err);
}

static psw_status step(void *ctx, int64_t at, double *metric, double *n_tok,
                       struct psw_error *err)
{
    struct psw_policy *p = ctx;
    struct pairs *s = p->own;
    struct psw_step_info info = {NAN, NAN, NAN};
    int64_t n_tok_local = 0;
    pick(p, at);
    psw_status rc = psw_pair_step_gradient(&s->step, at, p->trainer.arena, &n_tok_local, err);
    if (rc != PSW_OK) return rc;
    const struct psw_pair_in in = psw_pair_step_batch(&s->step);
    const struct psw_pair_metrics m = psw_pair_metrics_of(&s->step.opts, &in, &s->step.out);
    metric[LOSS] = m.loss;
    metric[MARGIN] = m.margin;
    metric[ACCURACY] = m.accuracy;
    metric[REWARD_CHOSEN] = m.reward_chosen;
    metric[REWARD_REJECTED] = m.reward_rejected;
    metric[LOGP_CHOSEN] = m.logp_chosen;
    metric[LOGP_REJECTED] = m.logp_rejected;
    metric[OMEGA] = m.omega;
    *n_tok = (double)(n_tok_local * p->trainer.team.size);
    rc = check_chosen(&p->trainer, at, &in, err);
    if (rc == PSW_OK) rc = psw_trainer_update(&p->trainer, &info, err);
    metric[GRAD_NORM] = info.grad_norm;
    metric[PARAM_NORM] = info.param_norm;
    metric[LR] = info.lr;
    return rc;
}

/* The held-out pairs that the end is judged by. */
static struct psw_heldout heldout_of(const struct psw_policy *p)
{
    const struct pairs *s = p->own;
    const struct psw_config *c = p->work->stage->config;
    const struct psw_examples *all = &p->work->stage->data->pairs_heldout;
    return (struct psw_heldout){.list = all,
                                .ref = s->ref.heldout,
                                .n_pair =
                                    c->eval.pairs ? psw_min(c->eval.pairs, all->n) : all->n,
                                .opts = s->step.opts,
                                .temperature = c->policy.temperature,
                                .share_prefix = c->policy.share_prefix};
}

static void layout(struct psw_policy *p, struct psw_arena *arena)
{
    const struct psw_stage *stage = p->work->stage;
    psw_trainer_init(&p->trainer, stage->model, &stage->config->policy.train, &p->work->team,
                     psw_stage_exec(p->work, arena));
}

/* A step with the pairs that are chosen; at: as psw_pair_step_gradient has it. */
static void walk_step(struct pairs *s, int64_t at, struct psw_arena *arena)
{
    const psw_status rc = psw_pair_step_gradient(&s->step, at, arena, NULL, NULL);
    (void)rc; /* nothing is computed, nothing can fail */
}

static void walk(struct psw_policy *p, struct psw_arena *arena)
{
    struct pairs *s = p->own;
    const struct psw_config_train *train = &p->work->stage->config->policy.train;
    const struct psw_examples *pairs = &p->work->stage->data->pairs;
    const int64_t n_step = psw_stage_walks_steps(train) ? train->steps : 0;
    for (int64_t at = 0; at < n_step; at++) {
        choose(p, at);
        walk_step(s, at, arena);
    }
    if (n_step < train->steps) {
        psw_stage_put_longest(pairs, pairs->n, train, &s->step.picked);
        walk_step(s, -1, arena);
    }
    const struct psw_heldout heldout = heldout_of(p);
    psw_heldout_layout(&heldout, &p->trainer, arena);
}

static psw_status probe(struct psw_policy *p, int64_t checkpoint, struct psw_tracer *tracer,
                        struct psw_error *err)
{
    const struct pairs *s = p->own;
    (void)checkpoint, (void)err;
    tracer->pairs.opts = s->step.opts;
    tracer->how.share_prefix = p->work->stage->config->policy.share_prefix;
    tracer->probe = s->probe;
    tracer->pairs.ref = s->set_ref;
    tracer->pairs.heldout = s->heldout;
    tracer->pairs.heldout_ref = s->set_ref + 2 * s->probe.n;
    tracer->chosen = s->chosen;
    return PSW_OK;
}

/* Of the held-out chosen responses under the SFT model, per token. The references are taken at
 * the policy's temperature. */
static double sft_loss_of(const struct psw_policy *p)
{
    double sum = 0, n_tok = 0;
    const struct pairs *s = p->own;
    const struct psw_examples *pairs = &p->work->stage->data->pairs_heldout;
    if (!s->ref.heldout || p->work->stage->config->policy.temperature != 1) return NAN;
    for (int64_t i = 0; i < pairs->n; i++) {
        sum -= s->ref.heldout[2 * i + PSW_CHOSEN];
        n_tok += psw_examples_at(pairs, i).n_response[PSW_CHOSEN];
    }
    return sum / n_tok;
}

static psw_status end(struct psw_policy *p, struct psw_policy_end *to, struct psw_error *err)
{
    struct psw_pair_metrics m = {0};
    const struct psw_heldout what = heldout_of(p);
    psw_status rc =
        psw_policy_load_checkpoint(p, p->work->stage->config->policy.train.steps, err);
    if (rc == PSW_OK) rc = psw_heldout_measure(&what, &p->trainer, &m, err);
    if (rc != PSW_OK) return rc;
    to->heldout = (struct psw_heldout_end){.n = what.n_pair,
                                           .loss = m.loss,
                                           .accuracy = m.accuracy,
                                           .tie = m.tie,
                                           .sft_loss = sft_loss_of(p)};
    return PSW_OK;
}

static const char *const FILES[][2] = {{"ckpt", "state"}, {NULL}};

const struct psw_policy_kind PSW_POLICY_PAIRS = {.metric = METRICS,
                                                 .file = FILES,
                                                 .loop = {.start = start, .step = step},
                                                 .open = open,
                                                 .close = close,
                                                 .layout = layout,
                                                 .walk = walk,
                                                 .probe = probe,
                                                 .end = end};
