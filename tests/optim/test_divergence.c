/* The rules of divergence on the figures that they were chosen by: all methods of preference
 * learning at learning rates from sound to absurd (lists, ln V = 4.6). */
#include <support/support.h>

#include <math.h>
#include <posweep/optim/divergence.h>
#include <string.h>

static const struct psw_divergence_at AT = {.step = 12, .lr = 0.1};

static int diverged(enum psw_divergence_rule rule, double value, double unlearnt)
{
    struct psw_error err = {0};
    const psw_status rc = psw_divergence_check(rule, value, unlearnt, AT, &err);
    assert_true(rc == PSW_OK || rc == PSW_EDIVERGED);
    assert_int_equal(rc == PSW_OK, err.text[0] == 0);
    return rc != PSW_OK;
}

static void runs_that_learn_or_learn_too_much_have_not_diverged(void **state)
{
    (void)state;
    const double v = log(100);
    assert_false(diverged(PSW_DIVERGED_NORM, 16.4, 15.9));    /* sft, orpo at 1e-3 */
    assert_false(diverged(PSW_DIVERGED_NORM, 20.8, 15.9));    /* sft at 1e-2: its score rises */
    assert_false(diverged(PSW_DIVERGED_NORM, 40.9, 15.9));    /* ipo at 0.03: KL of 47 nat */
    assert_false(diverged(PSW_DIVERGED_CHOSEN, 12 / 9.0, v)); /* dpo at 1e-5 */
    assert_false(diverged(PSW_DIVERGED_CHOSEN, 96 / 9.0, v)); /* dpo_robust at 1e-2 */
    assert_false(diverged(PSW_DIVERGED_SFT, 3.93, v));        /* hardly trained */
    assert_false(diverged(PSW_DIVERGED_SFT, v + 0.01, v));    /* not trained at all */
    assert_false(diverged(PSW_DIVERGED_REWARD, 0.693, log(2))); /* knows nothing */
    assert_false(diverged(PSW_DIVERGED_REWARD, 5, log(2)));     /* sure, and wrong */
}

static void runs_whose_model_is_gone_have_diverged(void **state)
{
    (void)state;
    const double v = log(100);
    assert_true(diverged(PSW_DIVERGED_NORM, 109, 15.9));       /* simpo at 0.1 */
    assert_true(diverged(PSW_DIVERGED_NORM, 99.4, 15.9));      /* grpo at 0.1 */
    assert_true(diverged(PSW_DIVERGED_NORM, 1.06e6, 15.9));    /* dapo at 1000: its loss is 0 */
    assert_true(diverged(PSW_DIVERGED_CHOSEN, 491 / 9.0, v));  /* ipo at 1 */
    assert_true(diverged(PSW_DIVERGED_SFT, 5e8, v));           /* 1000 */
    assert_true(diverged(PSW_DIVERGED_REWARD, 7.4e6, log(2))); /* 1000 */
}

static void what_is_not_finite_has_diverged(void **state)
{
    (void)state;
    for (int rule = 0; rule < PSW_N_DIVERGED; rule++) {
        assert_true(diverged((enum psw_divergence_rule)rule, NAN, 1));
        assert_true(diverged((enum psw_divergence_rule)rule, INFINITY, 1));
    }
}

static void the_message_names_number_bound_step_and_cure(void **state)
{
    (void)state;
    struct psw_error err = {0};
    assert_int_equal(psw_divergence_check(PSW_DIVERGED_NORM, 109, 15.9, AT, &err),
                     PSW_EDIVERGED);
    assert_string_equal(err.text,
                        "training diverged at step 12: the norm of the parameters is 109, more "
                        "than 4 times that of the start, 15.9; lower the learning rate, now "
                        "0.1");
    assert_close(psw_divergence_bound(PSW_DIVERGED_NORM), 4, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_learn_or_learn_too_much_have_not_diverged),
        cmocka_unit_test(runs_whose_model_is_gone_have_diverged),
        cmocka_unit_test(what_is_not_finite_has_diverged),
        cmocka_unit_test(the_message_names_number_bound_step_and_cure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
