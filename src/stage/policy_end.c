/* Judging the end of a run: D' by itself; the evaluation responses against what the SFT model
 * says to the same prompts, paired, by the task's scorer or by the reward model. */
#include "kept_responses.h"
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/config/leaves.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <math.h>
#include <stdlib.h>

/* Where the responses of the loaded parameters are kept: the name has all that decides them. */
static psw_status find_path(struct psw_policy *p, enum psw_prompt_list list,
                            const struct psw_sample_opts *opts, char out[PSW_PATH_BYTES],
                            struct psw_error *err)
{
    char key[PSW_HASH_TEXT_BYTES];
    uint64_t of[] = {psw_config_hash(p->work->stage->config, PSW_CFG_IN_RUN), list,
                     opts->temperature == 0, 0};
    psw_status rc = psw_policy_param_hash(p, &of[3], err);
    if (rc == PSW_OK)
        rc = psw_path(out, PSW_PATH_BYTES, err, "%s/%s", p->work->place[PSW_STAGE_POLICY].path,
                      psw_hash_text(psw_hash_bytes(of, sizeof of, 0), key));
    return psw_agree(p->trainer.team.comm, rc, err);
}

static psw_status sample(struct psw_policy *p, enum psw_prompt_list list,
                         const struct psw_sample_opts *opts, struct psw_responses *out,
                         struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    const struct psw_team *team = &p->trainer.team;
    char path[PSW_PATH_BYTES];
    struct psw_kept_responses kept = {0};
    struct psw_sampler with = {.team = team,
                               .model = p->trainer.model,
                               .exec = &p->trainer.exec,
                               .param = p->trainer.param,
                               .stop = psw_stage_sample_stop(stage),
                               .keeper = psw_kept_responses_keeper(&kept)};
    const double begin_s = psw_clock_s();
    psw_status rc = find_path(p, list, opts, path, err);
    if (rc != PSW_OK) return rc;
    rc = psw_final_init(stage->config, stage->data, list, out, err);
    if (rc == PSW_OK) rc = psw_kept_responses_open(team, path, out, &kept, err);
    rc = psw_agree(team->comm, rc, err);
    if (rc == PSW_OK) rc = psw_responses_sample(&with, opts, out, err);
    psw_kept_responses_close(&kept, rc == PSW_ESTOP);
    if (rc != PSW_OK) psw_responses_clear(out);
    p->sample_s += psw_clock_s() - begin_s;
    return rc;
}

psw_status psw_policy_sample(struct psw_policy *p, enum psw_prompt_list list,
                             struct psw_responses *out, struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    const struct psw_sample_opts opts = psw_final_opts(stage->config, stage->data, list);
    return sample(p, list, &opts, out, err);
}

psw_status psw_policy_sample_greedy(struct psw_policy *p, struct psw_responses *out,
                                    struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    struct psw_sample_opts opts = psw_final_opts(stage->config, stage->data, PSW_PROMPTS_FINAL);
    opts.temperature = 0;
    return sample(p, PSW_PROMPTS_FINAL, &opts, out, err);
}

psw_status psw_policy_sample_layout(struct psw_policy *p, enum psw_prompt_list list,
                                    struct psw_arena *arena, struct psw_responses *out,
                                    struct psw_error *err)
{
    const struct psw_config *c = p->work->stage->config;
    struct psw_responses bound = {0};
    const struct psw_sampler with = {
        .team = &p->trainer.team, .model = p->trainer.model, .exec = &p->trainer.exec};
    psw_status rc = PSW_OK;
    if (list == PSW_PROMPTS_EVAL && psw_final_n_prompt(c, p->work->stage->data, list) == 0)
        return PSW_OK;
    PSW_TRY(psw_final_init(c, p->work->stage->data, list, &bound, err));
    psw_responses_layout(&with, &bound, arena);
    psw_responses_bound(&bound);
    if (list == PSW_PROMPTS_EVAL) {
        psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &bound, NULL);
        PSW_TRY(psw_policy_records_layout(p, err));
    }
    if (out) {
        *out = bound;
        bound = (struct psw_responses){0};
    }
fail:
    psw_responses_clear(&bound);
    return rc;
}

double psw_policy_mean(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] / (double)n;
    return sum;
}

/* Who judges: the task's scorer, the reward model, or nobody. */
static enum psw_judge judge_of(const struct psw_policy *p)
{
    const int scorer = p->work->stage->data->scorer != NULL, model = p->reward.model != NULL;
    const int wanted = p->work->stage->config->eval.judge;
    if (wanted == PSW_JUDGE_AUTO)
        return scorer ? PSW_JUDGE_SCORER : model ? PSW_JUDGE_REWARD : PSW_JUDGE_NONE;
    return wanted == PSW_JUDGE_SCORER && !scorer ? PSW_JUDGE_NONE : (enum psw_judge)wanted;
}

static void answers_clear(struct psw_policy_answers *a)
{
    psw_responses_clear(&a->eval);
    psw_responses_clear(&a->sft);
    psw_policy_records_clear(&a->records);
    free(a->score);
}

/* The last and the first checkpoint answer the evaluation prompts. */
static psw_status answer(struct psw_policy *p, struct psw_policy_answers *a,
                         struct psw_error *err)
{
    psw_status rc =
        psw_policy_load_checkpoint(p, p->work->stage->config->policy.train.steps, err);
    if (rc == PSW_OK) rc = psw_policy_sample(p, PSW_PROMPTS_EVAL, &a->eval, err);
    if (rc == PSW_OK) rc = psw_policy_load_checkpoint(p, 0, err);
    if (rc == PSW_OK) rc = psw_policy_sample(p, PSW_PROMPTS_EVAL, &a->sft, err);
    if (rc != PSW_OK) return rc;
    const int64_t n = 4 * a->eval.n_seq;
    a->score = malloc((size_t)n * sizeof *a->score);
    if (!a->score) rc = psw_fail(err, PSW_ENOMEM, "judging: %lld scores", (long long)n);
    for (int64_t i = 0; a->score && i < n; i++) a->score[i] = NAN;
    a->reward = a->score ? a->score + n / 2 : NULL;
    if (a->score) rc = psw_policy_records_init(p, &a->records, err);
    return psw_agree(p->trainer.team.comm, rc, err);
}

/* By the reward model: a learned score beside the true one. */
static psw_status judge_by_model(struct psw_policy *p, struct psw_policy_answers *a,
                                 struct psw_policy_end *end, struct psw_error *err)
{
    const int64_t n = a->eval.n_seq;
    if (!p->reward.model) return PSW_OK;
    const psw_status rc =
        psw_load_reward(p->work, p->reward.model, p->reward.param, &end->reward_model, err);
    if (rc != PSW_OK || n == 0) return rc;
    psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &a->eval, a->reward);
    psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &a->sft, a->reward + n);
    if (a->records.n > 0)
        psw_reward_score(&p->reward, &p->trainer.team, &p->trainer.exec, &a->records.side,
                         a->records.reward);
    end->reward = psw_policy_mean(a->reward, n);
    end->reward_sft = psw_policy_mean(a->reward + n, n);
    if (judge_of(p) == PSW_JUDGE_REWARD) a->judged = a->reward;
    return PSW_OK;
}

/* By the task's own scorer, as `score` is: reward.missing_eos is no part of it. */
static psw_status judge_by_scorer(const struct psw_policy *p, struct psw_policy_answers *a,
                                  struct psw_policy_end *end, struct psw_error *err)
{
    const struct psw_dataset *data = p->work->stage->data;
    psw_status rc = psw_final_measure(&a->eval, data, &end->eval, err);
    if (rc == PSW_OK) rc = psw_final_measure(&a->sft, data, &end->sft, err);
    if (rc != PSW_OK || !data->scorer) return rc;
    psw_final_scores(&a->eval, data, a->score);
    psw_final_scores(&a->sft, data, a->score + a->eval.n_seq);
    if (judge_of(p) == PSW_JUDGE_SCORER) a->judged = a->score;
    return PSW_OK;
}

static void nothing_known(struct psw_policy_end *end)
{
    const struct psw_final_quality unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    *end = (struct psw_policy_end){.eval = unknown,
                                   .sft = unknown,
                                   .duel = {NAN, NAN, NAN},
                                   .reward = NAN,
                                   .reward_sft = NAN,
                                   .reward_model = {NAN, NAN, NAN, NAN, NAN},
                                   .heldout = {-1, NAN, NAN, NAN, NAN}};
}

double psw_policy_energy_j(struct psw_policy *p)
{
    double joules = 0;
    psw_energy_look(&p->energy.meter, 1);
    if (p->energy.is_read) joules = psw_energy_joules(&p->energy.meter);
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &joules, 1, MPI_DOUBLE, MPI_SUM, p->trainer.team.comm));
    return joules;
}

psw_status psw_policy_judge(struct psw_policy *p, const struct psw_responses *final,
                            struct psw_policy_end *end, struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    struct psw_policy_answers a = {0};
    nothing_known(end);
    end->n_final = final->n_prompt;
    end->n_eval = psw_final_n_prompt(stage->config, stage->data, PSW_PROMPTS_EVAL);
    psw_status rc = psw_final_measure(final, stage->data, &end->final, err);
    PSW_TRY(psw_agree(p->trainer.team.comm, rc, err));
    if (end->n_eval > 0) PSW_TRY(answer(p, &a, err));
    PSW_TRY(judge_by_model(p, &a, end, err));
    if (end->n_eval > 0)
        PSW_TRY(psw_agree(p->trainer.team.comm, judge_by_scorer(p, &a, end, err), err));
    if (a.judged) end->duel = psw_policy_compare(&a.eval, &a.sft, a.judged);
    if (end->n_eval > 0)
        PSW_TRY(psw_agree(p->trainer.team.comm, psw_policy_emit_answers(p, &a, err), err));
fail:
    answers_clear(&a);
    return rc;
}
