/* Training on the policy's own samples. One step: sample and score, log-probabilities under
 * policy and reference, values (ppo), advantages, interventions; then epochs x minibatches of
 * forward, weights of the minibatch on every rank, backward, update. A checkpoint's rollouts
 * are kept beside it: they are its probe. */
#include "minibatch.h"
#include "policy_internal.h"
#include "rollout_metrics.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rollouts {
    struct psw_onpolicy_opts opts;
    struct psw_rollout r;
    struct psw_minibatch mini;
    double *used; /* [most rows] owned: advantages after the interventions; scratch behind it */
    int64_t *order;
    struct psw_model *value_model; /* owned; NULL: no critic */
    struct psw_config_train critic_train;
    struct psw_trainer critic;       /* of ppo with a critic of its own */
    float *ref;                      /* parameters of the SFT model, in the arena */
    double kl_coef;                  /* in ppo's reward, as it stands */
    struct psw_trace_rollouts probe; /* what the tracer is aimed at */
    int64_t slot;                    /* 0 or 1: which file has the last critic saved */
    struct psw_shards pass;          /* the first update's, forward already done */
    struct psw_arena_mark before;    /* where it begins in the arena */
    int has_pass;
};

static int has_critic(const struct rollouts *s)
{
    return s->value_model && !s->opts.shared_critic;
}

static unsigned want_of(const struct rollouts *s)
{
    return PSW_WANT_LOGP | (s->opts.entropy_coef > 0 ? (unsigned)PSW_WANT_ENTROPY : 0) |
           (s->opts.shared_critic ? (unsigned)PSW_WANT_VALUE : 0);
}

static psw_status open(struct psw_policy *p, struct psw_error *err)
{
    const struct psw_config *c = p->stage->config;
    psw_status rc = PSW_OK;
    struct rollouts *s = calloc(1, sizeof *s);
    if (!s) return psw_fail(err, PSW_ENOMEM, "policy: no memory");
    p->own = s;
    s->opts = psw_onpolicy_opts_of(c);
    s->kl_coef = psw_config_kl_coef(c);
    p->n_update = c->policy.epochs * c->policy.minibatches;
    p->train.steps *= p->n_update;
    p->train.warmup *= p->n_update;
    s->critic_train = p->train;
    if (c->policy.critic_lr > 0) s->critic_train.lr = c->policy.critic_lr;
    if (c->policy.method == PSW_METHOD_PPO)
        PSW_TRY(psw_value_model(p->stage, &s->value_model, err));
    if (s->opts.shared_critic) p->model = s->value_model;
    PSW_TRY(psw_rollout_init(p->stage, &s->r, err));
    PSW_TRY(psw_minibatch_init(c, &s->r, &s->mini, err));
    s->used = calloc(2 * (size_t)s->r.n_most_row, sizeof *s->used);
    s->order = calloc((size_t)s->r.n_most_row, sizeof *s->order);
    if (!s->used || !s->order) rc = psw_fail(err, PSW_ENOMEM, "rollouts: advantages");
fail:
    return rc;
}

static void close(struct psw_policy *p)
{
    struct rollouts *s = p->own;
    if (!s) return;
    psw_rollout_clear(&s->r);
    psw_minibatch_clear(&s->mini);
    free(s->used);
    free(s->order);
    psw_model_destroy(s->value_model);
    free(s);
    p->own = NULL;
}

static void layout(struct psw_policy *p, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    s->ref = psw_arena_f32(arena, psw_model_n_param(p->stage->model));
    if (!has_critic(s)) return;
    psw_trainer_init(&s->critic, s->value_model, &s->critic_train, &p->team, arena);
    s->critic.per_step = p->n_update;
}

static psw_status load_fixed(struct psw_policy *p, struct psw_error *err)
{
    struct rollouts *s = p->own;
    psw_status rc = psw_load_sft(p->stage, &p->team, s->ref, err);
    if (rc == PSW_OK) rc = psw_scorer_load(&p->reward, &p->team, NULL, err);
    return rc;
}

/* A critic of its own starts from the reward model where there is one, else from the SFT model
 * with a head of zeros; so does the head of a shared one, whose trunk knows no rewards yet. */
static psw_status start(struct psw_policy *p, struct psw_error *err)
{
    struct rollouts *s = p->own;
    const int64_t n_base = psw_model_n_param(p->stage->model);
    if (!s->value_model) return PSW_OK;
    const int64_t n_all = psw_model_n_param(s->value_model);
    float *param = has_critic(s) ? s->critic.param : p->trainer.param;
    memset(param + n_base, 0, sizeof *param * (size_t)(n_all - n_base));
    if (!has_critic(s)) return PSW_OK;
    psw_status rc = PSW_OK;
    if (!p->reward.param || p->stage->config->reward.source != PSW_REWARD_MODEL)
        rc = psw_load_sft(p->stage, &p->team, param, err);
    else
        memcpy(param, p->reward.param, sizeof *param * (size_t)n_all);
    if (rc == PSW_OK) psw_trainer_begin(&s->critic);
    return rc;
}

static struct psw_shards pass_of(struct psw_policy *p, const struct psw_model *model,
                                 unsigned want, struct psw_arena *arena)
{
    return (struct psw_shards){.model = model,
                               .team = &p->team,
                               .exec = &p->trainer.exec,
                               .arena = arena,
                               .opts = {.share_prefix = 1,
                                        .temperature = p->stage->config->policy.temperature,
                                        .want = want}};
}

/* Add the time since *since_s to a part. */
static void lap(struct psw_policy *p, enum psw_policy_part part, double *since_s)
{
    const double now_s = psw_clock_s();
    p->part_s[part] += now_s - *since_s;
    *since_s = now_s;
}

/* what: log-probabilities, entropies, values; NULL where not wanted. */
static void gather(struct psw_shards *pass, double *const what[3])
{
    static const enum psw_row_value ROWS[3] = {PSW_ROW_LOGP, PSW_ROW_ENTROPY, PSW_ROW_VALUE};
    for (int i = 0; i < 3; i++)
        if (what[i]) psw_shards_gather(pass, ROWS[i], what[i]);
}

/* Rows of all rollouts without keeping activations. */
static int64_t evaluate(struct psw_policy *p, struct psw_shards pass, const float *param,
                        double *const what[3])
{
    const struct psw_responses *r = &((struct rollouts *)p->own)->r.responses;
    const struct psw_arena_mark mark = psw_arena_mark(pass.arena);
    psw_shards_pack(&pass, r->pointer, r->n_prompt);
    psw_shards_evaluate(&pass, param);
    gather(&pass, what);
    psw_arena_rewind(pass.arena, mark);
    return pass.n_tok_local;
}

/* What reference and critic say of the rollouts. */
static int64_t evaluate_others(struct psw_policy *p, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    struct psw_rollout *r = &s->r;
    double since_s = psw_clock_s();
    int64_t n_tok = evaluate(p, pass_of(p, p->stage->model, PSW_WANT_LOGP, arena), s->ref,
                             (double *const[3]){r->ref, NULL, NULL});
    lap(p, PSW_PART_REFERENCE, &since_s);
    if (has_critic(s))
        n_tok += evaluate(p, pass_of(p, s->value_model, PSW_WANT_VALUE, arena), s->critic.param,
                          (double *const[3]){NULL, NULL, r->value});
    lap(p, PSW_PART_VALUE, &since_s);
    return n_tok;
}

/* The policy's forward pass, kept for its backward. */
static int64_t go_forward(struct psw_policy *p, const struct psw_example *const *item,
                          int64_t n_item, unsigned want, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    double since_s = psw_clock_s();
    s->before = psw_arena_mark(arena);
    s->has_pass = 1;
    s->pass = pass_of(p, p->model, want, arena);
    psw_shards_pack(&s->pass, item, n_item);
    psw_shards_forward(&s->pass, p->trainer.param);
    lap(p, PSW_PART_FORWARD, &since_s);
    return s->pass.n_tok_local;
}

/* What policy, reference and critic say of the rollouts; the policy's entropy is for the log
 * only. With one minibatch the first update's forward pass is on all rollouts, in their order,
 * with the parameters that sampled them: it is done ahead, and comes last, where it takes no
 * more memory than in its update. is_learnt: there are updates. */
static int64_t evaluate_all(struct psw_policy *p, int64_t step, int is_learnt,
                            struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    struct psw_rollout *r = &s->r;
    const int is_logged = psw_policy_is_logged(p->stage->config, step);
    const unsigned learnt = want_of(s), value = learnt & PSW_WANT_VALUE;
    const unsigned want = PSW_WANT_LOGP | value | (is_logged ? (unsigned)PSW_WANT_ENTROPY : 0);
    double *const what[3] = {r->old, is_logged ? r->entropy : NULL, value ? r->value : NULL};
    int64_t n_tok = evaluate_others(p, arena);
    double since_s = psw_clock_s();
    if (!is_learnt || p->stage->config->policy.minibatches > 1) {
        n_tok += evaluate(p, pass_of(p, p->model, want, arena), p->trainer.param, what);
        lap(p, PSW_PART_OLD, &since_s);
        return n_tok;
    }
    n_tok += go_forward(p, r->responses.pointer, s->mini.n_all, want | learnt, arena);
    gather(&s->pass, what);
    s->pass.opts.want = learnt; /* by backward */
    return n_tok;
}

static void drop_pass(struct psw_policy *p)
{
    struct rollouts *s = p->own;
    if (s->has_pass) psw_arena_rewind(s->pass.arena, s->before);
    s->has_pass = 0;
}

static psw_status sample(struct psw_policy *p, int64_t step, struct psw_error *err)
{
    struct rollouts *s = p->own;
    const struct psw_scorer task = {.stage =
                                        p->stage}; /* a reward model may be there to judge */
    const int by_model = p->stage->config->reward.source == PSW_REWARD_MODEL;
    const struct psw_rollout_with with = {.stage = p->stage,
                                          .sampler = {.team = &p->team,
                                                      .model = p->model,
                                                      .exec = &p->trainer.exec,
                                                      .param = p->trainer.param},
                                          .scorer = by_model ? &p->reward : &task,
                                          .step = step};
    return psw_rollout_sample(&s->r, &with, err);
}

/* What samples or weighs does not know the step. */
static psw_status diverged(psw_status rc, int64_t step, struct psw_error *err)
{
    if (rc == PSW_EDIVERGED)
        psw_error_prefix(err, "training diverged at step %lld", (long long)step);
    return rc;
}

/* Fresh rollouts with their advantages; those of a checkpoint are kept. is_learnt: updates
 * follow. */
static psw_status make_rollouts(struct psw_policy *p, int64_t step, int is_learnt,
                                int64_t *n_tok, struct psw_error *err)
{
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    double since_s = psw_clock_s();
    psw_status rc = sample(p, step, err);
    if (rc != PSW_OK) return diverged(rc, step, err);
    lap(p, PSW_PART_SAMPLE, &since_s);
    *n_tok = evaluate_all(p, step, is_learnt, p->trainer.arena);
    psw_rollout_advantages(&s->r, p->stage->config, s->kl_coef);
    if (!psw_policy_is_checkpoint(p->stage->config, step)) return PSW_OK;
    rc = psw_policy_path(p, "rollout", step, "rec", path, err);
    if (rc == PSW_OK && p->team.rank == 0) rc = psw_rollout_write(&s->r, path, err);
    return psw_agree(p->team.comm, rc, err);
}

/* What is logged is of the plain objective: loss and clipping on the advantages that the
 * interventions found. */
static psw_status log_plain(const struct rollouts *s, struct psw_onpolicy_in in,
                            struct psw_onpolicy_out *out, struct psw_error *err)
{
    const struct psw_minibatch *m = &s->mini;
    struct psw_onpolicy_out plain = {.weight = NULL};
    const size_t n_bytes = sizeof *m->plain * (size_t)m->rows.n_row;
    if (memcmp(m->advantage, m->plain, n_bytes) == 0) return PSW_OK;
    in.advantage = m->plain;
    const psw_status rc = psw_objective_onpolicy(&s->opts, &in, &plain, err);
    if (rc != PSW_OK) return rc;
    out->loss = plain.loss;
    out->clip_fraction = plain.clip_fraction;
    return PSW_OK;
}

static psw_status weigh(struct rollouts *s, struct psw_rollout_sums *sums,
                        struct psw_error *err)
{
    struct psw_minibatch *m = &s->mini;
    const struct psw_onpolicy_in in = {.rows = &m->rows,
                                       .logp = m->logp,
                                       .old = m->old,
                                       .ref = m->ref,
                                       .advantage = m->advantage};
    struct psw_onpolicy_out out = {.weight = m->weight, .kl = m->kl};
    psw_status rc = psw_objective_onpolicy(&s->opts, &in, &out, err);
    if (rc == PSW_OK) rc = log_plain(s, in, &out, err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < m->rows.n_row; i++) {
        m->weight[i] += m->kl[i];
        m->entropy[i] = s->opts.entropy_coef / (double)m->rows.n_row;
    }
    if (s->opts.shared_critic)
        sums->value_loss += psw_value_loss(&s->opts, m->rows.n_row, m->value, m->old_value,
                                           m->ret, m->value_weight);
    sums->loss += out.loss;
    sums->clip_fraction += out.clip_fraction;
    sums->approx_kl += out.approx_kl;
    return PSW_OK;
}

/* Forward, unless it is there, weights, backward of the chosen minibatch. */
static psw_status gradient(struct psw_policy *p, struct psw_arena *arena,
                           struct psw_rollout_sums *sums, int64_t *n_tok, struct psw_error *err)
{
    struct rollouts *s = p->own;
    struct psw_minibatch *m = &s->mini;
    const unsigned want = want_of(s);
    psw_status rc = PSW_OK;
    if (!s->has_pass) *n_tok += go_forward(p, m->item, m->n_prompt, want, arena);
    psw_shards_gather(&s->pass, PSW_ROW_LOGP, m->logp);
    if (want & PSW_WANT_VALUE) psw_shards_gather(&s->pass, PSW_ROW_VALUE, m->value);
    if (!psw_arena_is_measuring(arena))
        PSW_TRY(diverged(weigh(s, sums, err), psw_policy_step(p), err));
    double since_s = psw_clock_s();
    const struct psw_shards_weights weight = {
        .logp = m->weight,
        .entropy = want & PSW_WANT_ENTROPY ? m->entropy : NULL,
        .value = want & PSW_WANT_VALUE ? m->value_weight : NULL};
    psw_shards_backward_rows(&s->pass, p->trainer.param, weight, p->trainer.tree);
    lap(p, PSW_PART_BACKWARD, &since_s);
fail:
    drop_pass(p);
    return rc;
}

static void critic_gradient(struct psw_policy *p, struct psw_arena *arena,
                            struct psw_rollout_sums *sums, int64_t *n_tok)
{
    struct rollouts *s = p->own;
    struct psw_minibatch *m = &s->mini;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    double since_s = psw_clock_s();
    struct psw_shards pass = pass_of(p, s->value_model, PSW_WANT_VALUE, arena);
    psw_shards_pack(&pass, m->item, m->n_prompt);
    psw_shards_forward(&pass, s->critic.param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, m->value);
    lap(p, PSW_PART_CRITIC_FORWARD, &since_s);
    if (!psw_arena_is_measuring(arena))
        sums->value_loss += psw_value_loss(&s->opts, m->rows.n_row, m->value, m->old_value,
                                           m->ret, m->value_weight);
    since_s = psw_clock_s();
    const struct psw_shards_weights weight = {.value = m->value_weight};
    psw_shards_backward_rows(&pass, s->critic.param, weight, s->critic.tree);
    lap(p, PSW_PART_CRITIC_BACKWARD, &since_s);
    *n_tok += pass.n_tok_local;
    psw_arena_rewind(arena, mark);
}

static psw_status update(struct psw_policy *p, struct psw_rollout_sums *sums, int64_t *n_tok,
                         struct psw_error *err)
{
    struct rollouts *s = p->own;
    struct psw_step_info info;
    psw_status rc = PSW_OK;
    PSW_TRY(gradient(p, p->trainer.arena, sums, n_tok, err));
    double since_s = psw_clock_s();
    rc = psw_trainer_update(&p->trainer, &info, err);
    sums->n_update++;
    sums->grad_norm += info.grad_norm;
    sums->lr += info.lr;
    sums->param_norm = info.param_norm;
    if (rc != PSW_OK) return rc;
    lap(p, PSW_PART_UPDATE, &since_s);
    if (!has_critic(s)) return PSW_OK;
    critic_gradient(p, p->trainer.arena, sums, n_tok);
    since_s = psw_clock_s();
    rc = psw_trainer_update(&s->critic, NULL, err);
    lap(p, PSW_PART_UPDATE, &since_s);
    if (rc != PSW_OK) psw_error_prefix(err, "critic");
fail:
    return rc;
}

/* The coefficient follows the KL at which it stands; Ziegler et al. 2019, arXiv 1909.08593. */
static void adapt(struct psw_policy *p, double kl)
{
    struct rollouts *s = p->own;
    const struct psw_config_policy *c = &p->stage->config->policy;
    if (!(c->kl_target > 0) || c->method != PSW_METHOD_PPO) return;
    const double error = fmax(-0.2, fmin(0.2, kl / c->kl_target - 1));
    s->kl_coef *= 1 + error * (double)s->r.rows.n_seq / c->kl_horizon;
}

static psw_status step(struct psw_policy *p, double *metric, double *n_tok,
                       struct psw_error *err)
{
    struct rollouts *s = p->own;
    const struct psw_config_policy *c = &p->stage->config->policy;
    const int64_t at = psw_policy_step(p);
    const double begin_s = psw_clock_s(), kl_coef = s->kl_coef;
    struct psw_rollout_sums sums = {.has_values = s->value_model != NULL};
    int64_t n_tok_local = 0;
    psw_status rc = PSW_OK;
    memset(p->part_s, 0, sizeof p->part_s);
    PSW_TRY(make_rollouts(p, at, 1, &n_tok_local, err));
    memcpy(s->used, s->r.advantage, sizeof(double) * (size_t)s->r.rows.n_row);
    psw_intervene_advantages(c, at, &s->r.rows, s->used, s->used + s->r.n_most_row, s->order);
    for (int64_t e = 0; e < c->epochs; e++) {
        psw_minibatch_order(&s->mini, p->stage->config, at, e);
        for (int64_t k = 0; k < c->minibatches; k++) {
            psw_minibatch_choose(&s->mini, &s->r, s->used, k);
            PSW_TRY(update(p, &sums, &n_tok_local, err));
        }
    }
fail:
    drop_pass(p);
    if (sums.n_update == 0) return rc;
    psw_rollout_metrics(&s->r, &sums, p->stage->data->eos, metric);
    metric[PSW_ROLLOUT_KL_COEF] = kl_coef;
    if (rc == PSW_OK) adapt(p, metric[PSW_ROLLOUT_KL]);
    metric[PSW_ROLLOUT_SHARE] = p->part_s[PSW_PART_SAMPLE] / (psw_clock_s() - begin_s);
    *n_tok = (double)(n_tok_local * p->team.size);
    return rc;
}

static void walk(struct psw_policy *p, struct psw_arena *arena)
{
    struct rollouts *s = p->own;
    struct psw_rollout_sums unused = {0};
    int64_t n_tok = 0;
    size_t scratch_bytes = 0;
    psw_rollout_bound(&s->r, p->stage);
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    if (psw_responses_scratch(p->model, &s->r.responses, p->team.n_shard, &scratch_bytes,
                              NULL) == PSW_OK)
        psw_arena_alloc(arena, scratch_bytes);
    psw_arena_rewind(arena, mark);
    psw_scorer_score(&p->reward, &p->team, &p->trainer.exec, &s->r.responses, NULL);
    evaluate_all(p, 0, 1, arena);
    psw_minibatch_order(&s->mini, p->stage->config, 0, 0);
    psw_minibatch_choose(&s->mini, &s->r, s->used, 0);
    const psw_status rc = gradient(p, arena, &unused, &n_tok, NULL);
    (void)rc; /* nothing is computed, nothing can fail */
    if (has_critic(s)) critic_gradient(p, arena, &unused, &n_tok);
}

/* The last checkpoint has rollouts, too, though nothing is learnt from them. */
static psw_status finish(struct psw_policy *p, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    int64_t n_tok;
    const int64_t at = psw_policy_step(p);
    psw_status rc = psw_policy_path(p, "rollout", at, "rec", path, err);
    if (rc != PSW_OK || psw_stage_have(p->team.comm, path)) return rc;
    return make_rollouts(p, at, 0, &n_tok, err);
}

/* The critic goes to two files in turn, before the trainer's state: a run that is killed
 * between the two still has the critic that belongs to the older state. Its updates tell which
 * it is. */
static psw_status save(struct psw_policy *p, struct psw_error *err)
{
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    *p->carry = s->kl_coef;
    if (!has_critic(s)) return PSW_OK;
    s->slot = !s->slot;
    const psw_status rc = psw_policy_path(p, "critic", s->slot, "state", path, err);
    if (rc != PSW_OK) return rc;
    return psw_trainer_save(&s->critic, path, p->key, NULL, 0, err);
}

static psw_status load(struct psw_policy *p, struct psw_error *err)
{
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    s->kl_coef = *p->carry;
    if (!has_critic(s)) return PSW_OK;
    for (s->slot = 0; s->slot < 2; s->slot++) {
        rc = psw_policy_path(p, "critic", s->slot, "state", path, err);
        if (rc != PSW_OK || !psw_stage_have(p->team.comm, path)) continue;
        rc = psw_trainer_load(&s->critic, path, p->key, NULL, 0, err);
        if (rc == PSW_OK && s->critic.step == p->trainer.step) return PSW_OK;
    }
    if (rc != PSW_OK) return rc;
    return psw_fail(err, PSW_EDATA, "%s: no critic belongs to its state", p->dir);
}

const struct psw_responses *psw_policy_rollouts_last(const struct psw_policy *p)
{
    return &((const struct rollouts *)p->own)->r.responses;
}

/* checkpoint -1: the largest there can be, for planning. */
static psw_status probe(struct psw_policy *p, int64_t checkpoint, struct psw_tracer *tracer,
                        struct psw_error *err)
{
    struct rollouts *s = p->own;
    char path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    if (checkpoint < 0) {
        psw_rollout_bound(&s->r, p->stage);
    } else {
        const int64_t at = psw_policy_checkpoint_step(p->stage->config, checkpoint);
        rc = psw_policy_path(p, "rollout", at, "rec", path, err);
        if (rc == PSW_OK) rc = psw_rollout_read(&s->r, p->stage, path, err);
        rc = psw_agree(p->team.comm, rc, err);
        if (p->team.rank == 0) rc = psw_file_set_aside(path, rc, err);
        if (rc != PSW_OK) return rc;
    }
    s->probe = (struct psw_trace_rollouts){.opts = s->opts,
                                           .rows = s->r.rows,
                                           .advantage = s->r.advantage,
                                           .raw = s->r.raw,
                                           .ref = s->r.ref,
                                           .ret = s->r.ret};
    tracer->rollouts = &s->probe;
    tracer->probe = (struct psw_trace_set){s->r.responses.pointer, s->r.responses.n_prompt};
    return rc;
}

const struct psw_policy_kind PSW_POLICY_ROLLOUTS = {.metric = PSW_ROLLOUT_METRICS,
                                                    .open = open,
                                                    .close = close,
                                                    .layout = layout,
                                                    .walk = walk,
                                                    .load_fixed = load_fixed,
                                                    .start = start,
                                                    .step = step,
                                                    .save = save,
                                                    .load = load,
                                                    .finish = finish,
                                                    .probe = probe};
