#include <store/fixture.h>
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/cells.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char folder[256], path[300];
    struct psw_results *results;
    struct psw_traces traces;
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    fixture_write(p->path, NULL);
    *state = p;
    return psw_results_open(p->path, &p->results, NULL) != PSW_OK ||
           psw_traces_init(p->results, &p->traces, NULL) != PSW_OK;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_results_close(p->results);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static void cells_are_the_runs_that_differ_in_seed_only(void **state)
{
    const struct place *p = *state;
    struct psw_cells cells;
    const struct psw_selection all = {0};
    assert_int_equal(psw_cells_init(p->results, &p->traces, &all, &cells, NULL), PSW_OK);
    assert_int_equal(cells.n_cell, 2);
    assert_string_equal(cells.cell[0].label, "dpo vanilla"); /* beta tells no seeds apart */
    assert_int_equal(cells.cell[0].n_run, 3);
    assert_int_equal(cells.cell[0].n_used, 3);
    assert_int_equal(cells.cell[1].n_done, 2);
    assert_int_equal(cells.cell[1].run[2], 5);
    assert_int_equal(cells.cell[1].apart[2], PSW_APART_UNENDED);
    assert_int_equal(cells.cell[1].along, PSW_ALONG_SAMPLED);
    psw_cells_clear(&cells);
}

static void cells_stand_in_the_order_of_their_first_run(void **state)
{
    static const int ORDER[FIXTURE_RUNS] = {3, 0, 4, 1, 2, 5}; /* flat first, then in turns */
    const struct place *p = *state;
    char path[300], journal_path[PSW_PATH_BYTES];
    struct psw_results_run run[FIXTURE_RUNS];
    struct psw_results_layout plan = *fixture_layout();
    struct psw_journal *journal = NULL;
    struct psw_results *results = NULL;
    struct psw_traces traces;
    struct psw_cells cells;
    const struct psw_selection all = {0};
    for (int i = 0; i < FIXTURE_RUNS; i++) run[i] = plan.run[ORDER[i]];
    plan.run = run;
    plan.n_leaf = 0;
    snprintf(path, sizeof path, "%s/turns.h5", p->folder);
    assert_int_equal(psw_journal_path(p->path, journal_path, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal_path, &journal, NULL), PSW_OK);
    assert_int_equal(psw_results_write(path, &plan, journal, NULL), PSW_OK);
    psw_journal_close(journal);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_traces_init(results, &traces, NULL), PSW_OK);
    assert_int_equal(psw_cells_init(results, &traces, &all, &cells, NULL), PSW_OK);
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

static void selection_keeps_what_it_names(void **state)
{
    const struct place *p = *state;
    struct psw_cells cells;
    const struct psw_selection flat = {.method = "dpo", .variant = "flat"};
    assert_int_equal(psw_cells_init(p->results, &p->traces, &flat, &cells, NULL), PSW_OK);
    assert_int_equal(cells.n_cell, 1);
    assert_string_equal(cells.cell[0].label, "dpo flat");
    assert_int_equal(cells.cell[0].run[0], 3);
    psw_cells_clear(&cells);
}

static void refuse(const struct place *p, struct psw_selection selection, psw_status expected,
                   const char *text)
{
    struct psw_cells cells;
    struct psw_error err = {0};
    assert_int_equal(psw_cells_init(p->results, &p->traces, &selection, &cells, &err),
                     expected);
    if (!strstr(err.text, text)) fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

static void unknown_names_are_refused_with_the_nearest_and_all(void **state)
{
    const struct place *p = *state;
    refuse(p, (struct psw_selection){.variant = "vanila"}, PSW_EINVAL,
           "no variant \"vanila\"; did you mean \"vanilla\"? The file has vanilla, flat");
    refuse(p, (struct psw_selection){.variant = "quite_another"}, PSW_EINVAL,
           "no variant \"quite_another\". The file has vanilla, flat");
    refuse(p, (struct psw_selection){.method = "dop"}, PSW_EINVAL,
           "no method \"dop\"; did you mean \"dpo\"? The file has dpo");
    refuse(p, (struct psw_selection){.along = "sfot"}, PSW_EINVAL,
           "no direction \"sfot\"; did you mean \"soft\"?");
    refuse(p, (struct psw_selection){.along = "soft"}, PSW_EDATA,
           "no finished run has a trace along v soft");
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cells_are_the_runs_that_differ_in_seed_only),
        TEST(cells_stand_in_the_order_of_their_first_run),
        TEST(selection_keeps_what_it_names),
        TEST(unknown_names_are_refused_with_the_nearest_and_all),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
