/* The journal's records as columns, first half: a walk over the journal that finds which
 * extents, labels and columns there are, and which records are of which run. The second walk is
 * by blocks of runs (table_block.c, table_fill.c), so memory is that of a block. */
#include "table_internal.h"

#include <posweep/util/hash.h>

#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 1 << 24 /* checkpoints or log lines: more is a fault, not an experiment */ };

static enum psw_dim dim_of(const char *name)
{
    for (int d = 0; d < PSW_N_DIM; d++)
        if (strcmp(psw_dim_name((enum psw_dim)d), name) == 0) return (enum psw_dim)d;
    PSW_ASSERT(!"a schema row names an unknown dimension");
    return PSW_N_DIM;
}

static psw_status fail_field(const struct psw_table *t, int64_t run, const char *field,
                             const char *what, struct psw_error *err)
{
    char hash[PSW_HASH_TEXT_BYTES];
    return psw_fail(err, PSW_EDATA, "run %s (%s %s): field \"%s\": %s",
                    psw_hash_text(t->layout->run[run].hash, hash), t->layout->run[run].method,
                    t->layout->run[run].variant, field, what);
}

/* ---- measuring ---- */

static int mark_labels(const char *labels, const char *const *known, int n_known, int *used)
{
    int n = 0;
    while (*labels) {
        const size_t length = strcspn(labels, "\n");
        int k = 0;
        while (k < n_known &&
               (strlen(known[k]) != length || memcmp(known[k], labels, length) != 0))
            k++;
        if (k == n_known) return -1;
        used[k] = 0;
        n++;
        labels += length + (labels[length] == '\n');
    }
    return n;
}

static struct psw_ragged *ragged_of(struct psw_table *t, int64_t run, int64_t checkpoint)
{
    if (t->n_ragged > 0) {
        struct psw_ragged *last = &t->ragged[t->n_ragged - 1];
        if (last->run == run && last->checkpoint == checkpoint) return last;
    }
    if (t->n_ragged == t->n_ragged_room) {
        const int64_t n_room = t->n_ragged_room ? 2 * t->n_ragged_room : 64;
        struct psw_ragged *grown = realloc(t->ragged, (size_t)n_room * sizeof *grown);
        if (!grown) return NULL;
        t->ragged = grown;
        t->n_ragged_room = n_room;
    }
    struct psw_ragged *r = &t->ragged[t->n_ragged];
    *r = (struct psw_ragged){.run = run, .checkpoint = checkpoint, .order = t->n_ragged};
    t->n_ragged++;
    return r;
}

/** What one extent of a field means for the table; NULL: fine, else what is wrong. */
static const char *measure_extent(struct psw_table *t, const struct psw_record *record,
                                  int64_t run, enum psw_dim dim, int64_t n)
{
    const int64_t checkpoint = psw_record_i64(record, "checkpoint", 0, 0);
    const int64_t first =
        dim == PSW_DIM_LOG_STEP ? psw_record_i64(record, "log_step", 0, 0) : 0;
    switch (dim) {
    case PSW_DIM_CHECKPOINT:
    case PSW_DIM_LOG_STEP:
    case PSW_DIM_SAMPLE:
    case PSW_DIM_EVAL_PROMPT:
    case PSW_DIM_SKETCH:
        if (first < 0 || first > MAX_ROWS || n > MAX_ROWS) return "too many rows";
        if (first + n > t->extent[dim]) t->extent[dim] = first + n;
        return NULL;
    case PSW_DIM_COMPONENT:
        return mark_labels(psw_record_text(record, "component"), t->layout->axes.component,
                           t->layout->axes.n_component, t->component) == n
                   ? NULL
                   : "its components are unnamed or unknown";
    case PSW_DIM_DIRECTION:
        return mark_labels(psw_record_text(record, "direction"), t->layout->axes.direction,
                           t->layout->axes.n_direction, t->direction) == n
                   ? NULL
                   : "its directions are unnamed or unknown";
    default:
        break;
    }
    struct psw_ragged *r = ragged_of(t, run, checkpoint);
    if (!r) return "no memory";
    int64_t *size = dim == PSW_DIM_TOKEN ? &r->n_token : &r->n_sequence;
    if (*size != 0 && *size != n) return "its length differs from that of its neighbours";
    *size = n;
    return NULL;
}

/** Reserved fields of a record: they place the others. */
static int is_placing(const char *name)
{
    for (int d = 0; d < PSW_N_DIM; d++)
        if (strcmp(psw_dim_name((enum psw_dim)d), name) == 0) return 1;
    return 0;
}

/** Texts of a list, each of which ends in 0. */
static int64_t n_text(const struct psw_field *f)
{
    int64_t n = 0;
    for (int64_t i = 0; i < psw_shape_count(f->shape); i++)
        n += ((const char *)f->data)[i] == 0;
    return n;
}

static const char *measure_field(struct psw_table *t, int64_t run,
                                 const struct psw_record *record, const struct psw_field *f)
{
    struct psw_column *c = psw_table_column(t, f->name);
    if (!c || (c->row->flags & PSW_S_WRITER)) return "not in the schema";
    const int is_text = c->row->type == PSW_TEXT;
    if (is_text != (f->type == PSW_TEXT)) return "text for a number or a number for text";
    if (psw_type_is_float(f->type) && !psw_type_is_float(c->row->type))
        return "a float where the schema has an integer";
    c->present = 1;
    if (is_text) t->chain[run].n_text_bytes += psw_shape_count(f->shape);
    if (is_text && c->dim[0] == PSW_DIM_SEQUENCE)
        return measure_extent(t, record, run, PSW_DIM_SEQUENCE, n_text(f));
    if (is_text)
        return c->n_dim < 2 ? NULL : measure_extent(t, record, run, c->dim[1], n_text(f));
    const int at_checkpoint = psw_record_get(record, "checkpoint") != NULL;
    int k = 0;
    for (int d = 0; d < c->n_dim; d++) {
        if (c->dim[d] == PSW_DIM_RUN || (c->dim[d] == PSW_DIM_CHECKPOINT && at_checkpoint))
            continue;
        if (k >= f->shape.n_dim) return "too few dimensions";
        const char *fault = measure_extent(t, record, run, c->dim[d], f->shape.dim[k++]);
        if (fault) return fault;
    }
    return k == f->shape.n_dim || psw_shape_count(f->shape) == 1 ? NULL : "too many dimensions";
}

static psw_status measure_record(struct psw_table *t, int64_t run,
                                 const struct psw_record *record, struct psw_error *err)
{
    const int64_t checkpoint = psw_record_i64(record, "checkpoint", 0, -1);
    if (checkpoint >= MAX_ROWS) return fail_field(t, run, "checkpoint", "too large", err);
    if (checkpoint + 1 > t->extent[PSW_DIM_CHECKPOINT])
        t->extent[PSW_DIM_CHECKPOINT] = checkpoint + 1;
    t->is_traced[run] |= checkpoint >= 0;
    for (int64_t i = 0; i < psw_record_n_field(record); i++) {
        const struct psw_field *f = psw_record_field(record, i);
        if (is_placing(f->name)) continue;
        const char *fault = measure_field(t, run, record, f);
        if (fault) return fail_field(t, run, f->name, fault, err);
    }
    return PSW_OK;
}

/* ---- room ---- */

static int number_labels(int *used, int n)
{
    int n_used = 0;
    for (int i = 0; i < n; i++)
        if (used[i] >= 0) used[i] = n_used++;
    return n_used;
}

static int by_place(const void *a, const void *b)
{
    const struct psw_ragged *x = a, *y = b;
    if (x->run != y->run) return x->run < y->run ? -1 : 1;
    if (x->checkpoint != y->checkpoint) return x->checkpoint < y->checkpoint ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/** Sort the shares of the token table, keep the latest of each, and place them. */
static void place_ragged(struct psw_table *t)
{
    if (t->n_ragged > 0) qsort(t->ragged, (size_t)t->n_ragged, sizeof *t->ragged, by_place);
    int64_t n = 0;
    for (int64_t i = 0; i < t->n_ragged; i++) {
        const struct psw_ragged *next = i + 1 < t->n_ragged ? &t->ragged[i + 1] : NULL;
        const struct psw_ragged *r = &t->ragged[i];
        if (next && next->run == r->run && next->checkpoint == r->checkpoint) continue;
        struct psw_ragged *kept = &t->ragged[n++];
        *kept = *r;
        kept->first_sequence = t->extent[PSW_DIM_SEQUENCE];
        kept->first_token = t->extent[PSW_DIM_TOKEN];
        t->extent[PSW_DIM_SEQUENCE] += kept->n_sequence;
        t->extent[PSW_DIM_TOKEN] += kept->n_token;
    }
    t->n_ragged = n;
}

/** Extents are at least 1 for what is always written, so that every reader opens the file. */
static void settle_extents(struct psw_table *t)
{
    int n_component = number_labels(t->component, t->layout->axes.n_component);
    if (n_component == 0 && t->layout->axes.n_component > 0) {
        t->component[0] = 0;
        n_component = 1;
    }
    t->extent[PSW_DIM_COMPONENT] = n_component;
    t->extent[PSW_DIM_DIRECTION] = number_labels(t->direction, t->layout->axes.n_direction);
    if (t->extent[PSW_DIM_CHECKPOINT] == 0) t->extent[PSW_DIM_CHECKPOINT] = 1;
    place_ragged(t);
}

/** The longest text decides the width. */
static psw_status measure_configs(struct psw_table *t, struct psw_error *err)
{
    const struct psw_results_configs *c = &t->layout->configs;
    for (int64_t r = 0; c->text && r < t->layout->n_run; r++) {
        const char *text = c->text(c->ctx, r);
        if (!text) return psw_fail(err, PSW_ENOMEM, "results: no memory for the settings");
        const int64_t n = (int64_t)strlen(text);
        if (n > t->extent[PSW_DIM_CONFIG_CHAR]) t->extent[PSW_DIM_CONFIG_CHAR] = n;
    }
    return PSW_OK;
}

/** A column is there where it has a row and elements. */
static void settle_columns(struct psw_table *t)
{
    for (int i = 0; i < t->n_column; i++) {
        struct psw_column *c = &t->column[i];
        if (c->row->flags & (PSW_S_ALWAYS | PSW_S_WRITER)) c->present = 1;
        for (int d = 0; d < c->n_dim; d++)
            if (t->extent[c->dim[d]] == 0) c->present = 0;
    }
}

/* ---- the walk over the journal ---- */

static int by_hash(const void *a, const void *b)
{
    const struct psw_run_key *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/** Entry i is one of the run's. */
static void add_to_chain(struct psw_table *t, int64_t run, int64_t i)
{
    struct psw_chain *c = &t->chain[run];
    if (c->last >= 0)
        t->next[c->last] = i;
    else
        c->first = i;
    c->last = i;
    t->next[i] = -1;
}

static psw_status measure_entry(struct psw_table *t, int64_t run, int64_t i,
                                struct psw_error *err)
{
    struct psw_record *record = NULL;
    psw_status rc = psw_journal_record(t->journal, i, &record, err);
    const int counts = rc == PSW_OK && (!psw_record_get(record, "checkpoint") ||
                                        psw_journal_point_counts(t->journal, i));
    if (counts) rc = measure_record(t, run, record, err);
    if (counts && rc == PSW_OK) add_to_chain(t, run, i);
    psw_record_destroy(record);
    return rc;
}

static psw_status measure_journal(struct psw_table *t, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < psw_journal_n_entry(t->journal) && rc == PSW_OK; i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(t->journal, i);
        const int is_text = psw_table_text_of(e->type) != NULL;
        const int is_record =
            (e->type == PSW_J_PIECE || e->type == PSW_J_DONE) && e->n_bytes > 0;
        const int64_t run = is_text || is_record ? psw_table_run(t, e->run) : -1;
        if (run < 0) continue;
        if (is_record) rc = measure_entry(t, run, i, err);
        if (is_text) add_to_chain(t, run, i);
        if (is_text) t->chain[run].n_text_bytes += (int64_t)e->n_bytes;
    }
    return rc;
}

static psw_status prepare(struct psw_table *t, struct psw_error *err)
{
    const struct psw_schema_row *rows = psw_schema_rows(&t->n_column);
    t->column = calloc((size_t)t->n_column, sizeof *t->column);
    t->by_name = malloc((size_t)t->n_column * sizeof *t->by_name);
    t->component = malloc(sizeof(int) * (size_t)(t->layout->axes.n_component + 1));
    t->direction = malloc(sizeof(int) * (size_t)(t->layout->axes.n_direction + 1));
    t->key = malloc(sizeof *t->key * (size_t)(t->layout->n_run + 1));
    t->is_traced = calloc((size_t)t->layout->n_run, sizeof *t->is_traced);
    t->chain = malloc(sizeof *t->chain * (size_t)t->layout->n_run);
    t->next = malloc(sizeof *t->next * (size_t)(psw_journal_n_entry(t->journal) + 1));
    if (!t->column || !t->by_name || !t->component || !t->direction || !t->key ||
        !t->is_traced || !t->chain || !t->next)
        return psw_fail(err, PSW_ENOMEM, "results: %lld runs", (long long)t->layout->n_run);
    memset(t->component, -1, sizeof(int) * (size_t)t->layout->axes.n_component);
    memset(t->direction, -1, sizeof(int) * (size_t)t->layout->axes.n_direction);
    for (int i = 0; i < t->n_column; i++) {
        char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
        t->column[i].row = &rows[i];
        t->column[i].n_dim = psw_schema_dims(&rows[i], dims);
        for (int d = 0; d < t->column[i].n_dim; d++) t->column[i].dim[d] = dim_of(dims[d]);
    }
    psw_table_sort_names(t);
    t->extent[PSW_DIM_RUN] = t->layout->n_run;
    for (int64_t r = 0; r < t->layout->n_run; r++)
        t->key[r] = (struct psw_run_key){t->layout->run[r].hash, r};
    for (int64_t r = 0; r < t->layout->n_run; r++) t->chain[r] = (struct psw_chain){-1, -1, 0};
    qsort(t->key, (size_t)t->layout->n_run, sizeof *t->key, by_hash);
    return PSW_OK;
}

psw_status psw_table_create(const struct psw_results_layout *layout,
                            struct psw_journal *journal, struct psw_table **out,
                            struct psw_error *err)
{
    PSW_ASSERT(layout->axes.n_component <= PSW_MAX_LABELS);
    if (layout->n_run < 1) return psw_fail(err, PSW_EINVAL, "results: a sweep without runs");
    struct psw_table *t = calloc(1, sizeof *t);
    if (!t) return psw_fail(err, PSW_ENOMEM, "results: %zu bytes", sizeof *t);
    t->layout = layout;
    t->journal = journal;
    psw_status rc = PSW_OK;
    PSW_TRY(prepare(t, err));
    PSW_TRY(measure_configs(t, err));
    PSW_TRY(measure_journal(t, err));
    settle_extents(t);
    settle_columns(t);
    *out = t;
    return PSW_OK;
fail:
    psw_table_destroy(t);
    return rc;
}

void psw_table_destroy(struct psw_table *table)
{
    if (!table) return;
    psw_table_clear_columns(table);
    free(table->column);
    free(table->by_name);
    free(table->component);
    free(table->direction);
    free(table->ragged);
    free(table->key);
    free(table->is_traced);
    free(table->chain);
    free(table->next);
    free(table);
}
