/* Drawing a token. What may be drawn is found by taking the most probable token, and again the
 * most probable of the rest, until enough are kept. */
#include "reference.h"

#include <math.h>

/* 1 when a token with that logit may come before another in a list of the most probable. */
static int is_before(const float *weight, int64_t a, int64_t b)
{
    return weight[a] > weight[b] || (weight[a] == weight[b] && a < b);
}

/* The most probable token behind `last` (-1: of all), or -1. */
static int64_t next_of(int64_t V, const float *weight, int64_t last)
{
    int64_t best = -1;
    for (int64_t v = 0; v < V; v++)
        if ((last < 0 || is_before(weight, last, v)) &&
            (best < 0 || is_before(weight, v, best)))
            best = v;
    return best;
}

/* Set to 0 all but the most probable tokens: at least n_want, and at least mass_want. */
static void keep_most_probable(int64_t V, float *weight, int64_t n_want, double mass_want)
{
    int64_t last = -1;
    double mass = 0.0;
    for (int64_t n = 0; n < V && (n < n_want || mass < mass_want); n++) {
        last = next_of(V, weight, last);
        mass += weight[last];
    }
    const float edge = weight[last];
    for (int64_t v = 0; v < V; v++)
        if (weight[v] < edge || (weight[v] == edge && v > last)) weight[v] = 0.0f;
}

static double sum_of(int64_t V, const float *weight)
{
    double sum = 0.0;
    for (int64_t v = 0; v < V; v++) sum += weight[v];
    return sum;
}

static double temperature_of(const struct psw_draw_opts *opts)
{
    return opts->temperature > 0.0 ? opts->temperature : 1.0;
}

int psw_reference_distribution(const struct psw_draw_opts *opts, int64_t V, const float *logit,
                               float *prob)
{
    double top = -INFINITY;
    for (int64_t v = 0; v < V; v++) top = logit[v] > top ? logit[v] : top;
    double whole = isfinite(top) ? 0.0 : NAN;
    for (int64_t v = 0; v < V; v++)
        whole += prob[v] = (float)exp((logit[v] - top) / temperature_of(opts));
    if (!isfinite(whole)) {
        for (int64_t v = 0; v < V; v++) prob[v] = NAN;
        return -1;
    }
    if (opts->temperature <= 0.0) keep_most_probable(V, prob, 1, 0.0);
    if (opts->top_k > 0 && opts->top_k < V) keep_most_probable(V, prob, opts->top_k, 0.0);
    if (opts->top_p < 1.0) keep_most_probable(V, prob, 1, opts->top_p * sum_of(V, prob));
    const double sum = sum_of(V, prob);
    for (int64_t v = 0; v < V; v++) prob[v] = (float)(prob[v] / sum);
    return 0;
}

/* The token whose share of [0, 1) holds u, shares in order of id. */
static int32_t holder_of(int64_t V, const float *prob, double u)
{
    int32_t last = -1;
    double below = 0.0;
    for (int64_t v = 0; v < V; v++) {
        if (!(prob[v] > 0.0)) continue;
        last = (int32_t)v;
        below += prob[v];
        if (below > u) break;
    }
    return last;
}

/* log-probability under the temperature, before anything is cut off */
static double logp_of(const struct psw_draw_opts *opts, int64_t V, const float *logit,
                      int32_t token)
{
    double sum = 0.0;
    for (int64_t v = 0; v < V; v++)
        sum += exp(((double)logit[v] - logit[token]) / temperature_of(opts));
    return -log(sum);
}

static void tokens(struct psw_exec *exec, const struct psw_draw_opts *opts, int64_t n_vocab,
                   const float *logit, struct psw_draw_rows rows, float *weight)
{
    (void)exec;
    for (int64_t r = 0; r < rows.n_row; r++) {
        const float *row = logit + (rows.source ? rows.source[r] : r) * n_vocab;
        const int is_bad = psw_reference_distribution(opts, n_vocab, row, weight);
        rows.token[r] = is_bad ? -1 : holder_of(n_vocab, weight, rows.u[r]);
        if (rows.logp && !is_bad)
            rows.logp[r] = (float)logp_of(opts, n_vocab, row, rows.token[r]);
    }
}

const struct psw_draw_ops psw_reference_draw = {.tokens = tokens};
