/* The table of methods, its scores and its links. Formulas: SCIENCE section 2 and CONTRACT; the
 * test compares every row with finite differences of losses written independently. */
#include "objective_internal.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

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

static struct psw_link link_logistic(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin;
    return (struct psw_link){-psw_log_sigmoid(h), opts->beta * psw_sigmoid(-h)};
}

static struct psw_link link_shifted(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin - opts->gamma;
    return (struct psw_link){-psw_log_sigmoid(h), opts->beta * psw_sigmoid(-h)};
}

static struct psw_link link_square(const struct psw_pair_opts *opts, double margin)
{
    const double gap = 1.0 / (2.0 * opts->beta) - margin;
    return (struct psw_link){gap * gap, 2.0 * gap};
}

static struct psw_link link_hinge(const struct psw_pair_opts *opts, double margin)
{
    const double gap = 1.0 - opts->beta * margin;
    if (gap <= 0.0) return (struct psw_link){0.0, 0.0};
    return (struct psw_link){gap, isnan(gap) ? gap : opts->beta};
}

static struct psw_link link_smoothed(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin, e = opts->epsilon;
    return (struct psw_link){-(1.0 - e) * psw_log_sigmoid(h) - e * psw_log_sigmoid(-h),
                             opts->beta * (psw_sigmoid(-h) - e)};
}

static struct psw_link link_robust(const struct psw_pair_opts *opts, double margin)
{
    const double h = opts->beta * margin, e = opts->epsilon, scale = 1.0 / (1.0 - 2.0 * e);
    return (struct psw_link){scale *
                                 (-(1.0 - e) * psw_log_sigmoid(h) + e * psw_log_sigmoid(-h)),
                             opts->beta * (psw_sigmoid(-h) + e * scale)};
}

static struct psw_link link_odds_ratio(const struct psw_pair_opts *opts, double margin)
{
    return (struct psw_link){-opts->alpha * psw_log_sigmoid(margin),
                             opts->alpha * psw_sigmoid(-margin)};
}

/* sft: the "margin" is the chosen score alone. */
static struct psw_link link_likelihood(const struct psw_pair_opts *opts, double margin)
{
    (void)opts;
    return (struct psw_link){-margin, 1.0};
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

enum {
    BETA = PSW_READS_BETA,
    GAMMA = PSW_READS_GAMMA,
    EPSILON = PSW_READS_EPSILON,
    LAMBDA = PSW_READS_LAMBDA,
    ALPHA = PSW_READS_ALPHA
};

static const struct psw_method_row METHODS[PSW_N_METHOD] = {
    [PSW_METHOD_DPO] = {{"dpo", BETA, 1, 1, 0, "-log sigma(beta Delta)",
                         "Rafailov et al. 2023, arXiv 2305.18290, eq. 7", 0},
                        score_ratio,
                        link_logistic,
                        NULL,
                        by_beta},
    [PSW_METHOD_IPO] = {{"ipo", BETA, 1, 1, 0, "(Delta - 1/(2 beta))^2",
                         "Azar et al. 2023, arXiv 2310.12036, eq. 17", 0},
                        score_ratio,
                        link_square,
                        NULL,
                        by_beta},
    [PSW_METHOD_HINGE] = {{"hinge", BETA, 1, 1, 0, "max(0, 1 - beta Delta)",
                           "Liu et al. 2023 (RSO), arXiv 2309.06657; Zhao et al. 2023 (SLiC)",
                           0},
                          score_ratio,
                          link_hinge,
                          NULL,
                          by_beta},
    [PSW_METHOD_SIMPO] = {{"simpo", BETA | GAMMA, 1, 0, 0,
                           "-log sigma(beta (z+/n+ - z-/n-) - gamma)",
                           "Meng et al. 2024, arXiv 2405.14734, eq. 6", 0},
                          score_logp_per_token,
                          link_shifted,
                          NULL,
                          by_beta},
    [PSW_METHOD_DPO_NORM] = {{"dpo_norm", BETA, 1, 1, 0, "-log sigma(beta (r+/n+ - r-/n-))",
                              "Meng et al. 2024, arXiv 2405.14734 (length-normalised DPO); "
                              "Lambert et al. 2024 (Tulu 3), arXiv 2411.15124, eq. 6",
                              0},
                             score_ratio_per_token,
                             link_logistic,
                             NULL,
                             by_beta},
    [PSW_METHOD_DPO_SMOOTH] = {{"dpo_smooth", BETA | EPSILON, 1, 1, 0,
                                "-(1-epsilon) log sigma(beta Delta) "
                                "- epsilon log sigma(-beta Delta)",
                                "Mitchell 2023, A note on DPO with noisy preferences, eq. 3",
                                0},
                               score_ratio,
                               link_smoothed,
                               NULL,
                               by_beta},
    [PSW_METHOD_DPO_ROBUST] = {{"dpo_robust", BETA | EPSILON, 1, 1, 0,
                                "[-(1-epsilon) log sigma(beta Delta) "
                                "+ epsilon log sigma(-beta Delta)] / (1-2 epsilon)",
                                "Chowdhury et al. 2024, arXiv 2403.00409", 0},
                               score_ratio,
                               link_robust,
                               NULL,
                               by_beta},
    [PSW_METHOD_DPOP] = {{"dpop", BETA | LAMBDA, 1, 1, 0,
                          "-log sigma(beta (Delta - lambda max(0, -r+)))",
                          "Pal et al. 2024 (Smaug), arXiv 2402.13228, eq. 3", 0},
                         score_ratio_penalised,
                         link_logistic,
                         NULL,
                         by_beta},
    [PSW_METHOD_ORPO] = {{"orpo", ALPHA, 1, 0, 1,
                          "-z+/n+ - alpha log sigma(log odds+ - log odds-)",
                          "Hong et al. 2024, arXiv 2403.07691, eq. 6-7", 0},
                         score_log_odds,
                         link_odds_ratio,
                         by_one,
                         by_one},
    [PSW_METHOD_CPO] = {{"cpo", BETA | ALPHA, 1, 0, 1,
                         "-log sigma(beta (z+ - z-)) - alpha z+/n+",
                         "Xu et al. 2024, arXiv 2401.08417, eq. 5", 0},
                        score_logp,
                        link_logistic,
                        by_alpha,
                        by_beta},
    [PSW_METHOD_RPO] = {{"rpo", BETA | ALPHA, 1, 1, 1, "-log sigma(beta Delta) - alpha z+/n+",
                         "Pang et al. 2024, arXiv 2404.19733, eq. 1", 0},
                        score_ratio,
                        link_logistic,
                        by_alpha,
                        by_beta},
    [PSW_METHOD_SFT] = {{"sft", 0, 0, 0, 0, "-z+", "maximum likelihood of the chosen response",
                         0},
                        score_logp,
                        link_likelihood,
                        NULL,
                        by_one},
    [PSW_METHOD_PPO] = {.info = {"ppo", 0, 0, 1, 0, "-min(rho A, clip(rho) A), token mean",
                                 "Schulman et al. 2017, arXiv 1707.06347, eq. 7", 1}},
    [PSW_METHOD_GRPO] = {.info = {"grpo", 0, 0, 1, 0,
                                  "-min(rho A, clip(rho) A) + beta k3, response mean",
                                  "Shao et al. 2024 (DeepSeekMath), arXiv 2402.03300, eq. 3",
                                  1}},
    [PSW_METHOD_DAPO] = {.info = {"dapo", 0, 0, 0, 0,
                                  "-min(rho A, clip(rho) A), token mean, clip-higher",
                                  "Yu et al. 2025 (DAPO), arXiv 2503.14476, eq. 8", 1}},
};

const struct psw_method_row *psw_method_row(int method)
{
    PSW_ASSERT(method >= 0 && method < PSW_N_METHOD);
    return &METHODS[method];
}

const struct psw_method_info *psw_method_info(int method)
{
    return &psw_method_row(method)->info;
}

int psw_method_find(const char *name)
{
    for (int m = 0; m < PSW_N_METHOD; m++)
        if (strcmp(METHODS[m].info.name, name) == 0) return m;
    return -1;
}

struct psw_pair_opts psw_pair_opts_of(const struct psw_config *config)
{
    const struct psw_config_policy *p = &config->policy;
    return (struct psw_pair_opts){.method = p->method,
                                  .beta = p->beta,
                                  .gamma = p->gamma,
                                  .epsilon = p->epsilon,
                                  .lambda = p->lambda,
                                  .alpha = p->alpha};
}

/** The range of an option; the upper end is excluded, the lower one when `open`. */
struct option_range {
    unsigned bit;
    const char *name;
    size_t offset;
    double min, max;
    int open;
};

#define OPTION(field) #field, offsetof(struct psw_pair_opts, field)
static const struct option_range RANGES[] = {
    {PSW_READS_BETA, OPTION(beta), 0.0, INFINITY, 1},
    {PSW_READS_GAMMA, OPTION(gamma), 0.0, INFINITY, 0},
    {PSW_READS_EPSILON, OPTION(epsilon), 0.0, 0.5, 0},
    {PSW_READS_LAMBDA, OPTION(lambda), 0.0, INFINITY, 0},
    {PSW_READS_ALPHA, OPTION(alpha), 0.0, INFINITY, 0},
};

psw_status psw_pair_opts_check(const struct psw_pair_opts *opts, struct psw_error *err)
{
    if (opts->method < 0 || opts->method >= PSW_N_PAIRWISE)
        return psw_fail(err, PSW_EINVAL, "objective: there is no pairwise method %d",
                        opts->method);
    const struct psw_method_info *info = psw_method_info(opts->method);
    for (size_t i = 0; i < sizeof RANGES / sizeof *RANGES; i++) {
        const struct option_range *r = &RANGES[i];
        if (!(info->reads & r->bit)) continue;
        const double value = *(const double *)((const char *)opts + r->offset);
        if ((r->open ? value > r->min : value >= r->min) && value < r->max) continue;
        return psw_fail(err, PSW_EINVAL, "objective %s: %s is %g, expected a number %s %g%s",
                        info->name, r->name, value, r->open ? "above" : "of at least", r->min,
                        isinf(r->max) ? "" : " and below 0.5");
    }
    return PSW_OK;
}
