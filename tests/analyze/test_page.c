#include "show_files.h"
#include <support/support.h>

#include <page_internal.h>
#include <posweep/analyze/page.h>
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

static char *escaped(const char *text)
{
    char *out = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&out, &n);
    assert_non_null(f);
    psw_html_text(f, text);
    assert_int_equal(fclose(f), 0);
    return out;
}

static void texts_on_a_page_cannot_begin_an_element_or_end_an_attribute(void **state)
{
    (void)state;
    char *text = escaped("a<b>&\"'\x01 \xc3\xa4\xe2\x80\x96");
    assert_string_equal(text, "a&lt;b&gt;&amp;&quot;&#39;\xef\xbf\xbd \xc3\xa4\xe2\x80\x96");
    free(text);
}

static void bytes_that_are_no_utf8_become_replacement_characters(void **state)
{
    (void)state;
    /* alone, cut, too long a form of '/', a surrogate, beyond the last character */
    static const char *const BAD[] = {"\xff", "\xe2\x80", "\xc0\xaf", "\xed\xa0\x80",
                                      "\xf5\x80\x80\x80"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        char *text = escaped(BAD[i]);
        json_t *json = psw_html_json(BAD[i]);
        assert_int_equal(strncmp(text, "\xef\xbf\xbd", 3), 0);
        assert_non_null(json);
        assert_string_equal(json_string_value(json), text);
        json_decref(json);
        free(text);
    }
}

static void json_in_a_script_cannot_end_it(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    json_t *root = json_pack("{s:o}", "x", psw_html_json("</script><!--&amp;"));
    assert_int_equal(psw_html_script(f, root, NULL), PSW_OK);
    assert_int_equal(fclose(f), 0);
    assert_null(strpbrk(text, "<&"));
    json_t *back = json_loads(text, 0, NULL);
    assert_true(json_equal(root, back));
    json_decref(root);
    json_decref(back);
    free(text);
}

/** The page of a made-up file. */
static char *page_of(struct tf_file file)
{
    static int n_file;
    char path[300], html[300], *text = NULL;
    size_t n_bytes = 0;
    struct psw_results *results = NULL;
    const struct psw_page_opts opts = {.path = "x.h5"};
    snprintf(path, sizeof path, "%s/%d.h5", folder, n_file);
    snprintf(html, sizeof html, "%s/%d.html", folder, n_file++);
    tf_write(&file, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    assert_int_equal(psw_page_write(results, html, &opts, NULL), PSW_OK);
    assert_int_equal(psw_file_read(html, &text, &n_bytes, NULL), PSW_OK);
    assert_int_equal(strlen(text), n_bytes);
    psw_results_close(results);
    return text;
}

static void a_hostile_variant_is_shown_and_never_obeyed(void **state)
{
    (void)state;
    struct tf_run run[2] = {SHOW_RUNS[0], SHOW_RUNS[1]};
    run[0].variant = run[1].variant = "<img src=x onerror=alert(1)>\"'&";
    char *page = page_of((struct tf_file){.run = run, .n_run = 2, .se = 0.1, .norm = 2});
    assert_null(strstr(page, "<img"));
    assert_non_null(strstr(page, "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
    assert_non_null(strstr(page, "\\u003cimg src=x"));
    free(page);
}

static void runs_that_are_set_apart_are_named_with_their_values(void **state)
{
    (void)state;
    const int n = (int)(sizeof SHOW_RUNS / sizeof *SHOW_RUNS);
    char *page = page_of((struct tf_file){.run = SHOW_RUNS, .n_run = n, .se = 0.1, .norm = 2});
    assert_non_null(strstr(page, "dpo vanilla seed 4</b>: over-optimised, KL to SFT 92 nat"));
    assert_non_null(strstr(page, "dpo flat seed 3</b>: diverged"));
    assert_non_null(strstr(page, "not every run is"));
    free(page);
}

static void a_file_whose_runs_all_failed_gives_a_page_that_says_so(void **state)
{
    (void)state;
    const struct tf_run run[2] = {{.variant = "vanilla", .seed = 1, .is_diverged = 1},
                                  {.variant = "flat", .seed = 1, .is_diverged = 1}};
    char *page = page_of((struct tf_file){.run = run, .n_run = 2, .se = 0.1, .norm = 2});
    assert_non_null(strstr(page, "2 runs: 2 diverged"));
    assert_non_null(strstr(page, "no run that counts has been traced"));
    assert_non_null(strstr(page, "Variants were not compared"));
    assert_null(strstr(page, "moved towards"));
    assert_null(strstr(page, "<div class='static'>"));
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_on_a_page_cannot_begin_an_element_or_end_an_attribute),
        cmocka_unit_test(bytes_that_are_no_utf8_become_replacement_characters),
        cmocka_unit_test(json_in_a_script_cannot_end_it),
        cmocka_unit_test(a_hostile_variant_is_shown_and_never_obeyed),
        cmocka_unit_test(a_file_whose_runs_all_failed_gives_a_page_that_says_so),
        cmocka_unit_test(runs_that_are_set_apart_are_named_with_their_values),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
