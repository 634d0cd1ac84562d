/* The checks in their order, and those that every start of `run` makes, too. */
#include "doctor_internal.h"
#include <posweep/comm/agree.h>
#include <posweep/util/log.h>

/* In the order in which they are printed. Quick ones are made at every start of `run`, too. */
static const struct {
    const char *name;
    void (*look)(const struct psw_doctor *d, struct psw_doctor_line *line);
    int is_quick;
} CHECKS[] = {
    {"launcher", psw_doctor_launcher, 0},   {"cores", psw_doctor_cores, 1},
    {"libraries", psw_doctor_libraries, 0}, {"blas", psw_doctor_blas, 0},
    {"clocks", psw_doctor_clocks, 1},       {"sweep", psw_doctor_sweep, 0},
    {"memory", psw_doctor_memory, 0},       {"output", psw_doctor_output, 0},
    {"work", psw_doctor_work, 0},           {"disk", psw_doctor_disk, 0},
};
enum { N_CHECK = sizeof CHECKS / sizeof *CHECKS };

const char *psw_doctor_check(const struct psw_doctor *d, int i, struct psw_doctor_line *line)
{
    if (i >= N_CHECK) return NULL;
    CHECKS[i].look(d, line);
    psw_doctor_hear(d, line);
    return CHECKS[i].name;
}

void psw_cli_quick_checks(void)
{
    struct psw_doctor d = {.comm = MPI_COMM_WORLD};
    psw_doctor_place(&d);
    for (int i = 0; i < N_CHECK; i++) {
        struct psw_doctor_line line = {.verdict = PSW_DOCTOR_NONE};
        if (!CHECKS[i].is_quick) continue;
        psw_doctor_check(&d, i, &line);
        if (d.place.rank == 0 && line.verdict == PSW_DOCTOR_BAD)
            psw_log(PSW_LOG_WARN, "%s", line.text);
    }
    PSW_MPI(MPI_Comm_free(&d.node));
}
