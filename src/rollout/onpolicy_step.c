/* A step on rollouts, first half: what it holds, fresh rollouts, and what the models say of
 * them. The updates stand in onpolicy_update.c. */
#include "rollout_internal.h"

#include <posweep/util/clock.h>

#include <string.h>

int64_t psw_onpolicy_n_update(const struct psw_config *c)
{
    return c->policy.epochs * c->policy.minibatches;
}

psw_status psw_onpolicy_step_init(const struct psw_config *c, const struct psw_dataset *data,
                                  const struct psw_model *base, struct psw_onpolicy_step *s,
                                  struct psw_error *err)
{
    *s = (struct psw_onpolicy_step){.config = c,
                                    .data = data,
                                    .reference = {.model = base},
                                    .opts = psw_onpolicy_opts_of(c),
                                    .train = c->policy.train};
    s->train.steps *= psw_onpolicy_n_update(c);
    s->train.warmup *= psw_onpolicy_n_update(c);
    psw_status rc = psw_critic_init(c, base, &s->train, &s->critic, err);
    if (rc == PSW_OK) rc = psw_rollout_init(c, data, &s->rollout, err);
    if (rc == PSW_OK) rc = psw_minibatch_init(c, &s->rollout, &s->minibatch, err);
    return rc;
}

void psw_onpolicy_step_clear(struct psw_onpolicy_step *s)
{
    psw_rollout_clear(&s->rollout);
    psw_minibatch_clear(&s->minibatch);
    psw_critic_clear(&s->critic);
    *s = (struct psw_onpolicy_step){0};
}

const struct psw_model *psw_onpolicy_model(const struct psw_onpolicy_step *s)
{
    return s->critic.is_shared ? s->critic.model : s->reference.model;
}

void psw_onpolicy_layout(struct psw_onpolicy_step *s, struct psw_arena *frozen)
{
    s->reference.param = psw_arena_f32(frozen, psw_model_n_param(s->reference.model));
    psw_critic_layout(&s->critic, &s->trainer->team, psw_onpolicy_n_update(s->config),
                      s->trainer->exec);
}

unsigned psw_onpolicy_want(const struct psw_onpolicy_step *s)
{
    return PSW_WANT_LOGP | (s->opts.entropy_coef > 0 ? (unsigned)PSW_WANT_ENTROPY : 0) |
           (s->critic.is_shared ? (unsigned)PSW_WANT_VALUE : 0);
}

struct psw_shards psw_onpolicy_pass(struct psw_onpolicy_step *s, const struct psw_model *model,
                                    unsigned want, struct psw_arena *arena)
{
    return (struct psw_shards){.model = model,
                               .team = &s->trainer->team,
                               .exec = &s->trainer->exec,
                               .arena = arena,
                               .opts = {.share_prefix = 1,
                                        .temperature = s->config->policy.temperature,
                                        .want = want}};
}

void psw_onpolicy_lap(struct psw_onpolicy_step *s, enum psw_step_phase phase, double *since_s)
{
    const double now_s = psw_clock_s();
    s->phase_s[phase] += now_s - *since_s;
    *since_s = now_s;
}

int64_t psw_onpolicy_forward(struct psw_onpolicy_step *s, const struct psw_example *const *item,
                             int64_t n_item, unsigned want, struct psw_arena *arena)
{
    double since_s = psw_clock_s();
    struct psw_open_pass *p = &s->pass;
    p->before = psw_arena_mark(arena);
    p->is_open = 1;
    p->shards = psw_onpolicy_pass(s, s->trainer->model, want, arena);
    psw_shards_pack(&p->shards, item, n_item);
    psw_shards_forward(&p->shards, s->trainer->param);
    psw_onpolicy_lap(s, PSW_PHASE_FORWARD, &since_s);
    return p->shards.local.n_tok;
}

void psw_onpolicy_drop(struct psw_onpolicy_step *s)
{
    if (s->pass.is_open) psw_arena_rewind(s->pass.shards.arena, s->pass.before);
    s->pass.is_open = 0;
}

/* ---- what the models say ---- */

/* Where it goes; NULL: not wanted. */
struct said {
    double *logp, *entropy, *value;
};

static void gather(struct psw_shards *pass, struct said to)
{
    if (to.logp) psw_shards_gather(pass, PSW_ROW_LOGP, to.logp);
    if (to.entropy) psw_shards_gather(pass, PSW_ROW_ENTROPY, to.entropy);
    if (to.value) psw_shards_gather(pass, PSW_ROW_VALUE, to.value);
}

/* Rows of all rollouts without keeping activations. */
static int64_t evaluate(const struct psw_onpolicy_step *s, struct psw_shards pass,
                        const float *param, struct said to)
{
    const struct psw_responses *r = &s->rollout.responses;
    const struct psw_arena_mark mark = psw_arena_mark(pass.arena);
    psw_shards_pack(&pass, r->pointer, r->n_prompt);
    psw_shards_evaluate(&pass, param);
    gather(&pass, to);
    psw_arena_rewind(pass.arena, mark);
    return pass.local.n_tok;
}

/* Reference and critic. */
static int64_t evaluate_others(struct psw_onpolicy_step *s, struct psw_arena *arena)
{
    const struct psw_rollout_values *row = &s->rollout.row;
    double since_s = psw_clock_s();
    const struct psw_shards by_reference =
        psw_onpolicy_pass(s, s->reference.model, PSW_WANT_LOGP, arena);
    int64_t n_tok =
        evaluate(s, by_reference, s->reference.param, (struct said){.logp = row->ref});
    psw_onpolicy_lap(s, PSW_PHASE_REFERENCE, &since_s);
    if (psw_critic_is_separate(&s->critic))
        n_tok += evaluate(s, psw_onpolicy_pass(s, s->critic.model, PSW_WANT_VALUE, arena),
                          s->critic.trainer.param, (struct said){.value = row->value});
    psw_onpolicy_lap(s, PSW_PHASE_VALUE, &since_s);
    return n_tok;
}

/* With one minibatch the first update's forward pass is on all rollouts, in their order, with
 * the parameters that sampled them: it is done ahead, and comes last, where it takes no more
 * memory than in its update. */
int64_t psw_onpolicy_evaluate(struct psw_onpolicy_step *s, int is_logged, int is_learnt,
                              struct psw_arena *arena)
{
    const struct psw_rollout *r = &s->rollout;
    const unsigned learnt = psw_onpolicy_want(s), value = learnt & PSW_WANT_VALUE;
    const unsigned want = PSW_WANT_LOGP | value | (is_logged ? (unsigned)PSW_WANT_ENTROPY : 0);
    const struct said to = {.logp = r->row.old,
                            .entropy = is_logged ? r->row.entropy : NULL,
                            .value = value ? r->row.value : NULL};
    int64_t n_tok = evaluate_others(s, arena);
    double since_s = psw_clock_s();
    if (!is_learnt || s->config->policy.minibatches > 1) {
        n_tok += evaluate(s, psw_onpolicy_pass(s, s->trainer->model, want, arena),
                          s->trainer->param, to);
        psw_onpolicy_lap(s, PSW_PHASE_OLD, &since_s);
        return n_tok;
    }
    n_tok +=
        psw_onpolicy_forward(s, r->responses.pointer, r->rows.n_prompt, want | learnt, arena);
    gather(&s->pass.shards, to);
    s->pass.shards.opts.want = learnt; /* by backward */
    return n_tok;
}

/* ---- fresh rollouts ---- */

psw_status psw_onpolicy_sample(struct psw_onpolicy_step *s, int64_t step, double kl_coef,
                               int is_logged, int is_learnt, int64_t *n_tok,
                               struct psw_error *err)
{
    const struct psw_rollout_with with = {.config = s->config,
                                          .data = s->data,
                                          .sampler = {.team = &s->trainer->team,
                                                      .model = s->trainer->model,
                                                      .exec = &s->trainer->exec,
                                                      .param = s->trainer->param,
                                                      .stop = s->stop},
                                          .reward = s->reward,
                                          .step = step};
    double since_s = psw_clock_s();
    memset(s->phase_s, 0, sizeof s->phase_s);
    const psw_status rc = psw_rollout_sample(&s->rollout, &with, err);
    if (rc == PSW_EDIVERGED) /* what samples does not know the step */
        psw_error_prefix(err, "training diverged at step %lld", (long long)step);
    if (rc != PSW_OK) return rc;
    psw_onpolicy_lap(s, PSW_PHASE_SAMPLE, &since_s);
    *n_tok = psw_onpolicy_evaluate(s, is_logged, is_learnt, s->trainer->arena);
    psw_rollout_advantages(&s->rollout, s->config, kl_coef);
    return PSW_OK;
}
