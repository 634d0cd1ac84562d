/* Looking whether a sweep file gained runs; see added.h. */
#include <posweep/sweep/added.h>

#include <posweep/sweep/asked.h>
#include <posweep/util/file.h>
#include <posweep/util/log.h>

#include <stdlib.h>
#include <string.h>

struct psw_added {
    struct psw_file_identity read, seen; /* looked into last; met at the last look */
    char *text, *before;                 /* owned: with the added runs, and without them */
    psw_status refused;                  /* the sweep with what stands in the file now */
    struct psw_error why;
};

psw_status psw_added_create(struct psw_added **out, struct psw_error *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%zu bytes", sizeof **out);
}

void psw_added_destroy(struct psw_added *a)
{
    if (!a) return;
    free(a->text);
    free(a->before);
    free(a);
}

void psw_added_begin(struct psw_added *a, const char *path)
{
    a->read = psw_file_identity(path);
    a->seen = a->read;
}

/** A sweep file beside the sweep that is performed. */
struct difference {
    int64_t n_more, n_lost; /* runs that it asks for, too, and no longer */
};

static psw_status compare(const struct psw_sweep *now, const struct psw_sweep *file,
                          struct difference *out, struct psw_error *err)
{
    uint64_t *asked = psw_sweep_asked(now);
    if (!asked) return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)now->n_run);
    int64_t n_kept = 0;
    for (int64_t i = 0; i < file->n_run; i++)
        n_kept += psw_hashes_have(asked, now->n_run, file->run[i].hash);
    free(asked);
    *out = (struct difference){.n_more = file->n_run - n_kept, .n_lost = now->n_run - n_kept};
    return PSW_OK;
}

static int has_warning(const struct psw_sweep *sweep, const char *text)
{
    for (int32_t i = 0; i < sweep->warnings.n; i++)
        if (strcmp(sweep->warnings.text[i], text) == 0) return 1;
    return 0;
}

/* Keep the texts with the added runs and without. */
static psw_status keep(struct psw_added *a, const struct psw_sweep *now,
                       const struct psw_sweep *file, struct psw_error *err)
{
    char *text = strdup(file->text), *before = strdup(now->text);
    if (!text || !before) {
        free(text);
        free(before);
        return psw_fail(err, PSW_ENOMEM, "%zu bytes", file->n_text_bytes);
    }
    free(a->text);
    free(a->before);
    a->text = text;
    a->before = before;
    for (int32_t i = 0; i < file->warnings.n; i++)
        if (!has_warning(now, file->warnings.text[i]))
            psw_log(PSW_LOG_WARN, "%s", file->warnings.text[i]);
    return PSW_OK;
}

int psw_added_look(struct psw_added *a, const char *path, const char *const *sets, int n_sets,
                   const struct psw_sweep *now, int is_last)
{
    struct psw_error err = {0};
    struct psw_sweep *file = NULL;
    struct difference d = {0};
    const struct psw_file_identity id = psw_file_identity(path), seen = a->seen;
    a->seen = id;
    if (psw_file_identity_is(&id, &a->read) || (!is_last && !psw_file_identity_is(&id, &seen)))
        return 0;
    a->read = id;
    a->refused = PSW_OK;
    psw_status rc = psw_sweep_read(path, sets, n_sets, &file, &err);
    if (rc == PSW_OK) rc = compare(now, file, &d, &err);
    if (rc == PSW_OK && d.n_more > 0 && d.n_lost == 0) rc = keep(a, now, file, &err);
    psw_sweep_destroy(file);
    if (rc != PSW_OK)
        psw_log(PSW_LOG_WARN, "whether runs were added cannot be told: %s", err.text);
    else if (d.n_lost > 0)
        psw_log(PSW_LOG_NOTE,
                "%s asks for other runs by now: the same command computes the difference",
                path);
    else if (d.n_more > 0)
        psw_log(PSW_LOG_NOTE, "%s asks for %lld more run%s by now", path, (long long)d.n_more,
                d.n_more == 1 ? "" : "s");
    return rc == PSW_OK && d.n_more > 0 && d.n_lost == 0;
}

const char *psw_added_text(const struct psw_added *a)
{
    return a->text;
}

int psw_added_refuse(struct psw_added *a, psw_status rc, const struct psw_error *why)
{
    if (!a->before) return 0;
    a->refused = rc;
    a->why = *why;
    free(a->text);
    a->text = a->before;
    a->before = NULL;
    psw_log(PSW_LOG_WARN, "going on without the runs that were added: %s", why->text);
    return 1;
}

psw_status psw_added_refused(const struct psw_added *a, struct psw_error *err)
{
    if (a->refused != PSW_OK && err) *err = a->why;
    return a->refused;
}
