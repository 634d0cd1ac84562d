/* How a sweep stands. Everything comes from the journal, read without its lock; whether the
 * sweep is being worked on comes from the lock file. */
#include <posweep/analyze/progress.h>

#include <posweep/config/sweep_file.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 30, MAX_LISTED = 20 };

/** The journal with what was computed from it. */
struct view {
    struct psw_journal *journal; /* owned */
    struct psw_progress p;
    const struct psw_field *run; /* borrowed from the journal; NULL when it is empty */
    char **label;                /* owned, [n_run] */
    double *share;               /* owned, [n_run] done share of a running run */
    char path[PSW_PATH_BYTES];
};

static psw_status journal_of(const char *path, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    const size_t n = strlen(path);
    if (n > 8 && strcmp(path + n - 8, ".journal") == 0)
        return psw_path(out, PSW_PATH_BYTES, err, "%s", path);
    return psw_journal_path(path, out, err);
}

static uint64_t hash_of(const struct view *v, int64_t run)
{
    return (uint64_t)psw_field_i64(v->run, run, 0);
}

static enum psw_outcome outcome_of(const struct view *v, int64_t run, int32_t *attempts)
{
    const enum psw_outcome o = psw_journal_outcome(v->journal, hash_of(v, run), attempts);
    return o == PSW_OUTCOME_RUNNING && !v->p.holder.text[0] ? PSW_OUTCOME_INTERRUPTED : o;
}

/* ---- loading ---- */

static int load_labels(struct view *v, const struct psw_record *spec)
{
    const char *at = psw_record_text(spec, "label");
    for (int64_t r = 0; r < v->p.n_run; r++) {
        const size_t n = strcspn(at, "\n");
        char hash[PSW_HASH_TEXT_BYTES];
        v->label[r] = n ? strndup(at, n) : strdup(psw_hash_text(hash_of(v, r), hash));
        if (!v->label[r]) return 0;
        at += n + (at[n] == '\n');
    }
    return 1;
}

/** Shares of runs, from their last progress records. */
static void load_shares(struct view *v)
{
    for (int64_t r = 0; r < v->p.n_run; r++) {
        const int64_t i = psw_journal_progress(v->journal, hash_of(v, r));
        void *bytes = NULL;
        double done_total[2];
        if (i < 0 || psw_journal_entry_at(v->journal, i)->n_bytes != sizeof done_total)
            continue;
        if (psw_journal_payload(v->journal, i, &bytes, NULL) != PSW_OK) continue;
        memcpy(done_total, bytes, sizeof done_total);
        free(bytes);
        if (done_total[1] > 0) v->share[r] = fmin(1, fmax(0, done_total[0] / done_total[1]));
    }
}

/** Time spent: from each session's start to its last record. */
static void load_times(struct view *v)
{
    double begin_s = NAN, last_s = NAN;
    for (int64_t i = 0; i < psw_journal_n_entry(v->journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
        if (e->type == PSW_J_SESSION) {
            if (isfinite(begin_s)) v->p.elapsed_s += fmax(0, last_s - begin_s);
            begin_s = e->time_s;
            v->p.n_session++;
        }
        last_s = e->time_s;
    }
    const double now_s = psw_clock_unix_s();
    if (isfinite(begin_s))
        v->p.elapsed_s += fmax(0, (v->p.holder.text[0] ? now_s : last_s) - begin_s);
    v->p.last_s = isfinite(last_s) ? fmax(0, now_s - last_s) : NAN;
}

/* The sweep's own forecast, as old as its record is. Of an earlier start only while nobody
 * works: this start may have other ranks, and will tell soon. */
static void load_forecast(struct view *v)
{
    struct psw_forecast f;
    void *bytes = NULL;
    for (int64_t i = psw_journal_n_entry(v->journal) - 1; i >= 0; i--) {
        const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
        if (e->type == PSW_J_SESSION && v->p.holder.text[0]) return;
        if (e->type != PSW_J_FORECAST || e->n_bytes != sizeof f) continue;
        if (psw_journal_payload(v->journal, i, &bytes, NULL) != PSW_OK) return;
        memcpy(&f, bytes, sizeof f);
        free(bytes);
        const int is_at_work = v->p.holder.text[0] && !v->p.holder.is_unsure;
        const double age_s = is_at_work ? fmax(0, psw_clock_unix_s() - e->time_s) : 0;
        v->p.left_s = isnan(f.left_s) ? NAN : fmax(0, f.left_s - age_s);
        v->p.part_done = f.part_done;
        v->p.n_rank = f.n_rank >= 1 && f.n_rank < 1e9 ? (int64_t)f.n_rank : 0;
        v->p.n_active =
            is_at_work && f.n_active >= 1 && f.n_active < 1e9 ? (int64_t)f.n_active : 0;
        return;
    }
}

static void load_counts(struct view *v)
{
    int64_t n_over = 0;
    for (int64_t r = 0; r < v->p.n_run; r++) {
        const enum psw_outcome o = outcome_of(v, r, NULL);
        v->p.n_outcome[o]++;
        n_over += psw_outcome_is_end(o);
    }
    if (n_over < v->p.n_run) return;
    v->p.left_s = 0;
    v->p.part_done = 1;
    v->p.n_active = 0;
}

static void unload(struct view *v)
{
    for (int64_t r = 0; v->label && r < v->p.n_run; r++) free(v->label[r]);
    free(v->label);
    free(v->share);
    psw_journal_close(v->journal);
}

static psw_status load(struct view *v, const char *path, struct psw_error *err)
{
    psw_status rc = journal_of(path, v->path, err);
    if (rc != PSW_OK) return rc;
    rc = psw_journal_read(v->path, &v->journal, err);
    if (rc == PSW_ENOENT)
        return psw_fail(err, PSW_ENOENT, "%s: no journal: no sweep was run with this output",
                        v->path);
    if (rc != PSW_OK) return rc;
    v->p.holder.is_unsure =
        psw_journal_holder(v->path, v->p.holder.text, sizeof v->p.holder.text) < 0;
    v->p.torn_bytes = psw_journal_torn_bytes(v->journal);
    v->p.left_s = v->p.part_done = NAN;
    const struct psw_record *spec = psw_journal_spec(v->journal);
    if (!spec) return PSW_OK; /* just created */
    snprintf(v->p.name, sizeof v->p.name, "%s", psw_record_text(spec, "sweep_name"));
    v->run = psw_record_get(spec, "run");
    v->p.n_run = v->run ? v->run->shape.dim[0] : 0;
    v->label = calloc((size_t)v->p.n_run + 1, sizeof *v->label);
    v->share = calloc((size_t)v->p.n_run + 1, sizeof *v->share);
    if (!v->label || !v->share || !load_labels(v, spec)) {
        unload(v);
        return psw_fail(err, PSW_ENOMEM, "status: %lld runs", (long long)v->p.n_run);
    }
    load_shares(v);
    load_times(v);
    load_forecast(v);
    load_counts(v);
    return PSW_OK;
}

psw_status psw_progress_read(const char *path, struct psw_progress *out, struct psw_error *err)
{
    struct view v = {0};
    psw_status rc = load(&v, path, err);
    if (rc != PSW_OK) return rc;
    *out = v.p;
    unload(&v);
    return PSW_OK;
}

/* ---- showing ---- */

/** The last message or host list that a run left; the caller frees. NULL: none. */
static char *last_text(struct view *v, uint64_t hash, int of_end)
{
    void *bytes = NULL;
    for (int64_t i = psw_journal_n_entry(v->journal) - 1; i >= 0; i--) {
        const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
        const int is_end = e->type == PSW_J_FAILED || e->type == PSW_J_DIVERGED ||
                           e->type == PSW_J_INTERRUPTED;
        if (e->run != hash || !(of_end ? is_end : e->type == PSW_J_STARTED)) continue;
        return psw_journal_payload(v->journal, i, &bytes, NULL) == PSW_OK ? bytes : NULL;
    }
    return NULL;
}

static void list_runs(FILE *out, struct view *v, enum psw_outcome which, const char *title)
{
    int64_t n = 0;
    for (int64_t r = 0; r < v->p.n_run; r++) {
        int32_t attempts = 0;
        if (outcome_of(v, r, &attempts) != which) continue;
        if (n++ == 0) fprintf(out, "%s:\n", title);
        if (n > MAX_LISTED) continue;
        char hash[PSW_HASH_TEXT_BYTES];
        const int is_running = which == PSW_OUTCOME_RUNNING;
        char *text = last_text(v, hash_of(v, r), !is_running);
        fprintf(out, "  %.8s  %s", psw_hash_text(hash_of(v, r), hash), v->label[r]);
        if (is_running) fprintf(out, "  %.0f%%", 100 * v->share[r]);
        if (attempts > 1) fprintf(out, "  attempt %d", attempts);
        if (text && text[0]) fprintf(out, is_running ? "  on %s" : ": %s", text);
        fputc('\n', out);
        free(text);
    }
    if (n > MAX_LISTED) fprintf(out, "  ... and %lld more\n", (long long)(n - MAX_LISTED));
}

char *psw_progress_left_text(double left_s, char out[PSW_LEFT_TEXT_BYTES])
{
    char text[32];
    if (!(left_s >= 0))
        snprintf(out, PSW_LEFT_TEXT_BYTES, "time left not known yet");
    else
        snprintf(out, PSW_LEFT_TEXT_BYTES, "%s%s left", left_s < 1 ? "" : "about ",
                 psw_clock_text(left_s, text));
    return out;
}

/* A bar of the work done; without a forecast, of the runs that have ended. */
static void put_bar(FILE *out, const struct psw_progress *p, int64_t n_over)
{
    char elapsed[32], left[PSW_LEFT_TEXT_BYTES];
    const double by_run = p->n_run > 0 ? (double)n_over / (double)p->n_run : 0;
    const double part = isnan(p->part_done) ? by_run : fmin(1, fmax(0, p->part_done));
    fputc('[', out);
    for (int i = 0; i < BAR_WIDTH; i++) fputc(i < (int)(BAR_WIDTH * part) ? '#' : '.', out);
    fprintf(out, "]  %.0f %% of the %s; %s spent in %d session%s", 100 * part,
            isnan(p->part_done) ? "runs" : "work", psw_clock_text(p->elapsed_s, elapsed),
            p->n_session, p->n_session == 1 ? "" : "s");
    if (n_over < p->n_run && p->holder.text[0])
        fprintf(out, ", %s", psw_progress_left_text(p->left_s, left));
    else if (n_over < p->n_run && isfinite(p->left_s))
        fprintf(out, ", %s once %lld rank%s work%s again",
                psw_progress_left_text(p->left_s, left), (long long)p->n_rank,
                p->n_rank == 1 ? "" : "s", p->n_rank == 1 ? "s" : "");
    fputc('\n', out);
}

static void put_at_work(FILE *out, const struct psw_progress *p)
{
    char age[32];
    fprintf(out, "at work: %s", p->holder.text);
    if (p->n_active > 0)
        fprintf(out, "; %lld running on %lld rank%s", (long long)p->n_active,
                (long long)p->n_rank, p->n_rank == 1 ? "" : "s");
    fprintf(out, "; last record %s ago\n", psw_clock_text(p->last_s, age));
}

static void put_head(FILE *out, const struct view *v)
{
    char age[32];
    const struct psw_progress *p = &v->p;
    int64_t n_over = 0;
    for (int o = 0; o < PSW_N_OUTCOME; o++)
        if (psw_outcome_is_end((enum psw_outcome)o)) n_over += p->n_outcome[o];
    fprintf(out, "%s: ", p->name[0] ? p->name : v->path);
    for (int o = 0, n = 0; o < PSW_N_OUTCOME; o++)
        if (p->n_outcome[o] > 0)
            fprintf(out, "%s%lld %s", n++ ? ", " : "", (long long)p->n_outcome[o],
                    psw_outcome_name((enum psw_outcome)o));
    fprintf(out, " of %lld runs\n", (long long)p->n_run);
    put_bar(out, p, n_over);
    if (p->holder.is_unsure)
        fprintf(out,
                "perhaps at work: %s: no locks here: cannot tell whether it is alive; last "
                "record %s ago\nmake sure that it has ended before you run the command again\n",
                p->holder.text, psw_clock_text(p->last_s, age));
    else if (p->holder.text[0])
        put_at_work(out, p);
    else if (n_over < p->n_run)
        fprintf(out, "nobody works on it: run the same command again to continue\n");
}

/** What the last start said about its ranks. */
static void list_remarks(FILE *out, struct view *v)
{
    int64_t first = psw_journal_n_entry(v->journal);
    int n = 0;
    while (first > 0 && psw_journal_entry_at(v->journal, first - 1)->type != PSW_J_SESSION)
        first--;
    for (int64_t i = first; i < psw_journal_n_entry(v->journal); i++) {
        void *text = NULL;
        if (psw_journal_entry_at(v->journal, i)->type != PSW_J_REMARK ||
            psw_journal_payload(v->journal, i, &text, NULL) != PSW_OK)
            continue;
        if (n++ == 0) fprintf(out, "ranks, in the last start:\n");
        if (n <= MAX_LISTED) fprintf(out, "  %s\n", (const char *)text);
        free(text);
    }
    if (n > MAX_LISTED) fprintf(out, "  ... and %d more\n", n - MAX_LISTED);
}

psw_status psw_progress_show(FILE *out, const char *path, struct psw_error *err)
{
    struct view v = {0};
    psw_status rc = load(&v, path, err);
    if (rc != PSW_OK) return rc;
    put_head(out, &v);
    list_remarks(out, &v);
    list_runs(out, &v, PSW_OUTCOME_RUNNING, "running");
    list_runs(out, &v, PSW_OUTCOME_INTERRUPTED, "interrupted, to be resumed");
    list_runs(out, &v, PSW_OUTCOME_DIVERGED, "diverged");
    list_runs(out, &v, PSW_OUTCOME_FAILED, "failed");
    unload(&v);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the status") : PSW_OK;
}

/** The one run whose label is `what`, else whose hash begins with it, else whose label contains
 *  it: "seed 1" is part of "seed 10". */
static psw_status find_run(const struct view *v, const char *what, int64_t *run,
                           struct psw_error *err)
{
    int64_t n_hash = 0, n_label = 0, of_hash = -1, of_label = -1;
    for (int64_t r = 0; r < v->p.n_run; r++) {
        char hash[PSW_HASH_TEXT_BYTES];
        if (strcmp(v->label[r], what) == 0) {
            *run = r;
            return PSW_OK;
        }
        if (strncmp(psw_hash_text(hash_of(v, r), hash), what, strlen(what)) == 0) {
            n_hash++;
            of_hash = r;
        }
        if (strstr(v->label[r], what)) {
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
        [PSW_J_STARTED] = "started on",       [PSW_J_PROGRESS] = "progress",
        [PSW_J_PIECE] = "results recorded",   [PSW_J_DONE] = "done",
        [PSW_J_FAILED] = "failed:",           [PSW_J_DIVERGED] = "diverged:",
        [PSW_J_INTERRUPTED] = "interrupted:", [PSW_J_DIED] = "its rank was seen dead:",
        [PSW_J_SILENT] = "its rank hung:",    [PSW_J_ADVANCED] = "went on from a later place",
        [PSW_J_CONTENT] = "its content noted"};
    return type > 0 && type < PSW_J_N_TYPE && NAMES[type] ? NAMES[type] : "?";
}

static int carries_text(enum psw_journal_type type)
{
    return type == PSW_J_STARTED || type == PSW_J_FAILED || type == PSW_J_DIVERGED ||
           type == PSW_J_INTERRUPTED || type == PSW_J_DIED || type == PSW_J_SILENT;
}

static void put_event(FILE *out, struct view *v, int64_t i)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
    char when[32];
    void *text = NULL;
    if (carries_text(e->type) && psw_journal_payload(v->journal, i, &text, NULL) != PSW_OK)
        text = NULL;
    fprintf(out, "  %s  attempt %d  %s %s\n", psw_clock_date_text(e->time_s, when), e->attempt,
            event_name(e->type), text ? (const char *)text : "");
    free(text);
}

/* The settings of a run, resolved again from the sweep file that the journal keeps. Data named
 * relative to a sweep file that is not beside the results are not found; then it says so. */
static void put_settings(FILE *out, const struct view *v, uint64_t run)
{
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    const char *spec = psw_record_text(psw_journal_spec(v->journal), "spec_text");
    if (psw_sweep_reread(v->path, spec, &sweep, &err) != PSW_OK) {
        fprintf(out, "\n# settings: %s\n", err.text);
        return;
    }
    int64_t at = 0;
    while (at < sweep->n_run && sweep->run[at].hash != run) at++;
    if (at < sweep->n_run) {
        fputs("\n# settings\n", out);
        psw_config_print(out, &sweep->run[at].config);
    } else {
        fputs("\n# settings: the sweep file no longer asks for this run\n", out);
    }
    psw_sweep_destroy(sweep);
}

psw_status psw_progress_why(FILE *out, const char *path, const char *run, uint64_t *found,
                            struct psw_error *err)
{
    struct view v = {0};
    int64_t at = -1;
    int32_t attempts = 0;
    psw_status rc = load(&v, path, err);
    if (rc != PSW_OK) return rc;
    rc = find_run(&v, run, &at, err);
    if (rc == PSW_OK) {
        char hash[PSW_HASH_TEXT_BYTES];
        const enum psw_outcome o = outcome_of(&v, at, &attempts);
        fprintf(out, "%s  %s: %s after %d attempt%s\n", psw_hash_text(hash_of(&v, at), hash),
                v.label[at], psw_outcome_name(o), attempts, attempts == 1 ? "" : "s");
        for (int64_t i = 0; i < psw_journal_n_entry(v.journal); i++) {
            const struct psw_journal_entry *e = psw_journal_entry_at(v.journal, i);
            if (e->run == hash_of(&v, at) && e->type != PSW_J_PROGRESS &&
                e->type != PSW_J_PIECE && e->type != PSW_J_STAGE)
                put_event(out, &v, i);
        }
        put_settings(out, &v, hash_of(&v, at));
        *found = hash_of(&v, at);
    }
    unload(&v);
    return rc;
}
