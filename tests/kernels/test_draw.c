/* Drawing a token: shares of [0, 1), truncation against a sorted reference, distribution. */
#include "cpu.h"
#include "support/support.h"

#include <math.h>
#include <posweep/util/rng.h>
#include <stdlib.h>
#include <string.h>
#include <support/triple.h>

enum { V = 600 };

static float logit[V], weight[V];

static int32_t draw_token(const struct psw_draw_opts *opts, int64_t n_vocab, const float *from,
                          double u, float *logp)
{
    int32_t token;
    OP.draw->tokens(&kernel_exec, opts, n_vocab, from,
                    (struct psw_draw_rows){1, NULL, &u, &token, logp}, weight);
    return token;
}

/** Token ids by falling logit, lowest id first among equals. */
static void sort_ids(int64_t n, int32_t *id)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t j = i;
        for (; j > 0 && logit[id[j - 1]] < logit[i]; j--) id[j] = id[j - 1];
        id[j] = (int32_t)i;
    }
}

/** The tokens that may be drawn, from a full sort: keep[V]. */
static void keep_naive(const struct psw_draw_opts *o, int64_t n, int8_t *keep)
{
    int32_t id[V];
    sort_ids(n, id);
    double p[V], sum = 0.0;
    const int64_t n_kept = o->top_k > 0 && o->top_k < n ? o->top_k : n;
    for (int64_t i = 0; i < n; i++) {
        p[i] = exp(((double)logit[id[i]] - (double)logit[id[0]]) / o->temperature);
        if (i < n_kept) sum += p[i];
        keep[id[i]] = 0;
    }
    double mass = 0.0;
    for (int64_t i = 0; i < n_kept && (i == 0 || mass < o->top_p * sum); i++) {
        keep[id[i]] = 1;
        mass += p[i];
    }
}

static void truncation_keeps_what_a_full_sort_keeps(void **state)
{
    (void)state;
    static const struct psw_draw_opts opts[] = {{1.0, 1.0, 5},  {0.7, 0.9, 0}, {1.0, 0.5, 0},
                                                {1.3, 0.95, 9}, {1.0, 1.0, 1}, {1.0, 0.01, 0}};
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++)
        for (uint64_t seed = 1; seed < 4; seed++) {
            int8_t keep[V], drawn[V] = {0};
            support_fill(logit, V, 6.0f, seed);
            logit[17] = logit[400] = logit[3]; /* ties */
            keep_naive(&opts[i], V, keep);
            draw_token(&opts[i], V, logit, 0.5, NULL);
            for (int64_t k = 0; k < V; k++) {
                drawn[k] = weight[k] > 0.0f; /* the scratch holds what could be drawn */
                assert_int_equal(drawn[k], keep[k]);
            }
        }
}

static void the_distribution_is_what_tokens_are_drawn_from(void **state)
{
    (void)state;
    static const struct psw_draw_opts opts[] = {
        {1.0, 1.0, 0}, {0.7, 0.9, 0}, {1.3, 0.95, 9}, {1.0, 1.0, 1}, {0.0, 1.0, 0}};
    for (size_t i = 0; i < sizeof opts / sizeof *opts; i++) {
        static float prob[V];
        double share[V] = {0}, log_sum, sum = 0.0;
        enum { N_DRAW = 4000 };
        support_fill(logit, V, 6.0f, 4);
        assert_int_equal(psw_cpu_distribution(&opts[i], V, logit, prob, &log_sum), 0);
        for (int n = 0; n < N_DRAW; n++) /* an even grid of u: no noise but that of the grid */
            share[draw_token(&opts[i], V, logit, (n + 0.5) / N_DRAW, NULL)] += 1.0 / N_DRAW;
        const double t = opts[i].temperature > 0 ? opts[i].temperature : 1.0;
        for (int v = 0; v < V; v++) {
            assert_true(fabs(share[v] - (double)prob[v]) <= 1.001 / N_DRAW);
            sum += exp((double)logit[v] / t);
        }
        assert_close(log_sum, log(sum), 1e-5);
    }
    logit[5] = NAN;
    assert_int_equal(psw_cpu_distribution(&opts[0], V, logit, logit, NULL), -1);
    assert_true(isnan(logit[0]));
}

static void ties_are_kept_in_order_of_id(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 8; i++) logit[i] = 1.0f;
    const struct psw_draw_opts k3 = {.temperature = 1.0, .top_p = 1.0, .top_k = 3};
    assert_int_equal(draw_token(&k3, 8, logit, 0.999999, NULL), 2);
    const struct psw_draw_opts half = {.temperature = 1.0, .top_p = 0.5};
    assert_int_equal(draw_token(&half, 8, logit, 0.999999, NULL), 3);
}

static void greedy_takes_the_first_of_the_largest(void **state)
{
    (void)state;
    const struct psw_draw_opts greedy = {.temperature = 0.0, .top_p = 1.0};
    support_fill(logit, V, 3.0f, 5);
    logit[77] = logit[80] = 4.0f;
    float logp = 0.0f;
    double total = 0.0;
    for (int64_t i = 0; i < V; i++) total += exp((double)logit[i]);
    assert_int_equal(draw_token(&greedy, V, logit, 0.3, &logp), 77);
    assert_close(logp, 4.0 - log(total), 1e-6);
    assert_int_equal(draw_token(&greedy, V, logit, 0.3, NULL), 77);
}

static void the_ends_of_the_unit_interval_draw_the_first_and_last_token(void **state)
{
    (void)state;
    const struct psw_draw_opts o = {.temperature = 1.0, .top_p = 1.0};
    support_fill(logit, V, 1.0f, 6);
    assert_int_equal(draw_token(&o, V, logit, 1e-12, NULL), 0);
    assert_int_equal(draw_token(&o, V, logit, 1.0 - 1e-12, NULL), V - 1);
}

static void logits_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++)
        for (int greedy = 0; greedy < 2; greedy++) {
            const struct psw_draw_opts o = {.temperature = greedy ? 0.0 : 1.0, .top_p = 1.0};
            float logp;
            support_fill(logit, V, 1.0f, 6);
            logit[9] = bad[i];
            assert_int_equal(draw_token(&o, V, logit, 0.5, &logp), -1);
        }
}

static void rows_are_drawn_from_the_logits_they_name(void **state)
{
    (void)state;
    enum { N_ROW = 4, N = 50 };
    static const int32_t source[N_ROW] = {2, 0, 2, 1};
    const double u[N_ROW] = {0.3, 0.3, 0.8, 0.5};
    const struct psw_draw_opts o = {.temperature = 0.7, .top_p = 0.9};
    int32_t token[N_ROW];
    float logp[N_ROW], one;
    support_fill(logit, 3 * N, 3.0f, 8);
    OP.draw->tokens(&kernel_exec, &o, N, logit,
                    (struct psw_draw_rows){N_ROW, source, u, token, logp}, weight);
    for (int r = 0; r < N_ROW; r++) {
        assert_int_equal(token[r], draw_token(&o, N, logit + source[r] * N, u[r], &one));
        assert_true(logp[r] == one);
    }
}

static void frequencies_follow_the_probabilities(void **state)
{
    (void)state;
    enum { N = 20000, K = 6 };
    const float l[K] = {0.0f, 1.0f, -1.0f, 0.5f, 2.0f, -0.5f};
    const struct psw_draw_opts o = {.temperature = 0.8, .top_p = 1.0};
    const struct psw_rng rng = {.seed = 11, .use = PSW_RNG_TEST};
    int32_t n[K] = {0};
    for (uint64_t i = 0; i < N; i++)
        n[draw_token(&o, K, l, psw_rng_uniform(rng, i, 0), NULL)]++;
    double total = 0.0, chi2 = 0.0;
    for (int k = 0; k < K; k++) total += exp((double)l[k] / 0.8);
    for (int k = 0; k < K; k++) {
        const double expected = N * exp((double)l[k] / 0.8) / total;
        chi2 += (n[k] - expected) * (n[k] - expected) / expected;
    }
    assert_true(chi2 < 20.5); /* 5 degrees of freedom: p = 0.001; the seed is fixed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(truncation_keeps_what_a_full_sort_keeps),
        cpu_test(the_distribution_is_what_tokens_are_drawn_from),
        kernel_test(ties_are_kept_in_order_of_id),
        kernel_test(greedy_takes_the_first_of_the_largest),
        kernel_test(the_ends_of_the_unit_interval_draw_the_first_and_last_token),
        kernel_test(logits_that_are_not_finite_are_refused),
        kernel_test(rows_are_drawn_from_the_logits_they_name),
        kernel_test(frequencies_follow_the_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
