#include <support/support.h>

#include "results_internal.h"

#include <math.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROW = 30000, WIDTH = 3, N_ELEM = N_ROW * WIDTH };

/** More than one chunk, and values that the file does not hold as they are: a float rounded, an
 *  integer cut to its range, a text that is not there. */
struct values {
    double f64[N_ELEM];
    int64_t i64[N_ELEM];
    const char *text[N_ELEM];
};

static struct values *make_values(void)
{
    struct values *v = calloc(1, sizeof *v);
    assert_non_null(v);
    for (int64_t i = 0; i < N_ELEM; i++) {
        v->f64[i] = i % 7 == 0 ? NAN : 1.0 / (double)(i + 1);
        v->i64[i] = 37 * i - 1000;
        v->text[i] = i % 5 == 0 ? NULL : i % 2 ? "odd" : "even \xc3\xbc";
    }
    return v;
}

static const void *data_of(const struct values *v, enum psw_type type, int64_t at)
{
    return type == PSW_TEXT                     ? (const void *)(v->text + at)
           : type == PSW_F32 || type == PSW_F64 ? (const void *)(v->f64 + at)
                                                : v->i64 + at;
}

/** In parts whose sizes have nothing to do with chunks or blocks of the hash. */
static void put_in_parts(hid_t file, const struct psw_h5_var *var, const struct values *v)
{
    static const int64_t PART[] = {1, 170, 0, 9999, 511, 1};
    struct psw_h5_rows *rows = psw_h5_rows_begin(file, var);
    int64_t at = 0;
    assert_non_null(rows);
    for (size_t i = 0; at < N_ROW; i = (i + 1) % (sizeof PART / sizeof *PART)) {
        const int64_t n = at + PART[i] < N_ROW ? PART[i] : N_ROW - at;
        assert_true(psw_h5_rows_put(rows, n, data_of(v, var->type, at * WIDTH)) >= 0);
        at += n;
    }
    const hid_t set = psw_h5_rows_end(rows, var->fill);
    assert_true(set >= 0);
    H5Dclose(set);
}

static void assert_same_values(hid_t file, enum psw_type type, struct psw_shape shape)
{
    const hid_t whole = H5Dopen2(file, "whole/x", H5P_DEFAULT);
    const hid_t parts = H5Dopen2(file, "parts/x", H5P_DEFAULT);
    char a[PSW_HASH_TEXT_BYTES], b[PSW_HASH_TEXT_BYTES];
    void *x = psw_values_read(whole, type, shape), *y = psw_values_read(parts, type, shape);
    assert_non_null(x);
    assert_non_null(y);
    const struct psw_h5_var is = {.name = "x", .type = type, .shape = shape, .data = y};
    assert_true(psw_h5_read_attr(whole, "content_hash", a, sizeof a));
    assert_true(psw_h5_read_attr(parts, "content_hash", b, sizeof b));
    assert_string_equal(a, b);
    assert_string_equal(a, psw_hash_text(psw_h5_content_hash(&is), b));
    assert_int_equal(H5Aexists(parts, "_FillValue") > 0, type != PSW_TEXT);
    for (int64_t i = 0; i < N_ELEM; i++)
        if (type == PSW_TEXT)
            assert_string_equal(((char **)x)[i], ((char **)y)[i]);
        else
            assert_memory_equal((char *)x + 8 * i, (char *)y + 8 * i, 8);
    psw_values_free(x, type, N_ELEM);
    psw_values_free(y, type, N_ELEM);
    H5Dclose(whole);
    H5Dclose(parts);
}

static void put_group(hid_t file, const char *name, const struct psw_h5_var *var,
                      const struct values *v, int is_whole)
{
    const hid_t group = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(group >= 0);
    if (!is_whole) put_in_parts(group, var, v);
    const hid_t set = is_whole ? psw_h5_put(group, var) : -1;
    assert_true(set >= 0 || !is_whole);
    if (set >= 0) H5Dclose(set);
    H5Gclose(group);
}

static void rows_in_parts_are_the_rows_at_once(void **state)
{
    static const enum psw_type TYPES[] = {PSW_F32, PSW_F64, PSW_I8, PSW_I32, PSW_I64, PSW_TEXT};
    char folder[PSW_PATH_BYTES], path[PSW_PATH_BYTES + 8];
    struct values *v = make_values();
    (void)state;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        struct psw_h5_var var = {.name = "x",
                                 .type = TYPES[i],
                                 .shape = psw_shape_2d(N_ROW, WIDTH),
                                 .fill = TYPES[i] != PSW_TEXT};
        struct psw_h5_file file;
        var.data = data_of(v, var.type, 0);
        assert_int_equal(psw_h5_file_create(path, &file, NULL), PSW_OK);
        put_group(file.id, "whole", &var, v, 1);
        put_group(file.id, "parts", &var, v, 0);
        assert_same_values(file.id, var.type, var.shape);
        assert_int_equal(psw_h5_file_end(&file, PSW_OK, NULL), PSW_OK);
    }
    free(v);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_in_parts_are_the_rows_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
