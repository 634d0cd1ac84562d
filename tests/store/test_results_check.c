/* The check finds what was planted, a broken file is refused, and the schema is sound. */
#include <support/support.h>

#include "results_internal.h" /* the seal */
#include "results_place.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <posweep/store/schema.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** Open a dataset for writing, change one element, close. */
static void plant(const char *path, const char *name, int64_t element, double value)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, access);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    double *x = calloc((size_t)H5Sget_simple_extent_npoints(space), sizeof *x);
    assert_true(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    x[element] = value;
    assert_true(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0);
    free(x);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    H5Pclose(access);
}

static void planted_values_are_found(void **state)
{
    const struct place *p = *state;
    static const struct {
        const char *name;
        int64_t element;
        double value;
        const char *words;
    } FAULTS[] = {
        {"G", 0, 7, "not the sum of its parts"},
        {"G", 8, NAN, "not finite, though the run is done"},
        {"G", 2, INFINITY, "out of range"},
        {"G", 36, 0.5, "a value without a checkpoint"}, /* run 1, checkpoint 4 */
        {"G_se", 0, -1, "out of range"},
        {"win_rate", 3, 1.5, "out of range"},
        {"step", 1, 70, "step[0, 2]: 40 follows 70"},
        {"status", 0, 99, "99 has no meaning"},
        {"status", 5, PSW_OUTCOME_DONE, "has the message"},
        {"row_size", 0, 9, "counts"},
        {"train_loss", 0, NAN, "not finite"},
    };
    char *sound = NULL;
    struct psw_file_part part = {0};
    fixture_write(p->path, NULL);
    assert_int_equal(psw_file_read(p->path, &sound, &part.n_bytes, NULL), PSW_OK);
    part.data = sound;
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        char text[4096] = "";
        assert_int_equal(psw_file_write(p->path, &part, 1, NULL), PSW_OK);
        plant(p->path, FAULTS[i].name, FAULTS[i].element, FAULTS[i].value);
        const char *const words[] = {FAULTS[i].words, "has no seal",
                                     "not those that posweep wrote"};
        if (check_results(p->path, text) < 3) fail_msg("%s: %s", FAULTS[i].name, text);
        for (int k = 0; k < 3; k++)
            if (!strstr(text, words[k]))
                fail_msg("%s: \"%s\" not in: %s", FAULTS[i].name, words[k], text);
    }
    free(sound);
}

static void a_planted_character_of_the_settings_is_found(void **state)
{
    const struct place *p = *state;
    char text[4096] = "", *bytes = NULL;
    struct psw_file_part part = {0};
    struct psw_results *r = NULL;
    struct psw_error err = {0};
    fixture_write(p->path, NULL);
    assert_int_equal(psw_file_read(p->path, &bytes, &part.n_bytes, NULL), PSW_OK);
    char *at = memmem(bytes, part.n_bytes, "0.05, ", 6); /* few are not packed */
    assert_non_null(at);
    at[3] = '6';
    part.data = bytes;
    part.n_bytes -= 32; /* the seal would tell, too */
    assert_int_equal(psw_file_write(p->path, &part, 1, NULL), PSW_OK);
    free(bytes);
    assert_true(check_results(p->path, text) >= 2);
    assert_non_null(strstr(text, "config: its values are not those that posweep wrote"));
    assert_int_equal(psw_results_open(p->path, &r, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "config: its values are not those"));

    /* With a seal over what was planted, as its author would give it, reading a row tells. */
    const int fd = open(p->path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(psw_seal_append(fd, p->path, &err), PSW_OK);
    close(fd);
    assert_int_equal(psw_results_open(p->path, &r, &err), PSW_OK);
    assert_string_equal(psw_results_text(r, "config", 0), "");
    assert_int_equal(psw_results_fault(r, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "config: its values are not those"));
    psw_results_close(r);
}

static void planted_faults_of_form_are_found(void **state)
{
    const struct place *p = *state;
    char text[4096] = "";
    fixture_write(p->path, NULL);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    const hid_t file = H5Fopen(p->path, H5F_ACC_RDWR, access);
    assert_true(H5Adelete_by_name(file, "G", "units", H5P_DEFAULT) >= 0);
    assert_true(H5Ldelete(file, "attempts", H5P_DEFAULT) >= 0);
    assert_true(H5Ldelete(file, "win_rate", H5P_DEFAULT) >= 0);
    const hsize_t extent = 3;
    const hid_t space = H5Screate_simple(1, &extent, NULL);
    const char *const NEW[] = {"win_rate", "guesswork"};
    for (int i = 0; i < 2; i++)
        H5Dclose(H5Dcreate2(file, NEW[i], H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                            H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(access);
    assert_true(check_results(p->path, text) >= 6);
    assert_non_null(strstr(text, "G: attribute units is missing"));
    assert_non_null(strstr(text, "attempts: missing"));
    assert_non_null(strstr(text, "win_rate: extent 0 is 3, but there are 6 of run"));
    assert_non_null(strstr(text, "win_rate: the fill value is 0, expected NaN"));
    assert_non_null(strstr(text, "guesswork: not in the schema"));
}

static void broken_or_foreign_file_is_refused(void **state)
{
    const struct place *p = *state;
    struct psw_results *r = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_results_open(p->path, &r, &err), PSW_ENOENT);
    const struct psw_file_part part = {"not HDF5 at all", 15};
    assert_int_equal(psw_file_write(p->path, &part, 1, NULL), PSW_OK);
    assert_int_equal(psw_results_open(p->path, &r, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, p->path));
    const hid_t file = H5Fcreate(p->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    assert_int_equal(psw_results_open(p->path, &r, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "not written by posweep"));
}

static void schema_rows_are_well_formed(void **state)
{
    (void)state;
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows(&n_row);
    for (int i = 0; i < n_row; i++) {
        char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
        assert_ptr_equal(psw_schema_row_find(rows[i].name), &rows[i]); /* no name twice */
        const int n_dim = psw_schema_dims(&rows[i], dims);
        assert_true(n_dim >= 1 && rows[i].long_name[0] && rows[i].min < rows[i].max);
        for (int d = 0; d < n_dim; d++) assert_non_null(psw_schema_row_find(dims[d]));
        if (rows[i].type == PSW_TEXT) assert_true(n_dim <= 2);
        if (rows[i].type == PSW_TEXT) assert_string_equal(rows[i].unit, "");
        if (rows[i].type != PSW_TEXT && !psw_schema_unit_is_known(rows[i].unit))
            fail_msg("%s: unit %s", rows[i].name, rows[i].unit);
    }
    assert_null(psw_schema_row_find("nothing"));
}

static void markdown_has_a_line_per_dataset(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n_bytes = 0;
    int n_row = 0, n_line = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    psw_schema_markdown(out);
    fclose(out);
    psw_schema_rows(&n_row);
    for (const char *at = text; *at; at++) n_line += *at == '\n';
    assert_int_equal(n_line, n_row + 2);
    assert_non_null(strstr(text, "| `G` | run, checkpoint, component | float64 | 1 |"));
    free(text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(planted_values_are_found),
        TEST(a_planted_character_of_the_settings_is_found),
        TEST(planted_faults_of_form_are_found),
        TEST(broken_or_foreign_file_is_refused),
        cmocka_unit_test(schema_rows_are_well_formed),
        cmocka_unit_test(markdown_has_a_line_per_dataset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
