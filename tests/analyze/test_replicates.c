#include "show_files.h"
#include <support/support.h>

#include <posweep/analyze/replicates.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>

struct place {
    char folder[256], path[300];
    struct psw_results *results;
    struct psw_traces traces;
    struct psw_cells cells;
    double scratch[64];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    const struct psw_selection all = {0};
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    tf_write(&SHOW_FILE, p->path);
    *state = p;
    return psw_results_open(p->path, &p->results, NULL) != PSW_OK ||
           psw_traces_init(p->results, &p->traces, NULL) != PSW_OK ||
           psw_cells_init(p->results, &p->traces, &all, &p->cells, NULL) != PSW_OK ||
           psw_replicates_scratch(&p->traces, &p->cells.cell[0]) > 64;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_cells_clear(&p->cells);
    psw_results_close(p->results);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static void a_run_away_seed_is_in_no_statistic(void **state)
{
    struct place *p = *state;
    const struct psw_cell *cell = &p->cells.cell[0];
    assert_int_equal(cell->n_run, 4);
    assert_int_equal(cell->n_used, 3);
    assert_int_equal(cell->apart[3], PSW_APART_KL);
    const struct psw_replicates r =
        psw_replicates_at(&p->traces, cell, p->traces.pos, 0, p->scratch);
    assert_int_equal(r.scaled.n, 3);
    assert_close(r.scaled.mean, 0.11, 1e-12); /* (1.5 + 1.7 + 0.1) / 3 over a norm of 10 */
    assert_close(r.middle.median, 0.15, 1e-12);
    assert_close(r.g.most, 1.7, 1e-12);
    assert_close(r.g.least, 0.1, 1e-12);
    const struct psw_stat score = psw_replicates_metric(p->results, cell, "score");
    assert_int_equal(score.n, 3);
    assert_close(score.mean, 1.7, 1e-12);
    assert_close(score.sd, 0.1, 1e-12);
    assert_int_equal(psw_replicates_metric(p->results, cell, "nothing").n, 0);
}

static void seeds_are_counted_by_the_sign_of_their_own_g(void **state)
{
    struct place *p = *state;
    const struct psw_replicates first =
        psw_replicates_at(&p->traces, &p->cells.cell[0], PSW_POS_MINUS_NEG, 0, p->scratch);
    assert_int_equal(first.n_above, 2);
    assert_int_equal(first.n_open, 1); /* 0.1 with an error of 0.11 */
    const struct psw_replicates last =
        psw_replicates_at(&p->traces, &p->cells.cell[0], PSW_POS_MINUS_NEG, 4, p->scratch);
    assert_int_equal(last.n_below, 2);
    assert_int_equal(
        psw_replicates_at(&p->traces, &p->cells.cell[0], p->traces.pos, 5, p->scratch).g.n,
        0); /* the last checkpoint */
}

static void crossings_are_shares_of_runs_with_their_interval(void **state)
{
    struct place *p = *state;
    const struct psw_replicates_crossing c =
        psw_replicates_crossing(&p->traces, &p->cells.cell[0], p->scratch);
    assert_int_equal(c.n, 3);
    assert_int_equal(c.n_pos_first, 2);
    assert_int_equal(c.n_neg_first, 0);
    assert_close(c.lo.median, 20, 0);
    assert_close(c.hi.median, 60, 0);
    assert_close(c.share.lo, psw_wilson_interval(2, 3, 0.95).lo, 1e-12);
}

static void a_difference_at_the_last_checkpoint_is_no_crossing(void **state)
{
    struct place *p = *state; /* flat: -1 throughout, +18 at the end */
    const struct psw_replicates_crossing c =
        psw_replicates_crossing(&p->traces, &p->cells.cell[1], p->scratch);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.n_pos_first + c.n_neg_first, 0);
    assert_int_equal(c.lo.n, 0);
}

static void shares_are_means_over_seeds(void **state)
{
    struct place *p = *state;
    struct psw_shares s =
        psw_replicates_shares(&p->traces, &p->cells.cell[0], PSW_POS_MINUS_NEG);
    assert_int_equal(s.n, 3);
    assert_close(s.above, 2 * 0.4 / 3, 1e-12); /* steps 0 and 20 of 5 */
    assert_close(s.below, 2 * 0.4 / 3, 1e-12);
    assert_close(s.open, (2 * 0.2 + 1) / 3, 1e-12);
    s = psw_replicates_shares(&p->traces, &p->cells.cell[1], p->traces.neg);
    assert_close(s.above, 1, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_away_seed_is_in_no_statistic),
        cmocka_unit_test(seeds_are_counted_by_the_sign_of_their_own_g),
        cmocka_unit_test(crossings_are_shares_of_runs_with_their_interval),
        cmocka_unit_test(a_difference_at_the_last_checkpoint_is_no_crossing),
        cmocka_unit_test(shares_are_means_over_seeds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
