/* The clipped surrogate, its KL term and the value loss. Everything is checked before anything
 * is written. */
#include "objective_internal.h"

#include <math.h>
#include <posweep/config/leaf.h>
#include <posweep/objective/order.h>
#include <posweep/objective/pairwise.h>

struct psw_onpolicy_opts psw_onpolicy_opts_of(const struct psw_config *config)
{
    const struct psw_config_policy *p = &config->policy;
    const int has_critic = psw_method_reads(p->method, PSW_USE_CRITIC);
    const int has_loss_kl = psw_method_reads(p->method, PSW_USE_KL) &&
                            !psw_method_reads(p->method, PSW_USE_KL_REWARD);
    return (struct psw_onpolicy_opts){
        .method = (int)p->method,
        .clip_low = p->clip_low,
        .clip_high = psw_config_clip_high(config),
        .loss_kl_coef = has_loss_kl ? psw_config_kl_coef(config) : 0.0,
        .entropy_coef = p->entropy_coef,
        .value_coef = has_critic ? p->value_coef : 0.0,
        .value_clip = has_critic ? p->value_clip : 0.0,
        .shared_critic = has_critic && p->critic == PSW_CRITIC_SHARED};
}

static psw_status opts_check(const struct psw_onpolicy_opts *opts, struct psw_error *err)
{
    if (opts->method < PSW_N_PAIRWISE || opts->method >= PSW_N_METHOD)
        return psw_fail(err, PSW_EINVAL, "objective: there is no on-policy method %d",
                        opts->method);
    const struct {
        const char *leaf;
        double value;
    } read[] = {
        {"policy.clip_low", opts->clip_low},     {"policy.clip_high", opts->clip_high},
        {"policy.kl_coef", opts->loss_kl_coef},  {"policy.entropy_coef", opts->entropy_coef},
        {"policy.value_coef", opts->value_coef}, {"policy.value_clip", opts->value_clip}};
    psw_status rc = PSW_OK;
    for (size_t i = 0; rc == PSW_OK && i < sizeof read / sizeof *read; i++)
        rc = psw_leaf_check(read[i].leaf, read[i].value, err);
    if (rc != PSW_OK) return rc;
    if (!(opts->clip_high > 0.0) ||
        opts->loss_kl_coef < 0.0) /* what the sweep file's 0, -1 mean */
        return psw_fail(
            err, PSW_EINVAL,
            "objective %s: upper clip %g and KL coefficient %g, expected one above 0 "
            "and one of at least 0",
            psw_method_row(opts->method)->name, opts->clip_high, opts->loss_kl_coef);
    return PSW_OK;
}

static psw_status rows_check(const struct psw_onpolicy_opts *opts,
                             const struct psw_onpolicy_in *in, struct psw_error *err)
{
    const struct psw_rollout_rows *rows = in->rows;
    const char *name = psw_method_row(opts->method)->name;
    if (opts->loss_kl_coef > 0.0 && !in->ref)
        return psw_fail(err, PSW_EINVAL,
                        "objective %s: a KL term of %g needs the reference's "
                        "log-probabilities",
                        name, opts->loss_kl_coef);
    if (rows->n_seq < 1)
        return psw_fail(err, PSW_EINVAL, "objective %s: there are no responses", name);
    for (int64_t s = 0; s < rows->n_seq; s++)
        if (rows->seq_row[s] >= rows->seq_row[s + 1])
            return psw_fail(err, PSW_EINVAL, "objective %s: response %lld has no tokens", name,
                            (long long)s);
    PSW_ASSERT(rows->seq_row[0] == 0 && rows->seq_row[rows->n_seq] == rows->n_row);
    return PSW_OK;
}

static psw_status values_check(const struct psw_onpolicy_opts *opts,
                               const struct psw_onpolicy_in *in, struct psw_error *err)
{
    const double *ref = opts->loss_kl_coef > 0.0 ? in->ref : in->logp;
    for (int64_t t = 0; t < in->rows->n_row; t++) {
        const struct {
            const char *name;
            double value;
        } read[] = {
            {"log-probability", in->logp[t]},
            {"old log-probability", in->old[t]},
            {"reference log-probability", ref[t]},
            {"advantage", in->advantage[t]},
            {"ratio to the old policy", exp(in->logp[t] - in->old[t])},
            {"ratio of the reference to the policy", exp(ref[t] - in->logp[t])},
        };
        for (size_t k = 0; k < sizeof read / sizeof *read; k++)
            if (!isfinite(read[k].value))
                return psw_fail(err, PSW_EDIVERGED, "objective %s: the %s of row %lld is %g",
                                psw_method_row(opts->method)->name, read[k].name, (long long)t,
                                read[k].value);
    }
    return PSW_OK;
}

double psw_onpolicy_norm(int method, const struct psw_rollout_rows *rows, int64_t seq)
{
    if (!psw_method_row(method)->per_response) return 1.0 / (double)rows->n_row;
    const int64_t n_tok = rows->seq_row[seq + 1] - rows->seq_row[seq];
    return 1.0 / ((double)rows->n_seq * (double)n_tok);
}

/** The clipped surrogate of one row, without its normaliser. */
struct surrogate {
    double loss, weight;
    int is_clipped; /* the clip is what counts: no gradient */
};

static struct surrogate surrogate_at(const struct psw_onpolicy_opts *opts, double ratio,
                                     double advantage)
{
    const double low = 1.0 - opts->clip_low, high = 1.0 + opts->clip_high;
    if (advantage > 0.0 && ratio > high) return (struct surrogate){-high * advantage, 0.0, 1};
    if (advantage < 0.0 && ratio < low) return (struct surrogate){-low * advantage, 0.0, 1};
    return (struct surrogate){-ratio * advantage, ratio * advantage, 0};
}

static void rows_write(const struct psw_onpolicy_opts *opts, const struct psw_onpolicy_in *in,
                       struct psw_onpolicy_out *out)
{
    const struct psw_rollout_rows *rows = in->rows;
    double loss = 0.0, square = 0.0;
    int64_t n_clipped = 0;
    for (int64_t s = 0; s < rows->n_seq; s++) {
        const double norm = psw_onpolicy_norm(opts->method, rows, s);
        for (int64_t t = rows->seq_row[s]; t < rows->seq_row[s + 1]; t++) {
            const double step = in->logp[t] - in->old[t];
            const struct surrogate y = surrogate_at(opts, exp(step), in->advantage[t]);
            double kl_loss = 0.0, kl_weight = 0.0;
            const double gap = in->ref ? in->ref[t] - in->logp[t] : 0.0;
            if (opts->loss_kl_coef > 0.0 &&
                !(fabs(gap) <= psw_logp_rounding(in->logp[t], in->ref[t], 1.0))) {
                kl_loss =
                    opts->loss_kl_coef * psw_kl_estimate(PSW_KL_K3, in->logp[t], in->ref[t]);
                kl_weight = opts->loss_kl_coef * expm1(gap);
            }
            if (out->weight) out->weight[t] = norm * y.weight;
            if (out->kl) out->kl[t] = norm * kl_weight;
            loss += norm * (y.loss + kl_loss);
            square += 0.5 * step * step;
            n_clipped += y.is_clipped;
        }
    }
    out->loss = loss;
    out->clip_fraction = (double)n_clipped / (double)rows->n_row;
    out->approx_kl = square / (double)rows->n_row;
}

psw_status psw_objective_onpolicy(const struct psw_onpolicy_opts *opts,
                                  const struct psw_onpolicy_in *in,
                                  struct psw_onpolicy_out *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    PSW_TRY(opts_check(opts, err));
    PSW_TRY(rows_check(opts, in, err));
    PSW_TRY(values_check(opts, in, err));
    rows_write(opts, in, out);
fail:
    return rc;
}

double psw_value_loss(const struct psw_onpolicy_opts *opts, int64_t n_row, const double *value,
                      const double *old, const double *ret, double *weight)
{
    const double norm = opts->value_coef / (double)n_row;
    double sum = 0.0;
    for (int64_t t = 0; t < n_row; t++) {
        const double error = value[t] - ret[t];
        double loss = 0.5 * error * error, slope = error;
        if (opts->value_clip > 0.0 && fabs(value[t] - old[t]) > opts->value_clip) {
            const double kept = old[t] + copysign(opts->value_clip, value[t] - old[t]) - ret[t];
            if (0.5 * kept * kept > loss) {
                loss = 0.5 * kept * kept;
                slope = 0.0;
            }
        }
        if (weight) weight[t] = -norm * slope;
        sum += loss;
    }
    return norm * sum;
}

/* ---- items: what is grouped, shuffled and averaged ---- */

int psw_onpolicy_items_are_tokens(int method)
{
    return psw_method_reads(method, PSW_USE_CRITIC);
}

int64_t psw_onpolicy_n_item(int method, const struct psw_rollout_rows *rows)
{
    return psw_onpolicy_items_are_tokens(method) ? rows->n_row : rows->n_seq;
}

void psw_onpolicy_gather(int method, const struct psw_rollout_rows *rows, const double *row,
                         double *item)
{
    PSW_ASSERT(rows->n_seq <= rows->n_row); /* no response is without tokens */
    const int64_t n = psw_onpolicy_n_item(method, rows);
    for (int64_t i = 0; i < n; i++)
        item[i] = row[psw_onpolicy_items_are_tokens(method) ? i : rows->seq_row[i]];
}

/* Advantages that differ by less than float32 scores can tell are equal. */
static const double ADVANTAGE_ROUNDING = 16 * 0x1p-23;

int psw_item_groups_differ(int64_t n, const double *x, const int64_t *order)
{
    struct psw_group_gap gap = PSW_GROUP_GAP_NONE;
    for (int64_t place = 0; place < n; place++) {
        const double size = fabs(x[order[place]]);
        psw_group_gap_take(&gap, place, n, size, size * (1.0 + ADVANTAGE_ROUNDING));
    }
    return psw_group_gap_is_open(&gap);
}

double psw_mean_magnitude(int64_t n, const double *x)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += fabs(x[i]);
    return n > 0 ? sum / (double)n : 0.0;
}

double psw_flat_magnitude(double magnitude, double x)
{
    return x == 0.0 ? x : copysign(magnitude, x);
}
