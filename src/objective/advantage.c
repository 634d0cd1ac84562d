/* From scores to advantages: rewards per token, GAE, whitening, groups. All of it is plain sums
 * in index order. Sums of deviations start from the first value, so equal values have exactly
 * their own mean and an advantage of exactly 0, not the sign of a rounding error. */
#include <posweep/objective/onpolicy.h>

#include <math.h>

double psw_kl_estimate(int kind, double logp, double ref)
{
    const double d = logp - ref;
    switch (kind) {
    case PSW_KL_K2:
        return 0.5 * d * d;
    case PSW_KL_K3:
        return expm1(-d) + d;
    default:
        return d;
    }
}

void psw_reward_tokens(const struct psw_rollout_rows *rows, int kl_kind, double kl_coef,
                       const double *score, const double *logp, const double *ref,
                       double *reward)
{
    for (int64_t t = 0; t < rows->n_row; t++)
        reward[t] = kl_coef > 0.0 ? -kl_coef * psw_kl_estimate(kl_kind, logp[t], ref[t]) : 0.0;
    for (int64_t s = 0; s < rows->n_seq; s++) reward[rows->seq_row[s + 1] - 1] += score[s];
}

void psw_gae(const struct psw_rollout_rows *rows, double discount, double lambda,
             const double *reward, const double *value, double *advantage, double *ret)
{
    for (int64_t s = 0; s < rows->n_seq; s++) {
        double next_value = 0.0, next_advantage = 0.0;
        for (int64_t t = rows->seq_row[s + 1]; t-- > rows->seq_row[s];) {
            const double delta = reward[t] + discount * next_value - value[t];
            next_value = value[t];
            next_advantage = delta + discount * lambda * next_advantage;
            advantage[t] = next_advantage;
            ret[t] = next_advantage + value[t];
        }
    }
}

struct psw_moments psw_moments_of(int64_t n, const double *x)
{
    struct psw_moments m = {0.0, 0.0};
    if (n < 1) return m;
    double shift = 0.0, square = 0.0;
    for (int64_t i = 0; i < n; i++) shift += x[i] - x[0];
    m.mean = x[0] + shift / (double)n;
    for (int64_t i = 0; i < n; i++) square += (x[i] - m.mean) * (x[i] - m.mean);
    if (n > 1) m.deviation = sqrt(square / (double)(n - 1));
    return m;
}

void psw_whiten(int64_t n, const double *x, double *out)
{
    const struct psw_moments m = psw_moments_of(n, x);
    const double deviation = sqrt(m.deviation * m.deviation + 1e-8);
    for (int64_t i = 0; i < n; i++) out[i] = (x[i] - m.mean) / deviation;
}

void psw_group_advantage(const struct psw_rollout_rows *rows, int scaled, const double *score,
                         double *advantage)
{
    for (int64_t p = 0; p < rows->n_prompt; p++) {
        const int64_t first = p * rows->n_sample;
        const struct psw_moments m = psw_moments_of(rows->n_sample, score + first);
        const double deviation = scaled ? m.deviation + 1e-4 : 1.0;
        for (int64_t s = first; s < first + rows->n_sample; s++)
            advantage[s] = (score[s] - m.mean) / deviation;
    }
}

int64_t psw_group_mixed(const struct psw_rollout_rows *rows, const double *score,
                        uint8_t *is_mixed)
{
    int64_t n_mixed = 0;
    for (int64_t p = 0; p < rows->n_prompt; p++) {
        const double *group = score + p * rows->n_sample;
        int mixed = 0;
        for (int64_t k = 1; k < rows->n_sample; k++) mixed |= group[k] != group[0];
        if (is_mixed) is_mixed[p] = (uint8_t)mixed;
        n_mixed += mixed;
    }
    return n_mixed;
}

void psw_rows_spread(const struct psw_rollout_rows *rows, const double *seq, double *row)
{
    for (int64_t s = 0; s < rows->n_seq; s++)
        for (int64_t t = rows->seq_row[s]; t < rows->seq_row[s + 1]; t++) row[t] = seq[s];
}

double psw_overlong_penalty(int64_t n_token, int64_t max_new, int64_t buffer)
{
    const int64_t free = max_new - buffer;
    if (buffer <= 0 || n_token <= free) return 0.0;
    if (n_token >= max_new) return -1.0;
    return (double)(free - n_token) / (double)buffer;
}

/* Sum of squared deviations of x - y; y may be NULL. */
static double spread_of(int64_t n, const double *x, const double *y)
{
    const double first = n > 0 ? x[0] - (y ? y[0] : 0.0) : 0.0;
    double shift = 0.0, square = 0.0;
    for (int64_t i = 0; i < n; i++) shift += x[i] - (y ? y[i] : 0.0) - first;
    const double mean = first + shift / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = x[i] - (y ? y[i] : 0.0) - mean;
        square += d * d;
    }
    return square;
}

double psw_explained_variance(int64_t n_row, const double *value, const double *ret)
{
    const double total = spread_of(n_row, ret, NULL);
    return total > 0.0 ? 1.0 - spread_of(n_row, ret, value) / total : NAN;
}
