/* Checks of the ranks: are they one world, has each a core, do they compute alike? */
#include "doctor_internal.h"
#include <link.h>
#include <math.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/util/clock.h>
#include <posweep/util/cores.h>
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_CLOCK = 11, N_PING = 3 };
/* Clocks this far apart are worth a word, and make leases and ages meaningless. */
static const double CLOCK_NOTE_S = 1, CLOCK_BAD_S = 60;

static int starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Whether Slurm's PMIx brings the nodes together by another exchange than its ring. With the
 * tree, and with "mixed", which is its own choice, a rank may be let out of MPI_Init before
 * another is ready to be spoken to, which then dies of a signal (Slurm 22.05, Open MPI 4.1: up
 * to 4 of 100 starts on busy nodes). */
static int has_hasty_fence(void)
{
    const char *space = getenv("PMIX_NAMESPACE"), *fence = getenv("SLURM_PMIX_FENCE");
    return space && starts(space, "slurm.pmix") && !(fence && !strcmp(fence, "ring"));
}

/* Every rank is heard once: the sum of their numbers arrives. */
void psw_doctor_launcher(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    const int n = d->place.n_rank;
    long long sum = d->place.rank;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_LONG_LONG, MPI_SUM, d->comm));
    if (d->place.rank != 0) return;
    if (sum != (long long)n * (n - 1) / 2)
        psw_doctor_say(line, PSW_DOCTOR_BAD, "%d ranks, but their numbers add up to %lld", n,
                       sum);
    else if (n == 1 && d->launch->n_alone > 1)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "one process, although the job has %ld tasks (SLURM_NTASKS): start it "
                       "with srun or mpirun to use them",
                       d->launch->n_alone);
    else if (d->place.n_node > 1 && has_hasty_fence())
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%d ranks on %d nodes, but srun without SLURM_PMIX_FENCE=ring: on busy "
                       "nodes a rank may crash in MPI_Init. Set it, as slurm/sweep.sbatch does",
                       n, d->place.n_node);
    else
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "%d rank%s on %d node%s, %s", n,
                       n == 1 ? "" : "s", d->place.n_node, d->place.n_node == 1 ? "" : "s",
                       d->launch->n_promised > 0 ? "as many as were started"
                                                 : "without a launcher that tells how many");
}

/** The ranks of a node that work, with their cores. */
struct crew {
    struct psw_core_set *set;
    int *core, *rank, n;
};

/* "1, 2, 5": those that share core c with one that got none. */
static void name_sharers(const struct crew *crew, int lost, char *out, size_t n_bytes)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < crew->n && at + 24 < n_bytes; i++) {
        const int is_one =
            i == lost ||
            (crew->core[i] >= 0 && psw_cores_has(&crew->set[lost], crew->core[i])) ||
            (crew->core[i] < 0 && !memcmp(&crew->set[i], &crew->set[lost], sizeof *crew->set));
        if (is_one)
            at +=
                (size_t)snprintf(out + at, n_bytes - at, "%s%d", at ? ", " : "", crew->rank[i]);
    }
}

static void judge_cores(const struct psw_doctor *d, const struct crew *crew,
                        struct psw_doctor_line *line)
{
    char names[128], cores[64];
    struct psw_core_set all = {{0}};
    const struct psw_core_set allowed = psw_cores_allowed();
    for (int i = 0; i < crew->n; i++)
        for (int w = 0; w < PSW_MAX_CORES / 64; w++) all.word[w] |= crew->set[i].word[w];
    const int n_got = psw_cores_assign(crew->set, crew->n, crew->core), n = crew->n;
    const int n_all = psw_cores_count(&all), n_allowed = psw_cores_count(&allowed);
    int lost = 0;
    while (lost < n && crew->core[lost] >= 0) lost++;
    if (n == 0) return;
    if (n_all == 0) {
        psw_doctor_say(line, PSW_DOCTOR_NOTE, "the system does not tell which cores are ours");
    } else if (n_got == n) {
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "a core for each of %d that work on %s", n,
                       d->place.host);
    } else if (n_all >= n_allowed && n_got >= n_allowed) {
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%d ranks work on the %d core%s of %s (%s): no faster than %d would; "
                       "start fewer there",
                       n, n_allowed, n_allowed == 1 ? "" : "s", d->place.host,
                       psw_cores_text(&allowed, cores, sizeof cores), n_allowed);
    } else {
        name_sharers(crew, lost, names, sizeof names);
        psw_doctor_say(line, PSW_DOCTOR_BAD,
                       "on %s ranks %s share cores (%s), though %d are to be had: a binding of "
                       "the launcher, or one inherited. srun --cpu-bind=cores or none, with "
                       "SLURM_CPU_BIND unset and --cpus-per-task given; mpirun --bind-to core "
                       "or none",
                       d->place.host, names,
                       psw_cores_text(&crew->set[lost], cores, sizeof cores), n_allowed);
    }
}

void psw_doctor_cores(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    const int n = psw_comm_size(d->node), works = d->place.rank > 0 || d->place.n_rank == 1;
    const struct psw_core_set own = psw_cores_bound();
    const int rank = works ? d->place.rank : -1;
    struct psw_core_set *set = calloc((size_t)n, sizeof *set);
    int *core = calloc((size_t)n, sizeof *core), *ranks = calloc((size_t)n, sizeof *ranks);
    const int ok = set && core && ranks;
    if (psw_agree(d->node, ok ? PSW_OK : PSW_ENOMEM, NULL) == PSW_OK) {
        PSW_MPI(MPI_Gather(&own, sizeof own, MPI_BYTE, set, sizeof own, MPI_BYTE, 0, d->node));
        PSW_MPI(MPI_Gather(&rank, 1, MPI_INT, ranks, 1, MPI_INT, 0, d->node));
        struct crew crew = {.set = set, .core = core, .rank = ranks};
        for (int i = 0; i < n; i++) {
            if (ranks[i] < 0) continue;
            set[crew.n] = set[i];
            ranks[crew.n++] = ranks[i];
        }
        if (d->place.rank_node == 0) judge_cores(d, &crew, line);
    }
    free(set);
    free(core);
    free(ranks);
}

/* Do all ranks have the same text? */
static int same_everywhere(MPI_Comm comm, const char *text)
{
    uint64_t low = psw_hash_bytes(text, strlen(text), 0), high = low;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &low, 1, MPI_UINT64_T, MPI_MIN, comm));
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &high, 1, MPI_UINT64_T, MPI_MAX, comm));
    return low == high;
}

void psw_doctor_blas(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    struct psw_blas blas;
    char text[PSW_LIBRARY_TEXT_BYTES], cpu[PSW_LIBRARY_TEXT_BYTES];
    char advice[PSW_BLAS_ADVICE_BYTES];
    psw_blas_find(&blas);
    const int is_pinned = psw_blas_pin(1);
    const int same_blas = same_everywhere(d->comm, psw_cli_blas_text(text));
    const int same_cpu = same_everywhere(d->comm, psw_cli_cpu_text(cpu));
    if (!same_blas || !same_cpu)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "ranks have different %s (%.200s on rank %d, %s): runs of a sweep do "
                       "not agree to the last bit. sbatch --constraint chooses one type",
                       same_cpu ? "BLAS libraries" : "CPU types", same_cpu ? text : cpu,
                       d->place.rank, d->place.host);
    if (!blas.is_tuned)
        psw_doctor_say(line, PSW_DOCTOR_NOTE, "%.900s", psw_blas_advice(&blas, advice));
    if (!is_pinned)
        psw_doctor_say(line, PSW_DOCTOR_NOTE,
                       "%s has no switch for its threads: set OMP_NUM_THREADS=1 and what else "
                       "it reads",
                       text);
    if (d->place.rank == 0)
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "%s, one thread a rank, on %s", text, cpu);
}

/** Libraries in the process whose names matter. */
struct loaded {
    char mpi[4][96], hdf5[96], scalapack[96];
    int n_mpi;
};

/* libmpi.so.40, libmpich.so.12, libmpi_gnu_123.so.12; not what Open MPI has beside for Fortran.
 */
static int is_mpi(const char *name)
{
    static const char *const BESIDE[] = {"libmpi_mpifh", "libmpi_usempi", "libmpi_cxx"};
    for (size_t i = 0; i < sizeof BESIDE / sizeof *BESIDE; i++)
        if (starts(name, BESIDE[i])) return 0;
    return starts(name, "libmpi.so") || starts(name, "libmpich.so") || starts(name, "libmpi_");
}

static int note_library(struct dl_phdr_info *info, size_t n_bytes, void *ctx)
{
    struct loaded *l = ctx;
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : "";
    (void)n_bytes;
    if (is_mpi(name) && l->n_mpi < 4)
        snprintf(l->mpi[l->n_mpi++], sizeof l->mpi[0], "%.95s", name);
    if (starts(name, "libhdf5") && !strstr(name, "_hl") && !l->hdf5[0])
        snprintf(l->hdf5, sizeof l->hdf5, "%.95s", name);
    if (starts(name, "libscalapack") || starts(name, "libsci_") ||
        starts(name, "libmkl_scalapack"))
        snprintf(l->scalapack, sizeof l->scalapack, "%.95s", name);
    return 0;
}

void psw_doctor_libraries(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    struct loaded l = {.n_mpi = 0};
    char text[PSW_LIBRARY_TEXT_BYTES];
    dl_iterate_phdr(note_library, &l);
    if (l.n_mpi > 1)
        psw_doctor_say(line, PSW_DOCTOR_BAD,
                       "two MPI libraries in one process: %s and %s (HDF5 is %s, ScaLAPACK is "
                       "%s): they corrupt each other. Build posweep, HDF5 and ScaLAPACK with "
                       "the same MPI, and look at LD_LIBRARY_PATH and loaded modules",
                       l.mpi[0], l.mpi[1], l.hdf5, l.scalapack);
    if (!same_everywhere(d->comm, psw_cli_mpi_text(text)))
        psw_doctor_say(
            line, PSW_DOCTOR_BAD,
            "ranks have different MPI libraries (%s on rank %d): the nodes differ in "
            "LD_LIBRARY_PATH or modules",
            text, d->place.rank);
    if (d->place.rank == 0)
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "%s for posweep, %s and %s", text,
                       l.hdf5[0] ? l.hdf5 : "a static HDF5",
                       l.scalapack[0] ? l.scalapack : "a static ScaLAPACK");
}

/* Rank 0's clock against that of another rank, whose answer is read at the middle of the
 * shortest of some round trips. */
static double clock_ahead_s(MPI_Comm comm, int rank)
{
    double ahead_s = 0, shortest_s = INFINITY;
    for (int i = 0; i < N_PING; i++) {
        double there_s = 0;
        const double before_s = psw_clock_unix_s();
        PSW_MPI(MPI_Send(&there_s, 1, MPI_DOUBLE, rank, TAG_CLOCK, comm));
        PSW_MPI(MPI_Recv(&there_s, 1, MPI_DOUBLE, rank, TAG_CLOCK, comm, MPI_STATUS_IGNORE));
        const double after_s = psw_clock_unix_s();
        if (after_s - before_s >= shortest_s) continue;
        shortest_s = after_s - before_s;
        ahead_s = there_s - (before_s + after_s) / 2;
    }
    return ahead_s;
}

static void answer_clock(MPI_Comm comm)
{
    for (int i = 0; i < N_PING; i++) {
        double now_s = 0;
        PSW_MPI(MPI_Recv(&now_s, 1, MPI_DOUBLE, 0, TAG_CLOCK, comm, MPI_STATUS_IGNORE));
        now_s = psw_clock_unix_s();
        PSW_MPI(MPI_Send(&now_s, 1, MPI_DOUBLE, 0, TAG_CLOCK, comm));
    }
}

/* One rank of each node answers; rank 0 keeps the two extremes. */
void psw_doctor_clocks(const struct psw_doctor *d, struct psw_doctor_line *line)
{
    const int n = d->place.n_rank, answers = d->place.rank_node == 0 && d->place.rank > 0;
    double lowest_s = 0, highest_s = 0;
    int far = 0;
    int *leads = calloc((size_t)n, sizeof *leads);
    if (psw_agree(d->comm, leads ? PSW_OK : PSW_ENOMEM, NULL) != PSW_OK) {
        free(leads);
        return;
    }
    PSW_MPI(MPI_Gather(&answers, 1, MPI_INT, leads, 1, MPI_INT, 0, d->comm));
    if (answers) answer_clock(d->comm);
    for (int r = 0; d->place.rank == 0 && r < n; r++) {
        if (!leads[r]) continue;
        const double ahead_s = clock_ahead_s(d->comm, r);
        if (fabs(ahead_s) > fmax(-lowest_s, highest_s)) far = r;
        lowest_s = fmin(lowest_s, ahead_s);
        highest_s = fmax(highest_s, ahead_s);
    }
    free(leads);
    if (d->place.rank != 0) return;
    const double apart_s = highest_s - lowest_s;
    if (d->place.n_node == 1)
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "one node, one clock");
    else if (apart_s > CLOCK_NOTE_S)
        psw_doctor_say(line, apart_s > CLOCK_BAD_S ? PSW_DOCTOR_BAD : PSW_DOCTOR_NOTE,
                       "the clocks of %d nodes are %.3g s apart, that of rank %d the most: let "
                       "them follow one time server (chrony, ntpd)",
                       d->place.n_node, apart_s, far);
    else
        psw_doctor_say(line, PSW_DOCTOR_GOOD, "the clocks of %d nodes agree to %.1f ms",
                       d->place.n_node, apart_s * 1e3);
}
