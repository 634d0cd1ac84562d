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

static size_t peak_bytes(const struct fixture *f)
{
    const struct psw_stage stage = stage_of(f);
    struct psw_stage_cost cost;
    assert_int_equal(psw_stage_predict(PSW_STAGE_POLICY, &stage, 1, &cost, NULL), PSW_OK);
    return cost.peak_bytes;
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
    const size_t one_row = peak_bytes(f);
    set(f, "log.every", "10");
    assert_int_equal(peak_bytes(f) - one_row, sizeof(double) * 99999 * (size_t)n_metric);
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

static void assert_same_memory(const struct fixture *f, struct psw_stage_walks *walks)
{
    for (int size = 1; size <= 2; size++)
        for (int kind = 0; kind < PSW_N_STAGE; kind++) {
            struct psw_stage_cost cost[2];
            struct psw_stage stage = stage_of(f);
            for (int k = 0; k < 2; k++) {
                stage.walks = k ? walks : NULL;
                assert_int_equal(
                    psw_stage_predict((enum psw_stage_kind)kind, &stage, size, &cost[k], NULL),
                    PSW_OK);
            }
            assert_int_equal(cost[0].peak_bytes, cost[1].peak_bytes);
        }
}

/* A walk that is remembered is that of the same steps: whatever they depend on is changed, one
 * after the other, there and back. */
static void memory_is_the_same_where_walks_are_remembered(void **state)
{
    struct fixture *f = *state;
    static const char *const CHANGES[][2] = {{"policy.lr", "1e-4"},
                                             {"policy.batch", "4"},
                                             {"policy.shards", "4"},
                                             {"policy.steps", "1"},
                                             {"policy.share_prefix", "off"},
                                             {"seed", "3"},
                                             {"sft.batch", "16"},
                                             {"reward.source", "model"},
                                             {"limits.backend", "reference"},
                                             {"policy.method", "orpo"},
                                             {"policy.steps", "40000"},
                                             {"policy.beta", "0.3"}};
    enum { N_CHANGE = sizeof CHANGES / sizeof *CHANGES };
    struct psw_stage_walks walks = {0};
    const struct psw_config kept = f->config;
    static const char *const LARGE_STEPS[][2] = {
        {"trace.every", "100"}, {"policy.steps", "100"}, {"policy.batch", "64"},
        {"sft.steps", "100"},   {"sft.batch", "64"},     {"final.max_new", "2"},
        {"trace.probe", "1"},   {"eval.pairs", "1"},     {"trace.cosine_every", "0"}};
    for (size_t i = 0; i < sizeof LARGE_STEPS / sizeof *LARGE_STEPS; i++)
        set(f, LARGE_STEPS[i][0], LARGE_STEPS[i][1]);
    for (int i = 0; i < N_CHANGE; i++) {
        const struct psw_config before = f->config;
        set(f, CHANGES[i][0], CHANGES[i][1]);
        assert_same_memory(f, &walks);
        f->config = before;
        assert_same_memory(f, &walks);
    }
    assert_true(walks.n < N_CHANGE * 2 * 2 * 2); /* walks of two stages at two sizes */
    f->config = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checkpoints_that_are_evaluated_are_counted),
        cmocka_unit_test(the_training_log_is_planned_for),
        cmocka_unit_test(operations_are_a_function_of_the_run_and_its_data),
        cmocka_unit_test(memory_is_the_same_where_walks_are_remembered),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
