/* Each rule of the diagnosis on a file that fires it and on one that does not. */
#include <support/support.h>

#include "facts_file.h"

#include <posweep/analyze/diagnosis.h>
#include <posweep/util/file.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What a rule must say of `fires`, and that it is silent on `silent`. */
struct example {
    const char *rule, *says;
    struct ff_run fires, silent;
};

#define RUN(m, ...)                                                                            \
    {                                                                                          \
        .method = m, .variant = "vanilla", .seed = 1, .fact = { __VA_ARGS__ }                  \
    }

/* Norms of total, pos and neg: total^2 = pos^2 + neg^2 - 2 pos neg cosine, with cosine that of
 * the directions that raise the chosen and the rejected. */
static const struct example EXAMPLES[] = {
    {"ended badly",
     "diverged: step 31: the loss is not a number",
     {.method = "dpo", .variant = "vanilla", .end = PSW_J_DIVERGED},
     RUN("dpo", {"kl_ref", 1, {1}})},
    {"ran away", "7.5 nat away", RUN("dpo", {"kl_ref", 1, {7.5}}),
     RUN("dpo", {"kl_ref", 1, {4.5}})},
    {"moved at all", "0.004 nat", RUN("ppo", {"kl_ref", 1, {-0.004}}),
     RUN("ppo", {"kl_ref", 1, {0.02}})},
    {"responses that are cut", "40 % of the final responses have no end",
     RUN("ppo", {"final_cut_rate", 1, {0.4}}, {"eos_rate", 1, {0.6}}, {"eos_rate_sft", 1, {1}}),
     RUN("ppo", {"final_cut_rate", 1, {0.05}})},
    {"collapse", "30 % of the final responses repeat",
     RUN("dpo", {"final_repetition_rate", 1, {0.3}}, {"repetition_rate_sft", 1, {0.01}}),
     RUN("dpo", {"final_repetition_rate", 1, {0.3}}, {"repetition_rate_sft", 1, {0.25}})},
    {"length", "became longer: 20 tokens, of the SFT model 10",
     RUN("dpo", {"length", 1, {20}}, {"length_sft", 1, {10}}),
     RUN("dpo", {"length", 1, {14}}, {"length_sft", 1, {10}})},
    {"over-optimisation", "gained 2 on the SFT model, by the task's scorer it lost 0.5",
     RUN("ppo", {"reward_final", 1, {2}}, {"reward_sft", 1, {0}}, {"score", 1, {1}},
         {"score_sft", 1, {1.5}}),
     RUN("ppo", {"reward_final", 1, {2}}, {"reward_sft", 1, {0}}, {"score", 1, {1.6}},
         {"score_sft", 1, {1.5}})},
    {"worse than SFT", "win rate 0.30 [0.20, 0.40]",
     RUN("dpo", {"win_rate", 1, {0.3}}, {"win_rate_low", 1, {0.2}},
         {"win_rate_high", 1, {0.4}}),
     RUN("dpo", {"win_rate", 1, {0.45}}, {"win_rate_high", 1, {0.55}})},

    {"both rewards fall",
     "fell to -0.9 +- 0.061 (-9 nat",
     {.method = "dpo",
      .variant = "vanilla",
      .config = "{\"policy.beta\": 0.1, \"policy.gamma\": 0.5}",
      .fact = {{"reward_chosen", 3, {0, -1, 0}}, {"reward_rejected", 3, {0, -3, 0}}}},
     RUN("dpo", {"reward_chosen", 3, {0, -1, 2}}, {"reward_rejected", 3, {0, -3, 0.1}})},
    {"displacement", "went from -10.2 to -11.8 nat",
     RUN("simpo", {"logp_chosen", 3, {-10, -12, 0.1}}),
     RUN("simpo", {"logp_chosen", 3, {-10, -12, 3}})},
    {"first-order displacement",
     "at 3 of 5 checkpoints: by 4 times the learning rate at step 60, where the chosen "
     "responses' part gives +5 and the rejected ones' -9; over the run it went from -10.2 to "
     "-11.8 nat",
     RUN("dpo", {"G_dir", 15, {1, 2, -1, 1, 2, -1, -2, 1, -3, -4, 5, -9, -1, 1, -2}},
         {"logp_chosen", 3, {-10, -12, 0}}),
     RUN("dpo", {"G_dir", 15, {1, 2, -1, 1, 2, -1, -2, 1, -3, -4, 5, -9, 1, 2, -1}})},
    {"entanglement", "cosine of 0.90",
     RUN("dpo", {"grad_norm_component", 3, {0.447213595, 1, 1}}),
     RUN("dpo", {"grad_norm_component", 3, {1.2, 1, 1}})},
    {"disentanglement band",
     "lowers the chosen responses at 5 and raises the rejected ones at 0 of 5 checkpoints: at "
     "step 0 the positive part is 0.50 times as large as the negative one, outside of the band "
     "[0.80, 1.25]",
     RUN("dpo", {"grad_norm_component", 3, {0.670820393, 0.5, 1}}), /* 0.25 + 1 - 0.8 */
     RUN("dpo", {"grad_norm_component", 3, {0.608276253, 0.9, 1}})},
    {"training loss", "did not fall: 0.699 in", RUN("dpo", {"train_loss", 3, {0.7, 0.69, 0.1}}),
     RUN("dpo", {"train_loss", 3, {0.7, 0.4, 0.1}})},
    {"over-fitting", "least at step 40 (0.5, from 0.7 at the start) and rose to 0.6",
     RUN("dpo", {"trace_heldout_loss", 5, {0.7, 0.6, 0.5, 0.55, 0.6}}),
     RUN("dpo", {"trace_heldout_loss", 5, {0.7, 0.6, 0.5, 0.505, 0.51}})},

    {"idle clip", "at most 0.05 % of", RUN("grpo", {"clip_fraction", 3, {0, 0.0005, 0}}),
     RUN("grpo", {"clip_fraction", 3, {0, 0.01, 0}})},
    {"clip everywhere", "50 % of the tokens", RUN("ppo", {"clip_fraction", 3, {0.3, 0.7, 0}}),
     RUN("ppo", {"clip_fraction", 3, {0.1, 0.3, 0}})},
    {"groups of equal reward", "only 10 % of the prompts",
     RUN("grpo", {"mixed_groups", 3, {0.2, 0, 0}}),
     RUN("grpo", {"mixed_groups", 3, {0.6, 0.3, 0}})},
    {"value function", "explains 1.0 %", RUN("ppo", {"explained_variance", 3, {0.01, 0.01, 0}}),
     RUN("ppo", {"explained_variance", 3, {0, 0.5, 0}})},
    {"entropy", "fell from 1.8 to 0.2", RUN("dapo", {"train_entropy", 3, {2, 0, 0}}),
     RUN("dapo", {"train_entropy", 3, {2, 1, 0}})},

    {"part against the end", "positive part of the loss moves the policy away",
     RUN("dpo", {"G", 15, {1, 1, 0, 1, -1, 2, 1, -1, 2, 1, -1, 2, 0, 0, 0}}),
     RUN("dpo", {"G", 15, {1, 1, 0, 1, 1, 0, 1, 1, 0, 1, -1, 2, 0, 0, 0}})},
    {"signs of G", "at 4 of 4 checkpoints", RUN("dpo", {"G", 3, {0.19, 0.1, 0.09}}),
     RUN("dpo", {"G", 15, {1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}})},
    {"size of D'", "only 25 % is there in both halves of D'. D' has 64 prompts; with about 192",
     RUN("dpo", {"v_norm", 1, {2}}, {"v_halves", 1, {1}}, {"final_prompts", 1, {64}}),
     RUN("dpo", {"v_norm", 1, {2}}, {"v_halves", 1, {2.1}})},
    {"length of trial steps", "at step 0 +0.3 nat instead of +0.1",
     RUN("dpo", {"predicted", 3, {0.1, 0, 0}}, {"realised", 3, {0.3, 0, 0}}),
     RUN("dpo", {"predicted", 3, {0.1, 0, 0}}, {"realised", 3, {0.11, 0, 0}})},
};
enum { N_EXAMPLE = sizeof EXAMPLES / sizeof *EXAMPLES };

/** The diagnosis of the first of the runs. */
static int diagnose(const struct ff_run *runs, int n_run, struct psw_diagnosis *out)
{
    char folder[256], path[300];
    struct psw_results *results = NULL;
    struct psw_error err = {0};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    ff_write(path, runs, n_run);
    if (psw_results_open(path, &results, &err) != PSW_OK) fail_msg("%s", err.text);
    const int n = psw_diagnose(results, 0, out);
    assert_int_equal(psw_results_fault(results, &err), PSW_OK);
    psw_results_close(results);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    return n;
}

static const struct psw_diagnosis *find(const struct psw_diagnosis *d, int n, const char *rule)
{
    for (int i = 0; i < n; i++)
        if (strcmp(d[i].name, rule) == 0) return &d[i];
    fail_msg("no rule \"%s\"", rule);
    return NULL;
}

static void each_rule_fires_on_its_example_and_not_on_its_neighbour(void **state)
{
    (void)state;
    struct psw_diagnosis d[PSW_MAX_RULES];
    for (int i = 0; i < N_EXAMPLE; i++) {
        const struct example *e = &EXAMPLES[i];
        int n = diagnose(&e->fires, 1, d);
        const struct psw_diagnosis *of = find(d, n, e->rule);
        if (of->verdict != PSW_VERDICT_FIRES) fail_msg("%s: verdict %d", e->rule, of->verdict);
        if (!strstr(of->says, e->says)) fail_msg("%s says: %s", e->rule, of->says);
        n = diagnose(&e->silent, 1, d);
        of = find(d, n, e->rule);
        if (of->verdict != PSW_VERDICT_SILENT)
            fail_msg("%s: verdict %d: %s", e->rule, of->verdict, of->says);
    }
}

static void every_rule_has_an_example(void **state)
{
    (void)state;
    struct psw_diagnosis d[PSW_MAX_RULES];
    const int n = diagnose(&EXAMPLES[0].silent, 1, d);
    assert_int_equal(n, N_EXAMPLE);
    for (int i = 0; i < n; i++) assert_string_equal(d[i].name, EXAMPLES[i].rule);
}

static void run_is_judged_beside_its_replicates(void **state)
{
    (void)state;
    struct psw_diagnosis d[PSW_MAX_RULES];
    struct ff_run runs[4] = {RUN("dpo", {"kl_ref", 1, {2}}), RUN("dpo", {"kl_ref", 1, {0.1}}),
                             RUN("dpo", {"kl_ref", 1, {0.1}}),
                             RUN("dpo", {"kl_ref", 1, {0.1}})};
    int n = diagnose(runs, 4, d);
    assert_non_null(strstr(find(d, n, "ran away")->says, "10 times the median"));
    for (int i = 1; i < 4; i++) runs[i].variant = "other"; /* no replicates any more */
    n = diagnose(runs, 4, d);
    assert_int_equal(find(d, n, "ran away")->verdict, PSW_VERDICT_SILENT);
}

static void parts_are_not_the_whole_where_the_loss_has_another_term(void **state)
{
    (void)state;
    struct psw_diagnosis d[PSW_MAX_RULES];
    /* |pos + neg| <= |pos| + |neg|: a total of 3 has a term that is not among them */
    const struct ff_run run = RUN("dpo", {"grad_norm_component", 3, {3, 1, 1}});
    const int n = diagnose(&run, 1, d);
    assert_int_equal(find(d, n, "entanglement")->verdict, PSW_VERDICT_SILENT);
    assert_int_equal(find(d, n, "disentanglement band")->verdict, PSW_VERDICT_SILENT);
}

static void rules_know_their_methods_and_their_data(void **state)
{
    (void)state;
    struct psw_diagnosis d[PSW_MAX_RULES];
    const struct ff_run ppo = RUN("ppo", {"kl_ref", 1, {1}}), strange = RUN("new_thing");
    int n = diagnose(&ppo, 1, d);
    assert_int_equal(find(d, n, "both rewards fall")->verdict, PSW_VERDICT_NOT_ASKED);
    assert_int_equal(find(d, n, "groups of equal reward")->verdict, PSW_VERDICT_NOT_ASKED);
    assert_int_equal(find(d, n, "value function")->verdict, PSW_VERDICT_NO_DATA);
    assert_string_equal(find(d, n, "length of trial steps")->stored_by, "trace.cosine_every");
    n = diagnose(&strange, 1, d); /* of a later version */
    assert_int_equal(find(d, n, "idle clip")->verdict, PSW_VERDICT_NOT_ASKED);
    assert_int_equal(find(d, n, "signs of G")->verdict, PSW_VERDICT_SILENT);
}

static void text_fits_the_line_and_says_what_was_not_looked_at(void **state)
{
    (void)state;
    char folder[256], path[300], text[8192] = "";
    struct psw_results *results = NULL;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    for (int i = 0; i < 2; i++) {
        ff_write(path, i ? &EXAMPLES[12].fires : &EXAMPLES[0].silent, 1);
        assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
        FILE *out = fmemopen(text, sizeof text, "w");
        assert_int_equal(psw_diagnosis_show(out, results, 0, NULL), PSW_OK);
        fclose(out);
        psw_results_close(results);
        assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
        support_temp_dir(folder);
        snprintf(path, sizeof path, "%s/x.h5", folder);
        assert_true((strstr(text, "nothing conspicuous") == NULL) == i);
        assert_true((strstr(text, "    try: ") != NULL) == i);
        assert_non_null(strstr(text, "first-order displacement (trace.directions: on)"));
        for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
            assert_true(strcspn(at, "\n") <= 100);
    }
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_fires_on_its_example_and_not_on_its_neighbour),
        cmocka_unit_test(every_rule_has_an_example),
        cmocka_unit_test(run_is_judged_beside_its_replicates),
        cmocka_unit_test(parts_are_not_the_whole_where_the_loss_has_another_term),
        cmocka_unit_test(rules_know_their_methods_and_their_data),
        cmocka_unit_test(text_fits_the_line_and_says_what_was_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
