/* posweep bench dispatch: what the coordinator costs per task, with and without a journal.
 * Start it under mpirun: `mpirun -n 3 posweep bench dispatch`. */
#include "bench_internal.h"
#include <mpi.h>
#include <posweep/bench/dispatch.h>
#include <posweep/comm/agree.h>
#include <posweep/store/journal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The same records as a real sweep writes: started and done for every task, done only after a
 * group commit. */
static psw_status on_started(void *ctx, const struct psw_attempt *attempt,
                             struct psw_error *err)
{
    const struct psw_journal_entry entry = {.type = PSW_J_STARTED,
                                            .run = (uint64_t)attempt->task + 1,
                                            .attempt = attempt->number,
                                            .n_bytes = strlen(attempt->host)};
    return psw_journal_append(ctx, entry, attempt->host, err);
}

static psw_status on_ended(void *ctx, const struct psw_attempt *attempt, struct psw_error *err)
{
    const struct psw_journal_entry entry = {
        .type = PSW_J_DONE, .run = (uint64_t)attempt->task + 1, .attempt = attempt->number};
    return psw_journal_append(ctx, entry, "", err);
}

static psw_status sync_journal(void *ctx, struct psw_error *err)
{
    return psw_journal_sync(ctx, err);
}

static psw_status journal_begin(const char *path, struct psw_journal **journal,
                                struct psw_error *err)
{
    const struct psw_journal_opts opts = {
        .sweep_name = "bench", .spec_text = "", .provenance = "", .lock_wait_s = -1};
    unlink(path);
    return psw_journal_open(path, &opts, journal, err);
}

static psw_status with_journal(int32_t n_task, int is_coordinator, double *mean_us,
                               struct psw_error *err)
{
    struct psw_journal *journal = NULL;
    char path[64], lock[80];
    snprintf(path, sizeof path, "posweep-bench-%ld.journal", (long)getpid());
    snprintf(lock, sizeof lock, "%s.lock", path);
    psw_status rc = is_coordinator ? journal_begin(path, &journal, err) : PSW_OK;
    rc = psw_agree(MPI_COMM_WORLD, rc, err);
    const struct psw_sweep_hooks hooks = {
        .ctx = journal, .on_started = on_started, .on_ended = on_ended, .sync = sync_journal};
    if (rc == PSW_OK)
        rc = psw_bench_dispatch(MPI_COMM_WORLD, n_task, is_coordinator ? &hooks : NULL, mean_us,
                                err);
    psw_journal_close(journal);
    if (is_coordinator) {
        unlink(path);
        unlink(lock);
    }
    return rc;
}

psw_status psw_cli_bench_dispatch(const struct psw_bench_args *args, struct psw_error *err)
{
    const int32_t n_task = (int32_t)(args->n_item ? args->n_item : 10000);
    double bare_us = 0, journal_us = 0;
    psw_status rc = psw_bench_dispatch(MPI_COMM_WORLD, n_task, NULL, &bare_us, err);
    if (rc == PSW_OK) rc = with_journal(n_task, args->rank == 0, &journal_us, err);
    if (rc == PSW_OK && args->rank == 0) {
        printf("%-8s %9s %22s %30s\n", "ranks", "tasks", "us per task, bare",
               "us per task, synced journal");
        printf("%-8d %9ld %22.1f %30.1f\n", psw_comm_size(MPI_COMM_WORLD), (long)n_task,
               bare_us, journal_us);
    }
    return rc;
}
