/* Taking runs out of a sweep; see prune.h. The journal is written anew by merging it with
 * nothing, less the runs. */
#include <posweep/config/leaf.h>
#include <posweep/config/leaves.h>
#include <posweep/stage/stage.h>
#include <posweep/sweep/prune.h>
#include <posweep/sweep/shared.h>
#include <posweep/sweep/sweep_merge.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CONDITIONS = 16 };
static const double LOCK_WAIT_S = 10;

/* ---- conditions ---- */

/** "key=value", of a run's method, variant or a setting. */
struct condition {
    const struct psw_leaf *leaf; /* NULL: method or variant */
    int is_variant;
    char value[PSW_LEAF_TEXT_BYTES];
    struct psw_config wanted;
};

struct conditions {
    struct condition *item; /* owned */
    int n;
};

static psw_status read_condition(const char *text, size_t n, struct condition *out,
                                 struct psw_error *err)
{
    char key[128];
    const char *equal = memchr(text, '=', n);
    const size_t n_key = equal ? (size_t)(equal - text) : 0;
    if (n_key == 0 || n_key >= sizeof key || n - n_key > sizeof out->value)
        return psw_fail(err, PSW_EINVAL,
                        "--where: \"%.*s\" is no condition such as policy.beta=0.1", (int)n,
                        text);
    snprintf(key, sizeof key, "%.*s", (int)n_key, text);
    snprintf(out->value, sizeof out->value, "%.*s", (int)(n - n_key - 1), equal + 1);
    out->is_variant = strcmp(key, "variant") == 0;
    out->leaf = NULL;
    if (out->is_variant || strcmp(key, "method") == 0) return PSW_OK;
    out->leaf = psw_leaf_find(key);
    if (!out->leaf)
        return psw_fail(
            err, PSW_EINVAL,
            "--where: no setting \"%s\": expected method, variant, seed or a setting "
            "such as policy.beta (posweep help config)",
            key);
    psw_config_default(&out->wanted);
    return psw_leaf_set(out->leaf, out->value, ".", &out->wanted, err);
}

static psw_status read_conditions(const char *where, struct conditions *out,
                                  struct psw_error *err)
{
    *out = (struct conditions){0};
    if (!where) return PSW_OK;
    out->item = calloc(MAX_CONDITIONS, sizeof *out->item);
    if (!out->item) return psw_fail(err, PSW_ENOMEM, "--where");
    for (const char *at = where;;) {
        const size_t n = strcspn(at, ",");
        if (out->n == MAX_CONDITIONS)
            return psw_fail(err, PSW_EINVAL, "--where: more than %d conditions",
                            MAX_CONDITIONS);
        const psw_status rc = read_condition(at, n, &out->item[out->n], err);
        if (rc != PSW_OK) return rc;
        out->n++;
        if (!at[n]) return PSW_OK;
        at += n + 1;
    }
}

static int fits(const struct conditions *c, const struct psw_run *run,
                const struct psw_config *config)
{
    for (int i = 0; i < c->n; i++) {
        const struct condition *one = &c->item[i];
        if (one->leaf ? !psw_leaf_equal(one->leaf, config, &one->wanted)
                      : strcmp(one->is_variant ? run->variant : run->method, one->value) != 0)
            return 0;
    }
    return 1;
}

/* ---- finding ---- */

void psw_prune_list_clear(struct psw_prune_list *list)
{
    for (int64_t i = 0; i < list->n; i++) free(list->run[i].label);
    free(list->run);
    *list = (struct psw_prune_list){0};
}

/** A run of the journal's sweep. */
struct asked {
    uint64_t hash;
    const char *label; /* borrowed from the journal */
    int n_label;
};

/** What is looked through. */
struct search {
    const struct psw_prune_opts *opts;
    struct psw_journal *journal; /* owned */
    struct psw_sweep *sweep;     /* owned; NULL where no setting is asked for */
    struct conditions conditions;
    struct asked *asked; /* owned [n_asked], in the order of the sweep */
    int64_t n_asked;
    struct psw_prune_list *list;
    int64_t n_room; /* of the list */
};

static void search_clear(struct search *s)
{
    psw_journal_close(s->journal);
    psw_sweep_destroy(s->sweep);
    free(s->conditions.item);
    free(s->asked);
}

static psw_status list_asked(struct search *s, struct psw_error *err)
{
    const struct psw_record *spec = psw_journal_spec(s->journal);
    const struct psw_field *run = spec ? psw_record_get(spec, "run") : NULL;
    const char *label = spec ? psw_record_text(spec, "label") : "";
    s->n_asked = run ? psw_shape_count(run->shape) : 0;
    s->asked = calloc((size_t)s->n_asked + 1, sizeof *s->asked);
    if (!s->asked) return psw_fail(err, PSW_ENOMEM, "%s", s->opts->path);
    for (int64_t r = 0; r < s->n_asked; r++) {
        const size_t n = strcspn(label, "\n");
        s->asked[r] = (struct asked){(uint64_t)psw_field_i64(run, r, 0), label, (int)n};
        label += n + (label[n] == '\n');
    }
    return PSW_OK;
}

static psw_status add(struct search *s, uint64_t hash, const char *label, int n_label,
                      struct psw_error *err)
{
    struct psw_prune_list *list = s->list;
    for (int64_t i = 0; i < list->n && i < s->opts->n_name; i++)
        if (list->run[i].hash == hash) return PSW_OK; /* named, too */
    if (list->n == s->n_room) {
        const int64_t n_room = s->n_room ? 2 * s->n_room : 64;
        struct psw_prune_run *grown = realloc(list->run, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "prune: %lld runs", (long long)n_room);
        list->run = grown;
        s->n_room = n_room;
    }
    list->run[list->n] =
        (struct psw_prune_run){.hash = hash,
                               .outcome = psw_journal_outcome(s->journal, hash, NULL),
                               .label = strndup(label, (size_t)n_label)};
    return list->run[list->n++].label ? PSW_OK : psw_fail(err, PSW_ENOMEM, "prune");
}

static psw_status find_name(struct search *s, const char *name, struct psw_error *err)
{
    const struct asked *found = NULL;
    const int n_name = (int)strlen(name);
    int64_t n_fit = 0;
    for (int64_t r = 0; r < s->n_asked; r++) {
        const struct asked *a = &s->asked[r];
        char text[PSW_HASH_TEXT_BYTES];
        const int is_label = n_name == a->n_label && !strncmp(a->label, name, (size_t)n_name);
        if (!is_label && strncmp(psw_hash_text(a->hash, text), name, (size_t)n_name) != 0)
            continue;
        found = a;
        n_fit++;
    }
    if (n_fit == 1) return add(s, found->hash, found->label, found->n_label, err);
    return psw_fail(
        err, PSW_EINVAL,
        "\"%s\" fits %lld runs of %s: give a whole label, or more digits of a hash, as "
        "posweep plan --all lists them",
        name, (long long)n_fit, s->opts->path);
}

/* Runs that the sweep asks for, by the conditions. Of a run that was never begun nothing can
 * go. */
static psw_status find_asked(struct search *s, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_config_reader reader = {0};
    for (int64_t r = 0; rc == PSW_OK && r < s->n_asked; r++) {
        const struct asked *a = &s->asked[r];
        const enum psw_outcome o = psw_journal_outcome(s->journal, a->hash, NULL);
        if (o == PSW_OUTCOME_QUEUED || (s->opts->outcomes && !(s->opts->outcomes >> o & 1)) ||
            (s->sweep &&
             !fits(&s->conditions, &s->sweep->run[r], psw_sweep_config(s->sweep, r, &reader))))
            continue;
        rc = add(s, a->hash, a->label, a->n_label, err);
    }
    return rc;
}

static int by_hash(const void *a, const void *b)
{
    const struct asked *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Finished runs that nobody asks for, each once. */
static psw_status find_unasked(struct search *s, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const size_t n = (size_t)s->n_asked;
    qsort(s->asked, n, sizeof *s->asked, by_hash);
    for (int64_t i = 0; rc == PSW_OK && i < psw_journal_n_entry(s->journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(s->journal, i);
        if (e->type != PSW_J_DONE ||
            bsearch(&(struct asked){.hash = e->run}, s->asked, n, sizeof *s->asked, by_hash))
            continue;
        int64_t k = 0;
        while (k < s->list->n && s->list->run[k].hash != e->run) k++;
        if (k == s->list->n) rc = add(s, e->run, "not asked for any more", 22, err);
    }
    return rc;
}

/* The settings of the runs, which stand in the order of the journal's list. */
static psw_status read_sweep(struct search *s, struct psw_error *err)
{
    const char *text = psw_record_text(psw_journal_spec(s->journal), "spec_text");
    psw_status rc = read_conditions(s->opts->where, &s->conditions, err);
    if (rc == PSW_OK) rc = psw_sweep_reread(s->opts->path, text, &s->sweep, err);
    if (rc != PSW_OK) return rc;
    int64_t r = 0;
    while (r < s->n_asked && r < s->sweep->n_run && s->sweep->run[r].hash == s->asked[r].hash)
        r++;
    if (r == s->n_asked && r == s->sweep->n_run) return PSW_OK;
    return psw_fail(
        err, PSW_EINVAL,
        "%s: its sweep file does not give the same runs any more, so that --where cannot "
        "be answered: a data file or model that it names has changed. Name the runs",
        s->opts->path);
}

static psw_status search_all(struct search *s, struct psw_error *err)
{
    const struct psw_prune_opts *o = s->opts;
    psw_status rc = list_asked(s, err);
    if (rc == PSW_OK && o->where) rc = read_sweep(s, err);
    for (int i = 0; rc == PSW_OK && i < o->n_name; i++) rc = find_name(s, o->name[i], err);
    if (rc == PSW_OK && (o->where || o->outcomes)) rc = find_asked(s, err);
    if (rc == PSW_OK && o->is_all_unasked) rc = find_unasked(s, err);
    return rc;
}

psw_status psw_prune_find(const struct psw_prune_opts *opts, struct psw_prune_list *out,
                          struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_prune_list list = {0};
    struct search s = {.opts = opts, .list = &list};
    psw_status rc = PSW_OK;
    if (psw_shared_is(opts->path))
        return psw_fail(err, PSW_EINVAL,
                        "%s: jobs share this sweep, in %s.parts: let them finish it first",
                        opts->path, opts->path);
    PSW_TRY(psw_path(list.work_dir, sizeof list.work_dir, err,
                     opts->work_dir ? "%s" : "%s.work",
                     opts->work_dir ? opts->work_dir : opts->path));
    PSW_TRY(psw_journal_path(opts->path, path, err));
    PSW_TRY(psw_journal_read(path, &s.journal, err));
    PSW_TRY(search_all(&s, err));
    list.is_whole_work = opts->has_work && !opts->n_name && !opts->where && !opts->outcomes &&
                         !opts->is_all_unasked;
    *out = list;
fail:
    search_clear(&s);
    if (rc != PSW_OK) psw_prune_list_clear(&list);
    return rc;
}

/* ---- taking out ---- */

static psw_status remove_work(const struct psw_prune_list *list, struct psw_journal *journal,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; rc == PSW_OK && i < list->n; i++) {
        uint64_t key = 0;
        rc = psw_journal_content(journal, list->run[i].hash, &key, err);
        if (rc == PSW_OK && key) rc = psw_stage_forget_key(list->work_dir, key, err);
        if (rc == PSW_OK) rc = psw_stage_forget_kept(list->work_dir, list->run[i].hash, err);
    }
    return rc;
}

/* A second name for the journal that is about to be replaced. */
static psw_status keep_old(const char *path, const char *backup, struct psw_error *err)
{
    unlink(backup);
    if (link(path, backup) == 0) return PSW_OK;
    return psw_fail(err, psw_status_from_errno(errno), "%s: cannot keep it as %s: %s", path,
                    backup, strerror(errno));
}

static psw_status rewrite(const struct psw_prune_opts *opts, const struct psw_prune_list *list,
                          struct psw_journal_merge *merge, struct psw_error *err)
{
    struct psw_sweep *sweep = NULL;
    struct psw_sweep_merge_summary ignored;
    const struct psw_record *spec = psw_journal_spec(psw_journal_merge_source(merge, 0));
    uint64_t *hash = malloc(((size_t)list->n + 1) * sizeof *hash);
    psw_status rc = hash ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%s", opts->path);
    for (int64_t i = 0; rc == PSW_OK && i < list->n; i++) hash[i] = list->run[i].hash;
    if (rc == PSW_OK) rc = psw_journal_merge_leave_out(merge, hash, list->n, err);
    if (rc == PSW_OK)
        rc = psw_sweep_reread(opts->path, psw_record_text(spec, "spec_text"), &sweep, err);
    if (rc == PSW_OK) rc = psw_sweep_merge_write(merge, sweep, opts->path, NULL, &ignored, err);
    psw_sweep_destroy(sweep);
    free(hash);
    return rc;
}

psw_status psw_prune_apply(const struct psw_prune_opts *opts, const struct psw_prune_list *list,
                           struct psw_error *err)
{
    char path[PSW_PATH_BYTES], backup[PSW_PATH_BYTES];
    struct psw_journal_merge *merge = NULL;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_journal_path(opts->path, path, err));
    PSW_TRY(psw_path(backup, sizeof backup, err, "%s.bak", path));
    PSW_TRY(psw_journal_merge_begin(path, LOCK_WAIT_S, &merge, err));
    PSW_TRY(psw_journal_merge_add(merge, path, opts->path, err));
    if (list->n > 0) {
        PSW_TRY(keep_old(path, backup, err));
        PSW_TRY(rewrite(opts, list, merge, err));
        unlink(backup);
    }
    /* the source is still the old journal, which knows the files */
    if (opts->has_work) PSW_TRY(remove_work(list, psw_journal_merge_source(merge, 0), err));
    if (list->is_whole_work) {
        PSW_TRY(psw_stage_forget_trainings(list->work_dir, err));
        PSW_TRY(psw_stage_clean(list->work_dir, err));
    }
fail:
    psw_journal_merge_end(merge);
    return rc;
}
