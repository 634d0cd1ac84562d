/* Whether two journals have the same results of a run: both are made into tables, block by
 * block as for the results file, and everything that is not volatile must have the same bits.
 * Of a run that was stopped early in one of them, that is what was logged until then. */
#include "journal_merge_internal.h"
#include "table_internal.h"

#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int same_texts(const struct psw_column *a, const struct psw_column *b)
{
    for (int64_t i = 0; i < a->n_elem; i++)
        if (strcmp(a->text[i] ? a->text[i] : "", b->text[i] ? b->text[i] : "") != 0) return 0;
    return 1;
}

static int same_column(const struct psw_column *a, const struct psw_column *b)
{
    if (a->present != b->present) return 0;
    if (!a->present) return 1;
    const size_t n_bytes = sizeof(double) * (size_t)a->n_elem;
    if (a->n_elem != b->n_elem) return 0;
    if (a->n_elem == 0) return 1;
    if (a->text) return same_texts(a, b);
    return a->f64 ? !memcmp(a->f64, b->f64, n_bytes) : !memcmp(a->i64, b->i64, n_bytes);
}

static int is_missing(const struct psw_column *c, int64_t i)
{
    if (c->text) return !c->text[i] || !c->text[i][0];
    return c->f64 ? isnan(c->f64[i]) : c->i64[i] == -1;
}

static int same_element(const struct psw_column *a, int64_t i, const struct psw_column *b,
                        int64_t k)
{
    if (a->text) return strcmp(a->text[i] ? a->text[i] : "", b->text[k]) == 0;
    return a->f64 ? !memcmp(&a->f64[i], &b->f64[k], sizeof *a->f64) : a->i64[i] == b->i64[k];
}

/** Whether what a column of begun runs has is in that of the finished ones: of each run one
 *  value, or some along the logged steps. Shapes: of both, [n_run][n_elem / n_run]. */
static int continues_column(const struct psw_column *whole, const struct psw_column *begun,
                            int64_t n_run)
{
    const int is_of_run =
        begun->dim[0] == PSW_DIM_RUN &&
        (begun->n_dim == 1 || (begun->n_dim == 2 && begun->dim[1] == PSW_DIM_LOG_STEP));
    if (!is_of_run || !begun->present || (begun->row->flags & PSW_S_WRITER)) return 1;
    const int64_t n = begun->n_elem / n_run, n_whole = whole->n_elem / n_run;
    for (int64_t i = 0; i < begun->n_elem; i++) {
        const int64_t run = i / n, at = i % n;
        if (is_missing(begun, i)) continue;
        if (!whole->present || at >= n_whole ||
            !same_element(whole, run * n_whole + at, begun, i))
            return 0;
    }
    return 1;
}

/** Runs that the same two sources have. */
struct batch {
    struct psw_results_run *run; /* [n] owned by who made it */
    int64_t n;
    int source[2];
    int is_begun; /* as of the pairs */
};

/** The first dataset that differs in the runs that are in the columns; NULL: none does. */
static const char *difference(const struct psw_table *a, const struct psw_table *b,
                              const struct batch *batch)
{
    const int64_t n_run = a->part[PSW_DIM_RUN].n;
    for (int i = 0; i < a->n_column; i++) {
        const struct psw_column *x = &a->column[i], *y = &b->column[i];
        if (!(x->row->flags & PSW_S_VOLATILE) &&
            !(batch->is_begun ? continues_column(x, y, n_run) : same_column(x, y)))
            return x->row->name;
    }
    return NULL;
}

/** Two tables of the same runs, side by side. */
static psw_status compare_tables(struct psw_table *a, struct psw_table *b,
                                 const struct batch *batch, const char **name,
                                 struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *name = NULL;
    for (int64_t n = 1; rc == PSW_OK && !*name;) {
        n = psw_min(psw_table_n_fit(a, PSW_BLOCK_BYTES), psw_table_n_fit(b, PSW_BLOCK_BYTES));
        if (n == 0) break;
        rc = psw_table_next(a, n, err);
        if (rc == PSW_OK) rc = psw_table_next(b, n, err);
        if (rc == PSW_OK) *name = difference(a, b, batch);
    }
    return rc;
}

/** *name: the first dataset that differs; NULL: none does. */
static psw_status compare_batch(const struct psw_journal_merge *m, const struct batch *batch,
                                const struct psw_results_axes *axes, const char **name,
                                struct psw_error *err)
{
    const struct psw_results_layout layout = {
        .name = "", .run = batch->run, .n_run = batch->n, .axes = *axes};
    struct psw_table *table[2] = {NULL, NULL};
    psw_status rc = PSW_OK;
    for (int k = 0; k < 2 && rc == PSW_OK; k++)
        rc = psw_table_create(&layout, m->source[batch->source[k]].journal, &table[k], err);
    if (rc == PSW_OK) rc = compare_tables(table[0], table[1], batch, name, err);
    for (int k = 0; k < 2; k++) psw_table_destroy(table[k]);
    return rc;
}

/** Say which run of a batch that differs it is. */
static psw_status refuse(const struct psw_journal_merge *m, const struct batch *batch,
                         const struct psw_results_axes *axes, struct psw_error *err)
{
    const char *name = NULL;
    for (int64_t i = 0; i < batch->n; i++) {
        struct batch one = *batch;
        char hash[PSW_HASH_TEXT_BYTES];
        one.run = &batch->run[i];
        one.n = 1;
        const psw_status rc = compare_batch(m, &one, axes, &name, err);
        if (rc != PSW_OK) return rc;
        if (name)
            return psw_fail(
                err, PSW_EDATA,
                "run %s is done in %s and %sin %s, and its \"%s\" differs: they were "
                "computed with other data, another build or another machine. Leave "
                "one of the files out, or remove the run from one of them (posweep "
                "prune)",
                psw_hash_text(one.run->hash, hash), m->source[one.source[0]].name,
                one.is_begun ? "stopped early " : "", m->source[one.source[1]].name, name);
    }
    return PSW_OK; /* together they differ in nothing that a run has */
}

static int by_sources(const void *a, const void *b)
{
    const struct psw_merge_pair *x = a, *y = b;
    for (int k = 0; k < 2; k++)
        if (x->source[k] != y->source[k]) return x->source[k] < y->source[k] ? -1 : 1;
    return x->is_begun - y->is_begun;
}

psw_status psw_merge_compare(const struct psw_journal_merge *merge,
                             const struct psw_merge_pairs *pairs,
                             const struct psw_results_axes *axes, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_results_run *run = calloc((size_t)pairs->n + 1, sizeof *run);
    if (!run) return psw_fail(err, PSW_ENOMEM, "merge: %lld runs", (long long)pairs->n);
    if (pairs->n > 0) qsort(pairs->item, (size_t)pairs->n, sizeof *pairs->item, by_sources);
    for (int64_t i = 0, next; i < pairs->n && rc == PSW_OK; i = next) {
        const struct psw_merge_pair *of = &pairs->item[i];
        struct batch batch = {run, 0, {of->source[0], of->source[1]}, of->is_begun};
        const char *name = NULL;
        for (next = i; next < pairs->n && !by_sources(&pairs->item[next], of); next++)
            run[batch.n++] = (struct psw_results_run){
                .hash = pairs->item[next].run, .method = "", .variant = ""};
        rc = compare_batch(merge, &batch, axes, &name, err);
        if (rc == PSW_OK && name) rc = refuse(merge, &batch, axes, err);
    }
    free(run);
    return rc;
}
