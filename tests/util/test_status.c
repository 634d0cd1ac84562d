/* Status codes and error texts. */
#include <posweep/util/cast.h>
#include <posweep/util/status.h>
#include <support/support.h>

#include <errno.h>
#include <string.h>

static void a_failure_returns_its_code_and_keeps_errno(void **state)
{
    (void)state;
    struct psw_error err = {0};
    errno = ENOSPC;
    assert_int_equal(psw_fail(&err, PSW_EDATA, "line %d", 7), PSW_EDATA);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(err.code, PSW_EDATA);
    assert_string_equal(err.text, "line 7");
    assert_int_equal(psw_fail(NULL, PSW_EIO, "nobody listens"), PSW_EIO);
}

static void a_message_that_does_not_fit_ends_in_dots(void **state)
{
    (void)state;
    struct psw_error err = {0};
    char longer[2 * PSW_ERROR_TEXT_BYTES];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(psw_fail(&err, PSW_EIO, "%s", longer), PSW_EIO);
    assert_int_equal(strlen(err.text), PSW_ERROR_TEXT_BYTES - 1);
    assert_string_equal(err.text + PSW_ERROR_TEXT_BYTES - 4, "...");
    longer[PSW_ERROR_TEXT_BYTES - 1] = 0; /* just fits */
    assert_int_equal(psw_fail(&err, PSW_EIO, "%s", longer), PSW_EIO);
    assert_string_equal(err.text, longer);
}

static void a_message_is_cut_between_characters(void **state)
{
    (void)state;
    struct psw_error err = {0};
    char longer[2 * PSW_ERROR_TEXT_BYTES];
    for (int n_before = 0; n_before < 3; n_before++) {
        memset(longer, 'x', (size_t)n_before);
        for (size_t i = (size_t)n_before; i + 3 < sizeof longer; i += 3)
            memcpy(longer + i, "\xe2\x82\xac", 4);
        assert_int_equal(psw_fail(&err, PSW_EIO, "%s", longer), PSW_EIO);
        const char *dots = strstr(err.text, "...");
        assert_non_null(dots);
        assert_string_equal(dots, "...");
        assert_int_equal((dots - err.text - n_before) % 3, 0);
    }
}

static void a_prefix_goes_before_the_message(void **state)
{
    (void)state;
    struct psw_error err = {.text = "broken"};
    psw_error_prefix(&err, "pairs.jsonl:%d", 3);
    assert_string_equal(err.text, "pairs.jsonl:3: broken");
    psw_error_prefix(NULL, "nobody");
}

static void every_code_has_a_name_and_a_non_zero_exit_status(void **state)
{
    (void)state;
    for (int code = 1; code < PSW_N_STATUS; code++) {
        assert_string_not_equal(psw_status_name((psw_status)code), "unknown status");
        assert_true(psw_status_exit((psw_status)code) > 0);
    }
    assert_int_equal(psw_status_exit(PSW_OK), 0);
    assert_int_equal(psw_status_exit(PSW_ESTOP), 75);
    assert_string_equal(psw_status_name((psw_status)99), "unknown status");
    assert_true(psw_status_exit((psw_status)99) > 0);
}

static void system_errors_get_the_code_that_users_can_act_on(void **state)
{
    (void)state;
    static const struct {
        int error_number;
        psw_status code;
    } EXPECTED[] = {{0, PSW_OK},          {ENOENT, PSW_ENOENT}, {EACCES, PSW_EPERM},
                    {EROFS, PSW_EPERM},   {ENOSPC, PSW_ENOSPC}, {EDQUOT, PSW_ENOSPC},
                    {ENOMEM, PSW_ENOMEM}, {EAGAIN, PSW_EBUSY},  {EISDIR, PSW_EIO}};
    for (size_t i = 0; i < sizeof EXPECTED / sizeof EXPECTED[0]; i++)
        assert_int_equal(psw_status_from_errno(EXPECTED[i].error_number), EXPECTED[i].code);
}

static void counts_that_fit_an_int_pass_unchanged(void **state)
{
    (void)state;
    assert_int_equal(psw_int_cast(INT_MAX), INT_MAX);
    assert_int_equal(psw_int_cast(-5), -5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_returns_its_code_and_keeps_errno),
        cmocka_unit_test(a_message_that_does_not_fit_ends_in_dots),
        cmocka_unit_test(a_message_is_cut_between_characters),
        cmocka_unit_test(a_prefix_goes_before_the_message),
        cmocka_unit_test(every_code_has_a_name_and_a_non_zero_exit_status),
        cmocka_unit_test(system_errors_get_the_code_that_users_can_act_on),
        cmocka_unit_test(counts_that_fit_an_int_pass_unchanged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
