#include "traces_file.h"
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/traces.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <string.h>

static char folder[256], path[300];
static struct psw_results *results;

static const struct tf_run RUN = {
    .variant = "vanilla", .seed = 1, .pos = {3, 2, 1, 0, -1, -2}, .neg = {1, 1, 1, 1, 1, 1}};

static struct psw_traces traces_of(struct tf_file file)
{
    struct psw_traces t;
    file.run = &RUN;
    file.n_run = 1;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    tf_write(&file, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_traces_init(results, &t, NULL), PSW_OK);
    return t;
}

static int tear_down(void **state)
{
    (void)state;
    psw_results_close(results);
    results = NULL;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static double se_at(const struct psw_traces *t, int checkpoint)
{
    return psw_trace_at(t, PSW_ALONG_SAMPLED, 0, checkpoint, t->pos).se;
}

static void error_is_the_root_of_both_squares(void **state)
{
    (void)state;
    const struct psw_traces t = traces_of((struct tf_file){
        .se = 3, .se_difference = 3, .se_final = {4, 4, 4, 4, 4, 4}, .norm = 2});
    const struct psw_trace_value v = psw_trace_at(&t, PSW_ALONG_SAMPLED, 0, 1, t.pos);
    assert_close(v.g, 2, 1e-12);
    assert_close(v.se, 5, 1e-12);
    assert_close(v.scaled, 1, 1e-12);
    assert_close(v.scaled_se, 2.5, 1e-12);
    assert_close(v.step, 20, 0);
}

static void error_through_the_final_responses_is_interpolated(void **state)
{
    (void)state;
    const struct psw_traces t = traces_of((struct tf_file){
        .se = 0, .se_difference = 0, .se_final = {NAN, 1, NAN, NAN, 4, NAN}, .norm = 1});
    assert_close(se_at(&t, 0), 1, 1e-12); /* before the first: the nearest */
    assert_close(se_at(&t, 1), 1, 1e-12);
    assert_close(se_at(&t, 2), 2, 1e-12);
    assert_close(se_at(&t, 3), 3, 1e-12);
    assert_close(se_at(&t, 4), 4, 1e-12);
}

static void without_it_the_error_is_that_of_the_probe(void **state)
{
    (void)state;
    const struct psw_traces t =
        traces_of((struct tf_file){.se = 0.5,
                                   .se_difference = NAN,
                                   .se_final = {NAN, NAN, NAN, NAN, NAN, NAN},
                                   .norm = 1});
    assert_close(se_at(&t, 2), 0.5, 1e-12);
    assert_int_equal(t.pos_minus_neg, -1);
    const struct psw_trace_value v =
        psw_trace_at(&t, PSW_ALONG_SAMPLED, 0, 0, PSW_POS_MINUS_NEG);
    assert_close(v.g, 2, 1e-12); /* from pos and neg, as if independent */
    assert_close(v.se, sqrt(0.5), 1e-12);
}

static void difference_has_its_own_error(void **state)
{
    (void)state;
    const struct psw_traces t = traces_of((struct tf_file){
        .se = 1, .se_difference = 0.25, .se_final = {NAN, NAN, NAN, NAN, NAN, NAN}, .norm = 1});
    const struct psw_trace_value v =
        psw_trace_at(&t, PSW_ALONG_SAMPLED, 0, 4, PSW_POS_MINUS_NEG);
    assert_close(v.g, -2, 1e-12);
    assert_close(v.se, 0.25, 1e-12);
}

static void last_checkpoint_is_no_part_of_a_trace(void **state)
{
    (void)state;
    const struct psw_traces t = traces_of((struct tf_file){
        .se = 1, .se_difference = 1, .se_final = {NAN, NAN, NAN, NAN, NAN, 9}, .norm = 1});
    assert_int_equal(psw_trace_length(&t, 0), TF_CHECKPOINTS - 1);
    assert_true(isnan(psw_trace_at(&t, PSW_ALONG_SAMPLED, 0, TF_CHECKPOINTS - 1, t.pos).g));
    assert_close(se_at(&t, 4), sqrt(82), 1e-12); /* but its error is the nearest */
}

static void soft_direction_is_there_where_the_file_has_it(void **state)
{
    (void)state;
    const struct psw_traces t =
        traces_of((struct tf_file){.se = 1,
                                   .se_difference = 1,
                                   .se_final = {NAN, NAN, NAN, NAN, NAN, NAN},
                                   .norm = 4,
                                   .soft = 0.5,
                                   .soft_se = 0.1});
    assert_true(psw_trace_has(&t, PSW_ALONG_SOFT, 0, 0));
    const struct psw_trace_value v = psw_trace_at(&t, PSW_ALONG_SOFT, 0, 0, t.pos);
    assert_close(v.g, 1.5, 1e-12);
    assert_close(v.se, 0.1, 1e-12);
    assert_close(v.scaled, 0.75, 1e-12);
}

static void soft_direction_is_missing_where_it_is_not(void **state)
{
    (void)state;
    const struct psw_traces t = traces_of((struct tf_file){
        .se = 1, .se_difference = 1, .se_final = {1, 1, 1, 1, 1, 1}, .norm = 4});
    assert_false(psw_trace_has(&t, PSW_ALONG_SOFT, 0, 0));
    assert_true(isnan(psw_trace_at(&t, PSW_ALONG_SOFT, 0, 0, t.pos).g));
}

#define TEST(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(error_is_the_root_of_both_squares),
        TEST(error_through_the_final_responses_is_interpolated),
        TEST(without_it_the_error_is_that_of_the_probe),
        TEST(difference_has_its_own_error),
        TEST(last_checkpoint_is_no_part_of_a_trace),
        TEST(soft_direction_is_there_where_the_file_has_it),
        TEST(soft_direction_is_missing_where_it_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
