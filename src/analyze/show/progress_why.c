/* The life of one run, from the journal. */
#include "progress_internal.h"

#include <posweep/config/sweep_file.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <stdlib.h>
#include <string.h>

/** The one run whose label is `what`, else whose hash begins with it, else whose label contains
 *  it: "seed 1" is part of "seed 10". */
static psw_status find_run(const struct psw_progress_view *v, const char *what, int64_t *run,
                           struct psw_error *err)
{
    int64_t n_hash = 0, n_label = 0, of_hash = -1, of_label = -1;
    for (int64_t r = 0; r < v->p.n_run; r++) {
        char hash[PSW_HASH_TEXT_BYTES];
        if (strcmp(v->run[r].label, what) == 0) {
            *run = r;
            return PSW_OK;
        }
        if (strncmp(psw_hash_text(v->run[r].hash, hash), what, strlen(what)) == 0) {
            n_hash++;
            of_hash = r;
        }
        if (strstr(v->run[r].label, what)) {
            n_label++;
            of_label = r;
        }
    }
    *run = n_hash == 1 ? of_hash : of_label;
    if (n_hash == 1 || (n_hash == 0 && n_label == 1)) return PSW_OK;
    return psw_fail(err, PSW_ENOENT, "\"%s\" fits %lld runs by hash and %lld by label; %s",
                    what, (long long)n_hash, (long long)n_label,
                    n_hash + n_label
                        ? "give more of it"
                        : "posweep plan --all lists the runs, posweep help why the rest");
}

static const char *event_name(enum psw_journal_type type)
{
    static const char *const NAMES[PSW_J_N_TYPE] = {
        [PSW_J_STARTED] = "started on",
        [PSW_J_PROGRESS] = "progress",
        [PSW_J_PIECE] = "results recorded",
        [PSW_J_DONE] = "done",
        [PSW_J_FAILED] = "failed:",
        [PSW_J_DIVERGED] = "diverged:",
        [PSW_J_INTERRUPTED] = "interrupted:",
        [PSW_J_DIED] = "its rank was seen dead:",
        [PSW_J_SILENT] = "its rank hung:",
        [PSW_J_TIMEOUT] = "timeout:",
        [PSW_J_CENSORED] = "censored:",
        [PSW_J_LOG] = "the end of its log:\n",
        [PSW_J_ADVANCED] = "went on from a later place",
        [PSW_J_CONTENT] = "what it works on was noted"};
    return type > 0 && type < PSW_J_N_TYPE && NAMES[type] ? NAMES[type] : "?";
}

static int carries_text(enum psw_journal_type type)
{
    return type == PSW_J_STARTED || type == PSW_J_FAILED || type == PSW_J_DIVERGED ||
           type == PSW_J_INTERRUPTED || type == PSW_J_DIED || type == PSW_J_SILENT ||
           type == PSW_J_TIMEOUT || type == PSW_J_CENSORED || type == PSW_J_LOG;
}

static void put_event(FILE *out, const struct psw_progress_view *v, int64_t i)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
    char when[32];
    void *text = NULL;
    if (carries_text(e->type) && psw_journal_payload(v->journal, i, &text, NULL) != PSW_OK)
        text = NULL;
    fprintf(out, "  %s  attempt %d  %s%s%s", psw_clock_date_text(e->time_s, when), e->attempt,
            event_name(e->type), text ? " " : "", text ? (const char *)text : "");
    const int n_rank = e->type == PSW_J_STARTED ? psw_progress_ranks(v, i) : 0;
    if (n_rank > 1) fprintf(out, " (%d ranks)", n_rank);
    fputc('\n', out);
    free(text);
}

/* The settings of a run, resolved again from the sweep file that the journal keeps. Data named
 * relative to a sweep file that is not beside the results are not found; then it says so. */
static void put_settings(FILE *out, const struct psw_progress_view *v, const char *path,
                         uint64_t run)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    struct psw_config_reader reader = {0};
    const char *spec = psw_record_text(psw_journal_spec(v->journal), "spec_text");
    if (psw_sweep_reread(path, spec, &sweep, &err) != PSW_OK) {
        fprintf(out, "\n# settings: %s\n", err.text);
        return;
    }
    int64_t at = 0;
    while (at < sweep->n_run && sweep->run[at].hash != run) at++;
    if (at < sweep->n_run) {
        fputs("\n# settings\n", out);
        psw_config_print(out, psw_sweep_config(sweep, at, &reader));
    } else {
        fputs("\n# settings: the sweep file no longer asks for this run\n", out);
    }
    psw_sweep_destroy(sweep);
}

/* The run in one of the journals: a shared sweep has several. */
static psw_status find_view(const struct psw_progress_whole *w, const char *what,
                            const struct psw_progress_view **view, int64_t *run,
                            struct psw_error *err)
{
    psw_status rc = PSW_ENOENT;
    for (int32_t i = w->n_view - 1; i >= 0 && rc != PSW_OK; i--) {
        *view = &w->view[i];
        rc = find_run(*view, what, run, err);
        if (rc == PSW_OK && (*view)->run[*run].is_elsewhere)
            rc = psw_fail(err, PSW_ENOENT, "\"%s\": no job has begun with its part yet", what);
    }
    return rc;
}

psw_status psw_progress_why(FILE *out, const char *path, const char *run, uint64_t *found,
                            struct psw_error *err)
{
    struct psw_progress_whole whole;
    const struct psw_progress_view *v = NULL;
    int64_t at = -1;
    int32_t attempts = 0;
    psw_status rc = psw_progress_load(path, &whole, err);
    if (rc != PSW_OK) return rc;
    rc = find_view(&whole, run, &v, &at, err);
    if (rc == PSW_OK) {
        char text[PSW_HASH_TEXT_BYTES];
        const uint64_t hash = v->run[at].hash;
        const enum psw_outcome o = psw_progress_outcome(v, at, &attempts);
        fprintf(out, "%s  %s: %s after %d attempt%s\n", psw_hash_text(hash, text),
                v->run[at].label, psw_outcome_name(o), attempts, attempts == 1 ? "" : "s");
        for (int64_t i = 0; i < psw_journal_n_entry(v->journal); i++) {
            const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
            if (e->run == hash && e->type != PSW_J_PROGRESS && e->type != PSW_J_PIECE &&
                e->type != PSW_J_STAGE)
                put_event(out, v, i);
        }
        put_settings(out, v, whole.path, hash);
        *found = hash;
    }
    psw_progress_clear(&whole);
    return rc;
}
