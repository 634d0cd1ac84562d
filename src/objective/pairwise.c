/* One pass over the pairs, for any row of the registry. */
#include "objective_internal.h"

#include <math.h>
#include <posweep/objective/order.h>

double psw_log_sigmoid(double x)
{
    return x < 0.0 ? x - log1p(exp(x)) : -log1p(exp(-x));
}

double psw_sigmoid(double x)
{
    if (x >= 0.0) return 1.0 / (1.0 + exp(-x));
    const double e = exp(x); /* keeps full relative accuracy of a small value; NaN stays */
    return e / (1.0 + e);
}

static psw_status in_check(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                           struct psw_error *err)
{
    const psw_status rc = psw_pair_opts_check(opts, err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < in->n_pair * PSW_N_SIDE; i++)
        if (in->n_tok[i] < 1)
            return psw_fail(err, PSW_EINVAL,
                            "objective: %s response of pair %lld has no tokens",
                            i % PSW_N_SIDE == PSW_CHOSEN ? "chosen" : "rejected",
                            (long long)(i / PSW_N_SIDE));
    return PSW_OK;
}

/** What one pair amounts to. */
struct pair {
    struct psw_score score[PSW_N_SIDE];
    struct psw_link link;
    double slope[PSW_N_SIDE]; /* ds/dz, signed by the side */
};

static struct pair pair_at(const struct psw_method_row *row, const struct psw_pair_opts *opts,
                           const struct psw_pair_in *in, int64_t i, int flat)
{
    struct pair p = {0};
    for (int side = 0; side < PSW_N_SIDE; side++) {
        const int64_t at = i * PSW_N_SIDE + side;
        struct psw_response y = {.logp = in->logp[at],
                                 .ref = row->info.has_reference ? in->ref[at] : 0.0,
                                 .n_tok = (double)in->n_tok[at],
                                 .side = side};
        p.score[side] = row->score(opts, y);
        p.slope[side] = p.score[side].slope;
        if (flat && row->info.has_reference) { /* the margin is 0 where pi is the reference */
            y.logp = y.ref;
            p.slope[side] = row->score(opts, y).slope;
        }
    }
    const double rejected = row->info.has_pairs ? p.score[PSW_REJECTED].value : 0.0;
    p.link = row->link(opts, p.score[PSW_CHOSEN].value - rejected);
    if (flat) p.link.omega = row->link(opts, 0.0).omega;
    p.slope[PSW_REJECTED] *= row->info.has_pairs ? -1.0 : 0.0;
    return p;
}

static void pairs_write(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                        const struct psw_pair_out *out, int flat)
{
    const struct psw_method_row *row = psw_method_row(opts->method);
    const double nll = row->nll ? row->nll(opts) : 0.0, reward = row->reward(opts);
    for (int64_t i = 0; i < in->n_pair; i++) {
        const int64_t at = i * PSW_N_SIDE;
        const struct pair p = pair_at(row, opts, in, i, flat);
        const double per_tok = nll / (double)in->n_tok[at + PSW_CHOSEN];
        const double z = in->logp[at + PSW_CHOSEN];
        if (out->loss) out->loss[i] = p.link.loss - (row->nll ? per_tok * z : 0.0);
        if (out->nll) out->nll[i] = per_tok;
        if (out->omega) out->omega[i] = p.link.omega;
        for (int side = 0; side < PSW_N_SIDE; side++) {
            if (out->weight) out->weight[at + side] = p.link.omega * p.slope[side];
            if (out->score) out->score[at + side] = reward * p.score[side].value;
        }
    }
}

psw_status psw_objective_pairwise(const struct psw_pair_opts *opts,
                                  const struct psw_pair_in *in, const struct psw_pair_out *out,
                                  struct psw_error *err)
{
    const psw_status rc = in_check(opts, in, err);
    if (rc == PSW_OK) pairs_write(opts, in, out, 0);
    return rc;
}

psw_status psw_objective_flat(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                              const struct psw_pair_out *out, struct psw_error *err)
{
    const psw_status rc = in_check(opts, in, err);
    if (rc == PSW_OK) pairs_write(opts, in, out, 1);
    return rc;
}

double psw_logp_rounding(double logp, double ref, double n_tok)
{
    return PSW_LOGP_ROUNDING * (fabs(logp) + fabs(ref) + n_tok);
}

/* |omega| of a pair at the least and at the most, given the rounding of its margin. */
static void omega_range(const struct psw_method_row *row, const struct psw_pair_opts *opts,
                        const struct psw_pair_in *in, int64_t i, double range[2])
{
    const struct pair p = pair_at(row, opts, in, i, 0);
    double margin = p.score[PSW_CHOSEN].value, rounding = 0.0;
    if (row->info.has_pairs) margin -= p.score[PSW_REJECTED].value;
    for (int side = 0; side < PSW_N_SIDE; side++) {
        const int64_t at = i * PSW_N_SIDE + side;
        const double ref = row->info.has_reference ? in->ref[at] : 0.0;
        rounding +=
            fabs(p.slope[side]) * psw_logp_rounding(in->logp[at], ref, (double)in->n_tok[at]);
    }
    const double a = row->link(opts, margin - rounding).omega;
    const double b = row->link(opts, margin + rounding).omega;
    range[0] = a * b > 0.0 ? fmin(fabs(a), fabs(b)) : 0.0;
    range[1] = fmax(fabs(a), fabs(b));
}

int psw_pair_groups_differ(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                           const int64_t *order)
{
    const struct psw_method_row *row = psw_method_row(opts->method);
    struct psw_group_gap gap = PSW_GROUP_GAP_NONE;
    for (int64_t place = 0; place < in->n_pair; place++) {
        double range[2];
        omega_range(row, opts, in, order[place], range);
        psw_group_gap_take(&gap, place, in->n_pair, range[0], range[1]);
    }
    return psw_group_gap_is_open(&gap);
}
