/* Whether two journals have the same results of a run: both are made into tables, as for the
 * results file, and everything that is not volatile must have the same bits. */
#include "journal_merge_internal.h"
#include "table_internal.h"

#include <posweep/util/hash.h>

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
    if (a->text) return same_texts(a, b);
    return a->f64 ? !memcmp(a->f64, b->f64, n_bytes) : !memcmp(a->i64, b->i64, n_bytes);
}

/** The first dataset that differs; NULL: none does. */
static const char *difference(const struct psw_table *a, const struct psw_table *b)
{
    for (int i = 0; i < a->n_column; i++)
        if (!(a->column[i].row->flags & PSW_S_VOLATILE) &&
            !same_column(&a->column[i], &b->column[i]))
            return a->column[i].row->name;
    return NULL;
}

/** Runs that the same two sources have. */
struct batch {
    struct psw_results_run *run; /* [n] owned by who made it */
    int64_t n;
    int source[2];
};

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
    if (rc == PSW_OK) *name = difference(table[0], table[1]);
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
            return psw_fail(err, PSW_EDATA,
                            "run %s is done in %s and in %s, and its \"%s\" differs: they were "
                            "computed with other data, another build or another machine. Leave "
                            "one of the files out, or remove the run from one of them (posweep "
                            "prune)",
                            psw_hash_text(one.run->hash, hash), m->source[one.source[0]].name,
                            m->source[one.source[1]].name, name);
    }
    return PSW_OK; /* together they differ in nothing that a run has */
}

static int by_sources(const void *a, const void *b)
{
    const struct psw_merge_pair *x = a, *y = b;
    const int first = (x->source[0] > y->source[0]) - (x->source[0] < y->source[0]);
    return first ? first : (x->source[1] > y->source[1]) - (x->source[1] < y->source[1]);
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
        struct batch batch = {run, 0, {pairs->item[i].source[0], pairs->item[i].source[1]}};
        const char *name = NULL;
        for (next = i; next < pairs->n && !by_sources(&pairs->item[next], &pairs->item[i]);
             next++)
            run[batch.n++] = (struct psw_results_run){
                .hash = pairs->item[next].run, .method = "", .variant = ""};
        rc = compare_batch(merge, &batch, axes, &name, err);
        if (rc == PSW_OK && name) rc = refuse(merge, &batch, axes, err);
    }
    free(run);
    return rc;
}
