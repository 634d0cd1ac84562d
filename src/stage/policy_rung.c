/* What a run tells at a rung of early stopping (psw_stage.stop): the metric of the rule, and
 * before it the training log up to there, which is what stays of a run that is stopped. Nothing
 * of the training is touched: draws are those of the final evaluation. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>

#include <math.h>
#include <string.h>

static psw_status find_score(struct psw_policy *p, double *out, struct psw_error *err)
{
    struct psw_responses r = {0};
    struct psw_final_quality quality = {.score = NAN};
    psw_status rc = psw_policy_sample(p, PSW_PROMPTS_EVAL, &r, err);
    if (rc == PSW_OK)
        rc = psw_agree(p->trainer.team.comm,
                       psw_final_measure(&r, p->work->stage->data, &quality, err), err);
    psw_responses_clear(&r);
    *out = quality.score;
    return rc;
}

/* Since the rung before. */
static double find_mean(const struct psw_policy *p, const char *metric, int64_t begin,
                        int64_t end)
{
    const struct psw_train_log *log = &p->log;
    double sum = 0;
    int64_t n = 0;
    for (int i = 0; i < log->n_metric; i++)
        for (int64_t s = begin; strcmp(log->name[i], metric) == 0 && s < end; s++)
            if (s % log->every == 0) {
                sum += psw_train_log_at(log, s / log->every, i);
                n++;
            }
    return n > 0 ? sum / (double)n : NAN;
}

psw_status psw_policy_rung(struct psw_policy *p, int64_t n_step, struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    const struct psw_stop_rule *rule = stage->stop;
    const int64_t n = stage->config->policy.train.steps;
    double value = NAN;
    psw_status rc = PSW_OK;
    if (!rule || n_step == 0 || psw_stop_next_rung(rule, n_step - 1, n) != n_step)
        return PSW_OK;
    int64_t before = 0;
    for (int64_t s = psw_stop_next_rung(rule, 0, n); s && s < n_step;
         s = psw_stop_next_rung(rule, s, n))
        before = s;
    if (rule->metric == PSW_STOP_SCORE)
        rc = find_score(p, &value, err);
    else
        value = find_mean(p, psw_stop_metric_name(rule->metric), before, n_step);
    if (rc == PSW_OK) rc = psw_policy_emit_log(p, err);
    rc = psw_agree(p->trainer.team.comm, rc, err);
    if (rc == PSW_OK && stage->hooks.rung) stage->hooks.rung(stage->hooks.ctx, n_step, value);
    return rc;
}
