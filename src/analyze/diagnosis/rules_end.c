/* Rules about how a run ended, and what its final policy is like. */
#include "diagnosis_internal.h"

#include <posweep/analyze/apart.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int psw_rule_ended_badly(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                         char says[PSW_DIAGNOSIS_BYTES])
{
    const int64_t *status = psw_results_i64(p->results, "status");
    const enum psw_outcome outcome =
        status ? (enum psw_outcome)status[p->run] : PSW_OUTCOME_DONE;
    (void)rule;
    if (outcome != PSW_OUTCOME_FAILED && outcome != PSW_OUTCOME_DIVERGED) return 0;
    const struct psw_course lr = psw_fact_course(p, "lr");
    const struct psw_course norm = psw_fact_course(p, "grad_norm");
    int n = snprintf(says, PSW_DIAGNOSIS_BYTES, "the run %s: %.300s", psw_outcome_name(outcome),
                     psw_results_text(p->results, "message", p->run));
    if (lr.n > 0 && n < PSW_DIAGNOSIS_BYTES)
        snprintf(says + n, (size_t)(PSW_DIAGNOSIS_BYTES - n),
                 " (learning rate up to %.3g, gradient norms %.3g to %.3g)", lr.most,
                 norm.least, norm.most);
    return 1;
}

/** How the run is judged beside its replicates. */
static enum psw_apart judged(const struct psw_patient *p, const double *kl)
{
    const int64_t n_run = psw_results_dim(p->results, "run");
    const int64_t *status = psw_results_i64(p->results, "status");
    char *group = strdup(psw_results_text(p->results, "group", p->run));
    double *of_group = malloc(2 * sizeof *of_group * (size_t)n_run);
    enum psw_apart *apart = malloc(sizeof *apart * (size_t)n_run);
    enum psw_apart verdict = PSW_APART_NOT;
    int64_t n = 0, at = 0;
    for (int64_t r = 0; group && of_group && apart && status && r < n_run; r++) {
        if (strcmp(psw_results_text(p->results, "group", r), group) != 0) continue;
        if (r == p->run) at = n;
        apart[n] = status[r] == PSW_OUTCOME_DONE ? PSW_APART_NOT : PSW_APART_UNENDED;
        of_group[n++] = kl[r];
    }
    if (n > 0) {
        psw_apart_judge(of_group, n, PSW_MAX_KL, of_group + n_run, apart);
        verdict = apart[at];
    }
    free(apart);
    free(of_group);
    free(group);
    return verdict;
}

int psw_rule_ran_away(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                      char says[PSW_DIAGNOSIS_BYTES])
{
    const double *kl = psw_results_f64(p->results, "kl_ref");
    const enum psw_apart apart = kl ? judged(p, kl) : PSW_APART_NOT;
    (void)rule;
    if (apart != PSW_APART_KL && apart != PSW_APART_RATIO) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the final policy is %.3g nat away from the SFT model, %s; it is in no mean of "
             "`posweep show`",
             kl[p->run],
             apart == PSW_APART_KL ? "more than the 5 nat from which a run counts as run away"
                                   : "10 times the median of its replicates");
    return 1;
}

int psw_rule_unmoved(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                     char says[PSW_DIAGNOSIS_BYTES])
{
    const double kl = psw_fact(p, "kl_ref");
    if (!(fabs(kl) < rule->limit)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "hardly anything moved: the final policy is %.2g nat a response away from the SFT "
             "model, so D' is as good as that model's own and v mostly noise",
             kl);
    return 1;
}

int psw_rule_cut(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                 char says[PSW_DIAGNOSIS_BYTES])
{
    const double cut = psw_fact(p, "final_cut_rate");
    const double ends = psw_fact(p, "eos_rate"), ends_sft = psw_fact(p, "eos_rate_sft");
    if (!(cut > rule->limit)) return 0;
    const int n =
        snprintf(says, PSW_DIAGNOSIS_BYTES,
                 "%.0f %% of the final responses have no end: v is of beginnings", 100 * cut);
    if (isfinite(ends) && isfinite(ends_sft))
        snprintf(says + n, (size_t)(PSW_DIAGNOSIS_BYTES - n),
                 "; %.0f %% of the evaluation responses end by themselves, of the SFT model's "
                 "%.0f %%",
                 100 * ends, 100 * ends_sft);
    return 1;
}

int psw_rule_repeats(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                     char says[PSW_DIAGNOSIS_BYTES])
{
    const double rate = psw_fact(p, "final_repetition_rate");
    const double sft = psw_fact(p, "repetition_rate_sft");
    if (!(rate > rule->limit) || rate < 2 * sft) return 0;
    const int n = snprintf(says, PSW_DIAGNOSIS_BYTES,
                           "the policy has collapsed: %.0f %% of the final responses repeat "
                           "themselves, of %.3g tokens on average and with %.0f %% distinct "
                           "pairs of tokens",
                           100 * rate, psw_fact(p, "final_length"),
                           100 * psw_fact(p, "final_distinct_2"));
    if (isfinite(sft))
        snprintf(says + n, (size_t)(PSW_DIAGNOSIS_BYTES - n), " (SFT model: %.0f %% repeat)",
                 100 * sft);
    return 1;
}

int psw_rule_length(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                    char says[PSW_DIAGNOSIS_BYTES])
{
    const double now = psw_fact(p, "length"), sft = psw_fact(p, "length_sft");
    if (!(fabs(log(now / sft)) > log(rule->limit))) return 0;
    snprintf(
        says, PSW_DIAGNOSIS_BYTES,
        "the responses became %s: %.3g tokens, of the SFT model %.3g; a judge that prefers "
        "length rewards that alone",
        now > sft ? "longer" : "shorter", now, sft);
    return 1;
}

int psw_rule_overoptimised(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                           char says[PSW_DIAGNOSIS_BYTES])
{
    const double reward = psw_fact(p, "reward_final") - psw_fact(p, "reward_sft");
    const double score = psw_fact(p, "score") - psw_fact(p, "score_sft");
    (void)rule;
    if (!(reward > 0) || !(score < 0)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the reward model was exploited: by its own reckoning the policy gained %.3g on "
             "the SFT model, by the task's scorer it lost %.3g (reward model right on %.0f %% "
             "of held-out pairs)",
             reward, -score, 100 * psw_fact(p, "reward_model_accuracy"));
    return 1;
}

int psw_rule_worse(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                   char says[PSW_DIAGNOSIS_BYTES])
{
    const double high = psw_fact(p, "win_rate_high");
    if (!(high < rule->limit)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the policy loses against its SFT model: win rate %.2f [%.2f, %.2f]",
             psw_fact(p, "win_rate"), psw_fact(p, "win_rate_low"), high);
    return 1;
}
