/* How much a run's progress leaves in the journal. */
#include "run_internal.h"

#include <support/support.h>

/** Records that a run of so many seconds leaves when it reports ten times a second. */
static int n_record(double length_s)
{
    struct psw_progress_mark last = {0};
    int n = 0;
    for (double t = 0; t < length_s; t += 0.1)
        if (psw_is_worth_recording(last, t / length_s, 1000 + t)) {
            last = (struct psw_progress_mark){.at_s = 1000 + t, .share = t / length_s};
            n++;
        }
    return n;
}

static void short_run_is_told_of_every_five_seconds(void **state)
{
    (void)state;
    assert_in_range(n_record(100), 18, 21);
}

static void long_run_leaves_a_record_a_minute(void **state)
{
    (void)state;
    assert_in_range(n_record(86400), 1430, 1441);
}

static void run_that_begins_again_is_told_of(void **state)
{
    (void)state;
    const struct psw_progress_mark last = {.at_s = 1000, .share = 0.5};
    assert_false(psw_is_worth_recording(last, 0.51, 1006));
    assert_true(psw_is_worth_recording(last, 0.1, 1006));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_run_is_told_of_every_five_seconds),
        cmocka_unit_test(long_run_leaves_a_record_a_minute),
        cmocka_unit_test(run_that_begins_again_is_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
