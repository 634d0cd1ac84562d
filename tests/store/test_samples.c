/* Texts by run and prompt: what a policy says stands in the file as it was said. */
#include "fixture.h"

#include <posweep/util/file.h>
#include <support/support.h>

#include <stdio.h>
#include <string.h>

/* A run of the fixture's sweep that is done, with n texts. */
static void add_run(struct psw_journal *j, uint64_t run, const char *const *text, int64_t n)
{
    struct psw_record *r = NULL;
    const double score[3] = {0.5, 1.5, 2.5};
    const struct psw_journal_entry done = {.type = PSW_J_DONE, .run = run, .attempt = 1};
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put_texts(r, "sample_response", text, n);
    psw_record_put(r, "sample_score", PSW_F64, psw_shape_1d(n), score);
    assert_int_equal(psw_journal_append_record(j, PSW_J_PIECE, run, 1, r, NULL), PSW_OK);
    assert_int_equal(psw_journal_append(j, done, NULL, NULL), PSW_OK);
    psw_record_destroy(r);
}

static void texts_stand_by_run_and_prompt(void **state)
{
    (void)state;
    static const char *const ONE[] = {"two\nlines, a \"quote\"", ""};
    static const char *const OTHER[] = {"caf\xc3\xa9", "b", "last"};
    char folder[PSW_PATH_BYTES], path[PSW_PATH_BYTES + 8], journal[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_results *r = NULL;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    assert_int_equal(psw_journal_path(path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_open(journal, fixture_opts(), &j, NULL), PSW_OK);
    const struct psw_results_layout *layout = fixture_layout();
    add_run(j, layout->run[2].hash, OTHER, 3);
    add_run(j, layout->run[0].hash, ONE, 2);
    assert_int_equal(psw_results_write(path, layout, j, NULL), PSW_OK);
    psw_journal_close(j);
    assert_int_equal(psw_results_open(path, &r, NULL), PSW_OK);
    assert_int_equal(psw_results_dim(r, "sample"), 3);
    for (int64_t i = 0; i < 3; i++) {
        assert_string_equal(psw_results_text(r, "sample_response", i), i < 2 ? ONE[i] : "");
        assert_string_equal(psw_results_text(r, "sample_response", 3 + i), ""); /* not begun */
        assert_string_equal(psw_results_text(r, "sample_response", 6 + i), OTHER[i]);
    }
    const double *score = psw_results_f64(r, "sample_score");
    assert_true(score[1] == 1.5 && score[2] != score[2] && score[8] == 2.5);
    psw_results_close(r);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_stand_by_run_and_prompt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
