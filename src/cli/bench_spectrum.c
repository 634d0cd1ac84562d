/* posweep bench spectrum: a Gram matrix of many directions and its eigenvalues over all ranks,
 * beside LAPACK on one rank with as many BLAS threads as the ranks have together. Start it
 * under mpirun: `mpirun -n 4 posweep bench spectrum`. */
#include "bench_internal.h"
#include <math.h>
#include <mpi.h>
#include <posweep/analyze/gram.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/util/minmax.h>
#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { N_VECTOR = 2 /* as the map takes */ };

/** What is measured, and what it comes to. */
struct measured {
    double gram_s, eigen_s;
    double mib;    /* of the rank that took most, beyond what it had before */
    double *value; /* [n_value] eigenvalues; owned */
    int64_t n_value;
};

static double resident_mib(void)
{
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    return (double)used.ru_maxrss / 1024;
}

/* Directions with something in common, the same whoever makes them. */
static void make_rows(int64_t begin, int64_t end, int64_t k, double *x)
{
    const struct psw_rng rng = {.seed = 5, .use = PSW_RNG_TEST};
    for (int64_t r = begin; r < end; r++)
        for (int64_t i = 0; i < k; i++) {
            uint32_t word[4];
            if (i % 4 == 0) psw_rng_words(rng, (uint64_t)r, (uint32_t)i, word);
            x[(r - begin) * k + i] =
                (double)word[i % 4] * 0x1p-31 - 1 + 0.1 * sin(1e-3 * (double)(r * (i % 16)));
        }
}

/* Over the ranks of comm. */
static psw_status over_ranks(MPI_Comm comm, int64_t n, int64_t k, struct measured *out,
                             struct psw_error *err)
{
    struct psw_grid line = {0}, grid = {0};
    struct psw_grid_matrix rows = {0}, gram = {0};
    struct psw_gram_share share;
    struct psw_eigen e = {0};
    const double before_mib = resident_mib();
    psw_status rc = PSW_OK;
    PSW_TRY(psw_grid_init(comm, 1, psw_comm_size(comm), &line, err));
    PSW_TRY(psw_grid_init(comm, 0, 0, &grid, err));
    rc = psw_gram_rows_init(&line, n, 1, k, &rows, &share, err);
    PSW_TRY(psw_agree(comm, rc, err));
    make_rows(share.begin, share.end, k, rows.local);
    PSW_MPI(MPI_Barrier(comm));
    const double start_s = MPI_Wtime();
    const enum psw_gram_side side = n <= k ? PSW_GRAM_OF_ROWS : PSW_GRAM_OF_COLUMNS;
    PSW_TRY(psw_gram_init(&rows, &grid, side, PSW_GRAM_BLOCK, &gram, err));
    const double gram_s = MPI_Wtime();
    PSW_TRY(psw_gram_eigen(&gram, N_VECTOR, &e, err));
    *out = (struct measured){.gram_s = gram_s - start_s,
                             .eigen_s = MPI_Wtime() - gram_s,
                             .mib = resident_mib() - before_mib,
                             .value = e.value,
                             .n_value = e.n};
    e.value = NULL;
    PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &out->mib, 1, MPI_DOUBLE, MPI_MAX, comm));
fail:
    psw_eigen_clear(&e);
    psw_grid_matrix_clear(&gram);
    psw_grid_matrix_clear(&rows);
    psw_grid_clear(&grid);
    psw_grid_clear(&line);
    return rc;
}

/* DSYRK and DSYEVD, on this rank alone. */
static psw_status by_lapack(int64_t n, int64_t k, struct measured *out, struct psw_error *err)
{
    const int64_t m = psw_min(n, k), depth = n <= k ? k : n;
    const int M = (int)m, K = (int)k, D = (int)depth;
    const double one = 1, zero = 0;
    double *x = malloc(sizeof *x * (size_t)(n * k)), *g = malloc(sizeof *g * (size_t)(m * m));
    struct psw_eigen e = {0};
    psw_status rc = x && g ? PSW_OK : psw_fail(err, PSW_ENOMEM, "bench: %d x %d", (int)n, K);
    if (rc == PSW_OK) {
        make_rows(0, n, k, x);
        const double start_s = MPI_Wtime();
        dsyrk_("L", n <= k ? "T" : "N", &M, &D, &one, x, &K, &zero, g, &M);
        const double gram_s = MPI_Wtime();
        rc = psw_eigen_serial(m, g, N_VECTOR, &e, err);
        *out = (struct measured){.gram_s = gram_s - start_s,
                                 .eigen_s = MPI_Wtime() - gram_s,
                                 .value = e.value,
                                 .n_value = e.n};
        e.value = NULL;
    }
    psw_eigen_clear(&e);
    free(x);
    free(g);
    return rc;
}

static double load_now(void)
{
    double load = NAN;
    return getloadavg(&load, 1) == 1 ? load : NAN;
}

static void print_row(const char *name, int n_rank, int64_t n_thread, const struct measured *m)
{
    printf("%-28s %5d %7lld %8.2f %8.2f %8.2f", name, n_rank, (long long)n_thread, m->gram_s,
           m->eigen_s, m->gram_s + m->eigen_s);
    if (m->mib > 0) printf(" %8.0f", m->mib);
    putchar('\n');
    fflush(stdout);
}

/* Largest difference of eigenvalues, of the largest. */
static double difference(const struct measured *a, const struct measured *b)
{
    double most = 0;
    for (int64_t i = 0; i < a->n_value; i++) most = fmax(most, fabs(a->value[i] - b->value[i]));
    return most / b->value[0];
}

/* Until rank 0 comes, too: a barrier would take the cores that it is measured on. */
static void wait_idle(void)
{
    MPI_Request request;
    int done = 0;
    PSW_MPI(MPI_Ibarrier(MPI_COMM_WORLD, &request));
    while (!done) {
        const struct timespec nap = {0, 20000000};
        PSW_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
        if (!done) nanosleep(&nap, NULL);
    }
}

psw_status psw_cli_bench_spectrum(const struct psw_bench_args *args, struct psw_error *err)
{
    const int64_t n = args->n_item ? args->n_item : 4000, k = args->batch ? args->batch : 8192;
    const int size = psw_comm_size(MPI_COMM_WORLD);
    const int64_t n_core = psw_min(size * args->n_thread, sysconf(_SC_NPROCESSORS_ONLN));
    struct measured all = {0}, one = {0}, lapack = {0};
    psw_status rc = PSW_OK;
    PSW_TRY(over_ranks(MPI_COMM_WORLD, n, k, &all, err));
    if (args->rank == 0) {
        printf("%lld directions of %lld numbers: all eigenvalues and %d vectors; load %.1f\n"
               "%-28s %5s %7s %8s %8s %8s %8s\n",
               (long long)n, (long long)k, N_VECTOR, load_now(), "", "ranks", "threads",
               "Gram s", "eigen s", "both s", "MiB/rank");
        print_row("over the ranks", size, args->n_thread, &all);
        psw_blas_pin((int)n_core);
        rc = over_ranks(MPI_COMM_SELF, n, k, &one, err);
        one.mib = 0; /* a peak, which those of later parts hide behind */
        if (rc == PSW_OK) print_row("the same on one rank", 1, n_core, &one);
        if (rc == PSW_OK) rc = by_lapack(n, k, &lapack, err);
        if (rc == PSW_OK) {
            print_row("LAPACK (DSYRK, DSYEVD)", 1, n_core, &lapack);
            const double together = lapack.gram_s + lapack.eigen_s;
            printf("%.2f x LAPACK on the same cores (<= 1.3); eigenvalues differ by %.1e\n",
                   (all.gram_s + all.eigen_s) / together, difference(&all, &lapack));
        }
    }
    wait_idle();
    rc = psw_agree(MPI_COMM_WORLD, rc, err);
fail:
    free(all.value);
    free(one.value);
    free(lapack.value);
    return rc;
}
