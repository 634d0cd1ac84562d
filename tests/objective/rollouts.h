/* Rollouts of three prompts with four responses each, of 1 to 6 tokens, and what an on-policy
 * objective reads of them. Add rollouts.c to the SOURCES of a test that uses it. */
#ifndef POSWEEP_TESTS_ROLLOUTS_H
#define POSWEEP_TESTS_ROLLOUTS_H

#include <posweep/objective/onpolicy.h>

enum { N_PROMPT = 3, N_SAMPLE = 4, N_SEQ = 12, N_ROW = 42 };

struct rollouts {
    int64_t seq_row[N_SEQ + 1];
    struct psw_rollout_rows rows;
    double logp[N_ROW], old[N_ROW], ref[N_ROW];
    double raw[N_ROW], advantage[N_ROW]; /* of both signs; that of response or row 1 is 0 */
};

/** Advantages per token for ppo, per response for the others. The ratios to the old policy lie
 *  between 0.6 and 1.7, none within 1e-3 of the limits that rollouts_opts() sets. */
void rollouts_init(struct rollouts *r, int method);

/** Clip from 0.8 to 1.3, and a KL term for grpo. */
struct psw_onpolicy_opts rollouts_opts(int method);

/** The response of a row. */
int64_t rollouts_seq_of(const struct rollouts *r, int64_t row);

/** Normaliser of a row, written from the definitions. */
double rollouts_norm(const struct rollouts *r, int method, int64_t row);

#endif
