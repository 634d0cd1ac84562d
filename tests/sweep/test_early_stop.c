/* The rules of early stopping as functions of numbers. */
#include "../../src/sweep/early_stop.h"

#include <support/support.h>

#include <math.h>
#include <stdio.h>

static void asha_keeps_the_best_third_of_nine(void **state)
{
    (void)state;
    double threshold;
    /* eight at the rung: with the ninth, three of nine go on */
    for (int own = 1; own <= 9; own++) {
        double other[8];
        int n = 0;
        for (int i = 1; i <= 9; i++)
            if (i != own) other[n++] = i;
        assert_int_equal(psw_asha_stops(other, 8, own, 0, 3, &threshold), own < 7);
        if (own < 7) assert_float_equal(threshold, 7, 0);
        assert_int_equal(psw_asha_stops(other, 8, own, 1, 3, &threshold), own > 3);
        if (own > 3) assert_float_equal(threshold, 3, 0);
    }
}

static void asha_lets_all_go_on_while_there_are_few(void **state)
{
    (void)state;
    double threshold, other[] = {5, 6};
    assert_int_equal(psw_asha_stops(other, 1, -1, 0, 3, &threshold), 0);
    assert_true(isnan(threshold));
    assert_int_equal(psw_asha_stops(other, 2, -1, 0, 3, &threshold), 1);
}

static void asha_takes_a_tie_for_as_good_and_nan_for_worst(void **state)
{
    (void)state;
    double threshold, equal[] = {2, 2, 2, NAN}, bad[] = {NAN, NAN, NAN};
    assert_int_equal(psw_asha_stops(equal, 4, 2, 0, 3, &threshold), 0);
    assert_int_equal(psw_asha_stops(equal, 4, NAN, 1, 3, &threshold), 1);
    assert_float_equal(threshold, 2, 0);
    assert_int_equal(psw_asha_stops(bad, 3, NAN, 0, 2, &threshold), 0);
}

static void median_stops_what_is_strictly_below_the_median(void **state)
{
    (void)state;
    double threshold, average[] = {4, 1, 3, 2};
    assert_int_equal(psw_median_stops(average, 4, 2.4, 0, 4, &threshold), 1);
    assert_float_equal(threshold, 2.5, 0);
    assert_int_equal(psw_median_stops(average, 4, 2.5, 0, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, 2.5, 1, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, 2.6, 1, 4, &threshold), 1);
    assert_int_equal(psw_median_stops(average, 3, -9, 0, 4, &threshold), 0);
    assert_int_equal(psw_median_stops(average, 4, NAN, 0, 4, &threshold), 1);
}

static void rungs_are_where_the_papers_have_them(void **state)
{
    (void)state;
    const struct psw_stop_rule asha = {.kind = PSW_STOP_ASHA, .grace = 10, .reduction = 3},
                               median = {.kind = PSW_STOP_MEDIAN, .grace = 10};
    const int64_t expected[] = {10, 30, 90, 0};
    int64_t step = 0;
    for (int i = 0; i < 4; i++) {
        step = psw_stop_next_rung(&asha, step, 270);
        assert_int_equal(step, expected[i]);
    }
    assert_int_equal(psw_stop_next_rung(&median, 0, 100), 10);
    assert_int_equal(psw_stop_next_rung(&median, 10, 100), 20);
    assert_int_equal(psw_stop_next_rung(&median, 90, 100), 0);
}

/* Both runs come to the first rung, the second one far behind. */
static int comes_to_rung(struct psw_early_stop *s, struct psw_journal *journal, uint64_t run,
                         double value)
{
    int stops = -1;
    const double step_value[2] = {10, value};
    assert_int_equal(psw_early_stop_see(s, journal, run, 1, step_value, &stops, NULL), PSW_OK);
    return stops;
}

static void values_of_another_metric_are_not_compared(void **state)
{
    (void)state;
    char folder[256], path[320];
    static const uint64_t HASHES[3] = {7, 8, 9};
    struct psw_run run[3] = {{.hash = 7}, {.hash = 8}, {.hash = 9}};
    struct psw_sweep sweep = {.run = run, .n_run = 3};
    const struct psw_journal_opts opts = {
        .sweep_name = "s", .spec_text = "", .provenance = "", .n_run = 3, .run = HASHES};
    struct psw_journal *journal = NULL;
    struct psw_early_stop s;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/a.h5.journal", folder);
    assert_int_equal(psw_journal_open(path, &opts, &journal, NULL), PSW_OK);
    sweep.stop = (struct psw_stop_rule){
        .kind = PSW_STOP_ASHA, .metric = PSW_STOP_SCORE, .grace = 10, .reduction = 2};
    assert_int_equal(psw_early_stop_init(&sweep, journal, &s, NULL), PSW_OK);
    assert_false(comes_to_rung(&s, journal, 7, 0.9));
    assert_true(comes_to_rung(&s, journal, 8, 0.1));
    psw_early_stop_clear(&s);
    /* the same rule remembers */
    assert_int_equal(psw_early_stop_init(&sweep, journal, &s, NULL), PSW_OK);
    assert_int_equal(s.n_rung, 2);
    psw_early_stop_clear(&s);
    /* a loss of 0.5 is not held against scores */
    sweep.stop.metric = PSW_STOP_TRAIN_LOSS;
    sweep.stop.is_min = 1;
    assert_int_equal(psw_early_stop_init(&sweep, journal, &s, NULL), PSW_OK);
    assert_int_equal(s.n_rung, 0);
    assert_false(comes_to_rung(&s, journal, 9, 0.5));
    psw_early_stop_clear(&s);
    psw_journal_close(journal);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asha_keeps_the_best_third_of_nine),
        cmocka_unit_test(asha_lets_all_go_on_while_there_are_few),
        cmocka_unit_test(asha_takes_a_tie_for_as_good_and_nan_for_worst),
        cmocka_unit_test(median_stops_what_is_strictly_below_the_median),
        cmocka_unit_test(rungs_are_where_the_papers_have_them),
        cmocka_unit_test(values_of_another_metric_are_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
