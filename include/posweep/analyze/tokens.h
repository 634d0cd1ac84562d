/* The token table of a results file: which of its rows belong to a checkpoint of a run. */
#ifndef POSWEEP_ANALYZE_TOKENS_H
#define POSWEEP_ANALYZE_TOKENS_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Columns of the table. Borrows all but `first` from the results. Its sequences stand by run,
 *  then by checkpoint. */
struct psw_token_table {
    int64_t n_sequence;
    const int64_t *run, *checkpoint;      /* [n_sequence] */
    const int64_t *item, *role, *cluster; /* [n_sequence]; cluster: NULL in older files */
    int64_t *first;                       /* owned [n_sequence + 1]: first token */
    const int64_t *id;                    /* [first[n_sequence]] */
    const double *kappa, *logp, *weight;
    struct {
        const double *advantage, *ref; /* NaN elsewhere, NULL: there are none */
    } rollout;
};

/** Owns: the caller clears. Errors: PSW_EDATA when the file has no token table, with the
 * setting that stores it, or when its rows do not fit together; PSW_ENOMEM. */
psw_status psw_token_table_init(struct psw_results *results, struct psw_token_table *out,
                                struct psw_error *err);
void psw_token_table_clear(struct psw_token_table *table);

/** Sequences [begin, end) of a checkpoint of a run; none: begin = end. */
struct psw_token_span {
    int64_t begin, end;
};
struct psw_token_span psw_token_span_of(const struct psw_token_table *table, int64_t run,
                                        int64_t checkpoint);

/** Sum of a column over the tokens of a sequence, in double, in their order. */
double psw_token_sum(const struct psw_token_table *table, const double *column,
                     int64_t sequence);

/** Whether a span is n_side responses to each of its items, in their order; how many items.
 *  Errors: PSW_EDATA with the first sequence that is out of place. */
psw_status psw_token_items(const struct psw_token_table *table, struct psw_token_span span,
                           int64_t n_side, int64_t *n_item, struct psw_error *err);

#endif
