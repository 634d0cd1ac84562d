/* Made-up rollouts for the tests of the on-policy objectives. */
#include "rollouts.h"

#include <math.h>
#include <support/support.h>

void rollouts_init(struct rollouts *r, int method)
{
    static const int64_t n_tok[N_SEQ] = {3, 1, 6, 2, 5, 4, 1, 6, 3, 4, 5, 2};
    float x[5][N_ROW];
    r->seq_row[0] = 0;
    for (int s = 0; s < N_SEQ; s++) r->seq_row[s + 1] = r->seq_row[s] + n_tok[s];
    assert_int_equal(r->seq_row[N_SEQ], N_ROW);
    r->rows = (struct psw_rollout_rows){.n_prompt = N_PROMPT,
                                        .n_sample = N_SAMPLE,
                                        .n_seq = N_SEQ,
                                        .n_row = N_ROW,
                                        .seq_row = r->seq_row};
    for (int k = 0; k < 5; k++) support_fill(x[k], N_ROW, 1.0f, (uint64_t)(k + 1));
    for (int64_t t = 0; t < N_ROW; t++) {
        const int64_t item = method == PSW_METHOD_PPO ? t : rollouts_seq_of(r, t);
        r->logp[t] = -2.0 + (double)x[0][t];
        r->old[t] = r->logp[t] - 0.5 * (double)x[1][t];
        r->ref[t] = r->logp[t] + 0.8 * (double)x[2][t];
        r->raw[t] = item == 1 ? 0.3 : 0.3 + 2.0 * (double)x[3][item];
        r->advantage[t] = item == 1 ? 0.0 : 1.7 * (double)x[3][item] + 0.2 * (double)x[4][item];
        const double ratio = exp(r->logp[t] - r->old[t]);
        assert_true(fabs(ratio - 0.8) > 1e-3 && fabs(ratio - 1.3) > 1e-3);
    }
}

struct psw_onpolicy_opts rollouts_opts(int method)
{
    return (struct psw_onpolicy_opts){.method = method,
                                      .clip_low = 0.2,
                                      .clip_high = 0.3,
                                      .loss_kl_coef = method == PSW_METHOD_GRPO ? 0.4 : 0.0,
                                      .value_coef = 0.7,
                                      .value_clip = 0.2};
}

int64_t rollouts_seq_of(const struct rollouts *r, int64_t row)
{
    int64_t s = 0;
    while (r->seq_row[s + 1] <= row) s++;
    return s;
}

double rollouts_norm(const struct rollouts *r, int method, int64_t row)
{
    const int64_t s = rollouts_seq_of(r, row);
    if (method != PSW_METHOD_GRPO) return 1.0 / N_ROW;
    return 1.0 / N_SEQ / (double)(r->seq_row[s + 1] - r->seq_row[s]);
}
