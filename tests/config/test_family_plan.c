#include <support/support.h>

#include <posweep/config/family_plan.h>
#include <string.h>

static struct psw_family_plan plan_of(const char *text)
{
    struct psw_family_plan plan;
    assert_int_equal(psw_family_plan_parse("x.yaml", text, strlen(text), &plan, NULL), PSW_OK);
    return plan;
}

static void a_test_is_in_the_family_of_its_metric_and_variant(void **state)
{
    (void)state;
    struct psw_family_plan plan =
        plan_of("families:\n"
                "  quality: {metrics: [score, win_rate], variants: [b]}\n"
                "  inside: {metrics: ['Gv.pos:mean']}\n"
                "  rest: {metrics: [score], variants: [c]}\n");
    assert_int_equal(plan.n, 3);
    assert_string_equal(plan.family[1].name, "inside");
    assert_int_equal(psw_family_plan_find(&plan, "win_rate", "b"), 0);
    assert_int_equal(psw_family_plan_find(&plan, "win_rate", "c"), -1);
    assert_int_equal(psw_family_plan_find(&plan, "score", "c"), 2);
    assert_int_equal(psw_family_plan_find(&plan, "Gv.pos:mean", "anything"), 1);
    assert_int_equal(psw_family_plan_find(&plan, "length", "b"), -1);
    psw_family_plan_clear(&plan);
}

static void what_else_a_file_has_does_not_matter(void **state)
{
    (void)state;
    struct psw_family_plan plan =
        plan_of("base: {some: thing of another version}\n# --set replicates=3\n");
    assert_int_equal(plan.n, 0);
    assert_int_equal(psw_family_plan_find(&plan, "score", "b"), -1);
    psw_family_plan_clear(&plan);
}

static void a_broken_text_is_refused_with_its_place(void **state)
{
    (void)state;
    struct psw_family_plan plan;
    struct psw_error err;
    const char *text = "families: {q: {metrics: []}}\n";
    assert_int_equal(psw_family_plan_parse("x.yaml", text, strlen(text), &plan, &err),
                     PSW_EINVAL);
    assert_string_equal(err.text,
                        "x.yaml:1:25: families: metrics: expected a list of 1 to 32 names");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_is_in_the_family_of_its_metric_and_variant),
        cmocka_unit_test(what_else_a_file_has_does_not_matter),
        cmocka_unit_test(a_broken_text_is_refused_with_its_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
