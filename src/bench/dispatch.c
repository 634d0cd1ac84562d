/* The dispatch benchmark: tasks that do nothing, one rank each, no dependencies. */
#include <posweep/bench/dispatch.h>

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>

#include <stdlib.h>

static psw_status do_nothing(void *ctx, MPI_Comm group, const struct psw_task *task,
                             struct psw_job *job, struct psw_error *err)
{
    (void)ctx, (void)group, (void)task, (void)job, (void)err;
    return PSW_OK;
}

static psw_status coordinate_empty(MPI_Comm comm, const struct psw_sweep_plan *plan,
                                   int32_t n_task, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_sweep_plan filled = *plan;
    struct psw_task *task = calloc((size_t)n_task + 1, sizeof *task);
    if (!task) rc = psw_fail(err, PSW_ENOMEM, "%d empty tasks", n_task);
    for (int32_t i = 0; task && i < n_task; i++) task[i].n_rank = 1;
    if (rc == PSW_OK) rc = psw_ledger_create(task, n_task, &filled.ledger, err);
    rc = psw_agree(comm, rc, err);
    if (rc == PSW_OK) rc = psw_sweep_coordinate(comm, &filled, err);
    psw_ledger_destroy(filled.ledger);
    free(task);
    return rc;
}

psw_status psw_bench_dispatch(MPI_Comm comm, int32_t n_task,
                              const struct psw_sweep_hooks *hooks, double *mean_us,
                              struct psw_error *err)
{
    const struct psw_work work = {.perform = do_nothing};
    struct psw_sweep_plan plan = {.work = work};
    if (hooks) plan.hooks = *hooks;
    PSW_MPI(MPI_Barrier(comm));
    const double start_s = psw_clock_s();
    psw_status rc;
    if (psw_comm_rank(comm) == 0) {
        rc = coordinate_empty(comm, &plan, n_task, err);
    } else {
        rc = psw_agree(comm, PSW_OK, err);
        if (rc == PSW_OK) rc = psw_sweep_serve(comm, &work, err);
    }
    if (rc != PSW_OK) return rc;
    double us = (psw_clock_s() - start_s) * 1e6 / (n_task > 0 ? n_task : 1);
    PSW_MPI(MPI_Bcast(&us, 1, MPI_DOUBLE, 0, comm));
    *mean_us = us;
    return PSW_OK;
}
