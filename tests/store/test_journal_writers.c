/* Who may write a journal, readers beside a writer, and writers that are killed or out of room.
 */
#include "made_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int has_no_locks;

/** In place of the system's: a file system without locks. */
int flock(int fd, int how)
{
    if (!has_no_locks) return (int)syscall(SYS_flock, fd, how);
    errno = ENOLCK;
    return -1;
}

static void second_opener_is_refused_and_told_who_is_first(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = journal_open(p), *second = NULL;
    struct psw_error err = {0};
    char me[64], holder[256];
    snprintf(me, sizeof me, "pid %ld on ", (long)getpid());
    assert_int_equal(psw_journal_open(p->journal, &JOURNAL_OPTS, &second, &err), PSW_EBUSY);
    assert_non_null(strstr(err.text, me));
    psw_journal_holder(p->journal, holder, sizeof holder);
    assert_non_null(strstr(holder, me));
    assert_int_equal(psw_journal_read(p->journal, &second, NULL), PSW_OK);
    psw_journal_close(second);
    psw_journal_close(j);
    psw_journal_holder(p->journal, holder, sizeof holder);
    assert_string_equal(holder, "");
    psw_journal_close(journal_open(p));
}

static void holder_without_locks_is_vouched_for_by_its_heartbeat_alone(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = journal_open(p);
    char me[64], holder[256];
    snprintf(me, sizeof me, "pid %ld on ", (long)getpid());
    assert_int_equal(psw_journal_holder(p->journal, holder, sizeof holder), 1);
    has_no_locks = 1;
    const int got = psw_journal_holder(p->journal, holder, sizeof holder);
    has_no_locks = 0;
    assert_int_equal(got, 1); /* it beats */
    assert_non_null(strstr(holder, me));
    psw_journal_close(j);
    assert_int_equal(psw_journal_holder(p->journal, holder, sizeof holder), 0);
    const struct psw_file_part silent = {"pid 1 on elsewhere since x (without flock)\n", 43};
    assert_int_equal(psw_file_write(p->lock, &silent, 1, NULL), PSW_OK);
    assert_int_equal(psw_journal_holder(p->journal, holder, sizeof holder), -1);
    assert_non_null(strstr(holder, "pid 1 on elsewhere"));
}

static void second_writer_stops_the_first(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = journal_open(p);
    struct psw_error err = {0};
    journal_put(j, PSW_J_PIECE, 0x11, "mine");
    const int64_t n_before = journal_size(p->journal);
    FILE *f = fopen(p->journal, "a");
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_int_equal(psw_journal_sync(j, &err), PSW_EBUSY);
    assert_non_null(strstr(err.text, p->journal));
    assert_non_null(strstr(err.text, "another process"));
    assert_int_equal(journal_size(p->journal), n_before + 1);
    psw_journal_close(j);
}

static void reader_beside_a_writer_takes_what_is_sound(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    journal_fill(p, &last);
    struct psw_journal *j = journal_open(p), *reader = NULL;
    struct psw_error err = {0};
    const int fd = open(p->journal, O_WRONLY); /* a page that has not come over the network */
    assert_int_equal(pwrite(fd, "\0\0\0\0", 4, last), 4);
    close(fd);
    assert_int_equal(psw_journal_read(p->journal, &reader, NULL), PSW_OK);
    assert_int_equal(journal_count(reader, PSW_J_DONE), 2);
    assert_true(psw_journal_torn_bytes(reader) > 0);
    psw_journal_close(reader);
    psw_journal_close(j);
    assert_int_equal(psw_journal_read(p->journal, &reader, &err), PSW_EDATA); /* it stays so */
    assert_non_null(strstr(err.text, "truncate"));
}

static void second_opener_waits_for_the_first_to_close(void **state)
{
    const struct place *p = *state;
    const pid_t child = fork();
    if (child == 0) {
        struct psw_journal *j = NULL;
        if (psw_journal_open(p->journal, &JOURNAL_OPTS, &j, NULL) != PSW_OK) _exit(1);
        psw_clock_sleep_s(0.2);
        psw_journal_close(j);
        _exit(0);
    }
    while (access(p->lock, F_OK) != 0) psw_clock_sleep_s(0.002);
    struct psw_journal_opts patient = JOURNAL_OPTS;
    patient.lock_wait_s = 5;
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_open(p->journal, &patient, &j, NULL), PSW_OK);
    psw_journal_close(j);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/** Append counted records for ever, telling the pipe after each sync what is safe. */
static void write_until_killed(const char *path, int fd)
{
    struct psw_journal *j = NULL;
    if (psw_journal_open(path, &JOURNAL_OPTS, &j, NULL) != PSW_OK) _exit(1);
    char payload[700];
    memset(payload, 'x', sizeof payload);
    for (int64_t i = journal_count(j, PSW_J_PIECE);; i++) {
        memcpy(payload, &i, sizeof i);
        struct psw_journal_entry what = {.type = PSW_J_PIECE, .run = (uint64_t)i};
        what.n_bytes = 16 + (size_t)(i * 37 % 600);
        if (psw_journal_append(j, what, payload, NULL) != PSW_OK) _exit(2);
        if (i % 3 != 0) continue; /* group commit */
        if (psw_journal_sync(j, NULL) != PSW_OK || write(fd, &i, sizeof i) != sizeof i)
            _exit(3);
    }
}

static void thirty_kills_lose_no_synced_record(void **state)
{
    const struct place *p = *state;
    int64_t safe = -1;
    for (int round = 0; round < 30; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) write_until_killed(p->journal, ends[1]);
        close(ends[1]);
        int64_t got;
        assert_int_equal(read(ends[0], &got, sizeof got), sizeof got); /* it is under way */
        psw_clock_sleep_s(0.0003 * round);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        safe = got;
        while (read(ends[0], &got, sizeof got) == sizeof got) safe = got;
        close(ends[0]);
        struct psw_journal *j = NULL;
        assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK);
        const int64_t n_piece = journal_count(j, PSW_J_PIECE);
        assert_true(n_piece > safe);
        uint64_t next = 0; /* each once, in order */
        for (int64_t i = 0; i < psw_journal_n_entry(j); i++)
            if (psw_journal_entry_at(j, i)->type == PSW_J_PIECE)
                assert_true(psw_journal_entry_at(j, i)->run == next++);
        psw_journal_close(j);
    }
    assert_true(safe > 30);
}

/** In a child with a file size limit: fill, see ENOSPC, lift the limit, go on. */
static int meet_a_full_disk(const char *path)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    struct rlimit limit, full;
    signal(SIGXFSZ, SIG_IGN);
    if (psw_journal_open(path, &JOURNAL_OPTS, &j, NULL) != PSW_OK) return 1;
    const int64_t n_before = journal_size(path);
    getrlimit(RLIMIT_FSIZE, &limit);
    full = limit;
    full.rlim_cur = (rlim_t)n_before + 1000;
    setrlimit(RLIMIT_FSIZE, &full);
    char payload[4000];
    memset(payload, 'y', sizeof payload);
    const struct psw_journal_entry what = {
        .type = PSW_J_PIECE, .run = 0x11, .n_bytes = sizeof payload};
    if (psw_journal_append(j, what, payload, NULL) != PSW_OK) return 2;
    if (psw_journal_sync(j, &err) != PSW_ENOSPC) return 3;
    if (!strstr(err.text, "free some space") || !strstr(err.text, "intact")) return 4;
    if (journal_size(path) != n_before) return 5; /* the partial append is gone */
    setrlimit(RLIMIT_FSIZE, &limit);
    if (psw_journal_sync(j, &err) != PSW_OK) return 6;
    psw_journal_close(j);
    return 0;
}

static void full_disk_leaves_the_journal_intact(void **state)
{
    const struct place *p = *state;
    const pid_t child = fork();
    if (child == 0) _exit(meet_a_full_disk(p->journal));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct psw_journal *j = journal_open(p);
    assert_int_equal(journal_count(j, PSW_J_PIECE), 1);
    assert_int_equal(psw_journal_torn_bytes(j), 0);
    psw_journal_close(j);
}

static void reader_keeps_pace_with_a_writer(void **state)
{
    const struct place *p = *state;
    int ends[2];
    int64_t got;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) write_until_killed(p->journal, ends[1]);
    close(ends[1]);
    int64_t n_last = 0;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(read(ends[0], &got, sizeof got), sizeof got);
        struct psw_journal *j = NULL;
        assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK);
        assert_true(psw_journal_n_entry(j) >= n_last && journal_count(j, PSW_J_PIECE) > got);
        n_last = psw_journal_n_entry(j);
        psw_journal_close(j);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
}

int main(void)
{
    psw_log_setup(PSW_LOG_ERROR, ""); /* cut tails are announced: not here */
    const struct CMUnitTest tests[] = {
        TEST(second_opener_is_refused_and_told_who_is_first),
        TEST(holder_without_locks_is_vouched_for_by_its_heartbeat_alone),
        TEST(second_writer_stops_the_first),
        TEST(reader_beside_a_writer_takes_what_is_sound),
        TEST(second_opener_waits_for_the_first_to_close),
        TEST(thirty_kills_lose_no_synced_record),
        TEST(full_disk_leaves_the_journal_intact),
        TEST(reader_keeps_pace_with_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
