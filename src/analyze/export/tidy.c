/* Tables as loops over dimensions. A column knows its strides along the dimensions of its
 * table, 0 along those that it does not have, so a cell is one load. */
#include <posweep/analyze/tidy.h>

#include <posweep/config/leaf.h>
#include <posweep/config/nearest.h>
#include <posweep/store/schema.h>

#include "tidy_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What a row is, and which datasets are its columns: those of `dims`, and those of `also`. A
 *  row is left out where all of the first are missing. */
static const struct table {
    const char *name, *dims, *also;
    const char *stored_by; /* when the file has none of it */
} TABLES[] = {
    {"runs", "run", NULL, ""},
    {"traces", "run checkpoint component", "run checkpoint", "a sweep of which a run is done"},
    {"directions", "run checkpoint direction component", NULL, "trace.directions: on"},
    {"training", "run log_step", NULL, "a sweep of which a run has begun"},
    {"samples", "run sample", NULL, "eval.samples > 0"},
    {"tokens", "token", "sequence", "trace.tokens: on"},
};
enum { N_TABLE = sizeof TABLES / sizeof *TABLES };

/** A table in the making. */
struct tidy {
    struct psw_results *results; /* borrowed */
    const struct table *table;
    char dim[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    int64_t extent[PSW_MAX_DIMS], at[PSW_MAX_DIMS]; /* at: place of the row */
    int n_dim;
    struct psw_tidy_column *column; /* owned */
    int n_column, n_room;
};

/* ---- columns ---- */

static struct psw_tidy_column *add_column(struct tidy *t, const char *name)
{
    if (t->n_column == t->n_room) {
        const int n_room = t->n_room ? 2 * t->n_room : 64;
        struct psw_tidy_column *grown = realloc(t->column, (size_t)n_room * sizeof *grown);
        if (!grown) return NULL;
        t->column = grown;
        t->n_room = n_room;
    }
    struct psw_tidy_column *c = &t->column[t->n_column++];
    *c = (struct psw_tidy_column){.digits_of = -1};
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

/** Values of the dataset `name`, n of them. Texts are found once, not once a row. 0: no memory,
 *  or values that cannot be read, which is a fault of the results then. */
static int load_values(struct tidy *t, struct psw_tidy_column *c, int64_t n)
{
    const struct psw_schema_row *row = psw_schema_row_find(c->name);
    c->by_rows = row && row->flags & PSW_S_CHARS ? t->results : NULL;
    if (c->by_rows) return 1;
    c->i64 = psw_results_i64(t->results, c->name);
    c->f64 = c->i64 ? NULL : psw_results_f64(t->results, c->name);
    if (psw_results_fault(t->results, NULL) != PSW_OK) return 0;
    if (c->i64 || c->f64) return 1;
    c->text = calloc((size_t)n + 1, sizeof *c->text);
    for (int64_t i = 0; c->text && i < n; i++)
        c->text[i] = psw_results_text(t->results, c->name, i);
    return c->text != NULL;
}

/** A column for a dataset whose dimensions, dims, are a part of the table's in their order. */
static int add_dataset(struct tidy *t, const char *name, const char *dims)
{
    struct psw_tidy_column *c = add_column(t, name);
    if (!c) return 0;
    int64_t stride = 1;
    for (int d = t->n_dim - 1; d >= 0; d--) {
        const char *found = strstr(dims, t->dim[d]);
        if (!found) continue;
        c->stride[d] = stride;
        stride *= t->extent[d];
    }
    const struct psw_schema_row *row = psw_schema_row_find(name);
    c->is_status = row && (row->flags & PSW_S_FLAGS);
    c->is_single = row && row->type == PSW_F32;
    c->has_holes = row && !(row->flags & (PSW_S_WRITER | PSW_S_SCALE));
    c->decides = row && strcmp(row->dims, t->table->dims) == 0 && !(row->flags & PSW_S_SCALE);
    return load_values(t, c, stride);
}

static int add_settings(struct tidy *t)
{
    for (int i = 0; i < psw_results_n_leaf(t->results); i++)
        if (!add_dataset(t, psw_results_leaf(t->results, i), "run")) return 0;
    return 1;
}

/** What the rows belong to. */
static int add_owners(struct tidy *t)
{
    static const char *const OWNER[] = {"run", "method", "variant", "seed"};
    for (size_t i = 0; i < sizeof OWNER / sizeof *OWNER; i++)
        if (!add_dataset(t, OWNER[i], "run")) return 0;
    if (!add_settings(t)) return 0;
    for (int d = 1; d < t->n_dim; d++)
        if (!add_dataset(t, t->dim[d], t->dim[d])) return 0;
    return 1;
}

static int is_an_owner(const struct tidy *t, const char *name)
{
    for (int i = 0; i < t->n_column; i++)
        if (strcmp(t->column[i].name, name) == 0) return 1;
    return 0;
}

/** Long texts have one value in a row, whatever characters that is. */
static int is_along(const struct psw_schema_row *row, const char *dims)
{
    const size_t n = strlen(dims);
    if (!(row->flags & PSW_S_CHARS)) return strcmp(row->dims, dims) == 0;
    return strncmp(row->dims, dims, n) == 0 && row->dims[n] == ' ' &&
           !strchr(row->dims + n + 1, ' ');
}

static int add_measurements(struct tidy *t)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows(&n_row);
    for (int i = 0; i < n_row; i++) {
        const int is_ours = is_along(&rows[i], t->table->dims) ||
                            (t->table->also && is_along(&rows[i], t->table->also));
        if (!is_ours || is_an_owner(t, rows[i].name)) continue;
        if (psw_results_has(t->results, rows[i].name) &&
            !add_dataset(t, rows[i].name, rows[i].dims))
            return 0;
    }
    return 1;
}

/* ---- rows ---- */

static int64_t place_of(const struct tidy *t, const struct psw_tidy_column *c)
{
    int64_t i = 0;
    for (int d = 0; d < t->n_dim; d++) i += c->stride[d] * t->at[d];
    return i;
}

static int is_missing(const struct psw_tidy_column *c, int64_t i)
{
    return c->f64 ? isnan(c->f64[i]) : c->i64 && c->has_holes && c->i64[i] == -1;
}

/** A row is there when one of the values that stand in it alone is. */
static int has_row(const struct tidy *t)
{
    int is_decided = 0;
    for (int k = 0; k < t->n_column; k++) {
        if (!t->column[k].decides) continue;
        const int64_t i = place_of(t, &t->column[k]);
        const char *text = t->column[k].text ? t->column[k].text[i] : "?";
        if (text[0] && !is_missing(&t->column[k], i)) return 1;
        is_decided = 1;
    }
    return !is_decided;
}

static int advance(struct tidy *t)
{
    for (int d = t->n_dim - 1; d >= 0; d--) {
        if (++t->at[d] < t->extent[d]) return 1;
        t->at[d] = 0;
    }
    return 0;
}

static void write_rows(struct tidy *t, struct psw_tidy_writer *w)
{
    do {
        if (!has_row(t)) continue;
        psw_tidy_begin_row(w);
        for (int k = 0; k < t->n_column; k++) {
            struct psw_tidy_column *c = &t->column[k];
            const int64_t i = place_of(t, c);
            psw_tidy_put(w, c, i, is_missing(c, i));
        }
        psw_tidy_end_row(w);
    } while (advance(t));
}

/* ---- tokens: a ragged table ---- */

/** Rows of the token table: token by token, each with its sequence and the run of that. Shapes
 *  and owners of a hostile file are held against the extents they point into. */
static psw_status write_tokens(struct tidy *t, struct psw_tidy_writer *w, struct psw_error *err)
{
    const int64_t n_run = psw_results_dim(t->results, "run");
    const int64_t n_token = psw_results_dim(t->results, "token");
    const int64_t *size = psw_results_i64(t->results, "row_size");
    const int64_t *run = psw_results_i64(t->results, "sequence_run");
    int64_t token = 0;
    for (int64_t s = 0; s < psw_results_dim(t->results, "sequence"); s++) {
        if (run[s] < 0 || run[s] >= n_run || size[s] < 0 || size[s] > n_token - token)
            return psw_fail(err, PSW_EDATA,
                            "sequence %lld: run %lld and %lld tokens do not fit %lld runs and "
                            "%lld tokens",
                            (long long)s, (long long)run[s], (long long)size[s],
                            (long long)n_run, (long long)n_token);
        t->at[0] = run[s];
        t->at[1] = s;
        for (int64_t k = 0; k < size[s]; k++) {
            t->at[2] = token++;
            psw_tidy_begin_row(w);
            for (int c = 0; c < t->n_column; c++)
                psw_tidy_put(w, &t->column[c], place_of(t, &t->column[c]),
                             is_missing(&t->column[c], place_of(t, &t->column[c])));
            psw_tidy_end_row(w);
        }
    }
    return PSW_OK;
}

/* ---- the whole ---- */

static const struct table *find_table(const char *name, struct psw_error *err)
{
    const char *names[N_TABLE];
    char did[PSW_DID_BYTES], all[256] = "";
    size_t used = 0;
    for (int i = 0; i < N_TABLE; i++) {
        if (strcmp(TABLES[i].name, name) == 0) return &TABLES[i];
        names[i] = TABLES[i].name;
        used +=
            (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
    }
    psw_did_you_mean(psw_nearest(name, names, N_TABLE), did);
    psw_fail(err, PSW_EINVAL, "no table \"%.60s\"%s There are %s", name, did[0] ? did : ".",
             all);
    return NULL;
}

static int is_of_tokens(const struct table *table)
{
    return strcmp(table->dims, "token") == 0;
}

/** The dimensions of the loops: those of the table's datasets. */
static void set_dims(struct tidy *t)
{
    struct psw_schema_row shape = {.dims = t->table->dims};
    if (is_of_tokens(t->table)) shape.dims = "run sequence token";
    t->n_dim = psw_schema_dims(&shape, t->dim);
    for (int d = 0; d < t->n_dim; d++) t->extent[d] = psw_results_dim(t->results, t->dim[d]);
}

static int is_empty(const struct tidy *t)
{
    for (int d = 0; d < t->n_dim; d++)
        if (t->extent[d] == 0) return 1;
    return is_of_tokens(t->table) && (!psw_results_i64(t->results, "row_size") ||
                                      !psw_results_i64(t->results, "sequence_run"));
}

psw_status psw_tidy_write(FILE *out, struct psw_results *results, const char *table,
                          enum psw_tidy_format format, struct psw_error *err)
{
    struct tidy t = {.results = results, .table = find_table(table, err)};
    struct psw_tidy_writer w = {.out = out, .format = format};
    psw_status rc = PSW_OK;
    if (!t.table) return PSW_EINVAL;
    set_dims(&t);
    if (is_empty(&t))
        return psw_fail(err, PSW_EDATA, "the file has no table of %s; what stores it: %s",
                        table, t.table->stored_by);
    if (!add_owners(&t) || !add_measurements(&t))
        rc = psw_results_fault(results, err) != PSW_OK
                 ? PSW_EDATA
                 : psw_fail(err, PSW_ENOMEM, "export: %d columns", t.n_column);
    if (rc == PSW_OK) psw_tidy_header(&w, t.column, t.n_column);
    if (rc == PSW_OK && is_of_tokens(t.table))
        rc = write_tokens(&t, &w, err);
    else if (rc == PSW_OK)
        write_rows(&t, &w);
    for (int i = 0; i < t.n_column; i++) free((void *)t.column[i].text);
    free(t.column);
    if (rc == PSW_OK && ferror(out)) rc = psw_fail(err, PSW_EIO, "cannot write the table");
    return rc;
}
