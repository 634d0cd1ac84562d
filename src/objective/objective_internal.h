/* What only this module shares: the rules of the pairwise methods and the items of the
 * on-policy ones. */
#ifndef POSWEEP_SRC_OBJECTIVE_INTERNAL_H
#define POSWEEP_SRC_OBJECTIVE_INTERNAL_H

#include <posweep/objective/onpolicy.h>
#include <posweep/objective/pairwise.h>

/** One response as a method sees it. */
struct psw_response {
    double logp, ref, n_tok;
    int side; /* PSW_CHOSEN or PSW_REJECTED */
};

/** Score s of a response and ds/dz, z its summed log-probability. */
struct psw_score {
    double value, slope;
};

/** Loss f(d) of a margin and omega = -f'(d). */
struct psw_margin_loss {
    double loss, omega;
};

/** How a pairwise method turns log-probabilities into loss and weight. */
struct psw_pair_rule {
    struct psw_score (*score)(const struct psw_pair_opts *opts, struct psw_response y);
    struct psw_margin_loss (*link)(const struct psw_pair_opts *opts, double margin);
    double (*nll)(const struct psw_pair_opts *opts);    /* times log pi(y+)/n+; NULL: no term */
    double (*reward)(const struct psw_pair_opts *opts); /* score to implicit reward */
};

/* One for each row of methods.def. */
#define PAIRWISE(id, name, ...) extern const struct psw_pair_rule psw_pair_rule_##name;
#define ONPOLICY(id, name, ...)
#include <posweep/config/methods.def>
#undef PAIRWISE
#undef ONPOLICY

/** Never NULL; `method` must be a pairwise one. */
const struct psw_pair_rule *psw_pair_rule_of(int method);

/** Normaliser of the rows of a response in the loss of an on-policy method. */
double psw_onpolicy_norm(int method, const struct psw_rollout_rows *rows, int64_t seq);

/** Items are what is grouped, shuffled and averaged: tokens where a critic gives each its own
 *  advantage (ppo), else responses, whose tokens share one (grpo, dapo). */
int psw_onpolicy_items_are_tokens(int method);
int64_t psw_onpolicy_n_item(int method, const struct psw_rollout_rows *rows);

/** The value of every item, from its first row. Shapes: row [n_row], item [n_item]. */
void psw_onpolicy_gather(int method, const struct psw_rollout_rows *rows, const double *row,
                         double *item);

/** pos_minus_neg from pos and neg. Shapes: coef [PSW_N_COMPONENT][n]. */
void psw_components_contrast(int64_t n, double *coef);

/** top, mid and bot where groups mean nothing: NaN. Shapes: coef [PSW_N_COMPONENT][n]. */
void psw_components_no_groups(int64_t n, double *coef);

/** The same as psw_pair_groups_differ for the items of an on-policy method, whose weights are
 *  |x|. Shapes: x, order [n]. */
int psw_item_groups_differ(int64_t n, const double *x, const int64_t *order);

/** Mean of |x|: what |A| becomes without reweighting. */
double psw_mean_magnitude(int64_t n, const double *x);

/** x with that magnitude and its own sign; 0 stays 0. */
double psw_flat_magnitude(double magnitude, double x);

#endif
