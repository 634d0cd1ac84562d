/* Time, for costs, progress and walltime. Never an input of arithmetic. */
#ifndef POSWEEP_UTIL_CLOCK_H
#define POSWEEP_UTIL_CLOCK_H

/** Monotonic seconds since an arbitrary origin. */
double psw_clock_s(void);

/** Seconds since 1970 UTC. */
double psw_clock_unix_s(void);

/** Sleep, at least roughly, this long; returns early on a signal. */
void psw_clock_sleep_s(double duration_s);

/** "1h02m", "3m05s", "12.3s", "450ms" into out (at least 32 bytes); returns out. */
char *psw_clock_text(double duration_s, char *out);

#endif
