/* Energy that this machine spends, where its kernel tells: processor packages and memory by
 * powercap (intel-rapl, of AMD's as well), else sockets by hwmon (amd_energy). Whatever runs on
 * the machine is in it. */
#ifndef POSWEEP_UTIL_ENERGY_H
#define POSWEEP_UTIL_ENERGY_H

#include <stdint.h>

enum { PSW_ENERGY_ZONES = 32, PSW_ENERGY_PATH = 160 };

/** A meter that counts from its begin on. Plain data. */
struct psw_energy {
    struct {
        char path[PSW_ENERGY_PATH];
        uint64_t last_uj, range_uj; /* it counts from 0 to range; 0: for ever */
    } zone[PSW_ENERGY_ZONES];
    int n_zone; /* 0: nothing tells */
    double joules, looked_s;
};

/** root: "" or, for tests, where a /sys stands. */
void psw_energy_begin(struct psw_energy *meter, const char *root);

/** Read the counters, which begin again after some minutes under load: to be called more often
 *  than that. Cheap: they are read once in ten seconds, or now. */
void psw_energy_look(struct psw_energy *meter, int now);

/** Joules from begin to the last look; NaN where nothing tells. */
double psw_energy_joules(const struct psw_energy *meter);

#endif
