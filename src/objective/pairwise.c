/* One walk over the pairs, for any rule. */
#include "objective_internal.h"

#include <math.h>
#include <posweep/config/leaf.h>
#include <posweep/objective/order.h>

static const struct psw_pair_rule *const RULES[PSW_N_PAIRWISE] = {
#define PAIRWISE(id, name, ...) [PSW_METHOD_##id] = &psw_pair_rule_##name,
#define ONPOLICY(id, name, ...)
#include <posweep/config/methods.def>
};

const struct psw_pair_rule *psw_pair_rule_of(int method)
{
    PSW_ASSERT(method >= 0 && method < PSW_N_PAIRWISE);
    return RULES[method];
}

struct psw_pair_opts psw_pair_opts_of(const struct psw_config *config)
{
    const struct psw_config_policy *p = &config->policy;
    return (struct psw_pair_opts){.method = (int)p->method,
                                  .beta = p->beta,
                                  .gamma = p->gamma,
                                  .epsilon = p->epsilon,
                                  .lambda = p->lambda,
                                  .alpha = p->alpha};
}

psw_status psw_pair_opts_check(const struct psw_pair_opts *opts, struct psw_error *err)
{
    if (opts->method < 0 || opts->method >= PSW_N_PAIRWISE)
        return psw_fail(err, PSW_EINVAL, "objective: there is no pairwise method %d",
                        opts->method);
    const struct {
        enum psw_use use;
        const char *leaf;
        double value;
    } read[] = {{PSW_USE_BETA, "policy.beta", opts->beta},
                {PSW_USE_GAMMA, "policy.gamma", opts->gamma},
                {PSW_USE_EPSILON, "policy.epsilon", opts->epsilon},
                {PSW_USE_LAMBDA, "policy.lambda", opts->lambda},
                {PSW_USE_ALPHA, "policy.alpha", opts->alpha}};
    psw_status rc = PSW_OK;
    for (size_t i = 0; rc == PSW_OK && i < sizeof read / sizeof *read; i++)
        if (psw_method_reads(opts->method, read[i].use))
            rc = psw_leaf_check(read[i].leaf, read[i].value, err);
    return rc;
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

/** A configured method: facts, rule, options. */
struct method {
    const struct psw_method_row *row;
    const struct psw_pair_rule *rule;
    const struct psw_pair_opts *opts;
};

static struct method method_of(const struct psw_pair_opts *opts)
{
    return (struct method){psw_method_row(opts->method), psw_pair_rule_of(opts->method), opts};
}

/** What one pair amounts to. */
struct pair {
    struct psw_score score[PSW_N_SIDE];
    struct psw_margin_loss link;
    double slope[PSW_N_SIDE]; /* ds/dz, signed by the side */
};

static struct pair pair_at(const struct method *m, const struct psw_pair_in *in, int64_t i,
                           int flat)
{
    struct pair p = {0};
    for (int side = 0; side < PSW_N_SIDE; side++) {
        const int64_t at = i * PSW_N_SIDE + side;
        struct psw_response y = {.logp = in->logp[at],
                                 .ref = m->row->has_reference ? in->ref[at] : 0.0,
                                 .n_tok = (double)in->n_tok[at],
                                 .side = side};
        p.score[side] = m->rule->score(m->opts, y);
        p.slope[side] = p.score[side].slope;
        if (flat && m->row->has_reference) { /* the margin is 0 where pi is the reference */
            y.logp = y.ref;
            p.slope[side] = m->rule->score(m->opts, y).slope;
        }
    }
    const double rejected = m->row->compares ? p.score[PSW_REJECTED].value : 0.0;
    p.link = m->rule->link(m->opts, p.score[PSW_CHOSEN].value - rejected);
    if (flat) p.link.omega = m->rule->link(m->opts, 0.0).omega;
    p.slope[PSW_REJECTED] *= m->row->compares ? -1.0 : 0.0;
    return p;
}

static void pairs_write(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                        const struct psw_pair_out *out, int flat)
{
    const struct method m = method_of(opts);
    const double nll = m.row->has_nll ? m.rule->nll(opts) : 0.0;
    const double reward = m.rule->reward(opts);
    for (int64_t i = 0; i < in->n_pair; i++) {
        const int64_t at = i * PSW_N_SIDE;
        const struct pair p = pair_at(&m, in, i, flat);
        const double per_tok = nll / (double)in->n_tok[at + PSW_CHOSEN];
        const double z = in->logp[at + PSW_CHOSEN];
        if (out->loss) out->loss[i] = p.link.loss - (m.row->has_nll ? per_tok * z : 0.0);
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

/* |omega| of a pair at the least and at the most, given the rounding of its margin. */
static void omega_range(const struct method *m, const struct psw_pair_in *in, int64_t i,
                        double range[2])
{
    const struct pair p = pair_at(m, in, i, 0);
    double margin = p.score[PSW_CHOSEN].value, rounding = 0.0;
    if (m->row->compares) margin -= p.score[PSW_REJECTED].value;
    for (int side = 0; side < PSW_N_SIDE; side++) {
        const int64_t at = i * PSW_N_SIDE + side;
        const double ref = m->row->has_reference ? in->ref[at] : 0.0;
        rounding +=
            fabs(p.slope[side]) * psw_logp_rounding(in->logp[at], ref, (double)in->n_tok[at]);
    }
    const double a = m->rule->link(m->opts, margin - rounding).omega;
    const double b = m->rule->link(m->opts, margin + rounding).omega;
    range[0] = a * b > 0.0 ? fmin(fabs(a), fabs(b)) : 0.0;
    range[1] = fmax(fabs(a), fabs(b));
}

int psw_pair_groups_differ(const struct psw_pair_opts *opts, const struct psw_pair_in *in,
                           const int64_t *order)
{
    const struct method m = method_of(opts);
    struct psw_group_gap gap = PSW_GROUP_GAP_NONE;
    for (int64_t place = 0; place < in->n_pair; place++) {
        double range[2];
        omega_range(&m, in, order[place], range);
        psw_group_gap_take(&gap, place, in->n_pair, range[0], range[1]);
    }
    return psw_group_gap_is_open(&gap);
}
