/* A step on rollouts, second half: epochs x minibatches of forward, weights, backward, update.
 */
#include "rollout_internal.h"

#include <posweep/objective/intervene.h>
#include <posweep/util/clock.h>

#include <string.h>

/* What is logged is of the plain objective: loss and clipping on the advantages that the
 * interventions found. */
static psw_status log_plain(const struct psw_onpolicy_step *s, struct psw_onpolicy_in in,
                            struct psw_onpolicy_out *out, struct psw_error *err)
{
    const struct psw_minibatch *m = &s->minibatch;
    struct psw_onpolicy_out plain = {.weight = NULL};
    const size_t n_bytes = sizeof(double) * (size_t)m->rows.n_row;
    if (memcmp(m->row.learnt, m->row.advantage, n_bytes) == 0) return PSW_OK;
    in.advantage = m->row.advantage;
    const psw_status rc = psw_objective_onpolicy(&s->opts, &in, &plain, err);
    if (rc != PSW_OK) return rc;
    out->loss = plain.loss;
    out->clip_fraction = plain.clip_fraction;
    return PSW_OK;
}

static double value_loss(const struct psw_onpolicy_step *s)
{
    const struct psw_minibatch *m = &s->minibatch;
    return psw_value_loss(&s->opts, m->rows.n_row, m->now.value, m->row.value, m->row.ret,
                          m->now.value_weight);
}

static psw_status weigh(struct psw_onpolicy_step *s, int64_t step,
                        struct psw_rollout_sums *sums, struct psw_error *err)
{
    const struct psw_minibatch *m = &s->minibatch;
    const struct psw_onpolicy_in in = {.rows = &m->rows,
                                       .logp = m->now.logp,
                                       .old = m->row.old,
                                       .ref = m->row.ref,
                                       .advantage = m->row.learnt};
    struct psw_onpolicy_out out = {.weight = m->now.weight, .kl = m->now.kl};
    psw_status rc = psw_objective_onpolicy(&s->opts, &in, &out, err);
    if (rc == PSW_OK) rc = log_plain(s, in, &out, err);
    if (rc == PSW_EDIVERGED)
        psw_error_prefix(err, "training diverged at step %lld", (long long)step);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < m->rows.n_row; i++) {
        m->now.weight[i] += m->now.kl[i];
        m->now.entropy[i] = s->opts.entropy_coef / (double)m->rows.n_row;
    }
    if (s->critic.is_shared) sums->value_loss += value_loss(s);
    sums->loss += out.loss;
    sums->clip_fraction += out.clip_fraction;
    sums->approx_kl += out.approx_kl;
    return PSW_OK;
}

psw_status psw_onpolicy_gradient(struct psw_onpolicy_step *s, int64_t step,
                                 struct psw_arena *arena, struct psw_rollout_sums *sums,
                                 int64_t *n_tok, struct psw_error *err)
{
    const struct psw_minibatch *m = &s->minibatch;
    const unsigned want = psw_onpolicy_want(s);
    struct psw_shards *pass = &s->pass.shards;
    psw_status rc = PSW_OK;
    if (!s->pass.is_open) *n_tok += psw_onpolicy_forward(s, m->item, m->n_prompt, want, arena);
    psw_shards_gather(pass, PSW_ROW_LOGP, m->now.logp);
    if (want & PSW_WANT_VALUE) psw_shards_gather(pass, PSW_ROW_VALUE, m->now.value);
    if (!psw_arena_is_measuring(arena)) PSW_TRY(weigh(s, step, sums, err));
    double since_s = psw_clock_s();
    const struct psw_shards_weights weight = {
        .logp = m->now.weight,
        .entropy = want & PSW_WANT_ENTROPY ? m->now.entropy : NULL,
        .value = want & PSW_WANT_VALUE ? m->now.value_weight : NULL};
    psw_shards_backward_rows(pass, s->trainer->param, weight, s->trainer->tree);
    psw_onpolicy_lap(s, PSW_PHASE_BACKWARD, &since_s);
fail:
    psw_onpolicy_drop(s);
    return rc;
}

void psw_onpolicy_critic_gradient(struct psw_onpolicy_step *s, struct psw_arena *arena,
                                  struct psw_rollout_sums *sums, int64_t *n_tok)
{
    const struct psw_minibatch *m = &s->minibatch;
    struct psw_trainer *t = &s->critic.trainer;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    double since_s = psw_clock_s();
    struct psw_shards pass = psw_onpolicy_pass(s, s->critic.model, PSW_WANT_VALUE, arena);
    psw_shards_pack(&pass, m->item, m->n_prompt);
    psw_shards_forward(&pass, t->param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, m->now.value);
    psw_onpolicy_lap(s, PSW_PHASE_CRITIC_FORWARD, &since_s);
    if (!psw_arena_is_measuring(arena)) sums->value_loss += value_loss(s);
    since_s = psw_clock_s();
    const struct psw_shards_weights weight = {.value = m->now.value_weight};
    psw_shards_backward_rows(&pass, t->param, weight, t->tree);
    psw_onpolicy_lap(s, PSW_PHASE_CRITIC_BACKWARD, &since_s);
    *n_tok += pass.local.n_tok;
    psw_arena_rewind(arena, mark);
}

static psw_status update(struct psw_onpolicy_step *s, int64_t step,
                         struct psw_rollout_sums *sums, int64_t *n_tok, struct psw_error *err)
{
    struct psw_step_info info;
    struct psw_arena *arena = s->trainer->arena;
    psw_status rc = psw_onpolicy_gradient(s, step, arena, sums, n_tok, err);
    if (rc != PSW_OK) return rc;
    double since_s = psw_clock_s();
    rc = psw_trainer_update(s->trainer, &info, err);
    sums->n_update++;
    sums->grad_norm += info.grad_norm;
    sums->lr += info.lr;
    sums->param_norm = info.param_norm;
    if (rc != PSW_OK) return rc;
    psw_onpolicy_lap(s, PSW_PHASE_UPDATE, &since_s);
    if (!psw_critic_is_separate(&s->critic)) return PSW_OK;
    psw_onpolicy_critic_gradient(s, arena, sums, n_tok);
    since_s = psw_clock_s();
    rc = psw_trainer_update(&s->critic.trainer, NULL, err);
    psw_onpolicy_lap(s, PSW_PHASE_UPDATE, &since_s);
    if (rc != PSW_OK) psw_error_prefix(err, "critic");
    return rc;
}

psw_status psw_onpolicy_learn(struct psw_onpolicy_step *s, int64_t step, double *metric,
                              int64_t *n_tok, struct psw_error *err)
{
    const struct psw_config_policy *c = &s->config->policy;
    const struct psw_rollout *r = &s->rollout;
    struct psw_rollout_sums sums = {.has_values = s->critic.model != NULL};
    psw_status rc = PSW_OK;
    memcpy(r->row.learnt, r->row.advantage, sizeof(double) * (size_t)r->rows.n_row);
    psw_intervene_advantages(c, step, &r->rows, r->row.learnt, r->row.scratch, r->order);
    for (int64_t e = 0; e < c->epochs; e++) {
        psw_minibatch_order(&s->minibatch, s->config, step, e);
        for (int64_t k = 0; k < c->minibatches; k++) {
            psw_minibatch_choose(&s->minibatch, r, k);
            PSW_TRY(update(s, step, &sums, n_tok, err));
        }
    }
fail:
    psw_onpolicy_drop(s);
    if (sums.n_update > 0) psw_rollout_metrics(r, &sums, s->data->tokenizer->eos, metric);
    return rc;
}

void psw_onpolicy_walk(struct psw_onpolicy_step *s, struct psw_arena *arena)
{
    struct psw_rollout_sums unused = {0};
    const struct psw_responses *r = &s->rollout.responses;
    int64_t n_tok = 0;
    const struct psw_sampler with = {
        .team = &s->trainer->team, .model = s->trainer->model, .exec = &s->trainer->exec};
    psw_rollout_bound(&s->rollout, s->data);
    psw_responses_layout(&with, r, arena);
    psw_reward_score(s->reward, &s->trainer->team, &s->trainer->exec, r, NULL);
    psw_onpolicy_evaluate(s, 1, 1, arena);
    psw_minibatch_order(&s->minibatch, s->config, 0, 0);
    psw_minibatch_choose(&s->minibatch, &s->rollout, 0);
    const psw_status rc = psw_onpolicy_gradient(s, 0, arena, &unused, &n_tok, NULL);
    (void)rc; /* nothing is computed, nothing can fail */
    if (psw_critic_is_separate(&s->critic))
        psw_onpolicy_critic_gradient(s, arena, &unused, &n_tok);
}
