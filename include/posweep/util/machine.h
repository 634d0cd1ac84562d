/* What this machine has, and how much of it this process may use. */
#ifndef POSWEEP_UTIL_MACHINE_H
#define POSWEEP_UTIL_MACHINE_H

/** Bytes of memory for all that runs here: the machine's, or less where Slurm granted the job
 * less (SLURM_MEM_PER_NODE, or SLURM_MEM_PER_CPU times SLURM_CPUS_ON_NODE) or a control group
 * of this process has a lower limit. */
double psw_machine_bytes(void);

/** Processes that the system has killed for want of memory in the control groups of this one;
 * -1 where it does not tell. */
double psw_machine_oom_kills(void);

/** The same for a root folder other than "" of /proc and /sys: for tests. */
double psw_machine_bytes_under(const char *root);

/** Give memory that was freed back to the system, where the C library keeps it (glibc). For the
 *  end of a phase that took much. */
void psw_machine_give_back(void);
double psw_machine_oom_kills_under(const char *root);

#endif
