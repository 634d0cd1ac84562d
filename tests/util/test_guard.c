/* Work in a child: what it returns, and what becomes of its faults. */
#include <posweep/util/guard.h>
#include <support/support.h>

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int return_it(void *ctx)
{
    return *(int *)ctx;
}

static int write_nowhere(void *ctx)
{
    (void)ctx;
    raise(SIGSEGV);
    return 0;
}

static int loop(void *ctx)
{
    const volatile int *go_on = ctx;
    while (*go_on) {
    }
    return 0;
}

static int take_memory(void *ctx)
{
    (void)ctx;
    char *volatile p = malloc((size_t)3 << 30);
    const int had = p != NULL;
    free(p);
    return had;
}

static void exit_status_of_the_work_comes_back(void **state)
{
    (void)state;
    int want = 65, got = 0;
    assert_int_equal(
        psw_guard(return_it, &want, (struct psw_guard_limits){0}, "x.h5", &got, NULL), PSW_OK);
    assert_int_equal(got, 65);
}

static void signal_in_the_work_is_a_sentence(void **state)
{
    (void)state;
    int got = 7;
    struct psw_error err = {0};
    assert_int_equal(
        psw_guard(write_nowhere, NULL, psw_guard_limits_for(0), "x.h5", &got, &err), PSW_EDATA);
    assert_int_equal(got, 7);
    assert_non_null(strstr(err.text, "x.h5: damaged: reading it ended in signal 11"));
}

static void endless_work_is_a_sentence(void **state)
{
    (void)state;
    int go_on = 1, got = 7;
    struct psw_error err = {0};
    assert_int_equal(
        psw_guard(loop, &go_on, (struct psw_guard_limits){.cpu_s = 1}, "x.h5", &got, &err),
        PSW_EDATA);
    assert_non_null(strstr(err.text, "did not end within 1 s"));
}

static void memory_beyond_the_limit_is_not_given(void **state)
{
    (void)state;
#ifdef PSW_SANITIZED
    support_skip("sanitizers have memory of their own");
#endif
    int got = 7;
    assert_int_equal(psw_guard(take_memory, NULL, psw_guard_limits_for(0), "x.h5", &got, NULL),
                     PSW_OK);
    assert_int_equal(got, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_status_of_the_work_comes_back),
        cmocka_unit_test(signal_in_the_work_is_a_sentence),
        cmocka_unit_test(endless_work_is_a_sentence),
        cmocka_unit_test(memory_beyond_the_limit_is_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
