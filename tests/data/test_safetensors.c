/* Checkpoints: what is written is read back, F16 and BF16 lose nothing, and every lie of a
 * header is found out and named. */
#include "support/support.h"

#include <math.h>
#include <posweep/data/safetensors.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[256], path[300];

static int make_folder(void **state)
{
    (void)state;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

/** A file of a header and n bytes behind it; claimed: the length that it says, -1: the true
 * one. */
static void write_file(const char *to, const char *header, const void *data, size_t n,
                       int64_t claimed)
{
    unsigned char length[8];
    const uint64_t n_header = claimed < 0 ? strlen(header) : (uint64_t)claimed;
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(n_header >> 8 * i);
    const struct psw_file_part part[] = {{length, 8}, {header, strlen(header)}, {data, n}};
    assert_int_equal(psw_file_write(to, part, 3, NULL), PSW_OK);
}

static struct psw_safetensors *open_it(const char *at)
{
    struct psw_safetensors *st = NULL;
    struct psw_error err = {0};
    if (psw_safetensors_open(at, &st, &err) != PSW_OK) fail_msg("%s", err.text);
    return st;
}

static void read_from(const struct psw_stored_tensor *t, int64_t first, int64_t n, float *out)
{
    struct psw_error err = {0};
    if (psw_stored_tensor_read(t, first, n, out, &err) != PSW_OK) fail_msg("%s", err.text);
}

/** The value of 16 bits by the definition of the format. */
static double value_of(unsigned bits, int n_exponent, int bias)
{
    const int n_mantissa = 15 - n_exponent;
    const int exponent = (int)(bits >> n_mantissa & ((1u << n_exponent) - 1));
    const double fraction = ldexp((double)(bits & ((1u << n_mantissa) - 1)), -n_mantissa);
    const double sign = bits & 0x8000u ? -1 : 1;
    if (exponent == (1 << n_exponent) - 1) return fraction == 0 ? sign * INFINITY : NAN;
    return sign * (exponent ? ldexp(1 + fraction, exponent - bias) : ldexp(fraction, 1 - bias));
}

static void every_number_of_16_bits_is_widened_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int n_exponent, bias;
    } TYPES[] = {{"F16", 5, 15}, {"BF16", 8, 127}};
    uint16_t *all = malloc(65536 * sizeof *all);
    float *wide = malloc(65536 * sizeof *wide);
    char header[200];
    for (unsigned i = 0; i < 65536; i++) all[i] = (uint16_t)i;
    for (int t = 0; t < 2; t++) {
        snprintf(header, sizeof header,
                 "{\"x\":{\"dtype\":\"%s\",\"shape\":[256,256],\"data_offsets\":[0,131072]}}",
                 TYPES[t].name);
        write_file(path, header, all, 65536 * sizeof *all, -1);
        struct psw_safetensors *st = open_it(path);
        const struct psw_stored_tensor *x = psw_safetensors_find(st, "x");
        read_from(x, 0, 1000, wide);
        read_from(x, 1000, 64536, wide + 1000);
        for (unsigned i = 0; i < 65536; i++) {
            const double wanted = value_of(i, TYPES[t].n_exponent, TYPES[t].bias);
            assert_true(isnan(wanted) ? isnan(wide[i]) : (double)wide[i] == wanted);
            assert_int_equal(signbit(wide[i]) != 0, i >> 15);
        }
        psw_safetensors_close(st);
    }
    free(all);
    free(wide);
}

static const struct psw_tensor_row ROWS[] = {{"b.weight", 3, 2}, {"a.bias", 5, 0}};
enum { N_VALUE = 11 };

static void write_rows(enum psw_stored_type type, const float *value)
{
    struct psw_safetensors_writer *w = NULL;
    assert_int_equal(psw_safetensors_begin(path, type, ROWS, 2, &w, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_put(w, 4, value, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_put(w, N_VALUE - 4, value + 4, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_end(w, PSW_OK, NULL), PSW_OK);
}

static void what_is_written_is_read_back_bit_for_bit(void **state)
{
    (void)state;
    float value[N_VALUE], back[N_VALUE];
    char text[64];
    support_fill(value, N_VALUE, 3, 7);
    value[2] = -0.0f;
    write_rows(PSW_STORED_F32, value);
    struct psw_safetensors *st = open_it(path);
    const struct psw_stored_tensor *w = psw_safetensors_find(st, "b.weight"),
                                   *b = psw_safetensors_find(st, "a.bias");
    assert_string_equal(psw_stored_tensor_text(w, text, sizeof text), "F32 [3][2]");
    assert_string_equal(psw_stored_tensor_text(b, text, sizeof text), "F32 [5]");
    assert_null(psw_safetensors_find(st, "a"));
    assert_int_equal(w->at % 8, 0);
    read_from(w, 0, 6, back);
    read_from(b, 0, 5, back + 6);
    assert_memory_equal(value, back, sizeof value);
    psw_safetensors_close(st);
}

static void bf16_is_rounded_to_the_nearest_and_ties_to_even(void **state)
{
    (void)state;
    const float value[N_VALUE] = {
        1.0f,          0x1.01p0f,       /* half way to 1.0078125: to the even 1.0 */
        0x1.03p0f,                      /* half way, the even one is above */
        0x1.010002p0f,                  /* above half way */
        0x1.00fffep0f,                  /* below half way */
        -0x1.03p0f,    0x1.fffffep127f, /* the largest float is beyond bf16 */
        INFINITY,      NAN,
        0x1p-149f,     -0.0f};
    const float wanted[N_VALUE] = {1.0f,     1.0f,     0x1.04p0f, 0x1.02p0f, 1.0f, -0x1.04p0f,
                                   INFINITY, INFINITY, NAN,       0.0f,      -0.0f};
    float back[N_VALUE];
    write_rows(PSW_STORED_BF16, value);
    struct psw_safetensors *st = open_it(path);
    read_from(psw_safetensors_find(st, "b.weight"), 0, 6, back);
    read_from(psw_safetensors_find(st, "a.bias"), 0, 5, back + 6);
    for (int i = 0; i < N_VALUE; i++)
        assert_true(isnan(wanted[i]) ? isnan(back[i]) : back[i] == wanted[i]);
    psw_safetensors_close(st);
}

static void an_unfinished_file_leaves_nothing(void **state)
{
    (void)state;
    struct psw_safetensors_writer *w = NULL;
    const float value = 1;
    assert_int_equal(psw_safetensors_begin(path, PSW_STORED_F32, ROWS, 2, &w, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_put(w, 1, &value, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_end(w, PSW_ESTOP, NULL), PSW_ESTOP);
    assert_false(psw_file_exists(path));
    assert_int_equal(remove(folder), 0); /* empty */
    assert_int_equal(psw_file_make_dir(folder, NULL), PSW_OK);
}

#define T(name, dtype, shape, begin, end)                                                      \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin    \
    "," #end "]}"

static void lies_of_a_header_are_found_out_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t claimed;
        const char *says;
    } LIES[] = {
        {"{" T("a", "F32", "4", 0, 16) "}", 1000, "header has 1000 bytes, the file has"},
        {"{" T("a", "F32", "4", 0, 16) "}", INT64_MAX, "is no safetensors file, or is cut"},
        {"{" T("a", "F32", "4", 0, 16), -1, "header: byte"},
        {"[1]", -1, "header: expected an object of tensors"},
        {"{}", -1, "holds no tensors"},
        {"{\"a\":3}", -1,
         "tensor a: expected an object of dtype, shape and data_offsets, found 3"},
        {"{" T("a", "F31", "4", 0, 16) "}", -1, "tensor a: expected a dtype such as \"F32\""},
        {"{" T("a", "F32", "4,-1", 0, 16) "}", -1,
         "tensor a: expected a shape of whole numbers"},
        {"{" T("a", "F32", "4294967296,4294967296,4294967296", 0, 16) "}", -1,
         "expected a shape of whole numbers that a file can hold"},
        {"{" T("a", "F32", "4", 0, 17) "}", -1,
         "tensor a: expected data_offsets in the 16 bytes behind the header, found [0,17]"},
        {"{" T("a", "F32", "4", 16, 0) "}", -1, "expected data_offsets in the 16 bytes"},
        {"{" T("a", "F32", "3", 0, 16) "}", -1,
         "tensor a: expected 12 bytes for F32 [3], found 16"},
        {"{" T("a", "F32", "2", 0, 8) "," T("b", "F32", "3", 4, 16) "}", -1,
         "tensors a and b overlap: one ends at byte 8, the other begins at 4"},
        {"{" T("a", "F32", "1", 0, 4) "," T("b", "F32", "2", 8, 16) "}", -1,
         "tensor b: expected to begin at byte 4, where the one before ends, found 8"},
        {"{" T("a", "F32", "3", 0, 12) "}", -1,
         "4 bytes behind the last tensor belong to none"},
        {"{" T("a", "F32", "2", 0, 8) "," T("a", "F32", "2", 8, 16) "}", -1, "duplicate"},
    };
    const char zero[16] = {0};
    for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++) {
        struct psw_safetensors *st = NULL;
        struct psw_error err = {0};
        write_file(path, LIES[i].header, zero, sizeof zero, LIES[i].claimed);
        assert_int_equal(psw_safetensors_open(path, &st, &err), PSW_EDATA);
        assert_null(st);
        if (!strstr(err.text, LIES[i].says) || !strstr(err.text, path))
            fail_msg("\"%s\" lacks \"%s\"", err.text, LIES[i].says);
    }
}

static void write_index(const char *text, char at[400])
{
    const struct psw_file_part part = {text, strlen(text)};
    snprintf(at, 400, "%s/model.safetensors.index.json", folder);
    assert_int_equal(psw_file_write(at, &part, 1, NULL), PSW_OK);
}

static void write_shards(void)
{
    char at[400];
    const float value[4] = {1, 2, 3, 4};
    snprintf(at, sizeof at, "%s/one.safetensors", folder);
    write_file(at, "{" T("a", "F32", "2", 0, 8) "}", value, 8, -1);
    snprintf(at, sizeof at, "%s/two.safetensors", folder);
    write_file(at, "{\"__metadata__\":{\"format\":\"pt\"}," T("b", "F32", "2,1", 0, 8) "}",
               value + 2, 8, -1);
}

static void shards_are_one_checkpoint(void **state)
{
    (void)state;
    char at[400];
    float back[4];
    int64_t n = 0;
    write_shards();
    write_index("{\"metadata\":{},\"weight_map\":{\"a\":\"one.safetensors\","
                "\"b\":\"two.safetensors\"}}",
                at);
    struct psw_safetensors *st = open_it(at);
    psw_safetensors_table(st, &n);
    assert_int_equal(n, 2);
    read_from(psw_safetensors_find(st, "a"), 0, 2, back);
    read_from(psw_safetensors_find(st, "b"), 0, 2, back + 2);
    for (int i = 0; i < 4; i++) assert_true(back[i] == (float)(i + 1));
    psw_safetensors_close(st);
}

static void an_index_that_does_not_hold_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *index, *says;
        psw_status rc;
    } LIES[] = {
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"c\":\"two.safetensors\"}}",
         "tensor c: expected in two.safetensors, found in none", PSW_EDATA},
        {"{\"weight_map\":{\"a\":\"two.safetensors\",\"b\":\"one.safetensors\"}}",
         "tensor a: expected in two.safetensors, found in one.safetensors", PSW_EDATA},
        {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}",
         "expected the name of a file beside the index", PSW_EDATA},
        {"{\"weight_map\":[]}", "expected \"weight_map\": {tensor: file}", PSW_EDATA},
        {"{\"weight_map\":{\"a\":\"three.safetensors\"}}", "three.safetensors", PSW_ENOENT},
        {"{", "index.json:1:1:", PSW_EDATA},
    };
    write_shards();
    for (size_t i = 0; i < sizeof LIES / sizeof *LIES; i++) {
        char at[400];
        struct psw_safetensors *st = NULL;
        struct psw_error err = {0};
        write_index(LIES[i].index, at);
        assert_int_equal(psw_safetensors_open(at, &st, &err), LIES[i].rc);
        if (!strstr(err.text, LIES[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, LIES[i].says);
    }
}

static void a_file_that_is_cut_while_it_is_open_is_an_error(void **state)
{
    (void)state;
    float value[N_VALUE] = {0};
    struct psw_error err = {0};
    write_rows(PSW_STORED_F32, value);
    struct psw_safetensors *st = open_it(path);
    const struct psw_stored_tensor *b = psw_safetensors_find(st, "a.bias");
    assert_int_equal(truncate(path, b->at + 4), 0);
    assert_int_equal(psw_stored_tensor_read(b, 0, 1, value, &err), PSW_OK);
    assert_int_equal(psw_stored_tensor_read(b, 0, 5, value, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "was longer when it was opened"));
    psw_safetensors_close(st);
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    struct psw_safetensors *st = NULL;
    struct psw_error err = {0};
    const struct psw_file_part part = {"abc", 3};
    assert_int_equal(psw_safetensors_open(folder, &st, &err), PSW_EIO);
    assert_int_equal(psw_safetensors_open("/nowhere/x", &st, &err), PSW_ENOENT);
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    assert_int_equal(psw_safetensors_open(path, &st, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "3 bytes"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_of_16_bits_is_widened_exactly),
        TEST(what_is_written_is_read_back_bit_for_bit),
        TEST(bf16_is_rounded_to_the_nearest_and_ties_to_even),
        TEST(an_unfinished_file_leaves_nothing),
        TEST(lies_of_a_header_are_found_out_and_named),
        TEST(shards_are_one_checkpoint),
        TEST(an_index_that_does_not_hold_is_refused),
        TEST(a_file_that_is_cut_while_it_is_open_is_an_error),
        TEST(what_is_no_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
