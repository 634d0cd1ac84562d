/* Judging the end of a run: D' against what the SFT model says to the same prompts, paired, by
 * the task's scorer or by the reward model. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>

#include <math.h>
#include <stdlib.h>

psw_status psw_policy_sample(struct psw_policy *p, struct psw_responses *out,
                             struct psw_error *err)
{
    const struct psw_config *c = p->stage->config;
    const struct psw_sampler with = {.team = &p->trainer.team,
                                     .model = p->model,
                                     .exec = &p->trainer.exec,
                                     .param = p->trainer.param};
    const struct psw_sample_opts opts = psw_final_opts(c, p->stage->data);
    const double begin_s = psw_clock_s();
    psw_status rc = psw_final_init(c, p->stage->data, out, err);
    rc = psw_agree(p->team.comm, rc, err);
    if (rc == PSW_OK) rc = psw_responses_sample(&with, &opts, out, err);
    if (rc != PSW_OK) psw_responses_clear(out);
    p->sample_s += psw_clock_s() - begin_s;
    return rc;
}

static double mean_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] / (double)n;
    return sum;
}

void psw_policy_compare(const struct psw_responses *final, const struct psw_responses *sft,
                        const double *score, struct psw_policy_end *end)
{
    const int64_t n = final->n_seq, n_sample = final->n_sample;
    end->win = end->tie = end->loss = 0;
    for (int64_t q = 0; q < n; q++) {
        const int64_t i = q / n_sample, k = q % n_sample;
        const int is_same = psw_response_equal(final->pointer[i], k, sft->pointer[i], k);
        const double d = is_same ? 0 : score[q] - score[n + q];
        end->win += (d > 0) / (double)n;
        end->tie += (d == 0) / (double)n;
        end->loss += (d < 0) / (double)n;
    }
}

/* Who judges: the task's scorer, the reward model, or nobody. */
static enum psw_judge judge_of(const struct psw_policy *p)
{
    const int scorer = psw_dataset_has_scorer(p->stage->data), model = p->reward.model != NULL;
    const int wanted = p->stage->config->eval.judge;
    if (wanted == PSW_JUDGE_AUTO)
        return scorer ? PSW_JUDGE_SCORER : model ? PSW_JUDGE_REWARD : PSW_JUDGE_NONE;
    return wanted == PSW_JUDGE_SCORER && !scorer ? PSW_JUDGE_NONE : (enum psw_judge)wanted;
}

/* The two lists of responses, scored by the reward model: a learned score beside the true one.
 */
static psw_status judge_by_model(struct psw_policy *p, const struct psw_responses *final,
                                 const struct psw_responses *sft, double *score,
                                 struct psw_policy_end *end, struct psw_error *err)
{
    const int64_t n = final->n_seq;
    if (!p->reward.model) return PSW_OK;
    const psw_status rc = psw_scorer_load(&p->reward, &p->team, &end->reward_model, err);
    if (rc != PSW_OK) return rc;
    psw_scorer_score(&p->reward, &p->team, &p->trainer.exec, final, score);
    psw_scorer_score(&p->reward, &p->team, &p->trainer.exec, sft, score + n);
    end->reward = mean_of(score, n);
    end->reward_sft = mean_of(score + n, n);
    if (judge_of(p) == PSW_JUDGE_REWARD) psw_policy_compare(final, sft, score, end);
    return PSW_OK;
}

psw_status psw_policy_judge(struct psw_policy *p, const struct psw_responses *final,
                            struct psw_policy_end *end, struct psw_error *err)
{
    struct psw_responses sft = {0};
    const struct psw_dataset *data = p->stage->data;
    double *score = NULL;
    psw_status rc = psw_policy_load_checkpoint(p, 0, err);
    if (rc == PSW_OK) rc = psw_policy_sample(p, &sft, err);
    if (rc != PSW_OK) return rc;
    *end = (struct psw_policy_end){.n_prompt = final->n_prompt, .n_heldout = -1};
    end->win = end->tie = end->loss = end->reward = end->reward_sft = end->sft_loss = NAN;
    end->heldout_loss = end->heldout_accuracy = NAN;
    end->reward_model = (struct psw_reward_info){NAN, NAN, NAN, NAN, NAN};
    rc = psw_final_measure(final, data, &end->final, err);
    if (rc == PSW_OK) rc = psw_final_measure(&sft, data, &end->sft, err);
    score = calloc(2 * (size_t) final->n_seq, sizeof *score);
    if (rc == PSW_OK && !score)
        rc = psw_fail(err, PSW_ENOMEM, "judging: %lld scores", (long long) final->n_seq);
    PSW_TRY(psw_agree(p->team.comm, rc, err));
    PSW_TRY(judge_by_model(p, final, &sft, score, end, err));
    if (judge_of(p) == PSW_JUDGE_SCORER) {
        psw_final_scores(final, data, score);
        psw_final_scores(&sft, data, score + final->n_seq);
        psw_policy_compare(final, &sft, score, end);
    }
fail:
    free(score);
    psw_responses_clear(&sft);
    return rc;
}
