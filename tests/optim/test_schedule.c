/* Learning rates and the clip factor. */
#include <support/support.h>

#include <math.h>
#include <posweep/optim/schedule.h>

static void a_constant_rate_without_warmup_is_constant(void **state)
{
    (void)state;
    const struct psw_lr_schedule s = {.decay = PSW_DECAY_CONSTANT, .lr = 0.3, .n_step = 10};
    for (int64_t step = 0; step < 10; step++) assert_close(psw_lr_at(&s, step), 0.3, 0.0);
}

static void warmup_rises_in_equal_steps_to_the_peak(void **state)
{
    (void)state;
    for (int decay = PSW_DECAY_CONSTANT; decay <= PSW_DECAY_COSINE; decay++) {
        const struct psw_lr_schedule s = {.decay = decay, .lr = 1.0, .warmup = 3, .n_step = 11};
        for (int64_t step = 0; step <= 3; step++)
            assert_close(psw_lr_at(&s, step), 0.25 * (double)(step + 1), 1e-15);
    }
}

static void decays_fall_from_the_peak_towards_zero_at_the_end(void **state)
{
    (void)state;
    struct psw_lr_schedule s = {
        .decay = PSW_DECAY_LINEAR, .lr = 2.0, .warmup = 2, .n_step = 10};
    assert_close(psw_lr_at(&s, 6), 1.0, 1e-15);
    assert_close(psw_lr_at(&s, 9), 0.25, 1e-15);
    s.decay = PSW_DECAY_COSINE;
    assert_close(psw_lr_at(&s, 6), 1.0, 1e-15);
    assert_close(psw_lr_at(&s, 4), 1.0 + sqrt(0.5), 1e-15);
    assert_true(psw_lr_at(&s, 9) > 0.0);
}

static void a_warmup_longer_than_the_run_never_reaches_the_peak(void **state)
{
    (void)state;
    const struct psw_lr_schedule s = {
        .decay = PSW_DECAY_LINEAR, .lr = 1.0, .warmup = 9, .n_step = 5};
    assert_close(psw_lr_at(&s, 4), 0.5, 1e-15);
}

static void the_decays_whose_rates_depend_on_the_end_say_so(void **state)
{
    (void)state;
    for (int decay = PSW_DECAY_CONSTANT; decay <= PSW_DECAY_COSINE; decay++) {
        const struct psw_config_train train = {.decay = decay, .lr = 0.3, .warmup = 3};
        int differ = 0;
        for (int64_t step = 0; step < 10; step++) {
            struct psw_lr_schedule a = psw_lr_schedule_of(&train), b = a;
            a.n_step = 10;
            b.n_step = 20;
            differ |= psw_lr_at(&a, step) != psw_lr_at(&b, step);
        }
        assert_int_equal(psw_lr_depends_on_end(&train), differ);
    }
}

static void clipping_brings_a_norm_down_and_never_up(void **state)
{
    (void)state;
    assert_close(psw_clip_factor(4.0, 1.0) * 4.0, 1.0, 1e-6);
    assert_true(psw_clip_factor(0.5, 1.0) == 1.0);
    assert_true(psw_clip_factor(0.0, 1.0) == 1.0);
    assert_true(psw_clip_factor(1e30, 0.0) == 1.0);
    assert_true(isnan(psw_clip_factor(NAN, 1.0)));
    assert_true(psw_clip_factor(INFINITY, 1.0) == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_without_warmup_is_constant),
        cmocka_unit_test(warmup_rises_in_equal_steps_to_the_peak),
        cmocka_unit_test(decays_fall_from_the_peak_towards_zero_at_the_end),
        cmocka_unit_test(a_warmup_longer_than_the_run_never_reaches_the_peak),
        cmocka_unit_test(the_decays_whose_rates_depend_on_the_end_say_so),
        cmocka_unit_test(clipping_brings_a_norm_down_and_never_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
