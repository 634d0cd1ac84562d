/* Means over the pairs of a step. */
#include <posweep/objective/metrics.h>

struct psw_pair_metrics psw_pair_metrics_of(const struct psw_pair_in *in,
                                            const struct psw_pair_out *out)
{
    struct psw_pair_metrics m = {0};
    const double n = (double)in->n_pair;
    for (int64_t i = 0; i < in->n_pair; i++) {
        const int64_t c = i * PSW_N_SIDE + PSW_CHOSEN, r = i * PSW_N_SIDE + PSW_REJECTED;
        const double margin = out->score[c] - out->score[r];
        m.loss += out->loss[i];
        m.omega += out->omega[i];
        m.reward_chosen += out->score[c];
        m.reward_rejected += out->score[r];
        m.margin += margin;
        m.accuracy += margin > 0.0 ? 1.0 : margin == 0.0 ? 0.5 : 0.0;
        m.logp_chosen += in->logp[c];
        m.logp_rejected += in->logp[r];
    }
    double *sums[] = {&m.loss,   &m.omega,    &m.reward_chosen, &m.reward_rejected,
                      &m.margin, &m.accuracy, &m.logp_chosen,   &m.logp_rejected};
    for (int k = 0; k < 8; k++) *sums[k] /= n; /* 0/0: no pairs, no metrics */
    return m;
}
