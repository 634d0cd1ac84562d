/* What a journal says of data, held against what there is. */
#include <support/support.h>

#include <posweep/data/lists.h>
#include <posweep/sweep/data_sets.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <string.h>

static char folder[256];

static int setup(void **state)
{
    (void)state;
    psw_log_setup(PSW_LOG_ERROR, "");
    support_temp_dir(folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return psw_file_remove_tree(folder, NULL) != PSW_OK;
}

static struct psw_journal *open_journal(void)
{
    char path[300];
    static const uint64_t RUN = 7;
    const struct psw_journal_opts opts = {
        .sweep_name = "s", .spec_text = "", .provenance = "", .n_run = 1, .run = &RUN};
    struct psw_journal *journal = NULL;
    snprintf(path, sizeof path, "%s/j", folder);
    assert_int_equal(psw_journal_open(path, &opts, &journal, NULL), PSW_OK);
    return journal;
}

/** One file of a data set, with the first rows that are read of it. */
static struct psw_data_origins set_of(const char *name, int64_t limit, uint64_t hash)
{
    struct psw_data_origins set = {.n = 1};
    snprintf(set.item[0].name, sizeof set.item[0].name, "%s", name);
    snprintf(set.item[0].path, sizeof set.item[0].path, "/data/%s", name);
    set.item[0].limit = limit;
    set.item[0].n_bytes = 100;
    set.item[0].hash = hash;
    return set;
}

static psw_status compare(struct psw_journal *journal, const struct psw_data_origins *set,
                          int accept, struct psw_error *err)
{
    struct psw_data_sets sets = {0};
    assert_int_equal(psw_data_sets_add(&sets, set, NULL), PSW_OK);
    const psw_status rc = psw_data_sets_compare(&sets, journal, accept, err);
    psw_data_sets_clear(&sets);
    return rc;
}

static void record(struct psw_journal *journal, const struct psw_data_origins *set)
{
    struct psw_data_sets sets = {0};
    assert_int_equal(psw_data_sets_add(&sets, set, NULL), PSW_OK);
    assert_int_equal(psw_data_sets_record(&sets, journal, NULL), PSW_OK);
    psw_data_sets_clear(&sets);
}

static int64_t n_record(struct psw_journal *journal)
{
    int64_t n = 0;
    for (int64_t i = 0; i < psw_journal_n_entry(journal); i++)
        n += psw_journal_entry_at(journal, i)->type == PSW_J_DATA;
    return n;
}

static void the_last_content_of_a_name_holds(void **state)
{
    (void)state;
    const struct psw_data_origins a = set_of("f", 0, 0xa), b = set_of("f", 0, 0xb),
                                  other = set_of("g", 0, 0xc), some = set_of("f", 5, 0xd);
    struct psw_journal *j = open_journal();
    struct psw_error err = {0};
    assert_int_equal(compare(j, &a, 0, NULL), PSW_OK); /* nothing is known */
    record(j, &a);
    record(j, &a);
    assert_int_equal(n_record(j), 1);
    assert_int_equal(compare(j, &a, 0, NULL), PSW_OK);
    assert_int_equal(compare(j, &other, 0, NULL), PSW_OK); /* another name is other runs */
    assert_int_equal(compare(j, &some, 0, NULL), PSW_OK);  /* so is another limit */
    assert_int_equal(compare(j, &b, 0, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "now f: 100 bytes, xxh3 000000000000000b, before f: 100 "
                                     "bytes, xxh3 000000000000000a (/data/f)"));
    assert_non_null(strstr(err.text, "--accept-changed-data"));
    assert_int_equal(compare(j, &b, 1, NULL), PSW_OK);
    record(j, &other);
    record(j, &b);
    assert_int_equal(compare(j, &b, 0, NULL), PSW_OK);
    assert_int_equal(compare(j, &a, 0, NULL), PSW_EDATA);
    record(j, &a); /* accepted again: known, but not the last */
    assert_int_equal(n_record(j), 4);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    j = open_journal();
    assert_int_equal(compare(j, &a, 0, NULL), PSW_OK);
    assert_int_equal(compare(j, &b, 0, NULL), PSW_EDATA);
    psw_journal_close(j);
}

static void every_file_of_a_set_counts(void **state)
{
    (void)state;
    struct psw_data_origins two = set_of("f", 0, 0xa);
    two.n = 2;
    two.item[1] = set_of("h", 0, 0xe).item[0];
    two.item[1].role = PSW_ROLE_HELDOUT;
    struct psw_journal *j = open_journal();
    struct psw_error err = {0};
    record(j, &two);
    assert_int_equal(compare(j, &two, 0, NULL), PSW_OK);
    two.item[1].hash ^= 1;
    assert_int_equal(compare(j, &two, 0, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "now h: "));
    psw_journal_close(j);
}

static void another_generator_is_changed_data(void **state)
{
    (void)state;
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    const struct psw_generated_opts opts = {.seed = 1, .n_sft = 8, .error = 0.3};
    assert_int_equal(psw_generated_create(PSW_SOURCE_LISTS, &opts, &data, NULL), PSW_OK);
    struct psw_journal *j = open_journal();
    record(j, &data->files.origins);
    assert_int_equal(compare(j, &data->files.origins, 0, NULL), PSW_OK);
    data->files.origins.item[0].hash ^= 1;
    assert_int_equal(compare(j, &data->files.origins, 0, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "now lists: generated, xxh3 "));
    assert_non_null(strstr(err.text, "Continue with the posweep that began it"));
    psw_journal_close(j);
    psw_dataset_destroy(data);
}

static void sets_are_kept_once(void **state)
{
    (void)state;
    struct psw_data_sets sets = {0};
    const struct psw_data_origins a = set_of("f", 0, 0xa), b = set_of("g", 0, 0xa);
    assert_int_equal(psw_data_sets_add(&sets, &a, NULL), PSW_OK);
    assert_int_equal(psw_data_sets_add(&sets, &b, NULL), PSW_OK);
    assert_int_equal(psw_data_sets_add(&sets, &a, NULL), PSW_OK);
    assert_int_equal(sets.n, 2);
    psw_data_sets_clear(&sets);
}

#define SETS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETS_TEST(the_last_content_of_a_name_holds),
        SETS_TEST(every_file_of_a_set_counts),
        SETS_TEST(another_generator_is_changed_data),
        SETS_TEST(sets_are_kept_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
