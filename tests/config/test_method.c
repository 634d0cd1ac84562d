#include <support/support.h>

#include <posweep/config/config.h>
#include <string.h>

static void every_row_of_the_methods_is_whole_and_found_by_its_name(void **state)
{
    (void)state;
    for (int m = 0; m < PSW_N_METHOD; m++) {
        const struct psw_method_row *row = psw_method_row(m);
        assert_true(row->name[0] && row->loss[0] && row->source[0]);
        assert_int_equal(psw_method_find(row->name), m);
        assert_int_equal(psw_method_reads(m, PSW_USE_ROLLOUTS), m >= PSW_N_PAIRWISE);
        assert_int_equal(psw_method_reads(m, PSW_USE_PAIRS), m < PSW_N_PAIRWISE);
        assert_true(row->samples >= 1);
    }
    assert_int_equal(psw_method_find("DPO"), -1);
}

static void a_method_that_compares_responses_samples_more_than_one(void **state)
{
    (void)state;
    for (int m = PSW_N_PAIRWISE; m < PSW_N_METHOD; m++)
        if (!psw_method_reads(m, PSW_USE_CRITIC)) assert_true(psw_method_row(m)->samples > 1);
}

static void settings_of_the_user_stand_before_those_of_the_method(void **state)
{
    (void)state;
    struct psw_config c;
    psw_config_default(&c);
    c.policy.method = PSW_METHOD_DAPO;
    assert_true(psw_config_clip_high(&c) == 0.28 && psw_config_samples(&c) == 8);
    assert_true(psw_config_kl_coef(&c) == 0);
    c.policy.clip_high = 0.3, c.rollout.samples = 4, c.policy.kl_coef = 0.1;
    assert_true(psw_config_clip_high(&c) == 0.3 && psw_config_samples(&c) == 4);
    assert_true(psw_config_kl_coef(&c) == 0.1);
    c.policy.method = PSW_METHOD_PPO;
    c.policy.clip_high = 0;
    assert_true(psw_config_clip_high(&c) == c.policy.clip_low);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_methods_is_whole_and_found_by_its_name),
        cmocka_unit_test(a_method_that_compares_responses_samples_more_than_one),
        cmocka_unit_test(settings_of_the_user_stand_before_those_of_the_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
