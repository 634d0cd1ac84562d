#include "compare_file.h"
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/compare.h>
#include <posweep/store/schema.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DONE PSW_OUTCOME_DONE

enum { MOST_RUNS = 96 };

/** A file under construction. */
struct made {
    struct cf_run run[MOST_RUNS];
    int n;
};

/** n seeds of a cell; score of seed s is 10 s + shift, with jitter that grows with the seed. */
static void add(struct made *m, const char *method, const char *variant, double beta, int n,
                double shift)
{
    for (int s = 1; s <= n; s++)
        m->run[m->n++] = (struct cf_run){.method = method,
                                         .variant = variant,
                                         .seed = s,
                                         .beta = beta,
                                         .outcome = DONE,
                                         .score = 10 * s + shift + (shift != 0 ? 0.01 * s : 0),
                                         .kl = 0.2,
                                         .pos = 1,
                                         .neg = -1};
}

struct place {
    char folder[256], path[300];
    struct psw_results *results;
    struct psw_comparison c;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_comparison_clear(&p->c);
    psw_results_close(p->results);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static psw_status run_compare(struct place *p, const struct made *m,
                              const struct psw_compare_opts *opts, struct psw_error *err)
{
    if (!p->results) {
        cf_write(m->run, m->n, p->path);
        assert_int_equal(psw_results_open(p->path, &p->results, NULL), PSW_OK);
    }
    psw_comparison_clear(&p->c);
    return psw_compare(p->results, opts, &p->c, err);
}

static const struct psw_compare_row *row_of(const struct place *p, const char *metric,
                                            const char *label)
{
    for (int64_t i = 0; i < p->c.n_row; i++)
        if (strcmp(p->c.row[i].metric, metric) == 0 &&
            strcmp(p->c.row[i].contrast->cell->label, label) == 0)
            return &p->c.row[i];
    fail_msg("no row %s of %s", metric, label);
    return NULL;
}

#define VANILLA                                                                                \
    {                                                                                          \
        .baseline = "vanilla"                                                                  \
    }
static const char *const SCORE[] = {"score"};

static void runs_are_paired_by_seed_within_an_axis(void **state)
{
    struct made m = {.n = 0};
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "vanilla", 0.3, 6, 0);
    add(&m, "dpo", "flat", 0.1, 6, -0.5);
    add(&m, "dpo", "flat", 0.3, 6, 2);
    add(&m, "ppo", "vanilla", 0.1, 6, 7);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    assert_int_equal(p->c.n_row, 2);
    const struct psw_compare_row *low = row_of(p, "score", "dpo flat policy_beta=0.1");
    const struct psw_compare_row *high = row_of(p, "score", "dpo flat policy_beta=0.3");
    assert_string_equal(low->contrast->baseline->label, "dpo vanilla policy_beta=0.1");
    assert_string_equal(high->contrast->baseline->label, "dpo vanilla policy_beta=0.3");
    assert_int_equal(low->pairs.n, 6);
    assert_close(low->test.mean, -0.465,
                 1e-12); /* seeds differ by 10: unpaired it would drown */
    assert_close(low->test.p, 1.0 / 32, 1e-15);
    assert_close(low->judged.holm, 2.0 / 32, 1e-15);
    assert_int_equal(low->judged.verdict, PSW_COMPARE_ALONE);
    assert_int_equal(low->judged.n_needed, 7); /* 2^-6 <= 0.05 / 2 */
    assert_close(high->test.median, 2.035, 1e-12);
    assert_close(high->p_better, 1, 0);
    assert_close(low->p_better, 0, 0);
    assert_close(high->baseline_mean, 35, 1e-12);
    assert_close(high->mde, 1.793, 1e-3);
}

static void a_swept_setting_can_be_compared(void **state)
{
    struct made m = {.n = 0};
    const struct psw_compare_opts opts = {
        .pairing = {.by = "policy.beta", .baseline = "0.10"}, .metric = SCORE, .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "vanilla", 0.3, 6, 1);
    add(&m, "dpo", "flat", 0.1, 6, 0);
    add(&m, "dpo", "flat", 0.2, 6, 3);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    assert_int_equal(p->c.n_row, 2);
    assert_close(row_of(p, "score", "dpo vanilla policy_beta=0.3")->test.mean, 1.035, 1e-12);
    assert_close(row_of(p, "score", "dpo flat policy_beta=0.2")->test.mean, 3.035, 1e-12);
}

static void an_expression_selects_cells(void **state)
{
    struct made m = {.n = 0};
    struct psw_compare_opts opts = {
        .pairing = {.baseline = "vanilla", .where = "method=dpo, policy_beta=3e-1"},
        .metric = SCORE,
        .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "vanilla", 0.3, 6, 0);
    add(&m, "dpo", "flat", 0.3, 6, -0.5);
    add(&m, "ppo", "vanilla", 0.3, 6, 0);
    add(&m, "ppo", "flat", 0.3, 6, 0);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    assert_int_equal(((struct place *)*state)->c.n_row, 1);
    opts.pairing.where = "variant=flat"; /* and its baseline */
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    assert_int_equal(((struct place *)*state)->c.n_row, 2);
}

static void runs_that_do_not_count_are_in_no_pair_and_counted(void **state)
{
    struct made m = {.n = 0};
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    const struct psw_compare_opts all = {
        .pairing = VANILLA, .metric = SCORE, .n_metric = 1, .max_kl = INFINITY};
    add(&m, "dpo", "vanilla", 0.1, 8, 0);
    add(&m, "dpo", "flat", 0.1, 9, 1); /* seed 9 has no partner */
    m.run[0].outcome = PSW_OUTCOME_DIVERGED;
    m.run[1].outcome = PSW_OUTCOME_FAILED;
    m.run[8 + 2].kl = 40;
    m.run[8 + 3].score = NAN;
    m.run[8 + 4].outcome = PSW_OUTCOME_QUEUED;
    m.run[8 + 5].finding = PSW_FINDING_REPEATS;
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    const struct psw_pairs_of *pairs = &p->c.row[0].pairs;
    assert_int_equal(pairs->n, 3);
    assert_close(p->c.row[0].test.mean, 1.07, 1e-12); /* seeds 6, 7, 8 */
    assert_int_equal(pairs->against.n_diverged, 1);
    assert_int_equal(pairs->against.n_failed, 1);
    assert_int_equal(pairs->of.n_apart, 1);
    assert_int_equal(pairs->of.n_missing, 1);
    assert_int_equal(pairs->of.n_unended, 1);
    assert_int_equal(pairs->of.n_degenerate, 1);
    assert_int_equal(pairs->of.n_run, 9);
    assert_int_equal(run_compare(*state, &m, &all, NULL), PSW_OK);
    assert_int_equal(p->c.row[0].pairs.n, 4);
}

static void equal_values_are_no_difference_at_all(void **state)
{
    struct made m = {.n = 0};
    char words[PSW_VERDICT_BYTES];
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "flat", 0.1, 6, 0);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct psw_compare_row *row = ((struct place *)*state)->c.row;
    assert_int_equal(row->judged.verdict, PSW_COMPARE_EQUAL);
    assert_string_equal(psw_compare_words(row, words), "no difference at all");
    assert_close(row->test.p, 1, 0);
}

static void words_say_how_many_seeds_could_show_it(void **state)
{
    struct made m = {.n = 0};
    char words[PSW_VERDICT_BYTES];
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "vanilla", 0.3, 3, 0);
    add(&m, "dpo", "flat", 0.3, 3, 1);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct psw_compare_row *row = ((struct place *)*state)->c.row;
    assert_string_equal(psw_compare_words(row, words),
                        "not distinguishable at n = 3 (6 seeds could show it)");
    assert_true(isinf(row->mde) && isinf(row->test.interval.lo));
}

static void six_seeds_of_one_comparison_can_differ(void **state)
{
    struct made m = {.n = 0};
    char words[PSW_VERDICT_BYTES];
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "flat", 0.1, 6, 1);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct psw_compare_row *row = ((struct place *)*state)->c.row;
    assert_string_equal(psw_compare_words(row, words), "differs");
    assert_close(row->test.p, row->test.p_floor, 0);
    assert_int_equal(row->judged.n_needed, 0);
}

static void looks_of_a_plan_decide(void **state)
{
    struct made m = {.n = 0};
    char words[PSW_VERDICT_BYTES];
    struct psw_compare_opts opts = {
        .pairing = VANILLA, .metric = SCORE, .n_metric = 1, .batch = 8, .max = 16};
    add(&m, "dpo", "vanilla", 0.1, 9, 0);
    add(&m, "dpo", "flat", 0.1, 9, 1);
    add(&m, "dpo", "other", 0.1, 9, 0);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    assert_string_equal(psw_compare_words(row_of(p, "score", "dpo flat"), words),
                        "differs (found by the look at 8 seeds)");
    assert_string_equal(psw_compare_words(row_of(p, "score", "dpo other"), words),
                        "go on: the next look is at 16 seeds");
    opts.batch = 9, opts.max = 9;
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    assert_string_equal(psw_compare_words(row_of(p, "score", "dpo other"), words),
                        "not distinguishable at n = 9, the last look");
}

static void families_are_the_table_or_the_metric(void **state)
{
    struct made m = {.n = 0};
    const char *const two[] = {"score", "G.pos:mean"};
    struct psw_compare_opts opts = {.pairing = VANILLA, .metric = two, .n_metric = 2};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "flat", 0.1, 6, 1);
    for (int i = 6; i < 12; i++) m.run[i].pos = 2;
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    assert_close(row_of(p, "score", "dpo flat")->judged.holm, 2.0 / 32, 1e-15);
    assert_int_equal(p->c.row[0].judged.n_family, 2);
    opts.family = PSW_FAMILY_METRIC;
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    assert_close(row_of(p, "score", "dpo flat")->judged.holm, 1.0 / 32, 1e-15);
    assert_int_equal(p->c.row[0].judged.n_family, 1);
}

static void unasked_metrics_are_those_that_are_there(void **state)
{
    struct made m = {.n = 0};
    const char *names[PSW_COMPARE_METRICS];
    const struct psw_compare_opts opts = {.pairing = VANILLA};
    add(&m, "dpo", "vanilla", 0.1, 6, 0);
    add(&m, "dpo", "flat", 0.1, 6, 1);
    assert_int_equal(run_compare(*state, &m, &opts, NULL), PSW_OK);
    const struct place *p = *state;
    assert_int_equal(psw_compare_defaults(p->results, names), 4);
    assert_string_equal(names[0], "score");
    assert_string_equal(names[1], "kl_ref");
    assert_string_equal(names[2], "Gv.pos:mean");
    assert_int_equal(p->c.n_row, 4);
}

static void what_cannot_be_compared_is_refused(void **state)
{
    static const char *const CROSSING[] = {"crossing"}, *const TYPO[] = {"scroe"};
    static const struct {
        struct psw_compare_opts opts;
        const char *message;
    } WRONG[] = {
        {{.pairing = {.baseline = "vanila"}},
         "no variant \"vanila\"; did you mean \"vanilla\"?"},
        {{.pairing = {.by = "policy.btea", .baseline = "1"}}, "did you mean \"policy_beta\"?"},
        {{.pairing = {.by = "policy.lr", .baseline = "1"}}, "policy.lr was not varied"},
        {{.pairing = {.by = "method", .baseline = "ppo"}}, "no method \"ppo\""},
        {{.pairing = {.by = "method", .baseline = "dpo"}}, "every selected run has method dpo"},
        {{.pairing = {.baseline = "vanilla", .where = "policy.beta=0.2"}},
         "--where: no policy_beta \"0.2\"; did you mean \"0.1\"? There are 0.1, 0.3"},
        {{.pairing = {.baseline = "vanilla", .where = "variant=vanilla"}},
         "every selected run has variant vanilla: there is nothing to compare it with"},
        {{.pairing = {.baseline = "vanilla", .where = "beta"}}, "\"beta\" is no condition"},
        {{.pairing = {.baseline = "vanilla", .where = ""}}, "\"\" is no condition"},
        {{.pairing = {.baseline = "vanilla", .where = "policy.beta=0.3"}},
         "no variant \"vanilla\". There are flat"},
        {{.pairing = VANILLA, .metric = TYPO, .n_metric = 1}, "did you mean \"score\"?"},
        {{.pairing = VANILLA, .metric = CROSSING, .n_metric = 1},
         "no run of \"dpo flat policy_beta=0.1\" has a value of crossing"},
    };
    struct made m = {.n = 0};
    add(&m, "dpo", "vanilla", 0.1, 3, 0);
    add(&m, "dpo", "flat", 0.1, 3, 1);
    add(&m, "dpo", "flat", 0.3, 3, 1);
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct psw_error err = {0};
        assert_int_not_equal(run_compare(*state, &m, &WRONG[i].opts, &err), PSW_OK);
        if (!strstr(err.text, WRONG[i].message))
            fail_msg("\"%s\" is not in \"%s\"", WRONG[i].message, err.text);
    }
}

static void seeds_that_do_not_meet_are_refused(void **state)
{
    struct made m = {.n = 0};
    struct psw_error err = {0};
    const struct psw_compare_opts opts = {.pairing = VANILLA};
    add(&m, "dpo", "vanilla", 0.1, 3, 0);
    add(&m, "dpo", "flat", 0.1, 3, 1);
    for (int i = 0; i < 3; i++) m.run[3 + i].seed += 10;
    assert_int_equal(run_compare(*state, &m, &opts, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text,
                           "no common seeds: no seed has a finished run that counts both "
                           "in \"dpo flat\" (3 of 3 runs count, the first has seed 11)"));
}

static void runs_that_are_all_over_optimised_are_refused_with_the_reason(void **state)
{
    struct made m = {.n = 0};
    struct psw_error err = {0};
    const struct psw_compare_opts opts = {.pairing = VANILLA, .max_kl = 5};
    const struct psw_compare_opts all = {.pairing = VANILLA, .max_kl = INFINITY};
    add(&m, "dpo", "vanilla", 0.1, 3, 0);
    add(&m, "dpo", "flat", 0.1, 3, 1);
    for (int i = 0; i < 3; i++) m.run[3 + i].kl = 9;
    assert_int_equal(run_compare(*state, &m, &opts, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "all 3 runs of \"dpo flat\" went too far"));
    assert_non_null(strstr(err.text, "--max-kl inf"));
    assert_int_equal(run_compare(*state, &m, &all, &err), PSW_OK);
}

static void one_seed_is_refused(void **state)
{
    struct made m = {.n = 0};
    struct psw_error err = {0};
    const struct psw_compare_opts opts = {.pairing = VANILLA};
    add(&m, "dpo", "vanilla", 0.1, 1, 0);
    add(&m, "dpo", "flat", 0.1, 1, 1);
    assert_int_equal(run_compare(*state, &m, &opts, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "one seed only"));
}

static void cells_that_do_not_agree_are_refused(void **state)
{
    struct made m = {.n = 0};
    struct psw_error err = {0};
    const struct psw_compare_opts opts = {.pairing = VANILLA};
    add(&m, "dpo", "vanilla", 0.1, 3, 0);
    add(&m, "dpo", "vanilla", 0.2, 3, 0);
    add(&m, "dpo", "flat", 0.3, 3, 1);
    assert_int_equal(run_compare(*state, &m, &opts, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text,
                           "no cell agrees with one of variant vanilla in everything "
                           "else (method, policy_beta): \"dpo flat\" has no baseline"));
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Six seeds of two cells; seeds 5 and 6 of the second were stopped early. */
static void add_stopped(struct made *m, int n_stopped)
{
    add(m, "dpo", "vanilla", 0.1, 6, 0);
    add(m, "dpo", "flat", 0.1, 6, 1);
    for (int i = 0; i < n_stopped; i++) m->run[m->n - 1 - i].outcome = PSW_OUTCOME_CENSORED;
}

/* A number of the first row below the names, none of which has a comma in it. */
static double csv_number(const char *csv, const char *name)
{
    const char *const row = strchr(csv, '\n') + 1;
    const char *name_at = csv, *row_at = row;
    const size_t n = strlen(name);
    while (strcspn(name_at, ",\n") != n || strncmp(name_at, name, n) != 0) {
        name_at = strpbrk(name_at, ",\n") + 1;
        row_at = strpbrk(row_at, ",\n") + 1;
        if (name_at >= row) fail_msg("no column %s", name);
    }
    return strtod(row_at, NULL);
}

static void runs_that_were_stopped_early_are_counted_and_nothing_is_tested(void **state)
{
    struct place *p = *state;
    struct made m = {.n = 0};
    char words[PSW_VERDICT_BYTES], *csv = NULL, *text = NULL;
    size_t n_bytes = 0;
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add_stopped(&m, 2);
    assert_int_equal(run_compare(p, &m, &opts, NULL), PSW_OK);
    const struct psw_compare_row *row = row_of(p, "score", "dpo flat");
    assert_int_equal(row->judged.verdict, PSW_COMPARE_CENSORED);
    assert_int_equal(row->pairs.of.n_censored, 2);
    assert_int_equal(row->pairs.of.n_unended, 0);
    assert_int_equal(row->pairs.against.n_censored, 0);
    assert_true(isnan(row->test.p));
    assert_string_equal(psw_compare_words(row, words),
                        "no test: runs were stopped early (censored), so seeds are missing by "
                        "value");
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_compare_text(out, &p->c, NULL), PSW_OK);
    fclose(out);
    assert_non_null(strstr(text, "dpo flat: 2 of 6 stopped early (censored)"));
    out = open_memstream(&csv, &n_bytes);
    assert_int_equal(psw_compare_csv(out, &p->c, NULL), PSW_OK);
    fclose(out);
    assert_close(csv_number(csv, "n_censored"), 2, 0);
    assert_close(csv_number(csv, "baseline_n_censored"), 0, 0);
    free(text);
    free(csv);
}

static void a_single_seed_that_was_not_stopped_is_refused_with_that_reason(void **state)
{
    struct made m = {.n = 0};
    struct psw_error err = {0};
    const struct psw_compare_opts opts = {.pairing = VANILLA, .metric = SCORE, .n_metric = 1};
    add_stopped(&m, 5);
    assert_int_equal(run_compare(*state, &m, &opts, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "one seed only"));
    assert_non_null(strstr(err.text, "5 of 6 runs of \"dpo flat\" were stopped early"));
    assert_non_null(strstr(err.text, "without `stop`"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(runs_are_paired_by_seed_within_an_axis),
        WITH_FILE(a_swept_setting_can_be_compared),
        WITH_FILE(an_expression_selects_cells),
        WITH_FILE(runs_that_do_not_count_are_in_no_pair_and_counted),
        WITH_FILE(equal_values_are_no_difference_at_all),
        WITH_FILE(words_say_how_many_seeds_could_show_it),
        WITH_FILE(six_seeds_of_one_comparison_can_differ),
        WITH_FILE(looks_of_a_plan_decide),
        WITH_FILE(families_are_the_table_or_the_metric),
        WITH_FILE(unasked_metrics_are_those_that_are_there),
        WITH_FILE(what_cannot_be_compared_is_refused),
        WITH_FILE(seeds_that_do_not_meet_are_refused),
        WITH_FILE(one_seed_is_refused),
        WITH_FILE(runs_that_are_all_over_optimised_are_refused_with_the_reason),
        WITH_FILE(cells_that_do_not_agree_are_refused),
        WITH_FILE(runs_that_were_stopped_early_are_counted_and_nothing_is_tested),
        WITH_FILE(a_single_seed_that_was_not_stopped_is_refused_with_that_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
