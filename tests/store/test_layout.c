#include <support/support.h>

#include <posweep/config/sweep_file.h>
#include <posweep/store/results.h>
#include <stdio.h>
#include <string.h>

static const char SWEEP[] = "name: two\n"
                            "seeds: [4, 5]\n"
                            "base: {task: lists}\n"
                            "blocks:\n"
                            "  - axes: {policy.beta: [0.05, 0.1], policy.steps: [40, 60]}\n"
                            "    variants: {vanilla: {}, flat: {policy.reweight: off}}\n";

static const struct psw_results_leaf *find(const struct psw_results_layout *p, const char *path)
{
    for (int i = 0; i < p->n_leaf; i++)
        if (strcmp(p->leaf[i].path, path) == 0) return &p->leaf[i];
    return NULL;
}

static void layout_of_a_sweep_has_its_swept_settings_as_columns(void **state)
{
    (void)state;
    char folder[256], path[300];
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/two.yaml", folder);
    const struct psw_file_part part = {SWEEP, sizeof SWEEP - 1};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    struct psw_sweep *sweep = NULL;
    struct psw_results_layout *layout = NULL;
    struct psw_error err = {0};
    if (psw_sweep_read(path, NULL, 0, &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    static const char *const COMPONENTS[] = {"total", "pos", "neg"};
    const struct psw_results_axes axes = {.component = COMPONENTS, .n_component = 3};
    assert_int_equal(psw_results_layout_create(sweep, &axes, &layout, &err), PSW_OK);
    assert_int_equal(layout->n_run, 16);
    assert_string_equal(layout->name, "two");
    assert_null(find(layout, "seed")); /* has a variable of its own */
    const struct psw_results_leaf *beta = find(layout, "policy.beta");
    const struct psw_results_leaf *steps = find(layout, "policy.steps");
    const struct psw_results_leaf *reweight = find(layout, "policy.reweight");
    assert_true(beta && steps && reweight);
    assert_int_equal(beta->type, PSW_F64);
    assert_int_equal(steps->type, PSW_I64);
    assert_int_equal(reweight->type, PSW_I64);
    struct psw_config_reader reader = {0};
    for (int64_t r = 0; r < layout->n_run; r++) {
        const struct psw_config *c = psw_sweep_config(sweep, r, &reader);
        assert_true(beta->f64[r] == c->policy.beta);
        assert_int_equal(steps->i64[r], c->policy.train.steps);
        assert_int_equal(reweight->i64[r], c->policy.reweight);
        assert_true(layout->run[r].hash == sweep->run[r].hash);
        assert_string_equal(layout->run[r].variant, sweep->run[r].variant);
        const char *config = layout->configs.text(layout->configs.ctx, r);
        char beta_text[64]; /* every setting is in the text, swept or not */
        snprintf(beta_text, sizeof beta_text, "\"policy.beta\": %s,",
                 c->policy.beta == 0.1 ? "0.1" : "0.05");
        assert_non_null(strstr(config, beta_text));
        assert_non_null(strstr(config, "\"policy.clip\": 10,"));
    }
    psw_results_layout_destroy(layout);
    psw_results_layout_destroy(NULL);
    psw_sweep_destroy(sweep);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_of_a_sweep_has_its_swept_settings_as_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
