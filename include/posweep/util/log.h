/* The log: one line per event on stderr, with time and level, for people and for grep. On a
 * terminal the time is that of the day; elsewhere it is "2026-03-01T12:00:05+01:00".
 *
 * Only cli/ decides level and destination; below it code logs facts and never prints. */
#ifndef POSWEEP_UTIL_LOG_H
#define POSWEEP_UTIL_LOG_H

enum psw_log_level {
    PSW_LOG_ERROR,
    PSW_LOG_WARN,
    PSW_LOG_NOTE, /* what everybody should know once, such as where the results go */
    PSW_LOG_INFO,
    PSW_LOG_DEBUG
};

/** Set what is shown (default PSW_LOG_WARN) and a tag such as "rank 3" ("" for none). */
void psw_log_setup(enum psw_log_level level, const char *tag);

/** One line; a progress line that stands on the terminal is cleared first. Thread-safe. */
void psw_log(enum psw_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Write every line up to PSW_LOG_INFO, whatever is shown, to this open file as well, with the
 *  date; -1: to none. Borrowed until the next call. */
void psw_log_tee(int fd);

/** Rewrite the progress line in place when stderr is a terminal; otherwise print it as a plain
 *  line, at most once per plain_every_s seconds. NULL clears it. */
void psw_log_progress(const char *text, double plain_every_s);

#endif
