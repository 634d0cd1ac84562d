/* Look-ups in the table: dimensions and columns by name, runs by hash. */
#include "table_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *const DIM_NAMES[PSW_N_DIM] = {[PSW_DIM_RUN] = "run",
                                                 [PSW_DIM_CHECKPOINT] = "checkpoint",
                                                 [PSW_DIM_COMPONENT] = "component",
                                                 [PSW_DIM_DIRECTION] = "direction",
                                                 [PSW_DIM_LOG_STEP] = "log_step",
                                                 [PSW_DIM_SAMPLE] = "sample",
                                                 [PSW_DIM_EVAL_PROMPT] = "eval_prompt",
                                                 [PSW_DIM_SEQUENCE] = "sequence",
                                                 [PSW_DIM_TOKEN] = "token",
                                                 [PSW_DIM_SKETCH] = "sketch",
                                                 [PSW_DIM_CONFIG_CHAR] = "config_char"};

const char *psw_dim_name(enum psw_dim dim)
{
    return DIM_NAMES[dim];
}

static int by_name(const void *a, const void *b)
{
    const struct psw_column *const *x = a, *const *y = b;
    return strcmp((*x)->row->name, (*y)->row->name);
}

void psw_table_sort_names(struct psw_table *table)
{
    for (int i = 0; i < table->n_column; i++) table->by_name[i] = &table->column[i];
    qsort(table->by_name, (size_t)table->n_column, sizeof *table->by_name, by_name);
}

struct psw_column *psw_table_column(struct psw_table *table, const char *name)
{
    const struct psw_schema_row row = {.name = name};
    struct psw_column wanted = {.row = &row}, *const key = &wanted;
    struct psw_column *const *c =
        bsearch(&key, table->by_name, (size_t)table->n_column, sizeof key, by_name);
    return c ? *c : NULL;
}

static int by_hash(const void *a, const void *b)
{
    const struct psw_run_key *x = a, *y = b;
    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

int64_t psw_table_run(const struct psw_table *table, uint64_t hash)
{
    const struct psw_run_key key = {.hash = hash};
    const struct psw_run_key *k =
        bsearch(&key, table->key, (size_t)table->layout->n_run, sizeof key, by_hash);
    return k ? k->run : -1;
}
