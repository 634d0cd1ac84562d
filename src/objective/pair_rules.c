/* The rule of each pairwise method: a score of a response, a link from the margin to the loss,
 * and what its NLL term and its implicit reward are multiplied by. Formulas: SCIENCE section 2;
 * the test compares every rule with finite differences of losses written independently. */
#include "objective_internal.h"

#include <math.h>

/* ---- scores: log-probability of a response -> s, ds/dz ---- */

static struct psw_score score_ratio(const struct psw_pair_opts *opts, struct psw_response y)
{
    (void)opts;
    return (struct psw_score){y.logp - y.ref, 1.0};
}

static struct psw_score score_ratio_per_token(const struct psw_pair_opts *opts,
                                              struct psw_response y)
{
    (void)opts;
    return (struct psw_score){(y.logp - y.ref) / y.n_tok, 1.0 / y.n_tok};
}

static struct psw_score score_logp(const struct psw_pair_opts *opts, struct psw_response y)
{
    (void)opts;
    return (struct psw_score){y.logp, 1.0};
}

static struct psw_score score_logp_per_token(const struct psw_pair_opts *opts,
                                             struct psw_response y)
{
    (void)opts;
    return (struct psw_score){y.logp / y.n_tok, 1.0 / y.n_tok};
}

/* dpop: the chosen response pays lambda for every nat that it falls below the reference. Within
 * rounding it has not fallen: at the first step, where the policy is the reference, the last
 * bits would otherwise choose which pairs weigh 1 + lambda times as much. */
static struct psw_score score_ratio_penalised(const struct psw_pair_opts *opts,
                                              struct psw_response y)
{
    const double r = y.logp - y.ref;
    const double floor = -psw_logp_rounding(y.logp, y.ref, y.n_tok);
    if (y.side != PSW_CHOSEN || !(r < floor)) return (struct psw_score){r, 1.0};
    return (struct psw_score){r + opts->lambda * r, 1.0 + opts->lambda};
}

/* orpo: log(p/(1-p)) of the per-token geometric mean p. Log-probabilities come from float32
 * arithmetic, which cannot tell p from 1 above 1 - 2^-24: there p stays, and the weight, whose
 * limit is infinite for the rejected response, stays finite. */
static struct psw_score score_log_odds(const struct psw_pair_opts *opts, struct psw_response y)
{
    (void)opts;
    const double mean = y.logp / y.n_tok, nearest = -0x1p-24;
    const double a = mean > nearest ? nearest : mean; /* NaN stays */
    const double log_rest = a > -0.693 ? log(-expm1(a)) : log1p(-exp(a));
    return (struct psw_score){a - log_rest, 1.0 / (y.n_tok * -expm1(a))};
}

/* ---- links: margin d -> f(d), omega = -f'(d) ---- */

static struct psw_margin_loss link_logistic(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin;
    return (struct psw_margin_loss){-psw_log_sigmoid(h), opts->beta * psw_sigmoid(-h)};
}

static struct psw_margin_loss link_shifted(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin - opts->gamma;
    return (struct psw_margin_loss){-psw_log_sigmoid(h), opts->beta * psw_sigmoid(-h)};
}

static struct psw_margin_loss link_square(const struct psw_pair_opts *opts, double margin)
{
    const double gap = 1.0 / (2.0 * opts->beta) - margin;
    return (struct psw_margin_loss){gap * gap, 2.0 * gap};
}

static struct psw_margin_loss link_hinge(const struct psw_pair_opts *opts, double margin)
{
    const double gap = 1.0 - opts->beta * margin;
    if (gap <= 0.0) return (struct psw_margin_loss){0.0, 0.0};
    return (struct psw_margin_loss){gap, isnan(gap) ? gap : opts->beta};
}

static struct psw_margin_loss link_smoothed(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin, e = opts->epsilon;
    return (struct psw_margin_loss){-(1.0 - e) * psw_log_sigmoid(h) - e * psw_log_sigmoid(-h),
                                    opts->beta * (psw_sigmoid(-h) - e)};
}

static struct psw_margin_loss link_robust(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin, e = opts->epsilon, scale = 1.0 / (1.0 - 2.0 * e);
    return (struct psw_margin_loss){
        scale * (-(1.0 - e) * psw_log_sigmoid(h) + e * psw_log_sigmoid(-h)),
        opts->beta * (psw_sigmoid(-h) + e * scale)};
}

static struct psw_margin_loss link_odds_ratio(const struct psw_pair_opts *opts, double margin)
{
    return (struct psw_margin_loss){-opts->alpha * psw_log_sigmoid(margin),
                                    opts->alpha * psw_sigmoid(-margin)};
}

/* sft: the "margin" is the chosen score alone. */
static struct psw_margin_loss link_likelihood(const struct psw_pair_opts *opts, double margin)
{
    (void)opts;
    return (struct psw_margin_loss){-margin, 1.0};
}

/* ---- coefficients ---- */

static double by_alpha(const struct psw_pair_opts *opts)
{
    return opts->alpha;
}

static double by_beta(const struct psw_pair_opts *opts)
{
    return opts->beta;
}

static double by_one(const struct psw_pair_opts *opts)
{
    (void)opts;
    return 1.0;
}

const struct psw_pair_rule psw_pair_rule_dpo = {score_ratio, link_logistic, NULL, by_beta};
const struct psw_pair_rule psw_pair_rule_ipo = {score_ratio, link_square, NULL, by_beta};
const struct psw_pair_rule psw_pair_rule_hinge = {score_ratio, link_hinge, NULL, by_beta};
const struct psw_pair_rule psw_pair_rule_simpo = {score_logp_per_token, link_shifted, NULL,
                                                  by_beta};
const struct psw_pair_rule psw_pair_rule_dpo_norm = {score_ratio_per_token, link_logistic, NULL,
                                                     by_beta};
const struct psw_pair_rule psw_pair_rule_dpo_smooth = {score_ratio, link_smoothed, NULL,
                                                       by_beta};
const struct psw_pair_rule psw_pair_rule_dpo_robust = {score_ratio, link_robust, NULL, by_beta};
const struct psw_pair_rule psw_pair_rule_dpop = {score_ratio_penalised, link_logistic, NULL,
                                                 by_beta};
const struct psw_pair_rule psw_pair_rule_orpo = {score_log_odds, link_odds_ratio, by_one,
                                                 by_one};
const struct psw_pair_rule psw_pair_rule_cpo = {score_logp, link_logistic, by_alpha, by_beta};
const struct psw_pair_rule psw_pair_rule_rpo = {score_ratio, link_logistic, by_alpha, by_beta};
const struct psw_pair_rule psw_pair_rule_sft = {score_logp, link_likelihood, NULL, by_one};
