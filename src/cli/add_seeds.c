/* Adding seeds: a sweep whose file plans them is run with more and more replicates until every
 * comparison is decided, or the last look is over. What is decided follows from the results
 * file alone, so that a sweep that was stopped goes on where it was. */
#include "cli_internal.h"
#include <posweep/analyze/compare.h>
#include <posweep/comm/agree.h>
#include <posweep/config/sweep_file.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <string.h>

psw_status psw_cli_seed_plan(const struct psw_run_opts *opts, struct psw_seed_plan *out,
                             struct psw_error *err)
{
    struct psw_sweep *sweep = NULL;
    psw_status rc = psw_sweep_seed_plan(opts->sweep_path, opts->sets, opts->n_sets, out, err);
    if (rc != PSW_OK || out->batch == 0) return rc;
    rc = psw_sweep_read(opts->sweep_path, opts->sets, opts->n_sets, &sweep, err);
    if (rc == PSW_OK) *out = sweep->seed_plan;
    psw_sweep_destroy(sweep);
    return rc;
}

/** Seeds that the runs of a file have. */
static int64_t n_seeds_of(struct psw_results *results)
{
    const int64_t *seed = psw_results_i64(results, "seed");
    int64_t most = 0;
    for (int64_t i = 0; seed && i < psw_results_dim(results, "run"); i++)
        if (seed[i] > most) most = seed[i]; /* replicates are seeds 1..n */
    return most;
}

int64_t psw_cli_seeds_before(const struct psw_seed_plan *plan, const char *path)
{
    struct psw_results *results = NULL;
    int64_t n = plan->batch;
    if (!psw_file_exists(path) || psw_results_open(path, &results, NULL) != PSW_OK) return n;
    if (n_seeds_of(results) > n) n = n_seeds_of(results);
    psw_results_close(results);
    return n < plan->max ? n : plan->max;
}

/** Seeds with which every undecided row has its next look: those that were lost are made up
 * for.
 */
static int64_t next_of(const struct psw_comparison *c, int64_t n_now, int64_t *n_open)
{
    int64_t next = 0;
    *n_open = 0;
    for (int64_t i = 0; i < c->n_row; i++) {
        const struct psw_compare_row *row = &c->row[i];
        const int64_t wanted = n_now + row->sequential.n_next - row->pairs.n;
        if (row->judged.verdict != PSW_COMPARE_GO_ON) continue;
        (*n_open)++;
        if (wanted > next) next = wanted;
    }
    return next;
}

static void say(const struct psw_comparison *c, int64_t n_now, int64_t n_open, int64_t next)
{
    printf("seeds 1 to %lld: %lld of %lld comparisons of %s with %s %s decided; ",
           (long long)n_now, (long long)(c->n_row - n_open), (long long)c->n_row, c->metric[0],
           c->pairing.by, c->pairing.value);
    if (next > 0)
        printf("going on to %lld\n", (long long)next);
    else
        printf("%s\n", n_open > 0 ? "no more may be added" : "no more are needed");
    for (int64_t i = 0; i < c->n_row; i++) {
        char words[PSW_VERDICT_BYTES];
        printf("  %s: %s\n", c->row[i].contrast->cell->label,
               psw_compare_words(&c->row[i], words));
    }
    fflush(stdout);
}

psw_status psw_cli_seeds_next(const struct psw_seed_plan *plan, const char *path, int64_t *next,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_results *results = NULL;
    struct psw_comparison c = {0};
    const char *const metric[] = {plan->metric};
    const struct psw_compare_opts opts = {
        .pairing = {.by = plan->by, .baseline = plan->baseline},
        .metric = metric,
        .n_metric = 1,
        .alpha = plan->alpha,
        .batch = plan->batch,
        .max = plan->max};
    int64_t n_open = 0;
    *next = 0;
    PSW_TRY(psw_results_open(path, &results, err));
    PSW_TRY(psw_compare(results, &opts, &c, err));
    const int64_t n_now = n_seeds_of(results);
    *next = next_of(&c, n_now, &n_open);
    if (*next > plan->max) *next = plan->max;
    if (*next <= n_now) *next = 0;
    say(&c, n_now, n_open, *next);
fail:
    psw_comparison_clear(&c);
    psw_results_close(results);
    if (rc != PSW_OK) psw_error_prefix(err, "replicates");
    return rc;
}
