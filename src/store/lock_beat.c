/* The heartbeat of a lock: a thread renews the time of the lock file, so that others see that
 * its holder lives where no flock tells them. Ages are differences of times that the file
 * system gave, of the lock and of a file made just now: clocks of nodes differ, and nobody asks
 * them. */
#include "store_internal.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BEAT_S = 1 };

struct psw_lock_beat {
    int fd; /* borrowed */
    int must_end;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

static void *beat(void *ctx)
{
    struct psw_lock_beat *b = ctx;
    struct timespec next;
    pthread_mutex_lock(&b->mutex);
    while (!b->must_end) {
        (void)futimens(b->fd, NULL); /* one that fails is one that is missing */
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_sec += BEAT_S;
        while (!b->must_end && pthread_cond_timedwait(&b->wake, &b->mutex, &next) != ETIMEDOUT)
            continue;
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

/* Signals are for the thread that works. */
static int start_thread(struct psw_lock_beat *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int ok = pthread_create(&b->thread, NULL, beat, b) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

struct psw_lock_beat *psw_lock_beat_begin(int fd)
{
    struct psw_lock_beat *b = calloc(1, sizeof *b);
    pthread_condattr_t attr;
    if (!b) return NULL;
    b->fd = fd;
    pthread_mutex_init(&b->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (start_thread(b)) return b;
    free(b);
    return NULL;
}

void psw_lock_beat_end(struct psw_lock_beat *b)
{
    if (!b) return;
    pthread_mutex_lock(&b->mutex);
    b->must_end = 1;
    pthread_cond_signal(&b->wake);
    pthread_mutex_unlock(&b->mutex);
    pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->wake);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

static double time_of(const struct stat *info)
{
    return (double)info->st_mtim.tv_sec + 1e-9 * (double)info->st_mtim.tv_nsec;
}

double psw_lock_age_s(const char *path, int fd)
{
    char name[PSW_TEMPORARY_BYTES];
    struct stat lock, now;
    int made = -1;
    if (psw_file_begin(path, name, &made, NULL) != PSW_OK) return NAN;
    /* written to: not every file system looks at its clock when a file is made */
    const int ok = write(made, "?", 1) == 1 && fsync(made) == 0 && fstat(made, &now) == 0 &&
                   fstat(fd, &lock) == 0;
    close(made);
    unlink(name);
    return ok ? time_of(&now) - time_of(&lock) : NAN;
}

double psw_lock_age_by_clock_s(int fd)
{
    struct stat lock;
    struct timespec now;
    if (fstat(fd, &lock) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0) return NAN;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - time_of(&lock);
}
