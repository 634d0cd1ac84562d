/* The stop flag. It is process-wide because signals are; everything else about stopping is
 * decided by the coordinator and the workers. */
#include <posweep/sweep/stop.h>

#include <math.h>
#include <signal.h>
#include <stdlib.h>

static volatile sig_atomic_t the_signal;
static double the_end_unix_s = INFINITY;

static void remember(int signal_number)
{
    the_signal = signal_number;
}

/* Whether SIGHUP was ignored when the process began. Libraries that come with MPI take it for
 * themselves (UCX), before main where they are linked: it is looked at before those begin. */
static int hangup_is_ignored, is_installed;

static int ignores_hangup(void)
{
    struct sigaction now;
    return sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

#if defined __ELF__ && !defined PSW_SANITIZED /* sanitizers begin later */
static void look_first(void)
{
    hangup_is_ignored = ignores_hangup();
}
__attribute__((section(".preinit_array"), used)) static void (*const FIRST)(void) = look_first;
#endif

void psw_stop_install(void)
{
    static const int SIGNALS[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    is_installed = 1;
    hangup_is_ignored |= ignores_hangup();
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        const int is_nohup = SIGNALS[i] == SIGHUP && hangup_is_ignored;
        action.sa_handler = is_nohup ? SIG_IGN : remember;
        sigaction(SIGNALS[i], &action, NULL);
    }
}

void psw_stop_reinstall(void)
{
    if (is_installed) psw_stop_install();
}

int psw_stop_requested(void)
{
    return the_signal;
}

void psw_stop_request(int signal_number)
{
    the_signal = signal_number;
}

static double unix_s_of(const char *name)
{
    const char *text = getenv(name);
    if (!text || !text[0]) return INFINITY;
    char *end = NULL;
    const double value = strtod(text, &end);
    return *end == 0 && value > 0 ? value : INFINITY;
}

void psw_stop_at(double unix_s)
{
    the_end_unix_s = unix_s;
}

double psw_stop_end_unix_s(void)
{
    const double of_job_s =
        fmin(unix_s_of("POSWEEP_END_TIME"), unix_s_of("SLURM_JOB_END_TIME"));
    return fmin(of_job_s, the_end_unix_s);
}
