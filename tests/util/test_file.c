/* Files written whole or not at all, and their hashes. */
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <support/support.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char the_folder[256];

static int make_folder(void **state)
{
    (void)state;
    support_temp_dir(the_folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return psw_file_remove_tree(the_folder, NULL) != PSW_OK || psw_file_exists(the_folder);
}

static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", the_folder, name);
    return path;
}

static int n_entries(void)
{
    int n = 0;
    DIR *dir = opendir(the_folder);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

static psw_status write_text(const char *path, const char *a, const char *b,
                             struct psw_error *err)
{
    const struct psw_file_part parts[2] = {{a, strlen(a)}, {b, strlen(b)}};
    return psw_file_write(path, parts, 2, err);
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    char *data = NULL;
    size_t n = 0;
    assert_int_equal(write_text(path_of("a"), "one ", "two", NULL), PSW_OK);
    assert_int_equal(write_text(path_of("a"), "three", "", NULL), PSW_OK); /* replaces */
    assert_int_equal(psw_file_read(path_of("a"), &data, &n, NULL), PSW_OK);
    assert_int_equal(n, 5);
    assert_string_equal(data, "three"); /* terminated */
    assert_int_equal(n_entries(), 1);   /* nothing temporary stays */
    free(data);
    unlink(path_of("a"));
}

static void a_write_that_cannot_be_leaves_the_old_file_and_no_other(void **state)
{
    (void)state;
    struct psw_error err = {0};
    assert_int_equal(mkdir(path_of("taken"), 0777), 0);
    assert_int_not_equal(write_text(path_of("taken"), "x", "y", &err), PSW_OK);
    assert_non_null(strstr(err.text, "taken"));
    assert_int_equal(n_entries(), 1);
    assert_int_equal(write_text(path_of("no/such/a"), "x", "y", &err), PSW_ENOENT);
    rmdir(path_of("taken"));
}

static void reading_what_is_not_there_names_the_path(void **state)
{
    (void)state;
    char *data = NULL;
    size_t n = 0;
    uint64_t hash = 0;
    struct psw_error err = {0};
    assert_int_equal(psw_file_read(path_of("absent"), &data, &n, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "/absent"));
    assert_int_equal(psw_hash_file(path_of("absent"), &hash, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "/absent"));
    assert_int_not_equal(psw_file_read(the_folder, &data, &n, &err), PSW_OK);
    assert_null(data);
}

static void an_empty_file_is_fine(void **state)
{
    (void)state;
    char *data = NULL;
    size_t n = 99;
    assert_int_equal(psw_file_write(path_of("empty"), NULL, 0, NULL), PSW_OK);
    assert_int_equal(psw_file_read(path_of("empty"), &data, &n, NULL), PSW_OK);
    assert_int_equal(n, 0);
    assert_string_equal(data, "");
    free(data);
    unlink(path_of("empty"));
}

static void folders_are_made_with_their_parents_and_removed_with_their_content(void **state)
{
    (void)state;
    char deep[512];
    snprintf(deep, sizeof deep, "%s", path_of("x/y/z"));
    assert_int_equal(psw_file_make_dir(deep, NULL), PSW_OK);
    assert_int_equal(psw_file_make_dir(deep, NULL), PSW_OK); /* again */
    assert_int_equal(write_text(path_of("x/y/z/f"), "1", "2", NULL), PSW_OK);
    assert_int_equal(psw_file_remove_tree(path_of("x"), NULL), PSW_OK);
    assert_false(psw_file_exists(path_of("x")));
    assert_int_equal(psw_file_remove_tree(path_of("x"), NULL), PSW_OK); /* again */
}

static void a_folder_in_place_of_a_file_is_refused(void **state)
{
    (void)state;
    struct psw_error err = {0};
    assert_int_equal(write_text(path_of("plain"), "1", "2", NULL), PSW_OK);
    assert_int_not_equal(psw_file_make_dir(path_of("plain"), &err), PSW_OK);
    assert_non_null(strstr(err.text, "plain"));
    assert_int_not_equal(psw_file_make_dir(path_of("plain/below"), &err), PSW_OK);
    unlink(path_of("plain"));
}

static void a_path_that_does_not_fit_is_refused_not_cut(void **state)
{
    (void)state;
    char out[8];
    assert_int_equal(psw_path(out, sizeof out, NULL, "%s", "1234567"), PSW_OK);
    assert_int_equal(psw_path(out, sizeof out, NULL, "%s", "12345678"), PSW_EINVAL);
}

static void a_file_has_the_hash_of_its_bytes(void **state)
{
    (void)state;
    enum { N = 200000 };
    unsigned char *bytes = malloc(N);
    assert_non_null(bytes);
    for (int i = 0; i < N; i++) bytes[i] = (unsigned char)(i * 7);
    const struct psw_file_part part = {bytes, N};
    uint64_t hash = 0;
    assert_int_equal(psw_file_write(path_of("h"), &part, 1, NULL), PSW_OK);
    assert_int_equal(psw_hash_file(path_of("h"), &hash, NULL), PSW_OK);
    assert_true(hash == psw_hash_bytes(bytes, N, 0));
    bytes[N / 2] ^= 1;
    assert_true(hash != psw_hash_bytes(bytes, N, 0));
    free(bytes);
    unlink(path_of("h"));
}

static void bytes_in_pieces_have_the_hash_of_the_whole(void **state)
{
    (void)state;
    enum { N = 3000 };
    unsigned char bytes[N];
    for (int i = 0; i < N; i++) bytes[i] = (unsigned char)(i * 7);
    struct psw_hash_stream *stream = psw_hash_stream_create();
    assert_non_null(stream);
    assert_true(psw_hash_stream_value(stream) == psw_hash_bytes("", 0, 0));
    for (int at = 0, n = 0; at < N; at += n) {
        n = at % 500 + 1 < N - at ? at % 500 + 1 : N - at;
        psw_hash_stream_add(stream, bytes + at, (size_t)n);
        const int end = at + n;
        assert_true(psw_hash_stream_value(stream) == psw_hash_bytes(bytes, (size_t)end, 0));
    }
    psw_hash_stream_destroy(stream);
}

static void hashes_are_those_of_xxh3_and_print_as_16_digits(void **state)
{
    (void)state;
    char text[PSW_HASH_TEXT_BYTES];
    assert_string_equal(psw_hash_text(0xab, text), "00000000000000ab");
    assert_string_equal(psw_hash_text(psw_hash_bytes("", 0, 0), text), "2d06800538d394c2");
    assert_true(psw_hash_bytes("x", 1, 0) != psw_hash_bytes("x", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_write_that_cannot_be_leaves_the_old_file_and_no_other),
        cmocka_unit_test(reading_what_is_not_there_names_the_path),
        cmocka_unit_test(an_empty_file_is_fine),
        cmocka_unit_test(folders_are_made_with_their_parents_and_removed_with_their_content),
        cmocka_unit_test(a_folder_in_place_of_a_file_is_refused),
        cmocka_unit_test(a_path_that_does_not_fit_is_refused_not_cut),
        cmocka_unit_test(a_file_has_the_hash_of_its_bytes),
        cmocka_unit_test(bytes_in_pieces_have_the_hash_of_the_whole),
        cmocka_unit_test(hashes_are_those_of_xxh3_and_print_as_16_digits),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
