/* Runs of two files held against each other: equal ones are equal in every value, whatever
 * other runs the files have, and one changed bit is found. */
#include <support/support.h>

#include "compare_file.h"

#include <posweep/analyze/replay.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>

static const struct cf_run RUN = {.method = "dpo",
                                  .variant = "flat",
                                  .seed = 2,
                                  .beta = 0.1,
                                  .outcome = PSW_OUTCOME_DONE,
                                  .score = 1.5,
                                  .kl = 0.25,
                                  .pos = 3,
                                  .neg = -1};

/** step, v_norm; G, G_se of three components; score, kl_ref, final_degenerate. */
enum { N_DATASET = 7, N_VALUE = 2 * CF_CHECKPOINTS + 2 * 3 * CF_CHECKPOINTS + 3 };

/** RUN as the second of three, against `again` alone. */
static struct psw_replay_check compare_with(struct cf_run again)
{
    char folder[256], before[300], now[300];
    struct psw_results *a = NULL, *b = NULL;
    struct psw_replay_check c;
    struct cf_run three[3] = {RUN, RUN, RUN};
    three[0].score = -7;
    three[2].outcome = PSW_OUTCOME_QUEUED;
    support_temp_dir(folder);
    snprintf(before, sizeof before, "%s/a.h5", folder);
    snprintf(now, sizeof now, "%s/b.h5", folder);
    cf_write(three, 3, before);
    cf_write(&again, 1, now);
    assert_int_equal(psw_results_open(before, &a, NULL), PSW_OK);
    assert_int_equal(psw_results_open(now, &b, NULL), PSW_OK);
    assert_int_equal(psw_replay_compare(a, 1, b, 0, &c, NULL), PSW_OK);
    assert_int_equal(psw_results_fault(a, NULL), PSW_OK);
    psw_results_close(a);
    psw_results_close(b);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    return c;
}

static void the_same_run_is_the_same_in_every_value(void **state)
{
    (void)state;
    const struct psw_replay_check c = compare_with(RUN);
    assert_int_equal(c.n_dataset, N_DATASET);
    assert_int_equal(c.n_value, N_VALUE);
    assert_int_equal(c.n_different, 0);
    assert_string_equal(c.first, "");
    assert_false(c.has_model);
}

static void one_changed_bit_is_found(void **state)
{
    (void)state;
    struct cf_run again = RUN;
    again.score = nextafter(RUN.score, 2);
    const struct psw_replay_check c = compare_with(again);
    assert_int_equal(c.n_different, 1);
    assert_string_equal(c.first, "score");
    assert_string_equal(c.largest, "score");
    assert_true(c.was == RUN.score && c.is == again.score);
    assert_true(c.distance > 0 && c.distance < 1e-15);
}

static void a_component_is_compared_with_its_like(void **state)
{
    (void)state;
    struct cf_run again = RUN;
    again.neg = -1.5; /* and so total */
    const struct psw_replay_check c = compare_with(again);
    assert_int_equal(c.n_different, 2 * CF_CHECKPOINTS);
    assert_string_equal(c.first, "G");
    assert_float_equal(c.distance, 0.5 / 3, 1e-12); /* of neg and of total; pos is 3 */
    assert_true(c.was == 2 && c.is == 1.5);
}

static void a_dataset_that_one_lacks_is_left_out(void **state)
{
    (void)state;
    struct cf_run again = RUN;
    again.score = NAN;
    again.kl = 0.26;
    const struct psw_replay_check c = compare_with(again);
    /* No run of that file has a score, so there is no such dataset, and nothing to compare. */
    assert_int_equal(c.n_dataset, N_DATASET - 1);
    assert_int_equal(c.n_different, 1);
    assert_string_equal(c.first, "kl_ref");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_run_is_the_same_in_every_value),
        cmocka_unit_test(one_changed_bit_is_found),
        cmocka_unit_test(a_component_is_compared_with_its_like),
        cmocka_unit_test(a_dataset_that_one_lacks_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
