/* The runs in blocks: as many as fit into some memory are in the columns at a time, in the
 * order of the sweep, with their share of the token table. What has no runs is in the first
 * block. */
#include "table_internal.h"

#include <math.h>
#include <stdlib.h>

/* A text: its pointer, and what malloc keeps beside it. */
static const int64_t TEXT_BYTES = 8 + 32, NUMBER_BYTES = 8;

/** Bytes of a row of all columns along a dimension, but for the characters of texts. */
static int64_t row_bytes(const struct psw_table *t, enum psw_dim dim)
{
    int64_t sum = 0;
    for (int i = 0; i < t->n_column; i++) {
        const struct psw_column *c = &t->column[i];
        if (!c->present || c->dim[0] != dim || (c->row->flags & PSW_S_CHARS)) continue;
        int64_t n = c->row->type == PSW_TEXT ? TEXT_BYTES : NUMBER_BYTES;
        for (int d = 1; d < c->n_dim; d++) n *= t->extent[c->dim[d]];
        sum += n;
    }
    return sum;
}

/** Share of a run in the token table. */
struct share {
    int64_t n_ragged, n_sequence, n_token;
};

/** first: of the shares, the first that may be the run's. */
static struct share share_of(const struct psw_table *t, int64_t run, int64_t first)
{
    struct share s = {0};
    for (int64_t k = first; k < t->n_ragged && t->ragged[k].run == run; k++) {
        s.n_ragged++;
        s.n_sequence += t->ragged[k].n_sequence;
        s.n_token += t->ragged[k].n_token;
    }
    return s;
}

static int64_t end_of(struct psw_part part)
{
    return part.first + part.n;
}

int64_t psw_table_n_fit(const struct psw_table *table, int64_t block_bytes)
{
    const int64_t run_bytes = row_bytes(table, PSW_DIM_RUN);
    const int64_t sequence_bytes = row_bytes(table, PSW_DIM_SEQUENCE);
    const int64_t token_bytes = row_bytes(table, PSW_DIM_TOKEN);
    const int64_t first = end_of(table->part[PSW_DIM_RUN]);
    int64_t n_bytes = 0, r = first, ragged = end_of(table->ragged_part);
    for (; r < table->layout->n_run; r++) {
        const struct share s = share_of(table, r, ragged);
        ragged += s.n_ragged;
        n_bytes += run_bytes + table->chain[r].n_text_bytes + s.n_sequence * sequence_bytes +
                   s.n_token * token_bytes;
        if (r > first && n_bytes > block_bytes) break;
    }
    return r - first;
}

static int is_cut(enum psw_dim dim)
{
    return dim == PSW_DIM_RUN || dim == PSW_DIM_SEQUENCE || dim == PSW_DIM_TOKEN;
}

static void go_on(struct psw_table *t, int64_t n_run)
{
    for (int d = 0; d < PSW_N_DIM; d++) {
        const int64_t first = end_of(t->part[d]);
        const int64_t n = is_cut((enum psw_dim)d) ? 0 : t->extent[d] - first;
        t->part[d] = (struct psw_part){first, n};
    }
    t->ragged_part = (struct psw_part){end_of(t->ragged_part), 0};
    t->part[PSW_DIM_RUN].n = n_run;
    for (int64_t i = 0; i < n_run; i++) {
        const struct share s =
            share_of(t, t->part[PSW_DIM_RUN].first + i, end_of(t->ragged_part));
        t->ragged_part.n += s.n_ragged;
        t->part[PSW_DIM_SEQUENCE].n += s.n_sequence;
        t->part[PSW_DIM_TOKEN].n += s.n_token;
    }
}

void psw_table_clear_columns(struct psw_table *table)
{
    for (int i = 0; table->column && i < table->n_column; i++) {
        struct psw_column *c = &table->column[i];
        for (int64_t k = 0; c->text && k < c->n_elem; k++) free(c->text[k]);
        free(c->text);
        free(c->f64);
        free(c->i64);
        c->text = NULL;
        c->f64 = NULL;
        c->i64 = NULL;
        c->n_elem = 0;
    }
}

/** Room for the rows of this block, with nothing in them. */
static int column_room(const struct psw_table *t, struct psw_column *c)
{
    int64_t n_elem = c->present ? t->part[c->dim[0]].n : 0;
    for (int d = 1; d < c->n_dim; d++) n_elem *= t->extent[c->dim[d]];
    if (n_elem == 0 || (c->row->flags & PSW_S_CHARS)) return 1;
    const size_t n = (size_t)n_elem;
    if (c->row->type == PSW_TEXT) {
        c->text = calloc(n, sizeof *c->text);
    } else if (psw_type_is_float(c->row->type)) {
        c->f64 = malloc(n * sizeof *c->f64);
        for (size_t i = 0; c->f64 && i < n; i++) c->f64[i] = NAN;
    } else {
        c->i64 = malloc(n * sizeof *c->i64);
        for (size_t i = 0; c->i64 && i < n; i++) c->i64[i] = -1;
    }
    if (!c->text && !c->f64 && !c->i64) return 0;
    c->n_elem = n_elem;
    return 1;
}

psw_status psw_table_next(struct psw_table *table, int64_t n_run, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    psw_table_clear_columns(table);
    go_on(table, n_run);
    const struct psw_part run = table->part[PSW_DIM_RUN];
    for (int i = 0; i < table->n_column; i++)
        if (!column_room(table, &table->column[i]))
            return psw_fail(err, PSW_ENOMEM, "results: %s of %lld runs",
                            table->column[i].row->name, (long long)run.n);
    rc = psw_table_fill_identity(table, err);
    for (int64_t r = run.first; rc == PSW_OK && r < run.first + run.n; r++)
        rc = psw_table_fill_run(table, r, err);
    return rc;
}
