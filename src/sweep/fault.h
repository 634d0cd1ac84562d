/* What can end an attempt, and what follows: the one table of it. */
#ifndef POSWEEP_SRC_SWEEP_FAULT_H
#define POSWEEP_SRC_SWEEP_FAULT_H

#include <posweep/sweep/ledger.h>

enum psw_fault {
    PSW_FAULT_NONE,
    PSW_FAULT_RUN,      /* settings or code: the same error would come again */
    PSW_FAULT_DIVERGED, /* NaN, infinity */
    PSW_FAULT_TIMEOUT,  /* longer than limits.run_s */
    PSW_FAULT_CENSORED, /* stopped early by the sweep's rule */
    PSW_FAULT_DATA,     /* files that are missing, damaged or changed */
    PSW_FAULT_MEMORY,   /* refused to an attempt that lives on */
    PSW_FAULT_MACHINE,  /* other trouble with files */
    PSW_FAULT_FULL,     /* no space left */
    PSW_FAULT_STOPPED,  /* asked to */
    PSW_FAULT_WIDENED,  /* asked to, to go on with more ranks */
    PSW_FAULT_DEATH,    /* its rank died: a crash, or killed for memory */
    PSW_FAULT_HUNG,     /* its rank was silent for too long */
    PSW_N_FAULT
};

/** What follows. */
struct psw_fault_policy {
    const char *name;
    enum psw_task_event event; /* of the task, in the start that sees it */
    int stops_sweep;
    int32_t n_attempt;   /* so many are made; 0: limits.max_attempts */
    int over_all_starts; /* counted so; else anew in each */
};

/** Never NULL. */
const struct psw_fault_policy *psw_fault_policy(enum psw_fault fault);

/** What an attempt that ended with this status met. */
enum psw_fault psw_fault_of(psw_status code);

/** How often a task is tried that meets this. */
int32_t psw_fault_attempts(enum psw_fault fault, int32_t max_attempts);

#endif
