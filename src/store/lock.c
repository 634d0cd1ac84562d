/* One writer per file: who makes the lock file holds the lock, and says in it who that is.
 *
 * The file is made with O_EXCL, so of any number of starts one makes it, on every file system.
 * What remains is to tell a lock that its holder left behind from one in use. Where flock works
 * the holder keeps its file locked, and the system lets go when the process dies, however it
 * dies: whoever can lock the file may remove it. Where flock does not work (Lustre mounted
 * without it) only the holder's own words are left: a process of this host that is gone, or an
 * earlier start of the same Slurm job, holds nothing; of any other nobody can tell, and the
 * lock stands until a person removes it. Existing files are never written to. */
#include "store_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MIN_TRIES = 3, HOLDER_BYTES = 256, LOCK_PATH_BYTES = PSW_PATH_BYTES + 16 };

struct psw_lock {
    char path[LOCK_PATH_BYTES];
    int fd;
};

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
        snprintf(text, sizeof text, "pid %ld on %.100s since %s%s%s%s\n", (long)getpid(), host,
                 since, slurm, has_flock ? "" : " ", has_flock ? "" : NO_FLOCK);
    return pwrite(fd, text, (size_t)n, 0) == n;
}

/** The first line; "" when it has not been written yet. */
static void read_holder(int fd, char out[HOLDER_BYTES])
{
    const ssize_t n = pread(fd, out, HOLDER_BYTES - 1, 0);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
}

/** Whether the holder that said this is certainly no more. */
static int is_gone(const char *holder)
{
    char host[128] = "?", its_host[128] = "", job[48] = "";
    long pid = 0;
    int start = 0;
    gethostname(host, sizeof host - 1);
    if (sscanf(holder, "pid %ld on %127s", &pid, its_host) != 2 || pid <= 0) return 0;
    if (strcmp(host, its_host) == 0) return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    const char *at = strstr(holder, " slurm job "), *our_job = getenv("SLURM_JOB_ID");
    const char *our_start = getenv("SLURM_RESTART_COUNT");
    return at && our_job && our_start &&
           sscanf(at, " slurm job %47s start %d", job, &start) == 2 &&
           strcmp(job, our_job) == 0 && atoi(our_start) > start;
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
                "%s: this file system has no flock (%s): after a crash on another host the "
                "next start asks for this file to be removed",
                path, strerror(errno));
    if (!write_holder(f, got > 0)) psw_log(PSW_LOG_WARN, "%s: %s", path, strerror(errno));
    *fd = f;
    return PSW_OK;
}

/** Remove a lock without flock whose holder is gone. Only who makes NAME.break may, so that the
 *  lock that is removed is the one that was looked at. Returns whether it did. */
static int break_unlocked(const char *path)
{
    char name[LOCK_PATH_BYTES + 8], holder[HOLDER_BYTES];
    int sole = -1, fd = -1, did = 0;
    snprintf(name, sizeof name, "%s.break", path);
    if (psw_file_open(name, PSW_FILE_NEW, &sole, NULL) != PSW_OK) return 0;
    if (psw_file_open(path, PSW_FILE_READ, &fd, NULL) == PSW_OK) {
        read_holder(fd, holder);
        did = is_gone(holder) && unlink(path) == 0;
        close(fd);
    }
    unlink(name);
    close(sole);
    return did;
}

/** Look at a lock file that is there. *removed: its holder had left it; else who it is. */
static psw_status look(const char *path, int *removed, char holder[HOLDER_BYTES],
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
    const int is_free =
        got > 0 ? !strstr(holder, NO_FLOCK) || is_gone(holder) : got < 0 && is_gone(holder);
    if (is_free && got < 0) *removed = break_unlocked(path);
    if (is_free && got > 0 && psw_file_is_at(path, fd)) {
        *removed = unlink(path) == 0;
        if (!*removed)
            rc = psw_fail(err, PSW_EPERM, "%s: left by %s, but cannot be removed: %s", path,
                          holder, strerror(errno));
    }
    if (!holder[0]) snprintf(holder, HOLDER_BYTES, "a process that did not say its name yet");
    close(fd);
    return rc;
}

/** Try until held or until_s; a reader's look at the lock takes a moment, so a few times. */
static psw_status keep_trying(const char *path, double until_s, int *fd, struct psw_error *err)
{
    char holder[HOLDER_BYTES] = "another process";
    for (int n_refused = 0;;) {
        int removed = 0;
        psw_status rc = make(path, fd, err);
        if (rc == PSW_OK && *fd < 0) rc = look(path, &removed, holder, err);
        if (rc != PSW_OK || *fd >= 0) return rc;
        if (removed) continue;
        if (++n_refused >= MIN_TRIES && psw_clock_s() >= until_s)
            return psw_fail(
                err, PSW_EBUSY,
                "%s: in use by %s: let it finish, stop it, or write to another "
                "output%s",
                path, holder,
                strstr(holder, NO_FLOCK) ? "; if that process is gone, remove this file" : "");
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
    if (rc == PSW_OK) rc = keep_trying(lock_path, psw_clock_s() + wait_s, &lock->fd, err);
    if (rc == PSW_OK)
        *out = lock;
    else
        free(lock);
    return rc;
}

void psw_lock_release(struct psw_lock *lock)
{
    if (!lock) return;
    if (psw_file_is_at(lock->path, lock->fd))
        unlink(lock->path); /* somebody may have moved it */
    close(lock->fd);
    free(lock);
}

int psw_lock_holder(const char *lock_path, char *out, size_t n_bytes)
{
    char holder[HOLDER_BYTES] = "";
    int fd = -1;
    out[0] = 0;
    if (psw_file_open(lock_path, PSW_FILE_READ, &fd, NULL) != PSW_OK) return 0;
    const int got = try_flock(fd, LOCK_SH);
    read_holder(fd, holder);
    const int has_words = got < 0 || (got > 0 && strstr(holder, NO_FLOCK) != NULL);
    close(fd);
    if (got > 0 && !has_words) return 0;
    if (has_words && is_gone(holder)) return 0;
    snprintf(out, n_bytes, "%s",
             holder[0] ? holder : "a process that did not say its name yet");
    return has_words ? -1 : 1;
}
