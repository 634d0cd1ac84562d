/* `posweep status`, for people and as JSON. */
#include "progress_internal.h"

#include "../analyze_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/hash.h>
#include <posweep/util/median.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_WIDTH = 30, MAX_LISTED = 20, N_SLOWEST = 3, N_LOG_LINE = 4, FEWEST_FOR_SLOWEST = 5 };

/* ---- runs ---- */

/** A run and where it stands. */
struct listed {
    const struct psw_progress_view *view;
    int64_t run;
    double key; /* by which it is sorted, descending */
};

static int by_key(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? 1 : -1;
    if (x->view != y->view) return x->view < y->view ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

/** How long the present attempt has run. */
static double running_s(const struct psw_progress_run *run)
{
    const double s = psw_clock_unix_s() - run->begun_s;
    return s >= 0 && isfinite(s) ? s : 0;
}

/** All runs with an outcome: running ones by how long they have run, done ones by how long they
 *  took, others in the order of the sweep. The caller frees. NULL: none, or no memory. */
static struct listed *list_of(const struct psw_progress_whole *w, enum psw_outcome which,
                              int64_t *n)
{
    struct listed *list = malloc(((size_t)w->p.n_run + 1) * sizeof *list);
    *n = 0;
    for (int32_t i = 0; list && i < w->n_view; i++)
        for (int64_t r = 0; r < w->view[i].p.n_run && *n <= w->p.n_run; r++) {
            const struct psw_progress_run *run = &w->view[i].run[r];
            if (run->is_left_out || psw_progress_outcome(&w->view[i], r, NULL) != which)
                continue;
            const double key = which == PSW_OUTCOME_RUNNING ? floor(running_s(run))
                               : which == PSW_OUTCOME_DONE  ? run->worked_s
                                                            : 0;
            list[(*n)++] = (struct listed){&w->view[i], r, key};
        }
    if (list) qsort(list, (size_t)*n, sizeof *list, by_key);
    return list;
}

/** The last lines of the log of a run that failed. */
static void put_log(FILE *out, const struct psw_progress_view *view, int64_t entry)
{
    char *text = psw_progress_text(view, entry);
    const char *at = text ? text + strlen(text) : NULL;
    for (int n = 0; at && at > text && n <= N_LOG_LINE; at--)
        if (at[-1] == '\n' && at[0] && ++n == N_LOG_LINE) break;
    while (at && *at) {
        const int n = (int)strcspn(at, "\n");
        fprintf(out, "      | %.*s\n", n, at);
        at += n + (at[n] == '\n');
    }
    free(text);
}

static void put_run(FILE *out, const struct listed *at, enum psw_outcome which)
{
    const struct psw_progress_run *run = &at->view->run[at->run];
    const int is_running = which == PSW_OUTCOME_RUNNING;
    char hash[PSW_HASH_TEXT_BYTES], took[32];
    int32_t attempts = 0;
    psw_progress_outcome(at->view, at->run, &attempts);
    char *text = psw_progress_text(at->view, is_running ? run->last_started : run->last_end);
    fprintf(out, "  %.8s  %s", psw_hash_text(run->hash, hash), run->label);
    if (is_running) fprintf(out, "  %.0f%%", 100 * run->share);
    if (attempts > 1) fprintf(out, "  attempt %d", attempts);
    if (text && text[0]) fprintf(out, is_running ? "  on %s" : ": %s", text);
    const int n_rank = is_running ? psw_progress_ranks(at->view, run->last_started) : 0;
    if (n_rank > 1) fprintf(out, " (%d ranks)", n_rank);
    if (is_running && isfinite(run->begun_s))
        fprintf(out, "  for %s", psw_clock_text(running_s(run), took));
    fputc('\n', out);
    if (which == PSW_OUTCOME_FAILED) put_log(out, at->view, run->last_log);
    free(text);
}

static void list_runs(FILE *out, const struct psw_progress_whole *w, enum psw_outcome which,
                      const char *title)
{
    int64_t n = 0;
    struct listed *list = list_of(w, which, &n);
    if (n > 0) fprintf(out, "%s:\n", title);
    for (int64_t i = 0; i < n && i < MAX_LISTED; i++) put_run(out, &list[i], which);
    if (n > MAX_LISTED) fprintf(out, "  ... and %lld more\n", (long long)(n - MAX_LISTED));
    free(list);
}

/** Done runs that took longest, where they stand out: above twice the median. */
static void list_slowest(FILE *out, const struct psw_progress_whole *w)
{
    int64_t n = 0;
    struct listed *list = list_of(w, PSW_OUTCOME_DONE, &n);
    const double median_s = n > 0 ? list[n / 2].key : 0;
    char took[32], usual[32];
    for (int64_t i = 0; i < N_SLOWEST && n >= FEWEST_FOR_SLOWEST; i++) {
        if (!(list[i].key > 2 * median_s) || median_s <= 0) break;
        if (i == 0)
            fprintf(out, "slowest, of runs that took %s in the median:\n",
                    psw_clock_text(median_s, usual));
        fprintf(out, "  %s: %s\n", list[i].view->run[list[i].run].label,
                psw_clock_text(list[i].key, took));
    }
    free(list);
}

/* ---- the head ---- */

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

/** "about 3 min 05 s left (2 min 40 s to 4 min 10 s)" */
static void put_left(FILE *out, const struct psw_progress *p)
{
    char left[PSW_LEFT_TEXT_BYTES], low[32], high[32];
    fputs(psw_progress_left_text(p->left_s, left), out);
    if (p->left_low_s >= 1 && p->left_high_s > p->left_low_s)
        fprintf(out, " (%s to %s)", psw_clock_text(p->left_low_s, low),
                psw_clock_text(p->left_high_s, high));
}

/* A bar of the work done; without a forecast, of the runs that have ended. */
static void put_bar(FILE *out, const struct psw_progress *p, int64_t n_over)
{
    char elapsed[32];
    const double by_run = p->n_run > 0 ? (double)n_over / (double)p->n_run : 0;
    const double part = isnan(p->part_done) ? by_run : fmin(1, fmax(0, p->part_done));
    fputc('[', out);
    for (int i = 0; i < BAR_WIDTH; i++) fputc(i < (int)(BAR_WIDTH * part) ? '#' : '.', out);
    fprintf(out, "]  %.0f %% of the %s; %s spent in %d session%s", 100 * part,
            isnan(p->part_done) ? "runs" : "work", psw_clock_text(p->elapsed_s, elapsed),
            p->n_session, p->n_session == 1 ? "" : "s");
    if (n_over < p->n_run && (p->holder.text[0] || isfinite(p->left_s))) {
        fputs(", ", out);
        put_left(out, p);
    }
    if (n_over < p->n_run && !p->holder.text[0] && isfinite(p->left_s)) {
        const long long n = p->n_rank;
        if (n > 0)
            fprintf(out, " once %lld rank%s work%s again", n, n == 1 ? "" : "s",
                    n == 1 ? "s" : "");
        else
            fputs(" once somebody works again", out);
    }
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

static int64_t count_over(const struct psw_progress *p)
{
    int64_t n = 0;
    for (int o = 0; o < PSW_N_OUTCOME; o++)
        if (psw_outcome_is_end((enum psw_outcome)o)) n += p->n_outcome[o];
    return n;
}

static void put_counts(FILE *out, const struct psw_progress *p)
{
    for (int o = 0, n = 0; o < PSW_N_OUTCOME; o++)
        if (p->n_outcome[o] > 0)
            fprintf(out, "%s%lld %s", n++ ? ", " : "", (long long)p->n_outcome[o],
                    psw_outcome_name((enum psw_outcome)o));
}

/** Of a sweep that one start works on, an error is older than its work; of a shared one it is
 * another job's. */
static char *ended_of(const struct psw_progress_whole *w)
{
    const struct psw_progress *p = &w->p;
    if (p->parts.n > 0 && p->parts.n_held > 0) return psw_progress_ended(w->path, NAN);
    return p->holder.text[0] ? NULL : psw_progress_ended(w->path, p->last_s);
}

static void put_ended(FILE *out, const struct psw_progress_whole *w)
{
    char *ended = ended_of(w);
    if (ended)
        fprintf(out, "%s ended with an error:\n",
                w->p.parts.n_held > 0 ? "a job of it" : "the last start");
    for (char *line = ended, *next; line && *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next) *next++ = 0;
        fprintf(out, "  %s\n", line);
    }
    free(ended);
}

static void put_idle(FILE *out, const struct psw_progress_whole *w)
{
    fprintf(out, "nobody works on it: run the same command again to continue\n");
    put_ended(out, w);
}

/** Parts that are not over and were begun: who has them. */
static void put_parts(FILE *out, const struct psw_progress_whole *w)
{
    int n = 0;
    const struct psw_progress_parts *parts = &w->p.parts;
    fprintf(out, "shared in %lld parts: %lld done, %lld at work, %lld waiting\n",
            (long long)parts->n, (long long)parts->n_over, (long long)parts->n_held,
            (long long)(parts->n - parts->n_over - parts->n_held));
    for (int32_t i = 0; i < w->n_view; i++) {
        const struct psw_progress_view *v = &w->view[i];
        if (v->part == 0 || (count_over(&v->p) == v->p.n_run && !v->p.holder.text[0])) continue;
        if (n++ >= MAX_LISTED) continue;
        fprintf(out, "  part %d: ", v->part);
        put_counts(out, &v->p);
        if (v->p.holder.text[0]) {
            fprintf(out, "%s: ", v->p.holder.is_unsure ? "; perhaps at work" : "; at work");
            fputs(v->p.holder.text, out);
        } else {
            fputs("; nobody works on it", out);
        }
        fputc('\n', out);
    }
    if (n > MAX_LISTED) fprintf(out, "  ... and %d more\n", n - MAX_LISTED);
    if (parts->n_over == parts->n) return;
    if (parts->n_held == 0)
        put_idle(out, w);
    else
        put_ended(out, w);
}

static void put_head(FILE *out, const struct psw_progress_whole *w)
{
    char age[32];
    const struct psw_progress *p = &w->p;
    const int64_t n_over = count_over(p);
    fprintf(out, "%s: ", p->name[0] ? p->name : w->path);
    put_counts(out, p);
    fprintf(out, " of %lld runs\n", (long long)p->n_run);
    put_bar(out, p, n_over);
    if (p->parts.n > 0)
        put_parts(out, w);
    else if (p->holder.is_unsure)
        fprintf(out,
                "perhaps at work: %s: no locks here: cannot tell whether it is alive; last "
                "record %s ago\nmake sure that it has ended before you run the command again\n",
                p->holder.text, psw_clock_text(p->last_s, age));
    else if (p->holder.text[0])
        put_at_work(out, p);
    else if (n_over < p->n_run)
        put_idle(out, w);
}

/** Where the next remark of the last start stands, from `at` on (-1: its first); at the end:
 * how many entries there are. */
static int64_t next_remark(const struct psw_progress_view *v, int64_t at)
{
    const int64_t n = psw_journal_n_entry(v->journal);
    if (at < 0)
        for (at = n; at > 0; at--)
            if (psw_journal_entry_at(v->journal, at - 1)->type == PSW_J_SESSION) break;
    while (at < n && psw_journal_entry_at(v->journal, at)->type != PSW_J_REMARK) at++;
    return at;
}

/** What the last start of a journal said about its ranks. */
static void list_remarks(FILE *out, const struct psw_progress_view *v)
{
    const int64_t end = psw_journal_n_entry(v->journal);
    int n = 0;
    for (int64_t i = next_remark(v, -1); i < end; i = next_remark(v, i + 1)) {
        char *text = psw_progress_text(v, i);
        if (!text) continue;
        if (n++ == 0) fprintf(out, "ranks, in the last start:\n");
        if (n <= MAX_LISTED) fprintf(out, "  %s\n", text);
        free(text);
    }
    if (n > MAX_LISTED) fprintf(out, "  ... and %d more\n", n - MAX_LISTED);
}

/** What stands in `posweep status` about runs, in this order. */
static const struct {
    enum psw_outcome outcome;
    const char *title;
} LISTS[] = {{PSW_OUTCOME_RUNNING, "running"},
             {PSW_OUTCOME_INTERRUPTED, "interrupted, to be resumed"},
             {PSW_OUTCOME_DIVERGED, "diverged"},
             {PSW_OUTCOME_TIMEOUT, "timeout"},
             {PSW_OUTCOME_CENSORED, "stopped early"},
             {PSW_OUTCOME_FAILED, "failed"}};
enum { N_LIST = sizeof LISTS / sizeof *LISTS };

static psw_status check_written(FILE *out, struct psw_error *err)
{
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the status") : PSW_OK;
}

psw_status psw_progress_show(FILE *out, const char *path, struct psw_error *err)
{
    struct psw_progress_whole whole;
    const psw_status rc = psw_progress_load(path, &whole, err);
    if (rc != PSW_OK) return rc;
    put_head(out, &whole);
    for (int32_t i = 0; i < whole.n_view; i++) list_remarks(out, &whole.view[i]);
    for (int i = 0; i < N_LIST; i++) list_runs(out, &whole, LISTS[i].outcome, LISTS[i].title);
    list_slowest(out, &whole);
    psw_progress_clear(&whole);
    return check_written(out, err);
}

/* ---- JSON ---- */

static void json_number(FILE *out, const char *name, double value)
{
    fprintf(out, ", \"%s\": ", name);
    if (isfinite(value))
        fprintf(out, "%.15g", value);
    else
        fputs("null", out);
}

static void json_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ", \"%s\": ", name);
    psw_compare_json_text(out, text ? text : "");
}

static void json_run(FILE *out, const struct listed *at, enum psw_outcome which)
{
    const struct psw_progress_run *run = &at->view->run[at->run];
    char hash[PSW_HASH_TEXT_BYTES];
    int32_t attempts = 0;
    psw_progress_outcome(at->view, at->run, &attempts);
    char *host = psw_progress_text(at->view, run->last_started);
    char *message =
        which == PSW_OUTCOME_RUNNING ? NULL : psw_progress_text(at->view, run->last_end);
    char *log = psw_progress_text(at->view, run->last_log);
    fprintf(out, "{\"run\": \"%s\"", psw_hash_text(run->hash, hash));
    json_text(out, "label", run->label);
    json_text(out, "outcome", psw_outcome_name(which));
    fprintf(out, ", \"attempts\": %d", attempts);
    json_number(out, "share", run->share);
    json_number(out, "running_s", which == PSW_OUTCOME_RUNNING ? running_s(run) : NAN);
    json_text(out, "host", host);
    fprintf(out, ", \"n_rank\": %d", psw_progress_ranks(at->view, run->last_started));
    json_text(out, "message", message);
    json_text(out, "log", log);
    fputc('}', out);
    free(host);
    free(message);
    free(log);
}

static void json_parts(FILE *out, const struct psw_progress_whole *w)
{
    int n = 0;
    fputs(", \"parts\": [", out);
    for (int32_t i = 0; i < w->n_view; i++) {
        const struct psw_progress_view *v = &w->view[i];
        if (v->part == 0) continue;
        fprintf(out, "%s{\"part\": %d, \"n_run\": %lld, \"n_ended\": %lld", n++ ? ", " : "",
                v->part, (long long)v->p.n_run, (long long)count_over(&v->p));
        json_text(out, "holder", v->p.holder.text);
        fputc('}', out);
    }
    fputc(']', out);
}

static void json_remarks(FILE *out, const struct psw_progress_whole *w)
{
    int n = 0;
    fputs(", \"remarks\": [", out);
    for (int32_t k = 0; k < w->n_view; k++) {
        const struct psw_progress_view *v = &w->view[k];
        const int64_t end = psw_journal_n_entry(v->journal);
        for (int64_t i = next_remark(v, -1); i < end; i = next_remark(v, i + 1)) {
            char *text = psw_progress_text(v, i);
            if (text && n++) fputs(", ", out);
            if (text) psw_compare_json_text(out, text);
            free(text);
        }
    }
    fputc(']', out);
}

psw_status psw_progress_json(FILE *out, const char *path, struct psw_error *err)
{
    struct psw_progress_whole w;
    const psw_status rc = psw_progress_load(path, &w, err);
    if (rc != PSW_OK) return rc;
    const struct psw_progress *p = &w.p;
    fprintf(out, "{\"n_run\": %lld", (long long)p->n_run);
    json_text(out, "name", p->name);
    for (int o = 0; o < PSW_N_OUTCOME; o++)
        fprintf(out, ", \"n_%s\": %lld", psw_outcome_name((enum psw_outcome)o),
                (long long)p->n_outcome[o]);
    json_number(out, "part_done", p->part_done);
    json_number(out, "elapsed_s", p->elapsed_s);
    json_number(out, "left_s", p->left_s);
    json_number(out, "left_low_s", p->left_low_s);
    json_number(out, "left_high_s", p->left_high_s);
    json_number(out, "last_record_s", p->last_s);
    fprintf(out, ", \"n_session\": %d, \"n_active\": %lld, \"n_rank\": %lld", p->n_session,
            (long long)p->n_active, (long long)p->n_rank);
    json_text(out, "holder", p->holder.text);
    char *ended = ended_of(&w);
    json_text(out, "ended", ended);
    free(ended);
    fprintf(out, ", \"n_part\": %lld", (long long)p->parts.n);
    json_parts(out, &w);
    json_remarks(out, &w);
    fputs(", \"runs\": [", out);
    for (int i = 0, n_put = 0; i < N_LIST; i++) {
        int64_t n = 0;
        struct listed *list = list_of(&w, LISTS[i].outcome, &n);
        for (int64_t k = 0; k < n; k++) {
            if (n_put++) fputs(", ", out);
            json_run(out, &list[k], LISTS[i].outcome);
        }
        free(list);
    }
    fputs("]}\n", out);
    psw_progress_clear(&w);
    return check_written(out, err);
}
