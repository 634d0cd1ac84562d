/* Parts of a shared sweep; see parts.h. The plan is made and read under the lock of the journal
 * of the whole, which a start that does not share holds all the time. */
#include "parts.h"

#include <posweep/config/leaves.h>
#include <posweep/store/journal_merge.h>
#include <posweep/store/record_file.h>
#include <posweep/sweep/asked.h>
#include <posweep/sweep/provenance.h>
#include <posweep/sweep/shared.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double PLAN_WAIT_S = 60;

psw_status psw_shared_folder(const char *out_path, char out[PSW_PATH_BYTES],
                             struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s.parts", out_path);
}

static psw_status plan_path(const char *out_path, char out[PSW_PATH_BYTES],
                            struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s.parts/plan", out_path);
}

int psw_shared_is(const char *out_path)
{
    char path[PSW_PATH_BYTES];
    return plan_path(out_path, path, NULL) == PSW_OK && psw_file_exists(path);
}

/* Of a file that is renamed into place: another plan is another file. */
static struct psw_file_identity identify(const char *out_path)
{
    char path[PSW_PATH_BYTES];
    if (plan_path(out_path, path, NULL) != PSW_OK) return (struct psw_file_identity){0};
    return psw_file_identity(path);
}

psw_status psw_parts_path(const struct psw_parts *parts, int32_t k, char out[PSW_PATH_BYTES],
                          struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s.parts/%d.h5", parts->out_path, k + 1);
}

psw_status psw_parts_remove(const struct psw_parts *parts, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_shared_folder(parts->out_path, path, err);
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}

/* ---- the plan ---- */

void psw_parts_clear(struct psw_parts *parts)
{
    free(parts->run);
    free(parts->first);
    free(parts->before);
    psw_record_destroy(parts->plan);
    *parts = (struct psw_parts){0};
}

/* The lists of n runs, of which run i is in part of[i]. */
psw_status psw_parts_arrange(struct psw_parts *parts, const uint64_t *run, const int32_t *of,
                             int64_t n, int32_t n_part, struct psw_error *err)
{
    uint64_t *sorted = calloc((size_t)n + 1, sizeof *sorted);
    int64_t *first = calloc((size_t)n_part + 2, sizeof *first);
    int64_t n_known = 0;
    for (int64_t i = 0; sorted && first && i < n; i++) {
        if (of[i] < 0 || of[i] >= n_part) continue;
        first[of[i] + 2]++;
        n_known++;
    }
    for (int32_t k = 2; first && k < n_part + 2; k++) first[k] += first[k - 1];
    if (!sorted || !first || n_known < n) {
        free(sorted);
        free(first);
        return n_known == n ? psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)n)
                            : psw_fail(err, PSW_EDATA,
                                       "%s.parts/plan: names parts that it does not have",
                                       parts->out_path);
    }
    for (int64_t i = 0; i < n; i++) sorted[first[of[i] + 1]++] = run[i];
    free(parts->run);
    free(parts->first);
    parts->run = sorted;
    parts->first = first;
    parts->n_run = n;
    parts->n_part = n_part;
    return PSW_OK;
}

/* The plan that stands there now. Its record may be anybody's. */
static psw_status read_plan(const char *out_path, struct psw_parts *parts,
                            struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    *parts = (struct psw_parts){.identity = identify(out_path)};
    psw_status rc = psw_path(parts->out_path, sizeof parts->out_path, err, "%s", out_path);
    if (rc == PSW_OK) rc = plan_path(out_path, path, err);
    if (rc == PSW_OK) rc = psw_record_read(path, &parts->plan, err);
    if (rc != PSW_OK) return rc;
    const struct psw_field *run = psw_record_get(parts->plan, "run");
    const struct psw_field *part = psw_record_get(parts->plan, "part");
    const struct psw_field *before = psw_record_get(parts->plan, "before");
    const int64_t n = run ? psw_shape_count(run->shape) : 0;
    const int64_t n_part = psw_record_i64(parts->plan, "n_part", 0, 0);
    if (n < 1 || n_part < 1 || n_part > PSW_MAX_RUNS || !part ||
        psw_shape_count(part->shape) != n)
        return psw_fail(err, PSW_EDATA, "%s.parts/plan: is no plan of parts", out_path);
    uint64_t *hash = malloc((size_t)n * sizeof *hash);
    int32_t *of = malloc((size_t)n * sizeof *of);
    rc = hash && of ? PSW_OK : psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)n);
    for (int64_t i = 0; i < n && rc == PSW_OK; i++) {
        hash[i] = (uint64_t)psw_field_i64(run, i, 0);
        of[i] = (int32_t)psw_field_i64(part, i, -1);
    }
    if (rc == PSW_OK) rc = psw_parts_arrange(parts, hash, of, n, (int32_t)n_part, err);
    parts->n_before = before ? psw_shape_count(before->shape) : 0;
    if (rc == PSW_OK) parts->before = calloc((size_t)parts->n_before + 1, sizeof *hash);
    if (rc == PSW_OK && !parts->before)
        rc = psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)n);
    for (int64_t i = 0; rc == PSW_OK && i < parts->n_before; i++)
        parts->before[i] = (uint64_t)psw_field_i64(before, i, 0);
    free(hash);
    free(of);
    return rc;
}

/* "key=value" lines of what decides bits. */
static void join_notes(const struct psw_run_opts *opts, char *out, size_t n_bytes)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < opts->n_note && at < n_bytes; i++)
        at += (size_t)snprintf(out + at, n_bytes - at, "%s=%s\n", opts->note[i].key,
                               opts->note[i].value);
}

/* Runs of the plan that the sweep does not ask for. */
static psw_status count_unasked(const struct psw_sweep *sweep, const struct psw_parts *parts,
                                int64_t *n_unasked, struct psw_error *err)
{
    uint64_t *asked = psw_sweep_asked(sweep);
    if (!asked) return psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)sweep->n_run);
    *n_unasked = 0;
    for (int64_t i = 0; i < parts->n_run; i++)
        *n_unasked += !psw_hashes_have(asked, sweep->n_run, parts->run[i]);
    free(asked);
    return PSW_OK;
}

/* A sweep file may ask for more runs by now: these come when the plan has been done. */
static psw_status check_plan(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                             const struct psw_parts *parts, struct psw_error *err)
{
    char differs[768];
    int64_t n_unasked = 0;
    const psw_status rc = count_unasked(sweep, parts, &n_unasked, err);
    if (rc != PSW_OK) return rc;
    if (n_unasked > 0)
        return psw_fail(
            err, PSW_EINVAL,
            "%s.parts: is being computed, with %lld runs that this sweep file does not ask "
            "for. "
            "It may ask for more runs, not for fewer: finish the parts with what they were "
            "begun with, or stop the jobs, save what there is (posweep merge %s.parts/*.h5 -o "
            "ANOTHER.h5) and remove the folder",
            parts->out_path, (long long)n_unasked, parts->out_path);
    const int n =
        psw_provenance_compare(psw_record_text(parts->plan, "provenance"), opts->note,
                               opts->n_note, PSW_PROVENANCE_CPU, differs, sizeof differs);
    if (!n || opts->accept_changed.cpu) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "%s: the first job that shares it has another %s: the runs would not agree to "
        "the last bit. Ask for nodes of one kind, or accept the difference with "
        "--accept-changed-cpu",
        parts->out_path, differs);
}

/* Which runs have not ended yet, by the journal of the whole, where there is one. */
static psw_status find_left(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                            struct psw_journal_merge *lock, uint8_t *is_left,
                            struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    memset(is_left, 1, (size_t)sweep->n_run);
    psw_status rc = psw_journal_path(opts->out_path, path, err);
    if (rc != PSW_OK || !psw_file_exists(path)) return rc;
    rc = psw_journal_merge_add(lock, path, opts->out_path, err);
    if (rc != PSW_OK) return rc;
    const struct psw_journal *journal = psw_journal_merge_source(lock, 0);
    const char *name = psw_record_text(psw_journal_spec(journal), "sweep_name");
    if (strcmp(name, sweep->name) != 0)
        return psw_fail(
            err, PSW_EINVAL,
            "%s: belongs to the sweep \"%s\", not to \"%s\". Choose another output, or "
            "move it away",
            path, name, sweep->name);
    for (int64_t i = 0; i < sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(journal, sweep->run[i].hash, NULL);
        is_left[i] = !(o == PSW_OUTCOME_DONE || (!opts->retry_failed && psw_outcome_is_end(o)));
    }
    return PSW_OK;
}

/* made_s tells plans apart that follow each other; one that grows keeps it. */
psw_status psw_parts_write(const struct psw_parts *parts, const char *notes, double made_s,
                           struct psw_error *err)
{
    char folder[PSW_PATH_BYTES], path[PSW_PATH_BYTES];
    struct psw_record *r = NULL;
    int32_t *of = malloc(((size_t)parts->n_run + 1) * sizeof *of);
    psw_status rc =
        of ? psw_record_create(&r, err)
           : psw_fail(err, PSW_ENOMEM, "parts of %lld runs", (long long)parts->n_run);
    if (rc != PSW_OK) goto fail;
    for (int32_t k = 0; k < parts->n_part; k++)
        for (int64_t i = parts->first[k]; i < parts->first[k + 1]; i++) of[i] = k;
    psw_record_put_i64(r, "n_part", parts->n_part);
    psw_record_put_f64(r, "made_s", made_s);
    psw_record_put(r, "run", PSW_I64, psw_shape_1d(parts->n_run), parts->run);
    psw_record_put(r, "part", PSW_I32, psw_shape_1d(parts->n_run), of);
    psw_record_put(r, "before", PSW_I64, psw_shape_1d(parts->n_before), parts->before);
    psw_record_put_text(r, "provenance", notes);
    PSW_TRY(psw_shared_folder(parts->out_path, folder, err));
    PSW_TRY(plan_path(parts->out_path, path, err));
    PSW_TRY(psw_file_make_dir(folder, err));
    PSW_TRY(psw_record_write(r, path, err));
fail:
    psw_record_destroy(r);
    free(of);
    return rc;
}

/* Write the plan of runs with part[i] >= 0. */
static psw_status write_first(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                              int32_t *part, int32_t n_part, struct psw_error *err)
{
    char notes[4096];
    struct psw_parts parts = {0};
    int64_t n = 0;
    uint64_t *run = malloc(((size_t)sweep->n_run + 1) * sizeof *run);
    parts.before = malloc(((size_t)sweep->n_run + 1) * sizeof *parts.before);
    psw_status rc =
        run && parts.before ? PSW_OK : psw_fail(err, PSW_ENOMEM, "parts of a sweep");
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++) {
        if (part[i] < 0) {
            parts.before[parts.n_before++] = sweep->run[i].hash;
            continue;
        }
        run[n] = sweep->run[i].hash;
        part[n++] = part[i];
    }
    join_notes(opts, notes, sizeof notes);
    if (rc == PSW_OK)
        rc = psw_path(parts.out_path, sizeof parts.out_path, err, "%s", opts->out_path);
    if (rc == PSW_OK) rc = psw_parts_arrange(&parts, run, part, n, n_part, err);
    if (rc == PSW_OK) rc = psw_parts_write(&parts, notes, psw_clock_unix_s(), err);
    psw_parts_clear(&parts);
    free(run);
    return rc;
}

/* Make the plan, unless nothing is left. */
static psw_status make_plan(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                            int32_t n_part, struct psw_journal_merge *lock,
                            struct psw_error *err)
{
    int64_t n_left = 0;
    uint8_t *is_left = malloc((size_t)sweep->n_run + 1);
    int32_t *part = malloc(((size_t)sweep->n_run + 1) * sizeof *part);
    psw_status rc = is_left && part ? find_left(opts, sweep, lock, is_left, err)
                                    : psw_fail(err, PSW_ENOMEM, "parts of a sweep");
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++) n_left += is_left[i];
    if (n_part > n_left) n_part = (int32_t)n_left;
    if (rc == PSW_OK && n_left > 0) rc = psw_parts_cut(sweep, is_left, n_part, part, err);
    for (int64_t i = n_part = 0; rc == PSW_OK && n_left > 0 && i < sweep->n_run; i++)
        if (part[i] >= n_part) n_part = part[i] + 1; /* runs that stay together may be fewer */
    if (rc == PSW_OK && n_left > 0) rc = write_first(opts, sweep, part, n_part, err);
    free(is_left);
    free(part);
    return rc;
}

psw_status psw_parts_open(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                          int32_t n_part, struct psw_parts *out, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal_merge *lock = NULL;
    psw_status rc = PSW_OK;
    *out = (struct psw_parts){0};
    PSW_TRY(psw_path(out->out_path, sizeof out->out_path, err, "%s", opts->out_path));
    PSW_TRY(psw_journal_path(opts->out_path, path, err));
    PSW_TRY(psw_journal_merge_begin(path, PLAN_WAIT_S, &lock, err));
    if (!psw_shared_is(opts->out_path)) PSW_TRY(make_plan(opts, sweep, n_part, lock, err));
    if (!psw_shared_is(opts->out_path)) goto fail; /* nothing is left */
    PSW_TRY(read_plan(opts->out_path, out, err));
    PSW_TRY(check_plan(opts, sweep, out, err));
fail:
    psw_journal_merge_end(lock);
    if (rc != PSW_OK) psw_parts_clear(out);
    return rc;
}

psw_status psw_parts_renew(struct psw_parts *parts, int *is_there, struct psw_error *err)
{
    const struct psw_file_identity now = identify(parts->out_path);
    struct psw_parts other;
    *is_there = psw_file_identity_is(&now, &parts->identity) && now.node != 0;
    if (*is_there || now.node == 0) return PSW_OK;
    const psw_status rc = read_plan(parts->out_path, &other, err);
    if (rc == PSW_OK && parts->plan &&
        psw_record_f64(other.plan, "made_s", 0) == psw_record_f64(parts->plan, "made_s", 0)) {
        psw_parts_clear(parts);
        *parts = other;
        *is_there = 1;
        return PSW_OK;
    }
    psw_parts_clear(&other);
    return rc == PSW_ENOENT ? PSW_OK : rc; /* it went away meanwhile */
}

psw_status psw_parts_state(const struct psw_parts *parts, int32_t k, struct psw_part_state *out,
                           struct psw_error *err)
{
    char path[PSW_PATH_BYTES], journal_path[PSW_PATH_BYTES], holder[256];
    struct psw_journal *journal = NULL;
    *out = (struct psw_part_state){.n_run = parts->first[k + 1] - parts->first[k]};
    psw_status rc = psw_parts_path(parts, k, path, err);
    if (rc == PSW_OK) rc = psw_journal_path(path, journal_path, err);
    if (rc != PSW_OK) return rc;
    out->is_held = psw_journal_holder(journal_path, holder, sizeof holder) != 0;
    if (!psw_file_exists(journal_path)) return PSW_OK;
    rc = psw_journal_read(journal_path, &journal, err);
    if (rc != PSW_OK) return rc;
    out->is_begun = psw_journal_spec(journal) != NULL;
    for (int64_t i = parts->first[k]; i < parts->first[k + 1]; i++) {
        const enum psw_outcome o = psw_journal_outcome(journal, parts->run[i], NULL);
        out->n_ended += psw_outcome_is_end(o);
        out->n_good += o == PSW_OUTCOME_DONE;
    }
    psw_journal_close(journal);
    return PSW_OK;
}
