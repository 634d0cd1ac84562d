/* Rules about learning from own samples: whether the clip, the groups and the critic do what
 * they are for. */
#include "diagnosis_internal.h"

#include <math.h>
#include <stdio.h>

int psw_rule_clip_idle(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                       char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course clip = psw_fact_course(p, "clip_fraction");
    const double n_update =
        psw_fact_setting(p, "policy.epochs") * psw_fact_setting(p, "policy.minibatches");
    if (!(clip.most < rule->limit)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the clip never acted: at most %.2g %% of a step's tokens were clipped%s",
             100 * clip.most,
             n_update == 1 ? "; with one update a step it cannot, since the policy is then the "
                             "one that sampled"
                           : "");
    return 1;
}

int psw_rule_clip_everywhere(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                             char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course clip = psw_fact_course(p, "clip_fraction");
    if (!(clip.mean > rule->limit)) return 0;
    snprintf(
        says, PSW_DIAGNOSIS_BYTES,
        "%.0f %% of the tokens were clipped on average (%.0f %% at most): the updates of a "
        "step go farther than the clip allows, and most of the gradient is thrown away",
        100 * clip.mean, 100 * clip.most);
    return 1;
}

int psw_rule_equal_groups(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                          char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course mixed = psw_fact_course(p, "mixed_groups");
    if (!(mixed.mean < rule->limit)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "only %.0f %% of the prompts had responses of different reward (%.0f %% at first, "
             "%.0f %% in the end); the other groups have advantage 0 and teach nothing",
             100 * mixed.mean, 100 * mixed.first, 100 * mixed.last);
    return 1;
}

int psw_rule_blind_critic(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                          char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course explained = psw_fact_course(p, "explained_variance");
    if (!(explained.last < rule->limit)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the value function explains %.1f %% of the variance of the returns in the last "
             "quarter of the log: advantages are then no better than rewards minus a constant",
             100 * explained.last);
    return 1;
}

int psw_rule_entropy_gone(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                          char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course entropy = psw_fact_course(p, "train_entropy");
    if (!(entropy.last < rule->limit * entropy.first)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the policy's entropy fell from %.3g to %.3g nat a token: hardly anything is left "
             "to explore",
             entropy.first, entropy.last);
    return 1;
}
