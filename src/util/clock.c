/* Time from the operating system's clocks. */
#include <posweep/util/clock.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    const double tenths = round(duration_s * 10); /* rounded before it is split: no "60 s" */
    const double whole_s = round(duration_s), whole_min = round(duration_s / 60);
    if (!(duration_s >= 0) || duration_s > 3.6e9)
        snprintf(out, 32, "?");
    else if (tenths < 10)
        snprintf(out, 32, "less than a second");
    else if (tenths < 100)
        snprintf(out, 32, "%.1f s", tenths / 10);
    else if (whole_s < 60)
        snprintf(out, 32, "%.0f s", whole_s);
    else if (whole_s < 3600)
        snprintf(out, 32, "%d min %02d s", (int)whole_s / 60, (int)whole_s % 60);
    else if (whole_min < 48 * 60)
        snprintf(out, 32, "%d h %02d min", (int)whole_min / 60, (int)whole_min % 60);
    else
        snprintf(out, 32, "%ld d %02ld h", (long)round(duration_s / 3600) / 24,
                 (long)round(duration_s / 3600) % 24);
    return out;
}

int psw_clock_parse(const char *text, double *duration_s)
{
    static const struct {
        const char *name;
        double s;
    } UNITS[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    const size_t n_number = strspn(text, "0123456789."); /* no sign, no nan, no 0x */
    char *end = NULL;
    const double value = strtod(text, &end);
    if (n_number == 0 || end != text + n_number || !(value > 0)) return 0;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (strcmp(end, UNITS[i].name) == 0) {
            *duration_s = value * UNITS[i].s;
            return isfinite(*duration_s);
        }
    return 0;
}

/* mktime moves what is out of range into the next month; that was no date then. */
static int moment_of(struct tm parts, double *unix_s)
{
    struct tm same = parts;
    same.tm_isdst = -1;
    const time_t at = mktime(&same);
    if (at == (time_t)-1 || same.tm_mday != parts.tm_mday || same.tm_mon != parts.tm_mon ||
        same.tm_min != parts.tm_min || same.tm_sec != parts.tm_sec)
        return 0;
    *unix_s = (double)at;
    return 1;
}

int psw_clock_parse_moment(const char *text, double now_unix_s, double *unix_s)
{
    static const char *const FORMS[] = {"%4d-%2d-%2d%*1[T ]%2d:%2d%n",
                                        "%4d-%2d-%2d%*1[T ]%2d:%2d:%2d%n"};
    double wait_s = 0;
    int year, month, day, hour, minute, second = 0, n = 0;
    for (int form = 0; form < 2; form++, n = 0) {
        const int found =
            form == 0
                ? sscanf(text, FORMS[0], &year, &month, &day, &hour, &minute, &n)
                : sscanf(text, FORMS[1], &year, &month, &day, &hour, &minute, &second, &n);
        if (found != 5 + form || n == 0 || text[n]) continue;
        const struct tm parts = {.tm_year = year - 1900,
                                 .tm_mon = month - 1,
                                 .tm_mday = day,
                                 .tm_hour = hour,
                                 .tm_min = minute,
                                 .tm_sec = second};
        return moment_of(parts, unix_s);
    }
    if (sscanf(text, "%2d:%2d%n", &hour, &minute, &n) == 2 && n > 0 && !text[n]) {
        const time_t now = (time_t)now_unix_s;
        struct tm parts;
        if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || !localtime_r(&now, &parts))
            return 0;
        const int is_over =
            hour * 60 + minute <= parts.tm_hour * 60 + parts.tm_min; /* then tomorrow's */
        parts.tm_hour = hour;
        parts.tm_min = minute;
        parts.tm_sec = 0;
        parts.tm_mday += is_over;
        parts.tm_isdst = -1;
        const time_t at = mktime(&parts);
        if (at != (time_t)-1) *unix_s = (double)at;
        return at != (time_t)-1;
    }
    if (!psw_clock_parse(text, &wait_s)) return 0;
    *unix_s = now_unix_s + wait_s;
    return 1;
}

char *psw_clock_date_text(double unix_s, char *out)
{
    static const double YEAR_1_S = -62135596800., YEAR_10000_S = 253402300800.;
    char zone[8];
    struct tm parts;
    const int is_date = unix_s >= YEAR_1_S && unix_s < YEAR_10000_S; /* false for NaN */
    const time_t at = is_date ? (time_t)unix_s : 0;
    if (!is_date || !localtime_r(&at, &parts) ||
        strftime(out, 24, "%Y-%m-%dT%H:%M:%S", &parts) == 0 ||
        strftime(zone, sizeof zone, "%z", &parts) != 5) {
        snprintf(out, 32, "an unknown time");
        return out;
    }
    const size_t n = strlen(out);
    snprintf(out + n, 32 - n, "%.3s:%.2s", zone, zone + 3); /* +0100 -> +01:00 */
    return out;
}
