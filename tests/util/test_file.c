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
    assert_int_equal(psw_file_read(the_folder, &data, &n, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "is a folder, expected a file"));
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

/** The content of a file, in static memory. */
static const char *text_at(const char *path)
{
    static char text[64];
    memset(text, 0, sizeof text);
    FILE *f = fopen(path, "r");
    if (f) text[fread(text, 1, sizeof text - 1, f)] = 0;
    if (f) fclose(f);
    return text;
}

static void a_link_planted_at_the_temporary_name_harms_nothing(void **state)
{
    (void)state;
    char victim[512], path[512], temporary[PSW_TEMPORARY_BYTES];
    snprintf(victim, sizeof victim, "%s", path_of("victim"));
    snprintf(path, sizeof path, "%s", path_of("out"));
    assert_int_equal(write_text(victim, "precious", "", NULL), PSW_OK);
    assert_int_equal(psw_file_temporary(path, temporary, NULL), PSW_OK);
    for (int is_hard = 0; is_hard < 2; is_hard++) {
        assert_int_equal(is_hard ? link(victim, temporary) : symlink(victim, temporary), 0);
        assert_int_equal(write_text(path, "new", "", NULL), PSW_OK);
        assert_string_equal(text_at(victim), "precious");
        assert_string_equal(text_at(path), "new");
        assert_int_equal(n_entries(), 2);
    }
    unlink(path);
    assert_int_equal(symlink(victim, path), 0); /* at the final name: replaced */
    assert_int_equal(write_text(path, "new", "", NULL), PSW_OK);
    assert_string_equal(text_at(victim), "precious");
    assert_int_equal(mkdir(temporary, 0700), 0); /* what cannot be unlinked is an error */
    struct psw_error err = {0};
    assert_int_not_equal(write_text(path, "newer", "", &err), PSW_OK);
    assert_non_null(strstr(err.text, temporary));
    assert_string_equal(text_at(path), "new");
    rmdir(temporary);
    unlink(victim);
    unlink(path);
}

static void only_plain_files_are_opened_and_never_through_a_link(void **state)
{
    (void)state;
    char victim[512], name[512];
    struct psw_error err = {0};
    int fd = -1;
    snprintf(victim, sizeof victim, "%s", path_of("victim"));
    snprintf(name, sizeof name, "%s", path_of("name"));
    assert_int_equal(write_text(victim, "precious", "", NULL), PSW_OK);
    assert_int_equal(symlink(victim, name), 0);
    assert_int_equal(psw_file_open(name, PSW_FILE_UPDATE, &fd, &err), PSW_EPERM);
    assert_non_null(strstr(err.text, "symbolic link"));
    assert_int_equal(psw_file_open(name, PSW_FILE_NEW, &fd, NULL), PSW_EBUSY);
    unlink(name);
    assert_int_equal(symlink(path_of("nowhere"), name), 0); /* would make a file elsewhere */
    assert_int_equal(psw_file_open(name, PSW_FILE_NEW, &fd, NULL), PSW_EBUSY);
    assert_false(psw_file_exists(path_of("nowhere")));
    unlink(name);
    assert_int_equal(mkfifo(name, 0600), 0); /* nobody at the other end: no waiting */
    assert_int_equal(psw_file_open(name, PSW_FILE_READ, &fd, &err), PSW_EIO);
    assert_non_null(strstr(err.text, "not a plain file"));
    unlink(name);
    assert_int_equal(psw_file_open(name, PSW_FILE_UPDATE, &fd, NULL), PSW_ENOENT);
    const mode_t old = umask(0);
    assert_int_equal(psw_file_open(name, PSW_FILE_NEW, &fd, NULL), PSW_OK);
    umask(old);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0664); /* never for everybody to write */
    assert_true(psw_file_is_at(name, fd));
    assert_int_equal(rename(victim, name), 0);
    assert_false(psw_file_is_at(name, fd));
    assert_string_equal(text_at(name), "precious");
    close(fd);
    unlink(name);
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
        cmocka_unit_test(a_link_planted_at_the_temporary_name_harms_nothing),
        cmocka_unit_test(only_plain_files_are_opened_and_never_through_a_link),
        cmocka_unit_test(a_file_has_the_hash_of_its_bytes),
        cmocka_unit_test(bytes_in_pieces_have_the_hash_of_the_whole),
        cmocka_unit_test(hashes_are_those_of_xxh3_and_print_as_16_digits),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
