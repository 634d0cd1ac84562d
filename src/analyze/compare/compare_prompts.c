/* Differences by evaluation prompt: which metrics have them, and which runs have the same
 * prompts. */
#include <posweep/analyze/compare.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** A metric that is a mean over evaluation prompts. */
static const struct {
    const char *metric, *dataset;
    double unit; /* of its values */
} BY_PROMPT[] = {{"win_rate", "eval_outcome", 0.5},
                 {"score", "eval_score", 1},
                 {"reward_final", "eval_reward", 1}};

/** Evaluation prompts are what is behind D' in a list that the data decides. */
static int same_prompts(struct psw_results *r, int64_t a, int64_t b)
{
    static const char *const NUMBER[] = {"eval_prompts", "final_prompts"};
    for (size_t i = 0; i < sizeof NUMBER / sizeof *NUMBER; i++) {
        const int64_t *x = psw_results_i64(r, NUMBER[i]);
        if (!x || x[a] != x[b]) return 0;
    }
    return strcmp(psw_results_text(r, "data_hash", a), psw_results_text(r, "data_hash", b)) ==
           0;
}

/** Differences of one pair of runs. Shapes: x [run][n]; out [n]. Returns how many. */
static int64_t take_pair(const double *x, int64_t n, int64_t a, int64_t b, double unit,
                         int is_whole, double *out)
{
    int64_t n_taken = 0;
    for (int64_t i = 0; i < n; i++) {
        const double p = x[a * n + i], q = x[b * n + i];
        const int is_there = isfinite(p) && isfinite(q) && !(is_whole && (p < 0 || q < 0));
        if (is_there) out[n_taken++] = unit * (p - q);
    }
    return n_taken;
}

psw_status psw_compare_prompts(struct psw_results *results, const char *metric,
                               const struct psw_prompt_pairs *pairs, double alpha,
                               struct psw_twolevel *out, struct psw_error *err)
{
    size_t k = 0;
    const size_t n_known = sizeof BY_PROMPT / sizeof *BY_PROMPT;
    while (k < n_known && strcmp(metric, BY_PROMPT[k].metric) != 0) k++;
    *out = (struct psw_twolevel){.n_seed = 0};
    const double *x = k < n_known ? psw_results_f64(results, BY_PROMPT[k].dataset) : NULL;
    const int64_t n = psw_results_dim(results, "eval_prompt");
    if (!x || n == 0) return PSW_OK;
    const int is_whole = psw_results_i64(results, BY_PROMPT[k].dataset) != NULL;
    double *value = calloc((size_t)(pairs->n * n) + 1, sizeof *value);
    int64_t *first = calloc((size_t)pairs->n + 1, sizeof *first);
    int64_t n_seed = 0;
    psw_status rc = PSW_OK;
    if (!value || !first)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "differences of %lld prompts", (long long)n));
    for (int64_t i = 0; i < pairs->n; i++) {
        if (!same_prompts(results, pairs->of[i], pairs->against[i])) continue;
        const int64_t n_taken = take_pair(x, n, pairs->of[i], pairs->against[i],
                                          BY_PROMPT[k].unit, is_whole, value + first[n_seed]);
        if (n_taken == 0) continue;
        first[n_seed + 1] = first[n_seed] + n_taken;
        n_seed++;
    }
    if (n_seed > 0) PSW_TRY(psw_twolevel_interval(value, first, n_seed, alpha, out, err));
fail:
    free(value);
    free(first);
    return rc;
}
