/* A preloaded library that makes one call fail. It counts the calls that posweep and its HDF5
 * make on files under $FAIL_FOLDER, and their allocations, by site: the kind of call and where
 * in the program it stands. $FAIL_LOG: a file that gets a line "SITE COUNT" for each site at
 * the exit. $FAIL_SITE and $FAIL_NTH: that call of that site fails; with $FAIL_ALL=1 all files'
 * calls that follow do, too, as on a full disk. The errno is $FAIL_ERRNO, of an allocation
 * ENOMEM. A write that fails with errno 0 is short instead. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

enum { N_SITE = 4096, N_FD = 1024, N_MODULE = 2 };

/* The text of the program and of HDF5. */
static struct {
    uintptr_t base, begin, end;
} modules[N_MODULE];
static struct {
    const char *kind;
    uintptr_t offset;
    int module;
    long n;
} sites[N_SITE];
static int n_module, n_site, is_ready, has_failed;
static char is_ours[N_FD];
static const char *folder, *wanted;
static long nth;
static int number, all;

static int see_module(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    const int is_program = info->dlpi_name[0] == 0;
    if (!is_program && !strstr(info->dlpi_name, "libhdf5")) return 0;
    if (strstr(info->dlpi_name, "_hl")) return 0;
    for (int i = 0; i < info->dlpi_phnum && n_module < N_MODULE; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
        modules[n_module].base = info->dlpi_addr;
        modules[n_module].begin = info->dlpi_addr + p->p_vaddr;
        modules[n_module++].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    folder = getenv("FAIL_FOLDER");
    wanted = getenv("FAIL_SITE");
    nth = getenv("FAIL_NTH") ? atol(getenv("FAIL_NTH")) : 1;
    number = getenv("FAIL_ERRNO") ? atoi(getenv("FAIL_ERRNO")) : EIO;
    all = getenv("FAIL_ALL") != NULL;
    dl_iterate_phdr(see_module, NULL);
    is_ready = folder != NULL;
}

static int name_of(int i, char *out, size_t n)
{
    return snprintf(out, n, "%s@%s+%lx", sites[i].kind, sites[i].module ? "hdf5" : "posweep",
                    (unsigned long)sites[i].offset);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_LOG");
    char line[200];
    if (!path || !is_ready) return;
    is_ready = 0;
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (int i = 0; i < n_site && fd >= 0; i++) {
        int n = name_of(i, line, 100);
        n += snprintf(line + n, 100, " %ld\n", sites[i].n);
        if (write(fd, line, (size_t)n) != n) break;
    }
    if (fd >= 0) close(fd);
}

/* Whether this call is to fail. Not called by two threads at once for files of $FAIL_FOLDER; an
 * allocation of the heartbeat's thread may be counted twice or not. */
static int fails(const char *kind, void *from, int is_file)
{
    if (!is_ready) return 0;
    const uintptr_t at = (uintptr_t)from;
    int m = 0;
    while (m < n_module && (at < modules[m].begin || at >= modules[m].end)) m++;
    if (m == n_module) return 0;
    if (has_failed && all && is_file) return 1;
    const uintptr_t offset = at - modules[m].base;
    int i = 0;
    while (i < n_site && (sites[i].offset != offset || sites[i].module != m)) i++;
    if (i == N_SITE) return 0;
    if (i == n_site) {
        sites[i].kind = kind;
        sites[i].offset = offset;
        sites[i].module = m;
        n_site++;
    }
    sites[i].n++;
    if (!wanted || sites[i].n != nth) return 0;
    char name[100];
    name_of(i, name, sizeof name);
    if (strcmp(name, wanted) != 0) return 0;
    has_failed = 1;
    return 1;
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

/* ---- allocations ---- */

static int no_memory(const char *kind, void *from)
{
    if (!fails(kind, from, 0)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return no_memory("malloc", __builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return no_memory("calloc", __builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return no_memory("realloc", __builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}

/* ---- files ---- */

static int in_folder(const char *path)
{
    return is_ready && path && strstr(path, folder) != NULL;
}

static int is_known(int fd)
{
    return fd >= 0 && fd < N_FD && is_ours[fd];
}

static int bad_path(const char *kind, const char *path, void *from)
{
    if (!in_folder(path) || !fails(kind, from, 1)) return 0;
    errno = number ? number : EIO;
    return 1;
}

static int bad_fd(const char *kind, int fd, void *from)
{
    if (!is_ready || !is_known(fd) || !fails(kind, from, 1)) return 0;
    errno = number;
    return 1;
}

static int remember(int fd, const char *path)
{
    if (fd >= 0 && fd < N_FD) is_ours[fd] = (char)in_folder(path);
    return fd;
}

#define OPEN(name)                                                                             \
    int name(const char *path, int flags, ...)                                                 \
    {                                                                                          \
        va_list args;                                                                          \
        va_start(args, flags);                                                                 \
        const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                        \
        va_end(args);                                                                          \
        if (bad_path("open", path, __builtin_return_address(0))) return -1;                    \
        return remember(REAL(int, name, const char *, int, ...)(path, flags, mode), path);     \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                            \
    FILE *name(const char *path, const char *mode)                                             \
    {                                                                                          \
        if (bad_path("fopen", path, __builtin_return_address(0))) return NULL;                 \
        FILE *f = REAL(FILE *, name, const char *, const char *)(path, mode);                  \
        if (f) remember(fileno(f), path);                                                      \
        return f;                                                                              \
    }
FOPEN(fopen)
FOPEN(fopen64)

FILE *fdopen(int fd, const char *mode)
{
    if (bad_fd("fdopen", fd, __builtin_return_address(0))) return NULL;
    return REAL(FILE *, fdopen, int, const char *)(fd, mode);
}

/* A short write writes half, unless that is nothing. */
#define WRITE(bad, how_much)                                                                   \
    if (bad) {                                                                                 \
        if (number != 0) return -1;                                                            \
        how_much = (how_much + 1) / 2;                                                         \
    }

ssize_t write(int fd, const void *data, size_t n)
{
    WRITE(bad_fd("write", fd, __builtin_return_address(0)), n)
    return REAL(ssize_t, write, int, const void *, size_t)(fd, data, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    WRITE(bad_fd("pwrite", fd, __builtin_return_address(0)), n)
    return REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    WRITE(bad_fd("pwrite", fd, __builtin_return_address(0)), n)
    return REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, data, n, at);
}

size_t fwrite(const void *data, size_t size, size_t n, FILE *f)
{
    if (bad_fd("fwrite", fileno(f), __builtin_return_address(0))) n /= 2, errno = number;
    return REAL(size_t, fwrite, const void *, size_t, size_t, FILE *)(data, size, n, f);
}

/* These fail without having done anything, or (of reads) as at the end of the file. */
#define BY_FD(name)                                                                            \
    if (bad_fd(#name, fd, __builtin_return_address(0))) {                                      \
        if (!errno) errno = EIO;                                                               \
        return -1;                                                                             \
    }

ssize_t read(int fd, void *data, size_t n)
{
    BY_FD(read)
    return REAL(ssize_t, read, int, void *, size_t)(fd, data, n);
}

ssize_t pread(int fd, void *data, size_t n, off_t at)
{
    BY_FD(pread)
    return REAL(ssize_t, pread, int, void *, size_t, off_t)(fd, data, n, at);
}

int fsync(int fd)
{
    BY_FD(fsync)
    return REAL(int, fsync, int)(fd);
}

int fdatasync(int fd)
{
    BY_FD(fdatasync)
    return REAL(int, fdatasync, int)(fd);
}

int ftruncate(int fd, off_t n)
{
    BY_FD(ftruncate)
    return REAL(int, ftruncate, int, off_t)(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
    BY_FD(ftruncate64)
    return REAL(int, ftruncate64, int, off64_t)(fd, n);
}

/* What is closed is closed, even if that fails. */
int close(int fd)
{
    const int is_bad = bad_fd("close", fd, __builtin_return_address(0));
    if (fd >= 0 && fd < N_FD) is_ours[fd] = 0;
    const int rc = REAL(int, close, int)(fd);
    if (is_bad) errno = number ? number : EIO;
    return is_bad ? -1 : rc;
}

int fflush(FILE *f)
{
    const int is_bad = f && bad_fd("fflush", fileno(f), __builtin_return_address(0));
    if (is_bad) return EOF;
    return REAL(int, fflush, FILE *)(f);
}

int fclose(FILE *f)
{
    const int fd = fileno(f), is_bad = bad_fd("fclose", fd, __builtin_return_address(0));
    if (fd >= 0 && fd < N_FD) is_ours[fd] = 0;
    const int rc = REAL(int, fclose, FILE *)(f);
    if (is_bad) errno = number ? number : EIO;
    return is_bad ? EOF : rc;
}

size_t fread(void *data, size_t size, size_t n, FILE *f)
{
    if (bad_fd("fread", fileno(f), __builtin_return_address(0))) return 0;
    return REAL(size_t, fread, void *, size_t, size_t, FILE *)(data, size, n, f);
}

#define BY_PATH(name)                                                                          \
    int name(const char *path)                                                                 \
    {                                                                                          \
        if (bad_path(#name, path, __builtin_return_address(0))) return -1;                     \
        return REAL(int, name, const char *)(path);                                            \
    }
BY_PATH(unlink)
BY_PATH(remove)
BY_PATH(rmdir)

int mkdir(const char *path, mode_t mode)
{
    if (bad_path("mkdir", path, __builtin_return_address(0))) return -1;
    return REAL(int, mkdir, const char *, mode_t)(path, mode);
}

int rename(const char *from, const char *to)
{
    if (bad_path("rename", to, __builtin_return_address(0))) return -1;
    return REAL(int, rename, const char *, const char *)(from, to);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    if (bad_fd("mmap", fd, __builtin_return_address(0))) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return REAL(void *, mmap, void *, size_t, int, int, int, off_t)(at, n, protection, flags,
                                                                    fd, offset);
}
