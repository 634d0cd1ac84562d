/* Rules about the trace of G: how far it is to be trusted, and which part it speaks against. */
#include "diagnosis_internal.h"

#include <posweep/analyze/signs.h>

#include <math.h>
#include <stdio.h>

/** The direction with the least noise that the run has a trace along. */
static enum psw_along along_of(const struct psw_patient *p)
{
    const int64_t total = psw_results_component(p->results, "total");
    return psw_trace_has(&p->traces, PSW_ALONG_SOFT, p->run, total) ? PSW_ALONG_SOFT
                                                                    : PSW_ALONG_SAMPLED;
}

/** Signs of a component along the trace. */
struct tally {
    int64_t n, n_below, n_open;
    double from; /* step of the first point below 0 */
};

static struct tally tally_of(const struct psw_patient *p, const char *component)
{
    struct tally t = {.from = NAN};
    const int64_t c = psw_results_component(p->results, component);
    for (int64_t k = 0; c >= 0 && k < psw_trace_length(&p->traces, p->run); k++) {
        const struct psw_trace_value v = psw_trace_at(&p->traces, along_of(p), p->run, k, c);
        const enum psw_sign sign = psw_sign_of(v.g, v.se);
        if (sign == PSW_SIGN_UNKNOWN) continue;
        if (sign == PSW_SIGN_BELOW && t.n_below == 0) t.from = v.step;
        t.n++;
        t.n_below += sign == PSW_SIGN_BELOW;
        t.n_open += sign == PSW_SIGN_OPEN;
    }
    return t;
}

int psw_rule_against_the_end(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                             char says[PSW_DIAGNOSIS_BYTES])
{
    static const struct {
        const char *name, *other, *what;
    } PARTS[] = {{"pos", "neg", "positive"}, {"neg", "pos", "negative"}};
    int found = -1;
    struct tally worst = {0};
    for (int i = 0; i < 2; i++) {
        const struct tally t = tally_of(p, PARTS[i].name);
        if (t.n < 2 || (double)t.n_below < rule->limit * (double)t.n) continue;
        if (found < 0 || t.n_below > worst.n_below) found = i, worst = t;
    }
    if (found < 0) return 0;
    snprintf(
        says, PSW_DIAGNOSIS_BYTES,
        "the %s part of the loss moves the policy away from its own final responses at "
        "%lld of %lld checkpoints, first at step %.0f: G(%s) is below 0 there by more than "
        "its error, and G(%s) makes up for it",
        PARTS[found].what, (long long)worst.n_below, (long long)worst.n, worst.from,
        PARTS[found].name, PARTS[found].other);
    return 1;
}

int psw_rule_unclear(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                     char says[PSW_DIAGNOSIS_BYTES])
{
    const struct tally t = tally_of(p, "total");
    if (t.n < 2 || (double)t.n_open < rule->limit * (double)t.n) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "at %lld of %lld checkpoints G(total) along %s is not known to differ from 0: the "
             "trace says little",
             (long long)t.n_open, (long long)t.n,
             along_of(p) == PSW_ALONG_SOFT ? "v soft" : "v as D' was drawn");
    return 1;
}

int psw_rule_few_finals(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                        char says[PSW_DIAGNOSIS_BYTES])
{
    const double norm = psw_fact_at(p, "v_norm", 0), halves = psw_fact_at(p, "v_halves", 0);
    const double n = psw_fact(p, "final_prompts");
    const double signal = halves / (norm * norm);
    if (!(signal < rule->limit)) return 0;
    const int used =
        snprintf(says, PSW_DIAGNOSIS_BYTES,
                 "v is mostly noise already at the first checkpoint: of the square "
                 "of its norm, %.3g, only %.0f %% is there in both halves of D'",
                 norm * norm, signal > 0 ? 100 * signal : 0);
    if (signal > 0 && n > 0) /* noise falls as 1 / n; as much signal as noise at... */
        snprintf(says + used, (size_t)(PSW_DIAGNOSIS_BYTES - used),
                 ". D' has %.0f prompts; with about %.0f it would be half", n,
                 ceil(n * (1 - signal) / signal));
    return 1;
}

int psw_rule_long_trial(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                        char says[PSW_DIAGNOSIS_BYTES])
{
    int64_t n = 0, n_off = 0, worst = -1;
    double farthest = 0;
    for (int64_t k = 0; k + 1 < p->n_checkpoint; k++) { /* at the last one, G is 0 */
        const double predicted = psw_fact_of(p, "predicted", k, "total");
        const double realised = psw_fact_of(p, "realised", k, "total");
        const double off = fabs(realised - predicted) / fabs(predicted);
        if (!isfinite(off)) continue;
        n++;
        n_off += off > rule->limit;
        if (off > farthest) farthest = off, worst = k;
    }
    if (n == 0 || 2 * n_off < n || worst < 0) return 0;
    snprintf(says, PSW_DIAGNOSIS_BYTES,
             "trial steps do not do what G predicts at %lld of %lld checkpoints: at step %.0f "
             "%+.3g nat instead of %+.3g. They are too long for first order, or G is 0 there",
             (long long)n_off, (long long)n, psw_fact_step(p, worst),
             psw_fact_of(p, "realised", worst, "total"),
             psw_fact_of(p, "predicted", worst, "total"));
    return 1;
}
