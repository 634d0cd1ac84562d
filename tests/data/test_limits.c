/* What a data file may hold: bounds of lines, arrays and files, plain and gzip. */
#include <support/support.h>

#include <posweep/data/files.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define ROW "{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}"
static const char OTHER[] = "{\"prompt\":\"o\",\"chosen\":\"a\",\"rejected\":\"b\"}\n";
enum { MIB = 1 << 20 };

struct folder {
    char path[256], train[300], heldout[300];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    support_temp_dir(f->path);
    snprintf(f->train, sizeof f->train, "%s/train", f->path);
    snprintf(f->heldout, sizeof f->heldout, "%s/heldout", f->path);
    const struct psw_file_part part = {OTHER, sizeof OTHER - 1};
    assert_int_equal(psw_file_write(f->heldout, &part, 1, NULL), PSW_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    const psw_status rc = psw_file_remove_tree(f->path, NULL);
    free(f);
    return rc != PSW_OK;
}

/** Write a text, some filling, and a text, as gzip. */
static void write_gzip(const char *path, const char *begin, size_t n_filling, const char *end)
{
    static char block[MIB];
    memset(block, ' ', sizeof block);
    gzFile file = gzopen(path, "wb1");
    assert_non_null(file);
    assert_true(gzputs(file, begin) >= 0);
    for (size_t n; n_filling > 0; n_filling -= n) {
        n = n_filling < sizeof block ? n_filling : sizeof block;
        assert_int_equal(gzwrite(file, block, (unsigned)n), (int)n);
    }
    assert_true(gzputs(file, end) >= 0);
    assert_int_equal(gzclose(file), Z_OK);
}

static psw_status open_pairs(const struct folder *f, struct psw_data_limits limits,
                             int64_t limit, struct psw_error *err)
{
    const struct psw_file_opts opts = {
        .pairs = f->train, .heldout = f->heldout, .rows.limit = limit, .limits = limits};
    struct psw_dataset *data = NULL;
    const psw_status rc = psw_files_open(PSW_SOURCE_HH, &opts, &data, err);
    psw_dataset_destroy(data);
    return rc;
}

static void refuse(const struct folder *f, struct psw_data_limits limits, const char *word)
{
    struct psw_error err = {0};
    const psw_status rc = open_pairs(f, limits, 0, &err);
    if (rc != PSW_EDATA || !strstr(err.text, word) || !strstr(err.text, f->train))
        fail_msg("status %d, message: %s; expected: %s", (int)rc, err.text, word);
}

static void a_gzip_that_stands_for_gigabytes_is_refused_at_the_bound(void **state)
{
    const struct folder *f = *state;
    const struct psw_data_limits none = {{0}};
    write_gzip(f->train, ROW "\n[", (size_t)20 * MIB, "1]\n");
    refuse(f, none, "train:2: one line is longer than the 16 MiB");
    refuse(f, none, "split or remove the line");
}

static void a_long_array_is_refused_as_one(void **state)
{
    const struct folder *f = *state;
    const struct psw_data_limits limits = psw_data_limits_of(64.0 * MIB); /* arrays: 2 MiB */
    write_gzip(f->train, "[" ROW ",", (size_t)3 * MIB, ROW "]");
    refuse(f, limits, "train:1: one JSON array is longer than the 2 MiB");
    write_gzip(f->train, "[" ROW ",", (size_t)1 * MIB, ROW "]");
    assert_int_equal(open_pairs(f, limits, 0, NULL), PSW_OK);
}

static void a_long_file_is_refused_unless_fewer_rows_are_read(void **state)
{
    const struct folder *f = *state;
    const struct psw_data_limits limits = psw_data_limits_of(8.0 * MIB); /* files: 1 MiB */
    write_gzip(f->train, ROW "\n" ROW "\n", (size_t)600 << 10, "\n");
    assert_int_equal(open_pairs(f, limits, 0, NULL), PSW_OK);
    write_gzip(f->train, ROW "\n" ROW "\n", (size_t)1100 << 10, "\n" ROW "\n");
    refuse(f, limits, "train:3: text of one compressed file is longer than the 1 MiB");
    refuse(f, limits, "data.limit");
    assert_int_equal(open_pairs(f, limits, 2, NULL), PSW_OK);
}

static void bounds_follow_the_memory_of_a_rank(void **state)
{
    (void)state;
    struct psw_config config;
    psw_config_default(&config);
    assert_true(psw_data_memory_bytes(&config) > 0x1p20);
    config.limits.memory_gib = 2;
    const struct psw_data_limits two = psw_data_limits_of(psw_data_memory_bytes(&config));
    assert_int_equal(two.bytes[PSW_LIMIT_LINE], (size_t)16 * MIB);
    assert_int_equal(two.bytes[PSW_LIMIT_ARRAY], (size_t)64 * MIB);
    assert_int_equal(two.bytes[PSW_LIMIT_FILE], (size_t)256 * MIB);
    assert_int_equal(psw_data_limits_of(0x1p40).bytes[PSW_LIMIT_ARRAY], (size_t)1024 * MIB);
}

#define LIMITS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITS_TEST(a_gzip_that_stands_for_gigabytes_is_refused_at_the_bound),
        LIMITS_TEST(a_long_array_is_refused_as_one),
        LIMITS_TEST(a_long_file_is_refused_unless_fewer_rows_are_read),
        LIMITS_TEST(bounds_follow_the_memory_of_a_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
