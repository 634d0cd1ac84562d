#include "show_files.h"
#include <support/support.h>

#include <posweep/analyze/picture.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[256];

static int set_up(void **state)
{
    (void)state;
    support_temp_dir(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static char *drawn(struct tf_file file, struct psw_picture_opts opts)
{
    static int n_file;
    char path[300], svg[300], *text = NULL;
    size_t n_bytes = 0;
    struct psw_results *results = NULL;
    snprintf(path, sizeof path, "%s/%d.h5", folder, n_file);
    snprintf(svg, sizeof svg, "%s/%d.svg", folder, n_file++);
    tf_write(&file, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_trace_svg(results, svg, &opts, NULL), PSW_OK);
    assert_int_equal(psw_file_read(svg, &text, &n_bytes, NULL), PSW_OK);
    psw_results_close(results);
    return text;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

static void picture_has_a_panel_per_cell_and_no_broken_number(void **state)
{
    (void)state;
    char *text = drawn(SHOW_FILE, (struct psw_picture_opts){0});
    assert_int_equal(count(text, ">dpo vanilla</text>"), 1);
    assert_int_equal(count(text, ">dpo flat</text>"), 1);
    assert_int_equal(count(text, "3 of 4 seeds; over-optimised (KL, nat): seed 4 (92)"), 1);
    assert_int_equal(count(text, "nan"), 0);
    assert_int_equal(count(text, "inf"), 0);
    assert_int_equal(count(text, "</svg>"), 1);
    free(text);
}

static void zero_is_labelled_in_every_panel(void **state)
{
    (void)state;
    char *text = drawn(SHOW_FILE, (struct psw_picture_opts){0});
    assert_int_equal(count(text, "font-weight='700'>0</text>"), 2);
    free(text);
}

static void a_run_away_seed_does_not_own_the_scale(void **state)
{
    (void)state;
    char *text = drawn(SHOW_FILE, (struct psw_picture_opts){0});
    assert_true(count(text, ">0.2</text>") + count(text, ">0.20</text>") > 0);
    assert_int_equal(count(text, ">30</text>"), 0); /* G/|v| of seed 4 */
    assert_int_equal(count(text, "stroke-dasharray='1 3'"), 0);
    free(text);
    text = drawn(SHOW_FILE, (struct psw_picture_opts){.all = 1});
    assert_int_equal(count(text, ">30</text>"), 0);
    assert_int_equal(count(text, "stroke-dasharray='1 3'"), 4); /* the components of seed 4 */
    free(text);
}

static void with_all_every_component_is_drawn(void **state)
{
    (void)state;
    char *text = drawn(SHOW_FILE, (struct psw_picture_opts){.all = 1});
    static const char *const NAMED[] = {">total: the whole loss</text>", ">pos - neg</text>",
                                        ">further terms and controls</text>"};
    for (int i = 0; i < 3; i++) assert_true(count(text, NAMED[i]) > 0);
    assert_int_equal(count(text, ">weights made equal</text>"), 0); /* the file has none */
    free(text);
}

static void points_within_two_errors_are_hollow(void **state)
{
    (void)state;
    /* flat: neg is 1 with an error of 0.1, pos is 0 at each of five checkpoints */
    const struct psw_selection flat = {.variant = "flat"};
    char *text = drawn(SHOW_FILE, (struct psw_picture_opts){.selection = flat});
    assert_int_equal(count(text, "<circle"), 15);
    assert_int_equal(count(text, "fill='#d55e00' stroke='#d55e00'"), 5);
    assert_int_equal(count(text, "fill='#ffffff' stroke='#0072b2'"), 5);
    free(text);
    struct tf_file noisy = SHOW_FILE;
    noisy.se = 1;
    text = drawn(noisy, (struct psw_picture_opts){.selection = flat});
    assert_int_equal(count(text, "fill='#ffffff' stroke="), 15);
    free(text);
}

static void direction_is_in_the_caption(void **state)
{
    (void)state;
    struct tf_file soft = SHOW_FILE;
    char *text = drawn(soft, (struct psw_picture_opts){0});
    assert_int_equal(count(text, "v is sampled"), 1);
    free(text);
    soft.soft = 0.5;
    soft.soft_se = 0.1;
    text = drawn(soft, (struct psw_picture_opts){0});
    assert_int_equal(count(text, "v is soft"), 1);
    free(text);
}

static void a_picture_without_a_trace_is_refused(void **state)
{
    (void)state;
    struct psw_results *results = NULL;
    struct psw_error err = {0};
    char path[300], svg[300];
    const struct tf_run run = {.variant = "flat", .seed = 1, .is_diverged = 1};
    struct tf_file file = SHOW_FILE;
    file.run = &run;
    file.n_run = 1;
    snprintf(path, sizeof path, "%s/none.h5", folder);
    snprintf(svg, sizeof svg, "%s/none.svg", folder);
    tf_write(&file, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_trace_svg(results, svg, &(struct psw_picture_opts){0}, &err),
                     PSW_EDATA);
    assert_non_null(strstr(err.text, "no finished run has a trace"));
    assert_false(psw_file_exists(svg));
    psw_results_close(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picture_has_a_panel_per_cell_and_no_broken_number),
        cmocka_unit_test(zero_is_labelled_in_every_panel),
        cmocka_unit_test(a_run_away_seed_does_not_own_the_scale),
        cmocka_unit_test(with_all_every_component_is_drawn),
        cmocka_unit_test(points_within_two_errors_are_hollow),
        cmocka_unit_test(direction_is_in_the_caption),
        cmocka_unit_test(a_picture_without_a_trace_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
