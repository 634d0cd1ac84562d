/* Where data came from: contents of files and generators, told apart and found again. */
#include <support/support.h>

#include <posweep/data/files.h>
#include <posweep/data/lists.h>
#include <posweep/data/sums.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define ROW(q) "{\"prompt\":\"" q "\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
static const char TRAIN[] = ROW("1") ROW("2") "\n" ROW("3") "\n", HELDOUT[] = ROW("h");

static char folder[256];

static const char *path_of(const char *name)
{
    static char path[PSW_CFG_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    const struct psw_file_part part = {text, strlen(text)};
    assert_int_equal(psw_file_write(path_of(name), &part, 1, NULL), PSW_OK);
}

static int setup(void **state)
{
    (void)state;
    support_temp_dir(folder);
    write_text("train", TRAIN);
    write_text("heldout", HELDOUT);
    gzFile file = gzopen(path_of("train.gz"), "wb");
    assert_non_null(file);
    assert_true(gzputs(file, TRAIN) > 0);
    return gzclose(file) != Z_OK;
}

static int teardown(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

/** Open pairs from a file of the folder. */
static struct psw_dataset *open_file(const char *name, int64_t limit)
{
    struct psw_config config;
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    psw_config_default(&config);
    psw_config_set_source(&config, PSW_SOURCE_HH);
    config.data.limit = limit;
    snprintf(config.data.pairs, sizeof config.data.pairs, "%s", path_of(name));
    snprintf(config.data.heldout, sizeof config.data.heldout, "%s", path_of("heldout"));
    snprintf(config.data.pairs_written, sizeof config.data.pairs_written, "%s", name);
    snprintf(config.data.heldout_written, sizeof config.data.heldout_written, "heldout");
    if (psw_dataset_open(&config, &data, &err) != PSW_OK) fail_msg("%s", err.text);
    return data;
}

static void a_file_is_known_by_the_hash_of_its_text(void **state)
{
    (void)state;
    struct psw_dataset *d = open_file("train", 0);
    const struct psw_data_origin *o = d->files.origins.item;
    char text[400], hash[PSW_HASH_TEXT_BYTES], expected[400];
    assert_int_equal(d->files.origins.n, 2);
    assert_int_equal(o[0].role, PSW_ROLE_PAIRS);
    assert_int_equal(o[1].role, PSW_ROLE_HELDOUT);
    assert_string_equal(o[0].name, "train");
    assert_string_equal(o[0].path, path_of("train"));
    assert_int_equal(o[0].n_bytes, strlen(TRAIN));
    assert_true(o[0].hash == psw_hash_bytes(TRAIN, strlen(TRAIN), 0));
    assert_true(o[1].hash == psw_hash_bytes(HELDOUT, strlen(HELDOUT), 0));
    snprintf(expected, sizeof expected, "train: %zu bytes, xxh3 %s", strlen(TRAIN),
             psw_hash_text(o[0].hash, hash));
    assert_string_equal(psw_data_origin_text(&o[0], text, sizeof text), expected);
    psw_dataset_destroy(d);
}

static void gzip_and_other_names_are_the_same_content(void **state)
{
    (void)state;
    struct psw_dataset *plain = open_file("train", 0), *gzip = open_file("train.gz", 0);
    assert_true(plain->files.origins.item[0].hash == gzip->files.origins.item[0].hash);
    assert_true(psw_data_origins_hash(&plain->files.origins) ==
                psw_data_origins_hash(&gzip->files.origins));
    assert_true(plain->content_hash == gzip->content_hash);
    psw_dataset_destroy(plain);
    psw_dataset_destroy(gzip);
}

/* What lies behind the rows that are read does not count. */
static void a_limit_hashes_the_rows_that_are_read(void **state)
{
    (void)state;
    const size_t n_two = strlen(ROW("1")) + strlen(ROW("2"));
    struct psw_dataset *d = open_file("train", 2);
    assert_int_equal(d->files.origins.item[0].n_bytes, n_two);
    assert_true(d->files.origins.item[0].hash == psw_hash_bytes(TRAIN, n_two, 0));
    psw_dataset_destroy(d);
}

static void any_change_of_a_file_changes_the_content(void **state)
{
    (void)state;
    static const char *const OTHER[] = {ROW("1") ROW("2") "\n" ROW("4") "\n",
                                        ROW("1") ROW("2") ROW("3"), /* the same rows */
                                        ROW("2") ROW("1") "\n" ROW("3") "\n"};
    struct psw_dataset *d = open_file("train", 0);
    for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++) {
        write_text("other", OTHER[i]);
        struct psw_dataset *other = open_file("other", 0);
        assert_true(d->content_hash != other->content_hash);
        assert_true(psw_data_origins_hash(&d->files.origins) !=
                    psw_data_origins_hash(&other->files.origins));
        psw_dataset_destroy(other);
    }
    psw_dataset_destroy(d);
}

static void a_file_is_checked_without_being_parsed(void **state)
{
    (void)state;
    struct psw_error err = {0};
    write_text("seen", TRAIN);
    for (int64_t limit = 0; limit <= 3; limit++) {
        struct psw_dataset *d = open_file("seen", limit), *zip = open_file("train.gz", limit);
        assert_int_equal(psw_data_origin_check(&d->files.origins.item[0], NULL), PSW_OK);
        assert_int_equal(psw_data_origin_check(&zip->files.origins.item[0], NULL), PSW_OK);
        write_text("seen", ROW("1") ROW("2") "\n" ROW("4") "\n");
        assert_int_equal(psw_data_origin_check(&d->files.origins.item[0], &err),
                         limit == 1 || limit == 2 ? PSW_OK : PSW_EDATA);
        write_text("seen", TRAIN);
        psw_dataset_destroy(d);
        psw_dataset_destroy(zip);
    }
    assert_non_null(strstr(err.text, "seen: the content is seen: "));
    write_text("seen", "[" ROW("1") "," ROW("2") "]");
    struct psw_dataset *array = open_file("seen", 1);
    assert_int_equal(psw_data_origin_check(&array->files.origins.item[0], NULL), PSW_OK);
    unlink(path_of("seen"));
    assert_int_equal(psw_data_origin_check(&array->files.origins.item[0], NULL), PSW_ENOENT);
    psw_dataset_destroy(array);
}

/* The ids of the rows are the same, and what they say is not. */
static void another_tokenizer_is_other_content(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"<eos>", "1", "2", "3", "h", "a", "b", "tin"},
                             *const OTHER[] = {"<eos>", "1", "2", "3", "h", "a", "b", "zinc"};
    const struct psw_tokenizer tokenizer[2] = {
        {.kind = &PSW_WORDS_KIND, .n_vocab = 8, .eos = 0, .word = WORDS},
        {.kind = &PSW_WORDS_KIND, .n_vocab = 8, .eos = 0, .word = OTHER}};
    char train[PSW_CFG_PATH];
    struct psw_dataset *d[2] = {NULL, NULL};
    snprintf(train, sizeof train, "%s", path_of("train"));
    for (int i = 0; i < 2; i++) {
        const struct psw_file_opts opts = {
            .pairs = train, .heldout = path_of("heldout"), .text.tokenizer = &tokenizer[i]};
        assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d[i], NULL), PSW_OK);
        assert_int_equal(d[i]->tokenizer->n_vocab, 8);
        assert_int_equal(psw_examples_at(&d[i]->pairs, 0).response[0][0], 5);
    }
    assert_true(psw_data_origins_hash(&d[0]->files.origins) ==
                psw_data_origins_hash(&d[1]->files.origins));
    assert_true(d[0]->content_hash != d[1]->content_hash);
    for (int i = 0; i < 2; i++) psw_dataset_destroy(d[i]);
}

static void a_generator_is_known_whatever_it_is_asked_for(void **state)
{
    (void)state;
    struct psw_dataset *a = NULL, *b = NULL, *s = NULL;
    assert_int_equal(
        psw_generated_create(PSW_SOURCE_LISTS,
                             &(struct psw_generated_opts){.seed = 1, .n_sft = 10, .error = 0.3},
                             &a, NULL),
        PSW_OK);
    assert_int_equal(
        psw_generated_create(PSW_SOURCE_LISTS,
                             &(struct psw_generated_opts){.seed = 2, .n_sft = 90, .error = 0.1},
                             &b, NULL),
        PSW_OK);
    assert_int_equal(
        psw_generated_create(PSW_SOURCE_SUMS,
                             &(struct psw_generated_opts){.seed = 1, .n_sft = 10, .terms = 2},
                             &s, NULL),
        PSW_OK);
    assert_int_equal(a->files.origins.item[0].role, PSW_ROLE_TASK);
    assert_string_equal(a->files.origins.item[0].name, "lists");
    assert_true(psw_data_origins_hash(&a->files.origins) ==
                psw_data_origins_hash(&b->files.origins));
    assert_true(psw_data_origins_hash(&a->files.origins) !=
                psw_data_origins_hash(&s->files.origins));
    assert_int_equal(psw_data_origin_check(&a->files.origins.item[0], NULL), PSW_OK);
    assert_int_equal(psw_data_origin_check(&s->files.origins.item[0], NULL), PSW_OK);
    b->files.origins.item[0].hash ^= 1;
    assert_int_equal(psw_data_origin_check(&b->files.origins.item[0], NULL), PSW_EDATA);
    psw_dataset_destroy(a);
    psw_dataset_destroy(b);
    psw_dataset_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_known_by_the_hash_of_its_text),
        cmocka_unit_test(gzip_and_other_names_are_the_same_content),
        cmocka_unit_test(a_limit_hashes_the_rows_that_are_read),
        cmocka_unit_test(any_change_of_a_file_changes_the_content),
        cmocka_unit_test(a_file_is_checked_without_being_parsed),
        cmocka_unit_test(another_tokenizer_is_other_content),
        cmocka_unit_test(a_generator_is_known_whatever_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
