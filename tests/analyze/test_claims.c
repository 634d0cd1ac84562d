/* The claims of the paper on files that support them, contradict them, and cannot tell. */
#include <support/support.h>

#include "facts_file.h"

#include <posweep/analyze/claims.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SEED = 9 };

/* All signs alike: of 2^9 sign patterns two are as extreme. */
static const double P9 = 2.0 / 512, SAME = 1e-12;

/** Facts of a run under which a claim is right, and under which it is wrong; the runs of
 *  vanilla beside it have `vanilla`. */
struct example {
    const char *sentence; /* part of it */
    const char *method, *variant;
    struct ff_fact right[3], wrong[3], vanilla[3];
};

#define NORM                                                                                   \
    {                                                                                          \
        "v_norm", 1,                                                                           \
        {                                                                                      \
            2                                                                                  \
        }                                                                                      \
    }

static const struct example EXAMPLES[] = {
    {"above 0 throughout",
     "dpo",
     "vanilla",
     {NORM, {"G", 15, {2, 2, 0, 1, 1, 0, 3, 3, 0, 1, 1, 0, -9, -9, 0}}}, /* the last is noise */
     {NORM, {"G", 15, {2, 2, 0, 1, 1, 0, -3, -3, 0, 2, 2, 0, 9, 9, 0}}}, /* late: below 0 */
     {{0}}},
    {"leads early",
     "dpo",
     "vanilla",
     {NORM, {"G", 15, {3, 2, 1, 3, 2, 1, 3, 1, 2, 3, 1, 2, 0, 0, 0}}},
     {NORM, {"G", 15, {3, 1, 2, 3, 1, 2, 3, 2, 1, 3, 2, 1, 0, 0, 0}}},
     {{0}}},
    {"flat over-fits sooner",
     "dpo",
     "flat",
     {{"trace_heldout_loss", 5, {0.7, 0.6, 0.5, 0.6, 0.7}}},
     {{"trace_heldout_loss", 5, {0.7, 0.6, 0.5, 0.4, 0.3}}},
     {{"trace_heldout_loss", 5, {0.7, 0.6, 0.5, 0.5, 0.6}}}},
    {"near 0, its sign not known",
     "ppo",
     "vanilla",
     {NORM, {"G", 15, {1, 1, 0, 0, 1, -1, 0, 0, 0, 0, 0, 0, 1, 1, 0}}}, /* 3 of 4 unclear */
     {NORM, {"G", 15, {1, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0}}},
     {{0}}},
    {"positive samples pull",
     "ppo",
     "vanilla",
     {NORM, {"G", 3, {0, 1, -1}}},
     {NORM, {"G", 3, {2, 1, 1}}},
     {{0}}},
    {"distinct roles",
     "ppo",
     "vanilla",
     {NORM, {"G", 9, {1, 1, 0, 1, 0, -1, 0.1, 0, 0.3}}},
     {NORM, {"G", 9, {1, 1, 0, 0.5, 0.5, 0.4, -0.2, 0, 0}}},
     {{0}}},
    {"no_negative_early raises",
     "dpo",
     "no_negative_early",
     {{"win_rate", 1, {0.6}}},
     {{"win_rate", 1, {0.4}}},
     {{"win_rate", 1, {0.5}}}},
    {"cdpo raises",
     "dpo",
     "cdpo",
     {{"win_rate", 1, {0.6}}},
     {{"win_rate", 1, {0.4}}},
     {{"win_rate", 1, {0.5}}}},
    {"cppo raises",
     "ppo",
     "cppo",
     {{"win_rate", 1, {0.6}}},
     {{"win_rate", 1, {0.4}}},
     {{"win_rate", 1, {0.5}}}},
    {"hppo raises",
     "ppo",
     "hppo",
     {{"win_rate", 1, {0.6}}},
     {{"win_rate", 1, {0.4}}},
     {{"win_rate", 1, {0.5}}}},
};
enum { N_EXAMPLE = sizeof EXAMPLES / sizeof *EXAMPLES };

static void ask(const struct ff_run *run, int n_run, int number, struct psw_claim *out, int *n)
{
    char folder[256], path[300];
    struct psw_results *results = NULL;
    struct psw_error err = {0};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    ff_write(path, run, n_run);
    if (psw_results_open(path, &results, &err) != PSW_OK) fail_msg("%s", err.text);
    if (psw_claims_ask(results, number, 0, out, n, &err) != PSW_OK) fail_msg("%s", err.text);
    psw_results_close(results);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

/** Runs of n seeds with these facts, and of vanilla if it is another variant. */
static int make_runs(const struct example *e, const struct ff_fact *facts, int n_seed,
                     struct ff_run *out)
{
    int n = 0;
    for (int s = 1; s <= n_seed; s++) {
        out[n] = (struct ff_run){.method = e->method, .variant = e->variant, .seed = s};
        memcpy(out[n++].fact, facts, sizeof e->right);
    }
    for (int s = 1; s <= n_seed && strcmp(e->variant, "vanilla") != 0; s++) {
        out[n] = (struct ff_run){.method = e->method, .variant = "vanilla", .seed = s};
        memcpy(out[n++].fact, e->vanilla, sizeof e->vanilla);
    }
    return n;
}

static const struct psw_claim *find(const struct psw_claim *claim, int n, const char *sentence)
{
    for (int i = 0; i < n; i++)
        if (strstr(claim[i].sentence, sentence)) return &claim[i];
    fail_msg("no claim \"%s\"", sentence);
    return NULL;
}

static void each_claim_is_supported_and_contradicted_by_its_examples(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    for (int i = 0; i < N_EXAMPLE; i++) {
        const struct example *e = &EXAMPLES[i];
        int n = 0, n_run = make_runs(e, e->right, N_SEED, run);
        ask(run, n_run, 0, claim, &n);
        assert_int_equal(n, N_EXAMPLE);
        assert_non_null(strstr(claim[i].sentence, e->sentence)); /* in this order */
        const struct psw_claim *c = find(claim, n, e->sentence);
        if (c->judged.verdict != PSW_CLAIM_SUPPORTED)
            fail_msg("%s: %d", e->sentence, c->judged.verdict);
        assert_true(fabs(c->judged.p - P9) < SAME);
        n_run = make_runs(e, e->wrong, N_SEED, run);
        ask(run, n_run, 0, claim, &n);
        c = find(claim, n, e->sentence);
        if (c->judged.verdict != PSW_CLAIM_CONTRADICTED)
            fail_msg("%s: %d", e->sentence, c->judged.verdict);
        assert_true(fabs(c->judged.p - c->n_part * P9) < SAME); /* one of its numbers */
    }
}

static void claim_that_the_file_is_not_about_is_not_asked_and_costs_nothing(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    int n = 0;
    const int n_run = make_runs(&EXAMPLES[7], EXAMPLES[7].right, N_SEED, run);
    ask(run, n_run, 0, claim, &n);
    const struct psw_claim *c = find(claim, n, "hppo raises");
    assert_int_equal(c->judged.verdict, PSW_CLAIM_NOT_ASKED);
    assert_true(isnan(c->judged.p) && isnan(c->judged.holm));
    c = find(claim, n, "cdpo raises"); /* no v_norm here, so no other claim either */
    assert_int_equal(c->judged.n_family, 1);
    assert_true(fabs(c->judged.holm - P9) < SAME);
    ask(run, n_run, 7, claim, &n);
    assert_int_equal(n, 4);
}

static void claims_that_are_asked_together_need_more(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    int n = 0;
    int n_run = make_runs(&EXAMPLES[1], EXAMPLES[1].right, 6, run); /* claims 1 and 2 */
    ask(run, n_run, 0, claim, &n);
    const struct psw_claim *c = find(claim, n, "leads early");
    assert_int_equal(c->judged.n_family, 2);
    assert_true(fabs(c->judged.p - 2.0 / 64) < SAME && fabs(c->judged.holm - 4.0 / 64) < SAME);
    assert_int_equal(c->judged.verdict, PSW_CLAIM_UNDECIDED);
    assert_int_equal(c->judged.alone, PSW_CLAIM_SUPPORTED);
    assert_int_equal(c->judged.n_needed, 7); /* 2 / 128 <= 0.05 / 2 */
    ask(run, n_run, 2, claim, &n);
    assert_int_equal(claim[0].judged.verdict, PSW_CLAIM_SUPPORTED);
}

static void differences_are_paired_by_seed_without_those_that_ran_away(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    int n = 0;
    const int n_run = make_runs(&EXAMPLES[7], EXAMPLES[7].right, N_SEED, run);
    for (int i = 0; i < n_run; i++) /* seeds differ by far more than the variants */
        run[i].fact[0].v[0] = 0.08 * (double)run[i].seed + (i < N_SEED ? 0.01 : 0);
    run[0].fact[1] = (struct ff_fact){"kl_ref", 1, {50}};
    run[0].fact[0].v[0] = 0;
    ask(run, n_run, 7, claim, &n);
    const struct psw_claim *c = find(claim, n, "cdpo raises");
    assert_int_equal(c->part[0].test.n, N_SEED - 1);
    assert_true(fabs(c->part[0].test.mean - 0.01) < 1e-9);
    assert_int_equal(c->judged.verdict, PSW_CLAIM_SUPPORTED);
}

static void claim_no_number_of_which_stands_out_is_undecided(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    int n = 0;
    const int n_run = make_runs(&EXAMPLES[7], EXAMPLES[7].right, N_SEED, run);
    for (int i = 0; i < N_SEED; i++) run[i].fact[0].v[0] = i % 2 ? 0.45 : 0.56;
    ask(run, n_run, 7, claim, &n);
    const struct psw_claim *c = find(claim, n, "cdpo raises");
    assert_int_equal(c->judged.verdict, PSW_CLAIM_UNDECIDED);
    assert_int_equal(c->judged.alone, PSW_CLAIM_UNDECIDED);
    assert_true(c->judged.p > 0.05 && c->judged.n_needed > N_SEED);
}

static void text_fits_the_line(void **state)
{
    (void)state;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    struct ff_run run[FF_MOST_RUNS];
    char text[8192] = "";
    int n = 0;
    ask(run, make_runs(&EXAMPLES[1], EXAMPLES[1].wrong, 6, run), 0, claim, &n);
    FILE *out = fmemopen(text, sizeof text, "w");
    assert_int_equal(psw_claims_text(out, claim, n, NULL), PSW_OK);
    fclose(out);
    assert_non_null(strstr(text, "undecided (n = 6): p 0.062, 0.062 among 2 claims"));
    assert_non_null(strstr(text, "cannot be asked here: needs two seeds of ppo"));
    assert_non_null(strstr(text, "cosine of v and the gradient                 not in this"));
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        assert_true(strcspn(at, "\n") <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_claim_is_supported_and_contradicted_by_its_examples),
        cmocka_unit_test(claim_that_the_file_is_not_about_is_not_asked_and_costs_nothing),
        cmocka_unit_test(claims_that_are_asked_together_need_more),
        cmocka_unit_test(differences_are_paired_by_seed_without_those_that_ran_away),
        cmocka_unit_test(claim_no_number_of_which_stands_out_is_undecided),
        cmocka_unit_test(text_fits_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
