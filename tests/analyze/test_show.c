#include <support/support.h>

#include <store/fixture.h>

#include <math.h>
#include <posweep/analyze/cells.h>
#include <posweep/analyze/picture.h>
#include <posweep/analyze/show.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char folder[256], path[300], svg[300];
    struct psw_results *results;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    snprintf(p->svg, sizeof p->svg, "%s/x.svg", p->folder);
    fixture_write(p->path, NULL);
    *state = p;
    return psw_results_open(p->path, &p->results, NULL) != PSW_OK;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_results_close(p->results);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static char *shown(const struct place *p, const struct psw_show_opts *opts)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_show(out, p->results, opts, NULL), PSW_OK);
    fclose(out);
    return text;
}

static void cells_are_the_runs_that_differ_in_seed_only(void **state)
{
    const struct place *p = *state;
    struct psw_cells cells;
    assert_int_equal(psw_cells_init(p->results, &cells, NULL), PSW_OK);
    assert_int_equal(cells.n_cell, 2);
    assert_string_equal(cells.cell[0].label, "dpo vanilla"); /* beta tells no seeds apart */
    assert_int_equal(cells.cell[0].n_run, 3);
    assert_int_equal(cells.cell[1].n_done, 2);
    assert_int_equal(cells.cell[1].run[2], 5);
    psw_cells_clear(&cells);
}

static void cells_stand_in_the_order_of_their_first_run(void **state)
{
    static const int ORDER[FIXTURE_RUNS] = {3, 0, 4, 1, 2, 5}; /* flat first, then in turns */
    const struct place *p = *state;
    char path[300], journal_path[PSW_PATH_BYTES];
    struct psw_results_run run[FIXTURE_RUNS];
    struct psw_results_plan plan = *fixture_plan();
    struct psw_journal *journal = NULL;
    struct psw_results *results = NULL;
    struct psw_cells cells;
    for (int i = 0; i < FIXTURE_RUNS; i++) run[i] = plan.run[ORDER[i]];
    plan.run = run;
    plan.n_leaf = 0;
    snprintf(path, sizeof path, "%s/turns.h5", p->folder);
    assert_int_equal(psw_journal_path(p->path, journal_path, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal_path, &journal, NULL), PSW_OK);
    assert_int_equal(psw_results_write(path, &plan, journal, NULL), PSW_OK);
    psw_journal_close(journal);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_cells_init(results, &cells, NULL), PSW_OK);
    assert_int_equal(cells.n_cell, 2);
    const int64_t flat[] = {0, 2, 5}, vanilla[] = {1, 3, 4};
    assert_string_equal(cells.cell[0].label, "dpo flat");
    assert_memory_equal(cells.cell[0].run, flat, sizeof flat);
    assert_memory_equal(cells.cell[1].run, vanilla, sizeof vanilla);
    assert_int_equal(cells.cell[0].n_done, 2);
    assert_int_equal(cells.cell[1].n_run, 3);
    psw_cells_clear(&cells);
    psw_results_close(results);
}

static void trace_of_a_cell_is_the_mean_over_its_finished_seeds(void **state)
{
    const struct place *p = *state;
    struct psw_cells cells;
    struct psw_stat trace[FIXTURE_CHECKPOINTS];
    double step[FIXTURE_CHECKPOINTS];
    struct psw_interval range;
    assert_int_equal(psw_cells_init(p->results, &cells, NULL), PSW_OK);
    const int64_t pos = psw_results_component(p->results, "pos");
    psw_cell_trace(p->results, &cells.cell[0], pos, trace, step);
    assert_int_equal(trace[0].n, 3);
    assert_close(trace[0].mean, 0.3, 1e-12);
    assert_close(trace[0].se, 0.01 / sqrt(3), 1e-12);
    assert_int_equal(trace[4].n, 2); /* seed 2 has one checkpoint less */
    assert_close(step[4], 80, 0);
    psw_cell_trace(p->results, &cells.cell[1], pos, trace, step);
    assert_int_equal(trace[0].n, 2); /* the diverged run does not count */
    const struct psw_stat share = psw_cell_sign_share(p->results, &cells.cell[0], pos, &range);
    assert_close(share.mean, (3 / 5.0 + 3 / 4.0 + 4 / 5.0) / 3, 1e-12);
    assert_close(range.lo, 0.6, 1e-12);
    assert_close(range.hi, 0.8, 1e-12);
    psw_cells_clear(&cells);
}

static void crossing_of_a_cell_counts_the_seeds_that_cross(void **state)
{
    const struct place *p = *state;
    struct psw_cells cells;
    assert_int_equal(psw_cells_init(p->results, &cells, NULL), PSW_OK);
    /* 0.3 + j - 0.005 s = 0.1 - j + 0.0025 s, so s = (0.2 + 2 j) / 0.0075 */
    const struct psw_stat s = psw_cell_crossing(p->results, &cells.cell[0]);
    assert_int_equal(s.n, 3);
    assert_close(s.mean, 0.2 / 0.0075, 1e-9);
    assert_close(s.sd, 0.02 / 0.0075, 1e-9);
    assert_int_equal(psw_cell_crossing(p->results, &cells.cell[1]).n, 0);
    assert_int_equal(psw_cell_metric(p->results, &cells.cell[0], "score").n, 3);
    assert_int_equal(psw_cell_metric(p->results, &cells.cell[0], "nothing").n, 0);
    psw_cells_clear(&cells);
}

static void text_names_crossing_metrics_and_failures(void **state)
{
    char *text = shown(*state, &(struct psw_show_opts){0});
    assert_non_null(strstr(text, "fixture: 5 done, 1 diverged"));
    assert_non_null(strstr(text, "pos and neg cross at step 26.7 \xc2\xb1 1.5; 3 of 3 runs"));
    assert_non_null(strstr(text, "pos and neg never cross; 0 of 2 runs"));
    assert_non_null(strstr(text, "score 1.60 \xc2\xb1 0.06"));
    assert_non_null(strstr(text, "diverged: step 31: the loss is not a number"));
    assert_non_null(strstr(text, "\xe2\x96\x88"));
    assert_null(strstr(text, "nll")); /* it has no values */
    free(text);
}

static void standard_error_reads_zero_only_where_it_is(void **state)
{
    char *text = shown(*state, &(struct psw_show_opts){.ascii = 1});
    assert_non_null(strstr(text, "length 395.10 +- 0.06"));
    assert_non_null(strstr(text, "length of SFT 8.00 +- 6e-08"));
    assert_non_null(strstr(text, "win rate 0.600 +- 0.000"));
    free(text);
}

static void ascii_text_has_no_other_bytes(void **state)
{
    char *text = shown(*state, &(struct psw_show_opts){.ascii = 1, .all_components = 1});
    for (const char *at = text; *at; at++) assert_true((unsigned char)*at < 128);
    assert_non_null(strstr(text, "+0.400 +- 0.000"));
    free(text);
}

static void wanted_variant_alone_is_shown(void **state)
{
    char *text = shown(*state, &(struct psw_show_opts){.variant = "flat", .n_column = 2});
    assert_null(strstr(text, "dpo vanilla"));
    assert_non_null(strstr(text, "step 80"));
    assert_null(strstr(text, "step 40"));
    free(text);
}

static void locale_decides_about_ascii(void **state)
{
    (void)state;
    setenv("LC_ALL", "C", 1);
    assert_true(psw_show_wants_ascii());
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    assert_false(psw_show_wants_ascii());
    unsetenv("LC_ALL");
}

static void picture_has_a_panel_per_cell_and_no_broken_number(void **state)
{
    const struct place *p = *state;
    char *text = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_trace_svg(p->results, p->svg, NULL), PSW_OK);
    assert_int_equal(psw_file_read(p->svg, &text, &n_bytes, NULL), PSW_OK);
    assert_non_null(strstr(text, "dpo vanilla  (3 seeds)"));
    assert_non_null(strstr(text, "dpo flat  (2 seeds)"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    assert_non_null(strstr(text, "</svg>"));
    free(text);
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cells_are_the_runs_that_differ_in_seed_only),
        TEST(cells_stand_in_the_order_of_their_first_run),
        TEST(trace_of_a_cell_is_the_mean_over_its_finished_seeds),
        TEST(crossing_of_a_cell_counts_the_seeds_that_cross),
        TEST(text_names_crossing_metrics_and_failures),
        TEST(standard_error_reads_zero_only_where_it_is),
        TEST(ascii_text_has_no_other_bytes),
        TEST(wanted_variant_alone_is_shown),
        TEST(locale_decides_about_ascii),
        TEST(picture_has_a_panel_per_cell_and_no_broken_number),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
