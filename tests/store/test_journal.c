/* What a journal holds, and what it makes of damaged bytes and of other sweeps. */
#include "made_journal.h"

#include <fcntl.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reopened_journal_has_what_was_synced(void **state)
{
    const struct place *p = *state;
    int64_t last;
    journal_fill(p, &last);
    struct psw_journal *j = journal_open(p);
    assert_int_equal(journal_count(j, PSW_J_DONE), 3);
    assert_int_equal(journal_count(j, PSW_J_SPEC), 1);
    assert_int_equal(journal_count(j, PSW_J_SESSION), 2);
    assert_int_equal(psw_journal_torn_bytes(j), 0);
    assert_string_equal(psw_record_text(psw_journal_spec(j), "spec_text"), "name: demo\n");
    void *bytes = NULL;
    assert_int_equal(psw_journal_payload(j, 3, &bytes, NULL), PSW_OK);
    assert_string_equal(bytes, "some result of no fixed length");
    free(bytes);
    psw_journal_close(j);
    assert_int_equal(access(p->lock, F_OK), -1);
}

static void buffered_record_can_be_read_before_it_is_synced(void **state)
{
    struct psw_journal *j = journal_open(*state);
    const int64_t n_before = journal_size(((struct place *)*state)->journal);
    journal_put(j, PSW_J_PIECE, 0x11, "waiting");
    assert_int_equal(journal_size(((struct place *)*state)->journal), n_before);
    void *bytes = NULL;
    assert_int_equal(psw_journal_payload(j, psw_journal_n_entry(j) - 1, &bytes, NULL), PSW_OK);
    assert_string_equal(bytes, "waiting");
    free(bytes);
    psw_journal_close(j);
}

static void run_states_follow_the_records(void **state)
{
    struct psw_journal *j = journal_open(*state);
    int32_t attempts = -1;
    assert_int_equal(psw_journal_outcome(j, 0x11, &attempts), PSW_OUTCOME_QUEUED);
    assert_int_equal(attempts, 0);
    journal_put(j, PSW_J_STARTED, 0x11, "");
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_RUNNING);
    journal_put(j, PSW_J_FAILED, 0x11, "no memory");
    journal_put(j, PSW_J_STARTED, 0x11, "");
    journal_put(j, PSW_J_DONE, 0x11, "");
    journal_put(j, PSW_J_FAILED, 0x11, "too late");
    assert_int_equal(psw_journal_outcome(j, 0x11, &attempts), PSW_OUTCOME_DONE);
    assert_int_equal(attempts, 2);
    journal_put(j, PSW_J_DIVERGED, 0x22, "NaN");
    assert_int_equal(psw_journal_outcome(j, 0x22, NULL), PSW_OUTCOME_DIVERGED);
    journal_put(j, PSW_J_STARTED, 0x33, "");
    assert_int_equal(psw_journal_has_stage(j, 0x33), 0);
    journal_put(j, PSW_J_STAGE, 0x33, "");
    assert_int_equal(psw_journal_has_stage(j, 0x33), 1);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    j = journal_open(*state); /* a new session: what was running then is not any more */
    assert_int_equal(psw_journal_outcome(j, 0x33, NULL), PSW_OUTCOME_INTERRUPTED);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_DONE);
    psw_journal_close(j);
}

static void starts_that_no_end_follows_are_counted_until_an_end_comes(void **state)
{
    struct psw_journal *j = journal_open(*state);
    for (int i = 0; i < 70; i++) { /* the table grows meanwhile */
        assert_int_equal(psw_journal_lost(j, 0x11), i);
        journal_put(j, PSW_J_STARTED, 0x11, "");
        journal_put(j, PSW_J_STARTED, 0x11,
                    ""); /* the same session: lost alone, not with the job */
        journal_put(j, PSW_J_PROGRESS, 0x11, "");
        journal_put(j, PSW_J_STARTED, 0x1000 + (uint64_t)i, "");
        journal_die(*state, j);
        j = journal_open(*state);
    }
    assert_int_equal(psw_journal_lost(j, 0x22), 0);
    assert_int_equal(psw_journal_lost(j, 0x1000), 1);
    journal_put(j, PSW_J_STARTED, 0x11, "");
    journal_put(j, PSW_J_INTERRUPTED, 0x11, "saved");
    assert_int_equal(psw_journal_lost(j, 0x11), 0);
    journal_put(j, PSW_J_STARTED, 0x1000, "");
    journal_put(j, PSW_J_FAILED, 0x1000, "");
    journal_die(*state, j);
    j = journal_open(*state); /* nothing was running */
    assert_int_equal(psw_journal_lost(j, 0x11), 0);
    assert_int_equal(psw_journal_lost(j, 0x1000), 0);
    psw_journal_close(j);
}

static void a_run_is_blamed_when_its_rank_was_seen_dead_or_it_was_alone(void **state)
{
    enum { A = 0x11, B = 0x22 };
    static const struct {
        const char *what;
        struct {
            enum psw_journal_type type;
            uint64_t run;
        } said[4];
        int lost[2], blamed[2]; /* of A and B, in the next session */
    } ROWS[] = {
        {"alone", {{PSW_J_STARTED, A}}, {1, 0}, {1, 0}},
        {"two at work", {{PSW_J_STARTED, A}, {PSW_J_STARTED, B}}, {2, 1}, {1, 0}},
        {"alone, asked to stop", {{PSW_J_STARTED, A}, {PSW_J_STOP, 0}}, {2, 1}, {1, 0}},
        {"seen dead, the other is cleared",
         {{PSW_J_STARTED, A}, {PSW_J_STARTED, B}, {PSW_J_DIED, B}, {PSW_J_STOP, 0}},
         {2, 2},
         {1, 1}},
        {"seen dead, the other saved itself",
         {{PSW_J_STARTED, A}, {PSW_J_STARTED, B}, {PSW_J_DIED, B}, {PSW_J_INTERRUPTED, A}},
         {0, 3},
         {0, 2}},
        {"got further", {{PSW_J_STARTED, B}, {PSW_J_ADVANCED, B}}, {0, 1}, {0, 1}},
        {"a shared stage that is done is not at work", /* A stands for one */
         {{PSW_J_STARTED, A}, {PSW_J_STAGE, A}, {PSW_J_STARTED, B}},
         {0, 2},
         {0, 2}},
        {"advanced again", {{PSW_J_STARTED, B}, {PSW_J_ADVANCED, B}}, {0, 1}, {0, 1}},
        {"its rank hung: the rank is charged",
         {{PSW_J_STARTED, A}, {PSW_J_STARTED, B}, {PSW_J_SILENT, A}},
         {0, 1},
         {0, 1}},
        {"hung again", {{PSW_J_STARTED, A}, {PSW_J_SILENT, A}}, {1, 1}, {1, 1}},
        {"hung, but from a later place",
         {{PSW_J_STARTED, A}, {PSW_J_ADVANCED, A}, {PSW_J_SILENT, A}},
         {0, 1},
         {0, 1}},
    };
    static const uint64_t RUN[2] = {A, B};
    struct psw_journal *j = journal_open(*state);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        for (int k = 0; k < 4 && ROWS[i].said[k].type; k++)
            journal_put(j, ROWS[i].said[k].type, ROWS[i].said[k].run, "");
        journal_die(*state, j);
        j = journal_open(*state);
        for (int r = 0; r < 2; r++)
            if (psw_journal_lost(j, RUN[r]) != ROWS[i].lost[r] ||
                psw_journal_blamed(j, RUN[r]) != ROWS[i].blamed[r])
                fail_msg("%s: run %d: lost %d, blamed %d", ROWS[i].what, r,
                         psw_journal_lost(j, RUN[r]), psw_journal_blamed(j, RUN[r]));
    }
    psw_journal_close(j);
}

/* Such as one that found the disk full: it could not write that it stopped, but let go of its
 * lock. */
static void a_start_that_ended_by_itself_charges_nobody(void **state)
{
    struct psw_journal *j = journal_open(*state);
    for (int i = 0; i < 3; i++) {
        journal_put(j, PSW_J_STARTED, 0x11, "");
        assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
        psw_journal_close(j);
        j = journal_open(*state);
        assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_INTERRUPTED);
        assert_int_equal(psw_journal_lost(j, 0x11), 0);
        assert_int_equal(psw_journal_blamed(j, 0x11), 0);
    }
    journal_put(j, PSW_J_STARTED, 0x11, "");
    journal_die(*state, j);
    j = journal_open(*state);
    assert_int_equal(psw_journal_blamed(j, 0x11), 1);
    /* a rank that was seen dead is charged all the same */
    journal_put(j, PSW_J_STARTED, 0x11, "");
    journal_put(j, PSW_J_DIED, 0x11, "");
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    j = journal_open(*state);
    assert_int_equal(psw_journal_blamed(j, 0x11), 2);
    psw_journal_close(j);
}

static void discarding_removes_only_what_this_opening_made(void **state)
{
    const struct place *p = *state;
    psw_journal_discard(journal_open(p));
    assert_int_equal(access(p->journal, F_OK), -1);
    assert_int_equal(access(p->lock, F_OK), -1);
    psw_journal_close(journal_open(p));
    psw_journal_discard(journal_open(p));
    assert_int_equal(access(p->journal, F_OK), 0);
    assert_int_equal(access(p->lock, F_OK), -1);
    psw_journal_discard(NULL);
}

static void tail_torn_at_any_byte_is_cut_and_nothing_else(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    journal_fill(p, &last);
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_file_read(p->journal, &bytes, &n_bytes, NULL), PSW_OK);
    for (int64_t n = last; n < (int64_t)n_bytes; n++) {
        const struct psw_file_part part = {bytes, (size_t)n};
        assert_int_equal(psw_file_write(p->journal, &part, 1, NULL), PSW_OK);
        struct psw_journal *j = NULL;
        assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK); /* a reader: as is */
        assert_int_equal(psw_journal_torn_bytes(j), n - last);
        psw_journal_close(j);
        assert_int_equal(journal_size(p->journal), n);
        j = journal_open(p);
        assert_int_equal(psw_journal_torn_bytes(j), n - last);
        assert_int_equal(journal_count(j, PSW_J_DONE), 2);
        journal_put(j, PSW_J_DONE, 0x33, "again");
        assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
        psw_journal_close(j);
        j = journal_open(p);
        assert_int_equal(journal_count(j, PSW_J_DONE), 3);
        psw_journal_close(j);
    }
    free(bytes);
}

static void byte_flipped_in_the_middle_stops_with_its_offset(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    journal_fill(p, &last);
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_file_read(p->journal, &bytes, &n_bytes, NULL), PSW_OK);
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK);
    const int64_t from = psw_journal_entry_at(j, 3)->offset,
                  to = psw_journal_entry_at(j, 4)->offset;
    psw_journal_close(j);
    char where[64];
    snprintf(where, sizeof where, "byte %lld:", (long long)from);
    for (int64_t at = from; at < to; at++) {
        bytes[at] ^= 0x40;
        const struct psw_file_part part = {bytes, n_bytes};
        struct psw_error err = {0};
        assert_int_equal(psw_file_write(p->journal, &part, 1, NULL), PSW_OK);
        assert_int_equal(psw_journal_open(p->journal, &JOURNAL_OPTS, &j, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, where));
        assert_non_null(strstr(err.text, p->journal));
        assert_int_equal(journal_size(p->journal), n_bytes);
        bytes[at] ^= 0x40;
    }
    free(bytes);
}

static void file_that_is_no_journal_is_left_alone(void **state)
{
    const struct place *p = *state;
    const struct psw_file_part part = {"precious notes\n", 15};
    struct psw_journal *j = NULL;
    assert_int_equal(psw_file_write(p->journal, &part, 1, NULL), PSW_OK);
    assert_int_equal(psw_journal_open(p->journal, &JOURNAL_OPTS, &j, NULL), PSW_EDATA);
    assert_int_equal(journal_size(p->journal), 15);
}

static void journal_of_another_format_version_is_refused(void **state)
{
    const struct place *p = *state;
    int64_t last;
    journal_fill(p, &last);
    const int fd = open(p->journal, O_WRONLY);
    assert_int_equal(pwrite(fd, "\x63", 1, 7), 1);
    close(fd);
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_journal_open(p->journal, &JOURNAL_OPTS, &j, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "version 99"));
}

static void journal_of_another_sweep_is_refused(void **state)
{
    const struct place *p = *state;
    int64_t last;
    journal_fill(p, &last);
    struct psw_journal_opts other = JOURNAL_OPTS;
    other.sweep_name = "other";
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_journal_open(p->journal, &other, &j, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "\"demo\""));
    assert_int_equal(access(p->lock, F_OK), -1);
}

static void journal_of_an_edited_sweep_keeps_its_runs(void **state)
{
    const struct place *p = *state;
    int64_t last;
    journal_fill(p, &last);
    struct psw_journal_opts edited = JOURNAL_OPTS;
    const uint64_t runs[] = {0x33, 0x44};
    edited.spec_text = "name: demo\nreplicates: 2\n";
    edited.spec_hash = 6;
    edited.n_run = 2;
    edited.run = runs;
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_open(p->journal, &edited, &j, NULL), PSW_OK);
    assert_int_equal(psw_journal_outcome(j, 0x33, NULL), PSW_OUTCOME_DONE);
    assert_int_equal(psw_journal_outcome(j, 0x44, NULL), PSW_OUTCOME_QUEUED);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_DONE); /* preserved */
    assert_int_equal(psw_record_i64(psw_journal_spec(j), "spec_hash", 0, 0), 6);
    psw_journal_close(j);
}

int main(void)
{
    psw_log_setup(PSW_LOG_ERROR, ""); /* cut tails are announced: not here */
    const struct CMUnitTest tests[] = {
        TEST(reopened_journal_has_what_was_synced),
        TEST(buffered_record_can_be_read_before_it_is_synced),
        TEST(run_states_follow_the_records),
        TEST(starts_that_no_end_follows_are_counted_until_an_end_comes),
        TEST(a_run_is_blamed_when_its_rank_was_seen_dead_or_it_was_alone),
        TEST(a_start_that_ended_by_itself_charges_nobody),
        TEST(discarding_removes_only_what_this_opening_made),
        TEST(tail_torn_at_any_byte_is_cut_and_nothing_else),
        TEST(byte_flipped_in_the_middle_stops_with_its_offset),
        TEST(file_that_is_no_journal_is_left_alone),
        TEST(journal_of_another_format_version_is_refused),
        TEST(journal_of_another_sweep_is_refused),
        TEST(journal_of_an_edited_sweep_keeps_its_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
