/* Pairs that cannot be read, and files that are packed: every error tells where and why. */
#include "pair_files.h"

#include <zlib.h>

/** Reading this text must fail with this code and a message that holds this word. */
static void refuse(const struct folder *f, const char *text, psw_status code, const char *word)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    const struct psw_file_opts opts = opts_of(f);
    const psw_status rc = read_text(f, text, &opts, &data, &err);
    if (rc != code || !strstr(err.text, word))
        fail_msg("status %d, message: %s; expected: %s", (int)rc, err.text, word);
    assert_null(data);
}

static void sft_row_without_a_reply_is_refused(void **state)
{
    const struct folder *f = *state;
    struct psw_file_opts opts = opts_of(f);
    struct psw_dataset *d = NULL;
    struct psw_error err = {0};
    char path[300];
    snprintf(path, sizeof path, "%s/sft", f->path);
    write_file(path, "{\"messages\":[]}", 15);
    opts.sft = path;
    assert_int_equal(read_text(f, PAIR(HA("a"), " 1", " 2"), &opts, &d, &err), PSW_EDATA);
    assert_non_null(
        strstr(err.text, "sft:1: the conversation of 0 turns has no turn of an assistant"));
    write_file(path, "{\"reply\":\"a\"}", 13);
    assert_int_equal(read_text(f, PAIR(HA("a"), " 1", " 2"), &opts, &d, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "sft:1: no form of SFT items has these keys: reply; "));
}

static void broken_rows_are_refused_with_their_place(void **state)
{
    const char *good = PAIR(HA("a"), " 1", " 2");
    const struct {
        const char *second;
        psw_status code;
        const char *word;
    } row[] = {
        {"{\"chosen\": \"x\" \"rejected\"}", PSW_EDATA, "train:2:25: "},
        {"{\"chosen\": \"\xff\"}", PSW_EDATA, "train:2:"},
        {"{\"chosen\": \"\\ud83d\"}", PSW_EDATA, "train:2:"},
        {"{\"chosen\": \"cut", PSW_EDATA, "train:2:"},
        {"[1]", PSW_EDATA, "train:2: expected an object, found [1]"},
        {"[\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
         "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
         "\xc3\xa9\xc3\xa9\xc3\xa9\"]",
         PSW_EDATA, "\xc3\xa9\xc3\xa9..."},
        {"{\"rejected\": \"x\"}", PSW_EDATA, "train:2: no key \"chosen\""},
        {"{\"chosen\": null}", PSW_EDATA, "train:2: null is no text: \"chosen\""},
        {"{\"chosen\": 3}", PSW_EDATA, "train:2: \"chosen\" is 3; expected a string"},
        {"{\"chosen\": true}", PSW_EDATA, "\"chosen\" is true; expected a string"},
        {"{\"chosen\": [{}], \"rejected\": \"\"}", PSW_EUNSUP, "train:2: \"chosen\""},
        {"{\"chosen\": \"x\", \"rejected\": \"y\"}", PSW_EDATA, "train:2: the chosen side"},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s\n", good, row[i].second);
        refuse(*state, text, row[i].code, row[i].word);
    }
}

static void useless_files_are_refused(void **state)
{
    refuse(*state, "", PSW_EDATA, "empty");
    refuse(*state, " \n\n", PSW_EDATA, "empty");
    refuse(*state, "[]", PSW_EDATA, "no training pair");
    refuse(*state, "[{\"chosen\":1,}]", PSW_EDATA, "train:1:");
    refuse(*state, "PAR1\x15\x04", PSW_EUNSUP, "Parquet");
    refuse(*state, "ARROW1\x02\x02", PSW_EUNSUP, "read_feather");
    refuse(*state, "PK\x03\x04\x14", PSW_EUNSUP, "compressed by zip");
    refuse(*state, "\x28\xb5\x2f\xfd\x04", PSW_EUNSUP, "unzstd");
    refuse(*state, "BZh91AY", PSW_EUNSUP, "bunzip2");
    refuse(*state,
           "\xfd"
           "7zXZ",
           PSW_EUNSUP, "unxz");
    refuse(*state, "\xff\xfe{", PSW_EUNSUP, "iconv -f UTF-16");
    refuse(*state, "\xfe\xff{", PSW_EUNSUP, "iconv -f UTF-16");
    refuse(*state, "\xef\xbb\xbf[{}]", PSW_EUNSUP, "byte order mark");
    refuse(*state, "{\n \"chosen\": \"a\"\n}\n", PSW_EDATA,
           "train:1: the line ends within an object");
    refuse(*state, "version https://git-lfs.github.com/spec/v1\n", PSW_EUNSUP, "git lfs");
    refuse(*state, "{\"chosen\": \"" HA("m") " n\", \"rejected\": \"" HA("o") " p\"}\n",
           PSW_EDATA, "1 with different prompts");
}

static void missing_file_and_folder_are_refused(void **state)
{
    const struct folder *f = *state;
    struct psw_dataset *d = NULL;
    struct psw_error err = {0};
    struct psw_file_opts opts = {.pairs = "/no/such/file", .heldout = ""};
    assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "/no/such/file"));
    opts.pairs = f->path;
    assert_int_not_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, &err), PSW_OK);
    assert_non_null(strstr(err.text, f->path));
    assert_non_null(strstr(err.text, "this is a folder"));
    opts.pairs = "";
    assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, &err), PSW_EINVAL);
    assert_null(d);
}

/** A gzip file of many pairs; returns its size. */
static size_t write_gzip(const char *path, int n_row)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < n_row; i++) {
        char row[200];
        snprintf(row, sizeof row, PAIR(HA("question %d"), " %d", " no"), i, i * i, i);
        assert_true(gzputs(file, row) > 0);
    }
    assert_int_equal(gzclose(file), Z_OK);
    char *data = NULL;
    size_t n = 0;
    assert_int_equal(psw_file_read(path, &data, &n, NULL), PSW_OK);
    free(data);
    return n;
}

static void gzip_reads_like_plain_text(void **state)
{
    const struct folder *f = *state;
    write_gzip(f->train, 5000);
    write_file(f->heldout, OTHER, sizeof OTHER - 1);
    const struct psw_file_opts opts = opts_of(f);
    struct psw_dataset *d = NULL;
    assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, NULL), PSW_OK);
    assert_int_equal(d->pairs.n, 5000);
    psw_dataset_destroy(d);
}

static void damaged_gzip_is_refused(void **state)
{
    const struct folder *f = *state;
    const struct psw_file_opts opts = opts_of(f);
    const size_t n = write_gzip(f->train, 5000), cut[] = {n - 1, n - 9, n / 2, 20};
    char *data = NULL;
    size_t n_read = 0;
    write_file(f->heldout, OTHER, sizeof OTHER - 1);
    assert_int_equal(psw_file_read(f->train, &data, &n_read, NULL), PSW_OK);
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++) {
        struct psw_dataset *d = NULL;
        struct psw_error err = {0};
        write_file(f->train, data, cut[i]);
        assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, "truncated"));
    }
    struct psw_dataset *d = NULL;
    struct psw_error err = {0};
    data[n / 2] ^= 0x55;
    write_file(f->train, data, n);
    assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, &err), PSW_EDATA);
    free(data);
}

#define PAIRS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIRS_TEST(sft_row_without_a_reply_is_refused),
        PAIRS_TEST(broken_rows_are_refused_with_their_place),
        PAIRS_TEST(useless_files_are_refused),
        PAIRS_TEST(missing_file_and_folder_are_refused),
        PAIRS_TEST(gzip_reads_like_plain_text),
        PAIRS_TEST(damaged_gzip_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
