/* Whole-file input and output on POSIX calls. */
#include <posweep/util/file.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum psw_status_code fail_errno(struct psw_error *err, const char *path,
                                       const char *what)
{
    const int e = errno;
    return psw_fail(err, psw_status_from_errno(e), "%s: %s: %s", path, what, strerror(e));
}

psw_status psw_path(char *out, size_t n_bytes, struct psw_error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(out, n_bytes, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= n_bytes)
        return psw_fail(err, PSW_EINVAL, "path longer than %zu bytes: %.80s...", n_bytes - 1,
                        out);
    return PSW_OK;
}

/** What went wrong at opening, and what to do where that is not plain. */
static psw_status fail_open(const char *path, enum psw_file_how how, struct psw_error *err)
{
    const int e = errno;
    if (e == EEXIST)
        return psw_fail(err, PSW_EBUSY, "%s: cannot create: there is one already", path);
    if (e == ELOOP)
        return psw_fail(
            err, PSW_EPERM,
            "%s: is a symbolic link, and nothing is written through one: remove it, "
            "or choose another place",
            path);
    return psw_fail(err, psw_status_from_errno(e), "%s: cannot %s: %s", path,
                    how == PSW_FILE_NEW ? "create" : "open", strerror(e));
}

psw_status psw_file_open(const char *path, enum psw_file_how how, int *fd,
                         struct psw_error *err)
{
    static const int FLAGS[] = {[PSW_FILE_READ] = O_RDONLY,
                                [PSW_FILE_UPDATE] = O_RDWR,
                                [PSW_FILE_NEW] = O_RDWR | O_CREAT | O_EXCL};
    struct stat info;
    /* not blocking: the open of a pipe would wait for its other end */
    const int f = open(path, FLAGS[how] | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0664);
    if (f < 0) return fail_open(path, how, err);
    if (fstat(f, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(f);
        return psw_fail(err, PSW_EIO, "%s: is not a plain file", path);
    }
    *fd = f;
    return PSW_OK;
}

int psw_file_is_at(const char *path, int fd)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

psw_status psw_file_commit(const char *temporary, const char *path, struct psw_error *err)
{
    if (rename(temporary, path) != 0) return fail_errno(err, path, "cannot rename into place");
    char copy[PSW_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return PSW_OK;
}

psw_status psw_file_temporary(const char *path, char out[PSW_TEMPORARY_BYTES],
                              struct psw_error *err)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    return psw_path(out, PSW_TEMPORARY_BYTES, err, "%s.%.40s.%ld.tmp", path, host,
                    (long)getpid());
}

psw_status psw_file_begin(const char *path, char temporary[PSW_TEMPORARY_BYTES], int *fd,
                          struct psw_error *err)
{
    psw_status rc = psw_file_temporary(path, temporary, err);
    if (rc != PSW_OK) return rc;
    rc = psw_file_open(temporary, PSW_FILE_NEW, fd, err);
    if (rc != PSW_EBUSY) return rc;
    if (unlink(temporary) != 0 && errno != ENOENT)
        return fail_errno(err, temporary, "cannot remove what is in its place");
    return psw_file_open(temporary, PSW_FILE_NEW, fd, err);
}

static int write_all(int fd, const char *data, size_t n_bytes)
{
    while (n_bytes > 0) {
        const ssize_t n = write(fd, data, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        data += n;
        n_bytes -= (size_t)n;
    }
    return 0;
}

psw_status psw_file_write(const char *path, const struct psw_file_part *parts, int n_parts,
                          struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    int fd = -1;
    psw_status rc = psw_file_begin(path, temporary, &fd, err);
    if (rc != PSW_OK) return rc;
    for (int i = 0; i < n_parts && rc == PSW_OK; i++)
        if (write_all(fd, parts[i].data, parts[i].n_bytes) != 0)
            rc = fail_errno(err, path, "cannot write");
    if (rc == PSW_OK && fsync(fd) != 0) rc = fail_errno(err, path, "cannot sync");
    if (close(fd) != 0 && rc == PSW_OK) rc = fail_errno(err, path, "cannot close");
    if (rc == PSW_OK) rc = psw_file_commit(temporary, path, err);
    if (rc != PSW_OK) unlink(temporary);
    return rc;
}

psw_status psw_file_read(const char *path, char **data, size_t *n_bytes, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char *buffer = NULL;
    struct stat info;
    FILE *f = fopen(path, "rb");
    if (!f) return fail_errno(err, path, "cannot open");
    if (fstat(fileno(f), &info) != 0) {
        rc = fail_errno(err, path, "cannot stat");
        goto fail;
    }
    if (S_ISDIR(info.st_mode)) {
        rc = psw_fail(err, PSW_ENOENT, "%s: is a folder, expected a file", path);
        goto fail;
    }
    const size_t size = (size_t)info.st_size;
    buffer = malloc(size + 1);
    if (!buffer) {
        rc = psw_fail(err, PSW_ENOMEM, "%s: %zu bytes", path, size);
        goto fail;
    }
    if (fread(buffer, 1, size, f) != size) {
        rc = psw_fail(err, PSW_EIO, "%s: could not read all of its %zu bytes", path, size);
        goto fail;
    }
    fclose(f);
    buffer[size] = 0;
    *data = buffer;
    *n_bytes = size;
    return PSW_OK;
fail:
    free(buffer);
    fclose(f);
    return rc;
}

psw_status psw_file_make_dir(const char *path, struct psw_error *err)
{
    char copy[PSW_PATH_BYTES];
    psw_status rc = psw_path(copy, sizeof copy, err, "%s", path);
    if (rc != PSW_OK) return rc;
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != 0) continue;
        const char saved = *p;
        *p = 0;
        struct stat info;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            return fail_errno(err, copy, "cannot make the folder");
        if (stat(copy, &info) == 0 && !S_ISDIR(info.st_mode))
            return psw_fail(err, PSW_EIO, "%s: cannot make the folder: a file is in its place",
                            copy);
        *p = saved;
        if (saved == 0) return PSW_OK;
    }
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *at)
{
    (void)info;
    (void)flag;
    (void)at;
    return remove(path);
}

psw_status psw_file_remove_tree(const char *path, struct psw_error *err)
{
    if (!psw_file_exists(path)) return PSW_OK;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return fail_errno(err, path, "cannot remove");
    return PSW_OK;
}

int psw_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

struct psw_file_identity psw_file_identity(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) return (struct psw_file_identity){0};
    return (struct psw_file_identity){info.st_ino, info.st_size, info.st_mtim.tv_sec,
                                      info.st_mtim.tv_nsec};
}

int psw_file_identity_is(const struct psw_file_identity *a, const struct psw_file_identity *b)
{
    return a->node == b->node && a->n_bytes == b->n_bytes && a->changed_s == b->changed_s &&
           a->changed_ns == b->changed_ns;
}

/* Beside the text of err. */
static void append(struct psw_error *err, const char *format, const char *text)
{
    const size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, format, text);
}

psw_status psw_file_set_aside(const char *path, psw_status rc, struct psw_error *err)
{
    char away[PSW_PATH_BYTES + 16];
    struct psw_error unused;
    if (rc != PSW_EDATA) return rc;
    if (!err) err = &unused;
    for (int n = 1; n < 1000; n++) {
        snprintf(away, sizeof away, "%s.damaged-%d", path, n);
        if (!psw_file_exists(away)) break;
    }
    if (rename(path, away) == 0)
        append(err, "; moved to %s, to be computed again", away);
    else if (errno != ENOENT) /* somebody else has moved it */
        append(err, "; it cannot be moved away (%s): remove it", strerror(errno));
    return rc;
}
