/* Cores: on which a process may run, and whether several processes get one each.
 *
 * A core is counted once, whatever number of hardware threads it has; it is named by the lowest
 * of their numbers. */
#ifndef POSWEEP_UTIL_CORES_H
#define POSWEEP_UTIL_CORES_H

#include <stdint.h>

enum { PSW_MAX_CORES = 2048 };

/** A set of cores of one machine. Plain data: may be sent between ranks as bytes. */
struct psw_core_set {
    uint64_t word[PSW_MAX_CORES / 64];
};

/** Cores on which this process is let run now. All 0 where the system does not tell. */
struct psw_core_set psw_cores_bound(void);

/** Cores on which it could be let run: those of the machine that its control group has. */
struct psw_core_set psw_cores_allowed(void);

int psw_cores_count(const struct psw_core_set *set);
int psw_cores_has(const struct psw_core_set *set, int core);
void psw_cores_add(struct psw_core_set *set, int core);

/** Give as many of n processes as possible a core of their own out of their sets.
 *  Shapes: set [n]; core [n], -1 for a process that has to share.
 *  Returns how many got one. Cost: n times the size of all sets. */
int psw_cores_assign(const struct psw_core_set *set, int n, int *core);

/** "0-3,8" into out; returns out. Cut with "..." where it does not fit. */
char *psw_cores_text(const struct psw_core_set *set, char *out, int n_bytes);

#endif
