/* Did the launcher and MPI find each other? With a process manager that MPI does not speak, n
 * tasks become n worlds of one rank: n - 1 of them would meet the first one's lock and the
 * first would do the whole sweep alone, unnoticed. The environment of the launcher says how
 * many there should be. */
#include "cli_internal.h"
#include <mpi.h>
#include <posweep/comm/agree.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/log.h>
#include <stdlib.h>

#define PSW_OWN_MPIRUN                                                                         \
    "start it with the mpirun of the MPI that posweep was built with (posweep --version)"
#define PSW_SRUN_MPI                                                                           \
    "start it with `srun --mpi=pmix` or with mpirun (slurm/sweep.sbatch: "                     \
    "POSWEEP_LAUNCH=\"srun --mpi=pmix\" or POSWEEP_LAUNCH=mpirun; `srun --mpi=list` tells "    \
    "what there is)"

/* The innermost launcher decides: a row whose size is set, and not 1 where an outer launcher
 * may have left it. mpirun starts its helpers with srun, whose variables its ranks then
 * inherit. */
static const struct {
    const char *name, *size, *rank, *advice;
    int counts_one;
} LAUNCHERS[] = {
    {"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", PSW_OWN_MPIRUN, 1},
    {"mpirun", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", PSW_OWN_MPIRUN, 1},
    {"mpiexec or srun", "PMI_SIZE", "PMI_RANK", PSW_OWN_MPIRUN ", or " PSW_SRUN_MPI, 0},
    {"srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", PSW_SRUN_MPI, 0},
};
enum { N_LAUNCHER = sizeof LAUNCHERS / sizeof *LAUNCHERS };

/* A count in the environment; 0 without one. */
static long count_in(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    const long n = text ? strtol(text, &end, 10) : 0;
    return text && end != text && *end == 0 && n > 0 ? n : 0;
}

struct psw_launch psw_launch_read(void)
{
    for (int i = 0; i < N_LAUNCHER; i++) {
        const long n = count_in(LAUNCHERS[i].size);
        if (n < (LAUNCHERS[i].counts_one ? 1 : 2)) continue;
        return (struct psw_launch){
            .row = i, .n_promised = n, .rank = count_in(LAUNCHERS[i].rank)};
    }
    return (struct psw_launch){.row = -1, .n_alone = count_in("SLURM_NTASKS")};
}

psw_status psw_launch_check(const struct psw_launch *launch, int n_rank, struct psw_error *err)
{
    char mpi[PSW_LIBRARY_TEXT_BYTES];
    if (launch->n_promised <= n_rank) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "%s started %ld tasks (%s), but MPI has %d rank%s: each task would do all of "
        "the work alone. The launcher and the MPI of posweep (%s) do not know each "
        "other: %s. If separate worlds are meant, unset %s",
        LAUNCHERS[launch->row].name, launch->n_promised, LAUNCHERS[launch->row].size, n_rank,
        n_rank == 1 ? "" : "s", psw_cli_mpi_text(mpi), LAUNCHERS[launch->row].advice,
        LAUNCHERS[launch->row].size);
}

/* Before MPI starts, because Open MPI ends the process when it does not find what it needs. */
static void warn_before(const struct psw_launch *launch)
{
#ifdef OPEN_MPI
    if (launch->row >= 0 && launch->rank == 0 && getenv("SLURM_STEP_NUM_TASKS") &&
        !LAUNCHERS[launch->row].counts_one && !getenv("PMIX_RANK"))
        psw_log(PSW_LOG_WARN,
                "srun started %ld tasks without PMIx. If MPI does not start now: " PSW_SRUN_MPI,
                launch->n_promised);
#else
    (void)launch;
#endif
}

psw_status psw_cli_mpi_begin(int *rank, struct psw_error *err)
{
    int provided = 0;
    const struct psw_launch launch = psw_launch_read();
    warn_before(&launch);
    PSW_MPI(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided));
    psw_stop_reinstall();
    const int n_rank = psw_comm_size(MPI_COMM_WORLD);
    *rank = psw_comm_rank(MPI_COMM_WORLD);
    const psw_status rc = psw_launch_check(&launch, n_rank, err);
    if (rc != PSW_OK) {
        if (n_rank == 1) *rank = (int)launch.rank; /* one task speaks for all */
        PSW_MPI(MPI_Finalize());
    } else if (n_rank == 1 && launch.n_alone > 1) {
        psw_log(
            PSW_LOG_WARN,
            "one process, although the job has %ld tasks (SLURM_NTASKS): start it with srun "
            "or mpirun to use them",
            launch.n_alone);
    }
    if (rc == PSW_OK) psw_cli_exit_alone(0);
    return rc;
}
