/* A preloaded library that makes one rank bad: on the ranks of $BAD_RANKS ("1" or "1,3"),
 * opening a file whose path contains $BAD_PATH fails with the errno of $BAD_ERRNO (default
 * EIO), or kills the rank if that is "kill". The file that a start looks for on all ranks is
 * let through: this is about ranks that turn bad later. With $BAD_HOSTS, every rank is on a
 * host of its own as far as MPI can tell: "host2" is that of rank 2. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_bad_rank(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *bad = getenv("BAD_RANKS");
    for (; rank && bad; bad++) {
        const size_t n = strcspn(bad, ",");
        if (strlen(rank) == n && strncmp(rank, bad, n) == 0) return 1;
        if (!*(bad += n)) break;
    }
    return 0;
}

static int fails(const char *path)
{
    const char *part = getenv("BAD_PATH"), *number = getenv("BAD_ERRNO");
    if (!part || !strstr(path, part) || strstr(path, "shared.token") || !is_bad_rank())
        return 0;
    if (number && strcmp(number, "kill") == 0) raise(SIGKILL);
    errno = number ? atoi(number) : EIO;
    return 1;
}

static int open_by(const char *name, const char *path, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...) =
        (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    return fails(path) ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = va_arg(args, mode_t);
    va_end(args);
    return open_by("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = va_arg(args, mode_t);
    va_end(args);
    return open_by("open64", path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    return fails(path) ? NULL : real(path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) =
        (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen64");
    return fails(path) ? NULL : real(path, mode);
}

int MPI_Get_processor_name(char *name, int *n_name)
{
    int (*real)(char *, int *) =
        (int (*)(char *, int *))dlsym(RTLD_NEXT, "MPI_Get_processor_name");
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!getenv("BAD_HOSTS") || !rank) return real(name, n_name);
    *n_name = sprintf(name, "host%s", rank);
    return 0;
}
