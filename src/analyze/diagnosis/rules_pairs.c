/* Rules about learning from pairs: what became of the chosen and the rejected responses, and
 * what their gradients do to each other. */
#include "diagnosis_internal.h"

#include <posweep/analyze/stats.h>

#include <math.h>
#include <stdio.h>

/** Standard errors beyond which a change is one. */
static const double ERRORS = 2;

static int fell(struct psw_course c)
{
    return c.last < -ERRORS * c.se; /* from 0, where a policy is its own reference */
}

int psw_rule_both_fall(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                       char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course chosen = psw_fact_course(p, "reward_chosen");
    const struct psw_course rejected = psw_fact_course(p, "reward_rejected");
    const double beta = psw_fact_setting(p, "policy.beta");
    char in_nat[64] = "";
    (void)rule;
    if (!fell(chosen) || !fell(rejected)) return 0;
    if (beta > 0)
        snprintf(in_nat, sizeof in_nat, " (%.3g nat of log-probability a response)",
                 chosen.last / beta);
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the mean reward of the chosen responses fell to %.3g +- %.2g%s, that of the "
             "rejected to %.3g, the margin grew to %.3g. That is no bug: the loss asks for the "
             "margin, and is content when both fall and the rejected fall further",
             chosen.last, chosen.se, in_nat, rejected.last, chosen.last - rejected.last);
    return 1;
}

int psw_rule_displaced(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                       char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course logp = psw_fact_course(p, "logp_chosen");
    const struct psw_course reward = psw_fact_course(p, "reward_chosen");
    const struct psw_course rejected = psw_fact_course(p, "reward_rejected");
    (void)rule;
    const int has_reference = reward.n > 0;
    if (has_reference ? !fell(reward) || fell(rejected)
                      : !(logp.last - logp.first < -ERRORS * logp.se))
        return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the chosen responses became less likely: their mean log-probability went from "
             "%.4g to %.4g nat (first and last quarter of the log, +- %.2g)",
             logp.first, logp.last, logp.se);
    return 1;
}

int psw_rule_pushed_down(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                         char says[PSW_DIAGNOSIS_BYTES])
{
    int64_t n = 0, n_down = 0, worst = -1;
    double lowest = 0;
    for (int64_t k = 0; k < p->n_checkpoint; k++) {
        const double g = psw_fact_along(p, "chosen", k, "total");
        if (!isfinite(g)) continue;
        n++;
        n_down += g < 0;
        if (g < lowest) lowest = g, worst = k;
    }
    if (n == 0 || (double)n_down < rule->limit * (double)n || worst < 0) return 0;
    const struct psw_course logp = psw_fact_course(p, "logp_chosen");
    char realised[96] = "";
    if (logp.n > 1)
        snprintf(realised, sizeof realised, "; over the run it went from %.4g to %.4g nat",
                 logp.first, logp.last);
    snprintf(
        says, PSW_DIAGNOSIS_BYTES,
        "to first order, a step of gradient descent lowers the mean log-probability of "
        "the chosen responses at %lld of %lld checkpoints: by %.3g times the learning rate "
        "at step %.0f, where the chosen responses' part gives %+.3g and the rejected ones' "
        "%+.3g%s",
        (long long)n_down, (long long)n, -lowest, psw_fact_step(p, worst),
        psw_fact_along(p, "chosen", worst, "pos"), psw_fact_along(p, "chosen", worst, "neg"),
        realised);
    return 1;
}

int psw_rule_entangled(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                       char says[PSW_DIAGNOSIS_BYTES])
{
    double least = INFINITY, most = -INFINITY, sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < p->n_checkpoint; k++) {
        const struct psw_entanglement e = psw_fact_entanglement(p, k);
        if (!e.is_known) continue;
        least = fmin(least, e.cosine);
        most = fmax(most, e.cosine);
        sum += e.cosine;
        n++;
    }
    if (n == 0 || sum / (double)n < rule->limit) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "what raises the chosen responses raises the rejected ones, too: the two "
             "directions have a cosine of %.2f (%.2f to %.2f over %lld checkpoints), so the "
             "two parts of the loss largely undo each other",
             sum / (double)n, least, most, (long long)n);
    return 1;
}

int psw_rule_out_of_band(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                         char says[PSW_DIAGNOSIS_BYTES])
{
    int64_t n = 0, n_below = 0, n_above = 0, worst = -1;
    double farthest = 0;
    for (int64_t k = 0; k < p->n_checkpoint; k++) {
        const struct psw_entanglement e = psw_fact_entanglement(p, k);
        if (!e.is_known) continue;
        const int is_below = e.ratio<e.cosine, is_above = e.ratio> 1 / e.cosine;
        n++;
        n_below += is_below;
        n_above += is_above && e.cosine > 0;
        if ((is_below || (is_above && e.cosine > 0)) && fabs(log(e.ratio)) > farthest) {
            farthest = fabs(log(e.ratio));
            worst = k;
        }
    }
    if (worst < 0 || (double)(n_below + n_above) < rule->limit * (double)n) return 0;
    const struct psw_entanglement e = psw_fact_entanglement(p, worst);
    const double alpha = exp(-0.5 * log(e.ratio));
    snprintf(
        says, PSW_DIAGNOSIS_BYTES,
        "a plain gradient step lowers the chosen responses at %lld and raises the "
        "rejected ones at %lld of %lld checkpoints: at step %.0f the positive part is %.2f "
        "times as large as the negative one, outside of the band [%.2f, %.2f] in which "
        "the chosen rise and the rejected fall. The middle of the band would be the "
        "positive part times %.2f and the negative part times %.2f",
        (long long)n_below, (long long)n_above, (long long)n, psw_fact_step(p, worst), e.ratio,
        e.cosine, 1 / e.cosine, alpha, 1 / alpha);
    return 1;
}

int psw_rule_not_learning(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                          char says[PSW_DIAGNOSIS_BYTES])
{
    const struct psw_course loss = psw_fact_course(p, "train_loss");
    if (!(loss.last - loss.first > -rule->limit * loss.se)) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the training loss did not fall: %.4g in the first quarter of the log, %.4g +- "
             "%.2g in the last",
             loss.first, loss.last, loss.se);
    return 1;
}

int psw_rule_overfits(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                      char says[PSW_DIAGNOSIS_BYTES])
{
    double first = NAN, last = NAN, least = INFINITY;
    int64_t at = -1;
    for (int64_t k = 0; k < p->n_checkpoint; k++) {
        const double x = psw_fact_at(p, "trace_heldout_loss", k);
        if (!isfinite(x)) continue;
        if (isnan(first)) first = x;
        if (x < least) least = x, at = k;
        last = x;
    }
    const struct psw_course train = psw_fact_course(p, "train_loss");
    if (!(last - least > rule->limit * (first - least)) || !(train.last < train.first))
        return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "the loss on held-out pairs was least at step %.0f (%.4g, from %.4g at the start) "
             "and rose to %.4g, while that on the training pairs fell from %.4g to %.4g",
             psw_fact_step(p, at), least, first, last, train.first, train.last);
    return 1;
}
