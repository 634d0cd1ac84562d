/* The results as columns in memory, a block of runs at a time: between the journal and the
 * file. */
#ifndef POSWEEP_STORE_TABLE_INTERNAL_H
#define POSWEEP_STORE_TABLE_INTERNAL_H

#include <posweep/store/results.h>
#include <posweep/store/schema.h>

/* Bytes of columns that are in memory at a time. */
static const int64_t PSW_BLOCK_BYTES = (int64_t)16 << 20;

/** Dimensions by place in psw_table.extent. */
enum psw_dim {
    PSW_DIM_RUN,
    PSW_DIM_CHECKPOINT,
    PSW_DIM_COMPONENT,
    PSW_DIM_DIRECTION,
    PSW_DIM_LOG_STEP,
    PSW_DIM_SAMPLE,
    PSW_DIM_EVAL_PROMPT,
    PSW_DIM_SEQUENCE,
    PSW_DIM_TOKEN,
    PSW_DIM_SKETCH,
    PSW_DIM_CONFIG_CHAR,
    PSW_N_DIM
};

enum { PSW_MAX_LABELS = 64 };

/** One dataset. Exactly one of f64, i64, text is set, all owned; none of them where no rows are
 *  in memory, and where the row has PSW_S_CHARS: that is written as it is made. */
struct psw_column {
    const struct psw_schema_row *row;
    int present; /* some record gave it, or the writer fills it */
    int n_dim;
    enum psw_dim dim[PSW_MAX_DIMS];
    int64_t n_elem; /* in memory now, [rows of the first dimension]... */
    double *f64;
    int64_t *i64;
    char **text;
};

/** Share of one run and checkpoint in the token table. */
struct psw_ragged {
    int64_t run, checkpoint, order;
    int64_t n_sequence, n_token;
    int64_t first_sequence, first_token;
};

struct psw_run_key {
    uint64_t hash;
    int64_t run;
};

/** Records of one run in the journal, in their order, and the bytes of its texts. */
struct psw_chain {
    int64_t first, last, n_text_bytes; /* entries; -1: none */
};

/** Rows of a dimension that are in the columns now. */
struct psw_part {
    int64_t first, n;
};

struct psw_table {
    const struct psw_results_layout *layout; /* borrowed */
    struct psw_journal *journal;             /* borrowed */
    int64_t extent[PSW_N_DIM];
    struct psw_part part[PSW_N_DIM]; /* of run, sequence and token some; of the others all, in
                                        the first block */
    struct psw_part ragged_part;     /* of the shares in the token table */
    struct psw_chain *chain;         /* owned [n_run] */
    int64_t *next;                   /* owned [entries of the journal]: in the run's chain */
    int *component; /* owned: [layout->axes.n_component] place on the axis; -1 unused, 0.. used
                     */
    int *direction; /* owned: the same for the directions */
    struct psw_column *column;   /* owned: one per row of the schema */
    struct psw_column **by_name; /* owned: to them, sorted */
    int n_column;
    struct psw_ragged *ragged; /* owned, sorted by run and checkpoint */
    int64_t n_ragged, n_ragged_room;
    struct psw_run_key *key; /* owned, sorted by hash */
    uint8_t *is_traced;      /* owned [n_run]: it has points */
};

/** Measure what the journal holds about the runs of the layout; the columns have no rows yet.
 *  Errors: PSW_EDATA naming run and field; PSW_ENOMEM. */
psw_status psw_table_create(const struct psw_results_layout *layout,
                            struct psw_journal *journal, struct psw_table **out,
                            struct psw_error *err);
void psw_table_destroy(struct psw_table *table); /* accepts NULL */

/* table_block.c */

/** How many of the next runs take so many bytes, one at least; 0 after the last one. */
int64_t psw_table_n_fit(const struct psw_table *table, int64_t block_bytes);
/** The next runs into the columns, in the place of what is there.
 *  Errors: PSW_ENOMEM; those of psw_journal_record. */
psw_status psw_table_next(struct psw_table *table, int64_t n_run, struct psw_error *err);
void psw_table_clear_columns(struct psw_table *table);

/* table_find.c */

/** After the columns have their rows. */
void psw_table_sort_names(struct psw_table *table);
struct psw_column *psw_table_column(struct psw_table *table, const char *name);
const char *psw_dim_name(enum psw_dim dim);
/** Place of a run in the sweep; -1: no longer asked for. */
int64_t psw_table_run(const struct psw_table *table, uint64_t hash);

/* table_fill.c */

/** What the writer itself knows of the runs of the block: labels, identity, status, attempts.
 */
psw_status psw_table_fill_identity(struct psw_table *table, struct psw_error *err);
/** The column that such an entry's payload is a text of; NULL: of none. */
const char *psw_table_text_of(enum psw_journal_type type);
/** The entries of a run into the columns. Errors: PSW_ENOMEM; those of psw_journal_record. */
psw_status psw_table_fill_run(struct psw_table *table, int64_t run, struct psw_error *err);

#endif
