/* Being asked to stop: by a signal (SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP) or by the end
 * of the walltime.
 *
 * Handlers only set a flag. Work looks at it at its own pace, saves itself and returns
 * PSW_ESTOP; the process then exits with status 75. */
#ifndef POSWEEP_SWEEP_STOP_H
#define POSWEEP_SWEEP_STOP_H

/** Let SIGUSR1, SIGUSR2, SIGTERM, SIGINT and SIGHUP set the flag instead of ending the process;
 *  a SIGHUP that is ignored (nohup) stays so. */
void psw_stop_install(void);

/** Again, if it was done: for after the start of MPI, whose libraries take signals, too. */
void psw_stop_reinstall(void);

/** The number of the signal that asked, or 0. */
int psw_stop_requested(void);

/** Ask from within (tests, coordinators of more than one sweep). 0 withdraws. */
void psw_stop_request(int signal_number);

/** Take this for the end of the job, too, in seconds since 1970. INFINITY withdraws. */
void psw_stop_at(double unix_s);

/** When the job is going to be ended, in seconds since 1970: the earliest of $POSWEEP_END_TIME,
 * $SLURM_JOB_END_TIME and psw_stop_at; INFINITY if none holds a number. */
double psw_stop_end_unix_s(void);

#endif
