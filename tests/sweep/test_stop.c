/* Being asked to stop: signals set a flag, the environment tells the end of the walltime. */
#include <posweep/sweep/stop.h>
#include <support/support.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>

static void each_signal_sets_the_flag_and_ends_nothing(void **state)
{
    (void)state;
    static const int SIGNALS[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP};
    struct sigaction was, hangs_up = {.sa_handler = SIG_DFL};
    sigaction(SIGHUP, &hangs_up, &was);
    psw_stop_install();
    /* Started with nohup, SIGHUP asks for nothing. */
    for (int i = 0; i < (was.sa_handler == SIG_IGN ? 4 : 5); i++) {
        psw_stop_request(0);
        assert_int_equal(psw_stop_requested(), 0);
        raise(SIGNALS[i]);
        raise(SIGNALS[i]); /* mpirun may send it twice */
        assert_int_equal(psw_stop_requested(), SIGNALS[i]);
    }
    psw_stop_request(0);
}

static void take_it(int signal_number)
{
    (void)signal_number;
    fail();
}

/* As UCX does, which comes with MPI. */
static void a_signal_that_a_library_took_is_taken_back(void **state)
{
    (void)state;
    struct sigaction take = {.sa_handler = take_it};
    psw_stop_install();
    sigaction(SIGUSR2, &take, NULL);
    psw_stop_reinstall();
    raise(SIGUSR2);
    assert_int_equal(psw_stop_requested(), SIGUSR2);
    psw_stop_request(0);
}

static void hangup_that_nohup_ignores_stays_ignored(void **state)
{
    (void)state;
    struct sigaction was, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGHUP, &ignore, &was);
    psw_stop_install();
    psw_stop_request(0);
    raise(SIGHUP);
    assert_int_equal(psw_stop_requested(), 0);
    struct sigaction take = {.sa_handler = take_it};
    sigaction(SIGHUP, &take, NULL);
    psw_stop_reinstall();
    raise(SIGHUP);
    assert_int_equal(psw_stop_requested(), 0);
    sigaction(SIGHUP, &was, NULL);
}

static void the_earlier_end_holds_and_nonsense_is_no_end(void **state)
{
    (void)state;
    unsetenv("POSWEEP_END_TIME");
    unsetenv("SLURM_JOB_END_TIME");
    assert_true(isinf(psw_stop_end_unix_s()));
    setenv("SLURM_JOB_END_TIME", "1795443475", 1);
    assert_true(psw_stop_end_unix_s() == 1795443475);
    setenv("POSWEEP_END_TIME", "1795440000.5", 1);
    assert_true(psw_stop_end_unix_s() == 1795440000.5);
    static const char *const NONSENSE[] = {"", "Unknown", "12:30", "-5", "nan"};
    unsetenv("SLURM_JOB_END_TIME");
    for (int i = 0; i < 5; i++) {
        setenv("POSWEEP_END_TIME", NONSENSE[i], 1);
        assert_true(isinf(psw_stop_end_unix_s()));
    }
    unsetenv("POSWEEP_END_TIME");
    psw_stop_at(1795440001);
    assert_true(psw_stop_end_unix_s() == 1795440001);
    setenv("SLURM_JOB_END_TIME", "1795440000", 1);
    assert_true(psw_stop_end_unix_s() == 1795440000);
    unsetenv("SLURM_JOB_END_TIME");
    psw_stop_at(INFINITY);
    assert_true(isinf(psw_stop_end_unix_s()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_signal_sets_the_flag_and_ends_nothing),
        cmocka_unit_test(a_signal_that_a_library_took_is_taken_back),
        cmocka_unit_test(hangup_that_nohup_ignores_stays_ignored),
        cmocka_unit_test(the_earlier_end_holds_and_nonsense_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
