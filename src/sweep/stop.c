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

void psw_stop_install(void)
{
    static const int SIGNALS[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        const int known = sigaction(SIGNALS[i], NULL, &before) == 0;
        if (SIGNALS[i] == SIGHUP && known && before.sa_handler == SIG_IGN) continue; /* nohup */
        sigaction(SIGNALS[i], &action, NULL);
    }
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
