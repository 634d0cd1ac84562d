/* The token table as columns. Everything that points into something else is held against its
 * extent here, so that those who read it need not. */
#include <posweep/analyze/tokens.h>

#include <stdlib.h>

/** The first sequence whose run or checkpoint is out of range or out of order; n: none. */
static int64_t find_misplaced(const struct psw_token_table *t, int64_t n_run,
                              int64_t n_checkpoint)
{
    for (int64_t s = 0; s < t->n_sequence; s++) {
        if (t->run[s] < 0 || t->run[s] >= n_run || t->checkpoint[s] < 0 ||
            t->checkpoint[s] >= n_checkpoint)
            return s;
        const int is_back =
            s > 0 && (t->run[s] < t->run[s - 1] ||
                      (t->run[s] == t->run[s - 1] && t->checkpoint[s] < t->checkpoint[s - 1]));
        if (is_back) return s;
    }
    return t->n_sequence;
}

static psw_status place_tokens(struct psw_token_table *t, const int64_t *size, int64_t n_token,
                               struct psw_error *err)
{
    t->first = malloc(sizeof *t->first * ((size_t)t->n_sequence + 1));
    if (!t->first)
        return psw_fail(err, PSW_ENOMEM, "token table of %lld sequences",
                        (long long)t->n_sequence);
    t->first[0] = 0;
    for (int64_t s = 0; s < t->n_sequence; s++) {
        if (size[s] < 1 || size[s] > n_token - t->first[s])
            return psw_fail(err, PSW_EDATA, "row_size: sequence %lld has %lld of %lld tokens",
                            (long long)s, (long long)size[s], (long long)n_token);
        t->first[s + 1] = t->first[s] + size[s];
    }
    return PSW_OK;
}

psw_status psw_token_table_init(struct psw_results *results, struct psw_token_table *out,
                                struct psw_error *err)
{
    const int64_t *size = psw_results_i64(results, "row_size");
    struct psw_token_table t = {.n_sequence = psw_results_dim(results, "sequence"),
                                .run = psw_results_i64(results, "sequence_run"),
                                .checkpoint = psw_results_i64(results, "sequence_checkpoint"),
                                .item = psw_results_i64(results, "sequence_item"),
                                .role = psw_results_i64(results, "sequence_role"),
                                .cluster = psw_results_i64(results, "sequence_cluster"),
                                .id = psw_results_i64(results, "token_id"),
                                .kappa = psw_results_f64(results, "token_kappa"),
                                .logp = psw_results_f64(results, "token_logp"),
                                .weight = psw_results_f64(results, "token_weight"),
                                .rollout.advantage =
                                    psw_results_f64(results, "token_advantage"),
                                .rollout.ref = psw_results_f64(results, "token_ref")};
    psw_status rc = psw_results_fault(results, err);
    if (rc != PSW_OK) return rc;
    if (t.n_sequence == 0 || !size || !t.run || !t.checkpoint || !t.item || !t.role || !t.id ||
        !t.kappa || !t.logp || !t.weight)
        return psw_fail(err, PSW_EDATA,
                        "the file has no token table; `trace: {tokens: on}` in the sweep file "
                        "stores it");
    const int64_t misplaced = find_misplaced(&t, psw_results_dim(results, "run"),
                                             psw_results_dim(results, "checkpoint"));
    if (misplaced < t.n_sequence)
        return psw_fail(err, PSW_EDATA,
                        "sequence %lld: run %lld and checkpoint %lld are out of range or order",
                        (long long)misplaced, (long long)t.run[misplaced],
                        (long long)t.checkpoint[misplaced]);
    rc = place_tokens(&t, size, psw_results_dim(results, "token"), err);
    if (rc == PSW_OK)
        *out = t;
    else
        psw_token_table_clear(&t);
    return rc;
}

void psw_token_table_clear(struct psw_token_table *table)
{
    free(table->first);
    *table = (struct psw_token_table){0};
}

/** The first sequence that is not before (run, checkpoint). */
static int64_t lower_bound(const struct psw_token_table *t, int64_t run, int64_t checkpoint)
{
    int64_t lo = 0, hi = t->n_sequence;
    while (lo < hi) {
        const int64_t mid = (lo + hi) / 2;
        if (t->run[mid] < run || (t->run[mid] == run && t->checkpoint[mid] < checkpoint))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct psw_token_span psw_token_span_of(const struct psw_token_table *table, int64_t run,
                                        int64_t checkpoint)
{
    return (struct psw_token_span){lower_bound(table, run, checkpoint),
                                   lower_bound(table, run, checkpoint + 1)};
}

double psw_token_sum(const struct psw_token_table *table, const double *column,
                     int64_t sequence)
{
    double sum = 0;
    for (int64_t r = table->first[sequence]; r < table->first[sequence + 1]; r++)
        sum += column[r];
    return sum;
}

psw_status psw_token_items(const struct psw_token_table *table, struct psw_token_span span,
                           int64_t n_side, int64_t *n_item, struct psw_error *err)
{
    const int64_t n = span.end - span.begin;
    for (int64_t q = 0; q < n; q++) {
        const int64_t s = span.begin + q;
        if (table->item[s] != q / n_side || table->role[s] != q % n_side ||
            (q == n - 1 && q % n_side != n_side - 1))
            return psw_fail(err, PSW_EDATA,
                            "sequence %lld: item %lld, role %lld is not where %lld responses "
                            "to each item have it",
                            (long long)s, (long long)table->item[s], (long long)table->role[s],
                            (long long)n_side);
    }
    *n_item = n / n_side;
    return PSW_OK;
}
