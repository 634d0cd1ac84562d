/* What the plan says of a run does not depend on what else is planned. */
#include <support/support.h>

#include <posweep/config/leaf.h>
#include <posweep/sweep/work_plan.h>
#include <stdio.h>
#include <string.h>

static const char SWEEP[] = "name: tiny\n"
                            "seeds: [3, 1, 2]\n"
                            "base:\n"
                            "  task: lists\n"
                            "  lists: {sft: 64, pairs: 16}\n"
                            "  model: {layers: 1, width: 16, heads: 2, context: 64}\n"
                            "  sft: {steps: 2, batch: 8}\n"
                            "  policy: {method: dpo, steps: 2, batch: 8}\n"
                            "  final: {prompts: 2, max_new: 4}\n"
                            "  trace: {every: 2, probe: 8, cosine_every: 0}\n"
                            "blocks:\n"
                            "  - variants: {vanilla: {}, longer: {policy.steps: 3}}\n";
enum { N_RUN = 6 };

/* Both variants start from the same model, so runs i and i + 3 share all but the policy. */
static void stages_of_a_seed_are_one(const struct psw_work_plan *plan)
{
    assert_int_equal(plan->n_asked, 18);
    assert_int_equal(plan->n_task, 12);
    assert_int_equal(plan->n_size, 2);
    assert_int_equal(plan->n_content, 3);
    for (int i = 0; i < 3; i++) {
        const struct psw_plan_run *a = &plan->run[i], *b = &plan->run[i + 3];
        assert_int_equal(a->data, b->data);
        assert_int_equal(a->task[PSW_STAGE_SFT], b->task[PSW_STAGE_SFT]);
        assert_int_equal(a->task[PSW_STAGE_REF], b->task[PSW_STAGE_REF]);
        assert_int_not_equal(a->task[PSW_STAGE_POLICY], b->task[PSW_STAGE_POLICY]);
        const struct psw_task *policy = &plan->task[b->task[PSW_STAGE_POLICY]];
        assert_int_equal(policy->run, i + 3);
        assert_int_equal(policy->n_dep, 2);
        for (int d = 0; d < 2; d++) assert_int_equal(plan->task[policy->dep[d]].run, i);
    }
}

static void operations_of_a_run_do_not_depend_on_which_runs_have_ended(void **state)
{
    (void)state;
    char folder[256], path[320];
    struct psw_sweep *sweep = NULL;
    struct psw_work_plan all, one;
    const struct psw_file_part part = {SWEEP, sizeof SWEEP - 1};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/tiny.yaml", folder);
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    assert_int_equal(psw_sweep_read(path, NULL, 0, &sweep, NULL), PSW_OK);
    assert_int_equal(sweep->n_run, N_RUN);
    assert_int_equal(psw_work_plan_init(sweep, NULL, &all, NULL), PSW_OK);
    for (int i = 0; i < N_RUN; i++) {
        uint8_t ended[N_RUN];
        memset(ended, 1, sizeof ended);
        ended[i] = 0;
        assert_int_equal(psw_work_plan_init(sweep, ended, &one, NULL), PSW_OK);
        assert_int_equal(one.n_task, 3); /* sft, ref, policy */
        for (int k = 0; k < PSW_N_STAGE; k++) {
            assert_true(one.run[i].flops[k] == all.run[i].flops[k]);
            assert_int_equal(one.run[i].key[k], all.run[i].key[k]);
        }
        assert_true(all.run[i].flops[PSW_STAGE_POLICY] > 0);
        psw_work_plan_clear(&one);
    }
    stages_of_a_seed_are_one(&all);
    psw_work_plan_clear(&all);
    psw_sweep_destroy(sweep);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

static void frozen_weights_count_once_for_ranks_of_a_run_on_a_node(void **state)
{
    (void)state;
    static const struct {
        int n_rank, n_rank_node, n_sharing;
    } CASES[] = {{1, 8, 1}, {4, 8, 4}, {4, 4, 4},  {8, 4, 4},
                 {2, 7, 1}, {4, 6, 1}, {16, 8, 8}, {4, 0, 1}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct psw_stage_cost cost = {
            .peak_bytes = 1000, .frozen_bytes = 401, .n_rank = CASES[i].n_rank};
        const int n = psw_stage_n_sharing(&cost, CASES[i].n_rank_node);
        assert_int_equal(n, CASES[i].n_sharing);
        /* all of them hold at least what stands once, and less than a byte each more */
        const size_t all = (size_t)n * (psw_stage_rank_bytes(&cost, n) - 599);
        assert_true(all >= 401 && all < 401 + (size_t)n);
    }
}

/* What a plan says of a run of its own. */
static struct psw_plan_size size_of(const struct psw_config *config)
{
    struct psw_run run = {.method = "m", .variant = "v", .hash = 1, .seed = config->seed};
    struct psw_sweep sweep = {.path = (char *)"x.yaml", .run = &run, .n_run = 1};
    struct psw_work_plan plan;
    struct psw_error err = {0};
    assert_int_equal(psw_config_list_add(&sweep.configs, config, NULL), PSW_OK);
    if (psw_work_plan_init(&sweep, NULL, &plan, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_int_equal(plan.n_size, 1);
    const struct psw_plan_size size = plan.size[0];
    psw_work_plan_clear(&plan);
    psw_config_list_clear(&sweep.configs);
    return size;
}

/* Field by field: what is between them, a compiler need not copy. */
static int same_cost(const struct psw_stage_cost *a, const struct psw_stage_cost *b)
{
    return a->peak_bytes == b->peak_bytes && a->frozen_bytes == b->frozen_bytes &&
           a->disk_bytes == b->disk_bytes && a->training_bytes == b->training_bytes &&
           a->sketch_bytes == b->sketch_bytes && a->n_rank == b->n_rank;
}

static int same_size(const struct psw_plan_size *a, const struct psw_plan_size *b)
{
    for (int k = 0; k < PSW_N_STAGE; k++)
        if (!same_cost(&a->cost[k], &b->cost[k]) || a->flops[k] != b->flops[k]) return 0;
    return a->data == b->data && a->train_flops == b->train_flops;
}

/* The leaf at a value that it allows; 0: it does not. */
static int set_value(const struct psw_leaf *leaf, const char *value, struct psw_config *config)
{
    return psw_leaf_set(leaf, value, ".", config, NULL) == PSW_OK &&
           psw_config_validate(config, NULL) == PSW_OK;
}

/* How many values of a leaf give a run of the same size. */
static int n_alike(const struct psw_config *base, const struct psw_plan_size *was,
                   const struct psw_leaf *leaf)
{
    static const char *const VALUES[] = {"0", "0.001", "0.75", "30"};
    const uint64_t hash = psw_config_size_hash(base);
    int n = 0;
    for (size_t v = 0; v < sizeof VALUES / sizeof *VALUES; v++) {
        struct psw_config config = *base;
        if (!set_value(leaf, VALUES[v], &config) || psw_leaf_equal(leaf, base, &config) ||
            psw_config_size_hash(&config) != hash)
            continue;
        n++;
        const struct psw_plan_size is = size_of(&config);
        if (!same_size(&is, was))
            fail_msg("%s = %s changes the size of a %s run", leaf->path, VALUES[v],
                     psw_config_method(base));
    }
    return n;
}

/* Runs that differ in them are planned as one: it must not matter. */
static void real_numbers_change_no_size(void **state)
{
    (void)state;
    static const char *const METHODS[] = {"dpo", "simpo", "ppo", "dapo"};
    int n, n_value = 0;
    const struct psw_leaf *leaf = psw_leaves(&n);
    for (size_t m = 0; m < sizeof METHODS / sizeof *METHODS; m++) {
        struct psw_sweep *sweep = NULL;
        char text[sizeof SWEEP + 200];
        snprintf(
            text, sizeof text,
            "base: {task: lists, lists: {sft: 32, pairs: 16}, model: {layers: 1, width: 16, "
            "heads: 2, context: 64}, sft: {steps: 2, batch: 8}, policy: {method: %s, "
            "steps: 4, batch: 8}, final: {prompts: 2, max_new: 4}, trace: {every: 2, "
            "probe: 8}}\n",
            METHODS[m]);
        struct psw_error err = {0};
        if (psw_sweep_parse("x.yaml", text, strlen(text), &sweep, &err) != PSW_OK)
            fail_msg("%s", err.text);
        const struct psw_plan_size was = size_of(&sweep->configs.first);
        for (int i = 0; i < n; i++)
            if (leaf[i].type == PSW_LEAF_REAL)
                n_value += n_alike(&sweep->configs.first, &was, &leaf[i]);
        psw_sweep_destroy(sweep);
    }
    assert_true(n_value > 100); /* so many were tried */
}

/* How a run of 1 MiB per rank, a little of it frozen, is placed. */
static int is_on_node(int64_t asked, double gib, int n_rank_node)
{
    struct psw_run run = {0};
    struct psw_sweep sweep = {.run = &run, .n_run = 1};
    struct psw_plan_run planned = {.wanted = 1};
    struct psw_plan_size size = {
        .cost[PSW_STAGE_POLICY] = {.peak_bytes = 1 << 20, .frozen_bytes = 1024, .n_rank = 4}};
    struct psw_work_plan plan = {.run = &planned, .n_run = 1, .size = &size};
    struct psw_config config;
    psw_config_default(&config);
    config.limits.frozen_weights = asked;
    config.limits.memory_gib = gib;
    assert_int_equal(psw_config_list_add(&sweep.configs, &config, NULL), PSW_OK);
    psw_work_plan_place_frozen(&sweep, &plan, n_rank_node);
    psw_config_list_clear(&sweep.configs);
    const size_t n_bytes = psw_plan_run_bytes(&plan, 0, PSW_STAGE_POLICY, n_rank_node);
    assert_true(planned.frozen_on_node ? n_bytes <= 1 << 20 : n_bytes == 1 << 20);
    return planned.frozen_on_node;
}

static void weights_are_shared_where_copies_would_fill_half_the_memory(void **state)
{
    (void)state;
    static const double MIB = 1.0 / 1024; /* in GiB */
    assert_true(is_on_node(PSW_FROZEN_AUTO, 1.9 * MIB, 4));
    assert_false(is_on_node(PSW_FROZEN_AUTO, 2.1 * MIB, 4));
    assert_false(is_on_node(PSW_FROZEN_RANK, 1.9 * MIB, 4));
    assert_true(is_on_node(PSW_FROZEN_NODE, 64, 4));
    /* what the node has, shared by few ranks and by very many */
    assert_false(is_on_node(PSW_FROZEN_AUTO, 0, 4));
    assert_true(is_on_node(PSW_FROZEN_AUTO, 0, 1 << 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_of_a_run_do_not_depend_on_which_runs_have_ended),
        cmocka_unit_test(frozen_weights_count_once_for_ranks_of_a_run_on_a_node),
        cmocka_unit_test(real_numbers_change_no_size),
        cmocka_unit_test(weights_are_shared_where_copies_would_fill_half_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
