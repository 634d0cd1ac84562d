/* One writer per file. The lock is flock on a small file that says who holds it; the file is
 * removed while still locked, and whoever gets a lock makes sure that the name still leads to
 * the file it locked. The system lets go when the process dies, however it dies. */
#include "store_internal.h"

#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct psw_lock {
    char path[PSW_PATH_BYTES + 8];
    int fd;
};

static const double POLL_S = 0.05;

/** 1 locked, 0 somebody else has it, -1 no such thing on this file system or another error. */
static int try_flock(int fd, int how)
{
    while (flock(fd, how | LOCK_NB) != 0) {
        if (errno == EINTR) continue;
        return errno == EWOULDBLOCK ? 0 : -1;
    }
    return 1;
}

static void read_holder(int fd, char *out, size_t n_bytes)
{
    const ssize_t n = pread(fd, out, n_bytes - 1, 0);
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    if (!out[0]) snprintf(out, n_bytes, "a process that did not say its name yet");
}

static int write_holder(int fd)
{
    char host[128] = "?", text[256], since[32];
    gethostname(host, sizeof host - 1);
    const time_t now = time(NULL);
    struct tm parts;
    strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &parts));
    const int n =
        snprintf(text, sizeof text, "pid %ld on %s since %s\n", (long)getpid(), host, since);
    return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

static int still_there(const char *path, int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

/** One try. *fd >= 0: taken. */
static psw_status try_take(const char *path, int *fd, char *holder, size_t n_holder,
                           struct psw_error *err)
{
    *fd = -1;
    const int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f < 0) {
        const int e = errno;
        return psw_fail(err, psw_status_from_errno(e), "%s: cannot create: %s", path,
                        strerror(e));
    }
    const int got = try_flock(f, LOCK_EX);
    if (got < 0)
        psw_log(PSW_LOG_WARN,
                "%s: this file system has no locks (%s): make sure that only one posweep "
                "writes here",
                path, strerror(errno));
    if (got == 0) read_holder(f, holder, n_holder);
    if (got == 0 || !still_there(path, f)) {
        close(f);
        return PSW_OK;
    }
    if (!write_holder(f)) psw_log(PSW_LOG_WARN, "%s: %s", path, strerror(errno));
    *fd = f;
    return PSW_OK;
}

psw_status psw_lock_take(const char *lock_path, double wait_s, struct psw_lock **out,
                         struct psw_error *err)
{
    const double until_s = psw_clock_s() + wait_s;
    char holder[256] = "another process";
    int fd = -1;
    for (;;) {
        psw_status rc = try_take(lock_path, &fd, holder, sizeof holder, err);
        if (rc != PSW_OK) return rc;
        if (fd >= 0) break;
        if (psw_clock_s() >= until_s)
            return psw_fail(err, PSW_EBUSY,
                            "%s: in use by %s: let it finish, stop it, or write to another "
                            "output",
                            lock_path, holder);
        psw_clock_sleep_s(POLL_S);
    }
    struct psw_lock *lock = calloc(1, sizeof *lock);
    if (!lock) {
        close(fd);
        return psw_fail(err, PSW_ENOMEM, "lock: %zu bytes", sizeof *lock);
    }
    snprintf(lock->path, sizeof lock->path, "%s", lock_path);
    lock->fd = fd;
    *out = lock;
    return PSW_OK;
}

void psw_lock_release(struct psw_lock *lock)
{
    if (!lock) return;
    unlink(lock->path);
    close(lock->fd);
    free(lock);
}

int psw_lock_holder(const char *lock_path, char *out, size_t n_bytes)
{
    out[0] = 0;
    const int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const int got = try_flock(fd, LOCK_SH);
    if (got <= 0) read_holder(fd, out, n_bytes);
    close(fd);
    return got == 0 ? 1 : got < 0 ? -1 : 0;
}
