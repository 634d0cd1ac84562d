/* Means over the responses and tokens of a step, and over its updates. */
#include <posweep/rollout/rollout_metrics.h>

#include <math.h>

const char *const PSW_ROLLOUT_METRICS[PSW_ROLLOUT_N_METRIC + 1] = {
    [PSW_ROLLOUT_LOSS] = "train_loss",
    [PSW_ROLLOUT_SCORE] = "train_score",
    [PSW_ROLLOUT_SCORE_DEVIATION] = "train_score_deviation",
    [PSW_ROLLOUT_MIXED] = "mixed_groups",
    [PSW_ROLLOUT_KL] = "train_kl",
    [PSW_ROLLOUT_KL_COEF] = "kl_coef",
    [PSW_ROLLOUT_ENTROPY] = "train_entropy",
    [PSW_ROLLOUT_CLIP_FRACTION] = "clip_fraction",
    [PSW_ROLLOUT_APPROX_KL] = "approx_kl",
    [PSW_ROLLOUT_VALUE_LOSS] = "value_loss",
    [PSW_ROLLOUT_EXPLAINED] = "explained_variance",
    [PSW_ROLLOUT_ADVANTAGE_MEAN] = "advantage_mean",
    [PSW_ROLLOUT_ADVANTAGE_DEVIATION] = "advantage_deviation",
    [PSW_ROLLOUT_LENGTH] = "train_length",
    [PSW_ROLLOUT_EOS_RATE] = "train_eos_rate",
    [PSW_ROLLOUT_GRAD_NORM] = "grad_norm",
    [PSW_ROLLOUT_PARAM_NORM] = "param_norm",
    [PSW_ROLLOUT_LR] = "lr",
    [PSW_ROLLOUT_SHARE] = "rollout_share",
    [PSW_ROLLOUT_TOKENS_PER_S] = "tokens_per_s",
};

static double mean_kl(const struct psw_rollout *r)
{
    double sum = 0;
    for (int64_t i = 0; i < r->rows.n_row; i++) sum += r->row.old[i] - r->row.ref[i];
    return sum / (double)r->rows.n_seq;
}

void psw_rollout_metrics(const struct psw_rollout *r, const struct psw_rollout_sums *sums,
                         int32_t eos, double *metric)
{
    const struct psw_moments score = psw_moments_of(r->rows.n_seq, r->score);
    const struct psw_moments advantage = psw_moments_of(r->rows.n_row, r->row.unscaled);
    const double n = sums->n_update;
    double n_eos = 0, entropy = 0; /* the latter is there where it is logged */
    for (int64_t q = 0; q < r->rows.n_seq; q++)
        n_eos +=
            r->responses.token[q * r->responses.stride + r->responses.n_token[q] - 1] == eos;
    for (int64_t i = 0; i < r->rows.n_row; i++) entropy += r->row.entropy[i];
    metric[PSW_ROLLOUT_LOSS] = sums->loss / n;
    metric[PSW_ROLLOUT_SCORE] = score.mean;
    metric[PSW_ROLLOUT_SCORE_DEVIATION] = score.deviation;
    metric[PSW_ROLLOUT_MIXED] =
        r->rows.n_sample < 2
            ? NAN
            : (double)psw_group_mixed(&r->rows, r->score, NULL) / (double)r->rows.n_prompt;
    metric[PSW_ROLLOUT_KL] = mean_kl(r);
    metric[PSW_ROLLOUT_ENTROPY] = entropy / (double)r->rows.n_row;
    metric[PSW_ROLLOUT_CLIP_FRACTION] = sums->clip_fraction / n;
    metric[PSW_ROLLOUT_APPROX_KL] = sums->approx_kl / n;
    metric[PSW_ROLLOUT_VALUE_LOSS] = sums->has_values ? sums->value_loss / n : NAN;
    metric[PSW_ROLLOUT_EXPLAINED] =
        sums->has_values ? psw_explained_variance(r->rows.n_row, r->row.value, r->row.ret)
                         : NAN;
    metric[PSW_ROLLOUT_ADVANTAGE_MEAN] = advantage.mean;
    metric[PSW_ROLLOUT_ADVANTAGE_DEVIATION] = advantage.deviation;
    metric[PSW_ROLLOUT_LENGTH] = (double)r->rows.n_row / (double)r->rows.n_seq;
    metric[PSW_ROLLOUT_EOS_RATE] = n_eos / (double)r->rows.n_seq;
    metric[PSW_ROLLOUT_GRAD_NORM] = sums->grad_norm / n;
    metric[PSW_ROLLOUT_PARAM_NORM] = sums->param_norm;
    metric[PSW_ROLLOUT_LR] = sums->lr / n;
}
