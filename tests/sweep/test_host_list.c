/* What the journal remembers of hosts from start to start. */
#include "host_list.h"

#include <support/support.h>

#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char folder[256], path[300];
    struct psw_journal *journal;
    struct psw_host_list list;
};

static int set_up(void **state)
{
    static const uint64_t RUN[] = {0x11};
    const struct psw_journal_opts opts = {.sweep_name = "demo",
                                          .spec_text = "name: demo\n",
                                          .provenance = "commit=abc\n",
                                          .n_run = 1,
                                          .run = RUN,
                                          .lock_wait_s = -1};
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.journal", p->folder);
    *state = p;
    return psw_journal_open(p->path, &opts, &p->journal, NULL) != PSW_OK;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    psw_host_list_clear(&p->list);
    psw_journal_close(p->journal);
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static void tell(const struct place *p, const char *name, const char *why)
{
    assert_int_equal(psw_host_list_record(p->journal, name, why, NULL), PSW_OK);
}

/* As a later start would read it. */
static void read_list(struct place *p, double since_s)
{
    assert_int_equal(psw_journal_sync(p->journal, NULL), PSW_OK);
    psw_host_list_clear(&p->list);
    assert_int_equal(psw_host_list_read(p->journal, since_s, &p->list, NULL), PSW_OK);
}

static void the_last_word_about_a_host_counts(void **state)
{
    struct place *p = *state;
    char why[PSW_HOST_WHY_BYTES];
    tell(p, "node1", "3 tasks met trouble");
    tell(p, "node2", "a rank hung");
    tell(p, "node3", "a rank hung");
    tell(p, "node1", "");
    tell(p, "node3", "it hung again");
    read_list(p, 0);
    assert_int_equal(p->list.n, 3);
    assert_null(psw_host_list_why(&p->list, "node1", why));
    assert_null(psw_host_list_why(&p->list, "node", why));
    assert_non_null(psw_host_list_why(&p->list, "node2", why));
    assert_non_null(strstr(why, "a rank hung; "));
    assert_non_null(strstr(why, " ago"));
    assert_non_null(psw_host_list_why(&p->list, "node3", why));
    assert_non_null(strstr(why, "it hung again; "));
}

static void of_merged_journals_the_youngest_word_counts(void **state)
{
    struct place *p = *state;
    char why[PSW_HOST_WHY_BYTES];
    static const char WORKS[] = "node1\n";
    struct psw_journal_entry e = {
        .type = PSW_J_HOST, .n_bytes = sizeof WORKS - 1, .time_s = psw_clock_unix_s() - 60};
    tell(p, "node1", "a rank hung");
    assert_int_equal(psw_journal_append(p->journal, e, WORKS, NULL), PSW_OK);
    read_list(p, 0);
    assert_non_null(psw_host_list_why(&p->list, "node1", why));
}

static void what_is_old_is_forgotten_but_still_there_to_be_taken_back(void **state)
{
    struct place *p = *state;
    char why[PSW_HOST_WHY_BYTES];
    tell(p, "node1", "a rank hung");
    read_list(p, psw_clock_unix_s() + 60);
    assert_string_equal(psw_host_list_why(&p->list, "node1", why), "");
}

static void records_of_any_form_do_no_harm(void **state)
{
    struct place *p = *state;
    char why[PSW_HOST_WHY_BYTES], long_text[2000];
    const struct psw_journal_entry e = {.type = PSW_J_HOST, .n_bytes = 5};
    assert_int_equal(psw_journal_append(p->journal, e, "node1", NULL), PSW_OK);
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = 0;
    tell(p, "node2", long_text);
    read_list(p, 0);
    assert_int_equal(p->list.n, 2);
    assert_null(psw_host_list_why(&p->list, "node1", why));
    assert_non_null(psw_host_list_why(&p->list, "node2", why));
    assert_in_range(strlen(why), 600, PSW_HOST_WHY_BYTES - 1);
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PLACE(the_last_word_about_a_host_counts),
        WITH_PLACE(of_merged_journals_the_youngest_word_counts),
        WITH_PLACE(what_is_old_is_forgotten_but_still_there_to_be_taken_back),
        WITH_PLACE(records_of_any_form_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
