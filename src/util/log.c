/* The log. Level, tag and the progress line are process-wide on purpose: there is one stderr.
 */
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    enum psw_log_level level;
    char tag[32];
    int progress_shown;
    int tee; /* 1 + the open file; 0: none */
    double plain_last_s;
} the_log = {.level = PSW_LOG_WARN, .plain_last_s = -1e300};

static const char *const LEVELS[] = {"error", "warning", "note", "info", "debug"};

void psw_log_setup(enum psw_log_level level, const char *tag)
{
    the_log.level = level;
    snprintf(the_log.tag, sizeof the_log.tag, "%s", tag ? tag : "");
}

void psw_log_tee(int fd)
{
    the_log.tee = fd + 1;
}

/* Files are read days later and elsewhere: they get the date and the offset to UTC. */
static void time_text(int is_terminal, char *out)
{
    const double now_s = psw_clock_unix_s();
    char date[32];
    psw_clock_date_text(now_s, date);
    if (is_terminal)
        snprintf(out, 32, "%.8s", date + strcspn(date, "T") + 1);
    else
        snprintf(out, 32, "%s", date);
}

void psw_log(enum psw_log_level level, const char *format, ...)
{
    const int is_shown = level <= the_log.level, is_kept = the_log.tee && level <= PSW_LOG_INFO;
    if (!is_shown && !is_kept) return;
    char line[2048], clock[32];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    time_text(0, clock);
    if (is_kept) dprintf(the_log.tee - 1, "%s %s: %s\n", clock, LEVELS[level], line);
    if (!is_shown) return;
    time_text(isatty(STDERR_FILENO), clock);
    fprintf(stderr, "%s%s %s%s%s: %s\n", the_log.progress_shown ? "\r\033[K" : "", clock,
            the_log.tag, the_log.tag[0] ? " " : "", LEVELS[level], line);
    the_log.progress_shown = 0;
}

void psw_log_progress(const char *text, double plain_every_s)
{
    if (the_log.level < PSW_LOG_WARN) return;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K%s", text ? text : "");
        fflush(stderr);
        the_log.progress_shown = text != NULL;
        return;
    }
    const double now_s = psw_clock_s();
    if (!text || now_s - the_log.plain_last_s < plain_every_s) return;
    the_log.plain_last_s = now_s;
    char clock[32];
    time_text(0, clock);
    fprintf(stderr, "%s %s\n", clock, text);
}
