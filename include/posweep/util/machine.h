/* What this machine has. */
#ifndef POSWEEP_UTIL_MACHINE_H
#define POSWEEP_UTIL_MACHINE_H

/** Bytes of memory of the machine, whoever uses them. */
double psw_machine_bytes(void);

#endif
