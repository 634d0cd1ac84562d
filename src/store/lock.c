/* One writer per file: who makes the lock file holds the lock, and says in it who that is.
 *
 * The file is made with O_EXCL, so of any number of starts one makes it, on every file system.
 * What remains is to tell a lock that its holder left behind from one in use. Where flock works
 * the holder keeps its file locked, and the system lets go when the process dies, however it
 * dies: whoever can lock the file may remove it. Where flock does not work (Lustre mounted
 * without it) the holder's own words are left: a process of this host that is gone, or an
 * earlier start of the same Slurm job, holds nothing. Of any other the heartbeat tells
 * (lock_beat.c): one that has been silent for a minute has lost its lock, and notices that
 * before it writes again. Where flock works within a node only (localflock), a lock of another
 * node can be locked though it is held: while it beats it is left alone. An earlier start of
 * the same Slurm job holds nothing in any case: on a node that was cut off it may live on.
 * Existing files are never written to. */
#include "store_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MIN_TRIES = 3, HOLDER_BYTES = 256, LOCK_PATH_BYTES = PSW_PATH_BYTES + 16 };

struct psw_lock {
    char path[LOCK_PATH_BYTES];
    int fd;
    int was_left;               /* a holder that died had it before */
    struct psw_lock_beat *beat; /* owned */
};

/** What the file of a lock says. */
struct holder {
    char line[HOLDER_BYTES]; /* "pid 123 on node7 since ..." */
    int beats;               /* it renews the time of the file */
    int is_dead;             /* it had left the lock, which was removed */
};

/** A holder that was silent for so long is gone, where nothing else can tell; one that was
 * heard of a moment ago lives. */
static const double SILENT_S = 60, FRESH_S = 5;
static const char BEATS[] = "beats\n"; /* the second line */

static const double POLL_S = 0.05;
static const char NO_FLOCK[] = "(without flock)";

/** 1 locked, 0 somebody else has it, -1 no such thing on this file system or another error. */
static int try_flock(int fd, int how)
{
    while (flock(fd, how | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        return errno == EWOULDBLOCK ? 0 : -1;
    }
    return 1;
}

/* ---- who holds it ---- */

/** Which start of a Slurm job this is; "" outside of one. */
static void slurm_text(char *out, size_t n_bytes)
{
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    out[0] = 0;
    if (job)
        snprintf(out, n_bytes, " slurm job %.40s start %d", job, restart ? atoi(restart) : 0);
}

static int write_holder(int fd, int has_flock)
{
    char host[128] = "?", text[HOLDER_BYTES], since[32], slurm[80];
    gethostname(host, sizeof host - 1);
    slurm_text(slurm, sizeof slurm);
    const time_t now = time(NULL);
    struct tm parts;
    strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &parts));
    const int n =
        snprintf(text, sizeof text, "pid %ld on %.100s since %s%s%s%s\n%s", (long)getpid(),
                 host, since, slurm, has_flock ? "" : " ", has_flock ? "" : NO_FLOCK, BEATS);
    return pwrite(fd, text, (size_t)n, 0) == n;
}

/** The line is "" when it has not been written yet. */
static void read_holder(int fd, struct holder *out)
{
    const ssize_t n = pread(fd, out->line, HOLDER_BYTES - 1, 0);
    out->line[n > 0 ? n : 0] = 0;
    char *end = out->line + strcspn(out->line, "\n");
    out->beats = *end && strcmp(end + 1, BEATS) == 0;
    *end = 0;
}

/** Whether it was an earlier start of this Slurm job. Slurm has ended that one, or it is on a
 *  node that was cut off, where it may live on and keep its flock: it holds nothing any more.
 */
static int is_earlier_start(const char *holder)
{
    char job[48] = "";
    int start = 0;
    const char *at = strstr(holder, " slurm job "), *our_job = getenv("SLURM_JOB_ID");
    const char *our_start = getenv("SLURM_RESTART_COUNT");
    return at && our_job && our_start &&
           sscanf(at, " slurm job %47s start %d", job, &start) == 2 &&
           strcmp(job, our_job) == 0 && atoi(our_start) > start;
}

/** Whether the holder that said this is certainly no more. */
static int is_gone(const char *holder)
{
    char host[128] = "?", its_host[128] = "";
    long pid = 0;
    gethostname(host, sizeof host - 1);
    if (is_earlier_start(holder)) return 1;
    if (sscanf(holder, "pid %ld on %127s", &pid, its_host) != 2 || pid <= 0) return 0;
    return strcmp(host, its_host) == 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/** Whether it says that it is a process of this host. */
static int is_of_this_host(const char *line)
{
    char host[128] = "?", its_host[128] = "";
    long pid = 0;
    gethostname(host, sizeof host - 1);
    return sscanf(line, "pid %ld on %127s", &pid, its_host) == 2 && strcmp(host, its_host) == 0;
}

/** Whether only the heartbeat tells if the holder lives: it is of another host, and flock says
 *  nothing, or nothing for certain. */
static int is_for_beats(const struct holder *h, int flock_said)
{
    return h->beats && flock_said != 0 && !is_of_this_host(h->line);
}

/** Whether nobody holds the lock any more. flock: what try_flock said of the open file. age_s:
 *  since its last beat, where that counts; NaN: unknown. */
static int is_abandoned(const struct holder *h, int flock_said, double age_s)
{
    if (is_earlier_start(h->line)) return 1;
    if (flock_said == 0) return 0;
    const int has_flock = flock_said > 0 && !strstr(h->line, NO_FLOCK);
    if (is_for_beats(h, flock_said))
        return has_flock ? !(age_s < FRESH_S) : is_gone(h->line) || age_s > SILENT_S;
    return has_flock || is_gone(h->line);
}

/** The same of a lock file that is open. */
static int is_free(const char *path, int fd, const struct holder *h, int flock_said)
{
    const double age_s = is_for_beats(h, flock_said) ? psw_lock_age_s(path, fd) : NAN;
    return is_abandoned(h, flock_said, age_s);
}

/* ---- taking it ---- */

/** Make the lock file, which is to hold it. *fd >= 0: held; -1: it is there, or was taken for
 *  one that its holder left while it was not locked yet. */
static psw_status make(const char *path, int *fd, struct psw_error *err)
{
    int f = -1;
    *fd = -1;
    const psw_status rc = psw_file_open(path, PSW_FILE_NEW, &f, err);
    if (rc != PSW_OK) return rc == PSW_EBUSY ? PSW_OK : rc;
    const int got = try_flock(f, LOCK_EX);
    if (got == 0 || (got > 0 && !psw_file_is_at(path, f))) {
        close(f);
        return PSW_OK;
    }
    if (got < 0)
        psw_log(PSW_LOG_WARN,
                "%s: this file system has no flock (%s): a crash on another host is "
                "noticed after a minute, by the missing heartbeat",
                path, strerror(errno));
    if (!write_holder(f, got > 0)) psw_log(PSW_LOG_WARN, "%s: %s", path, strerror(errno));
    *fd = f;
    return PSW_OK;
}

/** Remove a lock that cannot be locked and whose holder is gone. Only who makes NAME.break may,
 * so that the lock that is removed is the one that was looked at. Returns whether it did. */
static int break_unlocked(const char *path)
{
    char name[LOCK_PATH_BYTES + 8];
    struct holder holder;
    int sole = -1, fd = -1, did = 0;
    snprintf(name, sizeof name, "%s.break", path);
    if (psw_file_open(name, PSW_FILE_NEW, &sole, NULL) != PSW_OK) return 0;
    if (psw_file_open(path, PSW_FILE_READ, &fd, NULL) == PSW_OK) {
        read_holder(fd, &holder);
        did = is_free(path, fd, &holder, -1) && unlink(path) == 0;
        close(fd);
    }
    unlink(name);
    close(sole);
    return did;
}

/** Look at a lock file that is there. *removed: its holder had left it; else who it is. */
static psw_status look(const char *path, int *removed, struct holder *holder,
                       struct psw_error *err)
{
    int fd = -1;
    psw_status rc =
        psw_file_open(path, PSW_FILE_UPDATE, &fd, err); /* NFS: to lock is to write */
    if (rc == PSW_EPERM) rc = psw_file_open(path, PSW_FILE_READ, &fd, err);
    *removed = rc == PSW_ENOENT;
    if (rc != PSW_OK) return rc == PSW_ENOENT ? PSW_OK : rc;
    const int got = try_flock(fd, LOCK_EX);
    read_holder(fd, holder);
    const int free_now = is_free(path, fd, holder, got);
    if (free_now && got <= 0) *removed = holder->is_dead = break_unlocked(path);
    if (free_now && got > 0 && psw_file_is_at(path, fd)) {
        *removed = holder->is_dead = unlink(path) == 0;
        if (!*removed)
            rc = psw_fail(err, PSW_EPERM, "%s: left by %s, but cannot be removed: %s", path,
                          holder->line, strerror(errno));
    }
    if (!holder->line[0])
        snprintf(holder->line, HOLDER_BYTES, "a process that did not say its name yet");
    close(fd);
    return rc;
}

/** Try until held or until_s; a reader's look at the lock takes a moment, so a few times. */
static psw_status keep_trying(const char *path, double until_s, struct psw_lock *lock,
                              struct psw_error *err)
{
    struct holder holder = {.line = "another process"};
    for (int n_refused = 0;;) {
        int removed = 0;
        psw_status rc = make(path, &lock->fd, err);
        if (rc == PSW_OK && lock->fd < 0) rc = look(path, &removed, &holder, err);
        lock->was_left = holder.is_dead;
        if (rc != PSW_OK || lock->fd >= 0) return rc;
        if (removed) continue;
        if (++n_refused >= MIN_TRIES && psw_clock_s() >= until_s)
            return psw_fail(err, PSW_EBUSY,
                            "%s: in use by %s: let it finish, stop it, or write to another "
                            "output%s",
                            path, holder.line,
                            strstr(holder.line, NO_FLOCK)
                                ? "; if that process is gone, remove this file"
                                : "");
        psw_clock_sleep_s(POLL_S);
    }
}

psw_status psw_lock_take(const char *lock_path, double wait_s, struct psw_lock **out,
                         struct psw_error *err)
{
    struct psw_lock *lock = calloc(1, sizeof *lock);
    if (!lock) return psw_fail(err, PSW_ENOMEM, "lock: %zu bytes", sizeof *lock);
    lock->fd = -1;
    psw_status rc = psw_path(lock->path, sizeof lock->path, err, "%s", lock_path);
    if (rc == PSW_OK) rc = keep_trying(lock_path, psw_clock_s() + wait_s, lock, err);
    if (rc != PSW_OK) {
        free(lock);
        return rc;
    }
    lock->beat = psw_lock_beat_begin(lock->fd);
    if (!lock->beat)
        psw_log(PSW_LOG_WARN, "%s: no heartbeat: other hosts may take this lock over",
                lock_path);
    *out = lock;
    return rc;
}

int psw_lock_is_lost(const struct psw_lock *lock)
{
    struct stat info;
    return lock && lstat(lock->path, &info) == 0 && !psw_file_is_at(lock->path, lock->fd);
}

int psw_lock_was_left(const struct psw_lock *lock)
{
    return lock->was_left;
}

void psw_lock_release(struct psw_lock *lock)
{
    if (!lock) return;
    psw_lock_beat_end(lock->beat);
    if (psw_file_is_at(lock->path, lock->fd))
        unlink(lock->path); /* somebody may have moved it */
    close(lock->fd);
    free(lock);
}

int psw_lock_holder(const char *lock_path, char *out, size_t n_bytes)
{
    struct holder holder;
    int fd = -1;
    out[0] = 0;
    if (psw_file_open(lock_path, PSW_FILE_READ, &fd, NULL) != PSW_OK) return 0;
    const int got = try_flock(fd, LOCK_SH);
    read_holder(fd, &holder);
    const double age_s = psw_lock_age_by_clock_s(fd);
    close(fd);
    if (is_abandoned(&holder, got, age_s)) return 0;
    snprintf(out, n_bytes, "%s",
             holder.line[0] ? holder.line : "a process that did not say its name yet");
    return got == 0 || (holder.beats && age_s < FRESH_S) ? 1 : -1;
}
