/* Running a sweep: open the recorder on rank 0, tell everyone, coordinate and serve, close it.
 */
#include "run_internal.h"

#include <posweep/sweep/continued.h>
#include <posweep/sweep/provenance.h>
#include <posweep/util/cast.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <posweep/util/machine.h>

#include <stdlib.h>
#include <string.h>

/* What all ranks know; the run of a task comes with the task. */
static void share(MPI_Comm comm, const struct psw_recorder *k, struct psw_performer *p)
{
    if (psw_comm_rank(comm) == 0) {
        p->stop = k->sweep->stop;
        memcpy(p->work_dir, k->work_dir.path, sizeof p->work_dir);
    }
    PSW_MPI(MPI_Bcast(&p->stop, (int)sizeof p->stop, MPI_BYTE, 0, comm));
    PSW_MPI(MPI_Bcast(p->work_dir, (int)sizeof p->work_dir, MPI_BYTE, 0, comm));
}

/* Ranks on machines of two types give the same run other bits wherever it happens to run. */
static void compare_ranks(MPI_Comm comm, const struct psw_run_opts *opts)
{
    const uint64_t mine = psw_provenance_hash(opts->note, opts->n_note);
    uint64_t most[2], own[2] = {mine, ~mine};
    PSW_MPI(MPI_Allreduce(own, most, 2, MPI_UINT64_T, MPI_MAX, comm));
    if (psw_comm_rank(comm) == 0 && most[0] != ~most[1])
        psw_log(PSW_LOG_WARN,
                "the ranks differ in CPU type, BLAS or build: the last bits of a run depend on "
                "where it runs; use machines of one type if they must not");
}

/* opened_s: how long rank 0 took to read the sweep and its data, as a worker may, silently. */
static psw_status coordinate(MPI_Comm comm, struct psw_recorder *k, const struct psw_work *work,
                             double opened_s, struct psw_sweep_earlier *earlier,
                             struct psw_error *err)
{
    const struct psw_config_limits *limits = &k->sweep->configs.first.limits;
    const struct psw_sweep_plan plan = {.ledger = k->ledger,
                                        .hooks = psw_recorder_hooks(k),
                                        .work = *work,
                                        .max_attempts = (int32_t)limits->max_attempts,
                                        .tasks.suspect = k->tasks.suspect,
                                        .tasks.limit_s = k->tasks.limit_s,
                                        .stop_s = limits->stop_s,
                                        .silence.bound_s = limits->silent_s,
                                        .silence.healthy_s = opened_s,
                                        .widen_s = limits->widen_s,
                                        .checkpoint_s = limits->checkpoint_s,
                                        .replan_s = opened_s,
                                        .earlier = earlier};
    return psw_sweep_coordinate(comm, &plan, err);
}

/* The results file is written however the work ended, but the first fault is the one reported.
 * What cannot be cleaned up takes nothing from a finished sweep; runs that were added may need
 * what is in the work folder.
 */
static psw_status finish(struct psw_recorder *k, psw_status worked, int is_to_grow,
                         struct psw_error *err)
{
    struct psw_error second = {0};
    if (worked == PSW_OK) worked = psw_journal_check(k->journal, err);
    const psw_status wrote = psw_recorder_write(k, worked == PSW_OK ? err : &second);
    if (worked != PSW_OK && wrote != PSW_OK)
        psw_log(PSW_LOG_ERROR, "the results file could not be written either: %s", second.text);
    struct psw_run_summary s;
    psw_recorder_summary(k, &s);
    const int clean = worked == PSW_OK && !is_to_grow && wrote == PSW_OK &&
                      !k->opts->work.keep && !k->opts->work.dir &&
                      s.n_done + s.n_failed + s.n_diverged == s.n_run;
    if (clean) psw_owner_release(k->work_dir.path);
    if (clean && psw_stage_clean(k->work_dir.path, &second) != PSW_OK)
        psw_log(PSW_LOG_WARN, "left behind, may be removed: %s", second.text);
    return worked != PSW_OK ? worked : wrote;
}

/* Where everything goes and how to look at it, said before hours of work. */
static void announce(const struct psw_recorder *k, int n_worker)
{
    char text[128];
    struct psw_run_summary s;
    psw_recorder_summary(k, &s);
    const char *out = k->opts->out_path, *whole = k->opts->part.of ? k->opts->part.of : out;
    if (s.n_run > s.n_before)
        psw_log(PSW_LOG_NOTE,
                "%s: %lld run%s to do of %lld, on %d rank%s; results go to %s; how it stands: "
                "posweep status %s",
                k->sweep->name, (long long)(s.n_run - s.n_before),
                s.n_run - s.n_before == 1 ? "" : "s", (long long)s.n_run, n_worker,
                n_worker == 1 ? "" : "s", out, whole);
    const struct psw_continued c =
        psw_plan_continued(k->sweep, &k->plan, k->work_dir.path, k->ledger);
    if (c.n_run > 0) psw_log(PSW_LOG_NOTE, "%s", psw_continued_text(&c, text, sizeof text));
}

/* Whether runs were added to the file: found while ranks idled, or now that all have ended. */
static int is_to_grow(const struct psw_recorder *k, psw_status rc)
{
    const struct psw_run_opts *o = k->opts;
    if (rc == PSW_ESTOP) return k->is_to_grow;
    return rc == PSW_OK && o->added &&
           psw_added_look(o->added, o->sweep_path, o->sets, o->n_sets, k->sweep, 1);
}

/* One of the calls that a sweep takes whose file gains runs, with those that are asked for now.
 * number: from 0. */
static psw_status run_once(MPI_Comm comm, const struct psw_run_opts *opts, int number,
                           struct psw_sweep_earlier *earlier, struct psw_run_summary *out,
                           struct psw_error *err)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    const int n_worker = size > 1 ? size - 1 : 1, n_worker_node = psw_nodes_workers(comm);
    const double begin_s = psw_clock_s();
    struct psw_recorder k = {0};
    struct psw_performer p = {0};
    psw_status rc =
        rank == 0 ? psw_recorder_open(&k, opts, n_worker, n_worker_node, err) : PSW_OK;
    const double opened_s = psw_clock_s() - begin_s;
    psw_machine_give_back();
    rc = psw_agree(comm, rc, err);
    if (rc == PSW_OK) share(comm, &k, &p);
    if (rc == PSW_OK) rc = psw_data_sets_agree(comm, &k.plan.data, err);
    if (rc == PSW_OK) rc = psw_nodes_share_folder(comm, p.work_dir, err);
    if (rc != PSW_OK) {
        out->is_refused = 1;
        psw_recorder_undo(&k);
        goto fail;
    }
    if (number == 0) compare_ranks(comm, opts);
    if (rank == 0) announce(&k, n_worker);
    const struct psw_work work = {.perform = psw_perform, .ctx = &p};
    rc = rank == 0 ? coordinate(comm, &k, &work, opened_s, earlier, err)
                   : psw_sweep_serve(comm, &work, err);
    if (rank == 0) {
        const int goes_on = is_to_grow(&k, rc);
        rc = finish(&k, rc, goes_on, err);
        psw_recorder_summary(&k, out);
        out->is_to_grow = goes_on && (rc == PSW_OK || rc == PSW_ESTOP);
    }
    rc = psw_agree(comm, rc, err);
fail:
    psw_stage_cache_clear(&p.cache);
    psw_recorder_close(&k);
    PSW_MPI(MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, comm));
    return rc;
}

/* What follows a call, of rank 0: *goes_on: the next one, as opts say by then. What had been
 * asked for is performed to its end though the runs that were added are refused. */
static psw_status look_further(struct psw_run_opts *opts, const struct psw_run_summary *s,
                               int is_again, psw_status rc, int *goes_on, struct psw_error *err)
{
    *goes_on = s->is_to_grow || (is_again && s->is_refused && rc != PSW_EBUSY &&
                                 psw_added_refuse(opts->added, rc, err));
    opts->sweep_text = psw_added_text(opts->added);
    opts->retry_failed = 0; /* they were */
    return *goes_on ? PSW_OK : rc == PSW_OK ? psw_added_refused(opts->added, err) : rc;
}

psw_status psw_sweep_run(MPI_Comm comm, const struct psw_run_opts *opts,
                         struct psw_run_summary *out, struct psw_error *err)
{
    const double begin_s = psw_clock_s();
    struct psw_run_opts now = *opts;
    int64_t n_before = 0;
    psw_status rc = PSW_OK;
    struct psw_sweep_earlier own = {0}, *earlier = opts->part.of ? opts->part.earlier : &own;
    for (int number = 0, goes_on = 1; goes_on; number++) {
        *out = (struct psw_run_summary){0};
        rc = run_once(comm, &now, number, earlier, out, err);
        if (number == 0) n_before = out->n_before;
        goes_on = 0;
        if (psw_comm_rank(comm) == 0 && opts->added)
            rc = look_further(&now, out, number > 0, rc, &goes_on, err);
        PSW_MPI(MPI_Bcast(&goes_on, 1, MPI_INT, 0, comm));
        PSW_MPI(MPI_Bcast(&rc, (int)sizeof rc, MPI_BYTE, 0, comm));
    }
    psw_sweep_earlier_clear(&own);
    out->n_before = n_before;
    out->wall_s = psw_clock_s() - begin_s;
    return rc;
}
