#include "traces_file.h"
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/metric.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Two runs; the second has not ended. Steps 0, 20, ... 100; the last one never counts. */
static const struct tf_run RUNS[] = {{.variant = "vanilla",
                                      .seed = 3,
                                      .kl = 0.25,
                                      .pos = {5, 4, 3, 2, 0.1, 99},
                                      .neg = {1, 2, 3, 4, 5, 99}},
                                     {.variant = "vanilla", .seed = 4, .is_diverged = 1}};
static const struct tf_file SOFT = {.run = RUNS,
                                    .n_run = 2,
                                    .se = 0.1,
                                    .se_difference = 0.5,
                                    .se_final = {NAN, NAN, NAN, NAN, NAN, NAN},
                                    .norm = 10,
                                    .soft = 0.5,
                                    .soft_se = 0.1};

struct place {
    char folder[256], path[300];
    struct psw_results *results;
    struct psw_traces traces;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    tf_write(&SOFT, p->path);
    *state = p;
    return psw_results_open(p->path, &p->results, NULL) != PSW_OK ||
           psw_traces_init(p->results, &p->traces, NULL) != PSW_OK;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_results_close(p->results);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static double value_of(struct place *p, const char *along, const char *name)
{
    double out[2] = {-77, -77};
    struct psw_error err = {0};
    if (psw_metric_values(p->results, &p->traces, along, name, out, &err) != PSW_OK)
        fail_msg("%s: %s", name, err.text);
    assert_true(isnan(out[1])); /* diverged */
    return out[0];
}

static void a_final_metric_is_its_dataset(void **state)
{
    assert_close(value_of(*state, NULL, "score"), 1.8, 1e-12);
    assert_close(value_of(*state, NULL, "kl_ref"), 0.25, 1e-12);
}

static void a_trace_has_functionals_without_its_last_checkpoint(void **state)
{
    static const struct {
        const char *name;
        double value;
    } SAMPLED[] = {
        {"G.pos:mean", 14.1 / 5}, {"G.pos:median", 3},     {"G.pos:first", 5},
        {"G.pos:last", 0.1},      {"G.pos:positive", 0.8}, {"G.neg:positive", 1},
        {"G.neg:negative", 0},    {"G.neg:area", 240},     {"Gv.neg:mean", 0.3},
        {"crossing", 40},         {"G.total:last", 5.1},   {"G.pos_minus_neg:first", 4},
        {"G.pos:early", 5},       {"G.pos:middle", 3.5},   {"G.pos:late", 1.05},
        {"G.pos:open", 0.2},      {"G.pos:rise", 0},       {"G.neg:rise", 4}};
    for (size_t i = 0; i < sizeof SAMPLED / sizeof *SAMPLED; i++)
        assert_close(value_of(*state, "sampled", SAMPLED[i].name), SAMPLED[i].value, 1e-12);
}

static void soft_is_taken_where_every_trace_has_it(void **state)
{
    assert_close(value_of(*state, NULL, "G.neg:mean"), 1.5, 1e-12);
    assert_close(value_of(*state, "soft", "G.neg:mean"), 1.5, 1e-12);
    assert_close(value_of(*state, NULL, "Gv.neg:mean"), 0.3, 1e-12);
}

static void a_trace_that_never_crosses_has_no_crossing(void **state)
{
    assert_true(isnan(value_of(*state, "sampled", "G.neg:crossing")));
}

static void what_is_no_metric_is_refused_with_the_nearest(void **state)
{
    static const struct {
        const char *name, *message;
    } WRONG[] = {
        {"scroe", "no metric \"scroe\"; did you mean \"score\"?"},
        {"seed", "no metric \"seed\""},
        {"message", "no metric \"message\""},
        {"G.pos", "\"G.pos\" is a trace: say what of it, for example G.pos:mean"},
        {"G.pso:mean", "no component \"pso\"; did you mean \"pos\"?"},
        {"G.pos:maen", "no functional \"maen\"; did you mean \"mean\"?"},
        {"H.pos:mean", "no family of traces \"H\""},
        {"cosine.pos:mean", "trace.cosine_every would have stored it"},
        {"heldout_loss", "the file has no heldout_loss: it was not measured"},
        {"train_loss:last", "the file has no train_loss: it was not measured"},
        {"v_nrom:mean", "no metric \"v_nrom\"; did you mean \"v_norm\"?"},
        {"", "no metric \"\""},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        double out[2] = {-77, -77};
        struct psw_error err = {0};
        assert_int_not_equal(
            psw_metric_values(p->results, &p->traces, NULL, WRONG[i].name, out, &err), PSW_OK);
        if (!strstr(err.text, WRONG[i].message))
            fail_msg("%s: \"%s\" is not in \"%s\"", WRONG[i].name, WRONG[i].message, err.text);
        assert_true(out[0] == -77);
    }
    double out[2];
    assert_int_equal(psw_metric_values(p->results, &p->traces, "sfot", "G.pos:mean", out, NULL),
                     PSW_EINVAL);
}

static void a_dataset_along_training_has_functionals_too(void **state)
{
    assert_close(value_of(*state, NULL, "v_norm:mean"), 10, 1e-12);
    assert_close(value_of(*state, NULL, "v_norm:positive"), 1, 1e-12);
}

static void directions_follow_the_dataset(void **state)
{
    (void)state;
    assert_int_equal(psw_metric_direction("score"), 1);
    assert_int_equal(psw_metric_direction("heldout_loss"), -1);
    assert_int_equal(psw_metric_direction("train_loss:last"), -1);
    assert_int_equal(psw_metric_direction("train_loss:positive"), 0);
    assert_int_equal(psw_metric_direction("G.pos:mean"), 0);
    assert_int_equal(psw_metric_direction("length"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_final_metric_is_its_dataset),
        cmocka_unit_test(a_trace_has_functionals_without_its_last_checkpoint),
        cmocka_unit_test(soft_is_taken_where_every_trace_has_it),
        cmocka_unit_test(a_trace_that_never_crosses_has_no_crossing),
        cmocka_unit_test(what_is_no_metric_is_refused_with_the_nearest),
        cmocka_unit_test(a_dataset_along_training_has_functionals_too),
        cmocka_unit_test(directions_follow_the_dataset),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
