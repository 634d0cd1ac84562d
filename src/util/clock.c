/* Time from the operating system's clocks. */
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <time.h>

static double read_clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double psw_clock_s(void)
{
    return read_clock_s(CLOCK_MONOTONIC);
}

double psw_clock_unix_s(void)
{
    return read_clock_s(CLOCK_REALTIME);
}

void psw_clock_sleep_s(double duration_s)
{
    if (!(duration_s > 0)) return;
    const struct timespec t = {.tv_sec = (time_t)duration_s,
                               .tv_nsec = (long)((duration_s - floor(duration_s)) * 1e9)};
    nanosleep(&t, NULL);
}

char *psw_clock_text(double duration_s, char *out)
{
    const double ms = round(duration_s * 1e3), tenths = round(duration_s * 10);
    const double whole_s = round(duration_s); /* rounded before it is split: never "60.0s" */
    if (!(duration_s >= 0) || duration_s > 3.6e9)
        snprintf(out, 32, "?");
    else if (ms < 1000)
        snprintf(out, 32, "%.0fms", ms);
    else if (tenths < 600)
        snprintf(out, 32, "%.1fs", tenths / 10);
    else if (whole_s < 3600)
        snprintf(out, 32, "%dm%02ds", (int)whole_s / 60, (int)whole_s % 60);
    else
        snprintf(out, 32, "%ldh%02dm", (long)whole_s / 3600, (int)fmod(whole_s, 3600) / 60);
    return out;
}
