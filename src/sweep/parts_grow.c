/* Growing the plan of a shared sweep: a job takes of the runs that were added to the sweep file
 * what it has ranks for. The plan is changed under the lock of the journal of the whole. */
#include "parts.h"

#include <posweep/store/journal_merge.h>
#include <posweep/sweep/asked.h>

#include <stdlib.h>
#include <string.h>

static const double PLAN_WAIT_S = 60;

/* Of the runs that the sweep asks for, those that are in no part and had not ended before the
 * plan was made. */
static int64_t mark_more(const struct psw_parts *parts, const struct psw_sweep *sweep,
                         const struct psw_journal *journal, uint8_t *is_more)
{
    int64_t n = 0;
    uint64_t *known = malloc(((size_t)parts->n_run + 1) * sizeof *known);
    memset(is_more, 0, (size_t)sweep->n_run + 1);
    if (!known) return 0; /* at the next look */
    memcpy(known, parts->run, (size_t)parts->n_run * sizeof *known);
    psw_hashes_sort(known, parts->n_run);
    for (int64_t i = 0; i < sweep->n_run; i++) {
        const uint64_t hash = sweep->run[i].hash;
        is_more[i] = !psw_hashes_have(known, parts->n_run, hash) &&
                     !(journal && psw_outcome_is_end(psw_journal_outcome(journal, hash, NULL)));
        n += is_more[i];
    }
    free(known);
    return n;
}

psw_status psw_parts_count_more(const struct psw_parts *parts, const struct psw_sweep *sweep,
                                int64_t *n_more, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal *journal = NULL;
    uint8_t *is_more = malloc((size_t)sweep->n_run + 1);
    psw_status rc = is_more ? psw_journal_path(parts->out_path, path, err)
                            : psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)sweep->n_run);
    if (rc == PSW_OK && psw_file_exists(path)) rc = psw_journal_read(path, &journal, err);
    if (rc == PSW_OK) *n_more = mark_more(parts, sweep, journal, is_more);
    psw_journal_close(journal);
    free(is_more);
    return rc;
}

/* Which of them a job takes: about as many as there are jobs for, those that share a start
 * model together. */
static psw_status choose(const struct psw_sweep *sweep, const uint8_t *is_more, int64_t n_more,
                         int64_t n_most, struct psw_parts_taken *out, struct psw_error *err)
{
    const int64_t n_cut = n_most > 0 && n_more > n_most ? n_more / n_most : 1;
    int32_t *part = malloc(((size_t)sweep->n_run + 1) * sizeof *part);
    out->run = malloc(((size_t)n_more + 1) * sizeof *out->run);
    psw_status rc = part && out->run
                        ? psw_parts_cut(sweep, is_more, (int32_t)n_cut, part, err)
                        : psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)n_more);
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++)
        if (part[i] == 0) out->run[out->n++] = sweep->run[i].hash;
    free(part);
    return rc;
}

/* Write the plan with n_more runs in part k besides, and without those of `less`; ascending. */
static psw_status write_next(struct psw_parts *parts, int32_t k,
                             const struct psw_parts_taken *more,
                             const struct psw_parts_taken *less, struct psw_error *err)
{
    const size_t n_most = (size_t)(parts->n_run + more->n) + 1;
    struct psw_parts next = {0};
    uint64_t *run = malloc(n_most * sizeof *run);
    int32_t *of = malloc(n_most * sizeof *of), n_part = 0;
    int64_t n = 0;
    psw_status rc =
        run && of ? psw_path(next.out_path, sizeof next.out_path, err, "%s", parts->out_path)
                  : psw_fail(err, PSW_ENOMEM, "parts of %zu runs", n_most);
    for (int32_t p = 0; rc == PSW_OK && p < parts->n_part; p++)
        for (int64_t i = parts->first[p]; i < parts->first[p + 1]; i++) {
            run[n] = parts->run[i];
            of[n] = p;
            n += !psw_hashes_have(less->run, less->n, parts->run[i]);
        }
    for (int64_t i = 0; rc == PSW_OK && i < more->n; i++, n++) run[n] = more->run[i], of[n] = k;
    for (int64_t i = 0; rc == PSW_OK && i < n; i++)
        if (of[i] >= n_part) n_part = of[i] + 1;
    if (rc == PSW_OK) rc = psw_parts_arrange(&next, run, of, n, n_part, err);
    next.before = parts->before; /* for a moment */
    next.n_before = parts->n_before;
    if (rc == PSW_OK)
        rc = psw_parts_write(&next, psw_record_text(parts->plan, "provenance"),
                             psw_record_f64(parts->plan, "made_s", 0), err);
    next.before = NULL;
    psw_parts_clear(&next);
    free(run);
    free(of);
    return rc;
}

/* Parts that other jobs work on. */
static int32_t n_held(const struct psw_parts *parts, int32_t but)
{
    char path[PSW_PATH_BYTES], journal[PSW_PATH_BYTES], holder[256];
    int32_t n = 0;
    for (int32_t k = 0; k < parts->n_part; k++)
        n += k != but && psw_parts_path(parts, k, path, NULL) == PSW_OK &&
             psw_journal_path(path, journal, NULL) == PSW_OK &&
             psw_journal_holder(journal, holder, sizeof holder) != 0;
    return n;
}

psw_status psw_parts_take(struct psw_parts *parts, const struct psw_sweep *sweep, int32_t k,
                          int64_t n_least, struct psw_parts_taken *out, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    int is_there = 0;
    struct psw_journal_merge *lock = NULL;
    uint8_t *is_more = malloc((size_t)sweep->n_run + 1);
    psw_status rc = is_more ? psw_journal_path(parts->out_path, path, err)
                            : psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)sweep->n_run);
    *out = (struct psw_parts_taken){.part = k};
    if (rc != PSW_OK) goto fail;
    PSW_TRY(psw_journal_merge_begin(path, PLAN_WAIT_S, &lock, err));
    PSW_TRY(psw_parts_renew(parts, &is_there, err));
    if (!is_there) goto fail; /* all of it has been done */
    if (psw_file_exists(path)) PSW_TRY(psw_journal_merge_add(lock, path, parts->out_path, err));
    const int64_t n_more = mark_more(
        parts, sweep,
        psw_journal_merge_n_source(lock) ? psw_journal_merge_source(lock, 0) : NULL, is_more);
    if (n_more == 0 || parts->n_part == PSW_MAX_RUNS) goto fail; /* others have them */
    const int64_t n_job = n_held(parts, k) + 1, n_share = (n_more + n_job - 1) / n_job;
    if (k < 0) out->part = parts->n_part;
    PSW_TRY(choose(sweep, is_more, n_more, n_share > n_least ? n_share : n_least, out, err));
    PSW_TRY(write_next(parts, out->part, out, &(struct psw_parts_taken){0}, err));
    PSW_TRY(psw_parts_renew(parts, &is_there, err));
    psw_hashes_sort(out->run, out->n);
fail:
    psw_journal_merge_end(lock);
    free(is_more);
    if (rc != PSW_OK) psw_parts_taken_clear(out);
    return rc;
}

psw_status psw_parts_give_back(struct psw_parts *parts, const struct psw_parts_taken *taken,
                               struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    int is_there = 0;
    struct psw_journal_merge *lock = NULL;
    psw_status rc = psw_journal_path(parts->out_path, path, err);
    if (rc == PSW_OK) rc = psw_journal_merge_begin(path, PLAN_WAIT_S, &lock, err);
    if (rc == PSW_OK) rc = psw_parts_renew(parts, &is_there, err);
    if (rc == PSW_OK && is_there)
        rc = write_next(parts, 0, &(struct psw_parts_taken){0}, taken, err);
    if (rc == PSW_OK && is_there) rc = psw_parts_renew(parts, &is_there, err);
    psw_journal_merge_end(lock);
    return rc;
}

void psw_parts_taken_clear(struct psw_parts_taken *taken)
{
    free(taken->run);
    *taken = (struct psw_parts_taken){0};
}
