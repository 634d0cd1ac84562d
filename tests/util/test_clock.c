/* Time: it passes, and it can be read by people. */
#include <posweep/util/clock.h>
#include <support/support.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>

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
    } EXPECTED[] = {{0, "less than a second"},
                    {0.45, "less than a second"},
                    {0.9999, "1.0 s"},
                    {9.94, "9.9 s"},
                    {12.34, "12 s"},
                    {59.99, "1 min 00 s"},
                    {185, "3 min 05 s"},
                    {3599.9, "1 h 00 min"},
                    {3720, "1 h 02 min"},
                    {7199, "2 h 00 min"},
                    {90000, "25 h 00 min"},
                    {360000, "4 d 04 h"},
                    {-1, "?"},
                    {NAN, "?"},
                    {INFINITY, "?"}};
    char text[32];
    for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++)
        assert_string_equal(psw_clock_text(EXPECTED[i].s, text), EXPECTED[i].text);
}

static void durations_are_read_with_their_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double s;
    } GOOD[] = {{"90", 90},     {"90s", 90},  {"1m", 60},    {"1min", 60},
                {"0.5h", 1800}, {"2h", 7200}, {"1d", 86400}, {".5", 0.5}};
    static const char *const BAD[] = {"",   "m",   "1M",  "1 m", "1m30s", "-5",    "+5", "0",
                                      "0s", "nan", "inf", "1e3", "0x10",  "1.2.3", "1,5"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        double s = -1;
        assert_true(psw_clock_parse(GOOD[i].text, &s));
        assert_true(s == GOOD[i].s);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        double s = -1;
        assert_false(psw_clock_parse(BAD[i], &s));
        assert_true(s == -1);
    }
}

static void moments_are_dates_times_of_day_and_durations(void **state)
{
    (void)state;
    static const double NOW = 1e9; /* 2001-09-09T01:46:40 */
    static const struct {
        const char *text;
        double unix_s;
    } GOOD[] = {{"2001-09-09T01:46", 999999960},
                {"2001-09-09 01:46:41", 1000000001},
                {"01:47", 1000000020},
                {"01:46", 1000086360},
                {"00:00", 1000080000},
                {"90", 1000000090},
                {"1.5h", 1000005400}};
    static const char *const BAD[] = {
        "",      "soon",  "2001-02-30T00:00",   "2001-13-01T00:00",
        "24:00", "12:60", "2001-09-09",         "2001-09-09T01:46x",
        "-1",    "12:3x", "2001-09-09T01:46:61"};
    setenv("TZ", "UTC", 1);
    tzset();
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        double unix_s = 0;
        assert_true(psw_clock_parse_moment(GOOD[i].text, NOW, &unix_s));
        if (unix_s != GOOD[i].unix_s) fail_msg("%s: %.0f", GOOD[i].text, unix_s);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        double unix_s = -7;
        if (psw_clock_parse_moment(BAD[i], NOW, &unix_s) || unix_s != -7)
            fail_msg("%s", BAD[i]);
    }
}

static void dates_carry_their_offset_and_absurd_ones_are_said_to_be(void **state)
{
    (void)state;
    char text[32];
    setenv("TZ", "XYZ-5:30", 1);
    tzset();
    assert_string_equal(psw_clock_date_text(1e9, text), "2001-09-09T07:16:40+05:30");
    setenv("TZ", "UTC", 1);
    tzset();
    assert_string_equal(psw_clock_date_text(1e9 + 0.9, text), "2001-09-09T01:46:40+00:00");
    static const double ABSURD[] = {NAN,   INFINITY, -INFINITY,          1e18,
                                    -1e18, 1e300,    67768036191676799.0};
    for (size_t i = 0; i < sizeof ABSURD / sizeof *ABSURD; i++)
        assert_string_equal(psw_clock_date_text(ABSURD[i], text), "an unknown time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_takes_at_least_the_time_asked_for),
        cmocka_unit_test(the_calendar_is_past_2020),
        cmocka_unit_test(moments_are_dates_times_of_day_and_durations),
        cmocka_unit_test(durations_read_as_people_write_them),
        cmocka_unit_test(durations_are_read_with_their_unit),
        cmocka_unit_test(dates_carry_their_offset_and_absurd_ones_are_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
