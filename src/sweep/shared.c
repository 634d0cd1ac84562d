/* Sharing a sweep; see shared.h. Rank 0 looks for parts and collects them; all ranks perform.
 */
#include "parts.h"
#include "run_internal.h"

#include <posweep/sweep/asked.h>
#include <posweep/sweep/shared.h>
#include <posweep/sweep/sweep_merge.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <stdlib.h>
#include <string.h>

/* Before it ends a job waits a moment for holders that are dying; a part that is refused so
 * many times is refused for another reason than its lock. */
static const double PATIENCE_S = 8, LOOK_AGAIN_S = 0.5, COLLECT_WAIT_S = 60,
                    COLLECT_EVERY_S = 60;
enum { MOST_REFUSALS = 3, PARTS_PER_JOB = 4, JOBS_AT_A_GUESS = 4, MOST_PARTS = 4096 };

/** What rank 0 knows. */
struct sharer {
    const struct psw_run_opts *opts;
    const struct psw_share_opts *share;
    struct psw_sweep *sweep; /* owned: the whole */
    struct psw_parts parts;
    uint8_t *is_over;   /* owned [PSW_MAX_RUNS]: nothing left of this part for this job */
    uint8_t *n_refused; /* owned [PSW_MAX_RUNS] */
    struct {
        struct psw_file_identity plan; /* when these were counted */
        int64_t n;                     /* runs that were added and are in no part */
        int is_refused;                /* they cannot be performed; until the file changes */
        int32_t n_spare;               /* ranks that idled when they were found */
    } more;
    struct psw_parts_taken taken;     /* owned: of these, by the part at hand */
    int64_t n_performed;              /* runs of the part at hand */
    struct psw_sweep_earlier earlier; /* owned: of the part at hand */
    char work_dir[PSW_PATH_BYTES];
    double collected_at_s;
    struct psw_run_summary sum; /* of the whole, when it was collected last */
};

/* Enough parts for the jobs to even out, each with work for all ranks. */
static int32_t n_part_of(const struct sharer *s, int n_worker)
{
    const int64_t n_job = s->share->n_job > 0 ? s->share->n_job : JOBS_AT_A_GUESS;
    const int64_t per_run = s->sweep->configs.first.limits.ranks_per_run;
    const int64_t at_once = n_worker > per_run ? n_worker / per_run : 1;
    int64_t n = s->sweep->n_run / at_once;
    if (s->share->n_part > 0) return s->share->n_part;
    if (n > PARTS_PER_JOB * n_job) n = PARTS_PER_JOB * n_job;
    return n < 1 ? 1 : n > MOST_PARTS ? MOST_PARTS : (int32_t)n;
}

static psw_status open_sharer(struct sharer *s, int n_worker, struct psw_error *err)
{
    const struct psw_run_opts *o = s->opts;
    psw_status rc = psw_sweep_read(o->sweep_path, o->sets, o->n_sets, &s->sweep, err);
    if (rc != PSW_OK) return rc;
    if (s->sweep->stop.kind != PSW_STOP_NEVER)
        return psw_fail(err, PSW_EINVAL,
                        "%s: stop compares all runs with each other, which jobs that share a "
                        "sweep cannot: run it in one job, without --shared",
                        o->sweep_path);
    if (s->sweep->seed_plan.batch > 0)
        return psw_fail(err, PSW_EINVAL,
                        "%s: replicates: a plan to add seeds looks at all results after each "
                        "batch, which jobs that share a sweep cannot: give a count, or one job",
                        o->sweep_path);
    for (int32_t i = 0; i < s->sweep->warnings.n; i++)
        psw_log(PSW_LOG_WARN, "%s", s->sweep->warnings.text[i]);
    rc = psw_run_check_output(o->out_path, err);
    if (rc == PSW_OK)
        rc = psw_path(s->work_dir, sizeof s->work_dir, err, o->work.dir ? "%s" : "%s.work",
                      o->work.dir ? o->work.dir : o->out_path);
    if (rc == PSW_OK) rc = psw_parts_open(o, s->sweep, n_part_of(s, n_worker), &s->parts, err);
    if (rc != PSW_OK) return rc;
    s->is_over = calloc(PSW_MAX_RUNS, 1);
    s->n_refused = calloc(PSW_MAX_RUNS, 1);
    if (!s->is_over || !s->n_refused) return psw_fail(err, PSW_ENOMEM, "parts");
    return PSW_OK;
}

static void close_sharer(struct sharer *s)
{
    psw_parts_clear(&s->parts);
    psw_parts_taken_clear(&s->taken);
    psw_sweep_earlier_clear(&s->earlier);
    psw_sweep_destroy(s->sweep);
    free(s->is_over);
    free(s->n_refused);
}

/* ---- runs that are added ---- */

static void replace_sweep(struct sharer *s, struct psw_sweep *by)
{
    psw_sweep_destroy(s->sweep);
    s->sweep = by;
    s->more.plan = (struct psw_file_identity){0};
    s->more.is_refused = 0;
}

/* Whether the sweep asks for every run of the plan. */
static int is_covered(const struct sharer *s)
{
    int64_t n_known = 0;
    uint64_t *asked = psw_sweep_asked(s->sweep);
    for (int64_t i = 0; asked && i < s->parts.n_run; i++)
        n_known += psw_hashes_have(asked, s->sweep->n_run, s->parts.run[i]);
    free(asked);
    return n_known == s->parts.n_run;
}

/* Know the plan as it stands now; another job may have grown it with runs that this one has not
 * read of. */
static psw_status renew(struct sharer *s, int *is_there, struct psw_error *err)
{
    const struct psw_run_opts *o = s->opts;
    struct psw_sweep *file = NULL;
    const struct psw_file_identity before = s->parts.identity;
    const psw_status rc = psw_parts_renew(&s->parts, is_there, err);
    if (rc != PSW_OK || !*is_there || psw_file_identity_is(&before, &s->parts.identity) ||
        is_covered(s))
        return rc;
    struct psw_error why = {0};
    if (psw_sweep_read(o->sweep_path, o->sets, o->n_sets, &file, &why) == PSW_OK &&
        psw_sweep_covers(file, s->sweep))
        replace_sweep(s, file);
    else {
        psw_sweep_destroy(file);
        psw_log(PSW_LOG_WARN, "%s: runs that another job has read of are not known here: %s",
                o->sweep_path, why.text[0] ? why.text : "the file has lost runs since");
    }
    return PSW_OK;
}

/* Runs that were added and that no job has taken yet. */
static int64_t n_more(struct sharer *s, int is_last)
{
    const struct psw_run_opts *o = s->opts;
    struct psw_sweep *file = NULL;
    struct psw_error err = {0};
    int is_there = 0;
    if (!o->added) return 0;
    psw_status rc = renew(s, &is_there, &err);
    if (rc == PSW_OK && is_there &&
        psw_added_look(o->added, o->sweep_path, o->sets, o->n_sets, s->sweep, is_last)) {
        rc = psw_sweep_reread(o->sweep_path, psw_added_text(o->added), &file, &err);
        if (rc == PSW_OK) replace_sweep(s, file);
    }
    if (rc == PSW_OK && is_there && !psw_file_identity_is(&s->more.plan, &s->parts.identity)) {
        rc = psw_parts_count_more(&s->parts, s->sweep, &s->more.n, &err);
        s->more.plan = s->parts.identity;
    }
    if (rc != PSW_OK) psw_log(PSW_LOG_WARN, "%s", err.text);
    return rc == PSW_OK && is_there && !s->more.is_refused ? s->more.n : 0;
}

/* While ranks of the part at hand idle. */
static int look_for_more(void *ctx, int32_t n_spare)
{
    struct sharer *s = ctx;
    s->more.n_spare = n_spare;
    return n_spare >= s->sweep->configs.first.limits.ranks_per_run && n_more(s, 0) > 0;
}

/* As many of them as there are ranks for, or this job's share, into a part. */
static psw_status take_more(struct sharer *s, int32_t part, int32_t n_rank,
                            struct psw_error *err)
{
    const int64_t n_at_once = n_rank / s->sweep->configs.first.limits.ranks_per_run;
    psw_parts_taken_clear(&s->taken);
    s->more.plan = (struct psw_file_identity){0};
    return psw_parts_take(&s->parts, s->sweep, part, n_at_once > 1 ? n_at_once : 1, &s->taken,
                          err);
}

/* What was taken cannot be performed: the part goes on without it. */
static psw_status give_back(struct sharer *s, struct psw_error *err)
{
    psw_log(PSW_LOG_WARN, "going on without the runs that were added: %s", err->text);
    s->more.is_refused = 1;
    const psw_status rc = psw_parts_give_back(&s->parts, &s->taken, err);
    psw_parts_taken_clear(&s->taken);
    return rc;
}

/* ---- collecting ---- */

static psw_status add_journals(const struct sharer *s, struct psw_journal_merge *m,
                               int *is_all_over, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], journal[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    *is_all_over = 1;
    for (int32_t k = 0; k < s->parts.n_part && rc == PSW_OK; k++) {
        struct psw_part_state state;
        rc = psw_parts_state(&s->parts, k, &state, err);
        if (rc == PSW_OK) rc = psw_parts_path(&s->parts, k, path, err);
        if (rc == PSW_OK) rc = psw_journal_path(path, journal, err);
        if (rc == PSW_OK && state.is_begun) rc = psw_journal_merge_add(m, journal, path, err);
        *is_all_over &= state.n_ended == state.n_run && !state.is_held;
    }
    if (rc == PSW_OK) rc = psw_journal_path(s->opts->out_path, journal, err);
    if (rc == PSW_OK && psw_file_exists(journal))
        rc = psw_journal_merge_add(m, journal, s->opts->out_path, err);
    return rc;
}

static psw_status count_runs(struct sharer *s, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal *journal = NULL;
    const int64_t n_before = s->sum.n_before;
    s->sum = (struct psw_run_summary){.n_run = s->sweep->n_run, .n_before = n_before};
    psw_status rc = psw_journal_path(s->opts->out_path, path, err);
    if (rc != PSW_OK || !psw_file_exists(path)) return rc;
    rc = psw_journal_read(path, &journal, err);
    for (int64_t i = 0; rc == PSW_OK && i < s->sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(journal, s->sweep->run[i].hash, NULL);
        s->sum.n_done += o == PSW_OUTCOME_DONE;
        s->sum.n_failed += o == PSW_OUTCOME_FAILED;
        s->sum.n_diverged += o == PSW_OUTCOME_DIVERGED;
        s->sum.n_timeout += o == PSW_OUTCOME_TIMEOUT;
    }
    psw_journal_close(journal);
    return rc;
}

/* What has been computed into one journal and results file, and when all of it has, nothing but
 * these stays. Under the lock of the whole, so that nobody writes what is older. */
static psw_status collect(struct sharer *s, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal_merge *m = NULL;
    struct psw_sweep_merge_summary merged;
    int is_all_over = 0, is_there = 0;
    psw_status rc = psw_journal_path(s->opts->out_path, path, err);
    if (rc == PSW_OK) rc = psw_journal_merge_begin(path, COLLECT_WAIT_S, &m, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(renew(s, &is_there, err));
    if (!is_there) goto fail; /* another job has done it */
    PSW_TRY(add_journals(s, m, &is_all_over, err));
    if (psw_journal_merge_n_source(m) == 0) goto fail;
    PSW_TRY(psw_sweep_merge_check(m, s->opts->accept_changed.cpu, s->opts->accept_changed.data,
                                  err));
    PSW_TRY(psw_sweep_merge_write(m, s->sweep, s->opts->out_path, NULL, &merged, err));
    if (!is_all_over) goto fail;
    PSW_TRY(psw_parts_remove(&s->parts, err));
    if (s->opts->work.keep || s->opts->work.dir) goto fail;
    psw_owner_release(s->work_dir);
    PSW_TRY(psw_stage_clean(s->work_dir, err));
fail:
    s->collected_at_s = psw_clock_s();
    psw_journal_merge_end(m);
    return rc == PSW_OK ? count_runs(s, err) : rc;
}

/* ---- taking parts ---- */

/* The next part that nobody has; -1: none. *n_held: parts that are held. One that is held is
 * not over, whatever has ended in it: its holder still writes the file of the whole. */
static psw_status look(struct sharer *s, int32_t *part, int32_t *n_held, struct psw_error *err)
{
    const int32_t n = s->parts.n_part;
    const int64_t n_job = s->share->n_job > 0 ? s->share->n_job : 1;
    const int32_t begin = n > 0 ? (int32_t)(s->share->job % n_job * n / n_job) : 0;
    *part = -1;
    *n_held = 0;
    for (int32_t i = 0; i < n && *part < 0; i++) {
        const int32_t k = (begin + i) % n;
        struct psw_part_state state;
        int is_there = 0;
        psw_status rc = renew(s, &is_there, err);
        if (rc != PSW_OK || !is_there || k >= s->parts.n_part) return rc;
        if (s->is_over[k]) continue;
        rc = psw_parts_state(&s->parts, k, &state, err);
        if (rc != PSW_OK) return rc;
        *n_held += state.is_held;
        if (state.is_held) continue;
        s->is_over[k] = state.n_good == state.n_run ||
                        (state.n_ended == state.n_run && !s->opts->retry_failed);
        if (!s->is_over[k]) *part = k;
    }
    return PSW_OK;
}

/* Or a new one, of runs that were added. */
static psw_status next_part(struct sharer *s, int n_worker, int32_t *part, int32_t *n_held,
                            struct psw_error *err)
{
    const double until_s = psw_clock_s() + PATIENCE_S;
    psw_parts_taken_clear(&s->taken);
    for (;;) {
        psw_status rc = look(s, part, n_held, err);
        if (rc == PSW_OK && *part < 0 && n_more(s, 1) > 0) {
            rc = take_more(s, -1, n_worker, err);
            if (rc == PSW_EBUSY) rc = PSW_OK; /* somebody collects */
            if (s->taken.n > 0) *part = s->taken.part;
        }
        if (rc != PSW_OK || *part >= 0 || *n_held == 0 || psw_clock_s() >= until_s) return rc;
        psw_clock_sleep_s(LOOK_AGAIN_S);
    }
}

/* How rank 0 performs a part as it stands in the plan now. */
static psw_status part_opts(struct sharer *s, int32_t k, char path[PSW_PATH_BYTES],
                            struct psw_run_opts *out, struct psw_error *err)
{
    const psw_status rc = psw_parts_path(&s->parts, k, path, err);
    if (rc != PSW_OK) return rc;
    s->n_performed = s->parts.first[k + 1] - s->parts.first[k];
    out->sweep_text = s->sweep->text;
    out->out_path = path;
    out->work.dir = s->work_dir;
    out->added = NULL;
    out->part.of = s->opts->out_path;
    out->part.run = s->parts.run + s->parts.first[k];
    out->part.n_run = s->n_performed;
    out->part.look = s->opts->added ? look_for_more : NULL;
    out->part.ctx = s;
    out->part.earlier = &s->earlier;
    psw_log(PSW_LOG_NOTE, "part %d of %d", k + 1, s->parts.n_part);
    return PSW_OK;
}

/* Whether the part is to be performed again, of rank 0: with runs that it takes now, or without
 * those that were refused. */
static psw_status part_again(struct sharer *s, int32_t k, const struct psw_run_summary *sum,
                             psw_status rc, int *is_again, struct psw_error *err)
{
    *is_again = 0;
    if (rc == PSW_ESTOP && sum->is_to_grow)
        rc = take_more(s, k, s->more.n_spare, err);
    else if (s->taken.n > 0 && sum->is_refused && rc != PSW_EBUSY)
        rc = give_back(s, err);
    else
        return rc;
    *is_again =
        rc == PSW_OK && k < s->parts.n_part && s->parts.first[k + 1] > s->parts.first[k];
    return rc;
}

/* All ranks. rank 0 has the part. */
static psw_status perform_part(MPI_Comm comm, struct sharer *s, int32_t k,
                               struct psw_error *err)
{
    const int rank = psw_comm_rank(comm);
    psw_status rc = PSW_OK;
    struct psw_run_opts opts = *s->opts;
    for (int is_again = 1; is_again; opts.retry_failed = 0) {
        struct psw_run_summary sum = {0};
        char path[PSW_PATH_BYTES] = "";
        if (rank == 0) rc = part_opts(s, k, path, &opts, err);
        rc = psw_agree(comm, rc, err);
        if (rc != PSW_OK) return rc;
        rc = psw_sweep_run(comm, &opts, &sum, err);
        is_again = 0;
        if (rank == 0) rc = part_again(s, k, &sum, rc, &is_again, err);
        PSW_MPI(MPI_Bcast(&is_again, 1, MPI_INT, 0, comm));
        PSW_MPI(MPI_Bcast(&rc, (int)sizeof rc, MPI_BYTE, 0, comm));
    }
    return rc;
}

/* How a part ended, for rank 0. Whoever was faster has it: no error. */
static psw_status after_part(struct sharer *s, int32_t k, psw_status rc, struct psw_error *err)
{
    int is_there = 0;
    if (rc == PSW_EBUSY && s->n_refused[k] < MOST_REFUSALS) {
        s->n_refused[k]++;
        return PSW_OK;
    }
    if (rc != PSW_OK) return rc;
    if ((rc = renew(s, &is_there, err)) != PSW_OK) return rc;
    s->is_over[k] = is_there && k < s->parts.n_part &&
                    s->parts.first[k + 1] - s->parts.first[k] == s->n_performed;
    const double every_s = s->opts->snapshot_s > 0 ? s->opts->snapshot_s : COLLECT_EVERY_S;
    return psw_clock_s() - s->collected_at_s >= every_s ? collect(s, err) : PSW_OK;
}

static psw_status perform_parts(MPI_Comm comm, struct sharer *s, int32_t *n_held,
                                struct psw_error *err)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    const int n_worker = size > 1 ? size - 1 : 1;
    for (;;) {
        int32_t part = -1;
        psw_status rc = psw_agree(
            comm, rank == 0 ? next_part(s, n_worker, &part, n_held, err) : PSW_OK, err);
        if (rc != PSW_OK) return rc;
        PSW_MPI(MPI_Bcast(&part, 1, MPI_INT32_T, 0, comm));
        if (part < 0) return PSW_OK;
        rc = perform_part(comm, s, part, err);
        if (rank == 0) rc = after_part(s, part, rc, err);
        PSW_MPI(MPI_Bcast(&rc, (int)sizeof rc, MPI_BYTE, 0, comm));
        if (rc != PSW_OK) return rc;
    }
}

static int64_t n_ended(const struct psw_run_summary *s)
{
    return s->n_done + s->n_failed + s->n_diverged + s->n_timeout;
}

/* With the runs that are asked for now: those of the plan, if others have begun it. */
static psw_status share_once(MPI_Comm comm, const struct psw_run_opts *opts,
                             const struct psw_share_opts *share, struct psw_run_summary *out,
                             int32_t *n_elsewhere, struct psw_error *err)
{
    const int rank = psw_comm_rank(comm), size = psw_comm_size(comm);
    struct sharer s = {.opts = opts, .share = share, .collected_at_s = psw_clock_s()};
    *n_elsewhere = 0;
    if (rank == 0 && opts->added) psw_added_begin(opts->added, opts->sweep_path);
    psw_status rc = rank == 0 ? open_sharer(&s, size > 1 ? size - 1 : 1, err) : PSW_OK;
    if (rank == 0 && rc == PSW_OK) rc = count_runs(&s, err);
    rc = psw_agree(comm, rc, err);
    if (rc == PSW_OK) {
        s.sum.n_before = n_ended(&s.sum);
        rc = perform_parts(comm, &s, n_elsewhere, err);
        struct psw_error second = {0};
        psw_status collected = rank == 0 ? collect(&s, rc == PSW_OK ? err : &second) : PSW_OK;
        if (rc != PSW_OK && collected != PSW_OK)
            psw_log(PSW_LOG_ERROR, "the parts could not be put together: %s", second.text);
        rc = psw_agree(comm, rc == PSW_OK ? collected : rc, err);
    }
    *out = s.sum;
    if (rank == 0 && rc == PSW_OK && *n_elsewhere == 0 && opts->added)
        out->is_to_grow =
            n_ended(out) < out->n_run ||
            psw_added_look(opts->added, opts->sweep_path, opts->sets, opts->n_sets, s.sweep, 1);
    PSW_MPI(MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, comm));
    PSW_MPI(MPI_Bcast(n_elsewhere, 1, MPI_INT32_T, 0, comm));
    close_sharer(&s);
    return rc;
}

psw_status psw_sweep_run_shared(MPI_Comm comm, const struct psw_run_opts *opts,
                                const struct psw_share_opts *share, struct psw_run_summary *out,
                                int32_t *n_elsewhere, struct psw_error *err)
{
    const double begin_s = psw_clock_s();
    struct psw_run_opts now = *opts;
    psw_status rc = share_once(comm, &now, share, out, n_elsewhere, err);
    const int64_t n_before = out->n_before;
    now.retry_failed = 0; /* they were */
    while (rc == PSW_OK && out->is_to_grow)
        rc = share_once(comm, &now, share, out, n_elsewhere, err);
    out->n_before = n_before;
    out->wall_s = psw_clock_s() - begin_s;
    return rc;
}
