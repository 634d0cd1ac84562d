/* Sweeps as one. The sweep of the outcome is the one that is given, or that of the sources: the
 * first one that has all runs, else all of them as documents of one text. */
#include "merge_rules.h"
#include "outputs.h"

#include <posweep/sweep/asked.h>
#include <posweep/sweep/data_sets.h>
#include <posweep/sweep/provenance.h>
#include <posweep/sweep/sweep_merge.h>
#include <posweep/util/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const double LOCK_WAIT_S = 10;
enum { MAX_NOTES = 24 };

/* ---- where it goes ---- */

static int is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static psw_status check_output(const struct psw_sweep_merge_opts *opts, const char *journal,
                               struct psw_error *err)
{
    char source[PSW_PATH_BYTES];
    int is_source = 0;
    for (int i = 0; i < opts->n_path; i++) {
        const psw_status rc = psw_journal_path(opts->path[i], source, err);
        if (rc != PSW_OK) return rc;
        is_source |= is_same_file(source, journal);
    }
    const char *there = psw_file_exists(opts->out_path) ? opts->out_path : journal;
    if (is_source || !psw_file_exists(there)) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "%s: exists and would be replaced: name it among the files to be merged to add "
        "to it, move it away, or choose another output with -o",
        there);
}

/* ---- do the sources fit together ---- */

/* What the last start of a journal that did something said of itself; the caller frees. NULL:
 * nothing. */
static char *last_provenance(struct psw_journal *journal)
{
    int has_worked = 0;
    for (int64_t i = psw_journal_n_entry(journal) - 1; i >= 0; i--) {
        const enum psw_journal_type type = psw_journal_entry_at(journal, i)->type;
        struct psw_record *r = NULL;
        has_worked |= type == PSW_J_STARTED || type == PSW_J_STAGE || type == PSW_J_PIECE ||
                      type == PSW_J_DONE;
        if (type != PSW_J_SESSION || !has_worked) continue;
        if (psw_journal_record(journal, i, &r, NULL) != PSW_OK) return NULL;
        char *text = strdup(psw_record_text(r, "provenance"));
        psw_record_destroy(r);
        return text;
    }
    return NULL;
}

/* Cut "key=value" lines in place into notes. */
static int split_notes(char *lines, struct psw_results_note note[MAX_NOTES])
{
    int n = 0;
    for (char *at = lines, *next; at && *at && n < MAX_NOTES; at = next) {
        next = strchr(at, '\n');
        if (next) *next++ = 0;
        char *value = strchr(at, '=');
        if (!value) continue;
        *value = 0;
        note[n++] = (struct psw_results_note){at, value + 1};
    }
    return n;
}

/* Hold what the first source with a past says of its machine against another one. */
static psw_status compare_machines(const struct psw_journal_merge *m, int a, int b, int accept,
                                   struct psw_error *err)
{
    struct psw_results_note note[MAX_NOTES];
    char differs[768];
    char *ours = last_provenance(psw_journal_merge_source(m, a));
    char *theirs = last_provenance(psw_journal_merge_source(m, b));
    const int n_note = theirs ? split_notes(theirs, note) : 0;
    const int n = ours ? psw_provenance_compare(ours, note, n_note, PSW_PROVENANCE_CPU, differs,
                                                sizeof differs)
                       : 0;
    free(ours);
    free(theirs);
    if (!n) return PSW_OK;
    const char *const name[2] = {psw_journal_merge_name(m, a), psw_journal_merge_name(m, b)};
    if (!accept)
        return psw_fail(
            err, PSW_EINVAL,
            "%s and %s were computed on different machines, %s: equal settings do not "
            "give equal bits there. Accept that with --accept-changed-cpu, or merge "
            "what was computed on one kind",
            name[0], name[1], differs);
    psw_log(PSW_LOG_WARN, "%s and %s: accepted: %s", name[0], name[1], differs);
    return PSW_OK;
}

psw_status psw_sweep_merge_check(const struct psw_journal_merge *merge, int accept_cpu,
                                 int accept_data, struct psw_error *err)
{
    const int n = psw_journal_merge_n_source(merge);
    for (int i = 1; i < n; i++) {
        psw_status rc = compare_machines(merge, 0, i, accept_cpu, err);
        for (int k = 0; k < i && rc == PSW_OK; k++) {
            rc = psw_data_sets_differ(psw_journal_merge_source(merge, k),
                                      psw_journal_merge_source(merge, i), accept_data, err);
            if (rc != PSW_OK)
                psw_error_prefix(err, "%s and %s", psw_journal_merge_name(merge, k),
                                 psw_journal_merge_name(merge, i));
        }
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

/* ---- the sweep ---- */

/* Add the sweep of a source to *all. */
static psw_status add_spec(const struct psw_journal_merge *m, int i, struct psw_sweep **all,
                           struct psw_error *err)
{
    struct psw_sweep *one = NULL;
    psw_status rc = psw_merge_spec(m, i, &one, err);
    if (rc != PSW_OK) return rc;
    if (!*all || (psw_sweep_covers(one, *all) && !psw_sweep_covers(*all, one))) {
        psw_sweep_destroy(*all);
        *all = one;
        return PSW_OK;
    }
    if (!psw_sweep_covers(*all, one)) rc = psw_sweep_unite(*all, one, err);
    psw_sweep_destroy(one);
    return rc;
}

static psw_status find_sweep(const struct psw_sweep_merge_opts *opts,
                             const struct psw_journal_merge *m, struct psw_sweep **out,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_sweep *all = NULL;
    if (opts->sweep_path)
        return psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, out, err);
    for (int i = 0; i < psw_journal_merge_n_source(m) && rc == PSW_OK; i++) {
        const struct psw_record *spec = psw_journal_spec(psw_journal_merge_source(m, i));
        if (all && !strcmp(all->text, psw_record_text(spec, "spec_text"))) continue;
        rc = add_spec(m, i, &all, err);
    }
    if (rc == PSW_OK)
        *out = all;
    else
        psw_sweep_destroy(all);
    return rc;
}

/* ---- writing ---- */

static psw_status write_results(const char *journal_path, const struct psw_sweep *sweep,
                                const char *out_path, char *provenance,
                                struct psw_sweep_merge_summary *out, struct psw_error *err)
{
    struct psw_journal *journal = NULL;
    struct psw_results_note note[MAX_NOTES];
    psw_status rc = psw_journal_read(journal_path, &journal, err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < sweep->n_run; i++) {
        const enum psw_outcome o = psw_journal_outcome(journal, sweep->run[i].hash, NULL);
        out->n_done += o == PSW_OUTCOME_DONE;
        out->n_censored += o == PSW_OUTCOME_CENSORED;
    }
    rc = psw_sweep_unasked(sweep, journal, &out->n_unasked, err);
    const int n_note = provenance ? split_notes(provenance, note) : 0;
    if (rc == PSW_OK) rc = psw_outputs_write(out_path, sweep, note, n_note, journal, err);
    psw_journal_close(journal);
    return rc;
}

psw_status psw_sweep_merge_write(struct psw_journal_merge *merge, const struct psw_sweep *sweep,
                                 const char *out_path, const char *provenance,
                                 struct psw_sweep_merge_summary *out, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_outputs_axes labels;
    struct psw_outputs_spec spec = {0};
    struct psw_sweep_merge_summary sum = {.n_run = sweep->n_run};
    psw_outputs_axes(&labels);
    psw_status rc = psw_journal_path(out_path, path, err);
    if (rc == PSW_OK) rc = psw_outputs_spec_init(sweep, &spec, err);
    spec.opts.provenance = provenance;
    if (rc == PSW_OK)
        rc = psw_journal_merge_write(merge, &spec.opts, &labels.axes, &sum.counts, err);
    char *notes = NULL; /* the file tells of the build and machine of the first source */
    for (int i = 0; i < psw_journal_merge_n_source(merge) && !notes; i++)
        notes = last_provenance(psw_journal_merge_source(merge, i));
    if (rc == PSW_OK) rc = write_results(path, sweep, out_path, notes, &sum, err);
    if (rc == PSW_OK) *out = sum;
    free(notes);
    psw_outputs_spec_clear(&spec);
    return rc;
}

static psw_status add_sources(const struct psw_sweep_merge_opts *opts,
                              struct psw_journal_merge *m, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], holder[256];
    for (int i = 0; i < opts->n_path; i++) {
        psw_status rc = psw_journal_path(opts->path[i], path, err);
        if (rc == PSW_OK) rc = psw_journal_merge_add(m, path, opts->path[i], err);
        if (rc == PSW_ENOENT)
            return psw_fail(
                err, rc,
                "%s: there is no journal of this name: merging joins journals, which "
                "are beside the results files; expected one of %s",
                path, opts->path[i]);
        if (rc != PSW_OK) return rc;
        if (!is_same_file(opts->path[i], opts->out_path) &&
            psw_journal_holder(path, holder, sizeof holder))
            psw_log(PSW_LOG_WARN, "%s: at work: %s: what it has so far is taken", opts->path[i],
                    holder);
    }
    return PSW_OK;
}

/* "merged_from=A.h5, B.h5"; the caller frees. NULL: no memory. */
static char *origin_text(const struct psw_journal_merge *m)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (!out) return NULL;
    for (int i = 0; i < psw_journal_merge_n_source(m); i++)
        fprintf(out, "%s%s", i ? ", " : "merged_from=", psw_journal_merge_name(m, i));
    fputc('\n', out);
    return fclose(out) == 0 ? text : NULL;
}

psw_status psw_sweep_merge(const struct psw_sweep_merge_opts *opts,
                           struct psw_sweep_merge_summary *out, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_journal_merge *merge = NULL;
    struct psw_sweep *sweep = NULL;
    char *origin = NULL;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_journal_path(opts->out_path, path, err));
    PSW_TRY(check_output(opts, path, err));
    PSW_TRY(psw_journal_merge_begin(path, LOCK_WAIT_S, &merge, err));
    PSW_TRY(add_sources(opts, merge, err));
    PSW_TRY(find_sweep(opts, merge, &sweep, err));
    PSW_TRY(
        psw_sweep_merge_check(merge, opts->accept_changed.cpu, opts->accept_changed.data, err));
    PSW_TRY(psw_merge_rules_check(merge, sweep, opts->sweep_path, err));
    origin = origin_text(merge);
    if (!origin) PSW_TRY(psw_fail(err, PSW_ENOMEM, "merge"));
    PSW_TRY(psw_sweep_merge_write(merge, sweep, opts->out_path, origin, out, err));
fail:
    free(origin);
    psw_sweep_destroy(sweep);
    psw_journal_merge_end(merge);
    return rc;
}
