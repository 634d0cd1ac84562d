/* Journals in a folder of their own, for the tests of what is in them and of who writes them.
 */
#ifndef TESTS_STORE_MADE_JOURNAL_H
#define TESTS_STORE_MADE_JOURNAL_H

#include <support/support.h>

#include <posweep/store/journal.h>

/** Three runs of a sweep, and how it is opened. */
extern const uint64_t JOURNAL_RUNS[];
extern const struct psw_journal_opts JOURNAL_OPTS;

struct place {
    char folder[256], journal[320], lock[336];
};

int journal_set_up(void **state);
int journal_tear_down(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, journal_set_up, journal_tear_down)

struct psw_journal *journal_open(const struct place *p);
/** Sync and close, but leave the lock as a process that is killed leaves it. */
void journal_die(const struct place *p, struct psw_journal *j);
void journal_put(struct psw_journal *j, enum psw_journal_type type, uint64_t run,
                 const char *text);
int64_t journal_count(const struct psw_journal *j, enum psw_journal_type type);
/** Bytes of a file; -1: there is none. */
int64_t journal_size(const char *path);
/** A journal with one piece and done record per run; *last: offset of the last record. */
void journal_fill(const struct place *p, int64_t *last);

#endif
