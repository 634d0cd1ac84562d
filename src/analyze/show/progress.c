/* How a sweep stands. Everything comes from its journals, read without their locks; whether it
 * is being worked on comes from the lock files. A sweep that several jobs share has a plan of
 * parts (sweep/parts.h) in OUT.parts, and a journal for each part that was begun. */
#include "progress_internal.h"

#include <posweep/config/sweep_file.h>
#include <posweep/store/record_file.h>
#include <posweep/util/clock.h>
#include <posweep/util/hash.h>

#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static psw_status journal_of(const char *path, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    const size_t n = strlen(path);
    if (n > 8 && strcmp(path + n - 8, ".journal") == 0)
        return psw_path(out, PSW_PATH_BYTES, err, "%s", path);
    return psw_journal_path(path, out, err);
}

/* ---- the runs of a journal ---- */

static int load_runs(struct psw_progress_view *v, const struct psw_record *spec)
{
    const char *at = psw_record_text(spec, "label");
    const struct psw_field *run = psw_record_get(spec, "run");
    v->p.n_run = run ? psw_shape_count(run->shape) : 0;
    v->run = calloc((size_t)v->p.n_run + 1, sizeof *v->run);
    for (int64_t r = 0; v->run && r < v->p.n_run; r++) {
        struct psw_progress_run *to = &v->run[r];
        const size_t n = strcspn(at, "\n");
        char hash[PSW_HASH_TEXT_BYTES];
        *to = (struct psw_progress_run){.hash = (uint64_t)psw_field_i64(run, r, 0),
                                        .begun_s = NAN,
                                        .last_started = -1,
                                        .last_end = -1,
                                        .last_log = -1};
        to->label = n ? strndup(at, n) : strdup(psw_hash_text(to->hash, hash));
        if (!to->label) return 0;
        at += n + (at[n] == '\n');
    }
    return v->run != NULL;
}

/** Shares of runs that are not done, from their last progress records. */
static void load_shares(struct psw_progress_view *v)
{
    for (int64_t r = 0; r < v->p.n_run; r++) {
        if (psw_journal_outcome(v->journal, v->run[r].hash, NULL) == PSW_OUTCOME_DONE) continue;
        const int64_t i = psw_journal_progress(v->journal, v->run[r].hash);
        void *bytes = NULL;
        double done_total[2];
        if (i < 0 || psw_journal_entry_at(v->journal, i)->n_bytes != sizeof done_total)
            continue;
        if (psw_journal_payload(v->journal, i, &bytes, NULL) != PSW_OK) continue;
        memcpy(done_total, bytes, sizeof done_total);
        free(bytes);
        if (done_total[1] > 0)
            v->run[r].share = fmin(1, fmax(0, done_total[0] / done_total[1]));
    }
}

/** A run's place by its hash. */
struct place {
    uint64_t hash;
    int64_t run;
};

static int by_hash(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int carries_message(enum psw_journal_type type)
{
    return type == PSW_J_FAILED || type == PSW_J_DIVERGED || type == PSW_J_INTERRUPTED ||
           type == PSW_J_TIMEOUT || type == PSW_J_CENSORED;
}

/** The runs of a view by their hashes. */
struct places {
    struct place *at; /* owned */
    int64_t n;        /* 0 for want of memory: when runs began is not known then */
};

static struct places places_of(const struct psw_progress_view *v)
{
    struct places p = {.at = malloc(((size_t)v->p.n_run + 1) * sizeof *p.at)};
    if (!p.at) return p;
    for (int64_t r = 0; r < v->p.n_run; r++) p.at[r] = (struct place){v->run[r].hash, r};
    qsort(p.at, (size_t)v->p.n_run, sizeof *p.at, by_hash);
    p.n = v->p.n_run;
    return p;
}

/** When a run began and ended. */
static void see_life(struct psw_progress_view *v, const struct places *places, int64_t i)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
    const int is_end = e->type == PSW_J_DONE || carries_message(e->type);
    if (!is_end && e->type != PSW_J_STARTED && e->type != PSW_J_LOG) return;
    const struct place *at = bsearch(&(struct place){.hash = e->run}, places->at,
                                     (size_t)places->n, sizeof *places->at, by_hash);
    if (!at) return;
    struct psw_progress_run *run = &v->run[at->run];
    if (is_end && run->last_started >= 0) {
        const double worked_s = e->time_s - run->begun_s;
        if (worked_s > 0 && isfinite(worked_s)) run->worked_s += worked_s;
    }
    if (carries_message(e->type)) run->last_end = i;
    if (e->type == PSW_J_LOG) run->last_log = i;
    if (e->type != PSW_J_STARTED) return;
    run->last_started = i;
    run->begun_s = e->time_s;
}

/** Lives of runs, and the time spent: from each session's start to its last record. */
static void load_lives(struct psw_progress_view *v)
{
    struct places places = places_of(v);
    double begin_s = NAN, last_s = NAN;
    for (int64_t i = 0; i < psw_journal_n_entry(v->journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(v->journal, i);
        if (e->type == PSW_J_SESSION) {
            if (isfinite(begin_s)) v->p.elapsed_s += fmax(0, last_s - begin_s);
            begin_s = e->time_s;
            v->p.n_session++;
        }
        if (e->type != PSW_J_SPEC) last_s = e->time_s; /* that one is of the next session */
        if (places.n > 0) see_life(v, &places, i);
    }
    const double now_s = psw_clock_unix_s();
    if (isfinite(begin_s))
        v->p.elapsed_s += fmax(0, (v->p.holder.text[0] ? now_s : last_s) - begin_s);
    v->p.last_s = isfinite(last_s) ? fmax(0, now_s - last_s) : NAN;
    free(places.at);
}

/* The sweep's own forecast, as old as its record is. Of an earlier start only while nobody
 * works: this start may have other ranks, and will tell soon. */
static void load_forecast(struct psw_progress_view *v)
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

static void load_counts(struct psw_progress_view *v)
{
    int64_t n_over = 0, n_own = 0;
    for (int64_t r = 0; r < v->p.n_run; r++) {
        if (v->run[r].is_left_out) continue;
        const enum psw_outcome o = psw_progress_outcome(v, r, NULL);
        v->p.n_outcome[o]++;
        n_over += psw_outcome_is_end(o);
        n_own++;
    }
    if (n_over < n_own) return;
    v->p.left_s = 0;
    v->p.part_done = 1;
    v->p.n_active = 0;
}

static void unload(struct psw_progress_view *v)
{
    for (int64_t r = 0; v->run && r < v->p.n_run; r++) free(v->run[r].label);
    free(v->run);
    psw_journal_close(v->journal);
    *v = (struct psw_progress_view){0};
}

/** The plan of a shared sweep; zeroed: it is none. */
struct parts {
    struct psw_record *plan; /* owned */
    int64_t n_run, n_part;
    struct place *elsewhere; /* owned [n_run], by hash; run: the part, from 0 */
    int tells_before;        /* the plan says what had ended before it was made */
    int64_t n_before;
    struct place *before; /* owned [n_before], by hash: runs that are asked for, too */
};

static int is_among(const struct place *list, int64_t n, uint64_t hash)
{
    return n > 0 && bsearch(&(struct place){.hash = hash}, list, (size_t)n, sizeof *list,
                            by_hash) != NULL;
}

/* Runs of the whole that are counted in a part, or not at all. */
static void leave_out(struct psw_progress_view *v, const struct parts *parts)
{
    for (int64_t r = 0; r < v->p.n_run; r++) {
        struct psw_progress_run *run = &v->run[r];
        run->is_elsewhere = is_among(parts->elsewhere, parts->n_run, run->hash);
        run->is_left_out =
            run->is_elsewhere ||
            (parts->tells_before && !is_among(parts->before, parts->n_before, run->hash));
    }
}

/* parts: of the whole; of a part itself NULL. */
static psw_status load_view(const char *path, const struct parts *parts,
                            struct psw_progress_view *v, struct psw_error *err)
{
    psw_status rc = psw_journal_read(path, &v->journal, err);
    if (rc != PSW_OK) return rc;
    v->p.holder.is_unsure =
        psw_journal_holder(path, v->p.holder.text, sizeof v->p.holder.text) < 0;
    v->p.torn_bytes = psw_journal_torn_bytes(v->journal);
    v->p.left_s = v->p.part_done = NAN;
    const struct psw_record *spec = psw_journal_spec(v->journal);
    if (!spec) return PSW_OK; /* just created */
    snprintf(v->p.name, sizeof v->p.name, "%s", psw_record_text(spec, "sweep_name"));
    if (!load_runs(v, spec)) {
        const long long n = v->p.n_run;
        unload(v);
        return psw_fail(err, PSW_ENOMEM, "status: %lld runs", n);
    }
    if (parts) leave_out(v, parts);
    load_shares(v);
    load_lives(v);
    load_forecast(v);
    load_counts(v);
    return PSW_OK;
}

/* ---- the whole ---- */

static void parts_clear(struct parts *parts)
{
    psw_record_destroy(parts->plan);
    free(parts->elsewhere);
    free(parts->before);
    *parts = (struct parts){0};
}

/* A field of hashes, by hash, each with a number of another field (NULL: none). */
static struct place *read_places(const struct psw_record *plan, const char *hashes,
                                 const char *numbers, int64_t *n)
{
    const struct psw_field *hash = psw_record_get(plan, hashes);
    const struct psw_field *number = numbers ? psw_record_get(plan, numbers) : NULL;
    *n = hash ? psw_shape_count(hash->shape) : 0;
    struct place *out = *n > 0 ? malloc((size_t)*n * sizeof *out) : NULL;
    for (int64_t i = 0; out && i < *n; i++)
        out[i] =
            (struct place){(uint64_t)psw_field_i64(hash, i, 0), psw_field_i64(number, i, -1)};
    if (out)
        qsort(out, (size_t)*n, sizeof *out, by_hash);
    else
        *n = 0;
    return out;
}

/* A plan that cannot be read, or went away meanwhile, is none. */
static void parts_read(const char *journal_path, struct parts *out)
{
    char path[PSW_PATH_BYTES];
    const int n_stem = (int)(strlen(journal_path) - strlen(".journal"));
    *out = (struct parts){0};
    if (psw_path(path, sizeof path, NULL, "%.*s.parts/plan", n_stem, journal_path) != PSW_OK ||
        psw_record_read(path, &out->plan, NULL) != PSW_OK)
        return;
    out->elsewhere = read_places(out->plan, "run", "part", &out->n_run);
    out->before = read_places(out->plan, "before", NULL, &out->n_before);
    out->tells_before = psw_record_get(out->plan, "before") != NULL;
    out->n_part = psw_record_i64(out->plan, "n_part", 0, 0);
    if (out->n_part < 1 || out->n_part > PSW_MAX_RUNS || out->n_run < 1) parts_clear(out);
}

static void load_parts(struct psw_progress_whole *w, const struct parts *parts)
{
    const int n_stem = (int)(strlen(w->path) - strlen(".journal"));
    for (int64_t k = 0; k < parts->n_part; k++) {
        char path[PSW_PATH_BYTES];
        struct psw_progress_view *v = &w->view[w->n_view];
        if (psw_path(path, sizeof path, NULL, "%.*s.parts/%lld.h5.journal", n_stem, w->path,
                     (long long)k + 1) != PSW_OK ||
            load_view(path, NULL, v, NULL) != PSW_OK)
            continue;
        v->part = (int32_t)k + 1;
        w->n_view++;
    }
}

static double own_runs(const struct psw_progress_view *v)
{
    int64_t n = 0;
    for (int o = 0; o < PSW_N_OUTCOME; o++) n += v->p.n_outcome[o];
    return (double)n;
}

/** Runs that have ended. */
static double n_over(const struct psw_progress_view *v)
{
    int64_t n = 0;
    for (int o = 0; o < PSW_N_OUTCOME; o++)
        n += psw_outcome_is_end((enum psw_outcome)o) ? v->p.n_outcome[o] : 0;
    return (double)n;
}

/** The share of the work of a view that is done; without a forecast, of its runs. */
static double part_done(const struct psw_progress_view *v)
{
    if (!isnan(v->p.part_done)) return v->p.part_done;
    return own_runs(v) > 0 ? n_over(v) / own_runs(v) : 0;
}

static void count_part(const struct psw_progress_view *v, struct psw_progress *sum)
{
    const double n = own_runs(v);
    if (v->part == 0) return;
    sum->parts.n_over += n > 0 && n_over(v) == n && !v->p.holder.text[0];
    sum->parts.n_held += v->p.holder.text[0] != 0;
}

/** All views as one. Times left of parts run side by side; what waits is the forecast's. */
static void add_up(struct psw_progress_whole *w, const struct parts *parts)
{
    struct psw_progress *p = &w->p;
    double done = 0, n_own = 0;
    *p = (struct psw_progress){.left_s = NAN, .last_s = NAN};
    p->parts.n = parts->n_part;
    for (int32_t i = 0; i < w->n_view; i++) {
        const struct psw_progress_view *v = &w->view[i];
        for (int o = 0; o < PSW_N_OUTCOME; o++) p->n_outcome[o] += v->p.n_outcome[o];
        if (!p->name[0]) memcpy(p->name, v->p.name, sizeof p->name);
        if (v->part > 0 && v->p.holder.text[0]) p->holder = v->p.holder;
        p->n_active += v->p.n_active;
        p->n_rank += v->p.holder.text[0] ? v->p.n_rank : 0;
        p->elapsed_s += v->part > 0 ? v->p.elapsed_s : 0;
        p->n_session += v->part > 0 ? v->p.n_session : 0;
        p->torn_bytes += v->p.torn_bytes;
        p->last_s = fmin(isnan(p->last_s) ? INFINITY : p->last_s, v->p.last_s);
        done += part_done(v) * own_runs(v);
        n_own += own_runs(v);
        count_part(v, p);
    }
    const struct psw_progress_view *first = &w->view[0];
    p->n_run = parts->n_run;
    for (int64_t r = 0; first->part == 0 && r < first->p.n_run; r++)
        p->n_run += !first->run[r].is_left_out;
    p->n_outcome[PSW_OUTCOME_QUEUED] += p->n_run - (int64_t)n_own;
    p->part_done = p->n_run > 0 ? done / (double)p->n_run : 0;
}

static psw_status fail_no_journal(const char *path, struct psw_error *err)
{
    char *ended = psw_progress_ended(path, NAN);
    const psw_status rc = psw_fail(
        err, PSW_ENOENT, "%s: no journal: no sweep was run with this output%s%.700s", path,
        ended ? "; the last start ended with an error: " : "", ended ? ended : "");
    free(ended);
    return rc;
}

psw_status psw_progress_load(const char *path, struct psw_progress_whole *out,
                             struct psw_error *err)
{
    struct parts parts;
    *out = (struct psw_progress_whole){0};
    psw_status rc = journal_of(path, out->path, err);
    if (rc != PSW_OK) return rc;
    parts_read(out->path, &parts);
    out->view = calloc((size_t)parts.n_part + 1, sizeof *out->view);
    if (!out->view)
        rc = psw_fail(err, PSW_ENOMEM, "status: %lld parts", (long long)parts.n_part);
    if (rc == PSW_OK) rc = load_view(out->path, &parts, &out->view[0], err);
    out->n_view = rc == PSW_OK;
    if (rc == PSW_ENOENT && parts.n_part == 0)
        rc = fail_no_journal(out->path, err);
    else if (rc == PSW_ENOENT)
        rc = PSW_OK; /* nothing of a shared sweep has been put together yet */
    if (rc == PSW_OK) load_parts(out, &parts);
    if (rc == PSW_OK && parts.n_part > 0)
        add_up(out, &parts);
    else if (rc == PSW_OK)
        out->p = out->view[0].p;
    parts_clear(&parts);
    if (rc != PSW_OK) psw_progress_clear(out);
    if (rc == PSW_OK) psw_progress_forecast(out);
    return rc;
}

void psw_progress_clear(struct psw_progress_whole *whole)
{
    for (int32_t i = 0; i < whole->n_view; i++) unload(&whole->view[i]);
    free(whole->view);
    *whole = (struct psw_progress_whole){0};
}

psw_status psw_progress_read(const char *path, struct psw_progress *out, struct psw_error *err)
{
    struct psw_progress_whole whole;
    const psw_status rc = psw_progress_load(path, &whole, err);
    if (rc != PSW_OK) return rc;
    *out = whole.p;
    psw_progress_clear(&whole);
    return PSW_OK;
}

int psw_progress_is_awaited(const char *path)
{
    struct psw_progress p;
    char name[PSW_PATH_BYTES];
    if (psw_file_exists(path) || psw_progress_read(path, &p, NULL) != PSW_ENOENT ||
        journal_of(path, name, NULL) != PSW_OK)
        return 0;
    char *ended = psw_progress_ended(name, NAN);
    const int has_ended = ended != NULL;
    free(ended);
    return !has_ended && access(dirname(name), X_OK) == 0;
}
