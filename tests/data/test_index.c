/* Index files: what is mapped is what was read, whatever the form; and nothing is believed that
 * is not so. */
#include <support/support.h>

#include <dirent.h>
#include <fcntl.h>
#include <posweep/data/files.h>
#include <posweep/util/file.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>
#include <zlib.h>

enum { N_ROW = 60, PATH_BYTES = 320 };

struct folder {
    char path[256], index[PATH_BYTES], train[PATH_BYTES], other[PATH_BYTES], third[PATH_BYTES];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    support_temp_dir(f->path);
    snprintf(f->index, sizeof f->index, "%s/index", f->path);
    snprintf(f->train, sizeof f->train, "%s/train", f->path);
    snprintf(f->other, sizeof f->other, "%s/other", f->path);
    snprintf(f->third, sizeof f->third, "%s/third", f->path);
    assert_int_equal(psw_file_make_dir(f->index, NULL), PSW_OK);
    psw_log_setup(PSW_LOG_ERROR, "");
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

/* ---- files ---- */

/** Row i of a file, by its form. */
typedef void row_text(int i, char *out, size_t n_bytes);

static void pair_text(int i, char *out, size_t n_bytes)
{
    snprintf(
        out, n_bytes,
        "{\"prompt\":\"question %d\",\"chosen\":\" answer %d %s\",\"rejected\":\" no %d\"}",
        i % 40, i, i % 3 ? "" : "\xc3\xa9\xc3\xa9", i % 7);
}

static void heldout_text(int i, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes,
             "{\"prompt\":\"other %d\",\"chosen\":\" yes\",\"rejected\":\" no %d\"}", i % 25,
             i);
}

static void chat_text(int i, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"hello %d\"},{\"role\":"
             "\"assistant\",\"content\":\"hi\"},{\"role\":\"user\",\"content\":\"and\"},"
             "{\"role\":\"assistant\",\"content\":\"end %d\"}]}",
             i, i);
}

static void prompt_text(int i, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes, "{\"prompt\":\"tell me %d\"}", i % 30);
}

static void sum_text(int i, char *out, size_t n_bytes)
{
    snprintf(out, n_bytes,
             "{\"question\":\"What is %d and %d?\",\"answer\":\"It is %d.\\n#### %d\"}", i,
             i + 1, 2 * i + 1, 2 * i + 1);
}

enum layout { LINES, ARRAY, GZIP };

static void write_rows(const char *path, row_text *text, enum layout layout)
{
    gzFile file = gzopen(path, layout == GZIP ? "wb" : "wT");
    assert_non_null(file);
    if (layout == ARRAY) gzputs(file, "[");
    for (int i = 0; i < N_ROW; i++) {
        static char row[1 << 19];
        text(i, row, sizeof row);
        gzputs(file, row);
        gzputs(file, layout != ARRAY ? "\n" : i + 1 < N_ROW ? "," : "]");
    }
    assert_int_equal(gzclose(file), Z_OK);
}

static struct psw_dataset *open_with(enum psw_source source, const struct psw_file_opts *opts)
{
    struct psw_error err = {0};
    struct psw_dataset *data = NULL;
    if (psw_files_open(source, opts, &data, &err) != PSW_OK) fail_msg("%s", err.text);
    return data;
}

/** The only index in the folder, and the number of its file; 0: there is none. */
static ino_t index_file(const struct folder *f, char path[2 * PATH_BYTES])
{
    ino_t found = 0;
    DIR *dir = opendir(f->index);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        assert_int_equal(found, 0);
        found = e->d_ino;
        snprintf(path, 2 * PATH_BYTES, "%s/%s", f->index, e->d_name);
    }
    closedir(dir);
    return found;
}

static void set_age(const char *path, time_t age_s)
{
    const time_t then = time(NULL) - age_s;
    assert_int_equal(utime(path, &(struct utimbuf){then, then}), 0);
}

/* ---- comparison ---- */

static void assert_list(const struct psw_examples *a, const struct psw_examples *b)
{
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) {
        const struct psw_example x = psw_examples_at(a, i), y = psw_examples_at(b, i);
        assert_int_equal(x.n_prompt, y.n_prompt);
        assert_int_equal(x.n_seq, y.n_seq);
        assert_true(x.prompt_key == y.prompt_key);
        assert_memory_equal(x.prompt, y.prompt, sizeof *x.prompt * (size_t)x.n_prompt);
        for (int s = 0; s < x.n_seq; s++) assert_true(psw_response_equal(&x, s, &y, s));
    }
}

static void assert_same(const struct psw_dataset *a, const struct psw_dataset *b)
{
    assert_list(&a->sft, &b->sft);
    assert_list(&a->pairs, &b->pairs);
    assert_list(&a->pairs_heldout, &b->pairs_heldout);
    assert_list(&a->prompts, &b->prompts);
    assert_list(&a->prompts_heldout, &b->prompts_heldout);
    assert_memory_equal(a->counts, b->counts, sizeof a->counts);
    assert_memory_equal(&a->files.origins, &b->files.origins, sizeof a->files.origins);
    for (int r = 0; r < PSW_N_ROLE; r++) {
        assert_int_equal(!a->files.form[r].name, !b->files.form[r].name);
        if (!a->files.form[r].name) continue;
        assert_string_equal(a->files.form[r].name, b->files.form[r].name);
        assert_string_equal(a->files.form[r].layout, b->files.form[r].layout);
    }
    assert_true(a->content_hash == b->content_hash);
    assert_int_equal(!a->answer_key, !b->answer_key);
    for (int64_t i = 0; a->answer_key && i < a->sft.n; i++) {
        const struct psw_example e = psw_examples_at(&a->sft, i);
        const double x =
            psw_dataset_score(a, e.prompt, e.n_prompt, e.response[0], e.n_response[0]);
        assert_true(x ==
                    psw_dataset_score(b, e.prompt, e.n_prompt, e.response[0], e.n_response[0]));
        assert_true(x == 1);
    }
}

/** Without an index, making it, with it: all the same. */
static void assert_index_changes_nothing(const struct folder *f, enum psw_source source,
                                         struct psw_file_opts opts)
{
    char path[2 * PATH_BYTES] = "";
    struct psw_dataset *plain = open_with(source, &opts);
    assert_int_equal(index_file(f, path), 0);
    opts.index.folder = f->index;
    opts.index.least_bytes = 1;
    struct psw_dataset *made = open_with(source, &opts);
    const ino_t file = index_file(f, path);
    assert_true(file != 0);
    struct psw_dataset *mapped = open_with(source, &opts);
    assert_true(index_file(f, path) == file);
    assert_same(plain, made);
    assert_same(plain, mapped);
    assert_true(psw_dataset_bytes(mapped) < psw_dataset_bytes(plain));
    psw_dataset_destroy(plain);
    psw_dataset_destroy(made);
    psw_dataset_destroy(mapped);
    assert_int_equal(unlink(path), 0);
}

/* ---- tests ---- */

static void pairs_of_any_layout_are_mapped_as_they_are_read(void **state)
{
    const struct folder *f = *state;
    for (int layout = LINES; layout <= GZIP; layout++) {
        write_rows(f->train, pair_text, (enum layout)layout);
        assert_index_changes_nothing(f, PSW_SOURCE_AUTO,
                                     (struct psw_file_opts){.pairs = f->train,
                                                            .heldout_share = 0.3,
                                                            .length.max_response = 9});
    }
}

static void every_list_of_its_own_file_is_mapped_as_it_is_read(void **state)
{
    const struct folder *f = *state;
    char fourth[PATH_BYTES];
    snprintf(fourth, sizeof fourth, "%s/fourth", f->path);
    write_rows(f->train, pair_text, LINES);
    write_rows(f->other, heldout_text, GZIP);
    write_rows(f->third, chat_text, ARRAY);
    write_rows(fourth, prompt_text, LINES);
    assert_index_changes_nothing(f, PSW_SOURCE_AUTO,
                                 (struct psw_file_opts){.pairs = f->train,
                                                        .heldout = f->other,
                                                        .sft = f->third,
                                                        .prompts = {.path = fourth},
                                                        .final_prompts = {.path = fourth},
                                                        .rows.all_turns = 1,
                                                        .rows.limit = 50});
}

static void questions_are_mapped_with_their_right_answers(void **state)
{
    const struct folder *f = *state;
    write_rows(f->train, sum_text, LINES);
    assert_index_changes_nothing(f, PSW_SOURCE_GSM8K,
                                 (struct psw_file_opts){.sft = f->train, .heldout_share = 0.3});
}

/** Open with an index in the folder; whether it was made, or made again. */
static int is_made(const struct folder *f, const struct psw_file_opts *given)
{
    char path[2 * PATH_BYTES];
    struct psw_file_opts opts = *given;
    struct psw_dataset *plain = open_with(PSW_SOURCE_AUTO, &opts);
    opts.index.folder = f->index;
    opts.index.least_bytes = 1;
    const ino_t before = index_file(f, path);
    struct psw_dataset *data = open_with(PSW_SOURCE_AUTO, &opts);
    const ino_t now = index_file(f, path);
    assert_same(plain, data);
    psw_dataset_destroy(plain);
    psw_dataset_destroy(data);
    return now != before;
}

static void an_index_holds_as_long_as_the_files_have_their_content(void **state)
{
    const struct folder *f = *state;
    const struct psw_file_opts opts = {.pairs = f->train, .heldout = f->other};
    write_rows(f->train, pair_text, LINES);
    write_rows(f->other, heldout_text, LINES);
    set_age(f->train, 1000);
    assert_true(is_made(f, &opts));
    assert_false(is_made(f, &opts));
    set_age(f->train, 500); /* another time, the same content */
    assert_false(is_made(f, &opts));
    write_rows(f->other, heldout_text, LINES); /* written again, the same */
    assert_false(is_made(f, &opts));
    write_rows(f->other, prompt_text, LINES); /* nothing of use: as without an index */
    struct psw_dataset *data = NULL;
    struct psw_file_opts with = opts;
    with.index.folder = f->index;
    with.index.least_bytes = 1;
    assert_int_equal(psw_files_open(PSW_SOURCE_AUTO, &with, &data, NULL), PSW_EDATA);
}

static void a_change_within_the_tick_of_a_clock_is_noticed(void **state)
{
    const struct folder *f = *state;
    const struct psw_file_opts opts = {.pairs = f->train, .heldout_share = 0.3};
    struct stat info;
    write_rows(f->train, pair_text, LINES);
    assert_true(is_made(f, &opts));
    assert_int_equal(stat(f->train, &info), 0);
    FILE *file = fopen(f->train, "r+");
    assert_non_null(file);
    fputs("{\"prompt\":\"Q", file); /* the same size */
    assert_int_equal(fclose(file), 0);
    const struct timespec same[2] = {info.st_mtim, info.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, f->train, same, 0), 0);
    assert_true(is_made(f, &opts));
}

static void other_settings_have_an_index_of_their_own(void **state)
{
    const struct folder *f = *state;
    char path[2 * PATH_BYTES], other[2 * PATH_BYTES];
    struct psw_file_opts opts = {.pairs = f->train,
                                 .heldout_share = 0.3,
                                 .index.folder = f->index,
                                 .index.least_bytes = 1};
    write_rows(f->train, pair_text, LINES);
    psw_dataset_destroy(open_with(PSW_SOURCE_AUTO, &opts));
    assert_true(index_file(f, path) != 0);
    assert_int_equal(unlink(path), 0);
    opts.length.max_response = 5;
    psw_dataset_destroy(open_with(PSW_SOURCE_AUTO, &opts));
    assert_true(index_file(f, other) != 0);
    assert_string_not_equal(path, other);
}

static void damage_anywhere_is_noticed(void **state)
{
    const struct folder *f = *state;
    const struct psw_file_opts opts = {.pairs = f->train, .heldout_share = 0.3};
    char path[2 * PATH_BYTES];
    struct stat info;
    write_rows(f->train, pair_text, LINES);
    set_age(f->train, 1000);
    assert_true(is_made(f, &opts));
    index_file(f, path);
    assert_int_equal(stat(path, &info), 0);
    const long step = (long)info.st_size / 23;
    for (long at = 3; at < info.st_size; at += step) {
        FILE *file = fopen(path, "r+");
        assert_non_null(file);
        fseek(file, at, SEEK_SET);
        const int byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ 16, file);
        assert_int_equal(fclose(file), 0);
        assert_true(is_made(f, &opts));
    }
    for (long n = 0; n < info.st_size; n += step) {
        assert_int_equal(truncate(path, n), 0);
        assert_true(is_made(f, &opts));
    }
    assert_false(is_made(f, &opts));
}

/** Bytes of files that this process has mapped in at the moment. */
static int64_t mapped_bytes(void)
{
    long long n_all = 0, n_resident = 0, n_shared = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lld %lld %lld", &n_all, &n_resident, &n_shared), 3);
    fclose(file);
    return n_shared * sysconf(_SC_PAGESIZE);
}

/** Read all of an example; the sum of its ids. */
static int64_t read_example(const struct psw_examples *list, int64_t i)
{
    const struct psw_example e = psw_examples_at(list, i);
    int64_t sum = 0;
    for (int32_t k = 0; k < e.n_prompt; k++) sum += e.prompt[k];
    for (int32_t s = 0; s < e.n_seq; s++)
        for (int32_t k = 0; k < e.n_response[s]; k++) sum += e.response[s][k];
    return sum;
}

static void a_walk_through_an_index_in_any_order_holds_little_of_it(void **state)
{
    enum { N = 3000, TEXT = 8192, AT_MOST = 56 << 20 }; /* an index of 96 MB */
    const struct folder *f = *state;
    const struct psw_file_opts opts = {.pairs = f->train,
                                       .heldout_share = 0.01,
                                       .index.folder = f->index,
                                       .index.least_bytes = 1};
    char text[TEXT + 1] = "";
    FILE *file = fopen(f->train, "w");
    assert_non_null(file);
    memset(text, 'a', TEXT);
    for (int i = 0; i < N; i++)
        fprintf(file, "{\"prompt\":\"%d\",\"chosen\":\"%s\",\"rejected\":\"b\"}\n", i, text);
    assert_int_equal(fclose(file), 0);
    const int64_t before = mapped_bytes();
    struct psw_dataset *data = open_with(PSW_SOURCE_AUTO, &opts);
    const int64_t n = data->pairs.n;
    assert_in_range(n, N / 2, N - 1);
    for (int64_t stride = 1; stride < 2000;
         stride += 1018) { /* one after the other, and far apart */
        int64_t sum = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += read_example(&data->pairs, i * stride % n);
            if (i % 16 == 0) assert_in_range(mapped_bytes() - before, 0, AT_MOST);
        }
        assert_true(sum > n * TEXT * 'a');
    }
    psw_dataset_destroy(data);
}

/** Rows of which some are longer than the blocks that a store is read in. */
static void long_text(int i, char *out, size_t n_bytes)
{
    const int n_long = i % 20 == 7 ? 300000 : 10;
    snprintf(out, n_bytes, "{\"prompt\":\"%d\",\"chosen\":\"%0*d\",\"rejected\":\"b\"}", i % 40,
             n_long, i);
}

static void examples_longer_than_a_block_hash_to_the_same(void **state)
{
    const struct folder *f = *state;
    struct psw_file_opts opts = {.pairs = f->train, .heldout_share = 0.3};
    write_rows(f->train, long_text, LINES);
    struct psw_dataset *plain = open_with(PSW_SOURCE_AUTO, &opts);
    opts.index.least_bytes = 1;
    opts.index.folder = f->index;
    struct psw_dataset *data = open_with(PSW_SOURCE_AUTO, &opts);
    assert_same(plain, data);
    psw_dataset_destroy(plain);
    psw_dataset_destroy(data);
}

static void without_a_place_for_it_the_data_are_read_all_the_same(void **state)
{
    const struct folder *f = *state;
    struct psw_file_opts opts = {.pairs = f->train, .heldout_share = 0.3};
    write_rows(f->train, pair_text, LINES);
    struct psw_dataset *plain = open_with(PSW_SOURCE_AUTO, &opts);
    opts.index.least_bytes = 1;
    opts.index.folder = "/nowhere/at/all";
    struct psw_dataset *data = open_with(PSW_SOURCE_AUTO, &opts);
    assert_same(plain, data);
    psw_dataset_destroy(plain);
    psw_dataset_destroy(data);
}

#define INDEX_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        INDEX_TEST(pairs_of_any_layout_are_mapped_as_they_are_read),
        INDEX_TEST(every_list_of_its_own_file_is_mapped_as_it_is_read),
        INDEX_TEST(questions_are_mapped_with_their_right_answers),
        INDEX_TEST(an_index_holds_as_long_as_the_files_have_their_content),
        INDEX_TEST(a_change_within_the_tick_of_a_clock_is_noticed),
        INDEX_TEST(other_settings_have_an_index_of_their_own),
        INDEX_TEST(damage_anywhere_is_noticed),
        INDEX_TEST(a_walk_through_an_index_in_any_order_holds_little_of_it),
        INDEX_TEST(examples_longer_than_a_block_hash_to_the_same),
        INDEX_TEST(without_a_place_for_it_the_data_are_read_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
