/* The journal's records as columns, second half: values into their places. A field's extents
 * are those of its schema row without `run` (and without `checkpoint` when the record stands at
 * one); each remaining extent has a map from the record's index to the axis of the table. */
#include "table_internal.h"

#include <posweep/util/hash.h>

#include <stdlib.h>
#include <string.h>

static psw_status no_memory(struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "results: no memory for the columns");
}

static int set_text(struct psw_column *c, int64_t i, const char *text)
{
    char *copy = strdup(text);
    if (!copy) return 0;
    free(c->text[i]);
    c->text[i] = copy;
    return 1;
}

/* ---- what the writer knows itself ---- */

static int fill_index(struct psw_table *t, const char *name)
{
    struct psw_column *c = psw_table_column(t, name);
    for (int64_t i = 0; c->i64 && i < c->n_elem; i++) c->i64[i] = t->part[c->dim[0]].first + i;
    return 1;
}

static int fill_labels(struct psw_table *t, const char *name, const char *const *labels,
                       const int *place, int n)
{
    struct psw_column *c = psw_table_column(t, name);
    for (int i = 0; c->text && i < n; i++)
        if (place[i] >= 0 && !set_text(c, place[i], labels[i])) return 0;
    return 1;
}

static int fill_runs(struct psw_table *t)
{
    struct psw_column *run = psw_table_column(t, "run"), *group = psw_table_column(t, "group");
    struct psw_column *method = psw_table_column(t, "method");
    struct psw_column *variant = psw_table_column(t, "variant");
    int64_t *seed = psw_table_column(t, "seed")->i64;
    int64_t *block = psw_table_column(t, "block")->i64;
    int64_t *status = psw_table_column(t, "status")->i64;
    int64_t *attempts = psw_table_column(t, "attempts")->i64;
    char hash[PSW_HASH_TEXT_BYTES];
    for (int64_t r = 0; r < t->part[PSW_DIM_RUN].n; r++) {
        const struct psw_results_run *p = &t->layout->run[t->part[PSW_DIM_RUN].first + r];
        int32_t n_attempt = 0;
        if (!set_text(run, r, psw_hash_text(p->hash, hash)) ||
            !set_text(group, r, psw_hash_text(p->group, hash)) ||
            !set_text(method, r, p->method) || !set_text(variant, r, p->variant))
            return 0;
        seed[r] = p->seed;
        block[r] = p->block;
        status[r] = psw_journal_outcome(t->journal, p->hash, &n_attempt);
        attempts[r] = n_attempt;
    }
    return 1;
}

static void fill_ragged_owner(struct psw_table *t)
{
    int64_t *run = psw_table_column(t, "sequence_run")->i64;
    int64_t *checkpoint = psw_table_column(t, "sequence_checkpoint")->i64;
    for (int64_t i = 0; run && checkpoint && i < t->ragged_part.n; i++) {
        const struct psw_ragged *r = &t->ragged[t->ragged_part.first + i];
        const int64_t first = r->first_sequence - t->part[PSW_DIM_SEQUENCE].first;
        for (int64_t s = 0; s < r->n_sequence; s++) {
            run[first + s] = r->run;
            checkpoint[first + s] = r->checkpoint;
        }
    }
}

psw_status psw_table_fill_identity(struct psw_table *table, struct psw_error *err)
{
    const int ok = fill_index(table, "checkpoint") && fill_index(table, "log_step") &&
                   fill_index(table, "sample") && fill_index(table, "eval_prompt") &&
                   fill_index(table, "sequence") && fill_index(table, "token") &&
                   fill_index(table, "sketch") && fill_index(table, "config_char") &&
                   fill_labels(table, "component", table->layout->axes.component,
                               table->component, table->layout->axes.n_component) &&
                   fill_labels(table, "direction", table->layout->axes.direction,
                               table->direction, table->layout->axes.n_direction) &&
                   fill_runs(table);
    if (!ok) return no_memory(err);
    fill_ragged_owner(table);
    return PSW_OK;
}

/* ---- records ---- */

/** Where the indices of one extent of a field go: base + i, or place[label i]. */
struct map {
    int64_t n, stride, base;
    const int *place;          /* [n_label] by position in the canonical list; NULL: base + i */
    int label[PSW_MAX_LABELS]; /* canonical position of index i */
};

/** Canonical positions of the record's labels. Measured before, so all are known. */
static void map_labels(struct map *m, const char *labels, const char *const *known, int n_known,
                       const int *place)
{
    m->place = place;
    for (int64_t i = 0; i < m->n && i < PSW_MAX_LABELS; i++) {
        const size_t length = strcspn(labels, "\n");
        int k = 0;
        while (k < n_known - 1 &&
               (strlen(known[k]) != length || memcmp(known[k], labels, length) != 0))
            k++;
        m->label[i] = k;
        labels += length + (labels[length] == '\n');
    }
}

static const struct psw_ragged *find_ragged(const struct psw_table *t, int64_t run,
                                            int64_t checkpoint)
{
    int64_t lo = 0, hi = t->n_ragged;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        const struct psw_ragged *r = &t->ragged[mid];
        if (r->run < run || (r->run == run && r->checkpoint < checkpoint))
            lo = mid + 1;
        else
            hi = mid;
    }
    return &t->ragged[lo];
}

/** Its row in the columns. */
static int64_t first_sequence(const struct psw_table *t, int64_t run, int64_t checkpoint)
{
    return find_ragged(t, run, checkpoint)->first_sequence - t->part[PSW_DIM_SEQUENCE].first;
}

static void map_dim(const struct psw_table *t, const struct psw_record *record, int64_t run,
                    enum psw_dim dim, struct map *m)
{
    const int64_t checkpoint = psw_record_i64(record, "checkpoint", 0, 0);
    if (dim == PSW_DIM_LOG_STEP) m->base = psw_record_i64(record, "log_step", 0, 0);
    if (dim == PSW_DIM_SEQUENCE) m->base = first_sequence(t, run, checkpoint);
    if (dim == PSW_DIM_TOKEN)
        m->base = find_ragged(t, run, checkpoint)->first_token - t->part[dim].first;
    if (dim == PSW_DIM_COMPONENT)
        map_labels(m, psw_record_text(record, "component"), t->layout->axes.component,
                   t->layout->axes.n_component, t->component);
    if (dim == PSW_DIM_DIRECTION)
        map_labels(m, psw_record_text(record, "direction"), t->layout->axes.direction,
                   t->layout->axes.n_direction, t->direction);
}

static int64_t place_of(const struct map *m, int64_t i)
{
    return m->stride * (m->place ? m->place[m->label[i]] : m->base + i);
}

/** Walk over a field of up to three mapped extents. */
static void copy_field(struct psw_column *c, const struct psw_field *f, int64_t first,
                       const struct map m[3])
{
    int64_t from = 0;
    for (int64_t a = 0; a < m[0].n; a++)
        for (int64_t b = 0; b < m[1].n; b++)
            for (int64_t d = 0; d < m[2].n; d++, from++) {
                const int64_t to =
                    first + place_of(&m[0], a) + place_of(&m[1], b) + place_of(&m[2], d);
                if (c->f64)
                    c->f64[to] = psw_field_f64(f, from);
                else
                    c->i64[to] = psw_field_i64(f, from, -1);
            }
}

static void fill_field(struct psw_table *t, int64_t run, const struct psw_record *record,
                       struct psw_column *c, const struct psw_field *f)
{
    struct map m[3] = {{.n = 1}, {.n = 1}, {.n = 1}};
    const int64_t checkpoint = psw_record_i64(record, "checkpoint", 0, -1);
    int64_t first = 0, stride = c->n_elem;
    int n_map = 0;
    for (int d = 0; d < c->n_dim; d++) {
        stride /= d == 0 ? t->part[c->dim[d]].n : t->extent[c->dim[d]];
        if (c->dim[d] == PSW_DIM_RUN) {
            first += (run - t->part[PSW_DIM_RUN].first) * stride;
        } else if (c->dim[d] == PSW_DIM_CHECKPOINT && checkpoint >= 0) {
            first += checkpoint * stride;
        } else {
            m[n_map].n = f->shape.dim[n_map];
            m[n_map].stride = stride;
            map_dim(t, record, run, c->dim[d], &m[n_map]);
            n_map++;
        }
    }
    copy_field(c, f, first, m);
}

/** One text of the run, or a list of them: along a second dimension, or of the sequences of a
 *  checkpoint. */
static int fill_text(const struct psw_table *t, int64_t run, const struct psw_record *record,
                     struct psw_column *c, const struct psw_field *f)
{
    const int is_ragged = c->dim[0] == PSW_DIM_SEQUENCE;
    const int64_t row = run - t->part[PSW_DIM_RUN].first;
    if (c->n_dim < 2 && !is_ragged) return set_text(c, row, f->data);
    const char *at = f->data, *end = at + psw_shape_count(f->shape);
    const int64_t checkpoint = psw_record_i64(record, "checkpoint", 0, 0);
    int64_t i = is_ragged ? first_sequence(t, run, checkpoint) : row * t->extent[c->dim[1]];
    for (; at < end; i++, at += strlen(at) + 1)
        if (!set_text(c, i, at)) return 0;
    return 1;
}

static psw_status fill_record(struct psw_table *t, int64_t run, const struct psw_record *record,
                              struct psw_error *err)
{
    for (int64_t i = 0; i < psw_record_n_field(record); i++) {
        const struct psw_field *f = psw_record_field(record, i);
        struct psw_column *c = psw_table_column(t, f->name);
        if (!c || !c->present || (c->row->flags & PSW_S_WRITER)) continue;
        if (c->row->type == PSW_TEXT) {
            if (!fill_text(t, run, record, c, f)) return no_memory(err);
        } else {
            fill_field(t, run, record, c, f);
        }
    }
    return PSW_OK;
}

/* ---- the journal's entries ---- */

const char *psw_table_text_of(enum psw_journal_type type)
{
    const int is_end = type == PSW_J_FAILED || type == PSW_J_DIVERGED ||
                       type == PSW_J_INTERRUPTED || type == PSW_J_CENSORED;
    return is_end ? "message" : type == PSW_J_STARTED ? "hosts" : NULL;
}

/** The last one of a run stays; a run that is done has no message. */
static psw_status fill_entry_text(struct psw_table *t, int64_t run, int64_t i,
                                  const char *column, struct psw_error *err)
{
    void *text = NULL;
    const uint64_t hash = t->layout->run[run].hash;
    if (strcmp(column, "message") == 0 &&
        psw_journal_outcome(t->journal, hash, NULL) == PSW_OUTCOME_DONE)
        return PSW_OK;
    psw_status rc = psw_journal_payload(t->journal, i, &text, err);
    if (rc == PSW_OK &&
        !set_text(psw_table_column(t, column), run - t->part[PSW_DIM_RUN].first, text))
        rc = no_memory(err);
    free(text);
    return rc;
}

psw_status psw_table_fill_run(struct psw_table *table, int64_t run, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = table->chain[run].first; i >= 0 && rc == PSW_OK; i = table->next[i]) {
        struct psw_record *record = NULL;
        const char *column = psw_table_text_of(psw_journal_entry_at(table->journal, i)->type);
        if (column) {
            rc = fill_entry_text(table, run, i, column, err);
            continue;
        }
        rc = psw_journal_record(table->journal, i, &record, err);
        if (rc == PSW_OK) rc = fill_record(table, run, record, err);
        psw_record_destroy(record);
    }
    return rc;
}
