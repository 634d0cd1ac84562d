/* Weights exp((l - max) / temperature), truncated by a cut and walked in order of id.
 *
 * The cut is found by radix selection on the bits of the weights (non-negative floats sort like
 * their bits): three passes of 11 + 10 + 10 bits, each keeping count and mass per bin, so that
 * no vocabulary is ever sorted. Masses are summed in double. */
#include "cpu.h"
#include <math.h>
#include <posweep/kernels/vecmath.h>
#include <posweep/util/minmax.h>
#include <posweep/util/status.h>
#include <string.h>

enum { BLOCK = 256, N_BIN = 2048 };

static const struct {
    int shift, n_bit;
} LEVELS[] = {{20, 11}, {10, 10}, {0, 10}};

/** Tokens to keep: weights above `bits`, and the first n_tie of those equal to it. */
struct cut {
    uint32_t bits;
    int64_t n_tie;
};

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double mass_of(int64_t n, const float *weight)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i += BLOCK)
        sum += psw_vec_sum(psw_min(BLOCK, n - i), weight + i);
    return sum;
}

/** The shortest prefix, heaviest first, with at least n_want tokens and at least mass_want. */
static struct cut find_cut(int64_t n, const float *weight, int64_t n_want, double mass_want)
{
    double above_mass = 0.0;
    int64_t above_n = 0, tie_n = 0;
    uint32_t prefix = 0;
    for (size_t level = 0; level < sizeof LEVELS / sizeof *LEVELS; level++) {
        double bin_mass[N_BIN] = {0.0};
        int32_t bin_n[N_BIN] = {0};
        const int shift = LEVELS[level].shift, top = shift + LEVELS[level].n_bit;
        const uint32_t mask = (1u << LEVELS[level].n_bit) - 1;
        for (int64_t i = 0; i < n; i++) {
            const uint32_t bits = bits_of(weight[i]);
            if (level && bits >> top != prefix >> top) continue;
            bin_mass[bits >> shift & mask] += (double)weight[i];
            bin_n[bits >> shift & mask]++;
        }
        int64_t edge = -1; /* the bin in which the prefix ends; the lowest one if none */
        for (int64_t b = mask; b >= 0; b--) {
            if (!bin_n[b]) continue;
            if (edge >= 0) {
                above_n += bin_n[edge];
                above_mass += bin_mass[edge];
            }
            edge = b;
            if (above_n + bin_n[b] >= n_want && above_mass + bin_mass[b] >= mass_want) break;
        }
        prefix |= (uint32_t)edge << shift;
        tie_n = bin_n[edge];
    }
    float tie;
    memcpy(&tie, &prefix, sizeof tie);
    struct cut cut = {.bits = prefix, .n_tie = 1};
    while (cut.n_tie < tie_n && (above_n + cut.n_tie < n_want ||
                                 above_mass + (double)cut.n_tie * (double)tie < mass_want))
        cut.n_tie++;
    return cut;
}

static void apply_cut(struct cut cut, int64_t n, float *weight)
{
    for (int64_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(weight[i]);
        if (bits > cut.bits) continue;
        if (bits == cut.bits && cut.n_tie-- > 0) continue;
        weight[i] = 0.0f;
    }
}

/** The token at which the running sum of the weights passes `target`. */
static int32_t walk(int64_t n, const float *weight, double target)
{
    double before = 0.0;
    int64_t last = 0; /* a token that can be drawn, should rounding carry us past the end */
    for (int64_t i = 0; i < n; i += BLOCK) {
        const int64_t n_here = psw_min(BLOCK, n - i);
        const double mass = psw_vec_sum(n_here, weight + i);
        if (mass > 0.0) {
            double sum = before;
            const int is_here = before + mass > target;
            for (int64_t j = i; is_here && j < i + n_here; j++) {
                if (weight[j] > 0.0f) last = j;
                sum += (double)weight[j];
                if (sum > target) return (int32_t)j;
            }
            if (is_here) return (int32_t)last;
        }
        before += mass;
    }
    for (int64_t i = n - 1; i >= 0; i--)
        if (weight[i] > 0.0f) return (int32_t)i;
    return (int32_t)last;
}

static int32_t largest(int64_t n, const float *logit, float max)
{
    for (int64_t i = 0; i < n; i++)
        if (logit[i] >= max) return (int32_t)i;
    return -1;
}

static int has_nan(int64_t n, const float *logit)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(logit[i])) return 1;
    return 0;
}

static float scale_of(const struct psw_draw_opts *opts)
{
    return opts->temperature <= 0.0 ? 1.0f : (float)(1.0 / opts->temperature);
}

/** Weights of all tokens under the temperature; their sum. */
static double weigh(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                    float max, float *weight)
{
    const float scale = scale_of(opts);
    for (int64_t i = 0; i < n_vocab; i++) weight[i] = (logit[i] - max) * scale;
    psw_vec_exp(n_vocab, weight, weight);
    return mass_of(n_vocab, weight);
}

/** Cut off what is not drawn; the sum of the rest. */
static double truncate(const struct psw_draw_opts *opts, int64_t n_vocab, float *weight,
                       double mass)
{
    if (opts->top_k > 0 && opts->top_k < n_vocab) {
        apply_cut(find_cut(n_vocab, weight, opts->top_k, 0.0), n_vocab, weight);
        mass = mass_of(n_vocab, weight);
    }
    if (opts->top_p < 1.0) {
        apply_cut(find_cut(n_vocab, weight, 1, opts->top_p * mass), n_vocab, weight);
        mass = mass_of(n_vocab, weight);
    }
    return mass;
}

static int32_t token_of(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                        double u, float *weight, float *logp)
{
    const int is_greedy = opts->temperature <= 0.0;
    const float max = psw_vec_max(n_vocab, logit);
    int32_t token = is_greedy ? largest(n_vocab, logit, max) : 0;
    if (!isfinite(max)) return -1;
    if (is_greedy && !logp) return has_nan(n_vocab, logit) ? -1 : token;
    const double whole = weigh(opts, n_vocab, logit, max, weight);
    if (!isfinite(whole)) return -1;
    if (!is_greedy) token = walk(n_vocab, weight, u * truncate(opts, n_vocab, weight, whole));
    if (logp) *logp = (float)((double)((logit[token] - max) * scale_of(opts)) - log(whole));
    return token;
}

int psw_cpu_distribution(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                         float *prob, double *log_sum)
{
    const int is_greedy = opts->temperature <= 0.0;
    const float max = psw_vec_max(n_vocab, logit);
    const int32_t token = is_greedy && isfinite(max) ? largest(n_vocab, logit, max) : 0;
    const double whole = isfinite(max) ? weigh(opts, n_vocab, logit, max, prob) : NAN;
    if (log_sum) *log_sum = (double)(max * scale_of(opts)) + log(whole);
    if (!isfinite(whole)) {
        for (int64_t i = 0; i < n_vocab; i++) prob[i] = NAN;
        return -1;
    }
    if (is_greedy) {
        memset(prob, 0, (size_t)n_vocab * sizeof *prob);
        prob[token] = 1.0f;
        return 0;
    }
    const double mass = truncate(opts, n_vocab, prob, whole);
    psw_vec_scale(n_vocab, (float)(1.0 / mass), prob);
    return 0;
}

static void tokens(struct psw_exec *exec, const struct psw_draw_opts *opts, int64_t n_vocab,
                   const float *logit, struct psw_draw_rows rows, float *weight)
{
    (void)exec;
    for (int64_t r = 0; r < rows.n_row; r++) {
        const float *row = logit + (rows.source ? rows.source[r] : r) * n_vocab;
        rows.token[r] =
            token_of(opts, n_vocab, row, rows.u[r], weight, rows.logp ? rows.logp + r : NULL);
    }
}

const struct psw_draw_ops psw_cpu_draw = {.tokens = tokens};
