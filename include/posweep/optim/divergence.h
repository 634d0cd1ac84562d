/* When training counts as diverged: one table of rules, each a number over what it would be
 * without any learning, and the multiple of it that is too much. A number that is not finite
 * has always diverged, and so have a gradient norm and a direction v that are not.
 *
 * The bounds are for ruins, not for runs that optimise too much: measured on all methods, the
 * norm of the parameters of sound runs grows to 1.3 at most, of over-optimised ones (KL of 300
 * nat) to 2.6, of ruined ones to 7 and more (adamw at a learning rate of 0.1 from the 48th
 * update on); a chosen token costs 0.3 times what a guess does in sound runs, up to 2.4 times
 * in over-optimised ones, 11 times and more at a learning rate of 1. Losses themselves do not
 * tell: that of ipo starts at 25, that of dpo_robust falls below 0, that of ppo and dapo is 0
 * in many a ruin. Neither does ||v||, which is 0 to 1,400 in ruins and 2 to 700 elsewhere. */
#ifndef POSWEEP_OPTIM_DIVERGENCE_H
#define POSWEEP_OPTIM_DIVERGENCE_H

#include <posweep/util/status.h>
#include <stdint.h>

enum psw_divergence_rule {
    PSW_DIVERGED_NORM,   /* norm of the parameters, over that of the model training began from:
                            of policy, critic and reward model, after every update */
    PSW_DIVERGED_SFT,    /* loss per token over ln V, at the end of sft */
    PSW_DIVERGED_CHOSEN, /* nat per token of a batch's chosen responses over ln V: methods on
                            pairs, at every step */
    PSW_DIVERGED_REWARD, /* held-out loss of the reward model over ln 2, at its end */
    PSW_N_DIVERGED
};

/** Multiple of the unlearnt value above which a rule finds divergence. MPI: Local. */
double psw_divergence_bound(enum psw_divergence_rule rule);

/** Where a number was met. */
struct psw_divergence_at {
    int64_t step;
    double lr; /* peak learning rate in use: what the message says to lower */
};

/** Hold a number against a rule; unlearnt: what it is without learning, e.g. ln V.
 *  MPI: Local. Errors: PSW_EDIVERGED with number, bound, step and what to do. */
psw_status psw_divergence_check(enum psw_divergence_rule rule, double value, double unlearnt,
                                struct psw_divergence_at at,
                                struct psw_error *err) PSW_MUST_CHECK;

#endif
