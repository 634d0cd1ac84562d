/* The policy against the SFT model, prompt by prompt. */
#include "policy_internal.h"

#include <math.h>

double psw_policy_outcome(const struct psw_responses *eval, const struct psw_responses *sft,
                          const double *score, int64_t q)
{
    const int64_t n = eval->n_seq, i = q / eval->n_sample, k = q % eval->n_sample;
    if (psw_response_equal(eval->pointer[i], k, sft->pointer[i], k)) return 0;
    const double d = score[q] - score[n + q];
    return isnan(d) ? NAN : (d > 0) - (d < 0);
}

struct psw_duel psw_policy_compare(const struct psw_responses *eval,
                                   const struct psw_responses *sft, const double *score)
{
    const int64_t n = eval->n_seq;
    struct psw_duel duel = {0};
    for (int64_t q = 0; q < n; q++) {
        const double outcome = psw_policy_outcome(eval, sft, score, q);
        duel.win += (outcome > 0) / (double)n;
        duel.tie += (outcome == 0) / (double)n;
        duel.loss += (outcome < 0) / (double)n;
    }
    return duel;
}
