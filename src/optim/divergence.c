/* The rules of divergence and their words. */
#include <posweep/optim/divergence.h>

#include <math.h>

static const struct {
    const char *what, *unlearnt;
    double bound;
} RULES[PSW_N_DIVERGED] = {
    [PSW_DIVERGED_NORM] = {"the norm of the parameters", "that of the start", 4},
    [PSW_DIVERGED_SFT] = {"the loss per token", "ln of the vocabulary", 2},
    [PSW_DIVERGED_CHOSEN] = {"minus the mean log-probability of a chosen token",
                             "ln of the vocabulary", 10},
    [PSW_DIVERGED_REWARD] = {"the held-out loss of the reward model", "ln 2", 10},
};

double psw_divergence_bound(enum psw_divergence_rule rule)
{
    return RULES[rule].bound;
}

psw_status psw_divergence_check(enum psw_divergence_rule rule, double value, double unlearnt,
                                struct psw_divergence_at at, struct psw_error *err)
{
    if (isfinite(value) && value <= RULES[rule].bound * unlearnt) return PSW_OK;
    return psw_fail(err, PSW_EDIVERGED,
                    "training diverged at step %lld: %s is %.4g, more than %g times %s, %.4g; "
                    "lower the learning rate, now %g",
                    (long long)at.step, RULES[rule].what, value, RULES[rule].bound,
                    RULES[rule].unlearnt, unlearnt, at.lr);
}
