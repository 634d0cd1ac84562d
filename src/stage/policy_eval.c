/* The evaluation prompts along training (eval.every): what checkpoints say to them, so that it
 * is seen where a policy begins to be rewarded for worse answers. The draws are those of the
 * final evaluation: the first and the last checkpoint give score_sft and score, bit for bit. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>

enum { BLOCK = 64 };

int psw_policy_is_eval_point(const struct psw_stage *stage, int64_t checkpoint)
{
    const struct psw_config *c = stage->config;
    const int64_t every = c->eval.every;
    if (every == 0 || psw_final_n_prompt(c, stage->data, PSW_PROMPTS_EVAL) == 0) return 0;
    return checkpoint % every == 0 || checkpoint == psw_stage_n_checkpoint(c) - 1;
}

int64_t psw_policy_n_eval_point(const struct psw_stage *stage)
{
    const int64_t every = stage->config->eval.every;
    const int64_t last = psw_stage_n_checkpoint(stage->config) - 1;
    return psw_policy_is_eval_point(stage, 0) ? (last + every - 1) / every + 1 : 0;
}

/* Log-probabilities of a block of responses under the parameters that are loaded. Shapes: out
 * [BLOCK * n_sample]; NULL only measures. */
static void block(struct psw_policy *p, const struct psw_responses *r, int64_t begin,
                  struct psw_arena *arena, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {.model = p->trainer.model,
                              .team = &p->trainer.team,
                              .exec = &p->trainer.exec,
                              .arena = arena,
                              .opts = {.share_prefix = 1, .temperature = 1}};
    psw_shards_pack(&pass, r->pointer + begin, psw_min(BLOCK, r->n_prompt - begin));
    psw_shards_evaluate(&pass, p->trainer.param);
    psw_shards_sum_logp(&pass, out);
    psw_arena_rewind(arena, mark);
}

double psw_policy_mean_logp(struct psw_policy *p, const struct psw_responses *r)
{
    double logp[BLOCK * PSW_EXAMPLE_SEQS], sum = 0;
    for (int64_t i = 0; i < r->n_prompt; i += BLOCK) {
        block(p, r, i, p->trainer.arena, logp);
        const int64_t n = psw_min(BLOCK, r->n_prompt - i) * r->n_sample;
        for (int64_t q = 0; q < n; q++) sum += logp[q];
    }
    return sum / (double)r->n_seq;
}

void psw_policy_logp_layout(struct psw_policy *p, const struct psw_responses *bound,
                            struct psw_arena *arena)
{
    for (int64_t i = 0; i < bound->n_prompt; i += BLOCK) block(p, bound, i, arena, NULL);
}

/* Of the parameters of a step, which are loaded again at the end. */
static psw_status find_kl(struct psw_policy *p, const struct psw_responses *r, int64_t step,
                          double *kl, struct psw_error *err)
{
    if (!psw_final_is_policy(p->work->stage->config)) return PSW_OK;
    const double now = psw_policy_mean_logp(p, r);
    psw_status rc = psw_policy_load_checkpoint(p, 0, err);
    if (rc != PSW_OK) return rc;
    *kl = now - psw_policy_mean_logp(p, r);
    return psw_policy_load_checkpoint(p, step, err);
}

static psw_status find_reward(struct psw_policy *p, const struct psw_responses *r, double *out,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (!p->reward.model) return PSW_OK;
    double *reward = malloc((size_t)r->n_seq * sizeof *reward);
    if (!reward)
        rc = psw_fail(err, PSW_ENOMEM, "evaluation: %lld rewards", (long long)r->n_seq);
    rc = psw_agree(p->trainer.team.comm, rc, err);
    if (rc == PSW_OK)
        rc = psw_load_reward(p->work, p->reward.model, p->reward.param, NULL, err);
    if (rc == PSW_OK) {
        psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, r, reward);
        *out = psw_policy_mean(reward, r->n_seq);
    }
    free(reward);
    return rc;
}

psw_status psw_policy_eval(struct psw_policy *p, int64_t step, struct psw_eval_point *out,
                           struct psw_error *err)
{
    const struct psw_dataset *data = p->work->stage->data;
    struct psw_responses r = {0};
    struct psw_eval_point e = {.reward = NAN, .kl = NAN};
    psw_status rc = psw_policy_sample(p, PSW_PROMPTS_EVAL, &r, err);
    if (rc == PSW_OK)
        rc = psw_agree(p->trainer.team.comm, psw_final_measure(&r, data, &e.quality, err), err);
    if (rc == PSW_OK) rc = find_reward(p, &r, &e.reward, err);
    if (rc == PSW_OK) rc = find_kl(p, &r, step, &e.kl, err);
    psw_responses_clear(&r);
    if (rc == PSW_OK) *out = e;
    return rc;
}

psw_status psw_policy_eval_layout(struct psw_policy *p, struct psw_arena *arena,
                                  struct psw_error *err)
{
    struct psw_responses bound = {0};
    if (p->work->stage->config->eval.every == 0) return PSW_OK;
    const psw_status rc = psw_policy_sample_layout(p, PSW_PROMPTS_EVAL, arena, &bound, err);
    if (rc == PSW_OK) psw_policy_logp_layout(p, &bound, arena);
    psw_responses_clear(&bound);
    return rc;
}
