/* From a sweep file to its runs: products, zips, variants, presets, exceptions, seeds. */
#include "sweep_text.h"

#include <posweep/config/leaf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "policy.beta" of each run, joined by blanks. */
static const char *column(const struct psw_sweep *sweep, const char *path)
{
    static char out[4096];
    char text[PSW_LEAF_TEXT_BYTES];
    size_t n = 0;
    struct psw_config_reader reader = {0};
    out[0] = 0;
    for (int64_t i = 0; i < sweep->n_run; i++)
        n += (size_t)snprintf(
            out + n, sizeof out - n, "%s%s", i ? " " : "",
            psw_leaf_text(psw_leaf_find(path), psw_sweep_config(sweep, i, &reader), text));
    return out;
}

static void an_empty_sweep_is_one_vanilla_run_of_the_defaults(void **state)
{
    (void)state;
    struct psw_config base;
    struct psw_sweep *sweep = sweep_of("name: nothing\n");
    psw_config_default(&base);
    assert_int_equal(sweep->n_run, 1);
    assert_string_equal(sweep->name, "nothing");
    assert_string_equal(sweep->run[0].variant, "vanilla");
    assert_string_equal(sweep->run[0].method, "dpo");
    assert_int_equal(sweep->run[0].seed, 1);
    assert_int_equal(sweep->swept.n, 0);
    assert_memory_equal(&sweep->configs.first, &base, sizeof base);
    psw_sweep_destroy(sweep);
}

static void axes_multiply_with_variants_and_seeds_in_file_order(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("replicates: 2\n"
                 "blocks:\n"
                 "  - axes: {policy.beta: [0.1, 0.2], policy.lr: [1, 2]}\n"
                 "    variants: {vanilla: {}, flat: {preset: flat}}\n"
                 "  - set: {policy.method: ipo}\n");
    assert_int_equal(sweep->n_run, 2 * 2 * 2 * 2 + 2);
    assert_int_equal(sweep->n_block, 2);
    assert_int_equal(sweep->n_seed, 2);
    assert_string_equal(
        column(sweep, "policy.beta"),
        "0.1 0.1 0.1 0.1 0.2 0.2 0.2 0.2 0.1 0.1 0.1 0.1 0.2 0.2 0.2 0.2 0.1 0.1");
    assert_string_equal(column(sweep, "seed"), "1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2 1 2");
    assert_string_equal(sweep->run[8].variant, "flat");
    assert_int_equal(sweep->run[8].line, 4);
    assert_string_equal(sweep->run[16].method, "ipo");
    assert_int_equal(sweep->run[17].block, 1);
    psw_sweep_destroy(sweep);
}

static void a_zip_advances_its_keys_together(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("blocks:\n"
                 "  - axes: {policy.steps: [20, 40]}\n"
                 "    zip: {policy: {beta: [1, 2, 3]}, policy.lr: [0.1, 0.2, 0.3]}\n");
    assert_int_equal(sweep->n_run, 6);
    assert_string_equal(column(sweep, "policy.beta"), "1 2 3 1 2 3");
    assert_string_equal(column(sweep, "policy.lr"), "0.1 0.2 0.3 0.1 0.2 0.3");
    assert_string_equal(column(sweep, "policy.steps"), "20 20 20 40 40 40");
    psw_sweep_destroy(sweep);
}

static void several_zips_multiply(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("blocks:\n"
                 "  - zip:\n"
                 "      - {policy.beta: [1, 2], policy.lr: [0.1, 0.2]}\n"
                 "      - {model.layers: [1, 2, 3], model.width: [32, 64, 128]}\n");
    assert_int_equal(sweep->n_run, 6);
    assert_string_equal(column(sweep, "model.width"), "32 64 128 32 64 128");
    assert_string_equal(column(sweep, "policy.lr"), "0.1 0.1 0.1 0.2 0.2 0.2");
    psw_sweep_destroy(sweep);
}

static void dotted_keys_and_nested_maps_give_the_same_runs(void **state)
{
    (void)state;
    struct psw_sweep *a = sweep_of("base: {policy.negative.off_until: 5, policy.beta: 0.2}\n"
                                   "blocks: [{axes: {policy.lr: [1, 2]}}]\n");
    struct psw_sweep *b = sweep_of("blocks:\n"
                                   "  - axes:\n"
                                   "      policy:\n"
                                   "        lr: [1.0, 2.00]\n"
                                   "base:\n"
                                   "  policy:\n"
                                   "    beta: 2e-1\n"
                                   "    negative: {off_until: 5}\n");
    assert_int_equal(a->n_run, 2);
    for (int i = 0; i < 2; i++) assert_true(a->run[i].hash == b->run[i].hash);
    assert_true(a->hash == b->hash);
    psw_sweep_destroy(a);
    psw_sweep_destroy(b);
}

static void exceptions_leave_out_what_matches_all_of_their_settings(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("blocks:\n"
                 "  - axes: {policy.beta: [1, 2], policy.lr: [0.1, 0.2]}\n"
                 "    variants: [vanilla, flat]\n"
                 "    except:\n"
                 "      - {policy.beta: 1.0, policy.lr: 0.2}\n"
                 "      - {variant: flat, policy.beta: 2}\n");
    assert_int_equal(sweep->n_run, 4);
    assert_string_equal(column(sweep, "policy.beta"), "1 2 2 1");
    assert_string_equal(column(sweep, "policy.lr"), "0.1 0.1 0.2 0.1");
    assert_string_equal(column(sweep, "policy.reweight"), "true true true false");
    assert_int_equal(sweep->warnings.n, 0);
    psw_sweep_destroy(sweep);
}

static void an_exception_may_remove_what_would_be_invalid(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("blocks:\n"
                 "  - axes: {model.width: [64, 80], model.heads: [2, 5]}\n"
                 "    except: [{model.width: 64, model.heads: 5}]\n");
    assert_int_equal(sweep->n_run, 3);
    psw_sweep_destroy(sweep);
}

static void an_exception_that_removes_nothing_is_a_warning(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of("blocks:\n"
                                       "  - axes: {policy.beta: [1, 2]}\n"
                                       "    except: [{policy.beta: 3}]\n");
    assert_int_equal(sweep->n_run, 2);
    assert_int_equal(sweep->warnings.n, 1);
    assert_non_null(
        strstr(sweep->warnings.text[0], "x.yaml:3:14: this except removes nothing"));
    psw_sweep_destroy(sweep);
}

static void a_preset_sets_defaults_and_explicit_keys_beside_it_win(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("base: {policy.steps: 4000}\n"
                 "blocks:\n"
                 "  - variants:\n"
                 "      early: {preset: no_negative_early}\n"
                 "      short: {policy.negative: {off_until: 200}, preset: no_negative_early}\n"
                 "      cdpo: {preset: cdpo}\n"
                 "      no_positive: {preset: no_positive}\n");
    struct psw_config_reader reader[4] = {0};
    const struct psw_config_policy *early = &psw_sweep_config(sweep, 0, &reader[0])->policy,
                                   *cut = &psw_sweep_config(sweep, 1, &reader[1])->policy,
                                   *cdpo = &psw_sweep_config(sweep, 2, &reader[2])->policy,
                                   *no_positive =
                                       &psw_sweep_config(sweep, 3, &reader[3])->policy;
    assert_int_equal(early->negative.off_until, 3000);
    assert_int_equal(cut->negative.off_until, 200);
    assert_int_equal(cdpo->positive.schedule, PSW_EMPHASIS_LINEAR);
    assert_close(cdpo->positive.from, 1.5, 0); /* 2 (1 - 0.25) */
    assert_close(cdpo->positive.to, 0.5, 0);
    assert_close(cdpo->negative.from, 0.5, 0); /* 2 * 0.25 */
    assert_close(cdpo->negative.to, 1.5, 0);
    assert_close(no_positive->positive.from, 0, 0);
    assert_close(no_positive->negative.from, 1, 0);
    psw_sweep_destroy(sweep);
}

static void an_axis_sweeps_what_the_preset_of_set_gives(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("blocks:\n"
                 "  - set: {preset: no_negative_early}\n"
                 "    axes: {policy.negative.off_until: [0, 100, 200]}\n");
    assert_string_equal(column(sweep, "policy.negative.off_until"), "0 100 200");
    psw_sweep_destroy(sweep);
}

static void later_layers_win(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    const char *text = "base: {policy.beta: 1, policy.lr: 0.5, policy.gamma: 0.7}\n"
                       "blocks:\n"
                       "  - set: {policy.beta: 2}\n"
                       "    variants: {a: {}, b: {policy.beta: 3}}\n";
    if (sweep_try(text, "policy.lr=0.25", &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_string_equal(column(sweep, "policy.beta"), "2 3");
    assert_string_equal(column(sweep, "policy.lr"), "0.25 0.25");
    assert_string_equal(column(sweep, "policy.gamma"), "0.7 0.7");
    assert_non_null(strstr(sweep->text, "\n# --set policy.lr=0.25\n"));
    psw_sweep_destroy(sweep);
}

static void replicates_on_the_command_line_replace_those_of_the_file(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    if (sweep_try("replicates: 2\n", "replicates=5", &sweep, &err) != PSW_OK)
        fail_msg("%s", err.text);
    assert_string_equal(column(sweep, "seed"), "1 2 3 4 5");
    psw_sweep_destroy(sweep);
}

static void a_plan_of_seeds_begins_with_its_first_batch(void **state)
{
    (void)state;
    static const char TEXT[] =
        "replicates: {batch: 3, max: 9, baseline: vanilla, metric: 'Gv.pos:mean'}\n";
    struct psw_sweep *sweep = sweep_of(TEXT), *fixed = NULL;
    struct psw_error err = {0};
    assert_string_equal(column(sweep, "seed"), "1 2 3");
    assert_int_equal(sweep->seed_plan.batch, 3);
    assert_int_equal(sweep->seed_plan.max, 9);
    assert_string_equal(sweep->seed_plan.by, "variant");
    assert_string_equal(sweep->seed_plan.metric, "Gv.pos:mean");
    assert_close(sweep->seed_plan.alpha, 0.05, 0);
    psw_sweep_destroy(sweep);
    if (sweep_try(TEXT, "replicates=6", &fixed, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_string_equal(column(fixed, "seed"), "1 2 3 4 5 6");
    assert_int_equal(fixed->seed_plan.batch, 0);
    psw_sweep_destroy(fixed);
}

static void seeds_may_be_listed_or_be_the_seed_of_base(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of("seeds: [101, 7]\n");
    assert_string_equal(column(sweep, "seed"), "101 7");
    assert_true(sweep->run[0].hash != sweep->run[1].hash);
    assert_true(sweep->run[0].group == sweep->run[1].group);
    psw_sweep_destroy(sweep);
    sweep = sweep_of("base: {seed: 9}\n");
    assert_string_equal(column(sweep, "seed"), "9");
    psw_sweep_destroy(sweep);
}

static void swept_leaves_are_those_that_differ_between_runs(void **state)
{
    (void)state;
    int n;
    struct psw_sweep *sweep = sweep_of("replicates: 3\n"
                                       "base: {policy.gamma: 0.9}\n"
                                       "blocks:\n"
                                       "  - axes: {policy.beta: [1, 2], policy.lr: [0.1]}\n"
                                       "    variants: [vanilla, drop_top]\n");
    assert_int_equal(sweep->swept.n, 2);
    assert_string_equal(psw_leaves(&n)[sweep->swept.leaf[0]].path, "policy.beta");
    assert_string_equal(psw_leaves(&n)[sweep->swept.leaf[1]].path, "policy.drop");
    psw_sweep_destroy(sweep);
}

static void limits_may_stand_at_the_top_and_do_not_change_the_identity(void **state)
{
    (void)state;
    struct psw_sweep *a = sweep_of("name: a\n");
    struct psw_sweep *b = sweep_of("limits: {ranks_per_run: 2, checkpoint_s: 5}\n");
    assert_int_equal(b->configs.first.limits.ranks_per_run, 2);
    assert_true(a->run[0].hash == b->run[0].hash);
    psw_sweep_destroy(a);
    psw_sweep_destroy(b);
}

static void learning_that_is_off_to_the_end_is_a_warning(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of("blocks:\n"
                                       "  - variants: [vanilla, no_negative_early]\n");
    assert_int_equal(sweep->warnings.n, 1);
    assert_non_null(strstr(sweep->warnings.text[0],
                           "x.yaml:2: variant no_negative_early: policy.negative.off_until "
                           "3000 is not before policy.steps 400"));
    psw_sweep_destroy(sweep);
}

static void rollouts_from_a_part_of_the_distribution_are_a_warning(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of("base: {policy.method: grpo}\n"
                                       "blocks:\n"
                                       "  - axes: {rollout.top_p: [1, 0.9, 0.5]}\n"
                                       "  - axes: {rollout.top_k: [5]}\n");
    assert_int_equal(sweep->warnings.n, 1);
    assert_string_equal(sweep->warnings.text[0],
                        "x.yaml:3: rollout.top_p leaves tokens out of rollouts, but ratios and "
                        "KL of grpo are of the full distribution, not of the one sampled from");
    psw_sweep_destroy(sweep);
    sweep = sweep_of("base: {policy.method: ppo, rollout.top_k: 5}\n");
    assert_int_equal(sweep->warnings.n, 1);
    assert_non_null(strstr(sweep->warnings.text[0], "rollout.top_k"));
    psw_sweep_destroy(sweep);
}

static void settings_that_no_run_uses_are_a_warning(void **state)
{
    (void)state;
    struct psw_sweep *sweep =
        sweep_of("base: {policy.gamma: 0.9, policy.alpha: 2, data.limit: 5}\n"
                 "blocks:\n"
                 "  - axes: {policy.method: [dpo, cpo]}\n");
    assert_int_equal(sweep->warnings.n, 2);
    assert_string_equal(sweep->warnings.text[0],
                        "x.yaml: data.limit is given, but matters only with "
                        "task: none: no run that has it uses it");
    assert_string_equal(sweep->warnings.text[1],
                        "x.yaml: policy.gamma is given, but matters only with "
                        "simpo: no run that has it uses it");
    psw_sweep_destroy(sweep);
}

static void rules_for_pairs_are_a_warning_where_the_files_have_none(void **state)
{
    (void)state;
    char path[] = "/tmp/posweep_rows_XXXXXX", text[256];
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(text, sizeof text,
             "base: {task: none, data.format: gsm8k, data.sft: %s, data.drop_equal: on,\n"
             "       model.context: 512, reward.source: scorer, policy.method: grpo}\n",
             path);
    struct psw_sweep *sweep = sweep_of(text);
    assert_int_equal(sweep->warnings.n, 1);
    assert_string_equal(
        sweep->warnings.text[0],
        "x.yaml: data.drop_equal is given, but matters only with files of pairs (task: none): "
        "no run that has it uses it");
    psw_sweep_destroy(sweep);
    close(fd);
    unlink(path);
}

static void the_text_and_the_name_of_the_file_are_kept(void **state)
{
    (void)state;
    struct psw_sweep *sweep = sweep_of("replicates: 1\n");
    assert_string_equal(sweep->name, "x");
    assert_string_equal(sweep->text, "replicates: 1\n");
    assert_int_equal(sweep->n_text_bytes, strlen("replicates: 1\n"));
    psw_sweep_destroy(sweep);
}

static void a_kept_text_is_read_again_with_its_overrides(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"name: a\nreplicates: 2\n", "name: a\nreplicates: 2",
                                        "# --set policy.beta=7\nname: a\nreplicates: 2"};
    for (int i = 0; i < 3; i++) {
        struct psw_sweep *first = NULL, *again = NULL;
        struct psw_error err = {0};
        assert_int_equal(sweep_try(TEXTS[i], "policy.lr=1e-4", &first, &err), PSW_OK);
        assert_int_equal(psw_sweep_reread("x.yaml", first->text, &again, NULL), PSW_OK);
        assert_true(first->hash == again->hash);
        assert_close(again->configs.first.policy.train.lr, 1e-4, 0);
        assert_close(again->configs.first.policy.beta, 0.1, 0);
        assert_string_equal(first->text, again->text);
        psw_sweep_destroy(first);
        psw_sweep_destroy(again);
    }
}

static void several_documents_are_the_runs_of_all_of_them_each_once(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL, *again = NULL, *part = NULL;
    struct psw_error err = {0};
    static const char FIRST[] = "name: a\nseeds: [1, 2]\nbase: {policy.beta: 0.1}\n";
    static const char BOTH[] = "name: a\nseeds: [1, 2]\nbase: {policy.beta: 0.1}\n"
                               "--- # the second\nname: b\nseeds: [2, 3]\n"
                               "blocks: [{axes: {policy.beta: [0.1, 0.2]}}]\n---\n";
    assert_int_equal(sweep_try(BOTH, "policy.lr=1e-4", &sweep, &err), PSW_OK);
    assert_string_equal(sweep->name, "a");
    assert_string_equal(column(sweep, "seed"), "1 2 3 2 3");
    assert_string_equal(column(sweep, "policy.beta"), "0.1 0.1 0.1 0.2 0.2");
    assert_string_equal(column(sweep, "policy.lr"), "0.0001 0.0001 0.0001 0.0001 0.0001");
    assert_int_equal(sweep->run[2].block, 1);
    assert_int_equal(sweep->run[2].line, 7);
    assert_int_equal(sweep->swept.n, 1); /* the seed is none */
    assert_int_equal(psw_sweep_reread("x.yaml", sweep->text, &again, &err), PSW_OK);
    assert_true(again->hash == sweep->hash && again->n_run == 5);
    assert_string_equal(again->text, sweep->text);

    assert_int_equal(sweep_try(FIRST, "policy.lr=1e-4", &part, &err), PSW_OK);
    const uint8_t kept[] = {1, 1, 0, 0, 0};
    assert_int_equal(psw_sweep_select(again, kept, &err), PSW_OK);
    assert_true(again->hash == part->hash && again->n_run == 2);
    psw_sweep_destroy(sweep);
    psw_sweep_destroy(again);
    psw_sweep_destroy(part);
}

static void documents_that_cannot_stand_in_one_file_are_refused(void **state)
{
    (void)state;
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    assert_int_equal(
        sweep_try("name: a\n---\nlimits: {backend: reference}\n", NULL, &sweep, &err),
        PSW_EINVAL);
    assert_non_null(strstr(err.text, "limits.backend is not that of"));
    assert_int_equal(sweep_try("name: a\n---\nreplicates: {batch: 6, max: 12, baseline: flat,\n"
                               " metric: score}\n"
                               "blocks: [{variants: {flat: {preset: flat}, vanilla: {}}}]\n",
                               NULL, &sweep, &err),
                     PSW_EINVAL);
    assert_non_null(strstr(err.text, "a plan to add seeds"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_sweep_is_one_vanilla_run_of_the_defaults),
        cmocka_unit_test(axes_multiply_with_variants_and_seeds_in_file_order),
        cmocka_unit_test(a_zip_advances_its_keys_together),
        cmocka_unit_test(several_zips_multiply),
        cmocka_unit_test(dotted_keys_and_nested_maps_give_the_same_runs),
        cmocka_unit_test(exceptions_leave_out_what_matches_all_of_their_settings),
        cmocka_unit_test(an_exception_may_remove_what_would_be_invalid),
        cmocka_unit_test(an_exception_that_removes_nothing_is_a_warning),
        cmocka_unit_test(a_preset_sets_defaults_and_explicit_keys_beside_it_win),
        cmocka_unit_test(an_axis_sweeps_what_the_preset_of_set_gives),
        cmocka_unit_test(later_layers_win),
        cmocka_unit_test(replicates_on_the_command_line_replace_those_of_the_file),
        cmocka_unit_test(a_plan_of_seeds_begins_with_its_first_batch),
        cmocka_unit_test(seeds_may_be_listed_or_be_the_seed_of_base),
        cmocka_unit_test(swept_leaves_are_those_that_differ_between_runs),
        cmocka_unit_test(limits_may_stand_at_the_top_and_do_not_change_the_identity),
        cmocka_unit_test(learning_that_is_off_to_the_end_is_a_warning),
        cmocka_unit_test(rollouts_from_a_part_of_the_distribution_are_a_warning),
        cmocka_unit_test(settings_that_no_run_uses_are_a_warning),
        cmocka_unit_test(rules_for_pairs_are_a_warning_where_the_files_have_none),
        cmocka_unit_test(the_text_and_the_name_of_the_file_are_kept),
        cmocka_unit_test(a_kept_text_is_read_again_with_its_overrides),
        cmocka_unit_test(several_documents_are_the_runs_of_all_of_them_each_once),
        cmocka_unit_test(documents_that_cannot_stand_in_one_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
