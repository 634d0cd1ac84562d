/* What practitioners read in a log of preference training. */
#ifndef POSWEEP_OBJECTIVE_METRICS_H
#define POSWEEP_OBJECTIVE_METRICS_H

#include <posweep/objective/pairwise.h>

/** Means over pairs, in double, in index order. */
struct psw_pair_metrics {
    double loss;
    double reward_chosen, reward_rejected; /* implicit rewards: psw_pair_out.score */
    double margin;                         /* chosen - rejected */
    double accuracy;                       /* share with margin > 0; a tie counts half:
                                              equal responses, or, where there is a
                                              reference, a margin that is 0 but for the
                                              rounding of float32 passes */
    double tie;                            /* share of those ties */
    double logp_chosen, logp_rejected;     /* summed over the response, nat */
    double omega;
};

/** NaN everywhere when n_pair is 0. `out` needs loss, score and omega. */
struct psw_pair_metrics psw_pair_metrics_of(const struct psw_pair_opts *opts,
                                            const struct psw_pair_in *in,
                                            const struct psw_pair_out *out);

#endif
