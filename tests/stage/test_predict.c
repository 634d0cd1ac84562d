/* What a plan says of a run without running it. */
#include "policy_internal.h"

#include <support/support.h>

#include <stdio.h>

struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
};

static void set(struct fixture *f, const char *key, const char *value)
{
    assert_int_equal(psw_config_set(&f->config, key, value, NULL), PSW_OK);
}

static int setup(void **state)
{
    static struct fixture f;
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "16"},   {"lists.pairs", "16"},  {"model.layers", "1"},
        {"model.width", "16"}, {"model.heads", "2"},   {"model.context", "64"},
        {"sft.steps", "1"},    {"sft.batch", "8"},     {"policy.batch", "8"},
        {"trace.probe", "4"},  {"final.prompts", "2"}, {"eval.prompts", "2"}};
    struct psw_model_dims dims;
    psw_config_default(&f.config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        set(&f, SETTINGS[i][0], SETTINGS[i][1]);
    *state = &f;
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK ||
        psw_stage_model_dims(&f.config, f.data->tokenizer->n_vocab, &dims, NULL) != PSW_OK)
        return -1;
    return psw_model_create(&dims, &f.model, NULL) != PSW_OK;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
    return 0;
}

static struct psw_stage stage_of(const struct fixture *f)
{
    return (struct psw_stage){
        .config = &f->config, .data = f->data, .model = f->model, .work_dir = ""};
}

static void checkpoints_that_are_evaluated_are_counted(void **state)
{
    struct fixture *f = *state;
    const struct psw_stage stage = stage_of(f);
    f->config.trace.every = 2;
    for (int64_t n_step = 1; n_step < 20; n_step++)
        for (int64_t every = 0; every < 6; every++) {
            int64_t n = 0;
            f->config.policy.train.steps = n_step;
            f->config.eval.every = every;
            for (int64_t i = 0; i < psw_stage_n_checkpoint(&f->config); i++)
                n += psw_policy_is_eval_point(&stage, i);
            assert_int_equal(psw_policy_n_eval_point(&stage), n);
        }
    f->config.eval.prompts = 0;
    f->config.eval.every = 1;
    assert_int_equal(psw_policy_n_eval_point(&stage), 0);
    f->config.eval.prompts = 2;
}

static struct psw_stage_cost cost_of(const struct fixture *f)
{
    const struct psw_stage stage = stage_of(f);
    struct psw_stage_cost cost;
    assert_int_equal(psw_stage_predict(PSW_STAGE_POLICY, &stage, 1, &cost, NULL), PSW_OK);
    return cost;
}

/* Of a long run with a small model it is most of what there is. */
static void the_training_log_is_planned_for(void **state)
{
    struct fixture *f = *state;
    int n_metric = 0;
    while (PSW_POLICY_PAIRS.metric[n_metric]) n_metric++;
    set(f, "policy.steps", "1000000");
    set(f, "trace.every", "1000000");
    set(f, "log.every", "1000000");
    const struct psw_stage_cost one_row = cost_of(f);
    set(f, "log.every", "10");
    const struct psw_stage_cost cost = cost_of(f);
    const size_t n_bytes = sizeof(double) * 99999 * (size_t)n_metric;
    assert_int_equal(cost.peak_bytes - one_row.peak_bytes, n_bytes);
    assert_int_equal(cost.disk_bytes - one_row.disk_bytes, n_bytes);
}

/* Checkpoints, log and the state at the end; models that are kept are apart. */
static void a_kept_training_is_planned_for_where_a_longer_run_can_use_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(cost_of(f).training_bytes, 0);
    set(f, "limits.keep_training", "on");
    const struct psw_stage_cost cost = cost_of(f);
    assert_true(cost.training_bytes > 0);
    assert_int_equal(cost.training_bytes, cost.disk_bytes);
    set(f, "limits.keep", "final");
    assert_int_equal(cost_of(f).training_bytes, cost.training_bytes);
    assert_true(cost_of(f).disk_bytes > cost.disk_bytes);
    set(f, "policy.decay", "linear");
    assert_int_equal(cost_of(f).training_bytes, 0);
    set(f, "policy.decay", "constant");
    set(f, "limits.keep", "none");
    set(f, "limits.keep_training", "off");
}

/* However they are found: as a plan has them for all runs of the data, or one by one. */
static void operations_are_a_function_of_the_run_and_its_data(void **state)
{
    struct fixture *f = *state;
    static const char *const METHODS[] = {"dpo", "ppo"}, *const SHARES[] = {"off", "on"};
    struct psw_stage_loads loads;
    psw_stage_loads_of(f->data, &loads);
    for (int m = 0; m < 2; m++)
        for (int s = 0; s < 2; s++) {
            struct psw_stage stage = stage_of(f);
            set(f, "policy.method", METHODS[m]);
            set(f, "policy.share_prefix", SHARES[s]);
            for (int kind = 0; kind < PSW_N_STAGE; kind++) {
                stage.loads = NULL;
                const double alone = psw_stage_flops((enum psw_stage_kind)kind, &stage);
                stage.loads = &loads;
                assert_true(psw_stage_flops((enum psw_stage_kind)kind, &stage) == alone);
                assert_true((alone > 0) == (psw_stages_of(&f->config) >> kind & 1));
            }
        }
    set(f, "policy.method", "dpo");
    set(f, "policy.share_prefix", "on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_that_are_evaluated_are_counted),
        cmocka_unit_test(the_training_log_is_planned_for),
        cmocka_unit_test(a_kept_training_is_planned_for_where_a_longer_run_can_use_it),
        cmocka_unit_test(operations_are_a_function_of_the_run_and_its_data),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
