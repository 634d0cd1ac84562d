#include <support/support.h>

#include <errno.h>
#include <fcntl.h>
#include <posweep/store/journal.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t RUNS[] = {0x11, 0x22, 0x33};
static const char *const LABELS[] = {"dpo vanilla 1", "dpo flat 1", "dpo cdpo 1"};
static const struct psw_journal_opts OPTS = {.sweep_name = "demo",
                                             .spec_hash = 5,
                                             .spec_text = "name: demo\n",
                                             .provenance = "commit=abc\n",
                                             .n_run = 3,
                                             .run = RUNS,
                                             .label = LABELS,
                                             .lock_wait_s = -1};

static int has_no_locks;

/** In place of the system's: a file system without locks. */
int flock(int fd, int how)
{
    if (!has_no_locks) return (int)syscall(SYS_flock, fd, how);
    errno = ENOLCK;
    return -1;
}

struct place {
    char folder[256], journal[320], lock[336];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->journal, sizeof p->journal, "%s/x.h5.journal", p->folder);
    snprintf(p->lock, sizeof p->lock, "%s.lock", p->journal);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static struct psw_journal *open_it(const struct place *p)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    if (psw_journal_open(p->journal, &OPTS, &j, &err) != PSW_OK) fail_msg("%s", err.text);
    return j;
}

static void put(struct psw_journal *j, enum psw_journal_type type, uint64_t run,
                const char *text)
{
    const struct psw_journal_entry what = {
        .type = type, .run = run, .attempt = 1, .n_bytes = strlen(text)};
    assert_int_equal(psw_journal_append(j, what, text, NULL), PSW_OK);
}

static int64_t count(const struct psw_journal *j, enum psw_journal_type type)
{
    int64_t n = 0;
    for (int64_t i = 0; i < psw_journal_n_entry(j); i++)
        n += psw_journal_entry(j, i)->type == type;
    return n;
}

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

/** A journal with one piece and done record per run; *last: offset of the last record. */
static void fill(const struct place *p, int64_t *last)
{
    struct psw_journal *j = open_it(p);
    for (int i = 0; i < 3; i++) {
        put(j, PSW_J_STARTED, RUNS[i], "node1");
        put(j, PSW_J_PIECE, RUNS[i], "some result of no fixed length");
        put(j, PSW_J_DONE, RUNS[i], "end");
    }
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    *last = psw_journal_entry(j, psw_journal_n_entry(j) - 1)->offset;
    psw_journal_close(j);
}

static void reopened_journal_has_what_was_synced(void **state)
{
    const struct place *p = *state;
    int64_t last;
    fill(p, &last);
    struct psw_journal *j = open_it(p);
    assert_int_equal(count(j, PSW_J_DONE), 3);
    assert_int_equal(count(j, PSW_J_SPEC), 1);
    assert_int_equal(count(j, PSW_J_SESSION), 2);
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
    struct psw_journal *j = open_it(*state);
    const int64_t n_before = size_of(((struct place *)*state)->journal);
    put(j, PSW_J_PIECE, 0x11, "waiting");
    assert_int_equal(size_of(((struct place *)*state)->journal), n_before);
    void *bytes = NULL;
    assert_int_equal(psw_journal_payload(j, psw_journal_n_entry(j) - 1, &bytes, NULL), PSW_OK);
    assert_string_equal(bytes, "waiting");
    free(bytes);
    psw_journal_close(j);
}

static void run_states_follow_the_records(void **state)
{
    struct psw_journal *j = open_it(*state);
    int32_t attempts = -1;
    assert_int_equal(psw_journal_outcome(j, 0x11, &attempts), PSW_OUTCOME_QUEUED);
    assert_int_equal(attempts, 0);
    put(j, PSW_J_STARTED, 0x11, "");
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_RUNNING);
    put(j, PSW_J_FAILED, 0x11, "no memory");
    put(j, PSW_J_STARTED, 0x11, "");
    put(j, PSW_J_DONE, 0x11, "");
    put(j, PSW_J_FAILED, 0x11, "too late");
    assert_int_equal(psw_journal_outcome(j, 0x11, &attempts), PSW_OUTCOME_DONE);
    assert_int_equal(attempts, 2);
    put(j, PSW_J_DIVERGED, 0x22, "NaN");
    assert_int_equal(psw_journal_outcome(j, 0x22, NULL), PSW_OUTCOME_DIVERGED);
    put(j, PSW_J_STARTED, 0x33, "");
    assert_int_equal(psw_journal_has_stage(j, 0x33), 0);
    put(j, PSW_J_STAGE, 0x33, "");
    assert_int_equal(psw_journal_has_stage(j, 0x33), 1);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    j = open_it(*state); /* a new session: what was running then is not any more */
    assert_int_equal(psw_journal_outcome(j, 0x33, NULL), PSW_OUTCOME_INTERRUPTED);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_DONE);
    psw_journal_close(j);
}

static void starts_that_no_end_follows_are_counted_until_an_end_comes(void **state)
{
    struct psw_journal *j = open_it(*state);
    for (int i = 0; i < 70; i++) { /* the table grows meanwhile */
        assert_int_equal(psw_journal_lost(j, 0x11), i);
        put(j, PSW_J_STARTED, 0x11, "");
        put(j, PSW_J_STARTED, 0x11, ""); /* the same session: lost alone, not with the job */
        put(j, PSW_J_PROGRESS, 0x11, "");
        put(j, PSW_J_STARTED, 0x1000 + (uint64_t)i, "");
        assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
        psw_journal_close(j);
        j = open_it(*state);
    }
    assert_int_equal(psw_journal_lost(j, 0x22), 0);
    assert_int_equal(psw_journal_lost(j, 0x1000), 1);
    put(j, PSW_J_STARTED, 0x11, "");
    put(j, PSW_J_INTERRUPTED, 0x11, "saved");
    assert_int_equal(psw_journal_lost(j, 0x11), 0);
    put(j, PSW_J_STARTED, 0x1000, "");
    put(j, PSW_J_FAILED, 0x1000, "");
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    j = open_it(*state); /* nothing was running */
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
        {"alone, asked to stop", {{PSW_J_STARTED, A}, {PSW_J_STOP, 0}}, {3, 1}, {1, 0}},
        {"seen dead, the other is cleared",
         {{PSW_J_STARTED, A}, {PSW_J_STARTED, B}, {PSW_J_DIED, B}, {PSW_J_STOP, 0}},
         {3, 2},
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
    };
    static const uint64_t RUN[2] = {A, B};
    struct psw_journal *j = open_it(*state);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        for (int k = 0; k < 4 && ROWS[i].said[k].type; k++)
            put(j, ROWS[i].said[k].type, ROWS[i].said[k].run, "");
        assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
        psw_journal_close(j);
        j = open_it(*state);
        for (int r = 0; r < 2; r++)
            if (psw_journal_lost(j, RUN[r]) != ROWS[i].lost[r] ||
                psw_journal_blamed(j, RUN[r]) != ROWS[i].blamed[r])
                fail_msg("%s: run %d: lost %d, blamed %d", ROWS[i].what, r,
                         psw_journal_lost(j, RUN[r]), psw_journal_blamed(j, RUN[r]));
    }
    psw_journal_close(j);
}

static void discarding_removes_only_what_this_opening_made(void **state)
{
    const struct place *p = *state;
    psw_journal_discard(open_it(p));
    assert_int_equal(access(p->journal, F_OK), -1);
    assert_int_equal(access(p->lock, F_OK), -1);
    psw_journal_close(open_it(p));
    psw_journal_discard(open_it(p));
    assert_int_equal(access(p->journal, F_OK), 0);
    assert_int_equal(access(p->lock, F_OK), -1);
    psw_journal_discard(NULL);
}

static void tail_torn_at_any_byte_is_cut_and_nothing_else(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    fill(p, &last);
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
        assert_int_equal(size_of(p->journal), n);
        j = open_it(p);
        assert_int_equal(psw_journal_torn_bytes(j), n - last);
        assert_int_equal(count(j, PSW_J_DONE), 2);
        put(j, PSW_J_DONE, 0x33, "again");
        assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
        psw_journal_close(j);
        j = open_it(p);
        assert_int_equal(count(j, PSW_J_DONE), 3);
        psw_journal_close(j);
    }
    free(bytes);
}

static void byte_flipped_in_the_middle_stops_with_its_offset(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    fill(p, &last);
    char *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(psw_file_read(p->journal, &bytes, &n_bytes, NULL), PSW_OK);
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_read(p->journal, &j, NULL), PSW_OK);
    const int64_t from = psw_journal_entry(j, 3)->offset, to = psw_journal_entry(j, 4)->offset;
    psw_journal_close(j);
    char where[64];
    snprintf(where, sizeof where, "byte %lld:", (long long)from);
    for (int64_t at = from; at < to; at++) {
        bytes[at] ^= 0x40;
        const struct psw_file_part part = {bytes, n_bytes};
        struct psw_error err = {0};
        assert_int_equal(psw_file_write(p->journal, &part, 1, NULL), PSW_OK);
        assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, where));
        assert_non_null(strstr(err.text, p->journal));
        assert_int_equal(size_of(p->journal), n_bytes);
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
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_EDATA);
    assert_int_equal(size_of(p->journal), 15);
}

static void journal_of_another_format_version_is_refused(void **state)
{
    const struct place *p = *state;
    int64_t last;
    fill(p, &last);
    const int fd = open(p->journal, O_WRONLY);
    assert_int_equal(pwrite(fd, "\x63", 1, 7), 1);
    close(fd);
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "version 99"));
}

static void journal_of_another_sweep_is_refused(void **state)
{
    const struct place *p = *state;
    int64_t last;
    fill(p, &last);
    struct psw_journal_opts other = OPTS;
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
    fill(p, &last);
    struct psw_journal_opts edited = OPTS;
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

static void second_opener_is_refused_and_told_who_is_first(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = open_it(p), *second = NULL;
    struct psw_error err = {0};
    char me[64], holder[256];
    snprintf(me, sizeof me, "pid %ld on ", (long)getpid());
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &second, &err), PSW_EBUSY);
    assert_non_null(strstr(err.text, me));
    psw_journal_holder(p->journal, holder, sizeof holder);
    assert_non_null(strstr(holder, me));
    assert_int_equal(psw_journal_read(p->journal, &second, NULL), PSW_OK);
    psw_journal_close(second);
    psw_journal_close(j);
    psw_journal_holder(p->journal, holder, sizeof holder);
    assert_string_equal(holder, "");
    psw_journal_close(open_it(p));
}

static void holder_without_locks_is_named_but_not_vouched_for(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = open_it(p);
    char me[64], holder[256];
    snprintf(me, sizeof me, "pid %ld on ", (long)getpid());
    assert_int_equal(psw_journal_holder(p->journal, holder, sizeof holder), 1);
    has_no_locks = 1;
    const int got = psw_journal_holder(p->journal, holder, sizeof holder);
    has_no_locks = 0;
    assert_int_equal(got, -1);
    assert_non_null(strstr(holder, me));
    psw_journal_close(j);
    assert_int_equal(psw_journal_holder(p->journal, holder, sizeof holder), 0);
}

static void second_writer_stops_the_first(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = open_it(p);
    struct psw_error err = {0};
    put(j, PSW_J_PIECE, 0x11, "mine");
    const int64_t n_before = size_of(p->journal);
    FILE *f = fopen(p->journal, "a");
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_int_equal(psw_journal_sync(j, &err), PSW_EBUSY);
    assert_non_null(strstr(err.text, p->journal));
    assert_non_null(strstr(err.text, "another process"));
    assert_int_equal(size_of(p->journal), n_before + 1);
    psw_journal_close(j);
}

static void reader_beside_a_writer_takes_what_is_sound(void **state)
{
    const struct place *p = *state;
    int64_t last = 0;
    fill(p, &last);
    struct psw_journal *j = open_it(p), *reader = NULL;
    struct psw_error err = {0};
    const int fd = open(p->journal, O_WRONLY); /* a page that has not come over the network */
    assert_int_equal(pwrite(fd, "\0\0\0\0", 4, last), 4);
    close(fd);
    assert_int_equal(psw_journal_read(p->journal, &reader, NULL), PSW_OK);
    assert_int_equal(count(reader, PSW_J_DONE), 2);
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
        if (psw_journal_open(p->journal, &OPTS, &j, NULL) != PSW_OK) _exit(1);
        psw_clock_sleep_s(0.2);
        psw_journal_close(j);
        _exit(0);
    }
    while (access(p->lock, F_OK) != 0) psw_clock_sleep_s(0.002);
    struct psw_journal_opts patient = OPTS;
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
    if (psw_journal_open(path, &OPTS, &j, NULL) != PSW_OK) _exit(1);
    char payload[700];
    memset(payload, 'x', sizeof payload);
    for (int64_t i = count(j, PSW_J_PIECE);; i++) {
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
        const int64_t n_piece = count(j, PSW_J_PIECE);
        assert_true(n_piece > safe);
        uint64_t next = 0; /* each once, in order */
        for (int64_t i = 0; i < psw_journal_n_entry(j); i++)
            if (psw_journal_entry(j, i)->type == PSW_J_PIECE)
                assert_true(psw_journal_entry(j, i)->run == next++);
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
    if (psw_journal_open(path, &OPTS, &j, NULL) != PSW_OK) return 1;
    const int64_t n_before = size_of(path);
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
    if (size_of(path) != n_before) return 5; /* the partial append is gone */
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
    struct psw_journal *j = open_it(p);
    assert_int_equal(count(j, PSW_J_PIECE), 1);
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
        assert_true(psw_journal_n_entry(j) >= n_last && count(j, PSW_J_PIECE) > got);
        n_last = psw_journal_n_entry(j);
        psw_journal_close(j);
    }
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ends[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    psw_log_setup(PSW_LOG_ERROR, ""); /* cut tails are announced: not here */
    const struct CMUnitTest tests[] = {
        TEST(reopened_journal_has_what_was_synced),
        TEST(buffered_record_can_be_read_before_it_is_synced),
        TEST(run_states_follow_the_records),
        TEST(starts_that_no_end_follows_are_counted_until_an_end_comes),
        TEST(a_run_is_blamed_when_its_rank_was_seen_dead_or_it_was_alone),
        TEST(discarding_removes_only_what_this_opening_made),
        TEST(tail_torn_at_any_byte_is_cut_and_nothing_else),
        TEST(byte_flipped_in_the_middle_stops_with_its_offset),
        TEST(file_that_is_no_journal_is_left_alone),
        TEST(journal_of_another_format_version_is_refused),
        TEST(journal_of_another_sweep_is_refused),
        TEST(journal_of_an_edited_sweep_keeps_its_runs),
        TEST(second_opener_is_refused_and_told_who_is_first),
        TEST(holder_without_locks_is_named_but_not_vouched_for),
        TEST(second_writer_stops_the_first),
        TEST(reader_beside_a_writer_takes_what_is_sound),
        TEST(second_opener_waits_for_the_first_to_close),
        TEST(thirty_kills_lose_no_synced_record),
        TEST(full_disk_leaves_the_journal_intact),
        TEST(reader_keeps_pace_with_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
