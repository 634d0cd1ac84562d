/* Time: it passes, and it can be read by people. */
#include <posweep/util/clock.h>
#include <support/support.h>

#include <math.h>

static void sleeping_takes_at_least_the_time_asked_for(void **state)
{
    (void)state;
    const double start_s = psw_clock_s();
    psw_clock_sleep_s(0.01);
    const double took_s = psw_clock_s() - start_s;
    assert_true(took_s >= 0.01 && took_s < 5);
    psw_clock_sleep_s(0);
    psw_clock_sleep_s(-1);
    psw_clock_sleep_s(NAN);
}

static void the_calendar_is_past_2020(void **state)
{
    (void)state;
    assert_true(psw_clock_unix_s() > 1.58e9);
}

static void durations_read_as_people_write_them(void **state)
{
    (void)state;
    static const struct {
        double s;
        const char *text;
    } EXPECTED[] = {{0, "0ms"},       {0.45, "450ms"},   {12.34, "12.3s"}, {185, "3m05s"},
                    {3720, "1h02m"},  {90000, "25h00m"}, {NAN, "?"},       {INFINITY, "?"},
                    {0.9999, "1.0s"}, {59.99, "1m00s"},  {3599.9, "1h00m"}};
    char text[32];
    for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++)
        assert_string_equal(psw_clock_text(EXPECTED[i].s, text), EXPECTED[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_takes_at_least_the_time_asked_for),
        cmocka_unit_test(the_calendar_is_past_2020),
        cmocka_unit_test(durations_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
