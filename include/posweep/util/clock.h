/* Time, for costs, progress and walltime. Never an input of arithmetic. */
#ifndef POSWEEP_UTIL_CLOCK_H
#define POSWEEP_UTIL_CLOCK_H

/** Monotonic seconds since an arbitrary origin. */
double psw_clock_s(void);

/** Seconds since 1970 UTC. */
double psw_clock_unix_s(void);

/** Sleep, at least roughly, this long; returns early on a signal. */
void psw_clock_sleep_s(double duration_s);

/** "1 h 02 min", "3 min 05 s", "12 s", "1.2 s", "less than a second" into out (at least 32
 *  bytes), "?" for what is no duration; returns out. */
char *psw_clock_text(double duration_s, char *out);

/** A duration as people write it, "90", "90s", "1.5m", "1min", "2h" or "1d", in seconds; 0, and
 *  *duration_s as it was, for anything else and for what is not > 0. */
int psw_clock_parse(const char *text, double *duration_s);

/** A moment as people write it, in seconds since 1970: a local "2026-03-01T18:00" (or with
 *  seconds, or a space for the T), a local "18:00" (the next one), or a duration from now as
 *  psw_clock_parse has it. 0, and *unix_s as it was, for anything else. */
int psw_clock_parse_moment(const char *text, double now_unix_s, double *unix_s);

/** The local date and time with its offset to UTC, "2026-03-01T12:00:05+01:00", into out (at
 *  least 32 bytes), or "an unknown time" for what is in no year of four digits; returns out. */
char *psw_clock_date_text(double unix_s, char *out);

#endif
