/* Sweep files: read, parse, expand. */
#include "config_internal.h"

#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 16 << 20 };

/* What a sweep is made of: one document, which begins at `begin`; before it only blanks, so
 * that places in messages are those in the file. */
struct source {
    const char *path, *text;
    size_t begin, n_bytes;
    const char *const *sets;
    int n_sets;
};

static const char SET_MARK[] = "# --set ";

/* The file, then the overrides as comments: enough to know what was asked. */
static psw_status keep_text(struct psw_sweep *sweep, const struct source *source,
                            struct psw_error *err)
{
    const size_t n_own = source->n_bytes - source->begin;
    size_t n = n_own + 1;
    for (int i = 0; i < source->n_sets; i++) n += strlen(source->sets[i]) + sizeof SET_MARK + 2;
    sweep->text = malloc(n + 1);
    if (!sweep->text) return psw_fail(err, PSW_ENOMEM, "%zu bytes", n);
    memcpy(sweep->text, source->text + source->begin, n_own);
    sweep->text[n_own] = 0;
    sweep->n_text_bytes = n_own;
    for (int i = 0; i < source->n_sets; i++) {
        const int ends = sweep->n_text_bytes && sweep->text[sweep->n_text_bytes - 1] == '\n';
        sweep->n_text_bytes += (size_t)sprintf(sweep->text + sweep->n_text_bytes, "%s%s%s\n",
                                               ends ? "" : "\n", SET_MARK, source->sets[i]);
    }
    return PSW_OK;
}

/* Start of the last line of text[0..n), whether or not it ends in a line feed. */
static size_t last_line(const char *text, size_t n)
{
    size_t at = n && text[n - 1] == '\n' ? n - 1 : n;
    while (at > 0 && text[at - 1] != '\n') at--;
    return at;
}

/* Cut the overrides off the end of a kept text: set gets them, first one first; the text and
 * each of them are ended by a 0 in place. Returns how many there are. */
static int split_sets(char *text, size_t *n_bytes, char **set, int max_sets)
{
    int n = 0;
    while (*n_bytes > 0 && n < max_sets) {
        const size_t at = last_line(text, *n_bytes);
        if (strncmp(text + at, SET_MARK, sizeof SET_MARK - 1) != 0) break;
        if (text[*n_bytes - 1] == '\n') text[*n_bytes - 1] = 0;
        memmove(set + 1, set, (size_t)n * sizeof *set);
        set[0] = text + at + sizeof SET_MARK - 1;
        n++;
        *n_bytes = at;
    }
    return n;
}

static psw_status expand(const struct source *source, struct psw_sweep **out,
                         struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_spec *spec = NULL;
    struct psw_sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep) return psw_fail(err, PSW_ENOMEM, "%s", source->path);
    PSW_TRY(psw_spec_read(source->path, source->text, source->n_bytes, &spec, err));
    PSW_TRY(psw_spec_override(spec, source->sets, source->n_sets, err));
    sweep->path = strdup(source->path);
    if (!sweep->path) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s", source->path));
    memcpy(sweep->name, spec->name, sizeof sweep->name);
    sweep->n_block = spec->n_block;
    sweep->n_seed = spec->n_seed;
    sweep->seed_plan = spec->seed_plan;
    PSW_TRY(keep_text(sweep, source, err));
    PSW_TRY(psw_spec_expand(spec, sweep, err));
    PSW_TRY(psw_seed_plan_check(sweep, err));
    PSW_TRY(psw_family_plan_check(spec, sweep, err));
    PSW_TRY(psw_stop_rule_check(spec, sweep, err));
    PSW_TRY(psw_sweep_warn(sweep, source->path, err));
    psw_spec_destroy(spec);
    *out = sweep;
    return PSW_OK;
fail:
    psw_spec_destroy(spec);
    psw_sweep_destroy(sweep);
    return rc;
}

enum { MAX_SETS = 256 };

static int n_document(const char *text, size_t n_bytes)
{
    const char *at = text, *end = text + n_bytes, *begin, *stop;
    int n = 0;
    while (psw_document_next(&at, end, &begin, &stop)) n++;
    return n;
}

/* Expand the document [begin, stop) of the source; has_sets: overrides stand at its end. */
static psw_status expand_document(const struct source *source, const char *begin,
                                  const char *stop, int has_sets, struct psw_sweep **out,
                                  struct psw_error *err)
{
    char *set[MAX_SETS];
    const size_t n = (size_t)(stop - source->text);
    char *text = malloc(n + 1);
    if (!text) return psw_fail(err, PSW_ENOMEM, "%s: %zu bytes", source->path, n);
    memcpy(text, source->text, n);
    text[n] = 0;
    struct source one = *source;
    one.text = text;
    one.begin = (size_t)(begin - source->text);
    one.n_bytes = n;
    for (size_t i = 0; i < one.begin; i++)
        if (text[i] != '\n') text[i] = ' ';
    if (has_sets) {
        one.n_sets = split_sets(text, &one.n_bytes, set, MAX_SETS);
        one.sets = (const char *const *)set;
    }
    const psw_status rc = expand(&one, out, err);
    free(text);
    return rc;
}

/* All documents of the source as one sweep. */
static psw_status expand_all(const struct source *source, int has_sets, struct psw_sweep **out,
                             struct psw_error *err)
{
    const char *at = source->text, *end = at + source->n_bytes, *begin, *stop;
    struct psw_sweep *all = NULL, *one = NULL;
    psw_status rc = PSW_OK;
    if (n_document(at, source->n_bytes) < 2) /* also of what is no sweep file */
        return expand_document(source, at, end, has_sets, out, err);
    while (rc == PSW_OK && psw_document_next(&at, end, &begin, &stop)) {
        rc = expand_document(source, begin, stop, has_sets, all ? &one : &all, err);
        if (rc == PSW_OK && one) rc = psw_sweep_unite(all, one, err);
        psw_sweep_destroy(one);
        one = NULL;
    }
    if (rc == PSW_OK)
        *out = all;
    else
        psw_sweep_destroy(all);
    return rc;
}

psw_status psw_sweep_parse(const char *path, const char *text, size_t n_bytes,
                           struct psw_sweep **out, struct psw_error *err)
{
    const struct source source = {.path = path, .text = text, .n_bytes = n_bytes};
    return expand_all(&source, 0, out, err);
}

psw_status psw_sweep_reread(const char *path, const char *kept, struct psw_sweep **out,
                            struct psw_error *err)
{
    const struct source source = {.path = path, .text = kept, .n_bytes = strlen(kept)};
    return expand_all(&source, 1, out, err);
}

/* The text of a sweep file. Owns: free(*text). */
static psw_status read_text(const char *path, char **text, size_t *n_bytes,
                            struct psw_error *err)
{
    const psw_status rc = psw_file_read(path, text, n_bytes, err);
    if (rc != PSW_OK || *n_bytes <= MAX_FILE_BYTES) return rc;
    free(*text);
    return psw_fail(err, PSW_EINVAL, "%s: %zu bytes are no sweep file", path, *n_bytes);
}

psw_status psw_sweep_read(const char *path, const char *const *sets, int n_sets,
                          struct psw_sweep **out, struct psw_error *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    psw_status rc = read_text(path, &text, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    const struct source source = {
        .path = path, .text = text, .n_bytes = n_bytes, .sets = sets, .n_sets = n_sets};
    rc = expand_all(&source, 0, out, err);
    free(text);
    return rc;
}

psw_status psw_sweep_seed_plan(const char *path, const char *const *sets, int n_sets,
                               struct psw_seed_plan *out, struct psw_error *err)
{
    char *text = NULL;
    size_t n_bytes = 0;
    struct psw_spec *spec = NULL;
    psw_status rc = read_text(path, &text, &n_bytes, err);
    if (rc != PSW_OK) return rc;
    rc = psw_spec_read(path, text, n_bytes, &spec, err);
    if (rc == PSW_OK) rc = psw_spec_override(spec, sets, n_sets, err);
    if (rc == PSW_OK) *out = spec->seed_plan;
    psw_spec_destroy(spec);
    free(text);
    return rc;
}

void psw_sweep_destroy(struct psw_sweep *sweep)
{
    if (!sweep) return;
    free(sweep->path);
    free(sweep->run);
    for (int32_t i = 0; i < sweep->variants.n; i++) free(sweep->variants.name[i]);
    free(sweep->variants.name);
    psw_config_list_clear(&sweep->configs);
    free(sweep->text);
    free(sweep->swept.leaf);
    free(sweep->warnings.text);
    free(sweep);
}
