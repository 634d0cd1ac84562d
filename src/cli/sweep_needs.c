/* What a sweep needs of a machine: ranks, memory, time, disk; from its plan. */
#include "submit_internal.h"
#include <math.h>
#include <posweep/config/sweep_file.h>
#include <posweep/data/dataset.h>
#include <posweep/sweep/continued.h>
#include <posweep/sweep/scheduler.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>

psw_status psw_cli_find_ended(const char *out_path, const struct psw_sweep *sweep,
                              uint8_t *ended, struct psw_journal **journal,
                              struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    psw_status rc = psw_journal_path(out_path, path, err);
    *journal = NULL;
    if (rc == PSW_OK && !psw_file_exists(path)) return PSW_OK;
    if (rc == PSW_OK) rc = psw_journal_read(path, &j, err);
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(j, sweep->run[i].hash, NULL);
        if (psw_outcome_is_end(o)) ended[i] = (uint8_t)o;
    }
    *journal = j;
    return rc;
}

static size_t peak_of(const struct psw_config *config, const struct psw_work_plan *plan,
                      int64_t run)
{
    char setting[64];
    size_t peak_bytes = 0;
    for (int k = 0; k < PSW_N_STAGE; k++) {
        const size_t n_bytes = psw_plan_cost(plan, run, k)->peak_bytes;
        if (n_bytes > peak_bytes) peak_bytes = n_bytes;
    }
    return peak_bytes + (size_t)psw_dataset_generated_bytes(config, setting, sizeof setting);
}

static void add_runs(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                     struct psw_sweep_needs *out)
{
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < sweep->n_run; i++) {
        const struct psw_config *c = psw_sweep_config(sweep, i, &reader);
        if (!plan->run[i].wanted) continue;
        const size_t bytes = peak_of(c, plan, i);
        out->n_left++;
        if (bytes > out->rank_bytes) out->rank_bytes = bytes;
        if (c->limits.stop_s > out->stop_s) out->stop_s = c->limits.stop_s;
    }
}

static void add_tasks(const struct psw_work_plan *plan, const struct psw_ledger *ledger,
                      struct psw_sweep_needs *out)
{
    for (int32_t t = 0; t < plan->n_task; t++) {
        const struct psw_task *task = &plan->task[t];
        out->n_task++;
        out->flops += task->cost * psw_ledger_left(ledger, t);
        out->disk_bytes += psw_plan_cost(plan, task->run, task->kind)->disk_bytes;
        if (task->n_rank > out->widest) out->widest = task->n_rank;
    }
}

psw_status psw_cli_sweep_needs(const struct psw_sweep_ask *ask, int n_rank, double flops_per_s,
                               struct psw_sweep_needs *out, struct psw_error *err)
{
    struct psw_sweep *sweep = NULL;
    struct psw_work_plan plan = {0};
    struct psw_ledger *ledger = NULL;
    struct psw_journal *journal = NULL;
    uint8_t *ended = NULL;
    char work_dir[PSW_PATH_BYTES];
    struct psw_sweep_needs needs = {.makespan_s = NAN};
    psw_status rc = psw_sweep_read(ask->path, ask->set, ask->n_set, &sweep, err);
    if (rc != PSW_OK) return rc;
    ended = calloc((size_t)sweep->n_run + 1, 1);
    if (!ended)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)sweep->n_run));
    PSW_TRY(psw_cli_find_ended(ask->out_path, sweep, ended, &journal, err));
    PSW_TRY(psw_work_plan_check_generated(sweep, ended, 1, err));
    PSW_TRY(psw_work_plan_init(sweep, ended, &plan, err));
    PSW_TRY(psw_ledger_create(plan.task, plan.n_task, &ledger, err));
    PSW_TRY(psw_path(work_dir, sizeof work_dir, err, "%s.work", ask->out_path));
    memcpy(needs.name, sweep->name, sizeof needs.name);
    needs.n_run = sweep->n_run;
    needs.has_stop_rule = sweep->stop.kind != PSW_STOP_NEVER;
    add_runs(sweep, &plan, &needs);
    (void)psw_plan_continued(sweep, &plan, work_dir, ledger);
    add_tasks(&plan, ledger, &needs);
    if (needs.widest <= n_rank)
        PSW_TRY(
            psw_schedule_makespan(ledger, n_rank, n_rank, flops_per_s, &needs.makespan_s, err));
    *out = needs;
fail:
    psw_journal_close(journal);
    psw_ledger_destroy(ledger);
    psw_work_plan_clear(&plan);
    psw_sweep_destroy(sweep);
    free(ended);
    return rc;
}
