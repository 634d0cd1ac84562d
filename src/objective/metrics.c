/* Means over the pairs of a step. */
#include <posweep/objective/metrics.h>

#include <math.h>

/* What the rounding of log-probabilities can do to a score that is proportional to a log-ratio.
 */
static double rounding_of(const struct psw_pair_in *in, const struct psw_pair_out *out,
                          int64_t at)
{
    const double ratio = in->logp[at] - in->ref[at];
    if (ratio == 0.0) return 0.0;
    return psw_logp_rounding(in->logp[at], in->ref[at], (double)in->n_tok[at]) *
           fabs(out->score[at] / ratio);
}

struct psw_pair_metrics psw_pair_metrics_of(const struct psw_pair_opts *opts,
                                            const struct psw_pair_in *in,
                                            const struct psw_pair_out *out)
{
    struct psw_pair_metrics m = {0};
    const int has_reference = psw_method_row(opts->method)->has_reference;
    const double n = (double)in->n_pair;
    for (int64_t i = 0; i < in->n_pair; i++) {
        const int64_t c = i * PSW_N_SIDE + PSW_CHOSEN, r = i * PSW_N_SIDE + PSW_REJECTED;
        const double margin = out->score[c] - out->score[r];
        m.loss += out->loss[i];
        m.omega += out->omega[i];
        m.reward_chosen += out->score[c];
        m.reward_rejected += out->score[r];
        m.margin += margin;
        const double tie =
            has_reference ? rounding_of(in, out, c) + rounding_of(in, out, r) : 0.0;
        const int is_equal = in->is_equal && in->is_equal[i];
        const int is_tie = is_equal || fabs(margin) <= tie;
        m.tie += is_tie;
        m.accuracy += is_tie ? 0.5 : margin > tie ? 1.0 : 0.0;
        m.logp_chosen += in->logp[c];
        m.logp_rejected += in->logp[r];
    }
    double *sums[] = {&m.loss,   &m.omega,    &m.reward_chosen, &m.reward_rejected,
                      &m.margin, &m.accuracy, &m.logp_chosen,   &m.logp_rejected,
                      &m.tie};
    for (int k = 0; k < 9; k++) *sums[k] /= n; /* 0/0: no pairs, no metrics */
    return m;
}
