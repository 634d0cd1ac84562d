/* Many starts at once, with and without flock, and what others plant at our names. */
#include <support/support.h>

#include <errno.h>
#include <posweep/store/journal.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N_START = 40, N_ROUND = 2 };

static const uint64_t RUNS[] = {0x11};
static const struct psw_journal_opts OPTS = {.sweep_name = "demo",
                                             .spec_text = "name: demo\n",
                                             .provenance = "",
                                             .n_run = 1,
                                             .run = RUNS,
                                             .lock_wait_s = -1};

static int has_no_locks;

/** In place of the system's: a file system mounted without flock. */
int flock(int fd, int how)
{
    if (!has_no_locks) return (int)syscall(SYS_flock, fd, how);
    errno = ENOSYS;
    return -1;
}

struct place {
    char folder[256], journal[320], lock[340], victim[320];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->journal, sizeof p->journal, "%s/x.h5.journal", p->folder);
    snprintf(p->lock, sizeof p->lock, "%s.lock", p->journal);
    snprintf(p->victim, sizeof p->victim, "%s/victim", p->folder);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    has_no_locks = 0;
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static void write_file(const char *path, const char *text)
{
    const struct psw_file_part part = {text, strlen(text)};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static int holds_text(const char *path, const char *text)
{
    char *data = NULL;
    size_t n = 0;
    const int ok = psw_file_read(path, &data, &n, NULL) == PSW_OK && strcmp(data, text) == 0;
    free(data);
    return ok;
}

/** One of many starts: begin with all others, keep the journal until the last has tried. */
static void start(const char *path, int begin, int tried, int end)
{
    char byte;
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    if (read(begin, &byte, 1) != 0) _exit(3);
    const psw_status rc = psw_journal_open(path, &OPTS, &j, &err);
    if (write(tried, "x", 1) != 1) _exit(3);
    if (rc != PSW_OK) _exit(rc == PSW_EBUSY ? 0 : 4);
    if (read(end, &byte, 1) != 0) _exit(3);
    const struct psw_journal_entry what = {.type = PSW_J_DONE, .run = 0x11, .attempt = 1};
    if (psw_journal_append(j, what, NULL, NULL) != PSW_OK ||
        psw_journal_sync(j, NULL) != PSW_OK)
        _exit(5);
    psw_journal_close(j);
    _exit(1);
}

/** How many of N_START simultaneous starts won; the journal must be the winner's. */
static int n_winner(const char *path)
{
    int begin[2], tried[2], end[2], n = 0;
    pid_t child[N_START];
    char byte;
    assert_true(pipe(begin) == 0 && pipe(tried) == 0 && pipe(end) == 0);
    for (int i = 0; i < N_START; i++) {
        child[i] = fork();
        if (child[i] != 0) continue;
        close(begin[1]);
        close(end[1]);
        start(path, begin[0], tried[1], end[0]);
    }
    close(begin[1]);
    for (int i = 0; i < N_START; i++) assert_int_equal(read(tried[0], &byte, 1), 1);
    close(end[1]);
    for (int i = 0; i < N_START; i++) {
        int status = -1;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        n += WEXITSTATUS(status);
    }
    close(begin[0]), close(tried[0]), close(tried[1]), close(end[0]);
    return n;
}

static void assert_one_wins(const char *path)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    assert_int_equal(n_winner(path), 1);
    if (psw_journal_read(path, &j, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_DONE);
    psw_journal_close(j);
}

static void of_many_starts_one_wins_and_keeps_its_journal(void **state)
{
    const struct place *p = *state;
    for (int round = 0; round < 2 * N_ROUND; round++) {
        has_no_locks = round % 2;
        assert_one_wins(p->journal);
        assert_int_equal(access(p->lock, F_OK), -1);
        assert_int_equal(unlink(p->journal), 0);
    }
}

/** Take the journal in a child that dies with it. */
static void leave_a_lock(const char *path)
{
    int status = -1;
    const pid_t child = fork();
    if (child == 0) {
        struct psw_journal *j = NULL;
        _exit(psw_journal_open(path, &OPTS, &j, NULL) != PSW_OK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void of_many_starts_after_a_crash_one_wins(void **state)
{
    const struct place *p = *state;
    for (int round = 0; round < 2 * N_ROUND; round++) {
        has_no_locks = round % 2;
        leave_a_lock(p->journal);
        assert_int_equal(access(p->lock, F_OK), 0);
        assert_one_wins(p->journal);
    }
}

static void assert_busy(const struct place *p, const char *words)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, &err), PSW_EBUSY);
    if (!strstr(err.text, words)) fail_msg("\"%s\" not in: %s", words, err.text);
}

static void without_flock_a_lock_of_another_host_stands_until_it_is_removed(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    write_file(p->lock, "pid 1 on elsewhere since 2026-01-01 (without flock)\n");
    for (has_no_locks = 0; has_no_locks < 2; has_no_locks++) { /* nodes may be mounted unlike */
        assert_busy(p, "pid 1 on elsewhere");
        assert_busy(p, "remove this file");
    }
    assert_int_equal(access(p->journal, F_OK), -1); /* a refused start makes nothing */
    assert_int_equal(unlink(p->lock), 0);
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    psw_journal_close(j);
}

static void without_flock_a_requeued_job_takes_over_from_its_first_start(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    has_no_locks = 1;
    write_file(p->lock, "pid 1 on elsewhere since x y slurm job 7 start 0 (without flock)\n");
    setenv("SLURM_JOB_ID", "8", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    assert_busy(p, "slurm job 7");
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_RESTART_COUNT", "0", 1); /* another node of the same start */
    assert_busy(p, "slurm job 7");
    setenv("SLURM_RESTART_COUNT", "1", 1);
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    psw_journal_close(j);
}

/* On a node that was cut off from Slurm the first start lives on, with its flock. */
static void a_requeued_job_takes_over_from_a_first_start_that_lives_on(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    int status = -1, ready[2], go[2];
    char byte = 0;
    assert_int_equal(pipe(ready) | pipe(go), 0);
    setenv("SLURM_JOB_ID", "7", 1);
    setenv("SLURM_RESTART_COUNT", "0", 1);
    const pid_t child = fork();
    if (child == 0) {
        int ok = psw_journal_open(p->journal, &OPTS, &j, NULL) == PSW_OK;
        ok &= write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1;
        const struct psw_journal_entry late = {.type = PSW_J_STARTED, .run = 0x11};
        ok &= psw_journal_append(j, late, "", NULL) == PSW_OK;
        ok &= psw_journal_sync(j, NULL) == PSW_EBUSY; /* it has noticed */
        psw_journal_close(j);
        _exit(!ok);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_busy(p, "slurm job 7 start 0");
    setenv("SLURM_JOB_ID", "8", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    assert_busy(p, "slurm job 7 start 0");
    setenv("SLURM_JOB_ID", "7", 1);
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    const struct psw_journal_entry own = {.type = PSW_J_STARTED, .run = 0x22};
    assert_int_equal(psw_journal_append(j, own, "", NULL), PSW_OK);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_QUEUED);
    psw_journal_close(j);
    for (int i = 0; i < 2; i++) close(ready[i]), close(go[i]);
}

/** A lock of another host that beat last age_s ago. */
static void leave_beating(const struct place *p, const char *text, double age_s)
{
    struct timespec at[2];
    write_file(p->lock, text);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &at[0]), 0);
    at[0].tv_sec -= (time_t)age_s;
    at[1] = at[0];
    assert_int_equal(utimensat(AT_FDCWD, p->lock, at, 0), 0);
}

static void without_flock_a_holder_that_fell_silent_has_lost_its_lock(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    static const char TEXT[] = "pid 1 on elsewhere since x y (without flock)\nbeats\n";
    for (has_no_locks = 0; has_no_locks < 2; has_no_locks++) {
        leave_beating(p, TEXT, 30);
        assert_busy(p, "pid 1 on elsewhere");
        leave_beating(p, TEXT, 90);
        assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
        psw_journal_close(j);
    }
}

/** Mounted with localflock, every node can lock what another one has locked. */
static void with_flock_a_lock_of_another_host_stands_while_it_beats(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    leave_beating(p, "pid 1 on elsewhere since x y\nbeats\n", 1);
    assert_busy(p, "pid 1 on elsewhere");
    leave_beating(p, "pid 1 on elsewhere since x y\nbeats\n", 20);
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    psw_journal_close(j);
}

static void a_lock_that_is_held_beats_and_a_holder_that_lost_it_writes_no_more(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    struct stat before, after;
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    assert_int_equal(stat(p->lock, &before), 0);
    psw_clock_sleep_s(1.3);
    assert_int_equal(stat(p->lock, &after), 0);
    assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec ||
                after.st_mtim.tv_nsec > before.st_mtim.tv_nsec);
    const struct psw_journal_entry e = {.type = PSW_J_REMARK};
    assert_int_equal(psw_journal_append(j, e, NULL, NULL), PSW_OK);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    write_file(p->lock, "pid 1 on elsewhere since x y\nbeats\n");
    assert_int_equal(psw_journal_append(j, e, NULL, NULL), PSW_OK);
    assert_int_equal(psw_journal_sync(j, &err), PSW_EBUSY);
    assert_non_null(strstr(err.text, "another process has taken over"));
    psw_journal_close(j);
}

static void lock_that_was_replaced_is_not_removed_at_the_end(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_OK);
    write_file(p->lock, "somebody else's\n"); /* renamed over ours */
    psw_journal_close(j);
    assert_true(holds_text(p->lock, "somebody else's\n"));
}

static void links_planted_at_our_names_lead_to_no_harm(void **state)
{
    const struct place *p = *state;
    static const char *const ENDS[] = {"", ".lock"};
    write_file(p->victim, "precious");
    for (int round = 0; round < 8; round++) {
        char name[360];
        struct psw_journal *j = NULL;
        struct psw_error err = {0};
        const int is_hard = round / 2 % 2;
        has_no_locks = round / 4;
        snprintf(name, sizeof name, "%s%s", p->journal, ENDS[round % 2]);
        assert_int_equal(is_hard ? link(p->victim, name) : symlink(p->victim, name), 0);
        const psw_status rc = psw_journal_open(p->journal, &OPTS, &j, &err);
        psw_journal_close(j);
        assert_true(holds_text(p->victim, "precious"));
        if (!is_hard) assert_int_equal(rc, PSW_EPERM);
        if (!is_hard) assert_non_null(strstr(err.text, name));
        unlink(p->lock);
        unlink(p->journal);
    }
    assert_int_equal(mkfifo(p->lock, 0600), 0);
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_open(p->journal, &OPTS, &j, NULL), PSW_EIO);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    psw_log_setup(PSW_LOG_ERROR, "");
    const struct CMUnitTest tests[] = {
        TEST(of_many_starts_one_wins_and_keeps_its_journal),
        TEST(of_many_starts_after_a_crash_one_wins),
        TEST(without_flock_a_lock_of_another_host_stands_until_it_is_removed),
        TEST(without_flock_a_requeued_job_takes_over_from_its_first_start),
        TEST(a_requeued_job_takes_over_from_a_first_start_that_lives_on),
        TEST(without_flock_a_holder_that_fell_silent_has_lost_its_lock),
        TEST(with_flock_a_lock_of_another_host_stands_while_it_beats),
        TEST(a_lock_that_is_held_beats_and_a_holder_that_lost_it_writes_no_more),
        TEST(lock_that_was_replaced_is_not_removed_at_the_end),
        TEST(links_planted_at_our_names_lead_to_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
